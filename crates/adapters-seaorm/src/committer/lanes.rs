//! Ordering keys: of the tasks of one workspace and key, at most one is not blocked.
//!
//! A task that enters a lane with others in it is blocked; when the one that was not leaves, the one with the
//! lowest place follows. So what waits behind a key is not in the queue, and costs a claim nothing.

use super::batch::Tx;
use crate::error::BatchError;
use crate::rows::task;
use crate::sql::runs;
use caretrack_domain::{NewTask, Task, TaskTransition};
use caretrack_ports::Parts;
use sea_orm::{DbBackend, Value};
use std::collections::BTreeSet;

#[derive(Default)]
pub(super) struct Lanes {
    /// Lanes with a task in them, in the store or the batch so far.
    occupied: BTreeSet<String>,
    /// Lanes that the one task left which was not blocked.
    left: BTreeSet<String>,
}

fn lane_of(task: &Task) -> Option<String> {
    let key = task.facts().ordering_key.as_ref()?;
    Some(task::lane(task.facts().workspace, key))
}

fn enters(transition: &TaskTransition) -> bool {
    !transition.before().occupies_key() && transition.task().status().occupies_key()
}

fn leaves(transition: &TaskTransition) -> bool {
    transition.before().occupies_key() && !transition.task().status().occupies_key()
}

fn new_tasks(parts: &Parts) -> impl Iterator<Item = &Task> {
    parts
        .new_tasks
        .iter()
        .map(NewTask::task)
        .filter(|task| task.status().occupies_key())
}

impl Lanes {
    /// Whoever lets a task enter or leave a lane holds it until the end of the transaction. In SQLite there
    /// is but one writer.
    pub async fn lock(tx: &Tx<'_>, commits: &[&Parts]) -> Result<Self, BatchError> {
        if tx.backend != DbBackend::Postgres {
            return Ok(Self::default());
        }
        let moving = |parts: &&Parts| {
            let moved = parts
                .transitions
                .iter()
                .filter(|t| enters(t) || leaves(t))
                .map(TaskTransition::task);
            new_tasks(parts)
                .chain(moved)
                .filter_map(lane_of)
                .map(|lane| hash(&lane))
                .collect::<Vec<_>>()
        };
        let locks: Vec<i64> = commits
            .iter()
            .flat_map(moving)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        for run in runs(&locks) {
            let sql = tx
                .sql("SELECT pg_advisory_xact_lock(lane) FROM (VALUES ")
                .tuples(run.iter().map(|lock| vec![Value::from(*lock)]))
                .push(") AS locks(lane)");
            tx.query(sql).await?;
        }
        Ok(Self::default())
    }

    /// Looks which of the lanes that tasks are about to enter have some already.
    pub async fn look(&mut self, tx: &Tx<'_>, commits: &[&Parts], passed: &[bool]) -> Result<(), BatchError> {
        let entered = |parts: &&Parts| {
            let released = parts
                .transitions
                .iter()
                .filter(|t| enters(t))
                .map(TaskTransition::task);
            new_tasks(parts)
                .chain(released)
                .filter_map(lane_of)
                .collect::<Vec<_>>()
        };
        let entered: BTreeSet<String> = commits
            .iter()
            .zip(passed)
            .filter(|(_, passed)| **passed)
            .flat_map(|(parts, _)| entered(parts))
            .collect();
        let entered: Vec<String> = entered.into_iter().collect();
        for run in runs(&entered) {
            let sql = tx
                .sql("WITH lanes(lane) AS (VALUES ")
                .tuples(run.iter().map(|lane| vec![lane.as_str().into()]))
                .push(
                    ") SELECT lane FROM lanes WHERE EXISTS (SELECT 1 FROM tasks WHERE tasks.lane = lanes.lane)",
                );
            for row in tx.query(sql).await? {
                self.occupied.insert(row.try_get_by_index(0)?);
            }
        }
        Ok(())
    }

    /// Whether this task, entering its lane now, is blocked there.
    pub fn enter(&mut self, task: &Task) -> bool {
        let occupies = task.status().occupies_key();
        lane_of(task)
            .filter(|_| occupies)
            .is_some_and(|lane| !self.occupied.insert(lane))
    }

    /// Whether the task is blocked after the transition; `was` says whether it was before.
    pub fn moved(&mut self, transition: &TaskTransition, was: bool) -> bool {
        if enters(transition) {
            return self.enter(transition.task());
        }
        if leaves(transition) {
            if !was && let Some(lane) = lane_of(transition.task()) {
                self.left.insert(lane);
            }
            return false;
        }
        was
    }

    /// Lets the next in; says whether there may have been one. To be called when all is written.
    pub async fn free(self, tx: &Tx<'_>) -> Result<bool, BatchError> {
        let left: Vec<String> = self.left.into_iter().collect();
        let mut freed = 0;
        for run in runs(&left) {
            let sql = tx
                .sql("WITH lanes(lane) AS (VALUES ")
                .tuples(run.iter().map(|lane| vec![lane.as_str().into()]))
                .push(
                    ") UPDATE tasks SET blocked = FALSE, ready_at = claimable_at WHERE id IN (\
                     SELECT (SELECT t.id FROM tasks t WHERE t.lane = lanes.lane ORDER BY t.place LIMIT 1) FROM lanes)",
                );
            freed += tx.execute(sql).await?;
        }
        Ok(freed > 0)
    }
}

/// FNV-1a: the same on every server, whatever its version.
fn hash(lane: &str) -> i64 {
    let hash = lane.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.cast_signed()
}
