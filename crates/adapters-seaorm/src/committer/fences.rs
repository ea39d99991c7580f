//! What the changes of a batch rely on, read once and judged in order.

use super::batch::Tx;
use super::marks::Marks;
use super::registrations;
use crate::error::BatchError;
use crate::rows::resource;
use crate::sql::runs;
use caretrack_domain::{CredentialId, PatientId, ResourceKey, TaskId, WorkspaceId};
use caretrack_ports::{NewCredential, Parts};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;

/// The versions that stand in the store, and then in the batch so far.
#[derive(Default)]
pub(super) struct Fences {
    tasks: HashMap<TaskId, TaskFence>,
    resources: HashMap<(WorkspaceId, ResourceKey), i64>,
    patients: HashMap<PatientId, i64>,
    /// Those to be revoked that are there.
    credentials: HashSet<(WorkspaceId, CredentialId)>,
    marks: Marks,
    pub donor_searches: registrations::Stored,
}

#[derive(Clone, Copy)]
struct TaskFence {
    revision: i64,
    blocked: bool,
}

/// A version that no expectation meets: somebody earlier in the batch changed it.
const TOUCHED: i64 = i64::MIN;

impl Fences {
    pub async fn load(tx: &Tx<'_>, commits: &[&Parts]) -> Result<Self, BatchError> {
        let mut fences = Self::default();
        let tasks = sorted(commits, |parts| {
            let moved = parts.transitions.iter().map(|t| t.task().id());
            moved.chain(parts.receipts.iter().map(|(id, _)| *id)).collect()
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
                .sql("WITH ")
                .push(resource::WANTED)
                .tuples(
                    run.iter()
                        .map(|(workspace, key)| resource::key_values(*workspace, key)),
                )
                .push(") SELECT r.workspace_id, r.source, r.type, r.id, r.version ")
                .push(resource::FROM_WANTED)
                .push(" ORDER BY r.workspace_id, r.source, r.type, r.id")
                .on_postgres(" FOR UPDATE OF r");
            for row in tx.query(sql).await? {
                let (workspace, key, version) = resource::read_version((&row).into())?;
                fences.resources.insert((workspace, key), version);
            }
        }
        let patients = sorted(commits, |parts| {
            let removed = parts.removed_patients.iter().map(|removal| removal.id);
            let written = parts.patients.iter().map(|write| write.after.id);
            written.chain(removed).collect()
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
        let revoked = sorted(commits, |parts| {
            let revoked = parts
                .credentials
                .iter()
                .filter_map(|credential| match credential {
                    NewCredential::Revoked { id, .. } => Some(*id),
                    NewCredential::Added(_) => None,
                });
            revoked.collect()
        });
        for run in runs(&revoked) {
            let sql = tx.sql("SELECT workspace_id, id FROM credentials WHERE id IN (");
            for row in tx.query(sql.list(run.iter().map(|id| id.0)).push(")")).await? {
                let (workspace, id) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
                fences
                    .credentials
                    .insert((WorkspaceId(workspace), CredentialId(id)));
            }
        }
        fences.donor_searches = registrations::Stored::load(tx, commits).await?;
        fences.marks = Marks::load(tx, commits).await?;
        Ok(fences)
    }

    /// Whether these changes may go ahead; if so, what comes after them in the batch sees them.
    pub fn pass(&mut self, parts: &Parts) -> bool {
        let mut steps = BTreeSet::new();
        let tasks = parts.transitions.iter().all(|transition| {
            let id = transition.task().id();
            let fence = self.tasks.get(&id);
            // One step with each task: a second would be fenced by the first.
            steps.insert(id) && fence.is_some_and(|fence| fence.revision == transition.expected_revision())
        });
        let receipts = parts.receipts.iter().all(|(id, _)| {
            self.tasks.contains_key(id) || parts.new_tasks.iter().any(|new| new.task().id() == *id)
        });
        let mut steps = BTreeSet::new();
        let resources = parts.resources.iter().all(|write| {
            let key = (write.workspace, write.key.clone());
            self.resources.get(&key).copied() == write.expected && steps.insert(key)
        });
        // A new patient whose id is taken is a duplicate, which the engine tells.
        let patients = parts.patients.iter().all(|write| {
            write.expected.is_none() || self.patients.get(&write.after.id).copied() == write.expected
        });
        let credentials = parts.credentials.iter().all(|credential| match credential {
            NewCredential::Added(_) => true,
            NewCredential::Revoked { workspace, id, .. } => self.credentials.contains(&(*workspace, *id)),
        });
        let removed = parts.removed_patients.iter();
        let patients = patients
            && removed
                .copied()
                .all(|removal| self.patients.get(&removal.id) == Some(&removal.expected))
            && self.donor_searches.hold(parts);
        if !(tasks && receipts && resources && patients && credentials && self.marks.hold(parts)) {
            return false;
        }
        self.marks.pass(parts);
        self.donor_searches.pass(parts);
        for removal in &parts.removed_patients {
            self.patients.insert(removal.id, TOUCHED);
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
