//! What holds of every definition and every record.

use super::*;
use proptest::prelude::*;

/// Properties of every type, each with a value that it takes.
fn property() -> impl Strategy<Value = (Value, Value)> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(|v| (json!({"type": "boolean"}), json!(v))),
        (-1000_i64..1000).prop_map(|v| (json!({"type": "integer", "rules": [{"min": v, "max": v}]}), json!(v))),
        (-1000_i64..1000).prop_map(|v| (json!({"type": "decimal", "rules": [{"enum": [v]}]}), json!(v))),
        "[a-z]{1,8}".prop_map(|v| {
            let length = v.len();
            (json!({"type": "symbol", "rules": [{"required": true}, {"min": length, "max": length}, {"pattern": "^[a-z]+$"}]}), json!(v))
        }),
        (1_u32..=9999, 1_u32..=12, 1_u32..=28).prop_map(|(y, m, d)| (json!({"type": "date"}), json!(format!("{y:04}-{m:02}-{d:02}")))),
        "[a-z]{1,8}".prop_map(|v| (json!({"type": "reference"}), json!({"id": v}))),
        "[a-z]{1,8}".prop_map(|v| (json!({"type": "humanname"}), json!({"given": [v]}))),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            (inner.clone(), 0_usize..4).prop_map(|((property, value), n)| {
                (json!({"type": "array", "items": property}), json!(vec![value; n]))
            }),
            prop::collection::btree_map("[a-z]{1,6}", inner, 0..4).prop_map(|members| {
                let (mut properties, mut data) = (Map::new(), Map::new());
                for (name, (property, value)) in members {
                    properties.insert(name.clone(), property);
                    data.insert(name, value);
                }
                (
                    json!({"type": "object", "properties": properties}),
                    Value::Object(data),
                )
            }),
        ]
    })
}

/// Any JSON, not too deep.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        prop::sample::select(vec![
            "array",
            "object",
            "symbol",
            "code",
            "reference",
            "integer",
            "date",
            "ROOT",
            "0:1",
            "(",
            "a.[current]"
        ])
        .prop_map(Value::from),
    ];
    let names = prop::sample::select(vec![
        "type",
        "rules",
        "items",
        "properties",
        "required",
        "min",
        "max",
        "enum",
        "pattern",
        "when",
        "eq",
        "any",
        "exists",
        "not",
        "and",
        "gt",
        "contained",
        "types",
        "cardinality",
        "binding",
        "vocabulary",
        "strength",
        "description",
        "from",
        "to",
        "x",
    ]);
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((names.clone(), inner), 0..5).prop_map(|members| Value::Object(
                members
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect()
            )),
        ]
    })
}

proptest! {
    /// What a definition describes, it takes.
    #[test]
    fn a_record_made_by_its_profile_has_no_problems((property, value) in property()) {
        let types = in_force(with(&json!({"it": property})));
        prop_assert_eq!(judge(&types, &json!({"it": value})), []);
    }

    /// However many things are wrong, none hides another.
    #[test]
    fn problems_of_members_add_up(all in prop::collection::btree_map("[a-z]{2,6}", (property(), any::<bool>()), 1..12)) {
        let (mut properties, mut data, mut broken) = (Map::new(), Map::new(), Vec::new());
        for (name, ((property, value), breaks)) in all {
            properties.insert(name.clone(), property.clone());
            // No type of `property` takes both.
            let wrong = if property["type"] == "boolean" { json!(7) } else { json!(true) };
            data.insert(name.clone(), if breaks { wrong } else { value });
            if breaks {
                broken.push((format!("$.data.{name}"), Rule::Type));
            }
        }
        data.insert("X".to_owned(), Value::Null);
        broken.push(("$.data.X".to_owned(), Rule::Unknown));
        let types = in_force(with(&Value::Object(properties)));
        prop_assert_eq!(judge(&types, &Value::Object(data)), broken);
    }

    /// Whatever is sent is taken or refused with a reason; what is taken is stored and comes back the same.
    #[test]
    fn any_body_is_taken_or_refused_with_a_reason(properties in json_value(), contained in json_value(), data in json_value()) {
        let body = json!({"type": "ROOT", "properties": {"a": properties}, "contained": contained});
        match profile(&body) {
            Ok((_, profile)) => {
                let members = profile.members();
                let shape = Shape::Root(Some(profile.clone()));
                prop_assert_eq!(Shape::restore(ShapeKind::Root, Some(&members)), Some(shape));
                let types = in_force(profile);
                let _judged = judge(&types, &json!({"a": data}));
            }
            Err(problems) => {
                let unsupported = body.to_string().contains("required");
                prop_assert!(!problems.is_empty() || unsupported);
            }
        }
        let _read = RelationshipDefinition::read(map(&body));
    }
}
