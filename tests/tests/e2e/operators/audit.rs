//! The audit log: "Every write, refusal and administrator action leaves an audit entry (who, what, when, request id,
//! outcome), append-only" (common.md).

use crate::e2e::harness::tenant::{ended, pause, resource};
use crate::e2e::harness::{Api, Journey, Tenant, instant, tenant_journey};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(every_write_and_every_refusal_leaves_an_entry),
        tenant_journey!(a_write_without_the_scope_leaves_a_refusal_too),
        tenant_journey!(what_is_done_later_leaves_an_entry_for_each_step),
        tenant_journey!(every_action_of_an_administrator_leaves_an_entry),
        tenant_journey!(entries_are_never_changed_and_come_newest_first),
        tenant_journey!(reading_leaves_no_entry),
    ]
}

/// All entries, oldest first.
async fn log(api: &Api) -> Vec<Value> {
    let mut entries = Vec::new();
    let mut path = "/ops/v1/audit?limit=200".to_owned();
    loop {
        let page = api.get(&path).await.is(200).json();
        entries.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => path = format!("/ops/v1/audit?limit=200&cursor={next}"),
            None => break,
        }
    }
    entries.reverse();
    entries
}

/// Action, target and outcome of the entries of a request.
fn of_request(log: &[Value], request: &str) -> Vec<(String, String, String)> {
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let entries = log.iter().filter(|entry| entry["requestId"] == request);
    entries
        .map(|entry| {
            (
                text(entry, "action"),
                text(entry, "target"),
                text(entry, "outcome"),
            )
        })
        .collect()
}

fn entry(action: &str, target: &str, outcome: &str) -> Vec<(String, String, String)> {
    vec![(action.to_owned(), target.to_owned(), outcome.to_owned())]
}

async fn me(api: &Api) -> Value {
    api.get("/ops/v1/credentials").await.is(200).json()["items"][0]["id"].clone()
}

async fn every_write_and_every_refusal_leaves_an_entry(tenant: &Tenant) {
    let api = &tenant.api;
    let (path, body) = (resource("patient/x"), json!({"data": {}}));
    let cases = [
        (api.put(&path, &body), 201, "resource.upsert", "done"),
        (api.put(&path, &body), 200, "resource.upsert", "done"),
        (
            api.put(&path, &body).header("If-Match", "\"0\""),
            412,
            "resource.upsert",
            "refused",
        ),
        (
            api.put(
                &path,
                json!({"data": {}, "meta": {"identifier": [{"system": "mdm"}]}}),
            ),
            400,
            "resource.upsert",
            "refused",
        ),
        (api.delete(&path), 200, "resource.delete", "done"),
        (api.delete(&path), 404, "resource.delete", "refused"),
        (
            api.post(&resource("patient"), json!({"id": "x1", "data": {}})),
            201,
            "resource.create",
            "done",
        ),
        (
            api.post(&resource("patient"), json!({"id": "x1", "data": {}})),
            409,
            "resource.create",
            "refused",
        ),
    ];
    let mut expected = Vec::new();
    for (n, (call, status, action, outcome)) in cases.into_iter().enumerate() {
        call.header("X-Request-ID", &format!("audit-{n}"))
            .await
            .is(status);
        let target = if action == "resource.create" {
            "northclinic/patient/x1"
        } else {
            "northclinic/patient/x"
        };
        expected.push(entry(action, target, outcome));
    }
    // Bodies of which nothing can be made.
    api.put(&path, "{")
        .header("X-Request-ID", "audit-bad-1")
        .await
        .is(400);
    api.post(&resource("patient"), "[]")
        .header("X-Request-ID", "audit-bad-2")
        .await
        .is(400);
    let text = api
        .call(Method::PUT, &path)
        .body("text/plain", "x")
        .header("X-Request-ID", "audit-bad-3");
    text.await.is(415);
    let large = format!(r#"{{"data":{{"x":"{}"}}}}"#, "x".repeat(1 << 20));
    api.put(&path, large)
        .header("X-Request-ID", "audit-bad-4")
        .await
        .is(413);

    let log = log(api).await;
    for (n, expected) in expected.iter().enumerate() {
        assert_eq!(of_request(&log, &format!("audit-{n}")), *expected, "number {n}");
    }
    for n in 1..=4 {
        let found = of_request(&log, &format!("audit-bad-{n}"));
        assert_eq!(found.len(), 1, "number {n}: {found:?}");
        assert_eq!(found[0].2, "refused", "number {n}: {found:?}");
    }
    let me = me(api).await;
    for entry in log
        .iter()
        .filter(|entry| entry["requestId"].as_str().unwrap().starts_with("audit-"))
    {
        assert_eq!(entry["actor"], me, "who: {entry}");
        instant(&entry["at"]);
    }
}

/// The same where the refusal is a 403: it is a refusal as any other.
async fn a_write_without_the_scope_leaves_a_refusal_too(tenant: &Tenant) {
    let limited = tenant.limited(&["registry:read"]).await;
    let cases = [
        limited.put(&resource("patient/x"), json!({"data": {}})),
        limited.delete(&resource("patient/x")),
        limited.post("/ops/v1/patients", json!({})),
        limited.post(
            "/ops/v1/credentials",
            json!({"kind": "api_key", "name": "x", "scopes": ["ops:write"]}),
        ),
    ];
    for (n, call) in cases.into_iter().enumerate() {
        call.header("X-Request-ID", &format!("forbidden-{n}"))
            .await
            .is(403);
    }
    let log = log(&tenant.api).await;
    for n in 0..4 {
        let found = of_request(&log, &format!("forbidden-{n}"));
        assert_eq!(found.len(), 1, "number {n}: {found:?}");
        assert_eq!(found[0].2, "refused", "number {n}: {found:?}");
    }
}

async fn what_is_done_later_leaves_an_entry_for_each_step(tenant: &Tenant) {
    let api = &tenant.api;
    let path = resource("patient/x");
    pause(api, true).await;
    let later = |call: crate::e2e::harness::api::Call, request: &str| {
        call.later().header("X-Request-ID", request).into_future()
    };
    let overtaken = later(api.put(&path, json!({"data": {}})), "step-1")
        .await
        .is(202)
        .task();
    api.put(&path, json!({"data": {}})).await.is(201);
    let done = later(api.put(&path, json!({"data": {}})), "step-2")
        .await
        .is(202)
        .task();
    let refused = later(api.delete(&resource("patient/missing")), "step-3")
        .await
        .is(202)
        .task();
    let cancelled = later(api.put(&resource("patient/y"), json!({"data": {}})), "step-4")
        .await
        .is(202)
        .task();
    let cancel = format!("/ops/v1/tasks/{cancelled}/cancel");
    api.call(Method::POST, &cancel)
        .header("X-Request-ID", "step-5")
        .await
        .is(200);
    api.call(Method::POST, &cancel)
        .header("X-Request-ID", "step-6")
        .await
        .is(409);
    pause(api, false).await;
    for task in [&overtaken, &done, &refused] {
        ended(api, task).await;
    }
    let log = log(api).await;
    for (request, action, target, outcomes) in [
        (
            "step-1",
            "resource.upsert",
            "northclinic/patient/x",
            &["accepted", "cancelled"][..],
        ),
        (
            "step-2",
            "resource.upsert",
            "northclinic/patient/x",
            &["accepted", "done"],
        ),
        (
            "step-3",
            "resource.delete",
            "northclinic/patient/missing",
            &["accepted", "refused"],
        ),
        (
            "step-4",
            "resource.upsert",
            "northclinic/patient/y",
            &["accepted"],
        ),
    ] {
        let expected: Vec<_> = outcomes
            .iter()
            .flat_map(|outcome| entry(action, target, outcome))
            .collect();
        assert_eq!(of_request(&log, request), expected);
    }
    let (first, second) = (of_request(&log, "step-5"), of_request(&log, "step-6"));
    assert_eq!(
        (first[0].0.as_str(), first[0].2.as_str()),
        ("task.cancel", "done"),
        "{first:?}"
    );
    assert_eq!(
        (second[0].0.as_str(), second[0].2.as_str()),
        ("task.cancel", "refused"),
        "{second:?}"
    );
}

async fn every_action_of_an_administrator_leaves_an_entry(tenant: &Tenant) {
    let api = &tenant.api;
    let made = api.post(
        "/ops/v1/credentials",
        json!({"kind": "api_key", "name": "audited", "scopes": ["job:read"]}),
    );
    let made = made.header("X-Request-ID", "admin-1").await.is(201).json();
    let id = made["id"].as_str().unwrap();
    api.delete(&format!("/ops/v1/credentials/{id}"))
        .header("X-Request-ID", "admin-2")
        .await
        .is(204);
    let queue = "/ops/v1/queues/registry.write";
    api.call(Method::POST, &format!("{queue}/pause"))
        .header("X-Request-ID", "admin-3")
        .await
        .is(200);
    api.call(Method::POST, &format!("{queue}/resume"))
        .header("X-Request-ID", "admin-4")
        .await
        .is(200);
    let patient = api
        .post("/ops/v1/patients", json!({"patientId": "SECRET-1"}))
        .header("X-Request-ID", "admin-5")
        .await
        .is(201)
        .json();
    let patient = patient["id"].as_str().unwrap();
    let change = api.patch(&format!("/ops/v1/patients/{patient}"), json!({"active": false}));
    change.header("X-Request-ID", "admin-6").await.is(200);
    let source = api.put("/catalog/v1/sources/audited", json!({"type": "registry"}));
    source.header("X-Request-ID", "admin-7").await.is(201);
    let refused = api.post("/ops/v1/patients", json!({"patientId": "SECRET-1"}));
    refused.header("X-Request-ID", "admin-8").await.is(409);

    let log = log(api).await;
    for (request, action, target) in [
        ("admin-1", "credential.add", id),
        ("admin-2", "credential.revoke", id),
        ("admin-3", "queue.pause", "registry.write"),
        ("admin-4", "queue.resume", "registry.write"),
        ("admin-5", "patient.register", patient),
        ("admin-6", "patient.change", patient),
        ("admin-7", "source.put", "audited"),
    ] {
        assert_eq!(of_request(&log, request), entry(action, target, "done"));
    }
    assert_eq!(of_request(&log, "admin-8")[0].2, "refused");
    let text = serde_json::to_string(&log).unwrap();
    assert!(
        !text.contains("SECRET-1") && !text.contains(made["secret"].as_str().unwrap()),
        "{text}"
    );

    // The administrator's own log has what is done to workspaces.
    let key = format!("audited-{}", tenant.workspace);
    let request = format!("admin-{key}");
    tenant
        .root
        .post("/ops/v1/workspaces", json!({"key": key}))
        .header("X-Request-ID", &request)
        .await
        .is(201);
    let log = self::log(&tenant.root).await;
    assert_eq!(of_request(&log, &request), entry("workspace.add", &key, "done"));
}

async fn entries_are_never_changed_and_come_newest_first(tenant: &Tenant) {
    let api = &tenant.api;
    for n in 0..5 {
        api.put(&resource(&format!("patient/{n}")), json!({"data": {}}))
            .await
            .is(201);
    }
    let before = log(api).await;
    // Ids tell nothing of how much others do.
    let ids: BTreeSet<_> = before.iter().map(|entry| entry["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), before.len());
    assert!(ids.iter().all(|id| id.len() == 32), "{ids:?}");
    let times: Vec<_> = before.iter().map(|entry| instant(&entry["at"])).collect();
    assert!(times.is_sorted(), "{times:?}");
    api.delete(&resource("patient/0")).await.is(200);
    let after = log(api).await;
    assert_eq!(after[..before.len()], before);
    assert_eq!(after.len(), before.len() + 1);
    for method in [Method::DELETE, Method::PUT, Method::POST, Method::PATCH] {
        api.call(method, "/ops/v1/audit").await.problem(405);
    }
}

async fn reading_leaves_no_entry(tenant: &Tenant) {
    let api = &tenant.api;
    api.put(&resource("patient/x"), json!({"data": {}})).await.is(201);
    let before = log(api).await;
    api.get(&resource("patient/x")).await.is(200);
    api.get(&resource("patient")).await.is(200);
    api.get(&resource("patient/none")).await.is(404);
    api.get("/ops/v1/tasks").await.is(200);
    assert_eq!(log(api).await, before);
}
