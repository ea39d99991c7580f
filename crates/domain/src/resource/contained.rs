//! Resources that exist only inside their root.

use crate::{JsonPath, Problems, RecordId, Rule};
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
    let path = JsonPath::Root(path);
    for (key, items) in contained {
        let path = path.member(key);
        let mut seen = HashSet::new();
        for (n, item) in items.iter().enumerate() {
            let path = path.item(n);
            if let Some(id) = &item.id {
                if RecordId::for_upsert(id).is_err() {
                    problems.add(
                        path.member("id"),
                        Rule::Pattern,
                        format!("must match {}", RecordId::UPSERT_PATTERN),
                    );
                }
                if !seen.insert(id) {
                    problems.add(path.member("id"), Rule::Duplicate, "is there twice");
                }
            }
            check(&item.contained, &path.member("contained").to_string(), problems);
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
