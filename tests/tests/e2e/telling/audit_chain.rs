//! `caretrack audit verify`: "append-only, written in the commit it tells of, sealed in batches off the hot path by a
//! chain of hashes" (issue 3).

use crate::e2e::harness::server::run;
use crate::e2e::harness::tenant::resource;
use crate::e2e::harness::wait::LONG;
use crate::e2e::harness::{Data, Engine, Journey, Launch, data, journey, program, until};
use futures::future::join_all;
use serde_json::{Value, json};
use std::sync::Arc;

pub fn journeys() -> Vec<Journey> {
    vec![
        journey!(tampering_is_found),
        journey!(two_servers_seal_one_chain).on(&[Engine::Postgres]),
        journey!(a_database_that_is_not_there_is_not_intact).on(&[Engine::Sqlite]),
    ]
}

async fn verify(data: &Data, code: i32, more: &[&str]) -> Value {
    let mut arguments = vec!["audit", "verify", "--json", "--database-url", data.url()];
    arguments.extend(more);
    let ran = run(program::command(data.folder(), &arguments))
        .await
        .ended_with(code);
    serde_json::from_str(&ran.out).unwrap()
}

async fn until_sealed(data: &Data) -> Value {
    until("all entries are sealed", LONG, async || {
        let report = verify(data, 0, &[]).await;
        (report["unsealed"] == 0).then_some(report)
    })
    .await
}

/// What is done, how it is undone, and what is said of it.
const TAMPERING: &[(&str, &str, &str)] = &[
    (
        "UPDATE audit SET target = 'x' || target WHERE number = 5",
        "UPDATE audit SET target = substr(target, 2) WHERE number = 5",
        "changed",
    ),
    (
        "UPDATE audit SET at = at + 1 WHERE number = 12",
        "UPDATE audit SET at = at - 1 WHERE number = 12",
        "changed",
    ),
    (
        "UPDATE audit SET actor = NULL WHERE number = 12",
        "UPDATE audit SET actor = (SELECT actor FROM audit WHERE number = 13) WHERE number = 12",
        "changed",
    ),
    (
        "UPDATE audit SET outcome = 'refused' WHERE number = 12",
        "UPDATE audit SET outcome = 'done' WHERE number = 12",
        "changed",
    ),
    (
        "UPDATE audit SET outcome = 'nonsense' WHERE number = 12",
        "UPDATE audit SET outcome = 'done' WHERE number = 12",
        "cannot be read",
    ),
    // Two entries change places.
    (
        "CREATE TABLE kept AS SELECT * FROM audit WHERE number IN (7, 8); \
             UPDATE audit SET target = (SELECT target FROM kept WHERE kept.number = 15 - audit.number) WHERE number IN (7, 8)",
        "UPDATE audit SET target = (SELECT target FROM kept WHERE kept.number = audit.number) WHERE number IN (7, 8); \
             DROP TABLE kept",
        "reordered",
    ),
    (
        "CREATE TABLE kept AS SELECT * FROM audit WHERE number = 9; DELETE FROM audit WHERE number = 9",
        "restore",
        "1 entries are missing",
    ),
    // The tail, as far as there are seals.
    (
        "CREATE TABLE kept AS SELECT * FROM audit WHERE number > 20; DELETE FROM audit WHERE number > 20",
        "restore",
        "are missing",
    ),
    (
        "insert",
        "DELETE FROM audit WHERE number = 0",
        "1 entries were inserted",
    ),
    (
        "UPDATE audit_seals SET entries = entries + 1 WHERE number = 2",
        "UPDATE audit_seals SET entries = entries - 1 WHERE number = 2",
        "missing",
    ),
    (
        "UPDATE audit_seals SET sealed_at = sealed_at + 1 WHERE number = 2",
        "UPDATE audit_seals SET sealed_at = sealed_at - 1 WHERE number = 2",
        "changed",
    ),
    (
        "CREATE TABLE kept_seals AS SELECT * FROM audit_seals WHERE number = 2; DELETE FROM audit_seals WHERE number = 2",
        "INSERT INTO audit_seals SELECT * FROM kept_seals; DROP TABLE kept_seals",
        "seals between number 1 and number 3",
    ),
];

async fn tampering_is_found(engine: Engine) {
    let server = Launch::on(Data::fresh(engine).await)
        .set("audit.seal_every=200ms")
        .start()
        .await;
    let (api, data) = (server.api(), Arc::clone(server.data()));
    let mut heads = Vec::new();
    // Several seals.
    for round in 0..3 {
        for n in 0..8 {
            let path = resource(&format!("patient/{round}-{n}"));
            api.put(&path, json!({"data": {}})).await.is(201);
        }
        let report = until_sealed(&data).await;
        assert_eq!(report["intact"], true, "{report}");
        heads.push(report["head"].as_str().unwrap().to_owned());
    }
    server.stop(LONG).await;
    let report = verify(&data, 0, &[]).await;
    assert!(
        report["seals"].as_u64() >= Some(3) && report["sealed"].as_u64() >= Some(24),
        "{report}"
    );
    for head in &heads {
        verify(&data, 0, &["--expect-head", head]).await;
    }
    let overriding = if engine == Engine::Postgres {
        "OVERRIDING SYSTEM VALUE"
    } else {
        ""
    };
    let columns = "number, at, workspace_id, actor, subject, request_id, action, target, outcome";
    let restore =
        format!("INSERT INTO audit ({columns}) {overriding} SELECT {columns} FROM kept; DROP TABLE kept");
    let insert = format!(
        "INSERT INTO audit ({columns}) {overriding} SELECT 0, at, workspace_id, actor, subject, request_id, action, target, outcome \
         FROM audit WHERE number = 1"
    );
    for (done, undone, said) in TAMPERING.iter().copied() {
        data::tell(data.url(), if done == "insert" { &insert } else { done }).await;
        let report = verify(&data, 1, &[]).await;
        assert_eq!(report["intact"], false, "{done}: {report}");
        assert!(
            report["problems"][0].as_str().unwrap().contains(said),
            "{done}: {report}"
        );
        data::tell(data.url(), if undone == "restore" { &restore } else { undone }).await;
        let report = verify(&data, 0, &[]).await;
        assert_eq!(report["intact"], true, "{undone}: {report}");
    }
    // Who cuts off entries together with their seals leaves a chain that is whole: only a head noted elsewhere tells.
    data::tell(
        data.url(),
        "DELETE FROM audit WHERE number > (SELECT upto FROM audit_seals WHERE number = 1); \
         DELETE FROM audit_seals WHERE number > 1",
    )
    .await;
    verify(&data, 0, &[]).await;
    let report = verify(&data, 1, &["--expect-head", heads.last().unwrap()]).await;
    assert!(
        report["problems"][0].as_str().unwrap().contains("expected hash"),
        "{report}"
    );
    let usage = run(program::command(
        data.folder(),
        &["audit", "verify", "--expect-head", "12"],
    ))
    .await;
    assert_eq!(usage.code, Some(2));
}

/// However many seal, the chain does not fork, and nobody's entries are left out.
async fn two_servers_seal_one_chain(_: Engine) {
    let data = Arc::new(Data::fresh(Engine::Postgres).await);
    let launch = || Launch::beside(&data).set("audit.seal_every=20ms").start();
    let (one, other) = futures::join!(launch(), launch());
    let (left, right) = (one.api(), other.api());
    for round in 0..10 {
        let writes = (0..40).map(|n| {
            let api = if n % 2 == 0 { &left } else { &right };
            api.put(&resource(&format!("patient/{round}-{n}")), json!({"data": {}}))
                .into_future()
        });
        join_all(writes)
            .await
            .into_iter()
            .for_each(|answer| drop(answer.is(201)));
        assert_eq!(verify(&data, 0, &[]).await["intact"], true);
    }
    let report = until_sealed(&data).await;
    assert!(
        report["sealed"].as_u64() >= Some(400) && report["seals"].as_u64() > Some(1),
        "{report}"
    );
}

async fn a_database_that_is_not_there_is_not_intact(_: Engine) {
    let data = Data::at("postgres://nobody:x@127.0.0.1:9/none".to_owned());
    let ran = run(program::command(
        data.folder(),
        &["audit", "verify", "--database-url", data.url()],
    ))
    .await;
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let empty = Data::fresh(Engine::Sqlite).await;
    let ran = run(program::command(
        empty.folder(),
        &["audit", "verify", "--database-url", empty.url()],
    ))
    .await;
    assert!(ran.code.is_some_and(|code| code != 0), "{ran:?}");
}
