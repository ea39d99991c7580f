use super::*;

#[track_caller]
fn problems_of(properties: &Value, data: &Value, expected: &[(&str, Rule)]) {
    assert_eq!(
        judge(&in_force(with(properties)), data),
        paths(expected),
        "{data}"
    );
}

#[track_caller]
fn values_of(property: &Value, good: &[Value], bad: &[Value]) {
    let types = in_force(with(&json!({"it": property})));
    for value in good {
        assert_eq!(judge(&types, &json!({"it": value})), [], "{property} {value}");
    }
    for value in bad {
        let found = judge(&types, &json!({"it": value}));
        assert!(!found.is_empty(), "{property} {value}");
    }
}

#[test]
fn values_are_of_their_types() {
    let of = |name: &str| json!({"type": name});
    values_of(
        &of("boolean"),
        &[json!(true), json!(null)],
        &[json!(0), json!("true")],
    );
    let whole = [
        json!(0),
        json!(-3),
        json!(9_007_199_254_740_991_i64),
        serde_json::from_str("1.0").unwrap(),
        serde_json::from_str("1e3").unwrap(),
    ];
    let broken = [
        json!(1.5),
        json!("1"),
        json!(9_007_199_254_740_992_i64),
        json!(-9_007_199_254_740_992_i64),
        serde_json::from_str("1e99").unwrap(),
        serde_json::from_str("9007199254740990.9999999").unwrap(),
        json!(true),
    ];
    values_of(&of("integer"), &whole, &broken);
    values_of(
        &of("decimal"),
        &[json!(1.5), serde_json::from_str("1e999").unwrap()],
        &[json!("1.5")],
    );
    values_of(&of("symbol"), &[json!(""), json!(" x ")], &[json!(1), json!([])]);
    values_of(
        &of("date"),
        &[json!("2024-02-29")],
        &[json!("2023-02-29"), json!(2024)],
    );
    values_of(
        &of("object"),
        &[json!({}), json!({"any": [1]})],
        &[json!([]), json!("x")],
    );
    values_of(
        &json!({"type": "array", "items": of("integer")}),
        &[json!([]), json!([1, null])],
        &[json!([1, "2"]), json!(1)],
    );
}

#[test]
fn values_of_complex_types_have_their_members() {
    let of = |name: &str| json!({"type": name});
    values_of(
        &of("reference"),
        &[
            json!("pr-7"),
            json!({"id": "pr-7", "type": "practitioner", "display": "Dr"}),
        ],
        &[json!(7), json!({"ref": "x"})],
    );
    values_of(
        &of("humanname"),
        &[json!({"family": "X", "given": ["A", null], "id": "1", "period": {"start": "2026"}})],
        &[
            json!({"given": "A"}),
            json!({"first": "A"}),
            json!({"period": {"start": "yesterday"}}),
            json!("X"),
            json!({"use": " "}),
        ],
    );
    values_of(
        &of("address"),
        &[json!({"line": ["1 Way"], "postalCode": "X1"})],
        &[json!({"line": "1 Way"}), json!({"zip": "1"})],
    );
    values_of(
        &of("identifier"),
        &[json!({"system": "urn:x", "value": "1"})],
        &[json!({"system": ""})],
    );
    values_of(
        &of("coding"),
        &[json!({"userSelected": true})],
        &[json!({"userSelected": "yes"})],
    );
    values_of(
        &of("codeableconcept"),
        &[json!({"coding": [{"code": "a"}], "text": "A"})],
        &[json!({"coding": {"code": "a"}}), json!({"coding": [{"x": 1}]})],
    );
    values_of(
        &of("contactpoint"),
        &[json!({"rank": 1, "value": "555"})],
        &[json!({"rank": 1.5})],
    );
    values_of(
        &of("contactdetail"),
        &[json!({"telecom": [{"use": "home"}]})],
        &[json!({"telecom": [1]})],
    );
    values_of(
        &of("attachment"),
        &[json!({"size": 3, "url": "https://example.org/x"})],
        &[json!({"url": "x"})],
    );
    values_of(
        &of("geopoint"),
        &[json!({"lat": 41.9, "lng": 12})],
        &[json!({"lat": "41.9"}), json!([1, 2])],
    );
    values_of(
        &of("quantity"),
        &[json!({"value": 1.5, "unit": "mg"})],
        &[json!({"value": "1.5"})],
    );
    values_of(
        &of("period"),
        &[json!({"start": "2026-03", "end": null})],
        &[json!({"begin": "2026"})],
    );
}

#[test]
fn rules_are_applied_where_they_fit() {
    let rules = |name: &str, rules: Value| json!({"type": name, "rules": rules});
    values_of(
        &rules("symbol", json!([{"min": 2, "max": 3}])),
        &[json!("ab"), json!("äöü")],
        &[json!("a"), json!("abcd")],
    );
    values_of(
        &rules("decimal", json!([{"min": 0.1}, {"max": 1}])),
        &[json!(0.1), json!(1.0)],
        &[json!(0.09), json!(1.01)],
    );
    values_of(
        &rules("integer", json!([{"enum": [1, 2.0]}])),
        &[json!(1), json!(2)],
        &[json!(3)],
    );
    values_of(
        &rules("code", json!([{"enum": ["a"]}])),
        &[json!("a")],
        &[json!("b")],
    );
    values_of(
        &rules("symbol", json!([{"pattern": "b+"}])),
        &[json!("abbc")],
        &[json!("ac")],
    );
    let list = json!({"type": "array", "items": rules("symbol", json!([{"required": true}, {"min": 1}])), "rules": [{"min": 1}, {"max": 2}]});
    values_of(
        &list,
        &[json!(["a"]), json!(["a", "b"])],
        &[json!([]), json!(["a", "b", "c"]), json!([null]), json!([""])],
    );
    // "null without required passes"; "a required array may be empty"; "required: key present and not null".
    let required = json!({"type": "array", "items": {"type": "date"}, "rules": [{"required": true}]});
    values_of(&required, &[json!([])], &[json!(null)]);
    problems_of(
        &json!({"a": required}),
        &json!({}),
        &[("$.data.a", Rule::Required)],
    );
    problems_of(
        &json!({"a": rules("date", json!([{"required": false}]))}),
        &json!({}),
        &[],
    );
}

/// "Every problem of a body is named, with path and rule, in one answer."
#[test]
fn every_problem_of_data_is_named() {
    let properties = json!({
        "mrn": {"type": "symbol", "rules": [{"required": true}, {"pattern": "^[0-9]{6}$"}, {"max": 6}]},
        "name": {"type": "array", "items": {"type": "humanname"}, "rules": [{"min": 3}]},
        "birthDate": {"type": "date"},
        "vitals": {"type": "object", "properties": {"pulse": {"type": "integer", "rules": [{"min": 1, "max": 400}]},
            "taken": {"type": "instant", "rules": [{"required": true}]}}},
    });
    let data = json!({"nick-name": "x", "mrn": "12345678", "name": [{"family": 1, "first": "A"}, 7], "birthDate": "2026-13",
        "vitals": {"pulse": 500, "extra": null}});
    problems_of(
        &properties,
        &data,
        &[
            ("$.data.mrn", Rule::Pattern),
            ("$.data.mrn", Rule::Max),
            ("$.data.name[0].family", Rule::Type),
            ("$.data.name[0].first", Rule::Unknown),
            ("$.data.name[1]", Rule::Type),
            ("$.data.name", Rule::Min),
            ("$.data.birthDate", Rule::Type),
            ("$.data.vitals.pulse", Rule::Max),
            ("$.data.vitals.taken", Rule::Required),
            ("$.data.vitals.extra", Rule::Unknown),
            ("$.data['nick-name']", Rule::Unknown),
        ],
    );
}

#[test]
fn a_rule_with_a_condition_applies_when_it_holds() {
    let properties = json!({"status": {"type": "code"},
        "endReason": {"type": "symbol", "rules": [{"required": true, "when": {"eq": {"status": "inactive"}}}]},
        "visits": {"type": "array", "items": {"type": "object", "properties": {"kind": {"type": "code"},
            "ward": {"type": "symbol", "rules": [{"required": true, "when": {"eq": {"visits.[current].kind": "inpatient"}}}]}}}}});
    problems_of(&properties, &json!({"status": "active"}), &[]);
    problems_of(
        &properties,
        &json!({"status": "inactive"}),
        &[("$.data.endReason", Rule::Required)],
    );
    problems_of(
        &properties,
        &json!({"status": "inactive", "endReason": "moved"}),
        &[],
    );
    problems_of(
        &properties,
        &json!({"visits": [{"kind": "outpatient"}, {"kind": "inpatient"}, {"kind": "inpatient", "ward": "3"}]}),
        &[("$.data.visits[1].ward", Rule::Required)],
    );
}

fn contained(text: &Value) -> IndexMap<String, Vec<Contained>> {
    serde_json::from_str(&text.to_string()).expect("contained resources")
}

fn judge_contained(types: &TypesInForce, inside: &Value) -> (Found, Option<Key>) {
    let mut problems = Problems::default();
    let unknown = types.check_contained(&contained(inside), &mut problems);
    (
        problems.into_result().err().map(found).unwrap_or_default(),
        unknown,
    )
}

fn with_contained(open_profiles: bool) -> TypesInForce {
    let body = json!({"type": "ROOT", "properties": {}, "contained": {
        "contacts": {"types": ["contact", "later"], "cardinality": "0:1"}, "cards": {"types": ["card"], "cardinality": "1:*"}}});
    let root = Shape::Root(Some(profile(&body).unwrap().1));
    let mut types = TypesInForce::new(
        &type_key("patient"),
        Some(definition("patient", root)),
        open_profiles,
    );
    let body = json!({"type": "CONTAINED", "properties": {"phone": {"type": "symbol"}}, "contained": {"hours": {"types": ["hour"], "cardinality": "0:*"}}});
    types.tell(
        key("contact"),
        Some(definition("contact", Shape::Contained(profile(&body).unwrap().1))),
    );
    types.tell(key("card"), Some(definition("card", Shape::Root(None))));
    types
}

#[test]
fn what_is_inside_is_judged_by_its_own_profile() {
    let types = with_contained(true);
    let inside = json!({
        "contacts": [{"id": "c1", "type": "contact", "data": {"phone": 5}, "contained": {"hours": [{"type": "minute", "data": {}}], "x": [{"type": "hour", "data": {}}]}},
            {"id": "c2", "type": "later", "data": {"any": 1}, "contained": {"any": [{"type": "t", "data": {}}]}}],
        "others": [{"type": "contact", "data": {}}]});
    let expected = paths(&[
        ("$.contained.contacts", Rule::Cardinality),
        ("$.contained.cards", Rule::Cardinality),
        ("$.contained.contacts[0].data.phone", Rule::Type),
        ("$.contained.contacts[0].contained.hours[0].type", Rule::Enum),
        ("$.contained.contacts[0].contained.x", Rule::Unknown),
        ("$.contained.others", Rule::Unknown),
    ]);
    assert_eq!(judge_contained(&types, &inside), (expected, None));
    let wrong = json!({"cards": [{"type": "card", "data": {}}]});
    let expected = paths(&[("$.contained.cards[0].type", Rule::Reference)]);
    assert_eq!(judge_contained(&types, &wrong), (expected, None));
    // Without open profiles, what is not defined yet is not there.
    let later = json!({"contacts": [{"type": "later", "data": {}}], "cards": [{"type": "card", "data": {}}]});
    assert_eq!(
        judge_contained(&with_contained(false), &later).1,
        Some(key("later"))
    );
}

#[test]
fn only_types_that_may_be_there_are_looked_up() {
    let types = with_contained(true);
    let wanted = |inside: &Value| {
        types
            .wanted(&contained(inside))
            .into_iter()
            .map(|of| of.to_string())
            .collect::<Vec<_>>()
    };
    let item = |of: &str, inside: Value| json!({"type": of, "data": {}, "contained": inside});
    assert_eq!(
        wanted(
            &json!({"contacts": [item("later", json!({})), item("stranger", json!({}))], "x": [item("later", json!({}))]})
        ),
        ["later"]
    );
    let hours = json!({"hours": [item("hour", json!({})), item("day", json!({}))]});
    assert_eq!(wanted(&json!({"contacts": [item("contact", hours)]})), ["hour"]);
    let relied: Vec<_> = types
        .relied_on()
        .map(|(of, version)| (of.to_string(), version))
        .collect();
    assert_eq!(
        relied,
        [
            ("patient".to_owned(), 1),
            ("card".to_owned(), 1),
            ("contact".to_owned(), 1)
        ]
    );
}

#[test]
fn in_a_closed_type_the_token_is_filled_in_references_only() {
    let properties = json!({"self": {"type": "reference"}, "text": {"type": "symbol"},
        "all": {"type": "array", "items": {"type": "object", "properties": {"ref": {"type": "reference"}}}}});
    let types = in_force(with(&properties));
    let mut data = RawValue::from_string(
        r#"{"self": {"id": "@rootId", "display": "@rootId"}, "text": "@rootId", "all": [{"ref": "@rootId"}], "n": 4.70}"#.to_owned(),
    )
    .unwrap();
    types.fill_root_token(&mut data, &mut IndexMap::new(), "pt-1");
    assert_eq!(
        data.get(),
        r#"{"self":{"id":"pt-1","display":"@rootId"},"text":"@rootId","all":[{"ref":"pt-1"}],"n":4.70}"#
    );
}

#[test]
fn only_a_collection_of_resources_has_resources() {
    let kind = |shape: Shape| {
        let types = TypesInForce::new(&type_key("x"), Some(definition("x", shape)), true);
        types.check_kind().map_err(|refusal| refusal.kind)
    };
    assert_eq!(kind(Shape::Root(None)), Ok(()));
    assert_eq!(
        kind(Shape::Contained(with(&json!({})))),
        Err(RefusalKind::FailedPrecondition)
    );
    assert_eq!(kind(Shape::Relationship(None)), Err(RefusalKind::AlreadyExists));
}
