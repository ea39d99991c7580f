//! Real data: `caretrack import` of all that is in `tests/data`.

use super::harness::server::{Ran, run};
use super::harness::{Api, Engine, Journey, Server, journey, program, raw};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub fn journeys() -> Vec<Journey> {
    vec![
        journey!(all_data_is_imported_and_the_second_time_everything_is_unchanged),
        journey!(what_has_changed_is_written_again_and_nothing_else),
        journey!(what_cannot_be_imported_is_told_with_its_place),
        journey!(an_import_without_a_server_or_a_right_says_so),
    ]
}

pub fn data() -> PathBuf {
    program::workspace().join("tests/data")
}

/// Every resource there is to import: its type and its text.
pub fn resources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let lines = std::fs::read_to_string(data().join("fhir-r4-examples.ndjson")).unwrap();
    let mut texts: Vec<String> = lines.lines().map(str::to_owned).collect();
    for file in std::fs::read_dir(data().join("bundles")).unwrap() {
        let bundle = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let entries = raw(&bundle, &["entry"]);
        let entries: Vec<&RawValue> = serde_json::from_str(&entries).unwrap();
        texts.extend(entries.iter().map(|entry| raw(entry.get(), &["resource"])));
    }
    for text in texts {
        let resource: Value = serde_json::from_str(&text).unwrap();
        found.push((resource["resourceType"].as_str().unwrap().to_owned(), text));
    }
    assert!(found.len() > 250, "there is data to test with");
    found
}

/// `import` of `path` into a source, told in JSON.
pub async fn import(api: &Api, folder: &Path, path: &Path, options: &[&str]) -> Ran {
    let server = format!("http://{}", api.authority());
    let mut arguments = vec!["import", path.to_str().unwrap(), "--server", &server, "--json"];
    arguments.extend(options);
    let mut command = program::command(folder, &arguments);
    command.env("CARETRACK_API_KEY", api.key());
    run(command).await
}

/// What an import says it did: written, unchanged, deleted, failed.
#[track_caller]
pub fn counts(ran: &Ran) -> [u64; 4] {
    let summary: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    ["written", "unchanged", "deleted", "failed"].map(|name| summary[name].as_u64().expect("a count"))
}

/// The `data` of everything that a type has, byte for byte, by id.
pub async fn stored(api: &Api, source: &str, of: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut path = format!("/sources/{source}/v1/resources/{of}?limit=1000");
    loop {
        let page = api.get(&path).await.is(200);
        let items = raw(&page.text, &["items"]);
        let items: Vec<&RawValue> = serde_json::from_str(&items).unwrap();
        for item in items {
            let id: Value = serde_json::from_str(&raw(item.get(), &["id"])).unwrap();
            let twice = found.insert(id.as_str().unwrap().to_owned(), raw(item.get(), &["data"]));
            assert_eq!(twice, None, "a record is listed twice");
        }
        match page.json()["next"].as_str() {
            Some(next) => path = format!("/sources/{source}/v1/resources/{of}?limit=1000&cursor={next}"),
            None => return found,
        }
    }
}

/// The source holds exactly the data, each resource as it is in its file.
pub async fn assert_imported(api: &Api, source: &str) {
    let mut expected = BTreeMap::<String, Vec<String>>::new();
    for (of, text) in resources() {
        expected.entry(of).or_default().push(text);
    }
    for (of, mut texts) in expected {
        let mut found: Vec<_> = stored(api, source, &of).await.into_values().collect();
        found.sort();
        texts.sort();
        assert_eq!(found, texts, "{of} in {source}");
    }
}

/// Issue 2, done when 2: "All of `../shared/data` imports into a fresh server twice: the second time everything is
/// unchanged; every resource reads back equal to its line."
async fn all_data_is_imported_and_the_second_time_everything_is_unchanged(engine: Engine) {
    let server = Server::fresh(engine).await;
    let (api, folder) = (server.api(), server.data().folder().to_owned());
    let all = resources().len() as u64;
    let first = import(&api, &folder, &data(), &[]).await.ended_with(0);
    assert_eq!(counts(&first), [all, 0, 0, 0]);
    let tasks = async || api.get("/ops/v1/audit?limit=1").await.is(200).json()["items"][0]["id"].clone();
    let before = tasks().await;
    let second = import(&api, &folder, &data(), &[]).await.ended_with(0);
    assert_eq!(counts(&second), [0, all, 0, 0]);
    assert_eq!(tasks().await, before, "nothing was written the second time");
    assert_imported(&api, "fhir").await;
    // And under its own id, where the registry takes it.
    let lines = std::fs::read_to_string(data().join("fhir-r4-examples.ndjson")).unwrap();
    for line in lines.lines() {
        let resource: Value = serde_json::from_str(line).unwrap();
        let (of, id) = (
            resource["resourceType"].as_str().unwrap(),
            resource["id"].as_str().unwrap(),
        );
        if !id.contains('.') {
            let read = api
                .get(&format!("/sources/fhir/v1/resources/{of}/{id}"))
                .await
                .is(200);
            assert_eq!(raw(&read.text, &["data"]), line);
        }
    }
    // Another server on the same data shows the same.
    server.kill().await;
    let mut server = server;
    server.start_again().await;
    assert_imported(&server.api(), "fhir").await;
}

async fn what_has_changed_is_written_again_and_nothing_else(engine: Engine) {
    let server = Server::fresh(engine).await;
    let (api, folder) = (server.api(), server.data().folder().to_owned());
    let file = folder.join("some.ndjson");
    let lines = |n: u32| {
        let one = format!(r#"{{"resourceType":"Patient","id":"one","n":{n}.0}}"#);
        format!(
            "{one}\n{{\"resourceType\":\"Patient\",\"id\":\"two\"}}\n\n{{\"resourceType\":\"Basic\",\"id\":\"a.b\"}}\n"
        )
    };
    std::fs::write(&file, lines(1)).unwrap();
    let options = &["--source", "northclinic", "--concurrency", "1"][..];
    assert_eq!(
        counts(&import(&api, &folder, &file, options).await.ended_with(0)),
        [3, 0, 0, 0]
    );
    let two = api
        .get("/sources/northclinic/v1/resources/Patient/two")
        .await
        .is(200);
    std::fs::write(&file, lines(2)).unwrap();
    assert_eq!(
        counts(&import(&api, &folder, &file, options).await.ended_with(0)),
        [1, 2, 0, 0]
    );
    let one = api
        .get("/sources/northclinic/v1/resources/Patient/one")
        .await
        .is(200);
    assert_eq!(raw(&one.text, &["data", "n"]), "2.0");
    assert_eq!(
        api.get("/sources/northclinic/v1/resources/Patient/two")
            .await
            .is(200)
            .etag(),
        two.etag()
    );
}

/// Issue 2: "ends with a summary of written, unchanged and failed with reasons"; exit code 1 where something failed.
async fn what_cannot_be_imported_is_told_with_its_place(engine: Engine) {
    let server = Server::fresh(engine).await;
    let (api, folder) = (server.api(), server.data().folder().to_owned());
    let file = folder.join("mixed.ndjson");
    let deep = "[".repeat(80) + &"]".repeat(80);
    let large = "x".repeat(2 << 20);
    let lines = [
        r#"{"resourceType":"Patient","id":"fine"}"#,
        "not json",
        r#"{"id":"nothing"}"#,
        &format!(r#"{{"resourceType":"Patient","id":"deep","x":{deep}}}"#),
        &format!(r#"{{"resourceType":"Patient","id":"large","x":"{large}"}}"#),
        r#"{"resourceType":"Patient","id":"last"}"#,
    ];
    std::fs::write(&file, lines.join("\n")).unwrap();
    let ran = import(&api, &folder, &file, &[]).await.ended_with(1);
    assert_eq!(counts(&ran), [2, 0, 0, 4]);
    let summary: Value = serde_json::from_str(&ran.out).unwrap();
    let mut places: Vec<_> = summary["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failure| failure["place"].as_str().unwrap())
        .collect();
    places.sort_unstable();
    let expected: Vec<_> = [2, 3, 4, 5]
        .map(|line| format!("{}:{line}", file.display()))
        .into();
    assert_eq!(places, expected);
    assert_eq!(
        stored(&api, "fhir", "Patient")
            .await
            .into_keys()
            .collect::<Vec<_>>(),
        ["fine", "last"]
    );
}

/// The exit codes that `--help` lists: 2 wrong usage, 3 not reachable, 5 refused.
async fn an_import_without_a_server_or_a_right_says_so(engine: Engine) {
    let server = Server::fresh(engine).await;
    let (api, folder) = (server.api(), server.data().folder().to_owned());
    let bad = api.with_key(Some("ct_nonsense-0123456789-0123456789-0123456789"));
    let refused = import(&bad, &folder, &data(), &[]).await.ended_with(5);
    assert!(
        !format!("{refused:?}").contains("nonsense"),
        "a key is not shown: {refused:?}"
    );
    let missing = folder.join("missing.ndjson");
    import(&api, &folder, &missing, &[]).await.ended_with(2);
    import(&api, &folder, &data(), &["--source", "_x"])
        .await
        .ended_with(2);
    let keyless = program::command(&folder, &["import", missing.to_str().unwrap()]);
    run(keyless).await.ended_with(2);
    assert_eq!(
        api.get("/catalog/v1/sources").await.is(200).json(),
        json!({"items": []})
    );
    server.kill().await;
    import(&api, &folder, &data(), &["--retry-for", "300ms"])
        .await
        .ended_with(3);
}
