//! A task that no attempt can mend: broken at once, visible, out of the way, and tried again by an operator.

use crate::e2e::harness::tenant::{ended, pause, resource};
use crate::e2e::harness::{Engine, Journey, Server, assert_error, data, journey};
use reqwest::Method;
use serde_json::json;

pub fn journeys() -> Vec<Journey> {
    vec![journey!(
        a_task_that_cannot_be_decoded_breaks_at_once_and_frees_its_record
    )]
}

/// design.md, traps: "payload that cannot be decoded is retried for ever: undecodable is broken at once, and visible";
/// "a head that is broken frees its key". Registry, section 10: "`error` is INTERNAL, 500". common.md: "retried by an
/// operator (which makes a new task that names the old one)".
async fn a_task_that_cannot_be_decoded_breaks_at_once_and_frees_its_record(engine: Engine) {
    let server = Server::fresh(engine).await;
    let api = server.api();
    let path = resource("patient/x");
    pause(&api, true).await;
    let broken = api
        .put(&path, json!({"data": {"n": 1}}))
        .later()
        .await
        .is(202)
        .task();
    // As if an older release had written it.
    data::tell(
        server.data().url(),
        "UPDATE operations SET payload = '{\"format\": 0}'",
    )
    .await;
    let next = api
        .put(&path, json!({"data": {"n": 2}}))
        .later()
        .await
        .is(202)
        .task();
    pause(&api, false).await;

    let task = ended(&api, &broken).await;
    assert_eq!(
        (&task["status"], &task["receipts"][0]["status"]),
        (&json!("FAILURE"), &json!("FAILURE"))
    );
    assert_error("the receipt", &task["receipts"][0]["error"], 500, "INTERNAL");
    assert_eq!(
        ended(&api, &next).await["status"],
        "SUCCESS",
        "what was behind it goes on"
    );
    assert_eq!(api.get(&path).await.is(200).json()["data"], json!({"n": 2}));

    let seen = api.get(&format!("/ops/v1/tasks/{broken}")).await.is(200).json();
    assert_eq!(seen["state"], "failed");
    assert_eq!(seen["error"]["kind"], "broken", "{seen}");
    assert_eq!(
        seen["attempts"].as_array().unwrap().len(),
        1,
        "no attempt could have mended it: {seen}"
    );
    let failed = api.get("/ops/v1/tasks?state=failed").await.is(200).json();
    assert_eq!(failed["items"][0]["id"], seen["id"]);
    let queue = api.get("/ops/v1/queues").await.is(200).json()["items"][0].clone();
    assert_eq!(
        (&queue["kind"], &queue["failed"]),
        (&json!("registry.write"), &json!(1))
    );

    let retried = api
        .call(Method::POST, &format!("/ops/v1/tasks/{broken}/retry"))
        .await
        .is(201)
        .json();
    assert_eq!(retried["retryOf"], seen["id"]);
    assert_ne!(retried["id"], seen["id"]);
    let again = format!("s_{}", retried["id"].as_str().unwrap().replace('-', ""));
    assert_eq!(
        ended(&api, &again).await["status"],
        "FAILURE",
        "it is as undecodable as it was"
    );
    assert_eq!(
        ended(&api, &broken).await,
        task,
        "nothing leaves a terminal state"
    );
}
