//! ETags, `If-Match` and `If-None-Match` (section 1, concurrency).

use crate::e2e::harness::tenant::resource;
use crate::e2e::harness::{Journey, Tenant, tenant_journey};
use serde_json::json;

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(an_etag_is_strong_and_new_with_every_change),
        tenant_journey!(if_match_lets_the_named_version_through_and_no_other),
        tenant_journey!(if_match_any_wants_a_record),
        tenant_journey!(if_none_match_wants_none),
        tenant_journey!(a_failing_condition_changes_nothing),
    ]
}

const FAILED: &str = "FAILED_PRECONDITION";

/// "One-record answers (GET, POST, PUT, PATCH) have a strong `ETag`, new with every change of the record".
async fn an_etag_is_strong_and_new_with_every_change(tenant: &Tenant) {
    let path = resource("patient/x1");
    let mut seen = vec![
        tenant
            .api
            .post(&resource("patient"), json!({"id": "x1", "data": {}}))
            .await
            .is(201)
            .etag(),
    ];
    for n in 0..5 {
        // The same content again is a change as well.
        seen.push(
            tenant
                .api
                .put(&path, json!({"data": {"n": n / 2}}))
                .await
                .is(200)
                .etag(),
        );
        assert_eq!(tenant.api.get(&path).await.is(200).etag(), seen[seen.len() - 1]);
    }
    tenant.api.delete(&path).await.is(200);
    seen.push(tenant.api.put(&path, json!({"data": {}})).await.is(201).etag());
    let mut different = seen.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), seen.len(), "an ETag came back: {seen:?}");
}

/// "`If-Match: "<etag>"` on PUT, DELETE that do not hold: 412."
async fn if_match_lets_the_named_version_through_and_no_other(tenant: &Tenant) {
    let path = resource("patient/x");
    let first = tenant
        .api
        .put(&path, json!({"data": {"n": 1}}))
        .await
        .is(201)
        .etag();
    let put = |etag: &str| {
        tenant
            .api
            .put(&path, json!({"data": {"n": 2}}))
            .header("If-Match", etag)
    };
    let second = put(&first).await.is(200).etag();
    for stale in [first.as_str(), "\"nonsense\"", "\"\""] {
        put(stale).await.refused(412, FAILED, &[]);
        tenant
            .api
            .delete(&path)
            .header("If-Match", stale)
            .await
            .refused(412, FAILED, &[]);
    }
    // A list holds if one of it does.
    put(&format!("\"nonsense\", {second}")).await.is(200);
    let third = tenant.api.get(&path).await.is(200).etag();
    tenant.api.delete(&path).header("If-Match", &third).await.is(200);
    put(&third).await.refused(412, FAILED, &[]);
}

/// "`If-Match: *`".
async fn if_match_any_wants_a_record(tenant: &Tenant) {
    let path = resource("patient/x");
    let put = || tenant.api.put(&path, json!({"data": {}})).header("If-Match", "*");
    put().await.refused(412, FAILED, &[]);
    tenant.api.get(&path).await.refused(404, "NOT_FOUND", &[]);
    tenant.api.put(&path, json!({"data": {}})).await.is(201);
    put().await.is(200);
    tenant.api.delete(&path).header("If-Match", "*").await.is(200);
    put().await.refused(412, FAILED, &[]);
}

/// "`If-None-Match: *` on PUT".
async fn if_none_match_wants_none(tenant: &Tenant) {
    let path = resource("patient/x");
    let put = || {
        tenant
            .api
            .put(&path, json!({"data": {}}))
            .header("If-None-Match", "*")
    };
    put().await.is(201);
    put().await.refused(412, FAILED, &[]);
    tenant.api.delete(&path).await.is(200);
    put().await.is(201);
}

/// 13.20: "A write with an `If-Match` that does not hold has no effect".
async fn a_failing_condition_changes_nothing(tenant: &Tenant) {
    let path = resource("patient/x");
    tenant
        .api
        .put(&path, json!({"data": {"kept": true}}))
        .await
        .is(201);
    let before = tenant.api.get(&path).await.is(200);
    let other = json!({"data": {"kept": false}});
    tenant
        .api
        .put(&path, &other)
        .header("If-Match", "\"0\"")
        .await
        .refused(412, FAILED, &[]);
    tenant
        .api
        .put(&path, &other)
        .header("If-None-Match", "*")
        .await
        .refused(412, FAILED, &[]);
    tenant
        .api
        .delete(&path)
        .header("If-Match", "\"0\"")
        .await
        .refused(412, FAILED, &[]);
    let after = tenant.api.get(&path).await.is(200);
    assert_eq!((after.etag(), after.text.clone()), (before.etag(), before.text));
    // Neither a source nor a type comes of it.
    let nowhere = "/sources/nowhere/v1/resources/nothing/x";
    tenant
        .api
        .put(nowhere, &other)
        .header("If-Match", "*")
        .await
        .error(412, FAILED);
    tenant
        .api
        .get("/catalog/v1/sources/nowhere")
        .await
        .refused(404, "NOT_FOUND", &[]);
}
