//! `kill -9`, again and again, in the middle of an import under load.

use super::harness::wait::LONG;
use super::harness::{Api, Data, Engine, Journey, Launch, Server, journey, until};
use super::importing::{assert_imported, counts, data, import, resources, stored};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub fn journeys() -> Vec<Journey> {
    vec![journey!(
        nothing_that_was_answered_is_lost_or_done_twice_when_it_is_killed
    )]
}

const KILLS: usize = 20;
/// How much has to be answered between a start and the next kill; now nearly nothing, now a lot.
const ANSWERS: &[usize] = &[1, 40, 5, 120, 15, 70, 2, 25];
const WRITERS: usize = 3;
const SOURCE: &str = "load";

/// What the clients know.
#[derive(Default)]
struct Journal {
    /// Record and task of every write that was answered, 201 or 202.
    answered: Mutex<BTreeMap<String, String>>,
    /// Records whose write had no answer; it may or may not have been done.
    doubtful: Mutex<BTreeSet<String>>,
    answers: AtomicUsize,
    importing: AtomicBool,
    over: AtomicBool,
}

fn content(record: &str) -> String {
    format!(
        r#"{{"of": "{record}","value":4.70 , "text":"{}"}}"#,
        record.repeat(20)
    )
}

/// Writes one fresh record after the other, each once, whatever becomes of it.
async fn write(api: Api, journal: Arc<Journal>, of: &'static str, writer: usize) {
    for n in 0.. {
        if journal.over.load(Ordering::Relaxed) {
            return;
        }
        let record = format!("{of}/{writer}-{n}");
        let call = api.put(
            &format!("/sources/{SOURCE}/v1/resources/{record}"),
            format!(r#"{{"data":{}}}"#, content(&record)),
        );
        let (call, expected) = if of == "later" {
            (call.later(), 202)
        } else {
            (call, 201)
        };
        match call.attempt().await {
            Ok(answer) if answer.status == expected => {
                journal.answered.lock().unwrap().insert(record, answer.task());
                journal.answers.fetch_add(1, Ordering::Relaxed);
            }
            // Not now, or not at all: nothing was promised.
            _ => {
                journal.doubtful.lock().unwrap().insert(record);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// Imports the data into one source after the other until the killing is over; answers with the sources.
async fn import_on_and_on(api: &Api, journal: &Journal, folder: PathBuf) -> Vec<String> {
    let mut sources = Vec::new();
    while !journal.over.load(Ordering::Relaxed) {
        let source = format!("fhir-{}", sources.len());
        journal.importing.store(true, Ordering::Relaxed);
        let options = ["--source", &source, "--concurrency", "4", "--retry-for", "60s"];
        let ran = import(api, &folder, &data(), &options).await.ended_with(0);
        journal.importing.store(false, Ordering::Relaxed);
        let [written, unchanged, deleted, failed] = counts(&ran);
        assert_eq!(
            (written + unchanged, deleted, failed),
            (resources().len() as u64, 0, 0),
            "{ran:?}"
        );
        sources.push(source);
    }
    sources
}

/// Kills and restarts until enough kills hit an import.
async fn kill_on_and_on(server: &mut Server, journal: &Journal) {
    let (mut kills, mut hits) = (0, 0);
    while hits < KILLS {
        let before = journal.answers.load(Ordering::Relaxed);
        let wanted = ANSWERS[kills % ANSWERS.len()];
        until("writes are answered again", LONG, async || {
            (journal.answers.load(Ordering::Relaxed) >= before + wanted).then_some(())
        })
        .await;
        if kills % 2 == 0 && journal.importing.load(Ordering::Relaxed) {
            until_imported(&server.api()).await;
        }
        hits += usize::from(journal.importing.load(Ordering::Relaxed));
        server.kill().await;
        kills += 1;
        server.start_again().await;
    }
    journal.over.store(true, Ordering::Relaxed);
}

/// Waits for the import, which takes its time after a crash, to write something since this start.
async fn until_imported(api: &Api) {
    let newest = async || {
        api.get("/ops/v1/audit?limit=50").await.is(200).json()["items"]
            .as_array()
            .unwrap()
            .clone()
    };
    let seen = newest().await[0]["at"].as_str().map(str::to_owned);
    until("the import goes on", LONG, async || {
        let of_import = |entry: &Value| entry["target"].as_str().unwrap().starts_with("fhir-");
        let found = newest()
            .await
            .iter()
            .any(|entry| of_import(entry) && entry["at"].as_str() > seen.as_deref());
        found.then_some(())
    })
    .await;
}

/// Issue 2, done when 4: "`kill -9` during an import under load, restart, import again: every write that was answered is
/// there, every accepted task ends, nothing twice. On SQLite and PostgreSQL, with at least 20 kills." common.md, promises
/// 1 to 3.
async fn nothing_that_was_answered_is_lost_or_done_twice_when_it_is_killed(engine: Engine) {
    let mut server = Launch::on(Data::fresh(engine).await)
        .set("worker.lease=2s")
        .start()
        .await;
    let (api, folder) = (server.api(), server.data().folder().to_owned());
    let journal = Arc::new(Journal::default());
    let writers: Vec<_> = ["now", "later"]
        .into_iter()
        .flat_map(|of| (0..WRITERS).map(move |writer| (of, writer)))
        .map(|(of, writer)| tokio::spawn(write(api.clone(), Arc::clone(&journal), of, writer)))
        .collect();
    let imports = import_on_and_on(&api, &journal, folder.clone());
    let (sources, ()) = futures::join!(imports, kill_on_and_on(&mut server, &journal));
    for writer in writers {
        writer.await.unwrap();
    }

    // Every accepted task ends.
    until("every accepted task has ended", LONG, async || {
        let open = unfinished(&api).await;
        open.is_empty().then_some(())
    })
    .await;
    assert_nothing_lost(&api, &journal).await;
    assert_nothing_twice(&api, &journal, &sources).await;
    for source in &sources {
        let again = import(&api, &folder, &data(), &["--source", source])
            .await
            .ended_with(0);
        assert_eq!(counts(&again), [0, resources().len() as u64, 0, 0], "{source}");
        assert_imported(&api, source).await;
    }
    println!(
        "{}: {} kills hit an import; {} writes answered, {} in doubt, {} imports",
        engine.name(),
        KILLS,
        journal.answered.lock().unwrap().len(),
        journal.doubtful.lock().unwrap().len(),
        sources.len()
    );
}

async fn unfinished(api: &Api) -> Vec<Value> {
    let mut open = Vec::new();
    for state in ["queued", "running", "retry_scheduled", "held"] {
        let page = api
            .get(&format!("/ops/v1/tasks?state={state}&limit=200"))
            .await
            .is(200)
            .json();
        open.extend(page["items"].as_array().unwrap().iter().cloned());
    }
    open
}

/// All pages of a list of `/ops`.
async fn all(api: &Api, list: &str) -> Vec<Value> {
    let (mut items, mut path) = (Vec::new(), format!("{list}?limit=200"));
    loop {
        let page = api.get(&path).await.is(200).json();
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => path = format!("{list}?limit=200&cursor={next}"),
            None => return items,
        }
    }
}

/// Every write that was answered is there with its data, and nothing is there that nobody sent.
async fn assert_nothing_lost(api: &Api, journal: &Journal) {
    let (answered, doubtful) = (
        journal.answered.lock().unwrap().clone(),
        journal.doubtful.lock().unwrap().clone(),
    );
    let mut there = BTreeSet::new();
    for of in ["now", "later"] {
        for (id, text) in stored(api, SOURCE, of).await {
            let record = format!("{of}/{id}");
            assert_eq!(text, content(&record), "it is whole");
            there.insert(record);
        }
    }
    let lost: Vec<_> = answered
        .keys()
        .filter(|record| !there.contains(*record))
        .collect();
    assert!(lost.is_empty(), "answered and lost: {lost:?}");
    let strange: Vec<_> = there
        .iter()
        .filter(|record| !answered.contains_key(*record) && !doubtful.contains(*record))
        .collect();
    assert!(strange.is_empty(), "never sent: {strange:?}");
}

/// Each record has one task and one effect; the audit entry commits with the effect.
async fn assert_nothing_twice(api: &Api, journal: &Journal, sources: &[String]) {
    let mut steps = BTreeMap::<String, BTreeMap<String, usize>>::new();
    for entry in all(api, "/ops/v1/audit").await {
        if entry["action"] == "resource.upsert" {
            let (target, outcome) = (
                entry["target"].as_str().unwrap(),
                entry["outcome"].as_str().unwrap(),
            );
            *steps
                .entry(target.to_owned())
                .or_default()
                .entry(outcome.to_owned())
                .or_default() += 1;
        }
    }
    let mut expected = 0;
    let once = BTreeMap::from([("done".to_owned(), 1)]);
    let later = BTreeMap::from([("accepted".to_owned(), 1), ("done".to_owned(), 1)]);
    for (target, steps) in &steps {
        let written = if target.starts_with("load/later/") {
            &later
        } else {
            &once
        };
        // An import may meet its own write again: then its condition does not hold.
        let mut steps = steps.clone();
        if target.starts_with("fhir-") {
            steps.remove("refused");
        }
        assert_eq!(steps, *written, "{target}");
        expected += 1;
    }
    let tasks = all(api, "/ops/v1/tasks").await;
    assert_eq!(tasks.len(), expected, "one task for each record written");
    assert_eq!(expected, steps.len());
    let states: BTreeMap<_, _> = tasks
        .iter()
        .map(|task| (task["id"].as_str().unwrap(), &task["state"]))
        .collect();
    for (record, task) in &*journal.answered.lock().unwrap() {
        let id = uuid::Uuid::parse_str(task.trim_start_matches("s_"))
            .unwrap()
            .to_string();
        assert_eq!(
            states.get(id.as_str()),
            Some(&&json!("succeeded")),
            "{record}, task {task}"
        );
    }
    assert!(
        states.values().all(|state| *state == "succeeded"),
        "nothing was refused or broken"
    );
    let imported = steps.keys().filter(|target| target.starts_with("fhir-")).count();
    assert_eq!(imported, sources.len() * resources().len());
}
