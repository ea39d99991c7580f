//! Tasks as operators and clients see them: find, list, cancel, try again.

use crate::error::until_settled;
use crate::idempotency::Conclusion;
use crate::{Application, Asker, Caller, Page, UseCaseError};
use caretrack_domain::{
    AuditOutcome, Key, NewTask, Operation, Scope, Task, TaskCommand, TaskFacts, TaskId, TaskStatus,
};
use caretrack_ports::{Admission, Changes, PatientRef, TaskFilter};

impl Application {
    pub async fn find_task(&self, caller: &Caller, id: TaskId) -> Result<Task, UseCaseError> {
        caller.require(Scope::OpsRead)?;
        self.task(caller, id).await
    }

    /// A task as the source it belongs to shows it.
    pub async fn find_source_task(
        &self,
        caller: &Caller,
        source: &Key,
        id: TaskId,
    ) -> Result<Task, UseCaseError> {
        caller.require_any(&[Scope::RegistryRead, Scope::RegistryWrite])?;
        let task = self.task(caller, id).await?;
        if task.facts().source.as_ref() == Some(source) {
            Ok(task)
        } else {
            Err(no_task(id))
        }
    }

    /// Newest first. `patient` goes before the filter's.
    pub async fn list_tasks(
        &self,
        caller: &Caller,
        mut filter: TaskFilter,
        patient: Option<PatientRef>,
        limit: usize,
    ) -> Result<Page<Task>, UseCaseError> {
        caller.require(Scope::OpsRead)?;
        let workspace = caller.who.workspace;
        if let Some(patient) = patient {
            let Some(found) = self.store.find_patient(workspace, patient).await? else {
                return Ok(Page::of(Vec::new(), limit));
            };
            filter.patient = Some(found.id);
        }
        let tasks = self.store.list_tasks(workspace, filter, limit + 1).await?;
        Ok(Page::of(tasks, limit))
    }

    /// The operations, with their receipts, of a task that the caller was shown, from `from` on.
    pub async fn receipts(
        &self,
        caller: &Caller,
        task: &Task,
        from: u32,
        limit: usize,
    ) -> Result<Page<Operation>, UseCaseError> {
        let workspace = caller.who.workspace;
        let operations = self
            .store
            .operations(workspace, task.id(), from, limit + 1)
            .await?;
        Ok(Page::of(operations, limit))
    }

    /// A waiting task ends at once, a running one is asked to stop.
    pub async fn cancel_task<Q: Asker<Task>>(
        &self,
        asker: &Q,
        id: TaskId,
    ) -> Result<Q::Answer, UseCaseError> {
        let outcome = async {
            asker.caller().require(Scope::OpsWrite)?;
            self.once(asker, until_settled(|| self.try_cancel(asker, id)))
                .await
        };
        self.audited(asker, "task.cancel", &id.to_string(), outcome.await)
            .await
    }

    async fn try_cancel<Q: Asker<Task>>(&self, asker: &Q, id: TaskId) -> Result<Q::Answer, UseCaseError> {
        let caller = asker.caller();
        let task = self.task(caller, id).await?;
        let now = self.now();
        let transition = task.apply(TaskCommand::Cancel, now)?;
        let task = transition.task().clone();
        let mut changes = Changes::by(caller.author(now), Admission::Continuing);
        changes.audit("task.cancel", id.to_string(), asked_or_done(task.status()));
        changes.record_task(transition);
        self.conclude(asker, changes, Conclusion::of(task)).await
    }

    /// Makes a new task of what a broken one left undone.
    pub async fn retry_task<Q: Asker<Task>>(&self, asker: &Q, id: TaskId) -> Result<Q::Answer, UseCaseError> {
        let outcome = async {
            asker.caller().require(Scope::OpsWrite)?;
            self.once(asker, self.try_retry(asker, id)).await
        };
        self.audited(asker, "task.retry", &id.to_string(), outcome.await)
            .await
    }

    async fn try_retry<Q: Asker<Task>>(&self, asker: &Q, id: TaskId) -> Result<Q::Answer, UseCaseError> {
        let caller = asker.caller();
        let workspace = caller.who.workspace;
        let broken = self.task(caller, id).await?;
        let operations = self.store.operations(workspace, id, 0, usize::MAX).await?;
        let now = self.now();
        let facts = TaskFacts {
            id: TaskId(self.ids.id()),
            submitted_by: Some(caller.who.actor()),
            request_id: caller.request_id.clone(),
            trace: caller.trace,
            accepted_at: now,
            due_at: None,
            eta: self.eta(workspace, broken.facts().kind, now).await?,
            ..broken.facts().clone()
        };
        let again = NewTask::retrying(&broken, operations, facts)?;
        let task = again.task().clone();
        let mut changes = Changes::by(caller.author(now), Admission::New);
        changes.audit("task.retry", id.to_string(), AuditOutcome::Accepted);
        changes.insert_task(again);
        self.conclude(asker, changes, Conclusion::of(task)).await
    }

    /// An ended task never changes again, so those who poll it need not each ask the store.
    async fn task(&self, caller: &Caller, id: TaskId) -> Result<Task, UseCaseError> {
        let (workspace, now) = (caller.who.workspace, self.system_now());
        if let Some(task) = self.ended_tasks.find(&(workspace, id), now) {
            return Ok(task);
        }
        let epoch = self.ended_tasks.epoch();
        let found = self.store.find_task(workspace, id).await?;
        let found = found.ok_or_else(|| no_task(id))?;
        if found.status().is_terminal() {
            self.ended_tasks.keep(epoch, (workspace, id), found.clone(), now);
        }
        Ok(found)
    }
}

fn no_task(id: TaskId) -> UseCaseError {
    UseCaseError::not_found(format!("There is no task {id}."))
}

fn asked_or_done(status: TaskStatus) -> AuditOutcome {
    if status.is_terminal() {
        AuditOutcome::Done
    } else {
        AuditOutcome::Accepted
    }
}
