//! A store that does what a test tells it to at the worst moment, and is otherwise the one in memory.

use async_trait::async_trait;
use caretrack_adapters_memory::MemoryStore;
use caretrack_domain::{
    AuditEntry, Credential, CredentialId, Definition, IdempotencyKey, Instant, Key, Operation, Patient,
    PatientId, QueueLoad, RecordId, ResourceKey, SecretHash, Source, StoredResource, Task, TaskId, TaskKind,
    Workspace, WorkspaceId,
};
use caretrack_ports::{
    AuditRepository, Backlog, Changes, ClockRepository, Committed, CredentialRepository,
    IdempotencyRepository, OutboxEntry, OutboxRepository, PatientRef, PatientRepository, QueueFigures,
    Remembered, ResourceRepository, Retention, Store, StoreError, TaskFilter, TaskRepository,
    WorkspaceRepository,
};
use futures::future::BoxFuture;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

type Result<T> = std::result::Result<T, StoreError>;

pub struct MeddlingStore {
    inner: Arc<MemoryStore>,
    meddlers: Mutex<VecDeque<BoxFuture<'static, Result<()>>>>,
    panics: AtomicU32,
}

impl MeddlingStore {
    pub fn over(inner: Arc<MemoryStore>) -> Self {
        Self {
            inner,
            meddlers: Mutex::default(),
            panics: AtomicU32::new(0),
        }
    }

    pub fn unmeddled(&self) -> Arc<MemoryStore> {
        Arc::clone(&self.inner)
    }

    /// Runs before the next commit that nothing else runs before; an error is that commit's.
    pub fn before_commit(&self, meddler: impl Future<Output = Result<()>> + Send + 'static) {
        self.meddlers.lock().unwrap().push_back(Box::pin(meddler));
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
        self.inner.commit(changes).await
    }

    async fn check(&self) -> Result<()> {
        self.inner.check().await
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
        self.inner.find_workspace(id).await
    }

    async fn find_workspace_by_key(&self, key: &Key) -> Result<Option<Workspace>> {
        self.inner.find_workspace_by_key(key).await
    }

    async fn list_workspaces(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Workspace>> {
        self.inner.list_workspaces(after, limit).await
    }
}

#[async_trait]
impl CredentialRepository for MeddlingStore {
    async fn find_credential_by_secret(&self, secret: &SecretHash) -> Result<Option<Credential>> {
        self.inner.find_credential_by_secret(secret).await
    }

    async fn find_client(&self, id: CredentialId) -> Result<Option<Credential>> {
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
    async fn list_events(&self, w: WorkspaceId, after: i64, limit: usize) -> Result<Vec<OutboxEntry>> {
        self.inner.list_events(w, after, limit).await
    }
}

#[async_trait]
impl IdempotencyRepository for MeddlingStore {
    async fn find_remembered(&self, w: WorkspaceId, key: &IdempotencyKey) -> Result<Option<Remembered>> {
        self.inner.find_remembered(w, key).await
    }
}

#[async_trait]
impl ClockRepository for MeddlingStore {
    async fn clock_ahead(&self) -> Result<time::Duration> {
        self.inner.clock_ahead().await
    }
}
