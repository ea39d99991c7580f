//! The one way to write: collect what is to change, commit it at once, all or nothing.

use crate::{PatientRemoval, RegistrationTouch, RegistrationWrite, SearchWrite};
use caretrack_domain::{
    Actor, Advance, AuditEntry, AuditOutcome, AuditSeal, Credential, CredentialId, Definition, Event,
    IdempotencyKey, Instant, KeptOutcome, NewTask, Operation, Patient, Principal, Registration,
    RequestFingerprint, RequestId, Resource, ResourceKey, Search, Source, StatusEntry, StoredResource, Task,
    TaskFacts, TaskId, TaskKind, TaskTransition, TypeKey, Webhook, WebhookId, Workspace, WorkspaceId,
};
use time::Duration;

/// Who writes, in which request, when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    pub workspace: Option<WorkspaceId>,
    pub actor: Option<Actor>,
    pub request_id: RequestId,
    pub at: Instant,
}

impl Author {
    pub fn principal(who: &Principal, request_id: RequestId, at: Instant) -> Self {
        Self {
            workspace: Some(who.workspace),
            actor: Some(who.actor()),
            request_id,
            at,
        }
    }

    /// The worker, on behalf of whoever submitted the task.
    pub fn of_task(facts: &TaskFacts, at: Instant) -> Self {
        Self {
            workspace: Some(facts.workspace),
            actor: facts.submitted_by.clone(),
            request_id: facts.request_id.clone(),
            at,
        }
    }
}

/// Whether a store that is short of room may turn the commit away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// More work: refused first.
    New,
    /// Ends or cancels what was accepted: always has room.
    Continuing,
}

/// The place in the workspace's order that a write to a record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// When it commits: a synchronous write.
    AtCommit,
    /// When it was accepted: what a task does.
    Accepted(i64),
}

/// A record put or, without `after`, deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceWrite {
    pub workspace: WorkspaceId,
    pub key: ResourceKey,
    /// The version seen, a deleted record's included; none if there was no record at all.
    pub expected: Option<i64>,
    pub place: Place,
    /// When the write is made.
    pub at: Instant,
    pub after: Option<Resource>,
}

/// A definition put, over the version that was seen; none if there was nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionWrite {
    pub expected: Option<i64>,
    pub after: Definition,
}

/// A definition that something was judged by. It has to be in force when the judgement is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reliance {
    pub on: TypeKey,
    /// Nought for an open one, be it there already or not.
    pub version: i64,
}

/// A patient added (no revision expected) or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatientWrite {
    pub expected: Option<i64>,
    pub after: Patient,
}

/// A credential added, or revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewCredential {
    Added(Credential),
    Revoked {
        workspace: WorkspaceId,
        id: CredentialId,
        at: Instant,
    },
}

/// What is told again to whoever sends the same request again; committed with what the request does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    pub workspace: WorkspaceId,
    /// The workspace's own, until the one who had it before expired.
    pub key: IdempotencyKey,
    pub fingerprint: RequestFingerprint,
    pub outcome: KeptOutcome,
    /// Whether the answer shows the version of the first record written, which only the commit knows.
    pub shows_version: bool,
    pub made_at: Instant,
    pub expires_at: Instant,
}

/// Workers stop, or start, taking a kind of one workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    pub workspace: WorkspaceId,
    pub kind: TaskKind,
    pub paused: bool,
}

/// What becomes of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookChange {
    Added(Webhook),
    /// The events up to there are settled: the notices of them are in the same commit. Expects the position seen,
    /// so that of two that settle the same events one meets a conflict.
    Moved {
        id: WebhookId,
        expected: i64,
        to: i64,
    },
    /// If it is still there.
    Disabled {
        id: WebhookId,
        at: Instant,
    },
    Removed {
        id: WebhookId,
    },
}

/// Everything one commit changes. It takes no state that the domain did not produce.
#[derive(Debug, Clone)]
pub struct Changes {
    author: Author,
    admission: Admission,
    parts: Parts,
}

/// The content of [`Changes`], for the adapters.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    pub new_tasks: Vec<NewTask>,
    pub transitions: Vec<TaskTransition>,
    /// Operations with the receipts they got, by task.
    pub receipts: Vec<(TaskId, Operation)>,
    pub resources: Vec<ResourceWrite>,
    /// Added unless there already.
    pub sources: Vec<Source>,
    /// Added unless there already.
    pub definitions: Vec<Definition>,
    pub definition_writes: Vec<DefinitionWrite>,
    /// One that is not in force any more is a conflict.
    pub reliances: Vec<Reliance>,
    pub workspaces: Vec<Workspace>,
    pub credentials: Vec<NewCredential>,
    pub patients: Vec<PatientWrite>,
    pub removed_patients: Vec<PatientRemoval>,
    pub registrations: Vec<RegistrationWrite>,
    pub touches: Vec<RegistrationTouch>,
    /// Appended to the history of registrations.
    pub status_entries: Vec<StatusEntry>,
    pub searches: Vec<SearchWrite>,
    pub pauses: Vec<Pause>,
    /// A key that is taken is [`StoreError::Duplicate`](crate::StoreError::Duplicate).
    pub idempotency: Option<IdempotencyRecord>,
    /// How far the clock of the domain is moved ahead.
    pub clock_step: Duration,
    pub webhooks: Vec<(WorkspaceId, WebhookChange)>,
    /// Secrets of the store's own, by name: added unless there already.
    pub secrets: Vec<(&'static str, [u8; 32])>,
    pub audit: Vec<AuditEntry>,
    /// The next links of the audit's chain; a number that is taken is a conflict.
    pub seals: Vec<AuditSeal>,
    pub events: Vec<(WorkspaceId, Instant, Event)>,
}

impl Changes {
    pub fn by(author: Author, admission: Admission) -> Self {
        Self {
            author,
            admission,
            parts: Parts::default(),
        }
    }

    pub fn admission(&self) -> Admission {
        self.admission
    }

    /// When the author says it happens; the instant of a deletion, which has none of its own.
    pub fn at(&self) -> Instant {
        self.author.at
    }

    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    pub fn into_parts(self) -> Parts {
        self.parts
    }

    /// Appends an audit entry of the author's.
    pub fn audit(&mut self, action: &str, target: impl Into<String>, outcome: AuditOutcome) {
        self.parts.audit.push(AuditEntry {
            at: self.author.at,
            workspace: self.author.workspace,
            actor: self.author.actor.clone(),
            request_id: self.author.request_id.clone(),
            action: action.to_owned(),
            target: target.into(),
            outcome,
        });
    }

    pub fn insert_task(&mut self, task: NewTask) {
        self.announce_task(task.task());
        self.parts.new_tasks.push(task);
    }

    pub fn record_task(&mut self, transition: TaskTransition) {
        if transition.before() != transition.task().status() {
            self.announce_task(transition.task());
        }
        self.parts.transitions.push(transition);
    }

    pub fn record_receipt(&mut self, task: TaskId, operation: Operation) {
        self.parts.receipts.push((task, operation));
    }

    pub fn put_resource(
        &mut self,
        workspace: WorkspaceId,
        seen: Option<&StoredResource>,
        place: Place,
        after: Resource,
    ) {
        self.parts.resources.push(ResourceWrite {
            workspace,
            key: after.key.clone(),
            expected: seen.map(|seen| seen.version),
            place,
            at: self.author.at,
            after: Some(after),
        });
    }

    pub fn delete_resource(&mut self, workspace: WorkspaceId, seen: &StoredResource, place: Place) {
        self.parts.resources.push(ResourceWrite {
            workspace,
            key: seen.key.clone(),
            expected: Some(seen.version),
            place,
            at: self.author.at,
            after: None,
        });
    }

    pub fn ensure_source(&mut self, source: Source) {
        self.parts.sources.push(source);
    }

    pub fn ensure_definition(&mut self, definition: Definition) {
        self.parts.definitions.push(definition);
    }

    pub fn put_definition(&mut self, expected: Option<i64>, after: Definition) {
        self.parts
            .definition_writes
            .push(DefinitionWrite { expected, after });
    }

    pub fn rely_on(&mut self, reliance: Reliance) {
        self.parts.reliances.push(reliance);
    }

    pub fn insert_workspace(&mut self, workspace: Workspace) {
        self.parts.workspaces.push(workspace);
    }

    pub fn insert_credential(&mut self, credential: Credential) {
        self.parts.credentials.push(NewCredential::Added(credential));
    }

    pub fn revoke_credential(&mut self, workspace: WorkspaceId, id: CredentialId) {
        self.parts.credentials.push(NewCredential::Revoked {
            workspace,
            id,
            at: self.author.at,
        });
    }

    pub fn put_patient(&mut self, expected: Option<i64>, after: Patient) {
        self.parts
            .events
            .push((after.workspace, self.author.at, Event::Patient { id: after.id }));
        self.parts.patients.push(PatientWrite { expected, after });
    }

    /// Its registrations have another record from now on.
    pub fn remove_patient(&mut self, removal: PatientRemoval) {
        self.parts.removed_patients.push(removal);
    }

    pub fn put_registration(&mut self, seen: Option<&Registration>, after: Registration) {
        self.announce_registration(&after);
        self.keep_registration(seen, after);
    }

    /// Changed in a way that nobody sees, nor is told of.
    pub fn keep_registration(&mut self, seen: Option<&Registration>, after: Registration) {
        self.parts.registrations.push(RegistrationWrite {
            expected: seen.map(|seen| seen.revision),
            expected_counter: None,
            left: seen
                .map(|seen| seen.patient)
                .filter(|left| *left != after.patient),
            after,
        });
    }

    /// Stopped for want of activity: one that came in between prevents it.
    pub fn expire_registration(&mut self, seen: &Registration, after: Registration) {
        self.announce_registration(&after);
        self.parts.registrations.push(RegistrationWrite {
            expected: Some(seen.revision),
            expected_counter: Some(seen.counter_started_at),
            left: None,
            after,
        });
    }

    pub fn touch_registration(&mut self, touch: RegistrationTouch) {
        self.parts.touches.push(touch);
    }

    pub fn record_status(&mut self, entry: StatusEntry) {
        self.parts.status_entries.push(entry);
    }

    pub fn put_search(&mut self, write: SearchWrite) {
        self.parts.searches.push(write);
    }

    /// A match engine is asked to run it.
    pub fn request_search(&mut self, search: &Search) {
        let event = Event::Search { id: search.id };
        self.parts.events.push((search.workspace, self.author.at, event));
    }

    pub fn pause(&mut self, pause: Pause) {
        self.parts.pauses.push(pause);
    }

    pub fn remember(&mut self, record: IdempotencyRecord) {
        self.parts.idempotency = Some(record);
    }

    /// Moves the clock of the domain ahead. Retries stay on system time: their times move along.
    pub fn advance_clock(&mut self, by: Advance) {
        self.parts.clock_step += by.length();
    }

    pub fn change_webhook(&mut self, workspace: WorkspaceId, change: WebhookChange) {
        self.parts.webhooks.push((workspace, change));
    }

    pub fn ensure_secret(&mut self, name: &'static str, secret: [u8; 32]) {
        self.parts.secrets.push((name, secret));
    }

    pub fn seal_audit(&mut self, seal: AuditSeal) {
        self.parts.seals.push(seal);
    }

    fn announce_registration(&mut self, after: &Registration) {
        let id = after.patient;
        let event = Event::Patient { id };
        self.parts.events.push((after.workspace, self.author.at, event));
    }

    fn announce_task(&mut self, task: &Task) {
        if !task.facts().kind.is_told() {
            return;
        }
        let event = Event::Task {
            id: task.id(),
            kind: task.facts().kind,
            status: task.status(),
        };
        self.parts
            .events
            .push((task.facts().workspace, self.author.at, event));
    }
}

/// The numbers a commit was given: one for each record written, then one for each new task, in order.
/// They only ever grow, for all writers of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    pub first: i64,
}

impl Committed {
    /// The version that the `n`th record written got.
    pub fn version(self, n: usize) -> i64 {
        self.first + i64::try_from(n).unwrap_or(i64::MAX)
    }
}
