use super::*;

fn patient() -> Value {
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

#[test]
fn the_published_example_is_read_and_shown_as_it_was_sent() {
    let (of, profile) = profile(&patient()).unwrap();
    assert_eq!(of, ProfileType::Root);
    let mut expected = patient();
    expected.as_object_mut().unwrap().shift_remove("type");
    assert_eq!(Value::Object(profile.members()), expected);
    let again = Shape::restore(ShapeKind::Root, Some(&profile.members()));
    assert_eq!(
        again,
        Some(Shape::Root(Some(profile))),
        "what is stored comes back"
    );
}

#[test]
fn every_problem_of_a_profile_is_named() {
    let bad = json!({"type": "root", "colour": 1, "description": 5, "contained": {
        "a": {"types": [], "cardinality": "0:2"},
        "b": {"types": ["x", "x", 7, "_"], "cardinality": "1:*", "most": 5},
        "c": []},
      "properties": {
        "kind": {"type": "string"},
        "none": {"rules": []},
        "list": {"type": "array"},
        "deep": {"type": "object", "properties": {"in-ner": {"type": "integer", "items": {}}}},
        "yes": {"type": "boolean", "rules": [{"min": 1}, {"required": 1}]},
        "text": {"type": "symbol", "rules": [{"min": 5, "max": 4}, {"pattern": "("}, {"enum": ["a", 1]}, {"enum": []}, {"longest": 1}]},
        "many": {"type": "array", "items": {"type": "symbol", "rules": [{"min": "1"}]}, "rules": [{"pattern": "a"}, 7]},
        "when": {"type": "symbol", "rules": [{"when": {"like": {"a": 1}}}, {"when": {"exists": "many.[current]"}}]},
        "bound": {"type": "coding", "binding": {"vocabulary": {"strength": "weak", "size": 1}}},
        "free": {"type": "symbol", "binding": {}},
        "five": 5}});
    assert_eq!(
        profile(&bad).unwrap_err(),
        paths(&[
            ("$.type", Rule::Enum),
            ("$.description", Rule::Type),
            ("$.properties.kind.type", Rule::Enum),
            ("$.properties.none.type", Rule::Required),
            ("$.properties.list.items", Rule::Required),
            ("$.properties.deep.properties['in-ner'].items", Rule::Unknown),
            ("$.properties.yes.rules[0].min", Rule::Unknown),
            ("$.properties.yes.rules[1].required", Rule::Type),
            ("$.properties.text.rules[0].min", Rule::Max),
            ("$.properties.text.rules[1].pattern", Rule::Pattern),
            ("$.properties.text.rules[2].enum[1]", Rule::Type),
            ("$.properties.text.rules[3].enum", Rule::Min),
            ("$.properties.text.rules[4].longest", Rule::Unknown),
            ("$.properties.many.items.rules[0].min", Rule::Type),
            ("$.properties.many.rules[0].pattern", Rule::Unknown),
            ("$.properties.many.rules[1]", Rule::Type),
            ("$.properties.when.rules[0].when.like", Rule::Unknown),
            ("$.properties.when.rules[1].when.exists", Rule::Reference),
            ("$.properties.bound.binding.vocabulary.key", Rule::Required),
            ("$.properties.bound.binding.vocabulary.strength", Rule::Enum),
            ("$.properties.bound.binding.vocabulary.size", Rule::Unknown),
            ("$.properties.free.binding", Rule::Unknown),
            ("$.properties.five", Rule::Type),
            ("$.contained.a.types", Rule::Min),
            ("$.contained.a.cardinality", Rule::Enum),
            ("$.contained.b.types[1]", Rule::Duplicate),
            ("$.contained.b.types[2]", Rule::Type),
            ("$.contained.b.types[3]", Rule::Pattern),
            ("$.contained.b.most", Rule::Unknown),
            ("$.contained.c", Rule::Type),
            ("$.colour", Rule::Unknown),
        ])
    );
    let nothing = json!({});
    assert_eq!(
        profile(&nothing).unwrap_err(),
        paths(&[("$.type", Rule::Required), ("$.properties", Rule::Required)])
    );
}

/// "1,000 properties and 10 levels a profile".
#[test]
fn a_profile_is_of_bounded_size() {
    let many = |count: usize| {
        let all = (0..count).map(|n| (format!("p{n}"), json!({"type": "boolean"})));
        json!({"type": "ROOT", "properties": all.collect::<Map<_, _>>()})
    };
    assert!(profile(&many(1000)).is_ok());
    assert_eq!(
        profile(&many(1001)).unwrap_err(),
        paths(&[("$.properties", Rule::Max)])
    );
    let deep = |levels: usize| {
        let leaf = json!({"type": "boolean"});
        let nested = (1..levels).fold(
            leaf,
            |inner, _| json!({"type": "object", "properties": {"a": inner}}),
        );
        json!({"type": "ROOT", "properties": {"a": nested}})
    };
    assert!(profile(&deep(10)).is_ok());
    let problems = profile(&deep(11)).unwrap_err();
    assert_eq!(
        problems,
        paths(&[(
            &format!("$.properties{}", ".a.properties".repeat(10)),
            Rule::Depth
        )])
    );
}

/// "a vocabulary binding of strength `required`" is excluded, "`preferred` never rejects".
#[test]
fn a_vocabulary_that_would_bind_is_not_supported() {
    let bound = |strength: &str| {
        let coding =
            json!({"type": "coding", "binding": {"vocabulary": {"key": "icd", "strength": strength}}});
        let nested = json!({"type": "array", "items": {"type": "object", "properties": {"code": coding}}});
        Profile::read_typed(map(&json!({"type": "CONTAINED", "properties": {"all": nested}})))
            .map(|(of, _)| of)
    };
    assert_eq!(bound("required"), Err(NotTaken::Unsupported));
    assert_eq!(bound("preferred"), Ok(ProfileType::Contained));
}

#[test]
fn relationship_definitions_are_read_and_shown_as_they_were_sent() {
    let sent = json!({"from": {"profileKey": "patient", "includeKey": "patients", "includeCardinality": "0:*"},
        "to": {"profileKey": "*"}, "properties": {"role": {"type": "code"}}, "description": "treated by"});
    let read = RelationshipDefinition::read(map(&sent)).unwrap();
    assert_eq!(read.to, End::OPEN);
    assert_eq!(read.from.cardinality, Some(Cardinality::Any));
    assert_eq!(Value::Object(read.members()), sent);
    let bad = json!({"from": {"profileKey": "_", "includeKey": 1, "includeCardinality": "2", "x": 1},
        "properties": {"role": {"type": "role"}}, "contained": {}});
    let Err(NotTaken::Refused(refusal)) = RelationshipDefinition::read(map(&bad)) else {
        panic!("it is refused")
    };
    assert_eq!(
        found(refusal),
        paths(&[
            ("$.from.profileKey", Rule::Pattern),
            ("$.from.includeKey", Rule::Type),
            ("$.from.includeCardinality", Rule::Enum),
            ("$.from.x", Rule::Unknown),
            ("$.to", Rule::Required),
            ("$.properties.role.type", Rule::Enum),
            ("$.contained", Rule::Unknown),
        ])
    );
}

#[test]
fn collections_are_read_with_their_profiles() {
    let read = |body: &Value| match CollectionType::read(map(body)) {
        Ok((of, profile)) => Ok((of, Value::Object(profile.members()))),
        Err(NotTaken::Refused(refusal)) => Err(found(refusal)),
        Err(NotTaken::Unsupported) => Err(Vec::new()),
    };
    let profile = json!({"properties": {"a": {"type": "date"}}});
    let good = json!({"type": "relationships", "profile": profile});
    assert_eq!(read(&good), Ok((CollectionType::Relationships, profile)));
    let inside = json!({"properties": {}, "contained": {}});
    assert!(read(&json!({"type": "resources", "profile": inside})).is_ok());
    assert_eq!(
        read(&json!({"type": "relationships", "profile": inside})),
        Err(paths(&[("$.profile.contained", Rule::Unknown)]))
    );
    assert_eq!(read(&json!({"type": "objects"})), Err(Vec::new()));
    assert_eq!(
        read(&json!({"type": "x", "y": 1, "profile": {"key": "k", "properties": {"a": 1}}})),
        Err(paths(&[
            ("$.type", Rule::Enum),
            ("$.y", Rule::Unknown),
            ("$.profile.properties.a", Rule::Type),
            ("$.profile.key", Rule::Unknown),
        ]))
    );
    assert_eq!(
        read(&json!({})),
        Err(paths(&[
            ("$.type", Rule::Required),
            ("$.profile", Rule::Required)
        ]))
    );
}

#[test]
fn a_definition_stays_of_its_kind() {
    let root = Shape::Root(Some(with(&json!({}))));
    let contained = Shape::Contained(with(&json!({})));
    let relationship = Shape::Relationship(None);
    let refused = |is: &Shape, put: &Shape| {
        let refused = definition("k", is.clone()).replaced_by(put.clone());
        refused.map(|after| after.version).map_err(|refusal| refusal.kind)
    };
    assert_eq!(refused(&root, &root), Ok(2));
    assert_eq!(refused(&Shape::Root(None), &root), Ok(2));
    assert_eq!(refused(&root, &contained), Err(RefusalKind::FailedPrecondition));
    assert_eq!(refused(&contained, &root), Err(RefusalKind::FailedPrecondition));
    for other in [&root, &contained] {
        assert_eq!(refused(other, &relationship), Err(RefusalKind::AlreadyExists));
        assert_eq!(refused(&relationship, other), Err(RefusalKind::AlreadyExists));
    }
}
