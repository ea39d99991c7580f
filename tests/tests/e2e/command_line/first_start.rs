//! The first start on an empty store (common.md, who may do what).

use crate::e2e::harness::server::KEY;
use crate::e2e::harness::wait::{LONG, until};
use crate::e2e::harness::{Api, Data, Engine, Journey, Launch, journey};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

pub fn journeys() -> Vec<Journey> {
    vec![
        journey!(the_administrators_key_is_printed_once_and_kept_in_a_file),
        journey!(a_key_of_the_environment_counts_and_is_not_printed),
        journey!(a_bootstrap_key_that_is_too_weak_stops_the_start),
        journey!(two_first_starts_at_once_make_one_administrator).on(&[Engine::Postgres]),
    ]
}

fn without_key(data: &Arc<Data>) -> Launch {
    let mut launch = Launch::beside(data);
    launch.key = None;
    launch
}

/// "First start on an empty store makes the workspace `default` and an administrator API key, printed once to the terminal
/// and written to a file with mode 0600."
async fn the_administrators_key_is_printed_once_and_kept_in_a_file(engine: Engine) {
    let data = Arc::new(Data::fresh(engine).await);
    let file = data.folder().join("caretrack-admin.key");
    let mut server = without_key(&data).start().await;
    let kept = std::fs::read_to_string(&file).unwrap();
    let key = kept.trim().to_owned();
    assert!(
        key.starts_with("ct_") && key.len() >= 35,
        "{} characters",
        key.len()
    );
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(server.log().matches(&key).count(), 1, "it is printed once");
    let api = Api::new(&server.address(), Some(&key));
    let workspaces = api.get("/ops/v1/workspaces").await.is(200).json();
    assert_eq!(workspaces["items"].as_array().unwrap().len(), 1);
    assert_eq!(workspaces["items"][0]["key"], "default");
    let mut credentials = api.get("/ops/v1/credentials").await.is(200).json()["items"].clone();
    assert_eq!(credentials.as_array().unwrap().len(), 1);
    let scopes = credentials[0]["scopes"].take();
    for scope in ["registry:admin", "ops:write", "patient:write", "tracker:internal"] {
        assert!(
            scopes.as_array().unwrap().contains(&json!(scope)),
            "{scope} is not among {scopes}"
        );
    }

    server.kill().await;
    server.start_again().await;
    assert_eq!(
        server.log().matches(&key).count(),
        1,
        "the second start prints none"
    );
    assert_eq!(server.log().matches("ct_").count(), 1, "nor another one");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), kept);
    api.get("/ops/v1/workspaces").await.is(200);
    // The file is for the person, not for the server.
    std::fs::remove_file(&file).unwrap();
    server.kill().await;
    server.start_again().await;
    assert!(!file.exists());
    api.get("/ops/v1/workspaces").await.is(200);
}

/// "`CARETRACK_BOOTSTRAP_KEY`, when set on the first start of an empty store, becomes the administrator's API key instead of a
/// random one, and is not printed."
async fn a_key_of_the_environment_counts_and_is_not_printed(engine: Engine) {
    let data = Arc::new(Data::fresh(engine).await);
    let mut server = Launch::beside(&data).start().await;
    server.api().get("/ops/v1/workspaces").await.is(200);
    assert!(!server.log().contains("ct_"), "{}", server.log());
    assert!(!data.folder().join("caretrack-admin.key").exists());
    // Later it changes nothing.
    server.kill().await;
    let mut other = server.launch().clone();
    other.key = Some("ct_another-0123456789-0123456789-0123456789".to_owned());
    server.start_again_as(other).await;
    server.api().get("/ops/v1/workspaces").await.problem(401);
    server
        .api()
        .with_key(Some(KEY))
        .get("/ops/v1/workspaces")
        .await
        .is(200);
    assert!(!server.log().contains("ct_"), "{}", server.log());
}

/// "(`ct_` and at least 32 more characters)".
async fn a_bootstrap_key_that_is_too_weak_stops_the_start(engine: Engine) {
    let data = Arc::new(Data::fresh(engine).await);
    let short = format!("ct_{}", "x".repeat(31));
    for weak in [
        "ct_",
        "password",
        &short,
        &"x".repeat(60),
        &format!("ct_{} {}", "x".repeat(20), "x".repeat(20)),
    ] {
        let mut launch = Launch::beside(&data);
        launch.key = Some(weak.to_owned());
        let server = launch.spawn();
        let status = server.until_ended(LONG).await;
        assert_ne!(status.code(), Some(0), "{weak}");
        let log = server.log();
        assert!(log.contains("CARETRACK_BOOTSTRAP_KEY"), "{log}");
        assert!(weak.len() < 5 || !log.contains(weak), "it shows the key: {log}");
    }
    let mut launch = Launch::beside(&data);
    launch.key = Some(format!("ct_{}", "x".repeat(32)));
    let server = launch.start().await;
    server.api().get("/ops/v1/workspaces").await.is(200);
}

async fn two_first_starts_at_once_make_one_administrator(_: Engine) {
    let one = Arc::new(Data::fresh(Engine::Postgres).await);
    let second = Arc::new(Data::at(one.url().to_owned()));
    let servers = [without_key(&one).spawn(), without_key(&second).spawn()];
    for server in &servers {
        until("both are ready", LONG, async || {
            let answer = server.api().get("/health/ready").attempt().await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
    }
    let keys: Vec<_> = [&one, &second]
        .iter()
        .filter_map(|data| std::fs::read_to_string(data.folder().join("caretrack-admin.key")).ok())
        .collect();
    assert_eq!(
        keys.len(),
        1,
        "the one that was second leaves no key that opens nothing"
    );
    for server in &servers {
        let api = server.api().with_key(Some(keys[0].trim()));
        assert_eq!(
            api.get("/ops/v1/workspaces").await.is(200).json()["items"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
        assert_eq!(
            api.get("/ops/v1/credentials").await.is(200).json()["items"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
    }
}
