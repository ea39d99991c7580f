//! The finders and lists: filters over the maps.

use crate::MemoryStore;
use crate::state::{ResourceRow, TaskRow};
use async_trait::async_trait;
use caretrack_domain::{
    Credential, CredentialId, CredentialKind, Definition, IdempotencyKey, Instant, Key, Operation, Patient,
    PatientId, QueueLoad, RecordId, ResourceKey, SecretHash, Source, StoredResource, Task, TaskId, TaskKind,
    TaskState, TaskStatus, Workspace, WorkspaceId,
};
use caretrack_ports::{
    Backlog, CredentialRepository, IdempotencyRepository, PatientRef, PatientRepository, QueueFigures,
    Remembered, ResourceRepository, StoreError, TaskFilter, TaskRepository, WorkspaceRepository,
};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

/// Over how long the rate of a queue is measured.
const RATE_SPAN: Duration = Duration::from_mins(1);
/// No estimate needs a longer queue counted.
const FARTHEST_COUNT: usize = 10_000;

#[async_trait]
impl TaskRepository for MemoryStore {
    async fn find_task(&self, workspace: WorkspaceId, id: TaskId) -> Result<Option<Task>, StoreError> {
        Ok(self.state().task_of(workspace, id).map(|row| row.task.clone()))
    }

    async fn list_tasks(
        &self,
        workspace: WorkspaceId,
        filter: TaskFilter,
        limit: usize,
    ) -> Result<Vec<Task>, StoreError> {
        let state = self.state();
        let tasks = state.tasks_of(workspace).rev().map(|row| &row.task);
        let shown = tasks.filter(|task| shows(&filter, task)).take(limit);
        Ok(shown.cloned().collect())
    }

    async fn operations(
        &self,
        workspace: WorkspaceId,
        task: TaskId,
        from: u32,
        limit: usize,
    ) -> Result<Vec<Operation>, StoreError> {
        let state = self.state();
        let row = state.task_of(workspace, task).into_iter();
        let operations = row.flat_map(|row| row.operations.range(from..));
        Ok(operations
            .take(limit)
            .map(|(_, operation)| operation.clone())
            .collect())
    }

    async fn expired_tasks(&self, now: Instant, limit: usize) -> Result<Vec<Task>, StoreError> {
        let state = self.state();
        let mut expired: Vec<_> = state
            .tasks
            .values()
            .filter_map(|TaskRow { task, .. }| match task.state() {
                TaskState::Running { lease, .. } if lease.until <= now => Some((lease.until, task)),
                TaskState::Running { .. }
                | TaskState::Queued
                | TaskState::RetryScheduled { .. }
                | TaskState::Held { .. }
                | TaskState::Succeeded { .. }
                | TaskState::Failed { .. }
                | TaskState::Cancelled { .. } => None,
            })
            .collect();
        expired.sort_by_key(|(until, task)| (*until, task.place()));
        Ok(expired
            .into_iter()
            .take(limit)
            .map(|(_, task)| task.clone())
            .collect())
    }

    async fn count_in_lanes(
        &self,
        workspace: WorkspaceId,
        prefix: &str,
        most: usize,
    ) -> Result<usize, StoreError> {
        let state = self.state();
        let in_lane = |row: &&TaskRow| {
            let key = row.task.facts().ordering_key.as_ref();
            row.task.status().occupies_key() && key.is_some_and(|key| key.0.starts_with(prefix))
        };
        Ok(state.tasks_of(workspace).filter(in_lane).take(most).count())
    }

    async fn queue_figures(
        &self,
        workspace: WorkspaceId,
        now: Instant,
    ) -> Result<Vec<QueueFigures>, StoreError> {
        let state = self.state();
        let mut kinds: BTreeMap<TaskKind, QueueFigures> = BTreeMap::new();
        for (_, kind) in state.paused.iter().filter(|queue| queue.0 == workspace) {
            kinds.entry(*kind).or_insert_with(|| no_figures(*kind)).paused = true;
        }
        for TaskRow { task, .. } in state.tasks_of(workspace) {
            let kind = task.facts().kind;
            count(kinds.entry(kind).or_insert_with(|| no_figures(kind)), task, now);
        }
        Ok(kinds.into_values().collect())
    }

    async fn backlog(&self, now: Instant) -> Result<Vec<Backlog>, StoreError> {
        let state = self.state();
        let of = |kind: TaskKind| {
            let mut backlog = Backlog::of(kind);
            for row in state.tasks.values().filter(|row| row.task.facts().kind == kind) {
                match row.task.status() {
                    TaskStatus::Queued => backlog.queued += 1,
                    TaskStatus::Running => backlog.running += 1,
                    TaskStatus::Held => backlog.held += 1,
                    TaskStatus::RetryScheduled => backlog.retrying += 1,
                    TaskStatus::Succeeded | TaskStatus::Failed | TaskStatus::Cancelled => {}
                }
            }
            let ready = state.ready.iter().filter(|((_, of), _)| *of == kind);
            let oldest = ready
                .filter_map(|(_, turns)| turns.first().map(|(at, ..)| *at))
                .min();
            backlog.oldest_ready = oldest.filter(|at| *at <= now).map(|at| now - at);
            backlog
        };
        Ok(<TaskKind as strum::IntoEnumIterator>::iter().map(of).collect())
    }

    async fn queue_load(
        &self,
        workspace: WorkspaceId,
        kind: TaskKind,
        now: Instant,
    ) -> Result<QueueLoad, StoreError> {
        let state = self.state();
        let tasks = || {
            let tasks = state.tasks_of(workspace).map(|row| &row.task);
            tasks.filter(|task| task.facts().kind == kind)
        };
        // What occupies its ordering key is what runs or is going to: queued, running, retrying.
        let ahead = tasks().filter(|task| task.status().occupies_key());
        let ahead = ahead.take(FARTHEST_COUNT).count();
        let ended = tasks().filter(|task| ended_lately(task, now)).count();
        Ok(QueueLoad {
            ahead: u64::try_from(ahead).unwrap_or(u64::MAX),
            per_second: f64::from(u32::try_from(ended).unwrap_or(u32::MAX)) / RATE_SPAN.as_secs_f64(),
        })
    }
}

fn shows(filter: &TaskFilter, task: &Task) -> bool {
    let facts = task.facts();
    filter.status.is_none_or(|status| task.status() == status)
        && filter.kind.is_none_or(|kind| facts.kind == kind)
        && filter
            .patient
            .is_none_or(|patient| facts.patient == Some(patient))
        && filter
            .accepted_since
            .is_none_or(|since| facts.accepted_at >= since)
        && filter
            .accepted_until
            .is_none_or(|until| facts.accepted_at < until)
        && filter.before.is_none_or(|before| task.place() < before)
}

fn no_figures(kind: TaskKind) -> QueueFigures {
    QueueFigures {
        kind,
        paused: false,
        queued: 0,
        running: 0,
        held: 0,
        retrying: 0,
        oldest_accepted_at: None,
        ended_last_minute: 0,
        failed: 0,
    }
}

fn count(figures: &mut QueueFigures, task: &Task, now: Instant) {
    let accepted_at = task.facts().accepted_at;
    let waits = match task.status() {
        TaskStatus::Queued => {
            figures.queued += 1;
            true
        }
        TaskStatus::RetryScheduled => {
            figures.retrying += 1;
            true
        }
        TaskStatus::Running => {
            figures.running += 1;
            false
        }
        TaskStatus::Held => {
            figures.held += 1;
            false
        }
        TaskStatus::Failed => {
            figures.failed += 1;
            false
        }
        TaskStatus::Succeeded | TaskStatus::Cancelled => false,
    };
    if waits {
        let oldest = figures.oldest_accepted_at.get_or_insert(accepted_at);
        *oldest = accepted_at.min(*oldest);
    }
    figures.ended_last_minute += u64::from(ended_lately(task, now));
}

fn ended_lately(task: &Task, now: Instant) -> bool {
    task.finished_at().is_some_and(|at| at > now - RATE_SPAN)
}

#[async_trait]
impl ResourceRepository for MemoryStore {
    async fn find_resource(
        &self,
        workspace: WorkspaceId,
        key: &ResourceKey,
    ) -> Result<Option<StoredResource>, StoreError> {
        let row = |row: &ResourceRow| row.stored.clone();
        Ok(self.state().resource(workspace, key).map(row))
    }

    async fn list_resources(
        &self,
        workspace: WorkspaceId,
        source: &Key,
        of: &Key,
        after: Option<&RecordId>,
        limit: usize,
    ) -> Result<Vec<StoredResource>, StoreError> {
        let state = self.state();
        let section = state.resources.get(&(workspace, source.clone(), of.clone()));
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = section
            .into_iter()
            .flat_map(|section| section.range((from, Bound::Unbounded)));
        let live = rows
            .map(|(_, row)| &row.stored)
            .filter(|stored| stored.resource.is_some());
        Ok(live.take(limit).cloned().collect())
    }

    async fn find_source(&self, workspace: WorkspaceId, key: &Key) -> Result<Option<Source>, StoreError> {
        Ok(self.state().sources.get(&(workspace, key.clone())).cloned())
    }

    async fn list_sources(
        &self,
        workspace: WorkspaceId,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Source>, StoreError> {
        let state = self.state();
        let sources = state
            .sources
            .values()
            .filter(|source| source.workspace == workspace);
        let sources = sources.filter(|source| after.is_none_or(|after| source.key > *after));
        Ok(sources.take(limit).cloned().collect())
    }

    async fn find_definition(
        &self,
        workspace: WorkspaceId,
        source: &Key,
        key: &Key,
    ) -> Result<Option<Definition>, StoreError> {
        let section = (workspace, source.clone(), key.clone());
        Ok(self.state().definitions.get(&section).cloned())
    }
}

#[async_trait]
impl WorkspaceRepository for MemoryStore {
    async fn find_workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>, StoreError> {
        Ok(self.state().workspaces.get(&id).cloned())
    }

    async fn find_workspace_by_key(&self, key: &Key) -> Result<Option<Workspace>, StoreError> {
        let state = self.state();
        let found = state.workspaces.values().find(|workspace| workspace.key == *key);
        Ok(found.cloned())
    }

    async fn list_workspaces(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Workspace>, StoreError> {
        let state = self.state();
        let workspaces = state.workspaces.values();
        let mut listed: Vec<_> = workspaces
            .filter(|workspace| after.is_none_or(|after| workspace.key > *after))
            .cloned()
            .collect();
        listed.sort_by(|a, b| a.key.cmp(&b.key));
        listed.truncate(limit);
        Ok(listed)
    }
}

#[async_trait]
impl CredentialRepository for MemoryStore {
    async fn find_credential_by_secret(&self, secret: &SecretHash) -> Result<Option<Credential>, StoreError> {
        let state = self.state();
        let found = state
            .credentials
            .values()
            .find(|credential| credential.secret.hash() == Some(secret));
        Ok(found.cloned())
    }

    async fn find_client(&self, id: CredentialId) -> Result<Option<Credential>, StoreError> {
        let state = self.state();
        let found = state.credentials.get(&id);
        Ok(found
            .filter(|credential| credential.kind() == CredentialKind::Client)
            .cloned())
    }

    async fn find_credential(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
    ) -> Result<Option<Credential>, StoreError> {
        let state = self.state();
        let found = state.credentials.get(&id);
        Ok(found
            .filter(|credential| credential.workspace == workspace)
            .cloned())
    }

    async fn list_credentials(
        &self,
        workspace: WorkspaceId,
        after: Option<CredentialId>,
        limit: usize,
    ) -> Result<Vec<Credential>, StoreError> {
        let state = self.state();
        let credentials = state.credentials.values();
        let credentials = credentials.filter(|credential| credential.workspace == workspace);
        let credentials = credentials.filter(|credential| after.is_none_or(|after| credential.id > after));
        Ok(credentials.take(limit).cloned().collect())
    }
}

#[async_trait]
impl PatientRepository for MemoryStore {
    async fn find_patient(
        &self,
        workspace: WorkspaceId,
        by: PatientRef,
    ) -> Result<Option<Patient>, StoreError> {
        let state = self.state();
        let id = match by {
            PatientRef::Id(id) => Some(id),
            PatientRef::Wmda(number) => (state.registrations.get(&number))
                .map(|registration| registration.patient)
                .or_else(|| state.by_wmda.get(&number).copied()),
        };
        let found = id.and_then(|id| state.patients.get(&id));
        Ok(found.filter(|patient| patient.workspace == workspace).cloned())
    }

    async fn list_patients(
        &self,
        workspace: WorkspaceId,
        after: Option<PatientId>,
        limit: usize,
    ) -> Result<Vec<Patient>, StoreError> {
        let state = self.state();
        let patients = state.patients.values();
        let patients = patients.filter(|patient| patient.workspace == workspace);
        let patients = patients.filter(|patient| after.is_none_or(|after| patient.id > after));
        Ok(patients.take(limit).cloned().collect())
    }
}

#[async_trait]
impl IdempotencyRepository for MemoryStore {
    async fn find_remembered(
        &self,
        workspace: WorkspaceId,
        key: &IdempotencyKey,
    ) -> Result<Option<Remembered>, StoreError> {
        Ok(self.state().remembered.get(&(workspace, key.clone())).cloned())
    }
}
