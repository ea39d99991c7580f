//! Resources: whole records under a source and a type, their meta rules, and what makes a new one from an old.

mod contained;
mod draft;
mod meta;

pub use contained::Contained;
pub(crate) use draft::replace_token;
pub use draft::{ResourceDraft, check_refused};
pub use meta::{Identifier, IdentifierPeriod, MetaDraft};

use crate::{Instant, Key, RecordId, WorkspaceId};
use indexmap::IndexMap;

/// In a request, stands for the id of the record being created.
pub const ROOT_TOKEN: &str = "@rootId";

/// A namespace of types; a client's records live in sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub workspace: WorkspaceId,
    pub key: Key,
    pub created_at: Instant,
}

/// Where a resource is, within its workspace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceKey {
    pub source: Key,
    pub of: Key,
    pub id: RecordId,
}

/// A live record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    pub key: ResourceKey,
    /// JSON text of an object, as it was sent.
    pub data: String,
    pub contained: IndexMap<String, Vec<Contained>>,
    pub identifiers: Vec<Identifier>,
    pub created_at: Instant,
    pub updated_at: Instant,
}

/// A record as stored; a deleted one is remembered, so that what comes late does not bring it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResource {
    pub key: ResourceKey,
    /// New with every change: the fence of the next one, and the ETag.
    pub version: i64,
    /// The place in the workspace's order of the request that last changed it.
    pub place: i64,
    pub resource: Option<Resource>,
}

impl StoredResource {
    /// The version, if there is a live record to have one.
    pub fn live_version(&self) -> Option<i64> {
        self.resource.as_ref().map(|_| self.version)
    }

    /// Whether a request with this place comes too late: a later one was here already.
    pub fn overtakes(&self, place: i64) -> bool {
        self.place > place
    }
}
