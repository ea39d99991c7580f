//! Definitions that are read, and records that are judged by them.

mod judging;
mod laws;
mod reading;

use super::*;
use crate::{Contained, Rule};
use indexmap::IndexMap;
use serde_json::json;
use serde_json::value::RawValue;
use std::sync::Arc;
use time::macros::datetime;
use uuid::Uuid;

type Found = Vec<(String, Rule)>;

fn found(refusal: Refusal) -> Found {
    refusal.problems.into_iter().map(|p| (p.path, p.rule)).collect()
}

fn map(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("an object")
}

fn profile(body: &Value) -> Result<(ProfileType, Profile), Found> {
    Profile::read_typed(map(body)).map_err(|not_taken| match not_taken {
        NotTaken::Refused(refusal) => found(refusal),
        NotTaken::Unsupported => Vec::new(),
    })
}

/// A root profile with these properties.
#[track_caller]
fn with(properties: &Value) -> Profile {
    profile(&json!({"type": "ROOT", "properties": properties}))
        .expect("a good profile")
        .1
}

fn key(text: &str) -> Key {
    Key::parse(text).expect("a good key")
}

fn type_key(of: &str) -> TypeKey {
    TypeKey {
        workspace: WorkspaceId(Uuid::nil()),
        source: key("northclinic"),
        key: key(of),
    }
}

fn definition(of: &str, shape: Shape) -> Arc<Definition> {
    let workspace = WorkspaceId(Uuid::nil());
    let open = Definition::open_root(
        workspace,
        key("northclinic"),
        key(of),
        datetime!(2026-03-02 09:15 UTC),
    );
    Arc::new(Definition {
        version: 1,
        shape,
        ..open
    })
}

fn in_force(profile: Profile) -> TypesInForce {
    TypesInForce::new(
        &type_key("patient"),
        Some(definition("patient", Shape::Root(Some(profile)))),
        true,
    )
}

fn judge(types: &TypesInForce, data: &Value) -> Found {
    let mut problems = Problems::default();
    let data = RawValue::from_string(data.to_string()).unwrap();
    types.check_data(&data, &mut problems);
    problems.into_result().err().map(found).unwrap_or_default()
}

fn paths(expected: &[(&str, Rule)]) -> Found {
    expected
        .iter()
        .map(|(path, rule)| ((*path).to_owned(), *rule))
        .collect()
}
