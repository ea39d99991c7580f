//! `If-Match` and `If-None-Match` as rules on a record's version.

use crate::{Refusal, RefusalKind};
use serde::{Deserialize, Serialize};

/// What must hold of a record before it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precondition {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_match: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub if_none_match_any: bool,
}

impl Precondition {
    pub const ANY: &'static str = "*";

    pub fn is_none(&self) -> bool {
        self.if_match.is_none() && !self.if_none_match_any
    }

    /// `version` is that of the live record, `None` if there is none.
    pub fn check(&self, version: Option<i64>) -> Result<(), Refusal> {
        let failed = |message| Err(Refusal::new(RefusalKind::ConditionFailed, message));
        if let Some(tags) = &self.if_match {
            let matches = version.is_some_and(|version| {
                let current = version.to_string();
                tags.iter().any(|tag| tag == Self::ANY || *tag == current)
            });
            if !matches {
                return failed("If-Match does not hold: the record is not in the version named.");
            }
        }
        if self.if_none_match_any && version.is_some() {
            return failed("If-None-Match does not hold: the record exists.");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn if_match(tag: &str) -> Precondition {
        Precondition {
            if_match: Some(vec![tag.into()]),
            ..Precondition::default()
        }
    }

    #[test]
    fn if_match_wants_the_version_or_any() {
        assert!(if_match("7").check(Some(7)).is_ok());
        assert!(if_match("*").check(Some(7)).is_ok());
        assert!(if_match("6").check(Some(7)).is_err());
        assert!(if_match("07").check(Some(7)).is_err());
        assert!(if_match("*").check(None).is_err());
    }

    #[test]
    fn if_none_match_wants_nothing_there() {
        let absent = Precondition {
            if_none_match_any: true,
            ..Precondition::default()
        };
        assert!(absent.check(None).is_ok());
        assert_eq!(
            absent.check(Some(1)).unwrap_err().kind,
            RefusalKind::ConditionFailed
        );
    }
}
