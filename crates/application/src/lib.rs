//! The use cases: load, let the domain decide, commit. HTTP and workers share them.
//!
//! What it promises: every decision is made on what was read, committed at once, and made again if something
//! moved in between; scopes are checked before anything is looked up; every write, refusal and act of
//! administration leaves an audit entry. No state, time or id is made here: they come from the domain and
//! through the ports. To add a use case, write a method on [`Application`] in the file of its theme.

mod audit;
mod authenticate;
mod bootstrap;
mod clients;
mod clock;
mod credentials;
mod definitions;
mod depth;
mod due;
mod error;
mod feed;
mod health;
mod idempotency;
mod limits;
mod notices;
mod observed;
mod order;
mod patients;
mod perform;
mod persons;
mod positions;
mod queues;
mod recent;
mod refusals;
mod registrations;
mod resources;
mod sealing;
mod searches;
mod sources;
mod tasks;
mod webhooks;
mod worker;
mod workspaces;

#[cfg(test)]
mod tests;

pub use authenticate::{Attempt, Caller, KEY_PREFIX, Presented};
pub use bootstrap::BootstrapError;
pub use clock::{ClockError, ClockMode, ClockReading};
pub use credentials::{CredentialDraft, MadeCredential};
pub use definitions::{DefinitionOrder, PutDefinition};
pub use error::{Needed, Unauthenticated, UseCaseError};
pub use feed::{Heard, Listening};
pub use health::{Check, Health};
pub use idempotency::{Asker, Keeping, Keyed};
pub use limits::Rate;
pub use notices::event_data;
pub use order::{Change, ResourceOrder};
pub use patients::PatientRecord;
pub use registrations::{NewRegistration, RegistrationList, StatusAnswer};
pub use resources::Written;
pub use sealing::{AuditProblem, AuditReport, verify_audit};
pub use searches::{DeliveryAnswer, ResultsPage};
pub use worker::{Worker, WorkerSettings};

use caretrack_domain::{
    Definition, Instant, Key, Positions, Principal, QueueLoad, RecordId, RetryPolicy, SecretHash, Task,
    TaskId, TaskKind, TypeKey, WorkerId, Workspace, WorkspaceId,
};
use caretrack_ports::{
    Clock, IdGenerator, MatchEngine, NoMatchEngine, Observer, PasswordHasher, Store, StoreError, TaskQueue,
    TokenVerifier, Tracer, Unobserved, Untraced,
};
use clients::Clients;
use clock::Lead;
use depth::Depth;
use feed::Feed;
use health::Vitals;
use idempotency::Turns;
use limits::Limits;
use observed::ObservedStore;
use recent::Recent;
use refusals::Refusals;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::OnceCell;

/// What can be set about the use cases.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether a write may make the source and type it names; a workspace may have its own say.
    pub open_profiles: bool,
    pub clock: ClockMode,
    pub retry: RetryPolicy,
    /// Kinds that are retried otherwise.
    pub retry_by_kind: BTreeMap<TaskKind, RetryPolicy>,
    /// Workspaces that demand a partner key beside a token; a workspace may have its own say.
    pub partner_key_workspaces: BTreeSet<Key>,
    /// How often one principal may ask for anything.
    pub requests: Option<Rate>,
    /// How often credentials from one address may be bad.
    pub failed_logins: Option<Rate>,
    /// Refusals of access from one side, in a minute, that the audit log tells one by one.
    pub noted_refusals: u32,
    /// Passwords that are judged at the same time.
    pub passwords_at_once: usize,
    /// Tasks that may wait, of all workspaces; none for any number.
    pub queue_depth: Option<u64>,
    /// How many may listen to events.
    pub listeners: usize,
    /// Whether webhooks may lead to private addresses, and without TLS.
    pub allow_private_webhooks: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            open_profiles: true,
            clock: ClockMode::System,
            retry: RetryPolicy::default(),
            retry_by_kind: BTreeMap::new(),
            partner_key_workspaces: BTreeSet::new(),
            requests: None,
            failed_logins: None,
            noted_refusals: 60,
            passwords_at_once: 1,
            queue_depth: None,
            listeners: 256,
            allow_private_webhooks: false,
        }
    }
}

/// What judges the credentials that are not looked up.
pub struct Verifiers {
    /// None, and tokens are refused.
    pub tokens: Option<Arc<dyn TokenVerifier>>,
    pub passwords: Arc<dyn PasswordHasher>,
}

/// The use cases, with what they need of the world.
pub struct Application {
    store: ObservedStore,
    queue: Arc<dyn TaskQueue>,
    /// The system's; nothing but `clock.rs` asks it.
    clock: Arc<dyn Clock>,
    lead: Lead,
    ids: Arc<dyn IdGenerator>,
    verifiers: Verifiers,
    engine: Arc<dyn MatchEngine>,
    settings: Settings,
    /// This start of this process.
    worker: WorkerId,
    feed: Arc<Feed>,
    positions: OnceCell<Positions>,
    principals: Recent<SecretHash, Arc<Principal>>,
    partner_keys: Recent<SecretHash, WorkspaceId>,
    clients: Clients,
    limits: Limits,
    refusals: Refusals,
    workspaces: Recent<WorkspaceId, Arc<Workspace>>,
    workspace_keys: Recent<Key, WorkspaceId>,
    definitions: Recent<TypeKey, Option<Arc<Definition>>>,
    loads: Recent<(WorkspaceId, TaskKind), QueueLoad>,
    ended_tasks: Recent<(WorkspaceId, TaskId), Task>,
    turns: Turns,
    vitals: Vitals,
}

impl Application {
    pub fn new(
        store: Arc<dyn Store>,
        queue: Arc<dyn TaskQueue>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
        verifiers: Verifiers,
        settings: Settings,
    ) -> Self {
        let worker = WorkerId(ids.id());
        let store = ObservedStore {
            inner: store,
            observer: Arc::new(Unobserved),
            tracer: Arc::new(Untraced),
            depth: Depth::limited_to(settings.queue_depth),
        };
        Self {
            clients: Clients::new(ids.secret(), settings.passwords_at_once),
            limits: Limits::new(settings.requests, settings.failed_logins),
            refusals: Refusals::new(settings.noted_refusals),
            feed: Feed::new(Arc::clone(&store.inner), settings.listeners),
            positions: OnceCell::new(),
            store,
            queue,
            clock,
            lead: Lead::of(settings.clock),
            ids,
            verifiers,
            engine: Arc::new(NoMatchEngine),
            settings,
            worker,
            principals: Recent::default(),
            partner_keys: Recent::default(),
            workspaces: Recent::default(),
            workspace_keys: Recent::default(),
            definitions: definitions::recent(),
            loads: Recent::default(),
            ended_tasks: Recent::default(),
            turns: Turns::default(),
            vitals: Vitals::default(),
        }
    }

    /// With somebody who counts.
    pub fn observed_by(mut self, observer: Arc<dyn Observer>) -> Self {
        self.store.observer = observer;
        self
    }

    /// With somebody who finds donors.
    pub fn matched_by(mut self, engine: Arc<dyn MatchEngine>) -> Self {
        self.engine = engine;
        self
    }

    /// With somebody who follows requests through attempts.
    pub fn traced_by(mut self, tracer: Arc<dyn Tracer>) -> Self {
        self.store.tracer = tracer;
        self
    }

    /// An id for a record whose caller leaves it to the server.
    pub fn new_record_id(&self) -> RecordId {
        RecordId::made(self.ids.id())
    }

    /// When a new task of that kind will be done; the load behind it may be a second old.
    async fn eta(&self, workspace: WorkspaceId, kind: TaskKind, now: Instant) -> Result<Instant, StoreError> {
        let of = (workspace, kind);
        let load = async || self.store.queue_load(workspace, kind, now).await.map(Some);
        let load = self.loads.find_or_load(&of, self.system_now(), load).await?;
        Ok(load.map_or(now, |load| load.eta(now)))
    }

    fn retry_policy(&self, kind: TaskKind) -> &RetryPolicy {
        self.settings
            .retry_by_kind
            .get(&kind)
            .unwrap_or(&self.settings.retry)
    }
}

/// One step of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Whether there is something after the last item.
    pub more: bool,
}

impl<T> Page<T> {
    /// Of items of which one more was asked for than are wanted.
    fn of(mut items: Vec<T>, limit: usize) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        Self { items, more }
    }
}
