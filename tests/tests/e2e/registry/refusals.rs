//! Bodies that are refused: every problem with its path and rule, and nothing left behind.

use crate::e2e::harness::tenant::resource;
use crate::e2e::harness::{Journey, Tenant, tenant_journey};
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(each_problem_of_a_body_is_named_with_path_and_rule),
        tenant_journey!(ids_in_a_posted_body_follow_their_pattern),
        tenant_journey!(all_problems_of_a_body_are_in_one_answer),
        tenant_journey!(up_to_a_hundred_problems_are_listed),
        tenant_journey!(what_is_not_a_json_object_is_refused),
        tenant_journey!(a_refused_write_leaves_no_source_and_no_type),
    ]
}

const INVALID: &str = "INVALID_ARGUMENT";

type Found = &'static [(&'static str, &'static str)];

/// Bodies that are wrong for PUT and POST alike.
const WRONG: &[(&str, Found)] = &[
    ("{}", &[("$.data", "required")]),
    (r#"{"data":[]}"#, &[("$.data", "type")]),
    (r#"{"data":"x"}"#, &[("$.data", "type")]),
    (r#"{"data":{},"extra":1}"#, &[("$.extra", "unknown")]),
    (r#"{"data":{},"Data":{}}"#, &[("$.Data", "unknown")]),
    (r#"{"data":{},"meta":[]}"#, &[("$.meta", "type")]),
    (
        r#"{"data":{},"meta":{"version":1}}"#,
        &[("$.meta.version", "unknown")],
    ),
    (
        r#"{"data":{},"meta":{"updatedAt":true}}"#,
        &[("$.meta.updatedAt", "type")],
    ),
    (r#"{"data":{},"contained":[]}"#, &[("$.contained", "type")]),
    (
        r#"{"data":{},"contained":{"c":{}}}"#,
        &[("$.contained.c", "type")],
    ),
    (
        r#"{"data":{},"contained":{"c":[5]}}"#,
        &[("$.contained.c[0]", "type")],
    ),
    (
        r#"{"data":{},"contained":{"c":[{}]}}"#,
        &[
            ("$.contained.c[0].data", "required"),
            ("$.contained.c[0].type", "required"),
        ],
    ),
    (
        r#"{"data":{},"contained":{"c":[{"id":5,"type":[],"data":"x"}]}}"#,
        &[
            ("$.contained.c[0].id", "type"),
            ("$.contained.c[0].type", "type"),
            ("$.contained.c[0].data", "type"),
        ],
    ),
    (
        r#"{"data":{},"contained":{"c":[{"type":"t","data":{}},{"type":"t","data":{},"meta":{}}]}}"#,
        &[("$.contained.c[1].meta", "unknown")],
    ),
    (
        r#"{"data":{},"contained":{"c":[{"type":"t","data":{},"contained":{"d":[{"type":"t"}]}}]}}"#,
        &[("$.contained.c[0].contained.d[0].data", "required")],
    ),
];

/// 13.17: "Every problem of a body is named, with path and rule, in one answer"; section 5: "Unknown members are
/// refused, in bodies of every kind and in `meta`."
async fn each_problem_of_a_body_is_named_with_path_and_rule(tenant: &Tenant) {
    for (body, found) in WRONG {
        let put = tenant.api.put(&resource("patient/x"), *body);
        put.await.refused(400, INVALID, found);
        let post = tenant.api.post(&resource("patient"), *body);
        post.await.refused(400, INVALID, found);
        // The same before a 202: "syntax, size, members and their JSON types".
        let later = tenant.api.put(&resource("patient/x"), *body).later();
        later.await.refused(400, INVALID, found);
    }
    let typed = json!({"data": {}, "type": "patient"});
    tenant
        .api
        .post(&resource("patient"), typed)
        .await
        .refused(400, INVALID, &[("$.type", "unknown")]);
}

/// Section 1: "resource id on CREATE: `^[a-zA-Z0-9-][\w-]{1,92}$`"; section 12: "id against its pattern (POST body):
/// 400".
async fn ids_in_a_posted_body_follow_their_pattern(tenant: &Tenant) {
    let long = "x".repeat(94);
    for id in ["", "x", "_ab", "a.b", "a b", "é1", "ab/c", "@root", long.as_str()] {
        let body = json!({"id": id, "data": {}});
        tenant
            .api
            .post(&resource("patient"), &body)
            .await
            .refused(400, INVALID, &[("$.id", "pattern")]);
        // "ids in the path and in a single write's body" are checked before a 202.
        tenant
            .api
            .post(&resource("patient"), &body)
            .later()
            .await
            .refused(400, INVALID, &[("$.id", "pattern")]);
    }
    let number = json!({"id": 12, "data": {}});
    tenant
        .api
        .post(&resource("patient"), number)
        .await
        .refused(400, INVALID, &[("$.id", "type")]);
}

/// Section 2: "All problems of one body are listed".
async fn all_problems_of_a_body_are_in_one_answer(tenant: &Tenant) {
    let body = json!({
        "id": "a.b", "data": [], "extra": null,
        "meta": {"updatedAt": "2024-01-01T00:00:00Z", "other": 1,
            "identifier": [{"use": "source"}, {"system": "mdm"}, {"value": 1}]},
        "contained": {"c": [{"id": "_", "type": "t", "data": {}}, {"type": "t"}]}
    });
    tenant.api.post(&resource("patient"), body).await.refused(
        400,
        INVALID,
        &[
            ("$.id", "pattern"),
            ("$.data", "type"),
            ("$.extra", "unknown"),
            ("$.meta.createdAt", "required"),
            ("$.meta.other", "unknown"),
            ("$.meta.identifier[0].use", "enum"),
            ("$.meta.identifier[1].system", "enum"),
            ("$.meta.identifier[2].value", "type"),
            ("$.contained.c[0].id", "pattern"),
            ("$.contained.c[1].data", "required"),
        ],
    );
}

/// Section 2: "up to 100".
async fn up_to_a_hundred_problems_are_listed(tenant: &Tenant) {
    for (unknown, listed) in [(99, 99), (100, 100), (250, 100)] {
        let mut body = serde_json::Map::from_iter([("data".to_owned(), json!({}))]);
        body.extend((0..unknown).map(|n| (format!("extra{n}"), Value::Null)));
        let answer = tenant
            .api
            .put(&resource("patient/x"), Value::Object(body))
            .await
            .error(400, INVALID);
        assert_eq!(answer.json()["details"].as_array().unwrap().len(), listed);
    }
}

/// Section 12: "malformed JSON, invalid UTF-8, body absent or not of the JSON type needed: 400".
async fn what_is_not_a_json_object_is_refused(tenant: &Tenant) {
    let path = resource("patient/x");
    let send = |body: &[u8]| {
        tenant
            .api
            .call(reqwest::Method::PUT, &path)
            .body("application/json", body.to_vec())
    };
    for wrong_type in ["[]", "null", "5", "\"{}\"", "true"] {
        send(wrong_type.as_bytes())
            .await
            .refused(400, INVALID, &[("$", "type")]);
    }
    for malformed in [
        "{",
        "}",
        "{\"data\":{}",
        "{\"data\":{}}x",
        "{\"data\":{},}",
        "{'data':{}}",
        "{data:{}}",
        "{\"data\":{\"a\":01}}",
        "{\"data\":{\"a\":NaN}}",
        "{\"data\":{\"a\":\"\u{1}\"}}",
        "{\"data\":{\"a\":\"\\x\"}}",
        "{\"data\":{]}}",
        "nul",
        "{\"data\":{\"a\":tru}}",
        "{\"data\":{\"a\" 1}}",
        "{} {}",
        "\u{feff}{\"data\":{}}",
    ] {
        send(malformed.as_bytes())
            .await
            .refused(400, INVALID, &[("$", "syntax")]);
    }
    for not_utf8 in [
        &b"{\"data\":{\"a\":\"\xff\"}}"[..],
        b"{\"data\":{\"a\":\"\xc3\"}}",
        b"\xff\xfe{\0}\0",
        b"\x80",
    ] {
        send(not_utf8).await.refused(400, INVALID, &[("$", "syntax")]);
    }
    for absent in ["", " \n"] {
        send(absent.as_bytes()).await.error(400, INVALID);
    }
    tenant.api.get(&path).await.error(404, "NOT_FOUND");
}

/// 13.11: "A refused write changes nothing: no record, source, type or relationship."
async fn a_refused_write_leaves_no_source_and_no_type(tenant: &Tenant) {
    let nowhere = "/sources/nowhere/v1/resources/nothing";
    for (body, _) in WRONG {
        tenant
            .api
            .put(&format!("{nowhere}/x"), *body)
            .await
            .error(400, INVALID);
        tenant.api.post(nowhere, *body).await.error(400, INVALID);
    }
    let rule_broken = json!({"data": {}, "meta": {"identifier": [{"system": "mdm"}]}});
    tenant
        .api
        .put(&format!("{nowhere}/x"), rule_broken)
        .await
        .error(400, INVALID);
    tenant
        .api
        .delete(&format!("{nowhere}/x"))
        .await
        .error(404, "NOT_FOUND");
    tenant
        .api
        .get("/catalog/v1/sources/nowhere")
        .await
        .refused(404, "NOT_FOUND", &[]);
    tenant.api.get(nowhere).await.refused(404, "NOT_FOUND", &[]);
    tenant
        .api
        .put("/sources/nowhere/v1/resources/something/x", json!({"data": {}}))
        .await
        .is(201);
    tenant.api.get(nowhere).await.refused(404, "NOT_FOUND", &[]);
    // Reads make none either.
    tenant
        .api
        .get("/sources/nowhere/v1/resources/other/x")
        .await
        .refused(404, "NOT_FOUND", &[]);
    tenant
        .api
        .get("/sources/nowhere/v1/profiles/other")
        .await
        .refused(404, "NOT_FOUND", &[]);
}
