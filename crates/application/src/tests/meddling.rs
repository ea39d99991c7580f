//! A store that does what a test tells it to at the worst moment, and is otherwise the one in memory.

use async_trait::async_trait;
use caretrack_adapters_memory::MemoryStore;
use caretrack_domain::{
    AuditEntry, AuditSeal, Credential, CredentialId, Definition, IdempotencyKey, Instant, Key, KnownRecord,
    LocalPatientId, Operation, Patient, PatientId, QueueLoad, RecordId, Registration, ResourceKey,
    ResultList, ResultRecord, Search, SearchId, SecretHash, Source, StatusEntry, StoredResource, Task,
    TaskId, TaskKind, Webhook, WebhookId, WmdaId, Workspace, WorkspaceId,
};
use caretrack_ports::{
    AuditRepository, AuditTrail, Backlog, Changes, ClockRepository, Committed, CredentialRepository,
    IdempotencyRepository, OutboxEntry, OutboxRepository, OutboxSpan, PatientRef, PatientRepository,
    QueueFigures, RegistrationFilter, RegistrationRepository, Remembered, ResourceRepository, ResultsQuery,
    Retention, Schema, SearchRepository, Settled, Store, StoreError, TaskFilter, TaskRepository,
    WebhookRepository, WorkspaceRepository,
};
use futures::future::BoxFuture;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Result<T> = std::result::Result<T, StoreError>;

pub struct MeddlingStore {
    inner: Arc<MemoryStore>,
    meddlers: Mutex<VecDeque<BoxFuture<'static, Result<()>>>>,
    panics: AtomicU32,
    definitions_read: AtomicU32,
    /// Look-ups of credentials and workspaces.
    pub looked_up: AtomicU32,
    /// How long such a look-up takes, in milliseconds.
    pub slowness: AtomicU32,
    /// How long after a commit it is told of, in milliseconds.
    pub lateness: AtomicU32,
}

impl MeddlingStore {
    pub fn over(inner: Arc<MemoryStore>) -> Self {
        Self {
            inner,
            meddlers: Mutex::default(),
            panics: AtomicU32::new(0),
            definitions_read: AtomicU32::new(0),
            looked_up: AtomicU32::new(0),
            slowness: AtomicU32::new(0),
            lateness: AtomicU32::new(0),
        }
    }

    pub fn unmeddled(&self) -> Arc<MemoryStore> {
        Arc::clone(&self.inner)
    }

    /// Runs before the next commit that nothing else runs before; an error is that commit's.
    pub fn before_commit(&self, meddler: impl Future<Output = Result<()>> + Send + 'static) {
        self.meddlers.lock().unwrap().push_back(Box::pin(meddler));
    }

    /// How many definitions were asked for.
    pub fn definitions_read(&self) -> u32 {
        self.definitions_read.load(Ordering::Relaxed)
    }

    async fn look_up(&self) {
        self.looked_up.fetch_add(1, Ordering::Relaxed);
        let slowness = self.slowness.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(slowness.into())).await;
    }

    /// The next `times` reads of a resource panic.
    pub fn panic_on_reads(&self, times: u32) {
        self.panics.store(times, Ordering::Relaxed);
    }
}

#[async_trait]
impl Store for MeddlingStore {
    async fn commit(&self, changes: Changes) -> Result<Committed> {
        let meddler = self.meddlers.lock().unwrap().pop_front();
        if let Some(meddler) = meddler {
            meddler.await?;
        }
        let committed = self.inner.commit(changes).await;
        let lateness = self.lateness.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(lateness.into())).await;
        committed
    }

    async fn check(&self) -> Result<Schema> {
        self.look_up().await;
        self.inner.check().await
    }

    async fn find_secret(&self, name: &str) -> Result<Option<[u8; 32]>> {
        self.inner.find_secret(name).await
    }

    async fn prune(&self, retention: Retention, limit: usize) -> Result<usize> {
        self.inner.prune(retention, limit).await
    }
}

#[async_trait]
impl ResourceRepository for MeddlingStore {
    async fn find_resource(&self, w: WorkspaceId, key: &ResourceKey) -> Result<Option<StoredResource>> {
        let panics = self.panics.load(Ordering::Relaxed);
        if panics > 0 {
            self.panics.store(panics - 1, Ordering::Relaxed);
            panic!("told to");
        }
        self.inner.find_resource(w, key).await
    }

    async fn list_resources(
        &self,
        w: WorkspaceId,
        source: &Key,
        of: &Key,
        after: Option<&RecordId>,
        limit: usize,
    ) -> Result<Vec<StoredResource>> {
        self.inner.list_resources(w, source, of, after, limit).await
    }

    async fn find_source(&self, w: WorkspaceId, key: &Key) -> Result<Option<Source>> {
        self.inner.find_source(w, key).await
    }

    async fn list_sources(&self, w: WorkspaceId, after: Option<&Key>, limit: usize) -> Result<Vec<Source>> {
        self.inner.list_sources(w, after, limit).await
    }

    async fn find_definition(&self, w: WorkspaceId, source: &Key, key: &Key) -> Result<Option<Definition>> {
        self.definitions_read.fetch_add(1, Ordering::Relaxed);
        self.inner.find_definition(w, source, key).await
    }
}

#[async_trait]
impl TaskRepository for MeddlingStore {
    async fn find_task(&self, w: WorkspaceId, id: TaskId) -> Result<Option<Task>> {
        self.inner.find_task(w, id).await
    }

    async fn list_tasks(&self, w: WorkspaceId, filter: TaskFilter, limit: usize) -> Result<Vec<Task>> {
        self.inner.list_tasks(w, filter, limit).await
    }

    async fn operations(
        &self,
        w: WorkspaceId,
        task: TaskId,
        from: u32,
        limit: usize,
    ) -> Result<Vec<Operation>> {
        self.inner.operations(w, task, from, limit).await
    }

    async fn expired_tasks(&self, now: Instant, limit: usize) -> Result<Vec<Task>> {
        self.inner.expired_tasks(now, limit).await
    }

    async fn count_in_lanes(&self, w: WorkspaceId, prefix: &str, most: usize) -> Result<usize> {
        self.inner.count_in_lanes(w, prefix, most).await
    }

    async fn queue_figures(&self, w: WorkspaceId, now: Instant) -> Result<Vec<QueueFigures>> {
        self.inner.queue_figures(w, now).await
    }

    async fn backlog(&self, now: Instant) -> Result<Vec<Backlog>> {
        self.inner.backlog(now).await
    }

    async fn queue_load(&self, w: WorkspaceId, kind: TaskKind, now: Instant) -> Result<QueueLoad> {
        self.inner.queue_load(w, kind, now).await
    }
}

#[async_trait]
impl WorkspaceRepository for MeddlingStore {
    async fn find_workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>> {
        self.look_up().await;
        self.inner.find_workspace(id).await
    }

    async fn find_workspace_by_key(&self, key: &Key) -> Result<Option<Workspace>> {
        self.look_up().await;
        self.inner.find_workspace_by_key(key).await
    }

    async fn list_workspaces(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Workspace>> {
        self.inner.list_workspaces(after, limit).await
    }
}

#[async_trait]
impl CredentialRepository for MeddlingStore {
    async fn find_credential_by_secret(&self, secret: &SecretHash) -> Result<Option<Credential>> {
        self.look_up().await;
        self.inner.find_credential_by_secret(secret).await
    }

    async fn find_client(&self, id: CredentialId) -> Result<Option<Credential>> {
        self.look_up().await;
        self.inner.find_client(id).await
    }

    async fn find_credential(&self, w: WorkspaceId, id: CredentialId) -> Result<Option<Credential>> {
        self.inner.find_credential(w, id).await
    }

    async fn list_credentials(
        &self,
        w: WorkspaceId,
        after: Option<CredentialId>,
        limit: usize,
    ) -> Result<Vec<Credential>> {
        self.inner.list_credentials(w, after, limit).await
    }
}

#[async_trait]
impl PatientRepository for MeddlingStore {
    async fn find_patient(&self, w: WorkspaceId, by: PatientRef) -> Result<Option<Patient>> {
        self.inner.find_patient(w, by).await
    }

    async fn list_patients(
        &self,
        w: WorkspaceId,
        after: Option<PatientId>,
        limit: usize,
    ) -> Result<Vec<Patient>> {
        self.inner.list_patients(w, after, limit).await
    }
}

#[async_trait]
impl AuditRepository for MeddlingStore {
    async fn list_audit(
        &self,
        w: Option<WorkspaceId>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<(i64, AuditEntry)>> {
        self.inner.list_audit(w, before, limit).await
    }
}

#[async_trait]
impl OutboxRepository for MeddlingStore {
    async fn list_events(
        &self,
        w: WorkspaceId,
        after: i64,
        upto: i64,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>> {
        self.inner.list_events(w, after, upto, limit).await
    }

    async fn read_events(&self, after: i64, limit: usize) -> Result<Settled<(WorkspaceId, OutboxEntry)>> {
        self.inner.read_events(after, limit).await
    }

    async fn outbox_span(&self) -> Result<OutboxSpan> {
        self.inner.outbox_span().await
    }

    async fn wait_for_events(&self, longest: Duration) {
        self.inner.wait_for_events(longest).await;
    }
}

#[async_trait]
impl WebhookRepository for MeddlingStore {
    async fn find_webhook(&self, w: WorkspaceId, id: WebhookId) -> Result<Option<Webhook>> {
        self.inner.find_webhook(w, id).await
    }

    async fn list_webhooks(
        &self,
        w: WorkspaceId,
        after: Option<WebhookId>,
        limit: usize,
    ) -> Result<Vec<Webhook>> {
        self.inner.list_webhooks(w, after, limit).await
    }

    async fn active_webhooks(&self) -> Result<Vec<Webhook>> {
        self.inner.active_webhooks().await
    }
}

#[async_trait]
impl AuditTrail for MeddlingStore {
    async fn read_audit(&self, after: i64, limit: usize) -> Result<Settled<(i64, AuditEntry)>> {
        self.inner.read_audit(after, limit).await
    }

    async fn list_seals(&self, after: i64, limit: usize) -> Result<Vec<AuditSeal>> {
        self.inner.list_seals(after, limit).await
    }

    async fn last_seal(&self) -> Result<Option<AuditSeal>> {
        self.inner.last_seal().await
    }
}

#[async_trait]
impl IdempotencyRepository for MeddlingStore {
    async fn find_remembered(&self, w: WorkspaceId, key: &IdempotencyKey) -> Result<Option<Remembered>> {
        self.inner.find_remembered(w, key).await
    }
}

#[async_trait]
impl RegistrationRepository for MeddlingStore {
    async fn find_registration(&self, w: WorkspaceId, id: WmdaId) -> Result<Option<Registration>> {
        self.inner.find_registration(w, id).await
    }

    async fn registrations_of(&self, w: WorkspaceId, patient: PatientId) -> Result<Vec<Registration>> {
        self.inner.registrations_of(w, patient).await
    }

    async fn list_registrations(
        &self,
        w: WorkspaceId,
        filter: &RegistrationFilter,
        limit: usize,
        offset: u64,
    ) -> Result<Vec<Registration>> {
        self.inner.list_registrations(w, filter, limit, offset).await
    }

    async fn count_registrations(&self, w: WorkspaceId, filter: &RegistrationFilter) -> Result<u64> {
        self.inner.count_registrations(w, filter).await
    }

    async fn due_registrations(&self, now: Instant, limit: usize) -> Result<Vec<Registration>> {
        self.inner.due_registrations(now, limit).await
    }

    async fn list_status_entries(
        &self,
        w: WorkspaceId,
        id: WmdaId,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<StatusEntry>> {
        self.inner.list_status_entries(w, id, after, limit).await
    }

    async fn find_patient_by_local_id(&self, w: WorkspaceId, id: &LocalPatientId) -> Result<Option<Patient>> {
        self.inner.find_patient_by_local_id(w, id).await
    }
}

#[async_trait]
impl SearchRepository for MeddlingStore {
    async fn find_search(&self, w: WorkspaceId, id: SearchId) -> Result<Option<Search>> {
        self.inner.find_search(w, id).await
    }

    async fn searches_of(&self, w: WorkspaceId, of: &[WmdaId]) -> Result<Vec<Search>> {
        self.inner.searches_of(w, of).await
    }

    async fn known_records(&self, workspace: WorkspaceId, search: SearchId) -> Result<Vec<KnownRecord>> {
        self.inner.known_records(workspace, search).await
    }

    async fn list_results(
        &self,
        workspace: WorkspaceId,
        search: SearchId,
        query: &ResultsQuery,
    ) -> Result<Vec<ResultRecord>> {
        self.inner.list_results(workspace, search, query).await
    }

    async fn count_results(
        &self,
        workspace: WorkspaceId,
        search: SearchId,
        list: ResultList,
        from: Instant,
    ) -> Result<u64> {
        self.inner.count_results(workspace, search, list, from).await
    }
}

#[async_trait]
impl ClockRepository for MeddlingStore {
    async fn clock_ahead(&self) -> Result<time::Duration> {
        self.inner.clock_ahead().await
    }
}
