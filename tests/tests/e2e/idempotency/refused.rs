//! Keys that are none, that stand for something else, that are still in use; and refusals told again.

use super::{KEY, is_replayed, said, twice};
use crate::e2e::harness::tenant::resource;
use crate::e2e::harness::{Journey, Tenant, tenant_journey};
use reqwest::Method;
use serde_json::json;

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(a_key_stands_for_one_request),
        tenant_journey!(a_key_is_the_callers_own),
        tenant_journey!(a_key_is_of_its_workspace),
        tenant_journey!(what_is_no_key_is_refused_after_who_asks),
        tenant_journey!(what_was_decided_is_told_again),
        tenant_journey!(what_was_never_decided_leaves_the_key_free),
    ]
}

/// "same key and another request gives 422", in the dialect's own shape.
async fn a_key_stands_for_one_request(tenant: &Tenant) {
    let api = &tenant.api;
    let path = resource("patient/x");
    api.put(&path, json!({"data": {"n": 1}}))
        .header(KEY, "k")
        .await
        .is(201);
    for other in [
        api.put(&path, json!({"data": {"n": 2}})),
        api.put(&path, r#"{"data": {"n":1}}"#),
        api.put(&resource("patient/y"), json!({"data": {"n": 1}})),
        api.put(&format!("{path}?a=b"), json!({"data": {"n": 1}})),
        api.post(&resource("patient"), json!({"data": {"n": 1}})),
        api.delete(&path),
    ] {
        let refused = other.header(KEY, "k").await;
        let refused = refused.refused(422, "FAILED_PRECONDITION", &[]);
        assert!(!is_replayed(&refused));
    }
    let ops = api.call(Method::POST, "/ops/v1/queues/registry.write/pause");
    ops.header(KEY, "k").await.problem(422);
    assert_eq!(api.get(&path).await.is(200).json()["data"]["n"], 1);
    api.get(&resource("patient/y")).await.is(404);
    // The first one is still there to be told.
    let again = api
        .put(&path, json!({"data": {"n": 1}}))
        .header(KEY, "k")
        .await
        .is(201);
    assert!(is_replayed(&again));
}

/// Another principal is not shown what was answered to the first, whatever they may do.
async fn a_key_is_the_callers_own(tenant: &Tenant) {
    let path = resource("patient/x");
    let body = json!({"data": {"for": "the first only"}});
    tenant.api.put(&path, &body).header(KEY, "k").await.is(201);
    let other = tenant.limited(&["registry:write"]).await;
    let refused = other.put(&path, &body).header(KEY, "k").await;
    assert!(!refused.text.contains("the first only"));
    refused.refused(422, "FAILED_PRECONDITION", &[]);
    let reader = tenant.limited(&["registry:read"]).await;
    reader
        .put(&path, &body)
        .header(KEY, "k")
        .await
        .error(403, "PERMISSION_DENIED");
}

async fn a_key_is_of_its_workspace(tenant: &Tenant) {
    let other = Tenant::on(&tenant.root, json!({})).await;
    let path = resource("patient/x");
    for api in [&tenant.api, &other.api] {
        let made = twice(|| api.put(&path, json!({"data": {"n": 1}})), "k")
            .await
            .is(201);
        assert_eq!(api.get(&path).await.is(200).etag(), made.etag());
    }
}

async fn what_is_no_key_is_refused_after_who_asks(tenant: &Tenant) {
    let path = resource("patient/x");
    let body = json!({"data": {}});
    let longest = "k".repeat(255);
    for bad in ["", "a b", "\u{e9}", &format!("{longest}k")] {
        let refused = tenant.api.put(&path, &body).header(KEY, bad).await;
        refused.refused(400, "INVALID_ARGUMENT", &[("header.Idempotency-Key", "pattern")]);
        let ops = tenant.api.post("/ops/v1/patients", json!({}));
        ops.header(KEY, bad).await.problem(400);
        let nobody = tenant.api.with_key(None);
        nobody
            .put(&path, &body)
            .header(KEY, bad)
            .await
            .error(401, "UNAUTHENTICATED");
    }
    let two = tenant
        .api
        .put(&path, &body)
        .header(KEY, "a")
        .header(KEY, "b")
        .await;
    two.refused(400, "INVALID_ARGUMENT", &[("header.Idempotency-Key", "pattern")]);
    tenant.api.get(&path).await.is(404);
    twice(|| tenant.api.put(&path, &body), &longest).await.is(201);
}

/// A refusal that the state of the system decided is an answer like any other.
async fn what_was_decided_is_told_again(tenant: &Tenant) {
    let api = &tenant.api;
    let path = resource("patient/xx");
    let etag = api.put(&path, json!({"data": {"n": 1}})).await.is(201).etag();
    let create = || api.post(&resource("patient"), json!({"id": "xx", "data": {}}));
    let refused = twice(create, "k-1").await.error(409, "ALREADY_EXISTS");
    let if_match = || {
        api.put(&path, json!({"data": {"n": 2}}))
            .header("If-Match", "\"other\"")
    };
    twice(if_match, "k-2").await.error(412, "FAILED_PRECONDITION");
    let missing = || api.delete(&resource("patient/nobody"));
    twice(missing, "k-3").await.error(404, "NOT_FOUND");
    let workspace = || {
        tenant
            .root
            .post("/ops/v1/workspaces", json!({"key": tenant.workspace}))
    };
    twice(workspace, &format!("{}-taken", tenant.workspace))
        .await
        .problem(409);
    assert_eq!(api.get(&path).await.is(200).etag(), etag);

    // Even when it would be decided otherwise now.
    api.delete(&path).await.is(200);
    let still = create().header(KEY, "k-1").await;
    assert!(is_replayed(&still));
    assert_eq!(said(&still), said(&refused));
    create().header(KEY, "k-4").await.is(201);
}

/// What is wrong whatever the state, and what may not be asked, takes no key.
async fn what_was_never_decided_leaves_the_key_free(tenant: &Tenant) {
    let api = &tenant.api;
    let path = resource("patient/x");
    for _ in 0..2 {
        let malformed = api.put(&path, "{").header(KEY, "k").await;
        assert!(!is_replayed(&malformed));
        malformed.error(400, "INVALID_ARGUMENT");
        let reader = tenant.limited(&["registry:read"]).await;
        let denied = reader.put(&path, json!({"data": {}})).header(KEY, "k").await;
        denied.error(403, "PERMISSION_DENIED");
    }
    twice(|| api.put(&path, json!({"data": {}})), "k").await.is(201);
}
