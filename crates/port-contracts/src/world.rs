//! A store under contract, with the steps that the contracts are told in.

use crate::fixture::Backend;
use crate::samples::{KIND, OURS, changes, lease, resource, resource_key};
use caretrack_domain::{
    Instant, NewTask, Operation, StoredResource, Task, TaskCommand, TaskFacts, TaskId, TaskStatus,
    TaskTransition, WorkspaceId,
};
use caretrack_ports::{Changes, Claim, Claimed, Committed, Pause, Place, StoreError, TaskFilter};
use std::fmt::Debug;
use std::ops::Deref;
use std::sync::Arc;

#[derive(Clone)]
pub(crate) struct World(Arc<dyn Backend>);

impl Deref for World {
    type Target = dyn Backend;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref()
    }
}

impl World {
    pub(crate) fn new(store: Arc<dyn Backend>) -> Self {
        Self(store)
    }

    /// Commits what `fill` puts into changes of ours.
    pub(crate) async fn write(
        &self,
        now: Instant,
        fill: impl FnOnce(&mut Changes),
    ) -> Result<Committed, StoreError> {
        self.write_in(OURS, now, fill).await
    }

    pub(crate) async fn write_in(
        &self,
        workspace: WorkspaceId,
        now: Instant,
        fill: impl FnOnce(&mut Changes),
    ) -> Result<Committed, StoreError> {
        let mut changes = changes(workspace, now);
        fill(&mut changes);
        self.commit(changes).await
    }

    /// Accepts a task without operations, at the instant its facts name.
    pub(crate) async fn accept(&self, facts: TaskFacts) -> Result<Task, StoreError> {
        self.accept_with(facts, Vec::new()).await
    }

    pub(crate) async fn accept_with(
        &self,
        facts: TaskFacts,
        operations: Vec<Operation>,
    ) -> Result<Task, StoreError> {
        let (workspace, id) = (facts.workspace, facts.id);
        let now = facts.accepted_at;
        let task = NewTask::accepted(facts, operations);
        self.write_in(workspace, now, |c| c.insert_task(task)).await?;
        self.task_in(workspace, id).await
    }

    pub(crate) async fn task(&self, id: TaskId) -> Result<Task, StoreError> {
        self.task_in(OURS, id).await
    }

    pub(crate) async fn task_in(&self, workspace: WorkspaceId, id: TaskId) -> Result<Task, StoreError> {
        let found = self.find_task(workspace, id).await?;
        Ok(found.unwrap_or_else(|| panic!("task {id} is not there")))
    }

    /// Takes `task`, as it was read, one step further and answers what is then stored.
    pub(crate) async fn step(
        &self,
        task: &Task,
        command: TaskCommand,
        now: Instant,
    ) -> Result<Task, StoreError> {
        let workspace = task.facts().workspace;
        let transition = transition(task, command, now);
        self.write_in(workspace, now, |c| c.record_task(transition))
            .await?;
        self.task_in(workspace, task.id()).await
    }

    /// Claims with the lease of `token`.
    pub(crate) async fn take(&self, limit: usize, token: u128, now: Instant) -> Result<Claimed, StoreError> {
        let claim = Claim {
            kinds: [(KIND, limit)].into(),
            limit,
            now,
            lease: lease(token, now),
        };
        self.claim(claim).await
    }

    /// Claims up to a hundred tasks, and answers their ids.
    pub(crate) async fn take_ids(&self, now: Instant) -> Result<Vec<TaskId>, StoreError> {
        let claimed = self.take(100, 0x70, now).await?;
        Ok(claimed.tasks.iter().map(|claimed| claimed.task.id()).collect())
    }

    /// Claims the one task that can be claimed.
    pub(crate) async fn take_one(&self, now: Instant) -> Result<Task, StoreError> {
        let mut claimed = self.take(2, 0x70, now).await?.tasks;
        assert_eq!(claimed.len(), 1, "exactly one task can be claimed");
        Ok(claimed.remove(0).task)
    }

    /// Puts a record over the one that is there, if one is.
    pub(crate) async fn put(&self, id: &str, data: &str, now: Instant) -> Result<StoredResource, StoreError> {
        let seen = self.find_resource(OURS, &resource_key(id)).await?;
        self.put_over(seen.as_ref(), id, data, now).await?;
        Ok(self
            .record(id)
            .await?
            .unwrap_or_else(|| panic!("{id} is not there")))
    }

    /// Puts a record over the one that was seen.
    pub(crate) async fn put_over(
        &self,
        seen: Option<&StoredResource>,
        id: &str,
        data: &str,
        now: Instant,
    ) -> Result<Committed, StoreError> {
        let after = resource(id, data, now);
        self.write(now, |c| c.put_resource(OURS, seen, Place::AtCommit, after))
            .await
    }

    pub(crate) async fn delete(&self, seen: &StoredResource, now: Instant) -> Result<Committed, StoreError> {
        self.write(now, |c| c.delete_resource(OURS, seen, Place::AtCommit))
            .await
    }

    pub(crate) async fn record(&self, id: &str) -> Result<Option<StoredResource>, StoreError> {
        self.find_resource(OURS, &resource_key(id)).await
    }

    /// Up to one task that waits to be claimed.
    pub(crate) async fn list_queued(&self, workspace: WorkspaceId) -> Result<Vec<Task>, StoreError> {
        let filter = TaskFilter {
            status: Some(TaskStatus::Queued),
            ..TaskFilter::default()
        };
        self.list_tasks(workspace, filter, 1).await
    }

    pub(crate) async fn set_paused(
        &self,
        workspace: WorkspaceId,
        paused: bool,
        now: Instant,
    ) -> Result<(), StoreError> {
        let pause = Pause {
            workspace,
            kind: KIND,
            paused,
        };
        self.write_in(workspace, now, |c| c.pause(pause)).await?;
        Ok(())
    }
}

pub(crate) fn transition(task: &Task, command: TaskCommand, now: Instant) -> TaskTransition {
    let transition = task.clone().apply(command, now);
    transition.unwrap_or_else(|refused| panic!("the contract asks for what the machine refuses: {refused}"))
}

/// The ids of tasks, to compare lists by.
pub(crate) fn ids(tasks: &[Task]) -> Vec<TaskId> {
    tasks.iter().map(Task::id).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "it ends the result, as `?` does")]
pub(crate) fn assert_conflict<T: Debug>(result: Result<T, StoreError>) {
    assert!(
        matches!(result, Err(StoreError::Conflict)),
        "not a conflict: {result:?}"
    );
}

#[expect(clippy::needless_pass_by_value, reason = "it ends the result, as `?` does")]
pub(crate) fn assert_duplicate<T: Debug>(result: Result<T, StoreError>) {
    assert!(
        matches!(result, Err(StoreError::Duplicate)),
        "not a duplicate: {result:?}"
    );
}
