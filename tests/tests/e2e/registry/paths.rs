//! Paths, methods and content types: what is there, what is not, what is left out on purpose.

use crate::e2e::harness::tenant::{resource, task_path};
use crate::e2e::harness::{Journey, Tenant, tenant_journey};
use reqwest::Method;
use serde_json::json;

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(names_in_a_put_path_follow_their_patterns),
        tenant_journey!(what_cannot_be_an_id_is_not_found_by_reads_and_deletes),
        tenant_journey!(a_method_that_a_path_lacks_is_405_with_allow),
        tenant_journey!(a_path_that_is_not_there_is_404),
        tenant_journey!(excluded_features_are_501_once_authenticated),
        tenant_journey!(only_json_is_a_content_type),
        tenant_journey!(unknown_query_parameters_are_ignored),
        tenant_journey!(the_request_id_is_taken_over_or_made),
    ]
}

const INVALID: &str = "INVALID_ARGUMENT";

/// Section 1, forms; section 12: "key or id against its pattern (PUT path, ...): 400"; "the key `bulk` is refused";
/// section 2: "`path.id` (the name in the path template)".
async fn names_in_a_put_path_follow_their_patterns(tenant: &Tenant) {
    let body = json!({"data": {}});
    for id in ["x", "-", "A_b-9", &"x".repeat(93)] {
        tenant
            .api
            .put(&resource(&format!("patient/{id}")), &body)
            .await
            .is(201);
    }
    for id in ["_x", "a.b", "a%20b", "%C3%A9", "a%2Fb", "a:b:c", &"x".repeat(94)] {
        let path = resource(&format!("patient/{id}"));
        tenant
            .api
            .put(&path, &body)
            .await
            .refused(400, INVALID, &[("path.id", "pattern")]);
        tenant
            .api
            .put(&path, &body)
            .later()
            .await
            .refused(400, INVALID, &[("path.id", "pattern")]);
    }
    for key in ["_x", "a.b", "a%20b", "%C3%A9", &"x".repeat(63)] {
        let path = resource(&format!("{key}/x"));
        tenant
            .api
            .put(&path, &body)
            .await
            .refused(400, INVALID, &[("path.resourceType", "pattern")]);
        let path = format!("/sources/{key}/v1/resources/patient/x");
        tenant
            .api
            .put(&path, &body)
            .await
            .refused(400, INVALID, &[("path.sourceKey", "pattern")]);
    }
    let bulk = "/sources/bulk/v1/resources/patient/x";
    tenant
        .api
        .put(bulk, &body)
        .await
        .refused(400, INVALID, &[("path.sourceKey", "pattern")]);
    tenant
        .api
        .put(
            &format!("/sources/{}/v1/resources/{}/x", "k".repeat(62), "-"),
            &body,
        )
        .await
        .is(201);
}

/// Section 12: "id against its pattern in a GET, PATCH or DELETE path; malformed task id: 404".
async fn what_cannot_be_an_id_is_not_found_by_reads_and_deletes(tenant: &Tenant) {
    tenant
        .api
        .put(&resource("patient/x"), json!({"data": {}}))
        .await
        .is(201);
    for id in ["_x", "a.b", "a%20b", "%C3%A9", "X", "%78%00", &"x".repeat(94)] {
        tenant
            .api
            .get(&resource(&format!("patient/{id}")))
            .await
            .error(404, "NOT_FOUND");
        tenant
            .api
            .delete(&resource(&format!("patient/{id}")))
            .await
            .error(404, "NOT_FOUND");
    }
    let task = tenant
        .api
        .put(&resource("patient/x"), json!({"data": {}}))
        .await
        .is(200)
        .task();
    let digits = task.trim_start_matches("s_");
    let nobody = "s_0197a1b2c3d47e5f8a9b0c1d2e3f4a5b";
    let shouted = format!("s_{}", digits.to_uppercase());
    for id in [
        "x",
        "s_",
        nobody,
        &format!("bk_{digits}"),
        &format!("{task}0"),
        digits,
        &shouted,
    ] {
        tenant
            .api
            .get(&task_path(id))
            .await
            .refused(404, "NOT_FOUND", &[]);
    }
}

/// Section 2: "405 with `Allow` for a method the path lacks", `UNIMPLEMENTED`.
async fn a_method_that_a_path_lacks_is_405_with_allow(tenant: &Tenant) {
    let task = tenant
        .api
        .put(&resource("patient/x"), json!({"data": {}}))
        .await
        .is(201)
        .task();
    let lacking = [
        (
            resource("patient"),
            vec!["PUT", "PATCH", "DELETE"],
            vec!["GET", "POST"],
        ),
        (
            resource("patient/x"),
            vec!["POST", "PATCH"],
            vec!["GET", "PUT", "DELETE"],
        ),
        (
            task_path(&task),
            vec!["PUT", "POST", "PATCH", "DELETE"],
            vec!["GET"],
        ),
        (
            "/catalog/v1/sources".to_owned(),
            vec!["PUT", "POST", "DELETE"],
            vec!["GET"],
        ),
        (
            "/catalog/v1/sources/x".to_owned(),
            vec!["POST", "PATCH", "DELETE"],
            vec!["GET", "PUT"],
        ),
    ];
    for (path, methods, allowed) in lacking {
        for method in methods {
            let call = tenant
                .api
                .call(Method::from_bytes(method.as_bytes()).unwrap(), &path);
            let answer = call
                .json(json!({"data": {}}))
                .await
                .refused(405, "UNIMPLEMENTED", &[]);
            let mut allow: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
            allow.retain(|name| !["HEAD", "OPTIONS"].contains(name));
            allow.sort_unstable();
            let mut expected = allowed.clone();
            expected.sort_unstable();
            assert_eq!(allow, expected, "{method} {path}");
        }
    }
}

/// Section 2: 404 "no such record, definition, task or path".
async fn a_path_that_is_not_there_is_404(tenant: &Tenant) {
    for path in [
        "/",
        "/nothing",
        "/sources",
        "/sources/a",
        "/sources/a/v1",
        "/sources/a/v2/resources/b/c",
        "/sources/a/v1/things/x",
        "/catalog/v1",
        "/catalog/v2/sources",
        "/sources/a/v1/resources",
    ] {
        tenant.api.get(path).await.refused(404, "NOT_FOUND", &[]);
    }
    tenant
        .api
        .get(&resource("patient/none"))
        .await
        .refused(404, "NOT_FOUND", &[]);
    tenant
        .api
        .get("/catalog/v1/sources/none")
        .await
        .refused(404, "NOT_FOUND", &[]);
}

/// Section 2, "Excluded, answered 501 once authenticated".
async fn excluded_features_are_501_once_authenticated(tenant: &Tenant) {
    let nobody = tenant.api.with_key(None);
    for path in [
        "/sources/northclinic/v1/objects/x",
        "/sources/northclinic/v1/objects/x/y",
        "/partitions/x",
        "/partitions/x/v1/hits",
        "/catalog/v1/partitions",
        "/catalog/v1/partitions/x",
        "/mdm/v1/x",
        "/mdm/v1/a/b/c",
    ] {
        for method in [Method::GET, Method::PUT, Method::POST, Method::DELETE] {
            tenant
                .api
                .call(method.clone(), path)
                .await
                .refused(501, "UNIMPLEMENTED", &[]);
            nobody.call(method, path).await.error(401, "UNAUTHENTICATED");
        }
    }
}

/// Section 1: "Bodies are `application/json`"; section 12: another content type: 415, `INVALID_ARGUMENT`.
async fn only_json_is_a_content_type(tenant: &Tenant) {
    let path = resource("patient/x");
    let send = |kind: &str| tenant.api.call(Method::PUT, &path).body(kind, r#"{"data":{}}"#);
    for kind in [
        "text/plain",
        "application/fhir+json",
        "application/xml",
        "application/jsonp",
        "text/json",
        "json",
    ] {
        send(kind).await.error(415, INVALID);
    }
    let form = tenant
        .api
        .call(Method::PUT, &path)
        .body("application/x-www-form-urlencoded", "data=%7B%7D");
    form.await.error(415, INVALID);
    let source = tenant
        .api
        .call(Method::PUT, "/catalog/v1/sources/x")
        .body("text/plain", r#"{"type":"registry"}"#);
    source.await.error(415, INVALID);
    tenant.api.get(&path).await.error(404, "NOT_FOUND");
    send("application/json").await.is(201);
    send("application/json; charset=utf-8").await.is(200);
    send("Application/JSON;charset=UTF-8").await.is(200);
}

/// Section 1: "Unknown query parameters are ignored; a boolean one is `true` or `false`."
async fn unknown_query_parameters_are_ignored(tenant: &Tenant) {
    let path = resource("patient/x");
    let task = tenant
        .api
        .put(&format!("{path}?a=b&limit=x&a=c"), json!({"data": {}}))
        .await
        .is(201)
        .task();
    tenant
        .api
        .get(&format!("{path}?withReceipts=maybe&limit=-1&%zz"))
        .await
        .is(200);
    let list = tenant
        .api
        .get(&format!("{}?sort=name&withReceipts=x", resource("patient")))
        .await
        .is(200);
    assert_eq!(list.json()["items"].as_array().unwrap().len(), 1);
    tenant
        .api
        .get(&format!("{}?filter=x&withReceipts=true", task_path(&task)))
        .await
        .is(200);
    for value in ["TRUE", "1", "yes", ""] {
        let asked = format!("{}?withReceipts={value}", task_path(&task));
        let refused = tenant.api.get(&asked).await.error(400, INVALID);
        assert_eq!(refused.json()["details"][0]["path"], "query.withReceipts");
    }
    tenant.api.delete(&format!("{path}?force=true")).await.is(200);
}

/// common.md: "`X-Request-ID` is taken over if it is 1 to 128 visible ASCII characters, else generated; it is
/// echoed".
async fn the_request_id_is_taken_over_or_made(tenant: &Tenant) {
    let (path, nowhere) = (resource("patient/x"), resource("patient/none"));
    let long = "r".repeat(128);
    for id in ["1", "abc-123/x:~!", &long] {
        let taken = tenant
            .api
            .put(&path, json!({"data": {}}))
            .header("X-Request-ID", id)
            .await;
        assert_eq!(taken.header("x-request-id"), id);
        let refused = tenant.api.get(&nowhere).header("X-Request-ID", id).await.is(404);
        assert_eq!(refused.header("x-request-id"), id);
    }
    let too_long = "r".repeat(129);
    for id in ["", "a b", "é", &too_long] {
        let made = tenant.api.get(&path).header("X-Request-ID", id).await.is(200);
        crate::e2e::harness::assert_made_id(made.header("x-request-id"));
    }
    crate::e2e::harness::assert_made_id(tenant.api.get(&path).await.is(200).header("x-request-id"));
    let nobody = tenant
        .api
        .with_key(None)
        .get(&path)
        .header("X-Request-ID", "r-1")
        .await
        .is(401);
    assert_eq!(nobody.header("x-request-id"), "r-1");
}
