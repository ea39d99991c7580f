//! Registrations and searches in a batch: what is there before, what a batch does beside writing rows, and the counts.
//!
//! Retrievals only touch a row: those of one registration do not stand in each other's way, and those of a batch are
//! one. How many registrations are in each status is counted in the commits that change it, by each server in a shard
//! of its own, so that no two wait for each other.

use super::batch::Tx;
use super::sheet::Rows;
use crate::error::BatchError;
use crate::rows::{bytes, micros, registrations};
use crate::sql::runs;
use caretrack_domain::{Fingerprint, Registration, SearchId, SearchStatus, WmdaId, WorkspaceId};
use caretrack_ports::{Parts, RegistrationWrite, ResultsWrite};
use sea_orm::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A version that no expectation meets: somebody earlier in the batch changed it.
const TOUCHED: i64 = i64::MIN;
const SHARDS: u32 = 16;

/// What stands in the store, and then in the batch so far.
#[derive(Default)]
pub(super) struct Stored {
    registrations: HashMap<(WorkspaceId, WmdaId), Before>,
    searches: HashMap<(WorkspaceId, SearchId), i64>,
}

struct Before {
    revision: i64,
    counter: i64,
    counted: Counted,
}

/// As what a registration is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Counted {
    status: SearchStatus,
    assignee: Option<Fingerprint>,
}

impl Stored {
    pub async fn load(tx: &Tx<'_>, commits: &[&Parts]) -> Result<Self, BatchError> {
        let mut stored = Self::default();
        let changed = commits.iter().flat_map(|parts| {
            let changed = parts
                .registrations
                .iter()
                .filter(|write| write.expected.is_some());
            let touched = parts.touches.iter().map(|touch| touch.wmda_id);
            changed.map(|write| write.after.wmda_id).chain(touched)
        });
        let changed: Vec<WmdaId> = changed.collect::<BTreeSet<_>>().into_iter().collect();
        for run in runs(&changed) {
            let sql = tx
                .sql(
                    "SELECT workspace_id, wmda_id, revision, counter_started_at, status, assignee \
                     FROM registrations WHERE wmda_id IN (",
                )
                .list(run.iter().map(|id| id.number()))
                .push(") ORDER BY wmda_id")
                .on_postgres(" FOR UPDATE");
            for row in tx.query(sql).await? {
                let workspace = WorkspaceId(row.try_get_by_index(0)?);
                let (status, assignee): (String, Option<Vec<u8>>) =
                    (row.try_get_by_index(4)?, row.try_get_by_index(5)?);
                let nonsense = || sea_orm::DbErr::Type("registrations.status or assignee".to_owned());
                let assignee = assignee.map(<[u8; 32]>::try_from).transpose();
                let before = Before {
                    revision: row.try_get_by_index(2)?,
                    counter: row.try_get_by_index(3)?,
                    counted: Counted {
                        status: status.parse().map_err(|_| nonsense())?,
                        assignee: assignee.map_err(|_| nonsense())?.map(Fingerprint),
                    },
                };
                if let Some(id) = WmdaId::parse(row.try_get_by_index(1)?) {
                    stored.registrations.insert((workspace, id), before);
                }
            }
        }
        let changed = commits.iter().flat_map(|parts| &parts.searches);
        let changed = changed.filter(|write| write.expected.is_some());
        let changed: BTreeSet<SearchId> = changed.map(|write| write.after.id).collect();
        let changed: Vec<SearchId> = changed.into_iter().collect();
        for run in runs(&changed) {
            let sql = tx
                .sql("SELECT workspace_id, search_id, revision FROM searches WHERE search_id IN (")
                .list(run.iter().map(|id| id.number()))
                .push(") ORDER BY search_id")
                .on_postgres(" FOR UPDATE");
            for row in tx.query(sql).await? {
                let workspace = WorkspaceId(row.try_get_by_index(0)?);
                if let Some(id) = SearchId::parse(row.try_get_by_index(1)?) {
                    stored.searches.insert((workspace, id), row.try_get_by_index(2)?);
                }
            }
        }
        Ok(stored)
    }

    /// Whether all is as it was seen.
    pub fn hold(&self, parts: &Parts) -> bool {
        let mut steps = BTreeSet::new();
        let registrations = parts.registrations.iter().all(|write| {
            let is_seen = write.expected.is_none_or(|expected| {
                let before = self.registrations.get(&key(&write.after));
                let counter = write.expected_counter.map(micros);
                before.is_some_and(|before| {
                    before.revision == expected && counter.is_none_or(|counter| counter == before.counter)
                })
            });
            // A new one whose number is taken is a duplicate, which the engine tells.
            steps.insert(write.after.wmda_id) && is_seen
        });
        let touches = parts.touches.iter().all(|touch| {
            let before = self.registrations.get(&(touch.workspace, touch.wmda_id));
            before.is_some_and(|before| before.revision == touch.expected) && !steps.contains(&touch.wmda_id)
        });
        let mut steps = BTreeSet::new();
        let searches = parts.searches.iter().all(|write| {
            let before = self.searches.get(&(write.after.workspace, write.after.id));
            steps.insert(write.after.id) && (write.expected.is_none() || before.copied() == write.expected)
        });
        registrations && touches && searches
    }

    /// What comes after these changes in the batch sees them.
    pub fn pass(&mut self, parts: &Parts) {
        for write in &parts.registrations {
            if let Some(before) = self.registrations.get_mut(&key(&write.after)) {
                before.revision = TOUCHED;
            }
        }
        for touch in &parts.touches {
            if let Some(before) = self.registrations.get_mut(&(touch.workspace, touch.wmda_id)) {
                before.counter = before.counter.max(micros(touch.counter_started_at));
            }
        }
        for write in &parts.searches {
            self.searches
                .insert((write.after.workspace, write.after.id), TOUCHED);
        }
    }
}

fn key(registration: &Registration) -> (WorkspaceId, WmdaId) {
    (registration.workspace, registration.wmda_id)
}

/// What a batch does to registrations and searches beside writing their rows.
#[derive(Default)]
pub(super) struct Writes {
    /// The later times of each.
    touches: BTreeMap<WmdaId, (i64, i64)>,
    counts: BTreeMap<(WorkspaceId, Option<Fingerprint>, String), i64>,
    relinked: Vec<RegistrationWrite>,
    emptied: Vec<SearchId>,
    dropped: Rows,
    removed: Vec<uuid::Uuid>,
}

impl Writes {
    /// Adds what changes that passed their fences do.
    pub fn add(&mut self, parts: &Parts, dropped: Rows, stored: &Stored) {
        for write in &parts.registrations {
            let after = &write.after;
            let before = stored.registrations.get(&key(after));
            if let Some(before) = before.filter(|_| write.expected.is_some()) {
                self.count(after.workspace, before.counted, -1);
            }
            let assignee = registrations::assignee_of(after);
            let counted = Counted {
                status: after.status,
                assignee,
            };
            self.count(after.workspace, counted, 1);
            if write.left.is_some() {
                self.relinked.push(write.clone());
            }
        }
        for touch in &parts.touches {
            let times = (micros(touch.viewed_at), micros(touch.counter_started_at));
            let latest = self.touches.entry(touch.wmda_id).or_insert(times);
            *latest = (latest.0.max(times.0), latest.1.max(times.1));
        }
        let searches = parts.searches.iter();
        let emptied = searches.filter(|write| write.results == ResultsWrite::Delete);
        self.emptied.extend(emptied.map(|write| write.after.id));
        self.dropped.extend(dropped);
        self.removed
            .extend(parts.removed_patients.iter().map(|removal| removal.id.0));
    }

    fn count(&mut self, workspace: WorkspaceId, counted: Counted, by: i64) {
        if !registrations::is_listed(counted.status) {
            return;
        }
        let status = counted.status.to_string();
        if counted.assignee.is_some() {
            let key = (workspace, counted.assignee, status.clone());
            *self.counts.entry(key).or_default() += by;
        }
        *self.counts.entry((workspace, None, status)).or_default() += by;
    }

    /// To be called before the rows are written: what goes leaves its names to others.
    pub async fn remove(&self, tx: &Tx<'_>) -> Result<(), BatchError> {
        for run in runs(&self.removed) {
            let sql = tx.sql("DELETE FROM patients WHERE id IN (");
            tx.execute(sql.list(run.iter().copied()).push(")")).await?;
        }
        Ok(())
    }

    /// To be called when the rows are written.
    pub async fn write(self, tx: &Tx<'_>) -> Result<(), BatchError> {
        self.touch(tx).await?;
        self.relink(tx).await?;
        let numbers: Vec<i64> = self.emptied.iter().map(|id| id.number()).collect();
        for run in runs(&numbers) {
            let sql = tx.sql("DELETE FROM search_results WHERE search_id IN (");
            tx.execute(sql.list(run.iter().copied()).push(")")).await?;
        }
        for run in runs(&self.dropped) {
            let sql = tx
                .sql("WITH dropped(search_id, list, record_id) AS (VALUES ")
                .tuples(run.iter().cloned())
                .push(
                    ") DELETE FROM search_results WHERE EXISTS (SELECT 1 FROM dropped d \
                     WHERE d.search_id = search_results.search_id AND d.list = search_results.list \
                     AND d.record_id = search_results.record_id)",
                );
            tx.execute(sql).await?;
        }
        self.add_counts(tx).await
    }

    async fn touch(&self, tx: &Tx<'_>) -> Result<(), BatchError> {
        let touches: Vec<_> = self.touches.iter().collect();
        for run in runs(&touches) {
            let rows = run.iter().map(|(id, (viewed, counter))| {
                vec![
                    Value::from(id.number()),
                    Value::from(*viewed),
                    Value::from(*counter),
                ]
            });
            let sql = tx
                .sql("WITH touched(wmda_id, viewed_at, counter_started_at) AS (VALUES ")
                .tuples(rows)
                .push(") UPDATE registrations SET ")
                .push(&ahead("touched"))
                .push(" FROM touched WHERE registrations.wmda_id = touched.wmda_id");
            tx.execute(sql).await?;
        }
        Ok(())
    }

    /// Tasks about a registration come along to the person's other record.
    async fn relink(&self, tx: &Tx<'_>) -> Result<(), BatchError> {
        for RegistrationWrite { left, after, .. } in &self.relinked {
            let sql = tx
                .sql("UPDATE tasks SET patient_id = ")
                .bind(after.patient.0)
                .push(" WHERE patient_id = ")
                .bind(left.map(|left| left.0))
                .push(" AND ordering_key IN (")
                .list([
                    Registration::ordering_key(after.wmda_id).0,
                    Registration::lane_of_time(after.wmda_id).0,
                ])
                .push(")");
            tx.execute(sql).await?;
        }
        Ok(())
    }

    /// The last rows that a transaction takes: whoever waits for one is waited for by nobody.
    async fn add_counts(self, tx: &Tx<'_>) -> Result<(), BatchError> {
        let shard = i64::from(std::process::id() % SHARDS);
        let counts = self.counts.into_iter().filter(|(_, by)| *by != 0);
        let counts: Vec<Vec<Value>> = counts
            .map(|((workspace, assignee, status), by)| {
                let assignee = assignee.map_or(Value::from(Vec::<u8>::new()), |hash| bytes(hash.0));
                vec![
                    workspace.0.into(),
                    assignee,
                    status.into(),
                    shard.into(),
                    by.into(),
                ]
            })
            .collect();
        for rows in counts.chunks(64) {
            let sql = tx
                .sql("INSERT INTO registration_counts (workspace_id, assignee, status, shard, count) VALUES ")
                .tuples(rows.iter().cloned())
                .push(
                    " ON CONFLICT (workspace_id, assignee, status, shard) \
                     DO UPDATE SET count = registration_counts.count + excluded.count",
                );
            tx.execute(sql).await?;
        }
        Ok(())
    }
}

/// Moves the two times of activity to those of another row, unless they are ahead of it.
pub(super) fn ahead(of: &str) -> String {
    let sets = registrations::AHEAD.map(|column| {
        format!(
            "{column} = CASE WHEN {of}.{column} > registrations.{column} THEN {of}.{column} \
             ELSE registrations.{column} END"
        )
    });
    sets.join(", ")
}
