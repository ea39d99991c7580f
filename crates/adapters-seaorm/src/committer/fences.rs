//! What the changes of a batch rely on, read once and judged in order.

use super::Job;
use super::batch::Tx;
use crate::error::BatchError;
use crate::rows::resource;
use crate::sql::runs;
use caretrack_domain::{PatientId, ResourceKey, TaskId, WorkspaceId};
use caretrack_ports::Parts;
use std::collections::HashMap;
use std::hash::Hash;

/// The versions that stand in the store, and then in the batch so far.
#[derive(Default)]
pub(super) struct Fences {
    tasks: HashMap<TaskId, TaskFence>,
    resources: HashMap<(WorkspaceId, ResourceKey), i64>,
    patients: HashMap<PatientId, i64>,
}

#[derive(Clone, Copy)]
struct TaskFence {
    revision: i64,
    blocked: bool,
}

/// A version that no expectation meets: somebody earlier in the batch changed it.
const TOUCHED: i64 = i64::MIN;

/// Whether another server may add the same record between our look and our insert: then the engine refuses
/// the insert, and a second look finds the conflict.
pub(super) fn may_race(job: &Job) -> bool {
    match job {
        Job::Commit(changes, _) => changes
            .parts()
            .resources
            .iter()
            .any(|write| write.expected.is_none()),
        Job::Claim(..) | Job::Renew(..) | Job::Prune(..) => false,
    }
}

impl Fences {
    pub async fn load(tx: &Tx<'_>, commits: &[&Parts]) -> Result<Self, BatchError> {
        let mut fences = Self::default();
        let tasks = sorted(commits, |parts| {
            parts.transitions.iter().map(|t| t.task().id()).collect()
        });
        for run in runs(&tasks) {
            let sql = tx
                .sql("SELECT id, revision, blocked FROM tasks WHERE id IN (")
                .list(run.iter().map(|id| id.0))
                .push(") ORDER BY id")
                .on_postgres(" FOR UPDATE");
            for row in tx.query(sql).await? {
                let fence = TaskFence {
                    revision: row.try_get_by_index(1)?,
                    blocked: row.try_get_by_index(2)?,
                };
                fences.tasks.insert(TaskId(row.try_get_by_index(0)?), fence);
            }
        }
        let resources = sorted(commits, |parts| {
            parts
                .resources
                .iter()
                .map(|write| (write.workspace, write.key.clone()))
                .collect()
        });
        for run in runs(&resources) {
            let sql = tx
                .sql(
                    "SELECT workspace_id, source, type, id, version FROM resources \
                     WHERE (workspace_id, source, type, id) IN (VALUES ",
                )
                .tuples(
                    run.iter()
                        .map(|(workspace, key)| resource::key_values(*workspace, key)),
                )
                .push(") ORDER BY workspace_id, source, type, id")
                .on_postgres(" FOR UPDATE");
            for row in tx.query(sql).await? {
                let (workspace, key, version) = resource::read_version(&row)?;
                fences.resources.insert((workspace, key), version);
            }
        }
        let patients = sorted(commits, |parts| {
            parts.patients.iter().map(|write| write.after.id).collect()
        });
        for run in runs(&patients) {
            let sql = tx
                .sql("SELECT id, revision FROM patients WHERE id IN (")
                .list(run.iter().map(|id| id.0))
                .push(") ORDER BY id")
                .on_postgres(" FOR UPDATE");
            for row in tx.query(sql).await? {
                fences
                    .patients
                    .insert(PatientId(row.try_get_by_index(0)?), row.try_get_by_index(1)?);
            }
        }
        Ok(fences)
    }

    /// Whether these changes may go ahead; if so, what comes after them in the batch sees them.
    pub fn pass(&mut self, parts: &Parts) -> bool {
        let tasks = parts.transitions.iter().all(|transition| {
            let fence = self.tasks.get(&transition.task().id());
            fence.is_some_and(|fence| fence.revision == transition.expected_revision())
        });
        let resources = parts.resources.iter().all(|write| {
            self.resources.get(&(write.workspace, write.key.clone())).copied() == write.expected
        });
        let patients = parts
            .patients
            .iter()
            .all(|write| self.patients.get(&write.after.id).copied() == write.expected);
        if !(tasks && resources && patients) {
            return false;
        }
        for transition in &parts.transitions {
            if let Some(fence) = self.tasks.get_mut(&transition.task().id()) {
                fence.revision = TOUCHED;
            }
        }
        for write in &parts.resources {
            self.resources
                .insert((write.workspace, write.key.clone()), TOUCHED);
        }
        for write in &parts.patients {
            self.patients.insert(write.after.id, TOUCHED);
        }
        true
    }

    pub fn is_blocked(&self, task: TaskId) -> bool {
        self.tasks.get(&task).is_some_and(|fence| fence.blocked)
    }
}

/// Every key once, in one order: two transactions that lock the same rows lock them alike.
fn sorted<K: Ord + Hash>(commits: &[&Parts], keys: impl Fn(&Parts) -> Vec<K>) -> Vec<K> {
    let mut all: Vec<K> = commits.iter().flat_map(|parts| keys(parts)).collect();
    all.sort_unstable();
    all.dedup();
    all
}
