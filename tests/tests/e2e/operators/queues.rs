//! How each kind of work stands; pause and resume.

use crate::e2e::harness::tenant::{ended, pause, resource};
use crate::e2e::harness::{Api, Journey, Tenant, tenant_journey};
use reqwest::Method;
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(the_figures_tell_what_waits_and_what_was_done),
        tenant_journey!(a_paused_kind_is_not_taken_until_it_is_resumed),
        tenant_journey!(a_kind_that_is_none_is_not_found),
    ]
}

async fn figures(api: &Api) -> Value {
    let items = api.get("/ops/v1/queues").await.is(200).json()["items"].clone();
    let found = items
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["kind"] == "registry.write")
        .cloned();
    found.unwrap_or_else(|| panic!("no registry.write in {items}"))
}

/// "GET `/queues`: per kind: queued, running, held, retrying, oldest waiting age, rate of the last minute, failures".
async fn the_figures_tell_what_waits_and_what_was_done(tenant: &Tenant) {
    let api = &tenant.api;
    for n in 0..4 {
        let task = api
            .put(&resource(&format!("patient/{n}")), json!({"data": {}}))
            .later()
            .await
            .is(202)
            .task();
        ended(api, &task).await;
    }
    let failed = api
        .delete(&resource("patient/missing"))
        .later()
        .await
        .is(202)
        .task();
    ended(api, &failed).await;
    let quiet = figures(api).await;
    for (name, value) in [
        ("paused", json!(false)),
        ("queued", json!(0)),
        ("running", json!(0)),
        ("held", json!(0)),
        ("retrying", json!(0)),
        ("endedLastMinute", json!(5)),
        ("failed", json!(1)),
    ] {
        assert_eq!(quiet[name], value, "{name} of {quiet}");
    }
    assert!(quiet.get("oldestWaitingMs").is_none(), "{quiet}");
    assert!(
        (quiet["perSecond"].as_f64().unwrap() - 5.0 / 60.0).abs() < 0.001,
        "{quiet}"
    );

    pause(api, true).await;
    for n in 0..3 {
        api.put(&resource(&format!("patient/w{n}")), json!({"data": {}}))
            .later()
            .await
            .is(202);
    }
    let waiting = figures(api).await;
    assert_eq!(
        (&waiting["paused"], &waiting["queued"]),
        (&json!(true), &json!(3))
    );
    let first = waiting["oldestWaitingMs"].as_u64().unwrap();
    assert!(first < 60_000, "{waiting}");
    let second = figures(api).await["oldestWaitingMs"].as_u64().unwrap();
    assert!(second >= first, "it only gets older");
}

/// "POST `/queues/{kind}/pause`, `/resume`: workers stop, start taking that kind".
async fn a_paused_kind_is_not_taken_until_it_is_resumed(tenant: &Tenant) {
    let (api, other) = (&tenant.api, &Tenant::on(&tenant.root, json!({})).await.api);
    for _ in 0..3 {
        pause(api, true).await;
        pause(api, true).await;
        let waiting = api
            .put(&resource("patient/x"), json!({"data": {}}))
            .later()
            .await
            .is(202)
            .task();
        // The workers had a good look round in the meantime: they did what others had for them.
        for _ in 0..5 {
            let task = other
                .put(&resource("patient/x"), json!({"data": {}}))
                .later()
                .await
                .is(202)
                .task();
            assert_eq!(ended(other, &task).await["status"], "SUCCESS");
        }
        let seen = api.get(&format!("/ops/v1/tasks/{waiting}")).await.is(200).json();
        assert_eq!(
            (&seen["state"], &seen["attempts"]),
            (&json!("queued"), &json!([]))
        );
        assert_eq!(figures(api).await["queued"], 1);
        // What is done at once needs no worker.
        api.put(&resource("patient/y"), json!({"data": {}})).await;
        api.get(&resource("patient/y")).await.is(200);
        pause(api, false).await;
        assert_eq!(ended(api, &waiting).await["status"], "SUCCESS");
        assert_eq!(figures(api).await["paused"], false);
    }
}

async fn a_kind_that_is_none_is_not_found(tenant: &Tenant) {
    for kind in ["tea", "registry", "registry.write.x", "REGISTRY.WRITE", "%00"] {
        for what in ["pause", "resume"] {
            tenant
                .api
                .call(Method::POST, &format!("/ops/v1/queues/{kind}/{what}"))
                .await
                .problem(404);
        }
    }
    tenant
        .api
        .call(Method::POST, "/ops/v1/queues/registry.write/stop")
        .await
        .problem(404);
    let answer = tenant
        .api
        .get("/ops/v1/queues/registry.write/pause")
        .await
        .problem(405);
    assert_eq!(answer.header("allow"), "POST, OPTIONS");
}
