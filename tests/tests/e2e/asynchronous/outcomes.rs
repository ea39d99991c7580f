//! An asynchronous write comes to what the synchronous one comes to (13.12).

use crate::e2e::harness::tenant::{ended_in, pause};
use crate::e2e::harness::{Answer, Api, Journey, Tenant, assert_error, tenant_journey};
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(a_refused_write_ends_as_the_synchronous_one_would),
        tenant_journey!(a_successful_write_leaves_the_same_record),
        tenant_journey!(a_refused_synchronous_write_leaves_no_task),
        tenant_journey!(it_is_judged_by_what_is_there_when_it_is_carried_out),
    ]
}

/// Name; method, path and, perhaps, condition; body; error. `{old}` is the ETag that the record had before its
/// last change.
type Case = (&'static str, &'static str, &'static str, (u16, &'static str));

const INVALID: (u16, &str) = (400, "INVALID_ARGUMENT");
const MISSING: (u16, &str) = (404, "NOT_FOUND");
const TAKEN: (u16, &str) = (409, "ALREADY_EXISTS");
const FAILED: (u16, &str) = (412, "FAILED_PRECONDITION");

const FINE: &str = r#"{"data":{"new":true}}"#;
const THERE: &str = r#"{"id":"there","data":{"new":true}}"#;
const UPDATED: &str = r#"{"data":{},"meta":{"updatedAt":"2024-01-01T00:00:00Z"}}"#;
const NO_TIME: &str = r#"{"data":{},"meta":{"createdAt":"yesterday"}}"#;
const NAMES: &str =
    r#"{"data":{},"meta":{"identifier":[{"system":"mdm"},{"use":"source"},{"system":"mdm"}]}}"#;
const TWINS: &str =
    r#"{"data":{},"contained":{"c":[{"id":"a","type":"t","data":{}},{"id":"a","type":"t","data":{}}]}}"#;

/// Writes that are refused, each for what only shows when it is carried out.
const REFUSED: &[Case] = &[
    ("a missing creation time", "PUT patient/new", UPDATED, INVALID),
    ("a time that is none", "POST patient", NO_TIME, INVALID),
    ("bad identifiers created", "PUT patient/new", NAMES, INVALID),
    ("bad identifiers replaced", "PUT patient/there", NAMES, INVALID),
    ("a contained id twice", "PUT patient/there", TWINS, INVALID),
    ("a taken id", "POST patient", THERE, TAKEN),
    ("a delete of nothing", "DELETE patient/missing", "", MISSING),
    ("a delete of what was deleted", "DELETE patient/gone", "", MISSING),
    ("an old version", "PUT patient/there If-Match {old}", FINE, FAILED),
    (
        "an old version deleted",
        "DELETE patient/there If-Match {old}",
        "",
        FAILED,
    ),
    (
        "any version of nothing",
        "PUT patient/missing If-Match *",
        FINE,
        FAILED,
    ),
    (
        "any version deleted",
        "DELETE patient/gone If-Match *",
        "",
        FAILED,
    ),
    (
        "no version where one is",
        "PUT patient/there If-None-Match *",
        FINE,
        FAILED,
    ),
];

/// Makes `there` (changed once) and `gone`; answers with the ETag that `there` no longer has.
async fn furnish(api: &Api, source: &str) -> String {
    let path = |id: &str| format!("/sources/{source}/v1/resources/patient/{id}");
    let old = api
        .put(&path("there"), json!({"data": {"n": 1}}))
        .await
        .is(201)
        .etag();
    api.put(&path("there"), json!({"data": {"n": 2}})).await.is(200);
    api.put(&path("gone"), json!({"data": {}})).await.is(201);
    api.delete(&path("gone")).await.is(200);
    old
}

async fn send(api: &Api, source: &str, (_, line, body, _): &Case, old: &str, later: bool) -> Answer {
    let words: Vec<&str> = line.split(' ').collect();
    let path = format!("/sources/{source}/v1/resources/{}", words[1]);
    let mut call = api.call(words[0].parse().unwrap(), &path);
    if let [_, _, name, value] = words[..] {
        call = call.header(name, &value.replace("{old}", old));
    }
    if !body.is_empty() {
        call = call.json(*body);
    }
    if later { call.later().await } else { call.await }
}

/// 13.12: "its outcome is the same as the synchronous one's, error type included"; section 2: "`code` in a receipt: the
/// status that the same problem would have as a single write"; 13.2: "FAILURE left no trace in the data".
async fn a_refused_write_ends_as_the_synchronous_one_would(tenant: &Tenant) {
    let api = &tenant.api;
    for case in REFUSED {
        let (name, _, _, (code, kind)) = *case;
        let source = name.replace(' ', "-");
        let old = furnish(api, &source).await;
        let list = format!("/sources/{source}/v1/resources/patient");
        let before = api.get(&list).await.is(200).text;

        let now = send(api, &source, case, &old, false)
            .await
            .error(code, kind)
            .json();
        let accepted = send(api, &source, case, &old, true).await.is(202);
        let task = ended_in(api, &source, &accepted.task()).await;
        assert_eq!(task["status"], "FAILURE", "{name}: {task}");
        let receipt = &task["receipts"][0];
        assert_eq!(receipt["status"], "FAILURE", "{name}");
        assert!(
            receipt["completedAt"].is_string(),
            "13.3: it is there when it is not PENDING"
        );
        assert_error(name, &receipt["error"], code, kind);
        assert_eq!(receipt["error"], now, "{name}: the same problems, the same words");
        assert_eq!(api.get(&list).await.is(200).text, before, "{name}");
    }
}

/// The same record comes of it, and the same headers apply.
async fn a_successful_write_leaves_the_same_record(tenant: &Tenant) {
    let api = &tenant.api;
    let without_times = |mut record: Value| {
        let meta = record["meta"].as_object_mut().unwrap();
        meta.remove("updatedAt");
        meta.remove("source");
        record
    };
    let body = json!({"data": {"z": 1, "a": [null]}, "contained": {"c": [{"id": "1", "type": "t", "data": {}}]},
        "meta": {"createdAt": "2024-03-02T09:15:00.000Z", "identifier": [{"system": "s", "value": "v"}]}});
    let mut seen = Vec::new();
    for (source, later) in [("now", false), ("later", true)] {
        let path = |id: &str| format!("/sources/{source}/v1/resources/patient/{id}");
        let done = async |call: crate::e2e::harness::api::Call| {
            if later {
                let task = call.later().await.is(202).task();
                assert_eq!(ended_in(api, source, &task).await["status"], "SUCCESS");
            } else {
                let status = call.await.status;
                assert!([200, 201].contains(&status));
            }
        };
        done(api.put(&path("x"), &body).header("If-None-Match", "*")).await;
        let created = api.get(&path("x")).await.is(200);
        done(
            api.put(&path("x"), json!({"data": {"replaced": true}}))
                .header("If-Match", &created.etag()),
        )
        .await;
        let replaced = api.get(&path("x")).await.is(200);
        assert_ne!(created.etag(), replaced.etag());
        done(api.delete(&path("x")).header("If-Match", &replaced.etag())).await;
        api.get(&path("x")).await.error(404, "NOT_FOUND");
        done(api.post(
            &format!("/sources/{source}/v1/resources/visit"),
            json!({"id": "v1", "data": {}}),
        ))
        .await;
        api.get(&format!("/sources/{source}/v1/resources/visit/v1"))
            .await
            .is(200);
        seen.push((without_times(created.json()), without_times(replaced.json())));
    }
    assert_eq!(seen[0], seen[1]);
}

/// Section 1: "A refused single write leaves no task, only an audit entry".
async fn a_refused_synchronous_write_leaves_no_task(tenant: &Tenant) {
    let api = &tenant.api;
    let old = furnish(api, "now").await;
    let tasks = async || {
        api.get("/ops/v1/tasks?limit=200").await.is(200).json()["items"]
            .as_array()
            .unwrap()
            .len()
    };
    let before = tasks().await;
    for case in REFUSED {
        send(api, "now", case, &old, false)
            .await
            .error(case.3.0, case.3.1);
    }
    assert_eq!(tasks().await, before);
}

/// Section 1: "All else (`data`, meta rules, existence, `If-Match`) is judged when the operation is carried out".
async fn it_is_judged_by_what_is_there_when_it_is_carried_out(tenant: &Tenant) {
    let api = &tenant.api;
    let path = |id: &str| format!("/sources/s/v1/resources/patient/{id}");
    let body = json!({"data": {}});
    api.put(&path("b"), &body).await.is(201);
    pause(api, true).await;
    // In the order of acceptance each finds what the one before it left.
    let accepted = [
        (
            api.post("/sources/s/v1/resources/patient", json!({"id": "aa", "data": {}})),
            "SUCCESS",
        ),
        (
            api.post("/sources/s/v1/resources/patient", json!({"id": "aa", "data": {}})),
            "FAILURE",
        ),
        (
            api.put(&path("aa"), &body).header("If-None-Match", "*"),
            "FAILURE",
        ),
        (api.put(&path("aa"), &body).header("If-Match", "*"), "SUCCESS"),
        (api.delete(&path("aa")), "SUCCESS"),
        (api.delete(&path("aa")), "FAILURE"),
        (
            api.put(&path("aa"), &body).header("If-None-Match", "*"),
            "SUCCESS",
        ),
    ];
    let mut tasks = Vec::new();
    for (call, expected) in accepted {
        tasks.push((call.later().await.is(202).task(), expected));
    }
    pause(api, false).await;
    for (n, (task, expected)) in tasks.iter().enumerate() {
        let seen = ended_in(api, "s", task).await;
        assert_eq!(seen["status"], *expected, "number {n}: {seen}");
    }
    api.get(&path("aa")).await.is(200);
}
