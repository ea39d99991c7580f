//! `If-Match` and `If-None-Match` as rules on a record's version.

use crate::{Refusal, RefusalKind, WorkspaceId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The ETag of a version. Versions count the writes of all workspaces; a tag tells nothing of them.
pub fn etag(workspace: WorkspaceId, version: i64) -> String {
    let hash = Sha256::new()
        .chain_update(workspace.0)
        .chain_update(version.to_be_bytes())
        .finalize();
    hex::encode(&hash[..12])
}

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
    pub fn check(&self, workspace: WorkspaceId, version: Option<i64>) -> Result<(), Refusal> {
        let failed = |message| Err(Refusal::new(RefusalKind::ConditionFailed, message));
        if let Some(tags) = &self.if_match {
            let matches = version.is_some_and(|version| {
                let current = etag(workspace, version);
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

    const WORKSPACE: WorkspaceId = WorkspaceId(uuid::Uuid::from_u128(1));

    #[test]
    fn if_match_wants_the_version_or_any() {
        let check = |tag: &str, version| if_match(tag).check(WORKSPACE, version).is_ok();
        assert!(check(&etag(WORKSPACE, 7), Some(7)));
        assert!(check("*", Some(7)));
        assert!(!check(&etag(WORKSPACE, 6), Some(7)));
        assert!(!check("7", Some(7)));
        assert!(!check("*", None));
    }

    #[test]
    fn tags_of_neighbours_have_nothing_in_common() {
        let other = WorkspaceId(uuid::Uuid::from_u128(2));
        assert_ne!(etag(WORKSPACE, 7), etag(other, 7));
        assert_ne!(etag(WORKSPACE, 7), etag(WORKSPACE, 8));
    }

    #[test]
    fn if_none_match_wants_nothing_there() {
        let absent = Precondition {
            if_none_match_any: true,
            ..Precondition::default()
        };
        assert!(absent.check(WORKSPACE, None).is_ok());
        assert_eq!(
            absent.check(WORKSPACE, Some(1)).unwrap_err().kind,
            RefusalKind::ConditionFailed
        );
    }
}
