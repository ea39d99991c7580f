//! `/metrics`: true, parseable, and nobody's business but the engine's (common.md, "The server").

use super::harness::tenant::{ended, pause, resource};
use super::harness::wait::LONG;
use super::harness::{Api, Engine, Journey, Server, journey, until};
use reqwest::Method;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

pub fn journeys() -> Vec<Journey> {
    vec![
        journey!(requests_and_tasks_are_counted_exactly),
        journey!(what_waits_is_shown),
        journey!(no_label_tells_of_anyone),
        journey!(every_answer_is_guarded),
    ]
}

/// Every sample by its name and labels; fails on a line that is none of Prometheus' text format.
async fn figures(api: &Api) -> BTreeMap<String, f64> {
    let answer = api.with_key(None).get("/metrics").await.is(200);
    assert!(
        answer
            .header("content-type")
            .starts_with("text/plain; version=0.0.4")
    );
    let (mut described, mut samples) = (BTreeSet::new(), BTreeMap::new());
    for line in answer.text.lines() {
        if let Some(description) = line.strip_prefix("# ") {
            let mut words = description.split(' ');
            assert!(["HELP", "TYPE"].contains(&words.next().unwrap()), "{line}");
            described.insert(words.next().unwrap().to_owned());
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        let family = name.split('{').next().unwrap();
        let is_known = ["", "_bucket", "_sum", "_count"].iter().any(|end| {
            family
                .strip_suffix(end)
                .is_some_and(|family| described.contains(family))
        });
        assert!(is_known, "{line} belongs to nothing");
        let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
        assert_eq!(
            samples.insert(name.to_owned(), value),
            None,
            "{line} is there twice"
        );
    }
    samples
}

#[track_caller]
fn rise(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>, name: &str) -> f64 {
    let of = |figures: &BTreeMap<String, f64>| figures.get(name).copied().unwrap_or(0.0);
    of(after) - of(before)
}

async fn requests_and_tasks_are_counted_exactly(engine: Engine) {
    let server = Server::fresh(engine).await;
    let api = server.api();
    api.put(&resource("patient/first"), json!({"data": {}}))
        .await
        .is(201);
    let before = figures(&api).await;
    for n in 0..7 {
        api.put(&resource(&format!("patient/s{n}")), json!({"data": {}}))
            .await
            .is(201);
    }
    for n in 0..3 {
        let path = resource(&format!("patient/a{n}"));
        let task = api.put(&path, json!({"data": {}})).later().await.is(202).task();
        assert_eq!(ended(&api, &task).await["status"], "SUCCESS");
    }
    let refused = api
        .delete(&resource("patient/missing"))
        .later()
        .await
        .is(202)
        .task();
    assert_eq!(ended(&api, &refused).await["status"], "FAILURE");
    for _ in 0..2 {
        api.put(&resource("patient/bad"), "{").await.is(400);
    }
    api.get("/no/such/path").await.is(404);
    api.call(Method::from_bytes(b"BREW").unwrap(), "/ops/v1/queues")
        .await
        .is(405);
    let after = figures(&api).await;
    let route = "/sources/{sourceKey}/v1/resources/{resourceType}/{id}";
    let put = format!("dialect=\"registry\",method=\"PUT\",route=\"{route}\"");
    for (name, expected) in [
        (format!("caretrack_http_requests_total{{{put},status=\"2xx\"}}"), 10.0),
        (format!("caretrack_http_requests_total{{{put},status=\"4xx\"}}"), 2.0),
        (format!("caretrack_http_request_duration_seconds_count{{{put}}}"), 12.0),
        (
            "caretrack_http_requests_total{dialect=\"none\",method=\"GET\",route=\"unmatched\",status=\"4xx\"}".into(),
            1.0,
        ),
        (
            "caretrack_http_requests_total{dialect=\"ops\",method=\"OTHER\",route=\"/ops/v1/queues\",status=\"4xx\"}"
                .into(),
            1.0,
        ),
        ("caretrack_tasks_accepted_total{kind=\"registry.write\"}".into(), 11.0),
        (
            "caretrack_tasks_ended_total{kind=\"registry.write\",outcome=\"succeeded\"}".into(),
            10.0,
        ),
        (
            "caretrack_tasks_ended_total{kind=\"registry.write\",outcome=\"refused\"}".into(),
            1.0,
        ),
        ("caretrack_task_retries_total{kind=\"registry.write\"}".into(), 0.0),
    ] {
        let risen = rise(&before, &after, &name);
        assert!((risen - expected).abs() < 0.5, "{name} rose by {risen}, not {expected}");
    }
    assert!(rise(&before, &after, "caretrack_commit_batch_jobs_sum") >= 11.0);
    assert!(after["caretrack_http_connections"] >= 1.0);
    assert!(after["process_resident_memory_bytes"] > 1e6);
    let version = format!(
        "caretrack_build_info{{version=\"{}\"}}",
        env!("CARGO_PKG_VERSION")
    );
    assert!(after.contains_key(&version), "no {version}");
}

async fn what_waits_is_shown(engine: Engine) {
    let server = Server::fresh(engine).await;
    let api = server.api();
    pause(&api, true).await;
    for n in 0..4 {
        let path = resource(&format!("patient/{n}"));
        api.put(&path, json!({"data": {}})).later().await.is(202);
    }
    until("the four are shown", LONG, async || {
        let figures = figures(&api).await;
        let queued = figures["caretrack_tasks{kind=\"registry.write\",state=\"queued\"}"];
        let oldest = figures["caretrack_queue_oldest_ready_seconds{kind=\"registry.write\"}"];
        ((queued - 4.0).abs() < 0.5 && oldest > 0.0).then_some(())
    })
    .await;
}

async fn no_label_tells_of_anyone(engine: Engine) {
    let server = Server::fresh(engine).await;
    let api = server.api();
    api.put(
        "/sources/marked/v1/resources/marked/marked",
        json!({"data": {"x": "marked"}}),
    )
    .header("X-Request-ID", "marked")
    .await
    .is(201);
    api.get("/marked?marked=marked").await.is(404);
    api.call(Method::from_bytes(b"MARKED").unwrap(), "/ops/v1/tasks/marked")
        .await;
    api.post("/ops/v1/patients", json!({"patientId": "marked"}))
        .await
        .is(201);
    let text = api.get("/metrics").await.is(200).text.to_lowercase();
    assert!(!text.contains("marked"), "{text}");
}

/// Issue 3: "security headers, no server version in answers".
async fn every_answer_is_guarded(engine: Engine) {
    let server = Server::fresh(engine).await;
    let api = server.api();
    let answers = [
        api.put(&resource("patient/x"), json!({"data": {}})).await.is(201),
        api.get(&resource("patient/x")).await.is(200),
        api.get(&resource("patient/y")).await.is(404),
        api.put(&resource("patient/x"), "{").await.is(400),
        api.with_key(None).get("/ops/v1/tasks").await.is(401),
        api.get("/ops/v1/tasks").await.is(200),
        api.get("/no/such/path").await.is(404),
        api.delete("/ops/v1/tasks").await.is(405),
        api.get("/health/ready").await.is(200),
        api.get("/metrics").await.is(200),
    ];
    for answer in answers {
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            (
                "content-security-policy",
                "default-src 'none'; frame-ancestors 'none'",
            ),
        ] {
            assert_eq!(answer.header(name), value, "{name} of {}", answer.what());
        }
        for name in ["server", "x-powered-by", "via"] {
            assert!(!answer.headers.contains_key(name), "{name} of {}", answer.what());
        }
    }
}
