//! What is kept, and the indexes that are derived from it.

use crate::lanes::Lane;
use caretrack_domain::{
    AuditEntry, AuditSeal, Credential, CredentialId, Definition, Fingerprint, IdempotencyKey, Instant, Key,
    LocalPatientId, Operation, OrderingKey, Patient, PatientId, RecordFlag, RecordId, Registration,
    ResultKey, Search, SearchId, Source, StatusEntry, StoredResource, Task, TaskId, TaskKind, Webhook,
    WebhookId, WmdaId, Workspace, WorkspaceId,
};
use caretrack_ports::{OutboxEntry, Remembered};
use std::collections::{BTreeMap, BTreeSet};
use time::Duration;

/// The tasks of one kind in one workspace.
pub(crate) type Queue = (WorkspaceId, TaskKind);

/// Where a claimable task stands in its queue: since when, its place, and which one it is.
pub(crate) type Turn = (Instant, i64, TaskId);

/// A workspace, a source in it, and a type of resource in that.
pub(crate) type Section = (WorkspaceId, Key, Key);

#[derive(Debug, Default)]
pub(crate) struct State {
    /// The last version or place that was given out.
    pub(crate) last_number: i64,

    pub(crate) tasks: BTreeMap<TaskId, TaskRow>,
    pub(crate) by_place: BTreeMap<(WorkspaceId, i64), TaskId>,
    pub(crate) unfinished: BTreeMap<(WorkspaceId, Fingerprint), TaskId>,
    pub(crate) lanes: BTreeMap<(WorkspaceId, OrderingKey), Lane>,
    /// What may be claimed, now or when its time comes: unblocked, whether or not the queue is paused.
    pub(crate) ready: BTreeMap<Queue, BTreeSet<Turn>>,
    pub(crate) paused: BTreeSet<Queue>,
    /// The queue that was served last; the turn is the next one's.
    pub(crate) last_served: Option<Queue>,
    /// The last claim left nothing to claim, and nothing has come since.
    pub(crate) drained: bool,

    pub(crate) resources: BTreeMap<Section, BTreeMap<RecordId, ResourceRow>>,
    pub(crate) sources: BTreeMap<(WorkspaceId, Key), Source>,
    pub(crate) definitions: BTreeMap<Section, Definition>,

    pub(crate) workspaces: BTreeMap<WorkspaceId, Workspace>,
    pub(crate) credentials: BTreeMap<CredentialId, Credential>,
    pub(crate) patients: BTreeMap<PatientId, Patient>,
    pub(crate) by_wmda: BTreeMap<WmdaId, PatientId>,
    pub(crate) by_local: BTreeMap<(WorkspaceId, LocalPatientId), PatientId>,

    pub(crate) registrations: BTreeMap<WmdaId, Registration>,
    /// By the revisions that made them.
    pub(crate) status_entries: BTreeMap<(WmdaId, i64), StatusEntry>,
    pub(crate) searches: BTreeMap<SearchId, Search>,
    pub(crate) results: BTreeMap<ResultKey, ResultRow>,

    pub(crate) remembered: BTreeMap<(WorkspaceId, IdempotencyKey), Remembered>,

    /// An entry's number is one more than its index.
    pub(crate) audit: Vec<AuditEntry>,
    pub(crate) outbox: Vec<(WorkspaceId, OutboxEntry)>,
    pub(crate) last_event: i64,
    pub(crate) seals: Vec<AuditSeal>,
    pub(crate) webhooks: BTreeMap<WebhookId, Webhook>,
    pub(crate) secrets: BTreeMap<String, [u8; 32]>,

    /// How far the clock of the domain was moved.
    pub(crate) clock_ahead: Duration,

    pub(crate) fail_next_commit: bool,
}

#[derive(Debug)]
pub(crate) struct TaskRow {
    pub(crate) task: Task,
    pub(crate) operations: BTreeMap<u32, Operation>,
}

#[derive(Debug)]
pub(crate) struct ResourceRow {
    pub(crate) stored: StoredResource,
    /// When it was deleted: what the retention of the mark counts from.
    pub(crate) deleted_at: Option<Instant>,
}

/// One record that a search found.
#[derive(Debug)]
pub(crate) struct ResultRow {
    pub(crate) position: u32,
    pub(crate) content: String,
    pub(crate) digest: Fingerprint,
    pub(crate) flag: Option<RecordFlag>,
    pub(crate) flagged_at: Instant,
}

impl State {
    /// The task, if it is this workspace's.
    pub(crate) fn task_of(&self, workspace: WorkspaceId, id: TaskId) -> Option<&TaskRow> {
        let row = self.tasks.get(&id)?;
        (row.task.facts().workspace == workspace).then_some(row)
    }

    /// All tasks of the workspace by place, newest last.
    pub(crate) fn tasks_of(&self, workspace: WorkspaceId) -> impl DoubleEndedIterator<Item = &TaskRow> {
        self.by_place
            .range((workspace, i64::MIN)..=(workspace, i64::MAX))
            .filter_map(|(_, id)| self.tasks.get(id))
    }
}

/// The queue a task belongs to.
pub(crate) fn queue_of(task: &Task) -> Queue {
    (task.facts().workspace, task.facts().kind)
}

/// The lane a task belongs to; none if it may run whenever.
pub(crate) fn lane_of(task: &Task) -> Option<(WorkspaceId, OrderingKey)> {
    let facts = task.facts();
    let key = facts.ordering_key.clone()?;
    Some((facts.workspace, key))
}
