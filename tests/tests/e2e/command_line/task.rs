//! `caretrack task get|wait|cancel|retry`.

use crate::e2e::harness::server::{Ran, run};
use crate::e2e::harness::tenant::{ended, pause, resource};
use crate::e2e::harness::{Engine, Journey, Server, journey, program};
use serde_json::{Value, json};
use std::time::Instant;

pub fn journeys() -> Vec<Journey> {
    vec![
        journey!(a_task_is_shown_waited_for_and_cancelled),
        journey!(the_exit_code_tells_what_went_wrong),
    ]
}

async fn task(server: &Server, arguments: &[&str]) -> Ran {
    let address = server.address();
    let arguments = [&["task"], arguments, &["--server", &address]].concat();
    let mut command = program::command(server.data().folder(), &arguments);
    command.env("CARETRACK_API_KEY", server.api().key());
    run(command).await
}

#[track_caller]
fn shown(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// Issue 2: "`task get|wait|cancel|retry`, all with `--help`, exit codes and `--json`".
async fn a_task_is_shown_waited_for_and_cancelled(engine: Engine) {
    let server = Server::fresh(engine).await;
    let api = server.api();
    let done = api
        .put(&resource("patient/x"), json!({"data": {}}))
        .later()
        .await
        .is(202)
        .task();
    let waited = shown(&task(&server, &["wait", &done, "--json"]).await.ended_with(0));
    assert_eq!(waited["state"], "succeeded");
    let got = task(&server, &["get", &done, "--json"]).await.ended_with(0);
    assert_eq!(got.out.trim().lines().count(), 1, "one line, for scripts");
    assert_eq!(
        shown(&got),
        api.get(&format!("/ops/v1/tasks/{done}")).await.is(200).json()
    );
    let text = task(&server, &["get", &done]).await.ended_with(0).out;
    for said in [waited["id"].as_str().unwrap(), "registry.write", "succeeded"] {
        assert!(text.contains(said), "{said} is not in\n{text}");
    }
    let bare = waited["id"].as_str().unwrap();
    assert_eq!(
        shown(&task(&server, &["get", bare, "--json"]).await.ended_with(0)),
        shown(&got)
    );

    // It waits for what takes its time.
    pause(&api, true).await;
    let slow = api
        .put(&resource("patient/y"), json!({"data": {}}))
        .later()
        .await
        .is(202)
        .task();
    let arguments = ["wait", slow.as_str(), "--timeout", "20s", "--json"];
    let (waited, _) = futures::join!(task(&server, &arguments), pause(&api, false));
    assert_eq!(shown(&waited.ended_with(0))["state"], "succeeded");

    pause(&api, true).await;
    let cancelled = api
        .put(&resource("patient/z"), json!({"data": {}}))
        .later()
        .await
        .is(202)
        .task();
    let seen = shown(
        &task(&server, &["cancel", &cancelled, "--json"])
            .await
            .ended_with(0),
    );
    assert_eq!(seen["state"], "cancelled");
    assert_eq!(ended(&api, &cancelled).await["status"], "CANCELLED");
    task(&server, &["wait", &cancelled]).await.ended_with(1);
}

/// The exit codes that `--help` lists.
async fn the_exit_code_tells_what_went_wrong(engine: Engine) {
    let server = Server::fresh(engine).await;
    let api = server.api();
    let nobody = "s_0197a1b2c3d47e5f8a9b0c1d2e3f4a5b";
    let failed = api.delete(&resource("patient/missing")).later().await;
    failed.is(404);
    api.put(&resource("patient/x"), json!({"data": {}})).await.is(201);
    let failed = api
        .delete(&resource("patient/missing"))
        .later()
        .await
        .is(202)
        .task();
    task(&server, &["wait", &failed]).await.ended_with(1);
    task(&server, &["retry", &failed]).await.ended_with(5);
    task(&server, &["cancel", &failed]).await.ended_with(5);
    task(&server, &["get", nobody]).await.ended_with(5);
    task(&server, &["wait", nobody]).await.ended_with(5);
    task(&server, &["get", "nonsense"]).await.ended_with(2);
    task(&server, &["get", &failed, "--timeout", "1s"])
        .await
        .ended_with(2);

    pause(&api, true).await;
    let waiting = api
        .put(&resource("patient/y"), json!({"data": {}}))
        .later()
        .await
        .is(202)
        .task();
    let began = Instant::now();
    let ran = task(&server, &["wait", &waiting, "--timeout", "400ms", "--json"])
        .await
        .ended_with(4);
    assert!(began.elapsed().as_millis() >= 400, "it gave up early");
    assert_eq!(shown(&ran)["state"], "queued");
    assert!(ran.err.contains("queued"), "{ran:?}");

    let mut keyless = program::command(
        server.data().folder(),
        &["task", "get", nobody, "--server", &server.address()],
    );
    keyless.env_remove("CARETRACK_API_KEY");
    run(keyless).await.ended_with(2);
    let mut wrong = program::command(
        server.data().folder(),
        &["task", "get", nobody, "--server", &server.address()],
    );
    wrong.env("CARETRACK_API_KEY", "ct_wrong");
    run(wrong).await.ended_with(5);
    server.kill().await;
    task(&server, &["get", nobody]).await.ended_with(3);
    task(&server, &["wait", nobody, "--timeout", "5s"])
        .await
        .ended_with(3);
}
