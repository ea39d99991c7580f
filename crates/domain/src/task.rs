//! The task machine: one accepted unit of work, from acceptance to exactly one ending.
//!
//! Rows are states, columns are commands; a cell is the next state, a dot a refusal:
//!
//! ```text
#![doc = include_str!("task_transitions.txt")]
//! ```
//!
//! `cancel` of a running task only asks: the worker sees it between two operations and answers with `stop`.
//! Guards may refuse (the lease was lost, work is left, it is not due yet), they never choose a target.

mod machine;
mod operation;
mod retry;
#[cfg(test)]
mod tests;

pub use machine::{Fence, RefusedTaskCommand, TaskCommand, TaskCommandKind, TaskEffect, TaskTransition};
pub use operation::{Action, Operation, Receipt, ReceiptStatus, Settled, Tally, Target, TargetKind};
pub use retry::{NextStep, RetryPolicy};

use crate::{
    Actor, Fingerprint, Instant, Key, LeaseToken, OrderingKey, PatientId, Refusal, RequestId, TaskId,
    TraceParent, WorkerId, WorkspaceId,
};
use serde::{Deserialize, Serialize};

/// What sort of work a task is; each kind has one handler.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::EnumCount,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
pub enum TaskKind {
    /// One write of one resource.
    #[strum(serialize = "registry.write")]
    RegistryWrite,
    /// One notice to one webhook.
    #[strum(serialize = "webhook.deliver")]
    WebhookDeliver,
    /// The first run of a search.
    #[strum(serialize = "search.run")]
    SearchRun,
    /// A refresh of a patient's searches that somebody asked for, or that an update needs.
    #[strum(serialize = "search.refresh")]
    SearchRefresh,
    /// The refresh of the day.
    #[strum(serialize = "search.refresh.daily")]
    SearchRefreshDaily,
    /// The end of a first run that no engine answered.
    #[strum(serialize = "search.timeout")]
    SearchTimeout,
    /// The automatic stop of a patient's search.
    #[strum(serialize = "patient.stop")]
    PatientStop,
    #[strum(serialize = "patient.anonymise")]
    PatientAnonymise,
}

impl TaskKind {
    /// Whether others are told of its tasks. Telling is not told of, or there would be no end of it.
    pub fn is_told(self) -> bool {
        match self {
            Self::RegistryWrite
            | Self::SearchRun
            | Self::SearchRefresh
            | Self::SearchRefreshDaily
            | Self::SearchTimeout
            | Self::PatientStop
            | Self::PatientAnonymise => true,
            Self::WebhookDeliver => false,
        }
    }
}

/// What is settled when a task is accepted, and never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskFacts {
    pub id: TaskId,
    pub workspace: WorkspaceId,
    pub kind: TaskKind,
    /// The source a registry task belongs to.
    pub source: Option<Key>,
    /// The patient a task is about.
    pub patient: Option<PatientId>,
    pub ordering_key: Option<OrderingKey>,
    /// Who asked for it; none for work that Caretrack gives itself.
    pub submitted_by: Option<Actor>,
    pub request_id: RequestId,
    /// The span of the request, which attempts continue; none where nobody traces.
    pub trace: Option<TraceParent>,
    pub accepted_at: Instant,
    /// Not to be started before.
    pub due_at: Option<Instant>,
    /// When it was expected to be done, at acceptance.
    pub eta: Instant,
    /// The broken task that an operator tried again with this one.
    pub retry_of: Option<TaskId>,
    /// Equal submissions have equal fingerprints; at most one unfinished task of a workspace has one.
    pub fingerprint: Option<Fingerprint>,
}

/// A worker's time-limited right to a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub token: LeaseToken,
    pub worker: WorkerId,
    /// Extended by heartbeats; past it, anyone may take the task from the worker.
    pub until: Instant,
}

/// One run, or the start of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub worker: WorkerId,
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: Instant,
    #[serde(
        with = "time::serde::rfc3339::option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub ended_at: Option<Instant>,
    /// The system fault that ended it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Why a task failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// Expected, the caller's fault.
    Refused(Refusal),
    /// A system fault that outlived the retries.
    Broken(String),
}

/// Where a task stands, with what that state knows.
#[derive(Debug, Clone, PartialEq, Eq, strum::EnumDiscriminants)]
#[strum_discriminants(
    name(TaskStatus),
    doc = "The states of a task, without their data.",
    derive(
        PartialOrd,
        Ord,
        Hash,
        strum::Display,
        strum::EnumString,
        strum::EnumIter,
        strum::IntoStaticStr
    ),
    strum(serialize_all = "snake_case")
)]
pub enum TaskState {
    Queued,
    Running {
        lease: Lease,
        cancel_requested: bool,
    },
    RetryScheduled {
        at: Instant,
    },
    /// Waits for a person or a signal.
    Held {
        reason: String,
    },
    Succeeded {
        finished_at: Instant,
    },
    Failed {
        finished_at: Instant,
        failure: Failure,
    },
    Cancelled {
        finished_at: Instant,
    },
}

impl TaskStatus {
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Queued | Self::Running | Self::RetryScheduled | Self::Held => false,
            Self::Succeeded | Self::Failed | Self::Cancelled => true,
        }
    }

    /// Whether a task in this state keeps the later ones of its ordering key waiting. A held one does not:
    /// what waits only for a person blocks nobody.
    pub fn occupies_key(self) -> bool {
        match self {
            Self::Queued | Self::Running | Self::RetryScheduled => true,
            Self::Held | Self::Succeeded | Self::Failed | Self::Cancelled => false,
        }
    }
}

/// One accepted unit of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    facts: TaskFacts,
    place: i64,
    revision: i64,
    tally: Tally,
    attempts: Vec<Attempt>,
    state: TaskState,
}

impl Task {
    /// A task as it was stored. Only adapters call this, with what they were given.
    pub fn restore(
        facts: TaskFacts,
        place: i64,
        revision: i64,
        tally: Tally,
        attempts: Vec<Attempt>,
        state: TaskState,
    ) -> Self {
        Self {
            facts,
            place,
            revision,
            tally,
            attempts,
            state,
        }
    }

    pub fn id(&self) -> TaskId {
        self.facts.id
    }

    pub fn facts(&self) -> &TaskFacts {
        &self.facts
    }

    /// Its place in the workspace's order, given by the store at acceptance; zero before.
    pub fn place(&self) -> i64 {
        self.place
    }

    /// Counted up by every transition; the fence of the next one.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    pub fn tally(&self) -> Tally {
        self.tally
    }

    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    pub fn state(&self) -> &TaskState {
        &self.state
    }

    pub fn status(&self) -> TaskStatus {
        TaskStatus::from(&self.state)
    }

    /// Attempts that a system fault ended; what the retry policy counts.
    pub fn broken_attempts(&self) -> u32 {
        u32::try_from(
            self.attempts
                .iter()
                .filter(|attempt| attempt.error.is_some())
                .count(),
        )
        .unwrap_or(u32::MAX)
    }

    pub fn finished_at(&self) -> Option<Instant> {
        match &self.state {
            TaskState::Succeeded { finished_at }
            | TaskState::Failed { finished_at, .. }
            | TaskState::Cancelled { finished_at } => Some(*finished_at),
            TaskState::Queued
            | TaskState::Running { .. }
            | TaskState::RetryScheduled { .. }
            | TaskState::Held { .. } => None,
        }
    }

    /// From when a worker may claim it; none in a state that cannot be claimed.
    pub fn claimable_at(&self) -> Option<Instant> {
        match &self.state {
            TaskState::Queued => Some(self.facts.due_at.unwrap_or(self.facts.accepted_at)),
            TaskState::RetryScheduled { at } => Some(*at),
            TaskState::Running { .. }
            | TaskState::Held { .. }
            | TaskState::Succeeded { .. }
            | TaskState::Failed { .. }
            | TaskState::Cancelled { .. } => None,
        }
    }

    pub fn cancel_requested(&self) -> bool {
        matches!(
            self.state,
            TaskState::Running {
                cancel_requested: true,
                ..
            }
        )
    }
}

/// A task that is not stored yet, with its operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTask {
    task: Task,
    operations: Vec<Operation>,
}

impl NewTask {
    /// To be carried out by a worker.
    pub fn accepted(facts: TaskFacts, operations: Vec<Operation>) -> Self {
        let total = u32::try_from(operations.len()).unwrap_or(u32::MAX);
        let task = Task::restore(
            facts,
            0,
            0,
            Tally::pending_of(total),
            Vec::new(),
            TaskState::Queued,
        );
        Self { task, operations }
    }

    /// The task as the store keeps it, in the place it was given.
    pub fn placed(&self, place: i64) -> Task {
        Task {
            place,
            ..self.task.clone()
        }
    }

    /// Carried out before it was stored: it went through the machine in one go, and all of it was persisted.
    pub fn performed(facts: TaskFacts, operations: Vec<Operation>, lease: Lease) -> Self {
        let now = facts.accepted_at;
        let token = lease.token;
        let Self { task, operations } = Self::accepted(
            TaskFacts {
                due_at: None,
                ..facts
            },
            operations,
        );
        let settled = Settled {
            succeeded: task.tally.pending(),
            ..Settled::default()
        };
        let task = task
            .apply(TaskCommand::Claim { lease }, now)
            .and_then(|claimed| {
                claimed
                    .into_task()
                    .apply(TaskCommand::Complete { token, settled }, now)
            })
            .map(TaskTransition::into_task);
        // Both cells are in the table and no guard stands against them.
        let Ok(task) = task else {
            unreachable!("queued tasks can be claimed and completed")
        };
        let operations = operations
            .into_iter()
            .map(|o| o.settled(Receipt::Succeeded { at: now }))
            .collect();
        Self {
            task: Task { revision: 0, ..task },
            operations,
        }
    }

    /// What a broken task left undone, again.
    pub fn retrying(
        broken: &Task,
        operations: Vec<Operation>,
        facts: TaskFacts,
    ) -> Result<Self, RefusedTaskCommand> {
        let TaskState::Failed {
            failure: Failure::Broken(_),
            ..
        } = broken.state()
        else {
            return Err(RefusedTaskCommand::not_broken(broken.status()));
        };
        let operations = operations.into_iter().filter_map(Operation::again).zip(0..);
        let operations = operations
            .map(|(operation, seq)| Operation { seq, ..operation })
            .collect();
        Ok(Self::accepted(
            TaskFacts {
                retry_of: Some(broken.id()),
                ..facts
            },
            operations,
        ))
    }

    pub fn task(&self) -> &Task {
        &self.task
    }

    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }
}
