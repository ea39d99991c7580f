//! Resources that exist only inside their root.

use crate::{Problems, RecordId, Rule};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::HashSet;

/// One contained resource, with what it contains.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Contained {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(rename = "type")]
    pub of: String,
    pub data: Box<RawValue>,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub contained: IndexMap<String, Vec<Contained>>,
}

impl PartialEq for Contained {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
            && self.of == other.of
            && self.data.get() == other.data.get()
            && self.contained == other.contained
    }
}

impl Eq for Contained {}

/// Ids are well-formed, and unique within their array.
pub(super) fn check(contained: &IndexMap<String, Vec<Contained>>, path: &str, problems: &mut Problems) {
    for (key, items) in contained {
        let mut seen = HashSet::new();
        for (n, item) in items.iter().enumerate() {
            let path = format!("{path}.{key}[{n}]");
            if let Some(id) = &item.id {
                if RecordId::for_upsert(id).is_err() {
                    problems.add(
                        format!("{path}.id"),
                        Rule::Pattern,
                        format!("must match {}", RecordId::UPSERT_PATTERN),
                    );
                }
                if !seen.insert(id) {
                    problems.add(format!("{path}.id"), Rule::Duplicate, "is there twice");
                }
            }
            check(&item.contained, &format!("{path}.contained"), problems);
        }
    }
}

/// Gives every contained resource without an id one from `make`.
pub(super) fn name(contained: &mut IndexMap<String, Vec<Contained>>, make: &mut dyn FnMut() -> String) {
    for item in contained.values_mut().flatten() {
        item.id.get_or_insert_with(&mut *make);
        name(&mut item.contained, make);
    }
}
