//! What has to hold for all of a document; that answers are as it says is seen by the end-to-end tests.

use super::DOCUMENTS;
use crate::http::routes::{DIALECTS, Dialect};
use serde_json::Value;
use std::collections::HashSet;

fn newer() -> Value {
    serde_json::from_str(&DOCUMENTS.newer).expect("JSON")
}

fn operations(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().expect("methods");
        methods
            .iter()
            .map(move |(method, operation)| (format!("{method} {path}"), operation))
    })
}

/// Every value in it, with the name it is under.
fn visit(name: &str, value: &Value, see: &mut dyn FnMut(&str, &Value)) {
    see(name, value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| visit(name, item, see)),
        Value::Object(members) => members.iter().for_each(|(name, member)| visit(name, member, see)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_operation_is_named_once_and_told_in_full() {
    let document = newer();
    let mut names = HashSet::new();
    for (what, operation) in operations(&document) {
        let name = operation["operationId"].as_str().expect("a name");
        assert!(names.insert(name), "{name} is there twice");
        assert!(operation["summary"].is_string(), "{what} has no summary");
        let tag = operation["tags"][0].as_str().expect("a tag");
        let dialect = DIALECTS
            .iter()
            .find(|dialect| dialect.name == tag)
            .expect("a dialect");
        let free = operation["security"] == serde_json::json!([]);
        assert_eq!(free, dialect.credentials.is_empty(), "{what}");
        for (status, response) in operation["responses"].as_object().expect("answers") {
            let told = response["description"].is_string() || response["$ref"].is_string();
            assert!(told, "{what} {status}");
        }
        if free {
            continue;
        }
        for status in ["401", "403", "429", "500", "503"] {
            assert!(
                operation["responses"][status].is_object(),
                "{what} lacks {status}"
            );
        }
    }
}

#[test]
fn a_path_is_its_dialects() {
    for dialect in DIALECTS {
        for operation in (dialect.operations)() {
            assert_eq!(
                Dialect::of(&operation.path).name,
                dialect.name,
                "{}",
                operation.path
            );
        }
    }
    assert_eq!(Dialect::of("/opsx").name, DIALECTS[0].name);
}

#[test]
fn parameters_of_a_path_are_in_it_and_have_examples() {
    let document = newer();
    for (what, operation) in operations(&document) {
        let parameters = operation["parameters"].as_array().expect("parameters");
        let mut left = what.clone();
        for parameter in parameters.iter().filter(|parameter| parameter["in"] == "path") {
            let named = format!("{{{}}}", parameter["name"].as_str().expect("a name"));
            assert!(left.contains(&named), "{what} has no {named}");
            left = left.replace(&named, "");
            let example = parameter.get("example").or(parameter["schema"].get("enum"));
            assert!(example.is_some(), "{what}: {named} has no example");
        }
        assert!(!left.contains('{'), "{what}: {left} is not told of");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    for document in [newer(), serde_json::from_str(&DOCUMENTS.older).expect("JSON")] {
        visit("", &document, &mut |name, value| {
            let to_response = value["$ref"]
                .as_str()
                .is_some_and(|target| target.starts_with("#/components/responses/"));
            let alone = value.as_object().is_some_and(|members| members.len() == 1);
            assert!(!to_response || alone, "something beside a reference: {value}");
            if let ("$ref", Some(target)) = (name, value.as_str()) {
                let target = target.strip_prefix('#').expect("it is in the document");
                assert!(document.pointer(target).is_some(), "{target}");
            }
        });
    }
}

#[test]
fn the_older_document_has_nothing_that_only_newer_ones_have() {
    let older: Value = serde_json::from_str(&DOCUMENTS.older).expect("JSON");
    visit("", &older, &mut |name, value| {
        assert!(!(name == "type" && value == "null"), "a type of null");
        for newer in ["const", "examples", "prefixItems", "propertyNames", "webhooks"] {
            assert!(value.get(newer).is_none(), "{newer} in {value}");
        }
        let several = value.get("type").is_some_and(Value::is_array);
        assert!(!several, "several types in {value}");
    });
}
