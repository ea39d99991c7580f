//! Contained resources that come with their root (section 5 and 6).

use crate::e2e::harness::tenant::resource;
use crate::e2e::harness::{Journey, Tenant, assert_made_id, tenant_journey};
use serde_json::json;

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(ids_are_kept_and_made_where_absent),
        tenant_journey!(order_and_nesting_are_kept),
        tenant_journey!(ids_are_unique_within_their_array_and_well_formed),
    ]
}

/// Section 6: "ids are unique within their array and made if absent".
async fn ids_are_kept_and_made_where_absent(tenant: &Tenant) {
    let body = json!({"data": {}, "contained": {"contacts": [
        {"type": "contact", "data": {"n": 1}},
        {"id": "x", "type": "contact", "data": {"n": 2}},
        {"type": "contact", "data": {"n": 3}, "contained": {"phones": [{"type": "phone", "data": {}}]}}]}});
    for method in ["PUT", "POST"] {
        let written = match method {
            "PUT" => tenant.api.put(&resource("patient/one"), &body).await.is(201),
            _ => tenant.api.post(&resource("patient"), &body).await.is(201),
        };
        let read = tenant.api.get(written.header("location")).await.is(200).json();
        assert_eq!(
            read,
            written.json()["resource"],
            "{method}: made ids never change"
        );
        let contacts = &read["contained"]["contacts"];
        assert_eq!(
            contacts[1],
            json!({"id": "x", "type": "contact", "data": {"n": 2}})
        );
        let phone = &contacts[2]["contained"]["phones"][0];
        for made in [&contacts[0]["id"], &contacts[2]["id"], &phone["id"]] {
            assert_made_id(made.as_str().unwrap());
        }
        assert_ne!(contacts[0]["id"], contacts[2]["id"]);
    }
}

/// Section 6: "`contained` maps each contain key to an array (also for `0:1`) of `{id, type, data, contained?}`."
async fn order_and_nesting_are_kept(tenant: &Tenant) {
    let item = |id: &str| json!({"id": id, "type": "t", "data": {"of": id}});
    let mut nested = item("leaf");
    for level in 0..8 {
        let id = format!("level-{level}");
        nested = json!({"id": id, "type": "t", "data": {}, "contained": {"inner": [nested]}});
    }
    let contained = json!({"zeta": [item("3"), item("1"), item("2")], "alpha": [nested]});
    let path = resource("patient/deep");
    tenant
        .api
        .put(&path, json!({"data": {}, "contained": contained}))
        .await
        .is(201);
    let read = tenant.api.get(&path).await.is(200);
    assert_eq!(read.json()["contained"], contained);
    assert!(
        read.text.find("zeta") < read.text.find("alpha"),
        "members keep their order: {}",
        read.text
    );
    // Versioned with the root: another contained resource is another ETag.
    let changed = json!({"data": {}, "contained": {"zeta": [item("9")]}});
    let replaced = tenant.api.put(&path, changed).await.is(200);
    assert_ne!(replaced.etag(), read.etag());
}

/// Section 6: "(`duplicate`)"; section 1: "contained id: the same, but one character suffices".
async fn ids_are_unique_within_their_array_and_well_formed(tenant: &Tenant) {
    let path = resource("patient/x");
    let with = |ids: &[&str]| {
        let items: Vec<_> = ids
            .iter()
            .map(|id| json!({"id": id, "type": "t", "data": {}}))
            .collect();
        json!({"data": {}, "contained": {"first": items, "second": [{"id": "same", "type": "t", "data": {}}]}})
    };
    tenant
        .api
        .put(&path, with(&["same", "1", "-", &"x".repeat(93)]))
        .await
        .is(201);
    let refused = |ids: &'static [&'static str], found: &'static [(&'static str, &'static str)]| {
        let call = tenant.api.put(&path, with(ids));
        async move { call.await.refused(400, "INVALID_ARGUMENT", found) }
    };
    refused(&["a", "b", "a"], &[("$.contained.first[2].id", "duplicate")]).await;
    refused(&["a.b"], &[("$.contained.first[0].id", "pattern")]).await;
    refused(
        &["ok", "_a", ""],
        &[
            ("$.contained.first[1].id", "pattern"),
            ("$.contained.first[2].id", "pattern"),
        ],
    )
    .await;
    let nested = json!({"data": {}, "contained": {"first": [{"id": "p", "type": "t", "data": {},
        "contained": {"inner": [{"id": "q", "type": "t", "data": {}}, {"id": "q", "type": "t", "data": {}}]}}]}});
    tenant.api.put(&path, nested).await.refused(
        400,
        "INVALID_ARGUMENT",
        &[("$.contained.first[0].contained.inner[1].id", "duplicate")],
    );
}
