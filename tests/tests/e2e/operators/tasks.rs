//! Tasks: list with filters, one from all sides, retry.

use crate::e2e::harness::tenant::{ended, pause, resource};
use crate::e2e::harness::{Api, Journey, Tenant, instant, rfc3339, tenant_journey};
use reqwest::Method;
use serde_json::{Value, json};
use time::Duration;

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(a_task_is_shown_with_everything_there_is_to_know),
        tenant_journey!(a_waiting_task_has_an_estimate_that_is_not_in_the_past),
        tenant_journey!(tasks_are_listed_newest_first_in_pages),
        tenant_journey!(tasks_are_filtered_by_state_kind_and_time),
        tenant_journey!(a_filter_that_makes_no_sense_is_refused),
        tenant_journey!(only_a_broken_task_can_be_retried),
    ]
}

fn uuid(task: &str) -> String {
    uuid::Uuid::parse_str(task.trim_start_matches("s_"))
        .unwrap()
        .to_string()
}

async fn items(api: &Api, query: &str) -> Vec<Value> {
    api.get(&format!("/ops/v1/tasks?{query}")).await.is(200).json()["items"]
        .as_array()
        .unwrap()
        .clone()
}

fn ids(items: &[Value]) -> Vec<String> {
    items
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

/// "GET `/tasks/{id}`: everything: operations' receipts (paged), attempts with times, worker and error, timeline, request
/// id, who submitted it"; "Every request has a request id; it is stored with the task".
async fn a_task_is_shown_with_everything_there_is_to_know(tenant: &Tenant) {
    let api = &tenant.api;
    let me = api.get("/ops/v1/credentials").await.is(200).json()["items"][0]["id"].clone();
    let accepted = api
        .put(&resource("patient/x"), json!({"data": {}}))
        .later()
        .header("X-Request-ID", "trace-me-1")
        .await
        .is(202);
    let later = accepted.task();
    ended(api, &later).await;
    let now = api
        .put(&resource("patient/x"), json!({"data": {}}))
        .header("X-Request-ID", "trace-me-2")
        .await
        .is(200)
        .task();
    for (task, request) in [(&later, "trace-me-1"), (&now, "trace-me-2")] {
        let seen = api.get(&format!("/ops/v1/tasks/{task}")).await.is(200).json();
        assert_eq!(seen["id"], uuid(task));
        assert_eq!(
            api.get(&format!("/ops/v1/tasks/{}", uuid(task)))
                .await
                .is(200)
                .json(),
            seen
        );
        assert_eq!(
            (&seen["kind"], &seen["state"]),
            (&json!("registry.write"), &json!("succeeded"))
        );
        assert_eq!((&seen["requestId"], &seen["submittedBy"]), (&json!(request), &me));
        assert_eq!(seen["source"], "northclinic");
        assert_eq!(
            seen["operations"],
            json!({"total": 1, "pending": 0, "succeeded": 1, "failed": 0, "cancelled": 0})
        );

        let attempts = seen["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), 1, "{seen}");
        crate::e2e::harness::assert_made_id(attempts[0]["worker"].as_str().unwrap());
        assert!(attempts[0].get("error").is_none(), "{seen}");
        let times = [
            &seen["acceptedAt"],
            &attempts[0]["startedAt"],
            &attempts[0]["endedAt"],
            &seen["finishedAt"],
        ];
        assert!(times.map(instant).is_sorted(), "{seen}");

        let timeline = seen["timeline"].as_array().unwrap();
        let events: Vec<_> = timeline
            .iter()
            .map(|event| event["event"].as_str().unwrap())
            .collect();
        assert_eq!(events, ["accepted", "started", "succeeded"]);
        assert!(
            timeline.iter().map(|event| instant(&event["at"])).is_sorted(),
            "{seen}"
        );

        let receipts = seen["receipts"]["items"].as_array().unwrap();
        assert_eq!(receipts.len(), 1);
        assert_eq!(
            receipts[0]["target"],
            json!({"kind": "resource", "type": "patient", "id": "x"})
        );
        assert_eq!(receipts[0]["state"], "succeeded");
        instant(&receipts[0]["completedAt"]);
    }
}

/// "`eta` is a real estimate: ... never in the past while unfinished."
async fn a_waiting_task_has_an_estimate_that_is_not_in_the_past(tenant: &Tenant) {
    let api = &tenant.api;
    pause(api, true).await;
    let task = api
        .put(&resource("patient/x"), json!({"data": {}}))
        .later()
        .await
        .is(202)
        .task();
    let look = async || api.get(&format!("/ops/v1/tasks/{task}")).await.is(200).json();
    let mut now = instant(&look().await["acceptedAt"]);
    let accepted = now;
    // Long past the first estimate, which thought that somebody was at work.
    while now < accepted + Duration::milliseconds(1500) {
        let probe = api.put(&resource("probe/x"), json!({"data": {}})).await.json();
        now = instant(&probe["resource"]["meta"]["updatedAt"]);
        let seen = look().await;
        assert_eq!(seen["state"], "queued");
        assert!(instant(&seen["eta"]) >= now, "at {now}: {seen}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// "newest first"; "Lists are paged by cursor: `?limit=` (1 to 200, default 50) and `?cursor=`; the answer has `items` and,
/// when there is more, `next`."
async fn tasks_are_listed_newest_first_in_pages(tenant: &Tenant) {
    let api = &tenant.api;
    let mut made = Vec::new();
    for n in 0..53 {
        let call = api.put(&resource(&format!("patient/{n}")), json!({"data": {}}));
        let task = if n % 3 == 0 {
            call.later().await.is(202)
        } else {
            call.await.is(201)
        };
        made.push(uuid(&task.task()));
    }
    made.reverse();
    let first = api.get("/ops/v1/tasks").await.is(200).json();
    assert_eq!(
        ids(first["items"].as_array().unwrap()),
        made[..50],
        "newest first, 50 unless told otherwise"
    );
    let next = first["next"].as_str().unwrap();
    assert_eq!(ids(&items(api, &format!("cursor={next}")).await), made[50..]);
    for limit in [1, 7, 53, 200] {
        let mut found = Vec::new();
        let mut query = format!("limit={limit}");
        loop {
            let page = api.get(&format!("/ops/v1/tasks?{query}")).await.is(200).json();
            found.extend(ids(page["items"].as_array().unwrap()));
            let Some(next) = page["next"].as_str() else { break };
            query = format!("limit={limit}&cursor={next}");
        }
        assert_eq!(found, made, "limit {limit}");
    }
}

/// "filter by `state`, `kind`, `patient` (UUID or `wmdaId`), `since`, `until`".
async fn tasks_are_filtered_by_state_kind_and_time(tenant: &Tenant) {
    let api = &tenant.api;
    let succeeded = uuid(
        &api.put(&resource("patient/x"), json!({"data": {}}))
            .await
            .is(201)
            .task(),
    );
    let failed = api
        .delete(&resource("patient/missing"))
        .later()
        .await
        .is(202)
        .task();
    ended(api, &failed).await;
    pause(api, true).await;
    let cancelled = api
        .put(&resource("patient/y"), json!({"data": {}}))
        .later()
        .await
        .is(202)
        .task();
    api.call(Method::POST, &format!("/ops/v1/tasks/{cancelled}/cancel"))
        .await
        .is(200);
    let queued = uuid(
        &api.put(&resource("patient/z"), json!({"data": {}}))
            .later()
            .await
            .is(202)
            .task(),
    );
    let (failed, cancelled) = (uuid(&failed), uuid(&cancelled));
    let all = [&queued, &cancelled, &failed, &succeeded].map(String::clone);

    for (query, expected) in [
        ("state=succeeded", vec![&succeeded]),
        ("state=failed", vec![&failed]),
        ("state=cancelled", vec![&cancelled]),
        ("state=queued", vec![&queued]),
        ("state=running", vec![]),
        ("state=held", vec![]),
        ("state=retry_scheduled", vec![]),
        ("kind=registry.write", all.iter().collect()),
        ("kind=registry.write&state=failed&limit=1", vec![&failed]),
    ] {
        assert_eq!(
            ids(&items(api, query).await),
            expected.into_iter().cloned().collect::<Vec<_>>(),
            "{query}"
        );
    }
    for task in items(api, "").await {
        let at = instant(&task["acceptedAt"]);
        let (before, after) = (
            rfc3339(at - Duration::milliseconds(1)),
            rfc3339(at + Duration::milliseconds(1)),
        );
        let id = task["id"].as_str().unwrap().to_owned();
        let within = ids(&items(api, &format!("since={before}&until={after}")).await);
        assert!(within.contains(&id), "{task}: {within:?}");
        let outside = [format!("until={before}"), format!("since={after}")];
        for query in outside {
            assert!(!ids(&items(api, &query).await).contains(&id), "{query}: {task}");
        }
    }
    let far = items(
        api,
        "since=2000-01-01T00:00:00Z&until=2999-01-01T00:00:00%2B02:00",
    )
    .await;
    assert_eq!(ids(&far), all);
    // A patient that no task is about, and one that is not there.
    let patient = api.post("/ops/v1/patients", json!({})).await.is(201).json();
    for reference in [
        patient["id"].as_str().unwrap(),
        &patient["wmdaId"].to_string(),
        "100000",
    ] {
        assert_eq!(
            items(api, &format!("patient={reference}")).await,
            Vec::<Value>::new()
        );
    }
}

async fn a_filter_that_makes_no_sense_is_refused(tenant: &Tenant) {
    for query in [
        "state=done",
        "state=",
        "state=SUCCEEDED",
        "kind=tea",
        "since=yesterday",
        "until=2026-13-01T00:00:00Z",
        "since=2026-01-01",
        "patient=Ada",
        "patient=5",
        "cursor=x",
        "limit=0",
        "limit=201",
        "limit=ten",
    ] {
        let problem = tenant
            .api
            .get(&format!("/ops/v1/tasks?{query}"))
            .await
            .problem(400)
            .json();
        let name = query.split('=').next().unwrap();
        assert!(
            problem.to_string().contains(name),
            "it does not name {name}: {problem}"
        );
    }
    for id in [
        "x",
        "s_",
        "0197a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5",
        "s_0197a1b2c3d47e5f8a9b0c1d2e3f4a5b",
    ] {
        tenant.api.get(&format!("/ops/v1/tasks/{id}")).await.problem(404);
    }
}

/// common.md: "A broken task keeps its last error and may be retried by an operator"; "A refusal is never retried";
/// "else 409".
async fn only_a_broken_task_can_be_retried(tenant: &Tenant) {
    let api = &tenant.api;
    let retry = |task: &str| api.call(Method::POST, &format!("/ops/v1/tasks/{task}/retry"));
    let succeeded = api
        .put(&resource("patient/x"), json!({"data": {}}))
        .await
        .is(201)
        .task();
    let refused = api
        .delete(&resource("patient/missing"))
        .later()
        .await
        .is(202)
        .task();
    ended(api, &refused).await;
    pause(api, true).await;
    let queued = api
        .put(&resource("patient/y"), json!({"data": {}}))
        .later()
        .await
        .is(202)
        .task();
    let before = items(api, "").await.len();
    for task in [&succeeded, &refused, &queued] {
        retry(task).await.problem(409);
    }
    retry("s_0197a1b2c3d47e5f8a9b0c1d2e3f4a5b").await.problem(404);
    assert_eq!(items(api, "").await.len(), before, "no task came of it");
}
