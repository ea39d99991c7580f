//! Who does what next.

use crate::StoreError;
use async_trait::async_trait;
use caretrack_domain::{Instant, Lease, LeaseToken, Operation, Task, TaskId, TaskKind};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many operations a claim brings along with each task; the rest are read in steps.
pub const OPERATIONS_AT_ONCE: usize = 64;

/// A worker's wish for work.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The kinds the worker has handlers for, and how many of each it takes at most.
    pub kinds: BTreeMap<TaskKind, usize>,
    pub limit: usize,
    pub now: Instant,
    /// What each claimed task gets; one claim, one token.
    pub lease: Lease,
}

/// A task that is now the worker's, with the first of its pending operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedTask {
    pub task: Task,
    pub operations: Vec<Operation>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claimed {
    pub tasks: Vec<ClaimedTask>,
    /// When the next task will be due that is not yet. A claim that got all it asked for need not say.
    pub next_at: Option<Instant>,
}

/// What a worker gets without asking again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    /// Started for it on its offer.
    pub tasks: Vec<ClaimedTask>,
    /// Whether there may be more that only a claim finds.
    pub more: bool,
}

/// Hands out tasks: each to one worker, per ordering key one at a time in order of acceptance.
#[async_trait]
pub trait TaskQueue: Send + Sync {
    /// Claims up to `limit` tasks that may start, oldest first, kinds and workspaces taking turns.
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError>;

    /// Extends leases; answers with the tasks that are still the holder's.
    async fn renew(&self, held: Vec<(TaskId, LeaseToken)>, until: Instant)
    -> Result<Vec<TaskId>, StoreError>;

    /// Returns when there may be work, or after `longest`.
    async fn wait(&self, longest: Duration);

    /// Offers to take what becomes ready from now on, as `offer` says, and answers with what was taken on the last
    /// offer; none ends it. An engine may start such tasks in the very commit that accepts them; one that does
    /// not always says that there may be more.
    fn offer(&self, _offer: Option<Claim>) -> Handed {
        Handed {
            tasks: Vec::new(),
            more: true,
        }
    }
}
