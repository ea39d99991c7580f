//! How soon an idle server begins with what it is given.

use super::harness::tenant::{ended, resource};
use super::harness::{Engine, Journey, Server, instant, journey};
use serde_json::json;
use time::Duration;

pub fn journeys() -> Vec<Journey> {
    vec![journey!(an_idle_server_begins_within_a_hundred_milliseconds).alone()]
}

/// Issue 2: "due tasks run within 100 ms of being due when idle".
async fn an_idle_server_begins_within_a_hundred_milliseconds(engine: Engine) {
    let server = Server::fresh(engine).await;
    let api = server.api();
    // The first one warms up what is only done once.
    for n in 0..30 {
        let task = api
            .put(&resource(&format!("patient/{n}")), json!({"data": {}}))
            .later()
            .await
            .is(202)
            .task();
        assert_eq!(ended(&api, &task).await["status"], "SUCCESS");
        let seen = api.get(&format!("/ops/v1/tasks/{task}")).await.is(200).json();
        let wait = instant(&seen["attempts"][0]["startedAt"]) - instant(&seen["acceptedAt"]);
        assert!(
            n == 0 || wait <= Duration::milliseconds(100),
            "number {n} waited {wait}: {seen}"
        );
        let done = instant(&seen["finishedAt"]) - instant(&seen["acceptedAt"]);
        assert!(
            n == 0 || done <= Duration::milliseconds(300),
            "number {n} took {done}: {seen}"
        );
    }
}
