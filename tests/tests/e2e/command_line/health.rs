//! Health, the store that keeps nothing, and what is never told.

use crate::e2e::harness::tenant::{ended, resource};
use crate::e2e::harness::{Data, Engine, Journey, Launch, Server, journey};
use serde_json::json;

pub fn journeys() -> Vec<Journey> {
    vec![
        journey!(health_tells_alive_and_ready),
        journey!(a_store_in_memory_does_the_same_and_keeps_nothing).on(&[Engine::Sqlite]),
        journey!(the_log_tells_no_secret_and_no_personal_data),
        journey!(every_line_about_a_request_has_its_id),
    ]
}

async fn health_tells_alive_and_ready(engine: Engine) {
    let server = Server::fresh(engine).await;
    let nobody = server.api().with_key(None);
    for path in ["/health/live", "/health/ready"] {
        let answer = nobody.get(path).await.is(200);
        assert_eq!(answer.header("content-type"), "application/json");
        assert!(answer.json()["status"].is_string(), "{}", answer.text);
    }
    // Listening before it is ready is fine; being ready before it can write is not.
    server
        .api()
        .put(&resource("patient/x"), json!({"data": {}}))
        .await
        .is(201);
}

/// common.md: "`memory:` (nothing kept; tests and demos)".
async fn a_store_in_memory_does_the_same_and_keeps_nothing(_: Engine) {
    let mut server = Launch::on(Data::at("memory:".to_owned())).start().await;
    let api = server.api();
    let path = resource("patient/x");
    let etag = api.put(&path, r#"{"data":{"v": 4.70}}"#).await.is(201).etag();
    assert_eq!(api.get(&path).await.is(200).etag(), etag);
    let task = api
        .delete(&path)
        .header("If-Match", &etag)
        .later()
        .await
        .is(202)
        .task();
    assert_eq!(ended(&api, &task).await["status"], "SUCCESS");
    api.get(&path).await.error(404, "NOT_FOUND");
    server.kill().await;
    server.start_again().await;
    assert_eq!(
        server.api().get("/catalog/v1/sources").await.is(200).json(),
        json!({"items": []})
    );
}

/// common.md: "Secrets are ... never logged"; design.md: "never personal data".
async fn the_log_tells_no_secret_and_no_personal_data(engine: Engine) {
    let server = Launch::on(Data::fresh(engine).await)
        .set("log.level=trace")
        .start()
        .await;
    let api = server.api();
    let draft = json!({"kind": "api_key", "name": "x", "scopes": ["registry:read"]});
    let secret = api.post("/ops/v1/credentials", draft).await.is(201).json()["secret"]
        .as_str()
        .unwrap()
        .to_owned();
    let body = json!({"data": {"name": "Exampleton-Personal"}, "meta": {"identifier": [{"value": "Identifier-Personal"}]}});
    let task = api
        .put(&resource("patient/x"), &body)
        .later()
        .await
        .is(202)
        .task();
    ended(&api, &task).await;
    api.put(&resource("patient/x"), &body).await.is(200);
    api.put(
        &resource("patient/x"),
        r#"{"data":{"name":"Exampleton-Personal"}"#,
    )
    .await
    .is(400);
    api.post("/ops/v1/patients", json!({"patientId": "Local-Personal"}))
        .await
        .is(201);
    api.post("/ops/v1/patients", json!({"patientId": "Local-Personal"}))
        .await
        .problem(409);
    api.with_key(Some(&secret))
        .get(&resource("patient/x"))
        .await
        .is(200);
    api.with_key(Some("ct_bad-0123456789"))
        .get(&resource("patient/x"))
        .await
        .is(401);
    let log = server.log();
    assert!(log.lines().count() > 5, "there is a log to look at");
    for told in [api.key(), &secret, "ct_bad-0123456789", "-Personal"] {
        let line = log.lines().find(|line| line.contains(told));
        assert_eq!(line, None, "{told} is in the log");
    }
}

/// Issue 2: "request id and task id in every line".
async fn every_line_about_a_request_has_its_id(engine: Engine) {
    let server = Launch::on(Data::fresh(engine).await)
        .set("log.level=debug")
        .start()
        .await;
    let api = server.api();
    // A fault that is worth a line: what waits cannot be decoded.
    crate::e2e::harness::tenant::pause(&api, true).await;
    let task = api
        .put(&resource("patient/x"), json!({"data": {}}))
        .later()
        .header("X-Request-ID", "find-me")
        .await
        .is(202)
        .task();
    crate::e2e::harness::data::tell(server.data().url(), "UPDATE operations SET payload = 'x'").await;
    crate::e2e::harness::tenant::pause(&api, false).await;
    ended(&api, &task).await;
    let id = uuid::Uuid::parse_str(task.trim_start_matches("s_"))
        .unwrap()
        .to_string();
    let log = server.log();
    let line = log
        .lines()
        .find(|line| line.contains(&id))
        .unwrap_or_else(|| panic!("no line about the task:\n{log}"));
    assert!(line.contains("find-me") && line.starts_with('{'), "{line}");
}
