//! Sources, and what open profiles make of unknown ones (section 3).

use crate::e2e::harness::tenant::resource;
use crate::e2e::harness::{Journey, Tenant, tenant_journey};
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(a_source_is_put_once_and_read_back),
        tenant_journey!(sources_are_listed_by_key),
        tenant_journey!(bad_sources_are_refused),
        tenant_journey!(a_write_makes_an_unknown_source_and_an_open_type),
        tenant_journey!(without_open_profiles_an_unknown_source_is_not_found),
    ]
}

/// "PUT: 201 or 200, answer `{"key": "northclinic", "type": "registry"}`"; "GET: the same".
async fn a_source_is_put_once_and_read_back(tenant: &Tenant) {
    let path = "/catalog/v1/sources/southclinic";
    let source = json!({"key": "southclinic", "type": "registry"});
    let created = tenant.api.put(path, json!({"type": "registry"})).await.is(201);
    assert_eq!(created.json(), source);
    assert_eq!(
        tenant
            .api
            .put(path, json!({"type": "registry"}))
            .await
            .is(200)
            .json(),
        source
    );
    assert_eq!(tenant.api.get(path).await.is(200).json(), source);
}

/// "GET `/catalog/v1/sources`: `{"items": [...], "next"?}` by key, with `limit` and `cursor` as in section 5".
async fn sources_are_listed_by_key(tenant: &Tenant) {
    assert_eq!(
        tenant.api.get("/catalog/v1/sources").await.is(200).json(),
        json!({"items": []})
    );
    for key in ["b", "a", "C", "-"] {
        tenant
            .api
            .put(&format!("/catalog/v1/sources/{key}"), json!({"type": "registry"}))
            .await
            .is(201);
    }
    tenant
        .api
        .put("/sources/made/v1/resources/patient/x", json!({"data": {}}))
        .await
        .is(201);
    let item = |key: &str| json!({"key": key, "type": "registry"});
    let all: Vec<Value> = ["-", "C", "a", "b", "made"].map(item).into();
    assert_eq!(
        tenant.api.get("/catalog/v1/sources").await.is(200).json(),
        json!({"items": all})
    );
    let first = tenant.api.get("/catalog/v1/sources?limit=3").await.is(200).json();
    assert_eq!(first["items"], json!(all[..3]));
    let rest = format!(
        "/catalog/v1/sources?limit=3&cursor={}",
        first["next"].as_str().unwrap()
    );
    assert_eq!(
        tenant.api.get(&rest).await.is(200).json(),
        json!({"items": all[3..]})
    );
}

/// "body `{"type": "registry"}`, the only type"; section 12.
async fn bad_sources_are_refused(tenant: &Tenant) {
    let path = "/catalog/v1/sources/x";
    let wrong: &[(Value, &[(&str, &str)])] = &[
        (json!({}), &[("$.type", "required")]),
        (json!({"type": "lake"}), &[("$.type", "enum")]),
        (json!({"type": 5}), &[("$.type", "type")]),
        (json!({"type": "registry", "name": "x"}), &[("$.name", "unknown")]),
        (
            json!({"type": "lake", "name": "x"}),
            &[("$.type", "enum"), ("$.name", "unknown")],
        ),
        (json!([]), &[("$", "type")]),
    ];
    for (body, found) in wrong {
        tenant
            .api
            .put(path, body)
            .await
            .refused(400, "INVALID_ARGUMENT", found);
    }
    for key in ["_x", "a.b", "bulk", &"x".repeat(63)] {
        let path = format!("/catalog/v1/sources/{key}");
        let refused = tenant.api.put(&path, json!({"type": "registry"})).await;
        refused.refused(400, "INVALID_ARGUMENT", &[("path.sourceKey", "pattern")]);
        tenant.api.get(&path).await.error(404, "NOT_FOUND");
    }
    assert_eq!(
        tenant.api.get("/catalog/v1/sources").await.is(200).json(),
        json!({"items": []})
    );
}

/// "`true`: a write that creates something in an unknown source creates the source; one of an unknown type creates an
/// open definition. It reads as `{"key", "type": "ROOT", "properties": {}, "open": true}`".
async fn a_write_makes_an_unknown_source_and_an_open_type(tenant: &Tenant) {
    let source = json!({"key": "northclinic", "type": "registry"});
    tenant
        .api
        .get("/catalog/v1/sources/northclinic")
        .await
        .refused(404, "NOT_FOUND", &[]);
    tenant
        .api
        .put(&resource("patient/x"), json!({"data": {"any": ["thing"]}}))
        .await
        .is(201);
    assert_eq!(
        tenant
            .api
            .get("/catalog/v1/sources/northclinic")
            .await
            .is(200)
            .json(),
        source
    );
    tenant
        .api
        .post(&resource("visit"), json!({"data": {}}))
        .await
        .is(201);
    for key in ["patient", "visit"] {
        let profile = tenant
            .api
            .get(&format!("/sources/northclinic/v1/profiles/{key}"))
            .await
            .is(200)
            .json();
        assert_eq!(
            profile,
            json!({"key": key, "type": "ROOT", "properties": {}, "open": true})
        );
    }
    tenant
        .api
        .get("/sources/northclinic/v1/profiles/other")
        .await
        .refused(404, "NOT_FOUND", &[]);
    // The type stays when its last record goes.
    tenant.api.delete(&resource("patient/x")).await.is(200);
    assert_eq!(
        tenant.api.get(&resource("patient")).await.is(200).json(),
        json!({"items": []})
    );
}

/// "`false`: an unknown source or type is NOT_FOUND."
async fn without_open_profiles_an_unknown_source_is_not_found(tenant: &Tenant) {
    let closed = Tenant::on(&tenant.root, json!({"registry.open_profiles": false})).await;
    let body = json!({"data": {}});
    let refused = async || {
        for later in [false, true] {
            let prefer = |call: crate::e2e::harness::api::Call| if later { call.later() } else { call };
            let answers = [
                prefer(closed.api.put(&resource("patient/x"), &body)).await,
                prefer(closed.api.post(&resource("patient"), &body)).await,
                prefer(closed.api.delete(&resource("patient/x"))).await,
            ];
            for answer in answers {
                // Also before a 202: "the source and type named by the path are checked".
                answer.refused(404, "NOT_FOUND", &[]);
            }
        }
        closed
            .api
            .get(&resource("patient/x"))
            .await
            .refused(404, "NOT_FOUND", &[]);
    };
    refused().await;
    closed
        .api
        .get("/catalog/v1/sources/northclinic")
        .await
        .refused(404, "NOT_FOUND", &[]);
    closed
        .api
        .put("/catalog/v1/sources/northclinic", json!({"type": "registry"}))
        .await
        .is(201);
    refused().await;
    // Its neighbour on the same server keeps the default.
    tenant.api.put(&resource("patient/x"), &body).await.is(201);
}
