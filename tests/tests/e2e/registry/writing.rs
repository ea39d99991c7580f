//! POST, PUT, DELETE and GET of one resource, with exact bodies and headers.

use crate::e2e::harness::tenant::{SOURCE, resource, task_path};
use crate::e2e::harness::{
    Journey, Tenant, assert_made_id, assert_task_id, instant, members, raw, tenant_journey,
};
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(put_creates_with_201_and_replaces_with_200),
        tenant_journey!(get_gives_the_resource_itself_and_its_etag),
        tenant_journey!(data_comes_back_byte_for_byte),
        tenant_journey!(replacing_is_total),
        tenant_journey!(post_takes_the_id_that_is_given_or_makes_one),
        tenant_journey!(the_root_token_becomes_the_id_that_was_made),
        tenant_journey!(post_of_a_taken_id_is_409_and_changes_nothing),
        tenant_journey!(delete_is_200_once_and_404_after_that),
        tenant_journey!(every_write_names_a_task_that_its_source_shows),
        tenant_journey!(what_get_returned_can_be_put_back),
    ]
}

const EXAMPLE: &str = r#"{"data": {"mrn": "100001", "name": [{"family": "Exampleton", "given": ["Ada"]}]},
    "meta": {"identifier": [{"system": "urn:example:mrn", "value": "100001", "use": "official"}]},
    "contained": {"contacts": [{"id": "c1", "type": "contact", "data": {"phone": "555-0100"}}]}}"#;

/// Section 5, the example; section 1: "201 if a record was created, 200 if replaced", "201 has `Location` of the
/// new record", "Answers carry the members listed here and no others".
async fn put_creates_with_201_and_replaces_with_200(tenant: &Tenant) {
    let path = resource("patient/pt-1001");
    let created = tenant.api.put(&path, EXAMPLE).await.is(201);
    assert_eq!(created.header("location"), path);
    assert_eq!(created.header("content-type"), "application/json");
    let (first_etag, first) = (created.etag(), created.json());
    assert_eq!(members(&first), ["resource", "status", "taskId"]);
    assert_task_id(first["taskId"].as_str().unwrap());
    assert_eq!(first["status"], "PERSISTED");
    let meta = &first["resource"]["meta"];
    assert_eq!(instant(&meta["createdAt"]), instant(&meta["updatedAt"]));
    assert_eq!(
        first["resource"],
        json!({"id": "pt-1001", "type": "patient",
            "data": {"mrn": "100001", "name": [{"family": "Exampleton", "given": ["Ada"]}]},
            "meta": {"createdAt": meta["createdAt"], "updatedAt": meta["updatedAt"], "source": SOURCE,
                "identifier": [{"system": "urn:example:mrn", "value": "100001", "use": "official"}]},
            "contained": {"contacts": [{"id": "c1", "type": "contact", "data": {"phone": "555-0100"}}]}})
    );

    let replaced = tenant.api.put(&path, EXAMPLE).await.is(200);
    assert!(
        replaced.headers.get("location").is_none(),
        "{:?}",
        replaced.headers
    );
    assert_ne!(replaced.etag(), first_etag, "the ETag is new with every change");
    let second = replaced.json();
    assert_eq!(members(&second), ["resource", "status", "taskId"]);
    assert_ne!(second["taskId"], first["taskId"]);
    assert_eq!(second["status"], "PERSISTED");
    let after = &second["resource"]["meta"];
    assert_eq!(
        after["createdAt"], meta["createdAt"],
        "13.24: `createdAt` never changes after creation"
    );
    assert!(
        instant(&after["updatedAt"]) >= instant(&meta["updatedAt"]),
        "13.24: it never goes back"
    );
}

/// Section 5: "GET `/{id}`: the resource itself, without an envelope."
async fn get_gives_the_resource_itself_and_its_etag(tenant: &Tenant) {
    let path = resource("patient/pt-1001");
    let written = tenant.api.put(&path, EXAMPLE).await.is(201);
    let read = tenant.api.get(&path).await.is(200);
    assert_eq!(read.json(), written.json()["resource"]);
    assert_eq!(read.etag(), written.etag());
    assert_eq!(read.header("content-type"), "application/json");
    let again = tenant.api.get(&path).await.is(200);
    assert_eq!(
        (again.etag(), again.text.clone()),
        (read.etag(), read.text),
        "reading changes nothing"
    );
    // `contained` and `meta.identifier` only if not empty.
    let bare = resource("patient/bare");
    tenant
        .api
        .put(&bare, r#"{"data":{},"meta":{"identifier":[]},"contained":{}}"#)
        .await
        .is(201);
    let bare = tenant.api.get(&bare).await.is(200).json();
    assert_eq!(members(&bare), ["data", "id", "meta", "type"]);
    assert_eq!(members(&bare["meta"]), ["createdAt", "source", "updatedAt"]);
}

/// Texts of `data` that any re-encoding would change.
const TEXTS: &[&str] = &[
    "{}",
    r#"{"value": 4.70, "b":1,"a" : 2}"#,
    "{\n\t\"a\" : [ 1 ,\r\n 2 ]  , \"b\":{ } , \"c\":[ ]\n}",
    r#"{"a":null,"b":[null,{"c":null}],"n":false}"#,
    r#"{"z":1,"y":2,"x":{"z":1,"y":2,"a":3},"a":4}"#,
    r#"{"a":1e400,"b":-0.0,"c":1E+2,"d":123456789012345678901234567890.01234567890,"e":0.1000}"#,
    r#"{"näme":"日本語 🩺 Ünïcode","e\u0301":"\u00e9\ud83e\ude7a\u0000\u007f"}"#,
    r#"{"":"","s":"\/\b\f\n\r\t\"\\ '","id":"other","type":5,"data":{},"meta":[]}"#,
    r#"{"html":"<p>&amp;</p>","sql":"'; DROP TABLE x; --","percent":"%s %00 $1 ?1 :a"}"#,
];

/// Section 5: "`data` comes back as sent."
async fn data_comes_back_byte_for_byte(tenant: &Tenant) {
    for (n, text) in TEXTS.iter().enumerate() {
        let body = format!("{{\"data\":{text}}}");
        let path = resource(&format!("observation/put-{n}"));
        let put = tenant.api.put(&path, &body).await.is(201);
        assert_eq!(raw(&put.text, &["resource", "data"]), *text);
        let replaced = tenant.api.put(&path, &body).await.is(200);
        assert_eq!(raw(&replaced.text, &["resource", "data"]), *text);
        assert_eq!(raw(&tenant.api.get(&path).await.is(200).text, &["data"]), *text);

        let body = format!(
            "{{\"id\":\"post-{n}\",\"data\":{text},\"contained\":{{\"c\":[{{\"id\":\"1\",\"type\":\"t\",\"data\":{text}}}]}}}}"
        );
        let posted = tenant.api.post(&resource("observation"), &body).await.is(201);
        assert_eq!(raw(&posted.text, &["resource", "data"]), *text);
        let read = tenant
            .api
            .get(&resource(&format!("observation/post-{n}")))
            .await
            .is(200);
        assert_eq!(raw(&read.text, &["data"]), *text);
        let inner = raw(&read.text, &["contained", "c"]);
        assert_eq!(
            raw(inner.trim_start_matches('[').trim_end_matches(']'), &["data"]),
            *text
        );
    }
    let list = tenant.api.get(&resource("observation")).await.is(200);
    for text in TEXTS {
        assert!(list.text.contains(text), "the list shows it otherwise: {text}");
    }
}

/// 13.10: "PUT replaces totally: nothing of the former `data`, `contained` or identifiers survives unless sent
/// again."
async fn replacing_is_total(tenant: &Tenant) {
    let path = resource("patient/pt-1001");
    tenant.api.put(&path, EXAMPLE).await.is(201);
    let replaced = tenant
        .api
        .put(&path, json!({"data": {"other": 1}}))
        .await
        .is(200)
        .json();
    let read = tenant.api.get(&path).await.is(200).json();
    assert_eq!(read, replaced["resource"]);
    assert_eq!(members(&read), ["data", "id", "meta", "type"]);
    assert_eq!(read["data"], json!({"other": 1}));
    assert_eq!(members(&read["meta"]), ["createdAt", "source", "updatedAt"]);
}

/// Section 5: "POST: create. Body `data` required; `id`, `meta`, `contained` optional"; "POST with `id` absent or
/// `@rootId`: the server makes one"; section 1: made ids are UUIDv7 of 36 characters.
async fn post_takes_the_id_that_is_given_or_makes_one(tenant: &Tenant) {
    let path = resource("patient");
    for id in ["ab", "-_", "Pt-1001_x", "bulk", &"x".repeat(93)] {
        let created = tenant
            .api
            .post(&path, json!({"id": id, "data": {"n": 1}}))
            .await
            .is(201);
        assert_eq!(created.json()["resource"]["id"], id);
        assert_eq!(created.header("location"), resource(&format!("patient/{id}")));
        let read = tenant.api.get(created.header("location")).await.is(200);
        assert_eq!(
            (read.etag(), read.json()),
            (created.etag(), created.json()["resource"].clone())
        );
    }
    for body in [json!({"data": {}}), json!({"data": {}, "id": "@rootId"})] {
        let created = tenant.api.post(&path, body).await.is(201);
        let answer = created.json();
        assert_eq!(members(&answer), ["resource", "status", "taskId"]);
        assert_task_id(answer["taskId"].as_str().unwrap());
        let id = answer["resource"]["id"].as_str().unwrap();
        assert_made_id(id);
        assert_eq!(created.header("location"), resource(&format!("patient/{id}")));
        tenant.api.get(created.header("location")).await.is(200);
    }
}

/// Section 5: "`@rootId` in any `reference` property, contained ones included, becomes the created id; in a type
/// without a closed profile, in any string of `data` that equals it."
async fn the_root_token_becomes_the_id_that_was_made(tenant: &Tenant) {
    let body = json!({"id": "@rootId",
        "data": {"self": "@rootId", "text": "see @rootId", "list": ["@rootId", {"deep": "@rootId"}]},
        "contained": {"parts": [{"id": "p", "type": "part", "data": {"of": "@rootId"}}]}});
    let created = tenant.api.post(&resource("patient"), body).await.is(201);
    let id = created.json()["resource"]["id"].clone();
    assert_made_id(id.as_str().unwrap());
    let read = tenant.api.get(created.header("location")).await.is(200).json();
    assert_eq!(
        read["data"],
        json!({"self": id, "text": "see @rootId", "list": [id, {"deep": id}]})
    );
    assert_eq!(read["contained"]["parts"][0]["data"], json!({"of": id}));
}

/// Section 2: 409 `ALREADY_EXISTS` "the id or key is taken"; 13.11: "A refused write changes nothing".
async fn post_of_a_taken_id_is_409_and_changes_nothing(tenant: &Tenant) {
    let path = resource("patient/pt-1001");
    tenant.api.put(&path, EXAMPLE).await.is(201);
    let before = tenant.api.get(&path).await.is(200);
    let taken = json!({"id": "pt-1001", "data": {"other": 1}});
    tenant
        .api
        .post(&resource("patient"), taken)
        .await
        .refused(409, "ALREADY_EXISTS", &[]);
    let after = tenant.api.get(&path).await.is(200);
    assert_eq!((after.etag(), after.text.clone()), (before.etag(), before.text));
    // One id in two types: two records.
    tenant
        .api
        .post(&resource("other"), json!({"id": "pt-1001", "data": {}}))
        .await
        .is(201);
}

/// Section 5: "DELETE `/{id}`: 200; missing: 404"; section 1: "DELETE answers `{taskId, status}`, for resources
/// too".
async fn delete_is_200_once_and_404_after_that(tenant: &Tenant) {
    let path = resource("patient/pt-1001");
    let before = tenant.api.put(&path, EXAMPLE).await.is(201);
    let deleted = tenant.api.delete(&path).await.is(200).json();
    assert_eq!(members(&deleted), ["status", "taskId"]);
    assert_task_id(deleted["taskId"].as_str().unwrap());
    assert_eq!(deleted["status"], "PERSISTED");
    tenant.api.get(&path).await.refused(404, "NOT_FOUND", &[]);
    tenant.api.delete(&path).await.refused(404, "NOT_FOUND", &[]);
    tenant
        .api
        .delete(&resource("patient/never"))
        .await
        .refused(404, "NOT_FOUND", &[]);
    assert_eq!(
        tenant.api.get(&resource("patient")).await.is(200).json(),
        json!({"items": []})
    );
    // What comes after it is a new record: nothing of the old one is left, its ETag included.
    let again = tenant
        .api
        .post(&resource("patient"), json!({"id": "pt-1001", "data": {}}))
        .await
        .is(201);
    assert_ne!(again.etag(), before.etag());
    let (old, new) = (before.json(), again.json());
    assert!(instant(&new["resource"]["meta"]["createdAt"]) >= instant(&old["resource"]["meta"]["createdAt"]));
    assert_eq!(members(&new["resource"]), ["data", "id", "meta", "type"]);
    tenant.api.put(&path, json!({"data": {}})).await.is(200);
    tenant.api.delete(&path).await.is(200);
    tenant.api.put(&path, json!({"data": {}})).await.is(201);
}

/// Section 1: "Every write answered 200, 201 or 202 has a task, readable under its source"; 13.4 "and no other";
/// section 10, the form of tasks and receipts.
async fn every_write_names_a_task_that_its_source_shows(tenant: &Tenant) {
    let api = &tenant.api;
    let path = resource("patient/pt-1001");
    let posted = api.post(&resource("patient"), json!({"data": {}})).await.is(201);
    let made = posted.json()["resource"]["id"].clone();
    let writes = [
        (posted, "CREATE", made),
        (api.put(&path, EXAMPLE).await.is(201), "UPSERT", json!("pt-1001")),
        (api.put(&path, EXAMPLE).await.is(200), "UPSERT", json!("pt-1001")),
        (api.delete(&path).await.is(200), "DELETE", json!("pt-1001")),
    ];
    api.put("/sources/elsewhere/v1/resources/patient/pt-1001", EXAMPLE)
        .await
        .is(201);
    for (answer, action, id) in writes {
        let task = answer.task();
        let bare = api.get(&task_path(&task)).await.is(200).json();
        assert_eq!(bare, json!({"taskId": task, "status": "SUCCESS"}));
        let asked = api
            .get(&format!("{}?withReceipts=false", task_path(&task)))
            .await
            .is(200)
            .json();
        assert_eq!(asked, bare);
        let seen = api
            .get(&format!("{}?withReceipts=true", task_path(&task)))
            .await
            .is(200)
            .json();
        let receipt = &seen["receipts"][0];
        assert!(instant(&receipt["completedAt"]) >= instant(&receipt["receivedAt"]));
        let receipt = json!({"receivedAt": receipt["receivedAt"], "taskId": task, "action": action,
            "status": "SUCCESS", "targetType": "RESOURCE", "id": id, "type": "patient",
            "completedAt": receipt["completedAt"]});
        assert_eq!(
            seen,
            json!({"taskId": task, "status": "SUCCESS", "receipts": [receipt]})
        );
        let elsewhere = format!("/sources/elsewhere/v1/tasks/{task}");
        api.get(&elsewhere).await.refused(404, "NOT_FOUND", &[]);
    }
}

/// Section 5: "So that what was read can be sent back, PUT ignores `id`, `type` and `meta.source` that say what the
/// path says; others: 400 `immutable`."
async fn what_get_returned_can_be_put_back(tenant: &Tenant) {
    let path = resource("patient/pt-1001");
    tenant.api.put(&path, EXAMPLE).await.is(201);
    let read = tenant.api.get(&path).await.is(200);
    let back = tenant.api.put(&path, &read.text).await.is(200).json();
    let without_update = |mut resource: Value| {
        resource["meta"].as_object_mut().unwrap().remove("updatedAt");
        resource
    };
    assert_eq!(
        without_update(back["resource"].clone()),
        without_update(read.json())
    );
    for (change, found) in [
        (json!({"id": "pt-1002"}), "$.id"),
        (json!({"type": "person"}), "$.type"),
        (json!({"meta": {"source": "elsewhere"}}), "$.meta.source"),
    ] {
        let mut body = read.json();
        let part = if found == "$.meta.source" {
            &mut body["meta"]
        } else {
            &mut body
        };
        let change = change.get("meta").unwrap_or(&change).clone();
        part.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        tenant
            .api
            .put(&path, body)
            .await
            .refused(400, "INVALID_ARGUMENT", &[(found, "immutable")]);
    }
}
