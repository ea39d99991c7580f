//! Whoever counts what happens. Kinds and numbers only: never who it was about, nor with what.

use caretrack_domain::{Failure, TaskKind, TaskState};
use std::fmt::Debug;
use std::time::Duration;

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumIter, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Ending {
    Succeeded,
    Refused,
    Broken,
    Cancelled,
}

impl Ending {
    pub fn of(state: &TaskState) -> Option<Self> {
        match state {
            TaskState::Succeeded { .. } => Some(Self::Succeeded),
            TaskState::Failed {
                failure: Failure::Refused(_),
                ..
            } => Some(Self::Refused),
            TaskState::Failed {
                failure: Failure::Broken(_),
                ..
            } => Some(Self::Broken),
            TaskState::Cancelled { .. } => Some(Self::Cancelled),
            TaskState::Queued
            | TaskState::Running { .. }
            | TaskState::RetryScheduled { .. }
            | TaskState::Held { .. } => None,
        }
    }
}

/// Something that happened, once it is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observed {
    TaskAccepted(TaskKind),
    TaskEnded(TaskKind, Ending),
    /// A system fault, and attempts were left.
    TaskRetried(TaskKind),
    /// A worker found that a task was no longer its own.
    LeaseLost(TaskKind),
    /// A task was taken from a silent worker.
    LeaseExpired(TaskKind),
    /// So many jobs shared a transaction.
    Batch {
        jobs: usize,
        took: Duration,
    },
}

/// Called on hot paths: it must be quick and never wait.
pub trait Observer: Debug + Send + Sync {
    fn observe(&self, what: Observed);
}

/// Looks the other way.
#[derive(Debug)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn observe(&self, _: Observed) {}
}
