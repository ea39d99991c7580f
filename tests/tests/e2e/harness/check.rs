//! The forms that every answer has to keep.

use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// `{code, type, message, details[, additionalContext]}` and nothing else (registry, section 2).
#[track_caller]
pub fn assert_error(what: &str, error: &Value, code: u16, kind: &str) {
    let mut names = members(error);
    names.retain(|name| name != "additionalContext");
    assert_eq!(names, ["code", "details", "message", "type"], "{what}: {error}");
    assert!(
        error.get("additionalContext").is_none_or(Value::is_object),
        "{what}: {error}"
    );
    assert_eq!(
        (&error["code"], &error["type"]),
        (&code.into(), &kind.into()),
        "{what}: {error}"
    );
    assert!(
        error["message"].as_str().is_some_and(|text| !text.is_empty()),
        "{what}: {error}"
    );
    for detail in error["details"].as_array().expect("details are an array") {
        assert_eq!(members(detail), ["message", "path", "rule"], "{what}: {error}");
        let texts = detail.as_object().unwrap().values().all(Value::is_string);
        assert!(texts, "{what}: {error}");
    }
    for inner in [
        "SELECT", "INSERT", "sqlite", "postgres", "panicked", ".rs:", "src/",
    ] {
        assert!(
            !error.to_string().contains(inner),
            "{what} shows internals: {error}"
        );
    }
}

/// The names of an object's members, sorted.
#[track_caller]
pub fn members(value: &Value) -> Vec<String> {
    let object = value
        .as_object()
        .unwrap_or_else(|| panic!("not an object: {value}"));
    let mut names: Vec<String> = object.keys().cloned().collect();
    names.sort();
    names
}

/// An instant in the one form there is: RFC 3339, UTC, milliseconds, `Z`.
#[track_caller]
pub fn instant(value: &Value) -> OffsetDateTime {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("not an instant: {value}"));
    let shaped = text.len() == 24 && text.as_bytes()[19] == b'.' && text.ends_with('Z');
    assert!(shaped, "not an instant in milliseconds, UTC: {text}");
    OffsetDateTime::parse(text, &Rfc3339).unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap()
}

/// An id made by the server: UUID version 7, 36 characters, lower case.
#[track_caller]
pub fn assert_made_id(id: &str) {
    let uuid = Uuid::parse_str(id).unwrap_or_else(|error| panic!("{id}: {error}"));
    assert_eq!((uuid.get_version_num(), uuid.to_string().as_str()), (7, id));
}

/// `s_` and 32 lower-case hex digits of a UUIDv7.
#[track_caller]
pub fn assert_task_id(id: &str) {
    let digits = id
        .strip_prefix("s_")
        .unwrap_or_else(|| panic!("{id} is not the id of a single write"));
    let uuid = Uuid::parse_str(digits).unwrap_or_else(|error| panic!("{id}: {error}"));
    assert_eq!(
        (uuid.get_version_num(), uuid.simple().to_string().as_str()),
        (7, digits)
    );
}

/// The text of a member, byte for byte as it was sent.
#[track_caller]
pub fn raw(json: &str, path: &[&str]) -> String {
    let mut text = json;
    for name in path {
        let members: BTreeMap<String, &RawValue> =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let member = members
            .get(*name)
            .unwrap_or_else(|| panic!("no {name} in {text}"));
        text = member.get();
    }
    text.to_owned()
}
