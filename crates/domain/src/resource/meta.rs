//! What a request may say about a record: times and identifiers, and the six rules on them.

use crate::{Instant, Problems, Rule};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use time::Duration;
use time::format_description::well_known::Rfc3339;

/// A name of the record elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Identifier {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub used_as: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<IdentifierPeriod>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentifierPeriod {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
}

/// `meta` of a request, its times not yet judged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MetaDraft {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<Identifier>,
}

impl MetaDraft {
    const MOST_IDENTIFIERS: usize = 100;
    /// How far ahead of ours a caller's clock may be.
    const TOLERANCE: Duration = Duration::seconds(60);

    /// Rules 4 to 6, on every write.
    pub(super) fn check_identifiers(&self, problems: &mut Problems) {
        if self.identifiers.len() > Self::MOST_IDENTIFIERS {
            let message = format!("must have at most {} items", Self::MOST_IDENTIFIERS);
            problems.add("$.meta.identifier", Rule::Max, message);
        }
        let mut seen = HashSet::new();
        for (n, identifier) in self.identifiers.iter().enumerate() {
            let path = format!("$.meta.identifier[{n}]");
            if !seen.insert((&identifier.system, &identifier.used_as, &identifier.value)) {
                problems.add(
                    &path,
                    Rule::Duplicate,
                    "has the system, use and value of an earlier one",
                );
            }
            if identifier.used_as.as_deref() == Some("source") {
                problems.add(format!("{path}.use"), Rule::Enum, "must not be 'source'");
            }
            if identifier.system.as_deref() == Some("mdm") {
                problems.add(format!("{path}.system"), Rule::Enum, "must not be 'mdm'");
            }
        }
    }

    /// The times a new record gets, by rules 1 to 3.
    pub(super) fn times(&self, now: Instant, problems: &mut Problems) -> (Instant, Instant) {
        let created = parse(self.created_at.as_deref(), "$.meta.createdAt", problems);
        let updated = parse(self.updated_at.as_deref(), "$.meta.updatedAt", problems);
        if self.updated_at.is_some() && self.created_at.is_none() {
            problems.add("$.meta.createdAt", Rule::Required, "is required with updatedAt");
        }
        for (instant, path) in [(created, "$.meta.createdAt"), (updated, "$.meta.updatedAt")] {
            if instant.is_some_and(|instant| instant > now + Self::TOLERANCE) {
                problems.add(path, Rule::Time, "must not be in the future");
            }
        }
        if let (Some(created), Some(updated)) = (created, updated)
            && updated < created
        {
            problems.add("$.meta.updatedAt", Rule::Time, "must not be before createdAt");
        }
        let created_at = created.unwrap_or(now);
        // A creation time within the tolerance may lie ahead of our clock.
        (created_at, updated.unwrap_or(now.max(created_at)))
    }
}

fn parse(text: Option<&str>, path: &str, problems: &mut Problems) -> Option<Instant> {
    let text = text?;
    // What is stored is UTC, whole microseconds, and of a year that reads as RFC 3339.
    let parsed = Instant::parse(text, &Rfc3339)
        .ok()
        .and_then(|at| at.checked_to_offset(time::UtcOffset::UTC))
        .and_then(|at| at.replace_microsecond(at.microsecond()).ok())
        .filter(|at| (0..=9999).contains(&at.year()));
    if parsed.is_none() {
        problems.add(path, Rule::Type, "must be an RFC 3339 date and time");
    }
    parsed
}
