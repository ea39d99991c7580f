//! The same key and the same request: the same answer, and nothing is done again.

use super::{KEY, is_replayed, said, twice};
use crate::e2e::harness::tenant::{ended, resource, task_path};
use crate::e2e::harness::{Answer, Api, Call, Journey, Tenant, tenant_journey};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(every_write_of_the_registry_is_answered_again),
        tenant_journey!(every_write_of_operators_is_answered_again),
        tenant_journey!(the_answer_stays_what_it_was_whatever_happens_meanwhile),
        tenant_journey!(a_secret_is_told_once),
        tenant_journey!(a_read_has_no_use_for_a_key),
        tenant_journey!(a_storm_of_one_write_is_one_write),
        tenant_journey!(a_storm_of_one_asynchronous_write_is_one_task),
        tenant_journey!(a_storm_of_one_operators_request_is_one_patient),
    ]
}

async fn tasks(api: &Api) -> Vec<Value> {
    let list = api.get("/ops/v1/tasks?limit=200").await.is(200).json();
    list["items"].as_array().unwrap().clone()
}

/// Registry, 13.19: "The same request again under one Idempotency-Key gives the same answer, with the same task
/// id, and has no second effect."
async fn every_write_of_the_registry_is_answered_again(tenant: &Tenant) {
    let api = &tenant.api;
    let (records, record) = (resource("patient"), resource("patient/x"));
    let body = json!({"data": {"v": 4.70}});

    let made = twice(|| api.post(&records, &body), "k-1").await.is(201);
    let location = made.header("location").to_owned();
    assert_eq!(api.get(&location).await.is(200).etag(), made.etag());

    let put = twice(|| api.put(&record, &body), "k-2").await.is(201);
    assert_eq!(api.get(&record).await.is(200).etag(), put.etag());
    let again = twice(|| api.put(&record, &body), "k-3").await.is(200);
    assert_eq!(api.get(&record).await.is(200).etag(), again.etag());
    assert_ne!(put.task(), again.task(), "another key is another request");

    let later = twice(|| api.put(&record, json!({"data": {"v": 2}})).later(), "k-4")
        .await
        .is(202);
    assert_eq!(later.header("location"), task_path(&later.task()));
    assert_eq!(later.header("preference-applied"), "respond-async");
    ended(api, &later.task()).await;

    let deleted = twice(|| api.delete(&record), "k-5").await.is(200);
    api.get(&record).await.is(404);
    twice(|| api.post(&records, &body).later(), "k-6").await.is(202);
    twice(
        || api.put("/catalog/v1/sources/east", json!({"type": "registry"})),
        "k-7",
    )
    .await
    .is(201);

    let tasks = tasks(api).await;
    assert_eq!(tasks.len(), 6, "one for each write of a resource: {tasks:?}");
    let digits = deleted.task().trim_start_matches("s_").to_owned();
    let of_delete = tasks
        .iter()
        .filter(|task| task["id"].to_string().replace('-', "").contains(&digits));
    assert_eq!(of_delete.count(), 1);
}

async fn every_write_of_operators_is_answered_again(tenant: &Tenant) {
    let (api, root) = (&tenant.api, &tenant.root);
    let name = format!("{}-b", tenant.workspace);
    twice(
        || root.post("/ops/v1/workspaces", json!({"key": name})),
        &format!("{name}-1"),
    )
    .await
    .is(201);
    let patient = json!({"patientId": "local-1"});
    let made = twice(|| api.post("/ops/v1/patients", &patient), "k-1")
        .await
        .is(201);
    let path = made.header("location").to_owned();
    twice(|| api.patch(&path, json!({"active": false})), "k-2")
        .await
        .is(200);
    api.patch(&path, json!({"active": true})).await.is(200);
    twice(
        || api.call(Method::POST, "/ops/v1/queues/registry.write/pause"),
        "k-3",
    )
    .await
    .is(200);
    let later = api.put(&resource("patient/x"), json!({"data": {}})).later();
    let task = later.await.is(202).task();
    let cancel = format!("/ops/v1/tasks/{task}/cancel");
    twice(|| api.call(Method::POST, &cancel), "k-4").await.is(200);
    twice(
        || api.call(Method::POST, "/ops/v1/queues/registry.write/resume"),
        "k-5",
    )
    .await
    .is(200);
    let draft = json!({"kind": "api_key", "name": "x", "scopes": ["ops:read"]});
    let credential = api.post("/ops/v1/credentials", draft).await.is(201).json();
    let revoke = format!("/ops/v1/credentials/{}", credential["id"].as_str().unwrap());
    twice(|| api.delete(&revoke), "k-6").await.is(204);

    // The second asking left no trace.
    let audit = api.get("/ops/v1/audit?limit=200").await.is(200).json();
    let noted = |action: &str| {
        let entries = audit["items"].as_array().unwrap().iter();
        entries.filter(|entry| entry["action"] == action).count()
    };
    for (action, times) in [
        ("patient.register", 1),
        ("patient.change", 2),
        ("queue.pause", 1),
        ("task.cancel", 1),
        ("credential.revoke", 1),
    ] {
        assert_eq!(noted(action), times, "{action}: {audit}");
    }
    let active = api.get(&path).await.is(200).json()["active"].clone();
    assert_eq!(active, true, "the answer to an earlier request changes nothing");
}

/// An answer is not made again of what is there now.
async fn the_answer_stays_what_it_was_whatever_happens_meanwhile(tenant: &Tenant) {
    let api = &tenant.api;
    let path = resource("patient/x");
    let ask = || api.put(&path, json!({"data": {"first": true}})).header(KEY, "k");
    let first = ask().await.is(201);
    api.put(&path, json!({"data": {"second": true}})).await.is(200);
    assert_eq!(said(&ask().await), said(&first));
    api.delete(&path).await.is(200);
    assert_eq!(said(&ask().await), said(&first));
    // What else is said with it does not make it another request.
    let with_more = ask()
        .header("Prefer", "respond-async")
        .header("If-Match", "\"x\"")
        .await;
    assert_eq!(said(&with_more), said(&first));
    assert!(is_replayed(&with_more));
    api.get(&path).await.is(404);
}

/// common.md: "the secret is shown this once"; what is kept for 24 hours does not have it.
async fn a_secret_is_told_once(tenant: &Tenant) {
    let api = &tenant.api;
    let draft = json!({"kind": "api_key", "name": "mine", "scopes": ["ops:read"]});
    let ask = || api.post("/ops/v1/credentials", &draft).header(KEY, "k");
    let made = ask().await.is(201).json();
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let again = ask().await.problem(409);
    assert!(is_replayed(&again));
    assert!(
        again.text.contains(id) && !again.text.contains(secret),
        "{}",
        again.text
    );
    api.with_key(Some(secret)).get("/ops/v1/tasks").await.is(200);
    let credentials = api.get("/ops/v1/credentials").await.is(200).json();
    let mine = credentials["items"].as_array().unwrap().iter();
    assert_eq!(mine.filter(|credential| credential["name"] == "mine").count(), 1);
}

async fn a_read_has_no_use_for_a_key(tenant: &Tenant) {
    let path = resource("patient/x");
    tenant.api.put(&path, json!({"data": {"n": 1}})).await.is(201);
    let read = || tenant.api.get(&path).header(KEY, "k");
    let first = read().await.is(200);
    tenant.api.put(&path, json!({"data": {"n": 2}})).await.is(200);
    let second = read().await.is(200);
    assert_ne!(first.text, second.text);
    assert!(!is_replayed(&second));
    // Nor does it take the key.
    tenant.api.delete(&path).header(KEY, "k").await.is(200);
}

const CROWD: usize = 200;

/// Everybody gets the one answer, or a 409 that asking again turns into it.
async fn storm(ask: impl Fn() -> Call, status: u16) -> Answer {
    let answers = join_all((0..CROWD).map(|_| ask().header(KEY, "storm").into_future())).await;
    let mut the_answer: Option<Answer> = None;
    let (mut firsts, mut in_flight) = (0, 0);
    for answer in answers {
        let answer = if answer.status == 409 {
            assert_eq!(answer.header("retry-after"), "1");
            in_flight += 1;
            let again = ask().header(KEY, "storm").await;
            assert!(is_replayed(&again), "{}: {}", again.status, again.text);
            again
        } else {
            answer
        }
        .is(status);
        firsts += usize::from(!is_replayed(&answer));
        match &the_answer {
            Some(first) => assert_eq!(said(&answer), said(first)),
            None => the_answer = Some(answer),
        }
    }
    assert_eq!(firsts, 1, "one did it, {in_flight} came while it was being done");
    the_answer.expect("somebody was answered")
}

/// Issue 3, done when 4: "A replay storm (200 concurrent requests with one key) makes one task and 200 equal
/// answers or 409s that a retry turns into that answer."
async fn a_storm_of_one_write_is_one_write(tenant: &Tenant) {
    let path = resource("patient");
    let answer = storm(|| tenant.api.post(&path, json!({"data": {"n": 1}})), 201).await;
    assert_eq!(tasks(&tenant.api).await.len(), 1);
    let list = tenant.api.get(&path).await.is(200).json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
    tenant.api.get(&task_path(&answer.task())).await.is(200);
}

async fn a_storm_of_one_asynchronous_write_is_one_task(tenant: &Tenant) {
    let path = resource("patient/x");
    let answer = storm(|| tenant.api.put(&path, json!({"data": {"n": 1}})).later(), 202).await;
    ended(&tenant.api, &answer.task()).await;
    assert_eq!(tasks(&tenant.api).await.len(), 1);
}

async fn a_storm_of_one_operators_request_is_one_patient(tenant: &Tenant) {
    let draft = json!({"patientId": "local-1"});
    let answer = storm(|| tenant.api.post("/ops/v1/patients", &draft), 201).await;
    let list = tenant.api.get("/ops/v1/patients").await.is(200).json();
    let patients = list["items"].as_array().unwrap();
    assert_eq!(patients.len(), 1);
    assert_eq!(patients[0]["id"], answer.json()["id"]);
}
