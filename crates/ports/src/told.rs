//! What a commit leaves for others to read: the outbox, the webhooks that are told of it, the audit.
//!
//! A number may be given before its commit is seen, so that a later number can be seen first. Whoever reads on
//! from a number would pass such an entry by. What is *settled* has no such gap: every number up to there was
//! committed and is seen, or never will be.

use crate::StoreError;
use async_trait::async_trait;
use caretrack_domain::{AuditEntry, AuditSeal, Event, Instant, Webhook, WebhookId, WorkspaceId};
use std::time::Duration;

/// One event, as the outbox keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    pub number: i64,
    pub at: Instant,
    pub event: Event,
}

/// From where to where the outbox goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxSpan {
    /// The oldest entry that is kept.
    pub oldest: Option<i64>,
    /// What is read up to here is read without a gap.
    pub settled: i64,
    /// The last number that was given out.
    pub newest: i64,
}

/// Settled entries, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled<T> {
    pub entries: Vec<T>,
    /// All there is up to here was read.
    pub upto: i64,
}

#[async_trait]
pub trait OutboxRepository: Send + Sync {
    /// A workspace's events after `after`, up to and with `upto`, in the order they were committed, settled or not.
    async fn list_events(
        &self,
        workspace: WorkspaceId,
        after: i64,
        upto: i64,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>, StoreError>;

    /// Settled events of all workspaces after `after`.
    async fn read_events(
        &self,
        after: i64,
        limit: usize,
    ) -> Result<Settled<(WorkspaceId, OutboxEntry)>, StoreError>;

    async fn outbox_span(&self) -> Result<OutboxSpan, StoreError>;

    /// Returns when something may have been committed, or after `longest`. One that was committed just before may
    /// be missed, and another process's too: `longest` bounds what that costs.
    async fn wait_for_events(&self, longest: Duration);
}

#[async_trait]
pub trait WebhookRepository: Send + Sync {
    async fn find_webhook(
        &self,
        workspace: WorkspaceId,
        id: WebhookId,
    ) -> Result<Option<Webhook>, StoreError>;

    /// By ascending id, disabled ones included, after `after`.
    async fn list_webhooks(
        &self,
        workspace: WorkspaceId,
        after: Option<WebhookId>,
        limit: usize,
    ) -> Result<Vec<Webhook>, StoreError>;

    /// Those of all workspaces that are not disabled.
    async fn active_webhooks(&self) -> Result<Vec<Webhook>, StoreError>;
}

#[async_trait]
pub trait AuditRepository: Send + Sync {
    /// Newest first, with their numbers, before `before`; of no workspace are those of callers who could not
    /// be told.
    async fn list_audit(
        &self,
        workspace: Option<WorkspaceId>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<(i64, AuditEntry)>, StoreError>;
}

/// The audit of all workspaces in the order of its chain: engine work, and the operator's who checks it.
#[async_trait]
pub trait AuditTrail: Send + Sync {
    /// Settled entries after `after`, with their numbers.
    async fn read_audit(&self, after: i64, limit: usize) -> Result<Settled<(i64, AuditEntry)>, StoreError>;

    /// Seals by ascending number, after `after`.
    async fn list_seals(&self, after: i64, limit: usize) -> Result<Vec<AuditSeal>, StoreError>;

    async fn last_seal(&self) -> Result<Option<AuditSeal>, StoreError>;
}
