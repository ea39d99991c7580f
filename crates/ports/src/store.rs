//! The store: commits changes, and reads what was committed.

use crate::{
    AuditRepository, AuditTrail, Changes, Committed, OutboxRepository, RegistrationRepository,
    SearchRepository, WebhookRepository,
};
use async_trait::async_trait;
use caretrack_domain::{
    Credential, CredentialId, Definition, IdempotencyKey, Instant, KeptOutcome, Key, Operation, Patient,
    PatientId, QueueLoad, RecordId, RequestFingerprint, ResourceKey, SecretHash, Source, StoredResource,
    Task, TaskId, TaskKind, TaskStatus, WmdaId, Workspace, WorkspaceId,
};
use std::error::Error;
use time::Duration;

/// What can go wrong with a store; there is nothing else.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something moved since it was read: read again and decide again.
    #[error("something moved in between")]
    Conflict,
    /// A name that must be unique is taken.
    #[error("the name is taken")]
    Duplicate,
    /// Not now: unreachable, overloaded, out of room. Nothing was changed, as far as can be known.
    #[error("the store is not available: {0}")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// What is stored makes no sense.
    #[error("the store holds what it should not: {0}")]
    Corrupt(#[source] Box<dyn Error + Send + Sync>),
}

/// Everything that is kept.
#[async_trait]
pub trait Store:
    TaskRepository
    + ResourceRepository
    + WorkspaceRepository
    + CredentialRepository
    + PatientRepository
    + RegistrationRepository
    + SearchRepository
    + AuditRepository
    + AuditTrail
    + OutboxRepository
    + IdempotencyRepository
    + ClockRepository
    + WebhookRepository
{
    /// Applies all of it or nothing. Durable, and seen by every reader, when it returns.
    async fn commit(&self, changes: Changes) -> Result<Committed, StoreError>;

    /// Whether it can be read, and has the schema this program needs.
    async fn check(&self) -> Result<Schema, StoreError>;

    /// The store's own secret of that name, if it has one yet.
    async fn find_secret(&self, name: &str) -> Result<Option<[u8; 32]>, StoreError>;

    /// Deletes what is past its retention, at most `limit` tasks and as many idempotency keys; answers how
    /// many of either, whichever are more.
    async fn prune(&self, retention: Retention, limit: usize) -> Result<usize, StoreError>;
}

/// Whether a store is fit for this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    Current,
    /// Migrations are missing.
    Behind,
}

/// What may go.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Terminal tasks that ended before, with all their rows; outbox entries and marks of deleted records too.
    /// A mark stays while an unfinished task of its workspace is older: that must find that it was overtaken.
    pub ended_before: Instant,
    /// Idempotency keys that have expired by then.
    pub expired_by: Instant,
}

/// Which tasks a list shows.
#[derive(Debug, Clone, Default)]
pub struct TaskFilter {
    pub status: Option<TaskStatus>,
    pub kind: Option<TaskKind>,
    pub patient: Option<PatientId>,
    /// At that instant or later.
    pub accepted_since: Option<Instant>,
    /// Before that instant.
    pub accepted_until: Option<Instant>,
    /// Only those before this place.
    pub before: Option<i64>,
}

/// How a kind of work stands in a workspace.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueFigures {
    pub kind: TaskKind,
    pub paused: bool,
    pub queued: u64,
    pub running: u64,
    pub held: u64,
    pub retrying: u64,
    /// When the oldest task that waits to run was accepted.
    pub oldest_accepted_at: Option<Instant>,
    /// Tasks that ended within the last minute.
    pub ended_last_minute: u64,
    /// Tasks that failed, refused or broken, and are still kept.
    pub failed: u64,
}

/// What waits or runs of a kind, in all workspaces together.
#[derive(Debug, Clone, PartialEq)]
pub struct Backlog {
    pub kind: TaskKind,
    pub queued: u64,
    pub running: u64,
    pub held: u64,
    pub retrying: u64,
    /// For how long the oldest task that could start has been able to.
    pub oldest_ready: Option<Duration>,
}

impl Backlog {
    pub fn of(kind: TaskKind) -> Self {
        Self {
            kind,
            queued: 0,
            running: 0,
            held: 0,
            retrying: 0,
            oldest_ready: None,
        }
    }
}

#[async_trait]
pub trait TaskRepository: Send + Sync {
    async fn find_task(&self, workspace: WorkspaceId, id: TaskId) -> Result<Option<Task>, StoreError>;

    /// Newest first.
    async fn list_tasks(
        &self,
        workspace: WorkspaceId,
        filter: TaskFilter,
        limit: usize,
    ) -> Result<Vec<Task>, StoreError>;

    /// The operations of a task in the order of the request, from `from` on.
    async fn operations(
        &self,
        workspace: WorkspaceId,
        task: TaskId,
        from: u32,
        limit: usize,
    ) -> Result<Vec<Operation>, StoreError>;

    /// Running tasks of all workspaces whose lease ran out.
    async fn expired_tasks(&self, now: Instant, limit: usize) -> Result<Vec<Task>, StoreError>;

    /// Kinds that have, or had, tasks in the workspace.
    async fn queue_figures(
        &self,
        workspace: WorkspaceId,
        now: Instant,
    ) -> Result<Vec<QueueFigures>, StoreError>;

    /// Of all workspaces, for the figures of the engine; every kind there is.
    async fn backlog(&self, now: Instant) -> Result<Vec<Backlog>, StoreError>;

    /// How many tasks are in the lanes of the ordering keys that begin with `prefix`; counts no further than
    /// `most`.
    async fn count_in_lanes(
        &self,
        workspace: WorkspaceId,
        prefix: &str,
        most: usize,
    ) -> Result<usize, StoreError>;

    /// What is ahead of a new task of that kind; cheap, and counts no further than it must for an estimate.
    async fn queue_load(
        &self,
        workspace: WorkspaceId,
        kind: TaskKind,
        now: Instant,
    ) -> Result<QueueLoad, StoreError>;
}

#[async_trait]
pub trait ResourceRepository: Send + Sync {
    /// The record, or the mark that one was deleted.
    async fn find_resource(
        &self,
        workspace: WorkspaceId,
        key: &ResourceKey,
    ) -> Result<Option<StoredResource>, StoreError>;

    /// Live records by ascending id, after `after`.
    async fn list_resources(
        &self,
        workspace: WorkspaceId,
        source: &Key,
        of: &Key,
        after: Option<&RecordId>,
        limit: usize,
    ) -> Result<Vec<StoredResource>, StoreError>;

    async fn find_source(&self, workspace: WorkspaceId, key: &Key) -> Result<Option<Source>, StoreError>;

    async fn list_sources(
        &self,
        workspace: WorkspaceId,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Source>, StoreError>;

    async fn find_definition(
        &self,
        workspace: WorkspaceId,
        source: &Key,
        key: &Key,
    ) -> Result<Option<Definition>, StoreError>;
}

#[async_trait]
pub trait WorkspaceRepository: Send + Sync {
    async fn find_workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>, StoreError>;

    async fn find_workspace_by_key(&self, key: &Key) -> Result<Option<Workspace>, StoreError>;

    /// By ascending key, after `after`.
    async fn list_workspaces(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Workspace>, StoreError>;
}

#[async_trait]
pub trait CredentialRepository: Send + Sync {
    /// A look-up without a workspace: a secret tells whose it is.
    async fn find_credential_by_secret(&self, secret: &SecretHash) -> Result<Option<Credential>, StoreError>;

    /// A look-up without a workspace: so does a client's name, which is made of its id. Clients only.
    async fn find_client(&self, id: CredentialId) -> Result<Option<Credential>, StoreError>;

    async fn find_credential(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
    ) -> Result<Option<Credential>, StoreError>;

    /// By ascending id, revoked ones included, after `after`.
    async fn list_credentials(
        &self,
        workspace: WorkspaceId,
        after: Option<CredentialId>,
        limit: usize,
    ) -> Result<Vec<Credential>, StoreError>;
}

/// Either of the identifiers a patient is asked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatientRef {
    Id(PatientId),
    Wmda(WmdaId),
}

#[async_trait]
pub trait PatientRepository: Send + Sync {
    async fn find_patient(
        &self,
        workspace: WorkspaceId,
        by: PatientRef,
    ) -> Result<Option<Patient>, StoreError>;

    /// By ascending id, after `after`.
    async fn list_patients(
        &self,
        workspace: WorkspaceId,
        after: Option<PatientId>,
        limit: usize,
    ) -> Result<Vec<Patient>, StoreError>;
}

/// What was answered under an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    pub fingerprint: RequestFingerprint,
    pub outcome: KeptOutcome,
    /// That of the first record which the commit wrote, if the answer shows it.
    pub version: Option<i64>,
    pub expires_at: Instant,
}

#[async_trait]
pub trait IdempotencyRepository: Send + Sync {
    /// Whether it has expired is for the caller to say.
    async fn find_remembered(
        &self,
        workspace: WorkspaceId,
        key: &IdempotencyKey,
    ) -> Result<Option<Remembered>, StoreError>;
}

#[async_trait]
pub trait ClockRepository: Send + Sync {
    /// How far the time of the domain is ahead of the system's; it only grows.
    async fn clock_ahead(&self) -> Result<Duration, StoreError>;
}
