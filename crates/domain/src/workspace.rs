//! The isolation boundary.

use crate::{Instant, Key, WorkspaceId};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    pub id: WorkspaceId,
    pub key: Key,
    pub options: WorkspaceOptions,
    pub created_at: Instant,
}

/// A workspace's own values of settings; what is absent follows the server's configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceOptions {
    #[serde(
        rename = "registry.open_profiles",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub open_profiles: Option<bool>,
    #[serde(
        rename = "jobs.partner_key_required",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub partner_key_required: Option<bool>,
}
