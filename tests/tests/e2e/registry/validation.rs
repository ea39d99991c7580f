//! Resources judged by their profiles (section 4; line 17 of "What must hold").

use super::definitions::{patient, profile};
use crate::e2e::harness::tenant::{ended, resource};
use crate::e2e::harness::{Answer, Journey, Tenant, tenant_journey};
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(line_17_every_problem_of_a_body_is_named_with_path_and_rule_in_one_answer),
        tenant_journey!(line_17_what_is_misshapen_is_judged_by_the_profile_too),
        tenant_journey!(values_are_of_their_types),
        tenant_journey!(rules_apply_when_their_condition_holds),
        tenant_journey!(contained_resources_are_judged_by_their_own_profiles),
        tenant_journey!(what_waits_is_judged_alike_when_it_is_carried_out),
        tenant_journey!(a_refused_write_leaves_nothing),
        tenant_journey!(the_root_token_is_filled_in_references_only),
    ]
}

pub async fn put(tenant: &Tenant, id: &str, data: &Value) -> Answer {
    tenant
        .api
        .put(&resource(&format!("patient/{id}")), json!({"data": data}))
        .await
}

/// 17: "Every problem of a body is named, with path and rule, in one answer."
async fn line_17_every_problem_of_a_body_is_named_with_path_and_rule_in_one_answer(tenant: &Tenant) {
    tenant.api.put(&profile("patient"), patient()).await.is(201);
    let contact = json!({"type": "CONTAINED", "properties": {"phone": {"type": "symbol"}}});
    tenant.api.put(&profile("contact"), contact).await.is(201);
    let body = json!({
        "data": {"nick-name": "Al", "mrn": "1", "name": [], "birthDate": "2023-02-29", "status": "gone", "vitals": {"pulse": 401, "x": 1},
            "mainCarer": {"ref": "x"}},
        "meta": {"createdAt": "2999-01-01T00:00:00Z", "identifier": [{"system": "mdm", "use": "source", "value": "1"}]},
        "contained": {"contacts": [{"id": "c1", "type": "contact", "data": {"phone": 5}}, {"id": "c1", "type": "other", "data": {}}], "others": [{"type": "contact", "data": {}}]}});
    let expected = [
        ("$.data['nick-name']", "unknown"),
        ("$.data.mrn", "pattern"),
        ("$.data.name", "min"),
        ("$.data.birthDate", "type"),
        ("$.data.status", "enum"),
        ("$.data.vitals.pulse", "max"),
        ("$.data.vitals.x", "unknown"),
        ("$.data.mainCarer.ref", "unknown"),
        ("$.meta.createdAt", "time"),
        ("$.meta.identifier[0].system", "enum"),
        ("$.meta.identifier[0].use", "enum"),
        ("$.contained.contacts[1].id", "duplicate"),
        ("$.contained.contacts[0].data.phone", "type"),
        ("$.contained.contacts[1].type", "enum"),
        ("$.contained.others", "unknown"),
    ];
    tenant
        .api
        .put(&resource("patient/x"), &body)
        .await
        .refused(400, "INVALID_ARGUMENT", &expected);
    tenant
        .api
        .post(&resource("patient"), &body)
        .await
        .refused(400, "INVALID_ARGUMENT", &expected);
    // "up to 100"
    let many: serde_json::Map<_, _> = (0..150).map(|n| (format!("p{n}"), json!(1))).collect();
    let refused = put(tenant, "x", &Value::Object(many))
        .await
        .error(400, "INVALID_ARGUMENT");
    assert_eq!(refused.json()["details"].as_array().unwrap().len(), 100);
}

/// 17, of a body whose members are wrong already.
async fn line_17_what_is_misshapen_is_judged_by_the_profile_too(tenant: &Tenant) {
    tenant.api.put(&profile("patient"), patient()).await.is(201);
    let body = json!({"id": "other", "colour": "red", "data": {"birthDate": 5},
        "meta": {"createdAt": 5, "identifier": [{"use": "source"}]}, "contained": {"x": [{"type": "t", "data": {}}]}});
    let call = |later: bool| {
        let call = tenant.api.put(&resource("patient/x"), &body);
        if later { call.later() } else { call }
    };
    for later in [false, true] {
        call(later).await.refused(
            400,
            "INVALID_ARGUMENT",
            &[
                ("$.id", "immutable"),
                ("$.colour", "unknown"),
                ("$.data.mrn", "required"),
                ("$.data.birthDate", "type"),
                ("$.meta.createdAt", "type"),
                ("$.meta.identifier[0].use", "enum"),
                ("$.contained.x", "unknown"),
            ],
        );
    }
}

/// Of each type a value that is one, and one that is none.
fn values() -> Vec<(&'static str, Value, Value)> {
    vec![
        ("boolean", json!(true), json!("true")),
        (
            "integer",
            json!(9_007_199_254_740_991_i64),
            json!(9_007_199_254_740_992_i64),
        ),
        ("decimal", json!(1.5), json!("1.5")),
        ("symbol", json!(""), json!(1)),
        ("markdown", json!("# x"), json!({})),
        ("xhtml", json!("<p/>"), json!([])),
        ("code", json!("in progress"), json!("two  spaces")),
        ("date", json!("2024-02-29"), json!("2023-02-29")),
        (
            "datetime",
            json!("2026-03-02T09:15+01:00"),
            json!("2026-03-02T09:15"),
        ),
        (
            "instant",
            json!("2026-03-02T09:15:00.5Z"),
            json!("2026-03-02T09:15Z"),
        ),
        ("time", json!("09:15:00"), json!("09:15")),
        ("uri", json!("urn:x"), json!("a b")),
        ("url", json!("https://example.org/x"), json!("urn:x")),
        ("object", json!({"any": 1}), json!([])),
        (
            "address",
            json!({"line": ["1 Way"], "postalCode": "X"}),
            json!({"zip": "X"}),
        ),
        ("humanname", json!({"given": ["Ada"]}), json!({"given": "Ada"})),
        (
            "identifier",
            json!({"system": "urn:x", "value": "1"}),
            json!({"system": ""}),
        ),
        ("period", json!({"start": "2026"}), json!({"start": "soon"})),
        (
            "coding",
            json!({"code": "a", "userSelected": true}),
            json!({"userSelected": 1}),
        ),
        (
            "contactpoint",
            json!({"value": "555", "rank": 1}),
            json!({"rank": "1"}),
        ),
        (
            "contactdetail",
            json!({"telecom": [{"value": "1"}]}),
            json!({"telecom": {}}),
        ),
        (
            "attachment",
            json!({"contentType": "text/plain", "size": 3}),
            json!({"size": 0.5}),
        ),
        (
            "geopoint",
            json!({"lat": 1, "lng": 2.5}),
            json!({"lat": 1, "alt": 2}),
        ),
        ("reference", json!("pr-7"), json!(7)),
        (
            "codeableconcept",
            json!({"coding": [{"code": "a"}]}),
            json!({"coding": ["a"]}),
        ),
        (
            "quantity",
            json!({"value": 1.5, "unit": "mg"}),
            json!({"value": "1.5"}),
        ),
    ]
}

/// The table of property types.
async fn values_are_of_their_types(tenant: &Tenant) {
    let cases = values();
    let properties: serde_json::Map<_, _> = cases
        .iter()
        .map(|(of, ..)| ((*of).to_owned(), json!({"type": of})))
        .collect();
    tenant
        .api
        .put(
            &profile("patient"),
            json!({"type": "ROOT", "properties": properties}),
        )
        .await
        .is(201);
    let all = |pick: fn(&(&str, Value, Value)) -> Value| {
        let members: serde_json::Map<_, _> =
            cases.iter().map(|case| (case.0.to_owned(), pick(case))).collect();
        Value::Object(members)
    };
    let good = all(|case| case.1.clone());
    let written = put(tenant, "good", &good).await.is(201).json();
    assert_eq!(written["resource"]["data"], good, "data comes back as sent");
    // "`null` without `required` passes and is stored".
    let nothing = all(|_| Value::Null);
    put(tenant, "nothing", &nothing).await.is(201);
    assert_eq!(
        tenant.api.get(&resource("patient/nothing")).await.is(200).json()["data"],
        nothing
    );
    let refused = put(tenant, "bad", &all(|case| case.2.clone()))
        .await
        .error(400, "INVALID_ARGUMENT");
    let details = refused.json()["details"].as_array().unwrap().clone();
    for (of, ..) in &cases {
        let path = format!("$.data.{of}");
        let named = details
            .iter()
            .any(|detail| detail["path"].as_str().unwrap().starts_with(&path));
        assert!(named, "{of}: {details:?}");
    }
}

async fn rules_apply_when_their_condition_holds(tenant: &Tenant) {
    let body = json!({"type": "ROOT", "properties": {
        "status": {"type": "code"}, "age": {"type": "integer"},
        "endReason": {"type": "symbol", "rules": [{"required": true, "when": {"eq": {"status": "inactive"}}}]},
        "guardian": {"type": "symbol", "rules": [{"required": true, "when": {"and": [{"exists": "age"}, {"lt": {"age": 18}}]}}]},
        "visits": {"type": "array", "items": {"type": "object", "properties": {"kind": {"type": "code"},
            "ward": {"type": "symbol", "rules": [{"required": true, "when": {"any": {"visits.[current].kind": ["inpatient", "icu"]}}}]}}}}}});
    tenant.api.put(&profile("patient"), body).await.is(201);
    for (data, expected) in [
        (json!({"status": "active", "age": 18}), &[][..]),
        (json!({"status": "inactive"}), &[("$.data.endReason", "required")]),
        (
            json!({"status": "inactive", "endReason": "moved", "age": 17}),
            &[("$.data.guardian", "required")],
        ),
        (
            json!({"visits": [{"kind": "home"}, {"kind": "icu"}, {"kind": "icu", "ward": "3"}]}),
            &[("$.data.visits[1].ward", "required")],
        ),
    ] {
        let answer = put(tenant, "x", &data).await;
        if expected.is_empty() {
            answer.is(201);
        } else {
            answer.refused(400, "INVALID_ARGUMENT", expected);
        }
    }
}

/// Section 6: "an unknown contain key 400 `unknown`; a type not listed 400 `enum`; a count outside the cardinality 400
/// `cardinality`, with a path into the root".
async fn contained_resources_are_judged_by_their_own_profiles(tenant: &Tenant) {
    let root = json!({"type": "ROOT", "properties": {}, "contained": {
        "contacts": {"types": ["contact", "later"], "cardinality": "0:1"}, "cards": {"types": ["card"], "cardinality": "1:*"}}});
    let contact = json!({"type": "CONTAINED", "properties": {"phone": {"type": "symbol", "rules": [{"required": true}]}},
        "contained": {"hours": {"types": ["hour"], "cardinality": "1:1"}}});
    let plain = json!({"type": "CONTAINED", "properties": {"n": {"type": "integer"}}});
    tenant.api.put(&profile("patient"), root).await.is(201);
    tenant.api.put(&profile("contact"), contact).await.is(201);
    tenant.api.put(&profile("card"), &plain).await.is(201);
    tenant.api.put(&profile("hour"), &plain).await.is(201);
    let hour = |n: Value| json!({"type": "hour", "data": {"n": n}});
    let with = |contained: Value| {
        tenant.api.put(
            &resource("patient/x"),
            json!({"data": {}, "contained": contained}),
        )
    };
    let good = json!({"contacts": [{"type": "contact", "data": {"phone": "5"}, "contained": {"hours": [hour(json!(1))]}}],
        "cards": [{"type": "card", "data": {}}, {"type": "card", "data": {"n": 2}}]});
    with(good).await.is(201);
    // "A listed key may be defined later; until then its `data` is not checked if profiles are open".
    with(
        json!({"contacts": [{"type": "later", "data": {"any": 1}}], "cards": [{"type": "card", "data": {}}]}),
    )
    .await
    .is(200);
    let bad = json!({"contacts": [
            {"type": "contact", "data": {"phone": null}, "contained": {"hours": [hour(json!("1")), hour(json!(2))]}},
            {"type": "card", "data": {}}],
        "others": [{"type": "card", "data": {}}]});
    let refused = with(bad).await;
    refused.refused(
        400,
        "INVALID_ARGUMENT",
        &[
            ("$.contained.contacts", "cardinality"),
            ("$.contained.cards", "cardinality"),
            ("$.contained.contacts[0].data.phone", "required"),
            ("$.contained.contacts[0].contained.hours", "cardinality"),
            ("$.contained.contacts[0].contained.hours[0].data.n", "type"),
            ("$.contained.contacts[1].type", "enum"),
            ("$.contained.others", "unknown"),
        ],
    );
}

/// 12: "its outcome is the same as the synchronous one's, error type included."
async fn what_waits_is_judged_alike_when_it_is_carried_out(tenant: &Tenant) {
    tenant.api.put(&profile("patient"), patient()).await.is(201);
    let path = resource("patient/x");
    let bad = json!({"data": {"mrn": "1", "x": 2}});
    let now = tenant
        .api
        .put(&path, &bad)
        .await
        .error(400, "INVALID_ARGUMENT")
        .json();
    let task = tenant.api.put(&path, &bad).later().await.is(202).task();
    let seen = ended(&tenant.api, &task).await;
    assert_eq!(
        (&seen["status"], &seen["receipts"][0]["error"]),
        (&json!("FAILURE"), &now)
    );
    let task = tenant
        .api
        .put(&path, json!({"data": {"mrn": "100001"}}))
        .later()
        .await
        .is(202)
        .task();
    assert_eq!(ended(&tenant.api, &task).await["status"], "SUCCESS");
}

/// 11: "A refused write changes nothing: no record, source, type or relationship."
async fn a_refused_write_leaves_nothing(tenant: &Tenant) {
    tenant.api.put(&profile("patient"), patient()).await.is(201);
    put(tenant, "x", &json!({"mrn": "100001"})).await.is(201);
    let before = tenant.api.get(&resource("patient/x")).await.is(200);
    put(tenant, "x", &json!({"mrn": "1"}))
        .await
        .error(400, "INVALID_ARGUMENT");
    put(tenant, "y", &json!({})).await.error(400, "INVALID_ARGUMENT");
    assert_eq!(
        tenant.api.get(&resource("patient/x")).await.is(200).text,
        before.text
    );
    tenant
        .api
        .get(&resource("patient/y"))
        .await
        .error(404, "NOT_FOUND");
}

/// "`@rootId` in any `reference` property, contained ones included, becomes the created id; in a type without a closed
/// profile, in any string of `data` that equals it".
async fn the_root_token_is_filled_in_references_only(tenant: &Tenant) {
    let root = json!({"type": "ROOT", "properties": {"self": {"type": "reference"}, "text": {"type": "symbol"}},
        "contained": {"parts": {"types": ["part", "later"], "cardinality": "0:*"}}});
    let part =
        json!({"type": "CONTAINED", "properties": {"of": {"type": "reference"}, "text": {"type": "symbol"}}});
    tenant.api.put(&profile("patient"), root).await.is(201);
    tenant.api.put(&profile("part"), part).await.is(201);
    let inside =
        |of: &str| json!({"id": of, "type": of, "data": {"of": {"id": "@rootId"}, "text": "@rootId"}});
    let body = json!({"id": "@rootId", "data": {"self": "@rootId", "text": "@rootId"}, "contained": {"parts": [inside("part"), inside("later")]}});
    let written = tenant.api.post(&resource("patient"), body).await.is(201).json();
    let made = &written["resource"];
    let id = &made["id"];
    assert_eq!(made["data"], json!({"self": id, "text": "@rootId"}));
    assert_eq!(
        made["contained"]["parts"][0]["data"],
        json!({"of": {"id": id}, "text": "@rootId"})
    );
    assert_eq!(
        made["contained"]["parts"][1]["data"],
        json!({"of": {"id": id}, "text": id}),
        "of a type that is open"
    );
}
