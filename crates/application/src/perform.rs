//! Carrying out a claimed task: read, decide, and commit data, receipt and ending at once.
//!
//! The commit is fenced by the task's revision and lease, so an attempt may run twice but its effects happen
//! once.
//!
//! To add a kind of task, add a file here with what it does, and an arm to `perform`. A kind that only reads the
//! store and decides is drafted, again and again until it commits (`CarryOut`, as `write` does it). A kind that
//! acts on the world outside acts once an attempt, before anything is drafted, and drafts what came of it
//! (`Conclude`, as `deliver` does it).

mod deliver;
mod patients;
mod write;

use crate::Application;
use crate::definitions::Freshness;
use crate::order::Undecodable;
use backon::{BackoffBuilder, ExponentialBuilder};
use caretrack_domain::{
    AuditOutcome, Fence, Instant, LeaseToken, NextStep, Operation, RefusedTaskCommand, Settled, Task,
    TaskCommand, TaskId, TaskKind, TaskState, WorkspaceId,
};
use caretrack_ports::{Admission, Author, Changes, ClaimedTask, Observed, StoreError, WebhookSender};
use deliver::{Delivery, settle};
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::sync::Semaphore;

/// What is to be done with a task that is ours.
enum Plan {
    CarryOut,
    /// What was to be done outside is done.
    Conclude(Delivery),
    /// A system fault: again later, if attempts are left.
    Break(String),
    /// A fault that no repetition mends.
    GiveUp(String),
    /// The worker stops.
    GiveBack,
}

/// What a task is about, as it is now.
enum Seen<'a> {
    Write(write::Seen<'a>),
    Patient(patients::Seen<'a>),
}

/// Why a step failed, other than by a refusal.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Undecodable(#[from] Undecodable),
    #[error("the handler panicked")]
    Panicked,
    #[error(transparent)]
    Lost(#[from] RefusedTaskCommand),
}

impl Application {
    /// Brings a claimed task one attempt further. A permit is held only while it decides, not while it waits
    /// for the disk, so that many commits can share one, nor for somebody's answer.
    pub(crate) async fn perform(
        &self,
        claimed: ClaimedTask,
        permits: &Semaphore,
        sender: Option<&dyn WebhookSender>,
    ) {
        let ClaimedTask { task, operations } = claimed;
        let (plan, permits) = match task.facts().kind {
            TaskKind::RegistryWrite
            | TaskKind::SearchRun
            | TaskKind::SearchRefresh
            | TaskKind::SearchRefreshDaily
            | TaskKind::SearchTimeout
            | TaskKind::PatientStop
            | TaskKind::PatientAnonymise => (Plan::CarryOut, Some(permits)),
            TaskKind::WebhookDeliver => (self.deliver(&task, &operations, sender).await, None),
        };
        self.pursue(task, &operations, plan, permits).await;
    }

    /// Puts a task back that will not be finished here; the attempt does not count.
    pub(crate) async fn give_back(&self, workspace: WorkspaceId, id: TaskId, token: LeaseToken) {
        match self.still_held(workspace, id, token).await {
            Ok(Some(task)) => self.pursue(task, &[], Plan::GiveBack, None).await,
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "a task could not be given back; its lease will run out"),
        }
    }

    /// Follows a plan until it is committed or the task is no longer ours.
    async fn pursue(
        &self,
        mut task: Task,
        operations: &[Operation],
        mut plan: Plan,
        permits: Option<&Semaphore>,
    ) {
        let Some(token) = token_of(&task) else { return };
        // Not an attempt each: the store is away, the task is not at fault.
        let mut patience = patience();
        let mut freshness = Freshness::MayBeRecent;
        loop {
            let drafting = async {
                // What waits for the store keeps nobody from deciding, and is read together.
                let seen = self.look(&task, operations, &plan, freshness).await?;
                let _permit = match permits {
                    Some(permits) => permits.acquire().await.ok(),
                    None => None,
                };
                self.draft(&task, token, operations, seen, &plan).await
            };
            let drafted = AssertUnwindSafe(drafting)
                .catch_unwind()
                .await
                .unwrap_or(Err(Fault::Panicked));
            let done = match drafted {
                Ok(changes) => self.store.commit(changes).await.map_err(Fault::from),
                Err(fault) => Err(fault),
            };
            let Err(fault) = done else { return };
            match fault {
                Fault::Store(StoreError::Unavailable(_)) => {
                    tracing::warn!(error = %fault, "the store is away; the task waits for it");
                    tokio::time::sleep(patience.next().unwrap_or(LONGEST_PATIENCE)).await;
                }
                Fault::Store(StoreError::Conflict) => {
                    freshness = Freshness::Now;
                    match self.still_held(task.facts().workspace, task.id(), token).await {
                        Ok(Some(as_it_is_now)) => task = as_it_is_now,
                        Ok(None) => {
                            tracing::debug!("the lease was lost; what was decided is dropped");
                            self.observe(Observed::LeaseLost(task.facts().kind));
                            return;
                        }
                        Err(error) => {
                            tracing::warn!(%error, "the task could not be read again");
                            tokio::time::sleep(patience.next().unwrap_or(LONGEST_PATIENCE)).await;
                        }
                    }
                }
                Fault::Lost(refused) => {
                    tracing::error!(%refused, "the task refuses what its holder asks; it is left alone");
                    return;
                }
                Fault::Undecodable(_) => {
                    tracing::error!(error = %fault, "the task is broken for good");
                    plan = Plan::GiveUp(fault.to_string());
                }
                Fault::Store(StoreError::Duplicate | StoreError::Corrupt(_)) | Fault::Panicked => {
                    tracing::error!(error = %fault, "the attempt broke");
                    match plan {
                        Plan::CarryOut | Plan::Conclude(_) => plan = Plan::Break(fault.to_string()),
                        // Not even that can be recorded: the lease runs out and the task is taken from us.
                        Plan::Break(_) | Plan::GiveUp(_) | Plan::GiveBack => return,
                    }
                }
            }
        }
    }

    /// Reads what a task that is to be carried out is about.
    async fn look<'a>(
        &self,
        task: &Task,
        operations: &'a [Operation],
        plan: &Plan,
        freshness: Freshness,
    ) -> Result<Option<Seen<'a>>, Fault> {
        match plan {
            Plan::CarryOut if !task.cancel_requested() => Ok(Some(match task.facts().kind {
                TaskKind::RegistryWrite => {
                    Seen::Write(self.look_at_write(task, operations, freshness).await?)
                }
                TaskKind::SearchRun
                | TaskKind::SearchRefresh
                | TaskKind::SearchRefreshDaily
                | TaskKind::SearchTimeout
                | TaskKind::PatientStop
                | TaskKind::PatientAnonymise => Seen::Patient(self.look_at_patient(task, operations).await?),
                TaskKind::WebhookDeliver => return Err(Undecodable::nothing().into()),
            })),
            Plan::CarryOut | Plan::Conclude(_) | Plan::Break(_) | Plan::GiveUp(_) | Plan::GiveBack => {
                Ok(None)
            }
        }
    }

    /// What is to be committed to follow the plan.
    async fn draft(
        &self,
        task: &Task,
        token: LeaseToken,
        operations: &[Operation],
        seen: Option<Seen<'_>>,
        plan: &Plan,
    ) -> Result<Changes, Fault> {
        let now = self.now();
        if task.cancel_requested() {
            return stop(task, token, now);
        }
        let by = Fence::Holder(token);
        match plan {
            Plan::CarryOut => match seen {
                Some(Seen::Write(seen)) => self.carry_out_write(task, token, seen, now).await,
                Some(Seen::Patient(seen)) => self.carry_out_for_patient(task, token, seen, now).await,
                None => Err(Undecodable::nothing().into()),
            },
            Plan::Conclude(delivery) => settle(task, token, operations, delivery, now),
            Plan::Break(error) => self.broken(task, by, error, now),
            Plan::GiveUp(error) => given_up(task, by, error, now),
            Plan::GiveBack => {
                let mut changes = Changes::by(Author::of_task(task.facts(), now), Admission::Continuing);
                changes.record_task(task.clone().apply(TaskCommand::GiveBack { token }, now)?);
                Ok(changes)
            }
        }
    }

    /// After a system fault: again later, or not at all.
    fn broken(&self, task: &Task, by: Fence, error: &str, now: Instant) -> Result<Changes, Fault> {
        let policy = self.retry_policy(task.facts().kind);
        match policy.after_failure(task.broken_attempts(), now, self.ids.unit()) {
            NextStep::Retry { at } => {
                let mut changes = Changes::by(Author::of_task(task.facts(), now), Admission::Continuing);
                let error = error.to_owned();
                changes.record_task(
                    task.clone()
                        .apply(TaskCommand::Reschedule { by, at, error }, now)?,
                );
                Ok(changes)
            }
            NextStep::GiveUp => given_up(task, by, error, now),
        }
    }

    /// Takes tasks from workers that fell silent, except from this one: it knows better what it holds.
    pub(crate) async fn reap(
        &self,
        held_here: impl Fn(TaskId) -> bool,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let looked_at = self.system_now();
        let expired = self.store.expired_tasks(looked_at, limit).await?;
        let found = expired.len();
        let taken = expired
            .iter()
            .filter(|task| !held_here(task.id()))
            .map(|task| self.take_from(task, looked_at));
        futures::future::join_all(taken).await;
        Ok(found)
    }

    pub(crate) fn observe(&self, what: Observed) {
        self.store.observer.observe(what);
    }

    async fn take_from(&self, task: &Task, expired_at: Instant) {
        let now = self.now();
        let drafted = match token_of(task) {
            // By the lease that ran out: rescheduling would forget that somebody wants it stopped.
            Some(token) if task.cancel_requested() => stop(task, token, now),
            Some(_) | None => self.broken(task, Fence::Expiry(expired_at), "the lease ran out", now),
        };
        let done = match drafted {
            Ok(changes) => self.store.commit(changes).await.map_err(Fault::from),
            Err(fault) => Err(fault),
        };
        match done {
            Ok(_) => {
                tracing::warn!(task.id = %task.id(), "a task was taken from a silent worker");
                self.observe(Observed::LeaseExpired(task.facts().kind));
            }
            // Its worker came back, or another one was faster.
            Err(Fault::Store(StoreError::Conflict) | Fault::Lost(_)) => {}
            Err(error) => tracing::error!(%error, task.id = %task.id(), "an expired task could not be taken"),
        }
    }

    /// The task as it is now, if `token` still is its lease.
    async fn still_held(
        &self,
        workspace: WorkspaceId,
        id: TaskId,
        token: LeaseToken,
    ) -> Result<Option<Task>, StoreError> {
        let task = self.store.find_task(workspace, id).await?;
        Ok(task.filter(|task| token_of(task) == Some(token)))
    }
}

const LONGEST_PATIENCE: Duration = Duration::from_secs(2);

/// How long to wait before asking a store again that is away.
pub(crate) fn patience() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(20))
        .with_max_delay(LONGEST_PATIENCE)
        .with_jitter()
        .without_max_times()
        .build()
}

pub(crate) fn token_of(task: &Task) -> Option<LeaseToken> {
    match task.state() {
        TaskState::Running { lease, .. } => Some(lease.token),
        TaskState::Queued
        | TaskState::RetryScheduled { .. }
        | TaskState::Held { .. }
        | TaskState::Succeeded { .. }
        | TaskState::Failed { .. }
        | TaskState::Cancelled { .. } => None,
    }
}

/// Leaves what is left undone: somebody asked for it.
fn stop(task: &Task, token: LeaseToken, now: Instant) -> Result<Changes, Fault> {
    let settled = Settled::default();
    let mut changes = Changes::by(Author::of_task(task.facts(), now), Admission::Continuing);
    changes.audit("task.stop", task.id().to_string(), AuditOutcome::Cancelled);
    changes.record_task(task.clone().apply(TaskCommand::Stop { token, settled }, now)?);
    Ok(changes)
}

fn given_up(task: &Task, by: Fence, error: &str, now: Instant) -> Result<Changes, Fault> {
    let error = error.to_owned();
    let mut changes = Changes::by(Author::of_task(task.facts(), now), Admission::Continuing);
    changes.audit("task.give_up", task.id().to_string(), AuditOutcome::Broken);
    changes.record_task(task.clone().apply(TaskCommand::GiveUp { by, error }, now)?);
    Ok(changes)
}
