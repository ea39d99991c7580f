//! The commit: all fences, then all names, then all changes. Nothing can fail once the changing has begun.

use crate::MemoryStore;
use crate::state::{ResourceRow, State, TaskRow};
use async_trait::async_trait;
use caretrack_domain::{
    Credential, Instant, NewTask, Operation, Patient, PatientId, Receipt, ResourceKey, StoredResource, Task,
    TaskEffect, TaskId, TaskTransition, TypeKey, WorkspaceId,
};
use caretrack_ports::{
    Changes, Committed, NewCredential, OutboxEntry, Parts, Place, Remembered, ResourceWrite, Retention,
    Schema, Store, StoreError, WebhookChange,
};
use std::collections::{BTreeMap, BTreeSet};

#[async_trait]
impl Store for MemoryStore {
    async fn commit(&self, changes: Changes) -> Result<Committed, StoreError> {
        let at = changes.at();
        let mut state = self.state();
        if std::mem::take(&mut state.fail_next_commit) {
            return Err(StoreError::Unavailable("told to fail".into()));
        }
        state.check_fences(changes.parts())?;
        state.check_names(changes.parts())?;
        let committed = state.apply(changes.into_parts(), at);
        let drained = state.drained;
        drop(state);
        self.told.notify_waiters();
        if !drained {
            self.work.notify_waiters();
        }
        Ok(committed)
    }

    async fn check(&self) -> Result<Schema, StoreError> {
        Ok(Schema::Current)
    }

    async fn find_secret(&self, name: &str) -> Result<Option<[u8; 32]>, StoreError> {
        Ok(self.state().secrets.get(name).copied())
    }

    async fn prune(&self, retention: Retention, limit: usize) -> Result<usize, StoreError> {
        Ok(self.state().prune(retention, limit))
    }
}

/// Fences: what was seen is what is there.
impl State {
    fn check_fences(&self, parts: &Parts) -> Result<(), StoreError> {
        // One commit takes one step with each task and record; the second would be fenced by the first.
        let mut tasks = BTreeSet::new();
        for transition in &parts.transitions {
            let id = transition.task().id();
            let stored = self.tasks.get(&id).map(|row| row.task.revision());
            fence(stored == Some(transition.expected_revision()) && tasks.insert(id))?;
        }
        for (id, _) in &parts.receipts {
            let is_new = || parts.new_tasks.iter().any(|new| new.task().id() == *id);
            fence(self.tasks.contains_key(id) || is_new())?;
        }
        let mut records = BTreeSet::new();
        for write in &parts.resources {
            let stored = self.resource(write.workspace, &write.key);
            let version = stored.map(|row| row.stored.version);
            fence(version == write.expected && records.insert((write.workspace, &write.key)))?;
        }
        self.check_definitions(parts)?;
        let mut patients = BTreeSet::new();
        for write in &parts.patients {
            fence(patients.insert(write.after.id))?;
            if let Some(expected) = write.expected {
                let stored = self.patients.get(&write.after.id);
                fence(stored.is_some_and(|stored| {
                    stored.revision == expected && stored.workspace == write.after.workspace
                }))?;
            }
        }
        for (n, credential) in parts.credentials.iter().enumerate() {
            if let NewCredential::Revoked { workspace, id, .. } = credential {
                let known = |c: &Credential| c.id == *id && c.workspace == *workspace;
                let is_new = parts.credentials[..n]
                    .iter()
                    .any(|earlier| matches!(earlier, NewCredential::Added(added) if known(added)));
                fence(is_new || self.credentials.get(id).is_some_and(known))?;
            }
        }
        self.check_webhooks(parts)?;
        self.check_registrations(parts)?;
        let next = (self.seals.len() + 1..).map(|number| i64::try_from(number).unwrap_or(i64::MAX));
        fence(
            parts
                .seals
                .iter()
                .zip(next)
                .all(|(seal, next)| seal.number == next),
        )
    }

    fn check_definitions(&self, parts: &Parts) -> Result<(), StoreError> {
        let version = |on: &TypeKey| {
            let section = (on.workspace, on.source.clone(), on.key.clone());
            self.definitions.get(&section).map(|found| found.version)
        };
        for reliance in &parts.reliances {
            fence(version(&reliance.on).unwrap_or(0) == reliance.version)?;
        }
        let mut written = BTreeSet::new();
        for write in &parts.definition_writes {
            let on = write.after.type_key();
            fence(version(&on) == write.expected && written.insert(on))?;
        }
        Ok(())
    }

    fn check_names(&self, parts: &Parts) -> Result<(), StoreError> {
        if let Some(record) = &parts.idempotency {
            let holder = self.remembered.get(&(record.workspace, record.key.clone()));
            name(holder.is_none_or(|holder| holder.expires_at <= record.made_at))?;
        }
        let mut ids = BTreeSet::new();
        let mut fingerprints = BTreeSet::new();
        for new in &parts.new_tasks {
            let task = new.task();
            name(!self.tasks.contains_key(&task.id()) && ids.insert(task.id()))?;
            if let Some(fingerprint) = task.facts().fingerprint
                && !task.status().is_terminal()
            {
                let key = (task.facts().workspace, fingerprint);
                let ends_now = |id| {
                    let ending = |t: &TaskTransition| t.task().id() == id && t.task().status().is_terminal();
                    parts.transitions.iter().any(ending)
                };
                let holder = self.unfinished.get(&key);
                name(holder.is_none_or(|id| ends_now(*id)) && fingerprints.insert(key))?;
            }
        }
        for (_, change) in &parts.webhooks {
            if let WebhookChange::Added(new) = change {
                name(!self.webhooks.contains_key(&new.id))?;
            }
        }
        let mut workspaces: Vec<_> = self.workspaces.values().collect();
        for new in &parts.workspaces {
            name(!workspaces.iter().any(|w| w.id == new.id || w.key == new.key))?;
            workspaces.push(new);
        }
        let own_hash = |c: &Credential, hash: Option<_>| hash.is_some() && c.secret.hash() == hash;
        let mut credentials: Vec<_> = self.credentials.values().collect();
        for change in &parts.credentials {
            if let NewCredential::Added(new) = change {
                name(
                    !credentials
                        .iter()
                        .any(|c| c.id == new.id || own_hash(c, new.secret.hash())),
                )?;
                credentials.push(new);
            }
        }
        let mut numbers = BTreeSet::new();
        let mut local_ids = BTreeSet::new();
        for write in &parts.patients {
            let patient = &write.after;
            let own = |holder: Option<_>| holder.is_none_or(|id| id == &patient.id);
            name(write.expected.is_some() || !self.patients.contains_key(&patient.id))?;
            name(own(self.by_wmda.get(&patient.wmda_id)) && numbers.insert(patient.wmda_id))?;
            if let Some(local_id) = &patient.local_id {
                let key = (patient.workspace, local_id.clone());
                name(own(self.by_local.get(&key)) && local_ids.insert(key))?;
            }
        }
        self.check_registration_names(parts)
    }

    pub(crate) fn resource(&self, workspace: WorkspaceId, key: &ResourceKey) -> Option<&ResourceRow> {
        let section = (workspace, key.source.clone(), key.of.clone());
        self.resources.get(&section)?.get(&key.id)
    }
}

pub(crate) fn fence(holds: bool) -> Result<(), StoreError> {
    if holds { Ok(()) } else { Err(StoreError::Conflict) }
}

pub(crate) fn name(is_free: bool) -> Result<(), StoreError> {
    if is_free {
        Ok(())
    } else {
        Err(StoreError::Duplicate)
    }
}

/// Changes, once nothing stands against them.
impl State {
    fn apply(&mut self, parts: Parts, at: Instant) -> Committed {
        let committed = Committed {
            first: self.last_number + 1,
        };
        for write in parts.resources {
            self.write_resource(write, at);
        }
        // The receipts of this step come before its effects, which settle what is left after it.
        let (known, new): (Vec<_>, Vec<_>) = parts
            .receipts
            .into_iter()
            .partition(|(id, _)| self.tasks.contains_key(id));
        for (id, operation) in known {
            self.write_operation(id, operation);
        }
        for transition in parts.transitions {
            self.record(transition);
        }
        for task in &parts.new_tasks {
            self.insert_task(task);
        }
        for (id, operation) in new {
            self.write_operation(id, operation);
        }
        for source in parts.sources {
            let key = (source.workspace, source.key.clone());
            self.sources.entry(key).or_insert(source);
        }
        for definition in parts.definitions {
            let key = (
                definition.workspace,
                definition.source.clone(),
                definition.key.clone(),
            );
            self.definitions.entry(key).or_insert(definition);
        }
        for write in parts.definition_writes {
            let after = write.after;
            let key = (after.workspace, after.source.clone(), after.key.clone());
            self.definitions.insert(key, after);
        }
        for workspace in parts.workspaces {
            self.workspaces.insert(workspace.id, workspace);
        }
        for credential in parts.credentials {
            self.write_credential(credential);
        }
        for removal in parts.removed_patients {
            self.remove_patient(removal.id);
        }
        for write in parts.patients {
            self.write_patient(write.after);
        }
        for write in parts.registrations {
            self.write_registration(write);
        }
        for touch in parts.touches {
            self.touch(touch);
        }
        for entry in parts.status_entries {
            self.status_entries.insert((entry.wmda_id, entry.revision), entry);
        }
        for write in parts.searches {
            self.write_search(write);
        }
        for pause in parts.pauses {
            let queue = (pause.workspace, pause.kind);
            if pause.paused {
                self.paused.insert(queue);
            } else if self.paused.remove(&queue) {
                self.drained = false;
            }
        }
        if let Some(record) = parts.idempotency {
            let remembered = Remembered {
                fingerprint: record.fingerprint,
                outcome: record.outcome,
                version: record.shows_version.then_some(committed.first),
                expires_at: record.expires_at,
            };
            self.remembered.insert((record.workspace, record.key), remembered);
        }
        self.advance_clock(parts.clock_step);
        for (workspace, change) in parts.webhooks {
            self.change_webhook(workspace, change);
        }
        for (name, secret) in parts.secrets {
            self.secrets.entry(name.to_owned()).or_insert(secret);
        }
        self.seals.extend(parts.seals);
        self.audit.extend(parts.audit);
        for (workspace, at, event) in parts.events {
            self.last_event += 1;
            let number = self.last_event;
            self.outbox.push((workspace, OutboxEntry { number, at, event }));
        }
        committed
    }

    fn next_number(&mut self) -> i64 {
        self.last_number += 1;
        self.last_number
    }

    fn write_resource(&mut self, write: ResourceWrite, at: Instant) {
        let version = self.next_number();
        let deleted_at = write.after.is_none().then_some(at);
        let stored = StoredResource {
            version,
            place: match write.place {
                Place::AtCommit => version,
                Place::Accepted(place) => place,
            },
            resource: write.after,
            key: write.key.clone(),
        };
        self.resources
            .entry((write.workspace, write.key.source, write.key.of))
            .or_default()
            .insert(write.key.id, ResourceRow { stored, deleted_at });
    }

    fn write_operation(&mut self, task: TaskId, operation: Operation) {
        if let Some(row) = self.tasks.get_mut(&task) {
            row.operations.insert(operation.seq, operation);
        }
    }

    fn record(&mut self, transition: TaskTransition) {
        let effect = transition.effect().cloned();
        let after = self.replace(transition);
        if let Some(TaskEffect::SettleRemaining {
            receipt,
            keep_payloads,
        }) = effect
            && let Some(row) = self.tasks.get_mut(&after.id())
        {
            for operation in row.operations.values_mut() {
                if operation.receipt == Receipt::Pending {
                    operation.receipt = receipt.clone();
                    if !keep_payloads {
                        operation.payload = None;
                    }
                }
            }
        }
    }

    /// Puts the task that a transition made in the place of the one it was made from.
    pub(crate) fn replace(&mut self, transition: TaskTransition) -> Task {
        let occupied = transition.before().occupies_key();
        let after = transition.into_task();
        if let Some(row) = self.tasks.get_mut(&after.id()) {
            let before = std::mem::replace(&mut row.task, after.clone());
            self.unfile(&before);
        }
        if after.status().is_terminal()
            && let Some(fingerprint) = after.facts().fingerprint
        {
            self.unfinished.remove(&(after.facts().workspace, fingerprint));
        }
        self.file(&after, occupied);
        after
    }

    fn insert_task(&mut self, new: &NewTask) {
        let place = self.next_number();
        let task = new.task();
        let task = Task::restore(
            task.facts().clone(),
            place,
            task.revision(),
            task.tally(),
            task.attempts().to_vec(),
            task.state().clone(),
        );
        let operations = new.operations().iter().map(|o| (o.seq, o.clone())).collect();
        let facts = task.facts();
        self.by_place.insert((facts.workspace, place), facts.id);
        if let Some(fingerprint) = facts.fingerprint
            && !task.status().is_terminal()
        {
            self.unfinished.insert((facts.workspace, fingerprint), facts.id);
        }
        let row = TaskRow {
            task: task.clone(),
            operations,
        };
        self.tasks.insert(task.id(), row);
        self.file(&task, false);
    }

    fn write_credential(&mut self, change: NewCredential) {
        match change {
            NewCredential::Added(credential) => {
                self.credentials.insert(credential.id, credential);
            }
            NewCredential::Revoked { id, at, .. } => {
                if let Some(credential) = self.credentials.get_mut(&id) {
                    credential.revoked_at.get_or_insert(at);
                }
            }
        }
    }

    fn remove_patient(&mut self, id: PatientId) {
        if let Some(before) = self.patients.remove(&id) {
            self.by_wmda.remove(&before.wmda_id);
            if let Some(local_id) = before.local_id {
                self.by_local.remove(&(before.workspace, local_id));
            }
        }
    }

    fn write_patient(&mut self, patient: Patient) {
        self.remove_patient(patient.id);
        self.by_wmda.insert(patient.wmda_id, patient.id);
        if let Some(local_id) = patient.local_id.clone() {
            self.by_local.insert((patient.workspace, local_id), patient.id);
        }
        self.patients.insert(patient.id, patient);
    }

    fn prune(&mut self, retention: Retention, limit: usize) -> usize {
        let tasks = self.prune_tasks(retention.ended_before, limit);
        self.outbox
            .retain(|(_, entry)| entry.at >= retention.ended_before);
        self.prune_marks(retention.ended_before);
        let mut room = limit;
        self.remembered.retain(|_, remembered| {
            let stays = remembered.expires_at > retention.expired_by || room == 0;
            room -= usize::from(!stays);
            stays
        });
        tasks.max(limit - room)
    }

    fn prune_tasks(&mut self, ended_before: Instant, limit: usize) -> usize {
        let mut past: Vec<_> = self
            .tasks
            .values()
            .filter_map(|row| Some((row.task.finished_at()?, row.task.place(), row.task.id())))
            .filter(|(finished_at, ..)| *finished_at < ended_before)
            .collect();
        past.sort_unstable();
        past.truncate(limit);
        for (_, _, id) in &past {
            if let Some(row) = self.tasks.remove(id) {
                let place = (row.task.facts().workspace, row.task.place());
                self.by_place.remove(&place);
            }
        }
        past.len()
    }

    /// A mark that an unfinished task may still come upon stays, so that the task finds it was overtaken.
    fn prune_marks(&mut self, deleted_before: Instant) {
        let mut oldest: BTreeMap<WorkspaceId, i64> = BTreeMap::new();
        for ((workspace, place), id) in self.by_place.iter().rev() {
            if self
                .tasks
                .get(id)
                .is_some_and(|row| !row.task.status().is_terminal())
            {
                oldest.insert(*workspace, *place);
            }
        }
        for ((workspace, ..), section) in &mut self.resources {
            let awaited = oldest.get(workspace).copied().unwrap_or(i64::MAX);
            section.retain(|_, row| {
                row.deleted_at
                    .is_none_or(|at| at >= deleted_before || row.stored.place >= awaited)
            });
        }
    }
}
