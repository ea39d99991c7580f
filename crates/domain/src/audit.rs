//! Who did what, when, and how it ended. Append-only.

use crate::{Actor, Instant, RequestId, WorkspaceId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    pub at: Instant,
    /// Absent when the caller could not be told.
    pub workspace: Option<WorkspaceId>,
    pub actor: Option<Actor>,
    pub request_id: RequestId,
    /// `resource.put`, `credential.revoke`, ...: an aggregate and a verb.
    pub action: String,
    /// What it was done to; ids only, never personal data.
    pub target: String,
    pub outcome: AuditOutcome,
}

#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum AuditOutcome {
    /// Taken on, to be carried out later.
    Accepted,
    Done,
    /// Expected, the caller's fault.
    Refused,
    Cancelled,
    /// A system fault that outlived the retries.
    Broken,
}
