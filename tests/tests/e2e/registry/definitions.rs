//! Definitions: profiles, collections and relationship definitions (section 4).

use crate::e2e::harness::tenant::resource;
use crate::e2e::harness::{Journey, Tenant, tenant_journey};
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(a_profile_is_put_and_read_as_it_was_sent),
        tenant_journey!(a_root_profile_is_the_collection_of_its_key),
        tenant_journey!(a_relationship_definition_is_put_and_read_as_it_was_sent),
        tenant_journey!(a_key_is_of_one_kind),
        tenant_journey!(contained_profiles_are_listed_before_or_after_they_are_there),
        tenant_journey!(bad_definitions_are_refused_with_every_problem),
        tenant_journey!(what_is_left_out_is_not_implemented),
        tenant_journey!(definitions_make_their_source_where_profiles_are_open),
        tenant_journey!(definitions_need_their_scopes),
    ]
}

pub fn profile(key: &str) -> String {
    format!("/sources/northclinic/v1/profiles/{key}")
}

pub fn collection(key: &str) -> String {
    format!("/sources/northclinic/v1/collections/{key}")
}

pub fn relationship_definition(key: &str) -> String {
    format!("/sources/northclinic/v1/relationship-definitions/{key}")
}

/// The example of the contract.
pub fn patient() -> Value {
    json!({"type": "ROOT", "description": "A person in care",
     "properties": {
       "mrn":       {"type": "symbol", "rules": [{"required": true}, {"pattern": "^[0-9]{6}$"}]},
       "name":      {"type": "array", "items": {"type": "humanname"}, "rules": [{"min": 1}]},
       "birthDate": {"type": "date"}, "mainCarer": {"type": "reference"},
       "status":    {"type": "code", "rules": [{"enum": ["active", "inactive"]}]},
       "endReason": {"type": "symbol", "rules": [{"required": true, "when": {"eq": {"status": "inactive"}}}]},
       "vitals":    {"type": "object", "properties": {"pulse": {"type": "integer", "rules": [{"min": 1, "max": 400}]}}}},
     "contained": {"contacts": {"types": ["contact"], "cardinality": "0:*"}}})
}

/// What `key` is shown as: the same plus the key.
pub fn keyed(key: &str, sent: &Value) -> Value {
    let mut shown = json!({"key": key});
    let members = sent.as_object().unwrap().clone();
    shown.as_object_mut().unwrap().extend(members);
    shown
}

/// "201 created, 200 replaced, and the answer is the definition"; "Answer: the same plus `key`."
async fn a_profile_is_put_and_read_as_it_was_sent(tenant: &Tenant) {
    let shown = keyed("patient", &patient());
    let answer = tenant.api.put(&profile("patient"), patient()).await.is(201);
    assert_eq!(answer.json(), shown);
    assert!(
        answer.json().get("taskId").is_none(),
        "written at once, with no task"
    );
    assert_eq!(tenant.api.get(&profile("patient")).await.is(200).json(), shown);
    assert_eq!(
        tenant
            .api
            .put(&profile("patient"), patient())
            .await
            .is(200)
            .json(),
        shown
    );
    let other = json!({"type": "ROOT", "properties": {"z": {"type": "date"}, "a": {"type": "code", "binding": {"vocabulary": {"key": "sex", "strength": "preferred"}}}}});
    let answer = tenant.api.put(&profile("patient"), &other).await.is(200);
    assert_eq!(answer.json(), keyed("patient", &other));
    let read = tenant.api.get(&profile("patient")).await.is(200);
    assert_eq!(read.json(), keyed("patient", &other), "what was not sent is gone");
    assert!(
        read.text.find("\"z\"") < read.text.find("\"a\""),
        "members keep their order"
    );
    let inside = json!({"type": "CONTAINED", "properties": {}});
    assert_eq!(
        tenant.api.put(&profile("contact"), &inside).await.is(201).json(),
        keyed("contact", &inside)
    );
    let audited = tenant.api.get("/ops/v1/audit").await.is(200).json();
    let entry = audited["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["target"] == "northclinic/contact");
    assert_eq!(
        entry.map(|entry| &entry["action"]),
        Some(&json!("profile.put")),
        "{audited}"
    );
}

/// "A ROOT profile **is** the collection of that key: PUT of either writes both."
async fn a_root_profile_is_the_collection_of_its_key(tenant: &Tenant) {
    tenant.api.put(&profile("patient"), patient()).await.is(201);
    let mut inner = patient();
    inner.as_object_mut().unwrap().remove("type");
    let shown = json!({"key": "patient", "type": "resources", "profile": inner});
    assert_eq!(tenant.api.get(&collection("patient")).await.is(200).json(), shown);
    let smaller = json!({"type": "resources", "profile": {"properties": {"n": {"type": "integer"}}, "description": "fewer"}});
    let answer = tenant.api.put(&collection("patient"), &smaller).await.is(200);
    assert_eq!(answer.json(), keyed("patient", &smaller));
    let read = tenant.api.get(&profile("patient")).await.is(200).json();
    assert_eq!(
        read,
        json!({"key": "patient", "type": "ROOT", "description": "fewer", "properties": {"n": {"type": "integer"}}})
    );
    tenant.api.put(&collection("visit"), &smaller).await.is(201);
    // An open one is a collection as well.
    tenant
        .api
        .put(&resource("note/n"), json!({"data": {}}))
        .await
        .is(201);
    let read = tenant.api.get(&collection("note")).await.is(200).json();
    assert_eq!(
        read,
        json!({"key": "note", "type": "resources", "profile": {"properties": {}, "open": true}})
    );
    tenant
        .api
        .get(&collection("none"))
        .await
        .refused(404, "NOT_FOUND", &[]);
    // "For `relationships` without a definition the ends are open".
    let joined = json!({"type": "relationships", "profile": {"properties": {"role": {"type": "code"}}}});
    assert_eq!(
        tenant
            .api
            .put(&collection("treated-by"), &joined)
            .await
            .is(201)
            .json(),
        keyed("treated-by", &joined)
    );
    let read = tenant
        .api
        .get(&relationship_definition("treated-by"))
        .await
        .is(200)
        .json();
    let open = json!({"profileKey": "*"});
    assert_eq!(
        read,
        json!({"key": "treated-by", "from": open, "to": open, "properties": {"role": {"type": "code"}}})
    );
}

/// "Answer: the same plus `key`. `from` and `to` are required, `properties` and `description` optional".
async fn a_relationship_definition_is_put_and_read_as_it_was_sent(tenant: &Tenant) {
    let sent = json!({"from": {"profileKey": "patient", "includeKey": "patients", "includeCardinality": "0:*"},
        "to": {"profileKey": "practitioner", "includeKey": "practitioners", "includeCardinality": "0:1"},
        "properties": {"role": {"type": "code"}, "tags": {"type": "array", "items": {"type": "symbol"}}}, "description": "treated by"});
    let path = relationship_definition("treated-by");
    let shown = keyed("treated-by", &sent);
    assert_eq!(tenant.api.put(&path, &sent).await.is(201).json(), shown);
    assert_eq!(tenant.api.get(&path).await.is(200).json(), shown);
    // The collection of it says what its data are, and leaves its ends.
    let smaller = json!({"type": "relationships", "profile": {"properties": {}}});
    tenant.api.put(&collection("treated-by"), &smaller).await.is(200);
    let read = tenant.api.get(&path).await.is(200).json();
    assert_eq!((&read["from"], &read["properties"]), (&sent["from"], &json!({})));
    assert!(read.get("description").is_none());
    let ends = json!({"from": {"profileKey": "patient"}, "to": {"profileKey": "patient"}});
    assert_eq!(
        tenant.api.put(&path, &ends).await.is(200).json(),
        keyed("treated-by", &ends)
    );
    let bad = json!({"from": {"profileKey": "_", "includeCardinality": "0:2"}, "properties": {"role": {"type": "role"}}, "x": 1});
    tenant.api.put(&path, &bad).await.refused(
        400,
        "INVALID_ARGUMENT",
        &[
            ("$.from.profileKey", "pattern"),
            ("$.from.includeCardinality", "enum"),
            ("$.to", "required"),
            ("$.properties.role.type", "enum"),
            ("$.x", "unknown"),
        ],
    );
    tenant
        .api
        .get(&relationship_definition("none"))
        .await
        .refused(404, "NOT_FOUND", &[]);
}

/// "A profile and a relationship definition of one source cannot share a key: 409"; "it cannot be changed, 422"; "A
/// CONTAINED profile is no collection: 404, PUT 409".
async fn a_key_is_of_one_kind(tenant: &Tenant) {
    let root = json!({"type": "ROOT", "properties": {}});
    let inside = json!({"type": "CONTAINED", "properties": {}});
    let ends = json!({"from": {"profileKey": "a"}, "to": {"profileKey": "b"}});
    let resources = json!({"type": "resources", "profile": {"properties": {}}});
    let relationships = json!({"type": "relationships", "profile": {"properties": {}}});
    tenant.api.put(&profile("root"), &root).await.is(201);
    tenant.api.put(&profile("inside"), &inside).await.is(201);
    tenant
        .api
        .put(&relationship_definition("joined"), &ends)
        .await
        .is(201);
    tenant
        .api
        .put(&resource("open/x"), json!({"data": {}}))
        .await
        .is(201);
    for (path, body) in [
        (profile("root"), &inside),
        (profile("inside"), &root),
        (profile("open"), &inside),
    ] {
        tenant
            .api
            .put(&path, body)
            .await
            .refused(422, "FAILED_PRECONDITION", &[]);
    }
    for (path, body) in [
        (relationship_definition("root"), &ends),
        (relationship_definition("inside"), &ends),
        (relationship_definition("open"), &ends),
        (profile("joined"), &root),
        (profile("joined"), &inside),
        (collection("joined"), &resources),
        (collection("root"), &relationships),
        (collection("inside"), &resources),
        (collection("inside"), &relationships),
        (resource("joined/x"), &json!({"data": {}})),
    ] {
        tenant
            .api
            .put(&path, body)
            .await
            .refused(409, "ALREADY_EXISTS", &[]);
    }
    for path in [
        collection("inside"),
        relationship_definition("root"),
        relationship_definition("inside"),
        profile("joined"),
        resource("inside"),
        resource("joined"),
    ] {
        tenant.api.get(&path).await.refused(404, "NOT_FOUND", &[]);
    }
    // "A type whose profile is CONTAINED: 422", be it asked for now or later.
    for later in [false, true] {
        let call = tenant.api.put(&resource("inside/x"), json!({"data": {}}));
        let call = if later { call.later() } else { call };
        call.await.refused(422, "FAILED_PRECONDITION", &[]);
    }
}

/// "A listed key may be defined later"; "A listed ROOT key: 422".
async fn contained_profiles_are_listed_before_or_after_they_are_there(tenant: &Tenant) {
    tenant.api.put(&profile("patient"), patient()).await.is(201);
    let itself = json!({"type": "CONTAINED", "properties": {}, "contained": {"more": {"types": ["contact"], "cardinality": "0:1"}}});
    tenant.api.put(&profile("contact"), &itself).await.is(201);
    tenant.api.put(&profile("patient"), patient()).await.is(200);
    let lists = |key: &str| json!({"type": "ROOT", "properties": {}, "contained": {"a-b": {"types": ["contact", key], "cardinality": "1:*"}}});
    tenant.api.put(&profile("visit"), lists("patient")).await.refused(
        422,
        "FAILED_PRECONDITION",
        &[("$.contained['a-b'].types[1]", "reference")],
    );
    tenant.api.put(&profile("visit"), lists("visit")).await.refused(
        422,
        "FAILED_PRECONDITION",
        &[("$.contained['a-b'].types[1]", "reference")],
    );
    tenant.api.get(&profile("visit")).await.error(404, "NOT_FOUND");
}

/// "Refused too: `array` without `items`, `min` over `max`, an invalid `pattern` or condition, a rule that does not fit the
/// type: 400."; "Any other type name: 400."
async fn bad_definitions_are_refused_with_every_problem(tenant: &Tenant) {
    let bad = json!({"type": "ROOT", "owner": "x", "properties": {
        "a": {"type": "array"}, "b": {"type": "integer", "rules": [{"min": 2, "max": 1}]},
        "c": {"type": "symbol", "rules": [{"pattern": "("}, {"when": {"eq": {}}}]},
        "d": {"type": "boolean", "rules": [{"min": 1}]}, "e": {"type": "string"}, "f": {"type": "date", "format": "x"}}});
    tenant.api.put(&profile("patient"), &bad).await.refused(
        400,
        "INVALID_ARGUMENT",
        &[
            ("$.properties.a.items", "required"),
            ("$.properties.b.rules[0].min", "max"),
            ("$.properties.c.rules[0].pattern", "pattern"),
            ("$.properties.c.rules[1].when.eq", "required"),
            ("$.properties.d.rules[0].min", "unknown"),
            ("$.properties.e.type", "enum"),
            ("$.properties.f.format", "unknown"),
            ("$.owner", "unknown"),
        ],
    );
    for (body, found) in [
        (
            json!({}),
            &[("$.type", "required"), ("$.properties", "required")][..],
        ),
        (
            json!({"type": "LEAF", "properties": []}),
            &[("$.type", "enum"), ("$.properties", "type")],
        ),
        (json!([]), &[("$", "type")]),
        (
            json!({"key": "patient", "type": "ROOT", "properties": {}}),
            &[("$.key", "unknown")],
        ),
    ] {
        tenant
            .api
            .put(&profile("patient"), &body)
            .await
            .refused(400, "INVALID_ARGUMENT", found);
    }
    let both = tenant.api.put(&profile("a.b"), json!({"type": "ROOT"})).await;
    both.refused(
        400,
        "INVALID_ARGUMENT",
        &[("path.profileKey", "pattern"), ("$.properties", "required")],
    );
    let many: serde_json::Map<_, _> = (0..1001)
        .map(|n| (format!("p{n}"), json!({"type": "code"})))
        .collect();
    let many = json!({"type": "ROOT", "properties": many});
    tenant.api.put(&profile("patient"), &many).await.refused(
        400,
        "INVALID_ARGUMENT",
        &[("$.properties", "max")],
    );
    tenant.api.get(&profile("patient")).await.error(404, "NOT_FOUND");
    tenant
        .api
        .get("/catalog/v1/sources/northclinic")
        .await
        .error(404, "NOT_FOUND");
}

/// Section 2, "Excluded": "collection type `objects`", "a vocabulary binding of strength `required`".
async fn what_is_left_out_is_not_implemented(tenant: &Tenant) {
    let bound = json!({"type": "ROOT", "properties": {"a": {"type": "array", "items": {"type": "coding",
        "binding": {"vocabulary": {"key": "icd", "strength": "required"}}}}}});
    tenant
        .api
        .put(&profile("patient"), &bound)
        .await
        .refused(501, "UNIMPLEMENTED", &[]);
    let objects = json!({"type": "objects", "profile": {"properties": {}}});
    tenant
        .api
        .put(&collection("patient"), &objects)
        .await
        .refused(501, "UNIMPLEMENTED", &[]);
}

/// Section 3: "a write that creates something (...; a definition by PUT) in an unknown source creates the source";
/// "`false`: an unknown source or type is NOT_FOUND."
async fn definitions_make_their_source_where_profiles_are_open(tenant: &Tenant) {
    tenant.api.put(&profile("patient"), patient()).await.is(201);
    tenant.api.get("/catalog/v1/sources/northclinic").await.is(200);
    let closed = Tenant::on(&tenant.root, json!({"registry.open_profiles": false})).await;
    let resources = json!({"type": "resources", "profile": {"properties": {}}});
    let ends = json!({"from": {"profileKey": "a"}, "to": {"profileKey": "b"}});
    for (path, body) in [
        (profile("patient"), patient()),
        (collection("patient"), resources),
        (relationship_definition("joined"), ends),
    ] {
        closed.api.put(&path, body).await.refused(404, "NOT_FOUND", &[]);
    }
    closed
        .api
        .put("/catalog/v1/sources/northclinic", json!({"type": "registry"}))
        .await
        .is(201);
    closed.api.put(&profile("patient"), patient()).await.is(201);
    let good = json!({"data": {"mrn": "100001"}});
    closed.api.put(&resource("patient/x"), &good).await.is(201);
    // "until then its `data` is not checked if profiles are open, else NOT_FOUND"
    let inside = json!({"data": {"mrn": "100001"}, "contained": {"contacts": [{"id": "c1", "type": "contact", "data": {"any": 1}}]}});
    closed
        .api
        .put(&resource("patient/y"), &inside)
        .await
        .refused(404, "NOT_FOUND", &[]);
    tenant.api.put(&resource("patient/y"), &inside).await.is(201);
    closed
        .api
        .put(
            &profile("contact"),
            json!({"type": "CONTAINED", "properties": {}}),
        )
        .await
        .is(201);
    closed.api.put(&resource("patient/y"), &inside).await.refused(
        400,
        "INVALID_ARGUMENT",
        &[("$.contained.contacts[0].data.any", "unknown")],
    );
}

/// "`registry:admin` for definitions"; "`registry:read` for every GET".
async fn definitions_need_their_scopes(tenant: &Tenant) {
    let reader = tenant.limited(&["registry:read", "registry:write"]).await;
    let admin = tenant.limited(&["registry:admin"]).await;
    reader
        .put(&profile("patient"), patient())
        .await
        .refused(403, "PERMISSION_DENIED", &[]);
    admin.put(&profile("patient"), patient()).await.is(201);
    admin
        .get(&profile("patient"))
        .await
        .refused(403, "PERMISSION_DENIED", &[]);
    reader.get(&collection("patient")).await.is(200);
}
