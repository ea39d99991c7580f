//! The document in the words of OpenAPI 3.0.3, for generators that know no newer one.
//!
//! Schemas of 3.1 are JSON Schema 2020-12; those of 3.0 have one type each, `nullable` beside it, no `const`, one
//! `example`, nothing beside `$ref`, and flags instead of exclusive bounds. What has no counterpart is left out, so that
//! a 3.0 schema takes at least what its original takes.

use serde_json::{Map, Value, json};

/// What 3.0 lacks and nothing can stand for.
const WITHOUT_COUNTERPART: [&str; 18] = [
    "$schema",
    "$id",
    "$anchor",
    "$comment",
    "$defs",
    "$dynamicRef",
    "$dynamicAnchor",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentMediaType",
    "contentSchema",
];

/// `document`, which is OpenAPI 3.1, as 3.0.3.
pub fn from(mut document: Value) -> Value {
    document["openapi"] = json!("3.0.3");
    if let Some(members) = document.as_object_mut() {
        members.remove("webhooks");
        members.remove("jsonSchemaDialect");
    }
    for (part, newer) in [("info", "summary"), ("components", "pathItems")] {
        if let Some(part) = document.get_mut(part).and_then(Value::as_object_mut) {
            part.remove(newer);
        }
    }
    if let Some(licence) = document["info"].get_mut("license").and_then(Value::as_object_mut) {
        licence.remove("identifier");
    }
    convert(&mut document);
    document
}

/// Looks for schemas, and for what else differs.
fn convert(part: &mut Value) {
    match part {
        Value::Array(items) => items.iter_mut().for_each(convert),
        Value::Object(members) => {
            for (name, member) in members {
                match name.as_str() {
                    "schema" => schema(member),
                    "schemas" => member
                        .as_object_mut()
                        .into_iter()
                        .flatten()
                        .for_each(|(_, each)| schema(each)),
                    "security" => forget_scopes(member),
                    // Data, in which nothing has a meaning.
                    "example" | "examples" | "default" => {}
                    _ => convert(member),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Only OAuth2 and OpenID Connect may name them in 3.0; alternatives that differ in nothing else are one.
fn forget_scopes(security: &mut Value) {
    let Some(alternatives) = security.as_array_mut() else {
        return;
    };
    for alternative in &mut *alternatives {
        for (_, scopes) in alternative.as_object_mut().into_iter().flatten() {
            *scopes = json!([]);
        }
    }
    alternatives.dedup();
}

fn schema(part: &mut Value) {
    if let Value::Bool(anything) = part {
        *part = if *anything { json!({}) } else { json!({"not": {}}) };
    }
    let Value::Object(members) = part else { return };
    for name in WITHOUT_COUNTERPART {
        members.remove(name);
    }
    below(members);
    reference(members);
    values(members);
    bounds(members);
    items(members);
    types(members);
    unions(members);
}

/// The schemas inside this one.
fn below(members: &mut Map<String, Value>) {
    for (name, member) in members {
        match name.as_str() {
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => {
                member.as_array_mut().into_iter().flatten().for_each(schema);
            }
            "properties" | "patternProperties" => {
                member
                    .as_object_mut()
                    .into_iter()
                    .flatten()
                    .for_each(|(_, each)| schema(each));
            }
            "items" | "not" => schema(member),
            // These may be true or false in 3.0 as well.
            "additionalProperties" if !member.is_boolean() => schema(member),
            _ => {}
        }
    }
}

/// Whatever stands beside `$ref` would be ignored.
fn reference(members: &mut Map<String, Value>) {
    if members.len() > 1
        && let Some(target) = members.remove("$ref")
    {
        let mut all = vec![json!({"$ref": target})];
        if let Some(Value::Array(more)) = members.remove("allOf") {
            all.extend(more);
        }
        members.insert("allOf".to_owned(), all.into());
    }
}

fn values(members: &mut Map<String, Value>) {
    if let Some(value) = members.remove("const") {
        members.insert("enum".to_owned(), json!([value]));
    }
    if let Some(Value::Array(examples)) = members.remove("examples")
        && let Some(first) = examples.into_iter().next()
    {
        members.entry("example").or_insert(first);
    }
    if let Some(encoding) = members.remove("contentEncoding") {
        let format = if encoding == "base64" { "byte" } else { "binary" };
        members.entry("format").or_insert(json!(format));
    }
}

fn bounds(members: &mut Map<String, Value>) {
    for (exclusive, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if let Some(value) = members.get(exclusive).filter(|value| value.is_number()).cloned() {
            members.insert(bound.to_owned(), value);
            members.insert(exclusive.to_owned(), json!(true));
        }
    }
}

fn items(members: &mut Map<String, Value>) {
    if members.remove("prefixItems").is_some() {
        members.insert("items".to_owned(), json!({}));
    }
    if members.remove("patternProperties").is_some() {
        members.insert("additionalProperties".to_owned(), json!(true));
    }
    if members.get("type") == Some(&json!("array")) {
        members.entry("items").or_insert(json!({}));
    }
}

/// One type each; null is no type, but may be allowed beside one.
fn types(members: &mut Map<String, Value>) {
    let mut types = match members.get("type") {
        Some(Value::Array(types)) => types.clone(),
        Some(Value::String(one)) if one == "null" => vec![json!(one)],
        _ => return,
    };
    members.remove("type");
    let all = types.len();
    types.retain(|one| one != "null");
    if types.len() < all {
        members.insert("nullable".to_owned(), json!(true));
    }
    match types.as_slice() {
        [] => {
            members.insert("enum".to_owned(), json!([null]));
        }
        [one] => {
            members.insert("type".to_owned(), one.clone());
        }
        several => {
            let each = several.iter().map(|one| {
                let mut each = json!({"type": one});
                if let Value::Object(each) = &mut each {
                    items(each);
                }
                each
            });
            members.insert("anyOf".to_owned(), each.collect());
        }
    }
}

/// A union with null is the rest of it, nullable.
fn unions(members: &mut Map<String, Value>) {
    for name in ["oneOf", "anyOf"] {
        let Some(Value::Array(alternatives)) = members.get_mut(name) else {
            continue;
        };
        let all = alternatives.len();
        alternatives.retain(|alternative| alternative != &json!({"nullable": true, "enum": [null]}));
        if alternatives.len() == all {
            continue;
        }
        if let [only] = alternatives.as_slice() {
            let only = only.clone();
            members.remove(name);
            members.insert("allOf".to_owned(), json!([only]));
        }
        members.insert("nullable".to_owned(), json!(true));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(newer: Value) -> Value {
        let mut part = newer;
        schema(&mut part);
        part
    }

    #[test]
    fn a_schema_of_each_newer_kind_has_an_older_counterpart() {
        let reference = json!({"$ref": "#/components/schemas/A"});
        for (newer, older) in [
            (json!(true), json!({})),
            (json!({"type": "string"}), json!({"type": "string"})),
            (
                json!({"type": ["string", "null"]}),
                json!({"type": "string", "nullable": true}),
            ),
            (
                json!({"type": ["integer", "array"]}),
                json!({"anyOf": [{"type": "integer"}, {"type": "array", "items": {}}]}),
            ),
            (json!({"type": "null"}), json!({"nullable": true, "enum": [null]})),
            (
                json!({"oneOf": [reference, {"type": "null"}]}),
                json!({"allOf": [reference], "nullable": true}),
            ),
            (
                json!({"anyOf": [{"type": "null"}, {"type": "string"}, {"type": "integer"}]}),
                json!({"anyOf": [{"type": "string"}, {"type": "integer"}], "nullable": true}),
            ),
            (json!({"const": "a"}), json!({"enum": ["a"]})),
            (json!({"examples": [1, 2]}), json!({"example": 1})),
            (
                json!({"type": "integer", "exclusiveMinimum": 0}),
                json!({"type": "integer", "minimum": 0, "exclusiveMinimum": true}),
            ),
            (
                json!({"$ref": "#/components/schemas/A", "description": "b"}),
                json!({"description": "b", "allOf": [reference]}),
            ),
            (json!({"$ref": "#/components/schemas/A"}), reference.clone()),
            (
                json!({"type": "string", "contentEncoding": "base64"}),
                json!({"type": "string", "format": "byte"}),
            ),
            (
                json!({"type": "object", "propertyNames": {"pattern": "a"}, "additionalProperties": false}),
                json!({"type": "object", "additionalProperties": false}),
            ),
            (
                json!({"properties": {"const": {"const": 1}}, "items": {"type": ["number", "null"]}}),
                json!({"properties": {"const": {"enum": [1]}}, "items": {"type": "number", "nullable": true}}),
            ),
        ] {
            assert_eq!(converted(newer.clone()), older, "{newer}");
        }
    }

    #[test]
    fn data_is_left_alone() {
        let document = json!({
            "openapi": "3.1.0",
            "info": {"license": {"name": "a", "identifier": "b"}},
            "components": {"schemas": {"A": {"type": ["string", "null"], "default": {"const": 1}}}},
            "paths": {"/a": {"get": {
                "security": [{"apiKey": ["ops:read"]}, {"apiKey": ["ops:write"]}, {"bearer": []}],
                "parameters": [{"schema": {"type": "string"}, "example": {"type": ["string", "null"]}}],
            }}},
        });
        let older = from(document);
        assert_eq!(older["openapi"], "3.0.3");
        assert_eq!(older["info"]["license"], json!({"name": "a"}));
        assert_eq!(
            older["components"]["schemas"]["A"]["default"],
            json!({"const": 1})
        );
        let operation = &older["paths"]["/a"]["get"];
        assert_eq!(
            operation["parameters"][0]["example"]["type"],
            json!(["string", "null"])
        );
        assert_eq!(operation["security"], json!([{"apiKey": []}, {"bearer": []}]));
    }
}
