//! The test clock (patient-status.md, section 8).

use super::harness::data::tell;
use super::harness::server::run;
use super::harness::tenant::{credential, resource};
use super::harness::wait::LONG;
use super::harness::{Api, Data, Engine, Journey, Launch, Server, instant, journey, members, program, until};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use time::{Duration as Span, OffsetDateTime};

pub fn journeys() -> Vec<Journey> {
    vec![
        journey!(the_systems_clock_can_be_read_but_not_moved),
        journey!(the_manual_clock_moves_every_time_that_is_shown),
        journey!(a_restart_keeps_the_clock),
        journey!(a_moved_store_is_not_served_by_the_systems_clock),
        journey!(all_servers_on_one_store_see_one_clock),
        journey!(what_falls_due_runs_within_five_seconds),
        journey!(past_retention_is_gone_within_five_seconds),
        journey!(a_bad_advance_moves_nothing),
        journey!(off_loopback_the_clock_is_not_manual).on(&[Engine::Sqlite]),
    ]
}

const CLOCK: &str = "/ops/v1/clock";
const SOON: Duration = Duration::from_secs(5);

async fn manual(engine: Engine) -> Server {
    launch(&Arc::new(Data::fresh(engine).await)).start().await
}

fn launch(data: &Arc<Data>) -> Launch {
    Launch::beside(data).set("clock.mode=manual")
}

#[expect(
    clippy::disallowed_methods,
    reason = "what the server's clock is compared with"
)]
fn system_now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

#[track_caller]
fn reading(shown: &Value) -> OffsetDateTime {
    assert_eq!(members(shown), ["mode", "now"], "{shown}");
    assert_eq!(shown["mode"], "manual", "{shown}");
    instant(&shown["now"])
}

async fn now(api: &Api) -> OffsetDateTime {
    reading(&api.get(CLOCK).await.is(200).json())
}

async fn advance(api: &Api, by: &str) -> OffsetDateTime {
    reading(&api.post(CLOCK, json!({"advance": by})).await.is(200).json())
}

/// When a write that is made now says it was made.
async fn written_at(api: &Api) -> OffsetDateTime {
    let written = api.put(&resource("patient/x"), json!({"data": {}})).await.json();
    instant(&written["resource"]["meta"]["updatedAt"])
}

/// "In system mode POST is 409." "API key, `ops:read` / `ops:write`".
async fn the_systems_clock_can_be_read_but_not_moved(engine: Engine) {
    let server = Server::fresh(engine).await;
    let api = server.api();
    let shown = api.get(CLOCK).await.is(200).json();
    assert_eq!(
        (members(&shown), &shown["mode"]),
        (vec!["mode".into(), "now".into()], &json!("system"))
    );
    assert!(
        (instant(&shown["now"]) - system_now()).abs() < Span::seconds(10),
        "{shown}"
    );
    api.post(CLOCK, json!({"advance": "P42D"})).await.problem(409);
    api.post(CLOCK, json!({"advance": "tomorrow"})).await.problem(400);
    assert!((written_at(&api).await - system_now()).abs() < Span::seconds(10));
    let key = |made: Value| made["secret"].as_str().unwrap().to_owned();
    let reader = api.with_key(Some(&key(credential(&api, "default", &["ops:read"]).await)));
    let writer = api.with_key(Some(&key(credential(&api, "default", &["ops:write"]).await)));
    reader.get(CLOCK).await.is(200);
    reader.post(CLOCK, json!({"advance": "P42D"})).await.problem(403);
    writer.get(CLOCK).await.problem(403);
    api.with_key(None).get(CLOCK).await.problem(401);
    api.with_key(None)
        .post(CLOCK, json!({"advance": "P42D"}))
        .await
        .problem(401);
    assert_eq!(
        api.delete(CLOCK).await.problem(405).header("allow"),
        "GET, HEAD, POST, OPTIONS"
    );
}

/// "domain time is system time plus an offset ... it drives ... every time shown."
async fn the_manual_clock_moves_every_time_that_is_shown(engine: Engine) {
    let server = manual(engine).await;
    let api = server.api();
    let before = now(&api).await;
    assert!((before - system_now()).abs() < Span::seconds(10));
    let moved = advance(&api, "P42D").await;
    assert!(moved - before >= Span::days(42) && moved - before < Span::days(42) + Span::seconds(30));
    let ahead = |shown: OffsetDateTime| {
        let far = shown - system_now();
        assert!((far - Span::days(42)).abs() < Span::seconds(10), "{shown}");
    };
    ahead(now(&api).await);
    ahead(written_at(&api).await);
    let task = api
        .put(&resource("patient/y"), json!({"data": {}}))
        .later()
        .await
        .is(202)
        .task();
    super::harness::tenant::ended(&api, &task).await;
    let shown = api.get(&format!("/ops/v1/tasks/{task}")).await.is(200).json();
    ahead(instant(&shown["acceptedAt"]));
    ahead(instant(&shown["attempts"][0]["startedAt"]));
    ahead(instant(&shown["receipts"]["items"][0]["completedAt"]));
    let audit = api.get("/ops/v1/audit").await.is(200).json();
    ahead(instant(&audit["items"][0]["at"]));
    let entry = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["action"] == "clock.advance");
    assert_eq!(entry.expect("moving the clock is audited")["outcome"], "done");
    // It only grows, and what is asked for at once adds up.
    let step = || api.post(CLOCK, json!({"advance": "PT1H"})).into_future();
    futures::join!(step(), step(), step());
    let far = now(&api).await - system_now() - Span::days(42) - Span::hours(3);
    assert!(far.abs() < Span::seconds(10), "{far}");
}

/// "an offset, kept in the store".
async fn a_restart_keeps_the_clock(engine: Engine) {
    let mut server = manual(engine).await;
    let moved = advance(&server.api(), "P400D").await;
    server.kill().await;
    server.start_again().await;
    let api = server.api();
    let again = now(&api).await;
    assert!(
        again > moved && again - moved < Span::minutes(1),
        "{moved} {again}"
    );
    assert!(written_at(&api).await >= again);
}

async fn a_moved_store_is_not_served_by_the_systems_clock(engine: Engine) {
    let server = manual(engine).await;
    advance(&server.api(), "P1D").await;
    server.kill().await;
    let system = Launch::beside(server.data()).spawn();
    assert!(!system.until_ended(LONG).await.success());
    assert!(system.log().contains("clock.mode"), "{}", system.log());
}

/// SQLite too: a second process may share the file.
async fn all_servers_on_one_store_see_one_clock(engine: Engine) {
    let data = Arc::new(Data::fresh(engine).await);
    let one = launch(&data).start().await;
    let other = launch(&data).start().await;
    for (mover, seer) in [(&one, &other), (&other, &one)] {
        let moved = advance(&mover.api(), "P10D").await;
        let written = written_at(&seer.api()).await;
        assert!(written >= moved, "written at {written}, moved to {moved}");
        let (seen, own) = (now(&seer.api()).await, now(&mover.api()).await);
        assert!((seen - own).abs() < Span::seconds(5), "{seen} {own}");
    }
}

/// "All scheduled work due by the new time has run before the answer or within 5 s after it." Whoever moves it.
async fn what_falls_due_runs_within_five_seconds(engine: Engine) {
    let data = Arc::new(Data::fresh(engine).await);
    let worker = launch(&data).start().await;
    let mover = launch(&data).set("server.role=api").start().await;
    let api = worker.api();
    super::harness::tenant::pause(&api, true).await;
    let task = api
        .put(&resource("patient/x"), json!({"data": {}}))
        .later()
        .await
        .is(202)
        .task();
    // Due in a month: no dialect makes such tasks yet, so the store is told.
    tell(
        data.url(),
        "UPDATE tasks SET ready_at = ready_at + 2592000000000, \
         claimable_at = claimable_at + 2592000000000, due_at = accepted_at + 2592000000000 \
         WHERE status = 'queued'",
    )
    .await;
    super::harness::tenant::pause(&api, false).await;
    let state = async || {
        let shown = api.get(&format!("/ops/v1/tasks/{task}")).await.is(200).json();
        shown["state"].as_str().unwrap().to_owned()
    };
    advance(&mover.api(), "P29DT23H59M").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(state().await, "queued");
    advance(&mover.api(), "PT2M").await;
    until("it has run", SOON, async || {
        (state().await == "succeeded").then_some(())
    })
    .await;
}

async fn past_retention_is_gone_within_five_seconds(engine: Engine) {
    let server = manual(engine).await;
    let api = server.api();
    let written = api
        .put(&resource("patient/x"), json!({"data": {}}))
        .await
        .is(201)
        .task();
    let path = format!("/ops/v1/tasks/{written}");
    advance(&api, "P6D").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    api.get(&path).await.is(200);
    advance(&api, "P1DT1M").await;
    until("it is gone", SOON, async || {
        (api.get(&path).await.status == 404).then_some(())
    })
    .await;
    api.get(&resource("patient/x")).await.is(200);
}

/// "ISO 8601 weeks, days, hours, minutes, seconds; more than zero, at most P3660D; years and months refused (400)".
async fn a_bad_advance_moves_nothing(engine: Engine) {
    let server = manual(engine).await;
    let api = server.api();
    for (body, rule) in [
        (json!({"advance": "P1Y"}), "pattern"),
        (json!({"advance": "P6M"}), "pattern"),
        (json!({"advance": "-P1D"}), "pattern"),
        (json!({"advance": "42 days"}), "pattern"),
        (json!({"advance": "P0D"}), "min"),
        (json!({"advance": "P3660DT1S"}), "max"),
        (json!({"advance": 42}), "type"),
        (json!({"advance": null}), "type"),
        (json!({}), "required"),
    ] {
        let problem = api.post(CLOCK, &body).await.problem(400).json();
        assert_eq!(
            (&problem["errors"][0]["path"], &problem["errors"][0]["rule"]),
            (&json!("$.advance"), &json!(rule)),
            "{body}"
        );
    }
    api.post(CLOCK, "{").await.problem(400);
    assert!((now(&api).await - system_now()).abs() < Span::seconds(20));
    for good in ["P6W", "PT24H", "P1WT1S", "P3660D"] {
        advance(&api, good).await;
    }
}

/// "`manual` stops the start unless `server.listen` is a loopback address".
async fn off_loopback_the_clock_is_not_manual(_: Engine) {
    let folder = TempDir::new().unwrap();
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.7:8080"] {
        let arguments = ["serve", "--listen", listen, "--set", "clock.mode=manual"];
        let began = Instant::now();
        let ran = run(program::command(folder.path(), &arguments))
            .await
            .ended_with(2);
        assert!(
            ran.err.contains("clock.mode") && ran.err.lines().count() == 1,
            "{ran:?}"
        );
        assert!(began.elapsed() < LONG);
    }
    let arguments = ["config", "--listen", "[::1]:8080", "--set", "clock.mode=manual"];
    run(program::command(folder.path(), &arguments))
        .await
        .ended_with(0);
}
