//! The transitions: the only code that makes a state from a state.

use super::{Attempt, Failure, Lease, Receipt, Settled, Task, TaskState, TaskStatus};
use crate::{Instant, LeaseToken, Refusal};

/// By what right a running task is taken from its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// The worker itself says so.
    Holder(LeaseToken),
    /// Its lease had run out at this instant of the system's clock.
    Expiry(Instant),
}

/// What can be asked of a task.
#[derive(Debug, Clone, PartialEq, Eq, strum::EnumDiscriminants)]
#[strum_discriminants(
    name(TaskCommandKind),
    doc = "The commands of a task, without their data.",
    derive(PartialOrd, Ord, Hash, strum::Display, strum::EnumString, strum::EnumIter),
    strum(serialize_all = "snake_case")
)]
pub enum TaskCommand {
    /// A worker takes it.
    Claim { lease: Lease },
    /// Some operations are done, others are left.
    Progress { token: LeaseToken, settled: Settled },
    /// All operations are done and persisted.
    Complete { token: LeaseToken, settled: Settled },
    /// It cannot be done and the caller is told why; what is left is cancelled.
    Refuse {
        token: LeaseToken,
        settled: Settled,
        refusal: Refusal,
    },
    /// A person or a signal is needed.
    Hold {
        token: LeaseToken,
        settled: Settled,
        reason: String,
    },
    /// The person or signal came.
    Release,
    /// A system fault, attempts left.
    Reschedule { by: Fence, at: Instant, error: String },
    /// A system fault, no attempts left.
    GiveUp { by: Fence, error: String },
    /// The worker stops; the attempt does not count.
    GiveBack { token: LeaseToken },
    /// Nobody wants it any more.
    Cancel,
    /// The worker leaves what is left undone: asked to, or overtaken.
    Stop { token: LeaseToken, settled: Settled },
}

/// A command that the state, or the lease, does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a task that is {from} refuses {command}: {because}")]
pub struct RefusedTaskCommand {
    pub from: TaskStatus,
    pub command: String,
    pub because: &'static str,
}

impl RefusedTaskCommand {
    pub(super) fn not_broken(from: TaskStatus) -> Self {
        Self {
            from,
            command: "retry".to_owned(),
            because: "only a broken task can be tried again",
        }
    }
}

/// What else must happen in the commit of a transition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskEffect {
    /// Give every operation still pending this receipt. Their payloads are kept only for a retry.
    SettleRemaining { receipt: Receipt, keep_payloads: bool },
}

/// Proof that a transition was made by the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskTransition {
    before: TaskStatus,
    command: TaskCommandKind,
    effect: Option<TaskEffect>,
    after: Task,
}

impl TaskTransition {
    pub fn before(&self) -> TaskStatus {
        self.before
    }

    pub fn command(&self) -> TaskCommandKind {
        self.command
    }

    /// The revision the stored task must still have.
    pub fn expected_revision(&self) -> i64 {
        self.after.revision - 1
    }

    pub fn effect(&self) -> Option<&TaskEffect> {
        self.effect.as_ref()
    }

    pub fn task(&self) -> &Task {
        &self.after
    }

    pub fn into_task(self) -> Task {
        self.after
    }
}

const NO_CELL: &str = "not in this state";
const LEASE_LOST: &str = "the lease is lost";
const NOT_EXPIRED: &str = "the lease has not run out";
const NOT_DUE: &str = "it is not due yet";
const WORK_LEFT: &str = "operations are left, or failed";
const TOO_MANY: &str = "more operations are settled than there are";

impl Task {
    /// Applies `command` at `now`; the only way to make a transition.
    pub fn apply(self, command: TaskCommand, now: Instant) -> Result<TaskTransition, RefusedTaskCommand> {
        let before = self.status();
        let kind = TaskCommandKind::from(&command);
        let next = match self.state.clone() {
            TaskState::Queued => self.queued(command, now),
            TaskState::Running { lease, .. } => self.running(&lease, command, now),
            TaskState::RetryScheduled { at } => self.retry_scheduled(at, command, now),
            TaskState::Held { .. } => self.held(&command, now),
            TaskState::Succeeded { .. } | TaskState::Failed { .. } | TaskState::Cancelled { .. } => {
                Err(NO_CELL)
            }
        };
        match next {
            Ok((mut after, effect)) => {
                after.revision += 1;
                Ok(TaskTransition {
                    before,
                    command: kind,
                    effect,
                    after,
                })
            }
            Err(because) => Err(RefusedTaskCommand {
                from: before,
                command: kind.to_string(),
                because,
            }),
        }
    }

    fn queued(self, command: TaskCommand, now: Instant) -> Next {
        match command {
            TaskCommand::Claim { lease } => {
                let due = self.facts.due_at.unwrap_or(now);
                self.claimed(lease, due, now)
            }
            TaskCommand::Cancel => Ok(self.cancelled(now)),
            TaskCommand::Progress { .. }
            | TaskCommand::Complete { .. }
            | TaskCommand::Refuse { .. }
            | TaskCommand::Hold { .. }
            | TaskCommand::Release
            | TaskCommand::Reschedule { .. }
            | TaskCommand::GiveUp { .. }
            | TaskCommand::GiveBack { .. }
            | TaskCommand::Stop { .. } => Err(NO_CELL),
        }
    }

    fn retry_scheduled(self, at: Instant, command: TaskCommand, now: Instant) -> Next {
        match command {
            TaskCommand::Claim { lease } => self.claimed(lease, at, now),
            TaskCommand::Cancel => Ok(self.cancelled(now)),
            TaskCommand::Progress { .. }
            | TaskCommand::Complete { .. }
            | TaskCommand::Refuse { .. }
            | TaskCommand::Hold { .. }
            | TaskCommand::Release
            | TaskCommand::Reschedule { .. }
            | TaskCommand::GiveUp { .. }
            | TaskCommand::GiveBack { .. }
            | TaskCommand::Stop { .. } => Err(NO_CELL),
        }
    }

    fn held(self, command: &TaskCommand, now: Instant) -> Next {
        match command {
            TaskCommand::Release => Ok((self.into_state(TaskState::Queued), None)),
            TaskCommand::Cancel => Ok(self.cancelled(now)),
            TaskCommand::Claim { .. }
            | TaskCommand::Progress { .. }
            | TaskCommand::Complete { .. }
            | TaskCommand::Refuse { .. }
            | TaskCommand::Hold { .. }
            | TaskCommand::Reschedule { .. }
            | TaskCommand::GiveUp { .. }
            | TaskCommand::GiveBack { .. }
            | TaskCommand::Stop { .. } => Err(NO_CELL),
        }
    }

    fn running(self, lease: &Lease, command: TaskCommand, now: Instant) -> Next {
        match command {
            TaskCommand::Progress { token, settled } => {
                let task = self.held_by(lease, token)?.count(settled)?;
                Ok((task, None))
            }
            TaskCommand::Complete { token, settled } => {
                let task = self.held_by(lease, token)?.count(settled)?;
                if task.tally.pending() > 0 || task.tally.failed > 0 {
                    return Err(WORK_LEFT);
                }
                Ok((
                    task.end_attempt(now, None)
                        .into_state(TaskState::Succeeded { finished_at: now }),
                    None,
                ))
            }
            TaskCommand::Refuse {
                token,
                settled,
                refusal,
            } => {
                let task = self.held_by(lease, token)?.count(settled)?.end_attempt(now, None);
                let failed = TaskState::Failed {
                    finished_at: now,
                    failure: Failure::Refused(refusal),
                };
                Ok(task.ended(failed, Receipt::Cancelled { at: now }, false))
            }
            TaskCommand::Hold {
                token,
                settled,
                reason,
            } => {
                let task = self.held_by(lease, token)?.count(settled)?.end_attempt(now, None);
                Ok((task.into_state(TaskState::Held { reason }), None))
            }
            TaskCommand::Reschedule { by, at, error } => {
                let task = self.taken_by(lease, by)?.end_attempt(now, Some(error));
                Ok((task.into_state(TaskState::RetryScheduled { at }), None))
            }
            TaskCommand::GiveUp { by, error } => {
                let task = self.taken_by(lease, by)?.end_attempt(now, Some(error.clone()));
                let failed = TaskState::Failed {
                    finished_at: now,
                    failure: Failure::Broken(error),
                };
                Ok(task.ended(failed, Receipt::Broken { at: now }, true))
            }
            TaskCommand::GiveBack { token } => {
                let mut task = self.held_by(lease, token)?;
                task.attempts.pop();
                Ok((task.into_state(TaskState::Queued), None))
            }
            TaskCommand::Cancel => {
                let lease = lease.clone();
                Ok((
                    self.into_state(TaskState::Running {
                        lease,
                        cancel_requested: true,
                    }),
                    None,
                ))
            }
            TaskCommand::Stop { token, settled } => {
                let task = self.held_by(lease, token)?.count(settled)?.end_attempt(now, None);
                Ok(task.cancelled(now))
            }
            TaskCommand::Claim { .. } | TaskCommand::Release => Err(NO_CELL),
        }
    }

    fn claimed(mut self, lease: Lease, due: Instant, now: Instant) -> Next {
        if due > now {
            return Err(NOT_DUE);
        }
        self.attempts.push(Attempt {
            worker: lease.worker,
            started_at: now,
            ended_at: None,
            error: None,
        });
        Ok((
            self.into_state(TaskState::Running {
                lease,
                cancel_requested: false,
            }),
            None,
        ))
    }

    fn held_by(self, lease: &Lease, token: LeaseToken) -> Result<Self, &'static str> {
        if lease.token == token {
            Ok(self)
        } else {
            Err(LEASE_LOST)
        }
    }

    fn taken_by(self, lease: &Lease, by: Fence) -> Result<Self, &'static str> {
        match by {
            Fence::Holder(token) => self.held_by(lease, token),
            Fence::Expiry(at) if lease.until <= at => Ok(self),
            Fence::Expiry(_) => Err(NOT_EXPIRED),
        }
    }

    fn count(mut self, settled: Settled) -> Result<Self, &'static str> {
        self.tally = self.tally.with(settled).ok_or(TOO_MANY)?;
        Ok(self)
    }

    fn end_attempt(mut self, now: Instant, error: Option<String>) -> Self {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.ended_at = Some(now);
            attempt.error = error;
        }
        self
    }

    fn cancelled(self, now: Instant) -> (Self, Option<TaskEffect>) {
        self.ended(
            TaskState::Cancelled { finished_at: now },
            Receipt::Cancelled { at: now },
            false,
        )
    }

    /// Into a terminal state: whatever is still pending is settled with it.
    fn ended(mut self, state: TaskState, rest: Receipt, keep_payloads: bool) -> (Self, Option<TaskEffect>) {
        let left = self.tally.settle_rest(&rest);
        let effect = (left > 0).then_some(TaskEffect::SettleRemaining {
            receipt: rest,
            keep_payloads,
        });
        (self.into_state(state), effect)
    }

    fn into_state(self, state: TaskState) -> Self {
        Self { state, ..self }
    }
}

type Next = Result<(Task, Option<TaskEffect>), &'static str>;
