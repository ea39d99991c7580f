//! The workspace's order: overtaking, order per record, cancelling (section 1, concurrency).

use crate::e2e::harness::tenant::{ended, pause, resource, task_path};
use crate::e2e::harness::{Journey, Tenant, instant, members, tenant_journey};
use reqwest::Method;
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(an_overtaken_write_is_cancelled_and_the_later_data_stay),
        tenant_journey!(a_write_overtaken_by_a_delete_does_not_bring_the_record_back),
        tenant_journey!(a_refused_write_overtakes_nothing),
        tenant_journey!(a_later_asynchronous_write_follows_a_synchronous_one),
        tenant_journey!(writes_to_one_record_are_done_in_order_of_acceptance),
        tenant_journey!(attempts_at_one_record_do_not_overlap),
        tenant_journey!(a_cancelled_task_has_no_effect),
        tenant_journey!(a_cancelled_task_frees_its_record_for_the_next),
        tenant_journey!(what_has_ended_cannot_be_cancelled),
    ]
}

#[track_caller]
fn assert_cancelled(seen: &Value) {
    assert_eq!(seen["status"], "CANCELLED", "{seen}");
    let receipt = &seen["receipts"][0];
    // "`error` is there on FAILURE only"; 13.3: "`completedAt` is present exactly when the receipt is not PENDING".
    assert_eq!(
        members(receipt),
        [
            "action",
            "completedAt",
            "id",
            "receivedAt",
            "status",
            "targetType",
            "taskId",
            "type"
        ],
        "{seen}"
    );
    assert_eq!(receipt["status"], "CANCELLED", "{seen}");
}

/// 13.14: "An overtaken operation is CANCELLED and the later data stay."
async fn an_overtaken_write_is_cancelled_and_the_later_data_stay(tenant: &Tenant) {
    let api = &tenant.api;
    let body = |n: u32| json!({"data": {"n": n}});
    let (fresh, there) = (resource("patient/fresh"), resource("patient/there"));
    api.put(&there, body(0)).await.is(201);
    pause(api, true).await;
    let mut overtaken = Vec::new();
    for path in [&fresh, &there] {
        overtaken.push(api.put(path, body(1)).later().await.is(202).task());
        overtaken.push(api.delete(path).later().await.is(202).task());
        overtaken.push(
            api.put(path, body(2))
                .header("If-Match", "\"1\"")
                .later()
                .await
                .is(202)
                .task(),
        );
    }
    overtaken.push(
        api.post(&resource("patient"), json!({"id": "fresh", "data": {}}))
            .later()
            .await
            .is(202)
            .task(),
    );
    api.put(&fresh, body(9)).await.is(201);
    api.put(&there, body(9)).await.is(200);
    let written = [api.get(&fresh).await.is(200), api.get(&there).await.is(200)];
    pause(api, false).await;
    for task in &overtaken {
        assert_cancelled(&ended(api, task).await);
    }
    for (path, before) in [&fresh, &there].into_iter().zip(written) {
        let after = api.get(path).await.is(200);
        assert_eq!((after.etag(), after.text.clone()), (before.etag(), before.text));
        assert_eq!(after.json()["data"]["n"], 9);
    }
}

/// "An operation that reaches a record which a later request has already changed **or deleted** is overtaken".
async fn a_write_overtaken_by_a_delete_does_not_bring_the_record_back(tenant: &Tenant) {
    let api = &tenant.api;
    let path = resource("patient/x");
    api.put(&path, json!({"data": {}})).await.is(201);
    pause(api, true).await;
    let put = api
        .put(&path, json!({"data": {"late": true}}))
        .later()
        .await
        .is(202)
        .task();
    let delete = api.delete(&path).later().await.is(202).task();
    let post = api
        .post(&resource("patient"), json!({"id": "x0", "data": {}}))
        .later()
        .await
        .is(202)
        .task();
    api.delete(&path).await.is(200);
    pause(api, false).await;
    assert_cancelled(&ended(api, &put).await);
    assert_cancelled(&ended(api, &delete).await);
    assert_eq!(
        ended(api, &post).await["status"],
        "SUCCESS",
        "another record is not concerned"
    );
    api.get(&path).await.error(404, "NOT_FOUND");
    // What is accepted after the delete is not overtaken by it.
    let after = api
        .put(&path, json!({"data": {"after": true}}))
        .later()
        .await
        .is(202)
        .task();
    assert_eq!(ended(api, &after).await["status"], "SUCCESS");
    assert_eq!(
        api.get(&path).await.is(200).json()["data"],
        json!({"after": true})
    );
}

/// "A refused write overtakes nothing."
async fn a_refused_write_overtakes_nothing(tenant: &Tenant) {
    let api = &tenant.api;
    let path = resource("patient/x");
    api.put(&path, json!({"data": {"n": 1}})).await.is(201);
    pause(api, true).await;
    let task = api
        .put(&path, json!({"data": {"n": 2}}))
        .later()
        .await
        .is(202)
        .task();
    api.put(&path, json!({"data": {"n": 3}}))
        .header("If-Match", "\"0\"")
        .await
        .is(412);
    api.put(
        &path,
        json!({"data": {}, "meta": {"identifier": [{"system": "mdm"}]}}),
    )
    .await
    .is(400);
    api.post(&resource("patient"), json!({"id": "x", "data": {}}))
        .await
        .error(400, "INVALID_ARGUMENT");
    api.delete(&path).header("If-Match", "\"0\"").await.is(412);
    api.put(&path, json!({"data": {"n": 4}}))
        .header("If-None-Match", "*")
        .await
        .is(412);
    pause(api, false).await;
    assert_eq!(ended(api, &task).await["status"], "SUCCESS");
    assert_eq!(api.get(&path).await.is(200).json()["data"], json!({"n": 2}));
}

/// "**The last write in that order wins.**"
async fn a_later_asynchronous_write_follows_a_synchronous_one(tenant: &Tenant) {
    let api = &tenant.api;
    let path = resource("patient/x");
    pause(api, true).await;
    let first = api
        .put(&path, json!({"data": {"n": 1}}))
        .later()
        .await
        .is(202)
        .task();
    api.put(&path, json!({"data": {"n": 2}})).await.is(201);
    let last = api
        .put(&path, json!({"data": {"n": 3}}))
        .later()
        .await
        .is(202)
        .task();
    pause(api, false).await;
    assert_cancelled(&ended(api, &first).await);
    assert_eq!(ended(api, &last).await["status"], "SUCCESS");
    assert_eq!(api.get(&path).await.is(200).json()["data"], json!({"n": 3}));
}

const WRITES: usize = 25;

/// Many writes to each of a few records, accepted in turn, carried out when all were accepted; the tasks by record.
async fn write_in_turn(tenant: &Tenant) -> Vec<Vec<String>> {
    let api = &tenant.api;
    pause(api, true).await;
    let mut tasks = vec![Vec::new(); 3];
    for n in 0..WRITES {
        for (record, tasks) in tasks.iter_mut().enumerate() {
            let path = resource(&format!("patient/{record}"));
            tasks.push(
                api.put(&path, json!({"data": {"n": n}}))
                    .later()
                    .await
                    .is(202)
                    .task(),
            );
        }
    }
    pause(api, false).await;
    tasks
}

/// common.md, promise 4: "Two tasks with one ordering key are never run together nor out of order"; registry:
/// "asynchronous single writes share one per record". One out of order would be overtaken, and cancelled.
async fn writes_to_one_record_are_done_in_order_of_acceptance(tenant: &Tenant) {
    let api = &tenant.api;
    for (record, tasks) in write_in_turn(tenant).await.iter().enumerate() {
        let mut done = None;
        for task in tasks {
            let seen = ended(api, task).await;
            assert_eq!(seen["status"], "SUCCESS");
            let at = instant(&seen["receipts"][0]["completedAt"]);
            assert!(
                done.is_none_or(|before| at >= before),
                "it was done before the one before it: {seen}"
            );
            done = Some(at);
        }
        let read = api
            .get(&resource(&format!("patient/{record}")))
            .await
            .is(200)
            .json();
        assert_eq!(read["data"]["n"], WRITES - 1);
    }
}

/// The same as the operator sees it: "attempts with times".
async fn attempts_at_one_record_do_not_overlap(tenant: &Tenant) {
    let api = &tenant.api;
    for tasks in write_in_turn(tenant).await {
        let mut free_since = None;
        for task in &tasks {
            ended(api, task).await;
            let seen = api.get(&format!("/ops/v1/tasks/{task}")).await.is(200).json();
            let attempts = seen["attempts"].as_array().unwrap();
            assert_eq!(attempts.len(), 1, "{seen}");
            let began = instant(&attempts[0]["startedAt"]);
            let free = free_since.is_none_or(|since| began >= since);
            assert!(free, "it began before the one before it ended: {seen}");
            free_since = Some(instant(&seen["finishedAt"]));
        }
    }
}

async fn cancel(tenant: &Tenant, task: &str) -> crate::e2e::harness::Answer {
    tenant
        .api
        .call(Method::POST, &format!("/ops/v1/tasks/{task}/cancel"))
        .await
}

/// Section 10: "A task cancelled by an operator: its unfinished receipts become CANCELLED and its status follows";
/// 13.2: "CANCELLED left no trace in the data".
async fn a_cancelled_task_has_no_effect(tenant: &Tenant) {
    let api = &tenant.api;
    let path = resource("patient/x");
    api.put(&path, json!({"data": {"n": 1}})).await.is(201);
    let before = api.get(&path).await.is(200);
    pause(api, true).await;
    let put = api
        .put(&path, json!({"data": {"n": 2}}))
        .later()
        .await
        .is(202)
        .task();
    let delete = api.delete(&path).later().await.is(202).task();
    let fresh = api
        .put("/sources/fresh/v1/resources/a/b", json!({"data": {}}))
        .later()
        .await
        .is(202)
        .task();
    for task in [&put, &delete, &fresh] {
        assert_eq!(cancel(tenant, task).await.is(200).json()["state"], "cancelled");
    }
    assert_cancelled(&ended(api, &put).await);
    assert_cancelled(&ended(api, &delete).await);
    pause(api, false).await;
    // Behind it in the order, so when this is done the cancelled ones would have been.
    let after = api
        .put(&resource("patient/y"), json!({"data": {}}))
        .later()
        .await
        .is(202)
        .task();
    assert_eq!(ended(api, &after).await["status"], "SUCCESS");
    let seen = api.get(&path).await.is(200);
    assert_eq!((seen.etag(), seen.text.clone()), (before.etag(), before.text));
    assert_cancelled(&ended(api, &put).await);
    api.get("/catalog/v1/sources/fresh").await.error(404, "NOT_FOUND");
}

/// design.md, trap: "one ordering key blocked for ever by a dead head"; what is behind it goes on.
async fn a_cancelled_task_frees_its_record_for_the_next(tenant: &Tenant) {
    let api = &tenant.api;
    let path = resource("patient/x");
    pause(api, true).await;
    let mut tasks = Vec::new();
    for n in 0..4 {
        tasks.push(
            api.put(&path, json!({"data": {"n": n}}))
                .later()
                .await
                .is(202)
                .task(),
        );
    }
    for n in [0, 2] {
        cancel(tenant, &tasks[n]).await.is(200);
    }
    pause(api, false).await;
    for (n, task) in tasks.iter().enumerate() {
        let expected = if n % 2 == 0 { "CANCELLED" } else { "SUCCESS" };
        assert_eq!(ended(api, task).await["status"], expected, "number {n}");
    }
    assert_eq!(api.get(&path).await.is(200).json()["data"], json!({"n": 3}));
}

/// common.md: "POST `/tasks/{id}/cancel`, `/tasks/{id}/retry`: as the state machine allows; else 409"; promise 2:
/// "nothing leaves a terminal state".
async fn what_has_ended_cannot_be_cancelled(tenant: &Tenant) {
    let api = &tenant.api;
    let succeeded = api
        .put(&resource("patient/x"), json!({"data": {}}))
        .await
        .is(201)
        .task();
    let failed = api
        .delete(&resource("patient/missing"))
        .later()
        .await
        .is(202)
        .task();
    assert_eq!(ended(api, &failed).await["status"], "FAILURE");
    pause(api, true).await;
    let cancelled = api
        .put(&resource("patient/y"), json!({"data": {}}))
        .later()
        .await
        .is(202)
        .task();
    cancel(tenant, &cancelled).await.is(200);
    for task in [&succeeded, &failed, &cancelled] {
        let before = ended(api, task).await;
        cancel(tenant, task).await.problem(409);
        assert_eq!(ended(api, task).await, before);
    }
    cancel(tenant, "s_0197a1b2c3d47e5f8a9b0c1d2e3f4a5b")
        .await
        .problem(404);
    cancel(tenant, "nonsense").await.problem(404);
    api.get(&task_path(&cancelled)).await.is(200);
}
