//! One batch within its transaction, from the fences to the claims.

use super::definitions::Definitions;
use super::sheet::Sheet;
use super::tables::Texts;
use super::{
    Job, Outcome, claims, definitions, fences::Fences, idempotency::Keys, lanes::Lanes, marks, writes::Writes,
};
use crate::engine::Open;
use crate::error::BatchError;
use crate::offers::Starting;
use crate::rows::Found;
use crate::sql::Sql;
use caretrack_domain::{Instant, TaskKind, WorkspaceId};
use caretrack_ports::{Committed, Parts};
use sea_orm::{DbBackend, Statement};
use std::collections::HashSet;

/// What a committer remembers from batch to batch.
#[derive(Default)]
pub(super) struct Known {
    /// The queues that have their row.
    pub queues: HashSet<(WorkspaceId, TaskKind)>,
    /// The versions of definitions.
    pub definitions: definitions::Remembered,
    /// The statements made before.
    pub texts: Texts,
    /// The time of the latest commit. A claim that waited behind it begins no earlier.
    pub latest: Option<Instant>,
}

/// A transaction, and what to say to it.
pub(super) struct Tx<'a> {
    open: Open<'a>,
    pub backend: DbBackend,
}

impl<'a> Tx<'a> {
    pub fn of(open: Open<'a>) -> Self {
        let backend = open.backend();
        Self { open, backend }
    }

    pub async fn commit(self) -> Result<(), BatchError> {
        self.open.commit().await
    }

    pub fn sql(&self, text: &str) -> Sql {
        Sql::new(self.backend, text)
    }

    pub async fn execute(&self, sql: Sql) -> Result<u64, BatchError> {
        self.run(sql.statement()).await
    }

    pub async fn run(&self, statement: Statement) -> Result<u64, BatchError> {
        self.open.run(statement).await
    }

    pub async fn query(&self, sql: Sql) -> Result<Vec<Found>, BatchError> {
        self.open.query(sql.statement()).await
    }
}

/// Applies the jobs; says what became of each, and whether there may be something to claim now.
pub(super) async fn apply(
    tx: &Tx<'_>,
    jobs: &mut [Job],
    starting: &mut Starting,
    known: &mut Known,
) -> Result<(Vec<Outcome>, bool), BatchError> {
    let sheets: Vec<Sheet> = jobs.iter_mut().filter_map(sheet).collect();
    let commits: Vec<&Parts> = jobs.iter().filter_map(parts).collect();
    let mut committed = commit_all(tx, &commits, sheets, starting, known).await?;
    let mut ready = committed.ready;
    let mut results = committed.results.drain(..);
    let mut outcomes = Vec::with_capacity(jobs.len());
    for job in jobs.iter() {
        outcomes.push(match job {
            Job::Commit(..) => results.next().unwrap_or(Outcome::Conflict),
            Job::Claim(claim, _) => {
                let begun = known.latest.map_or(claim.now, |latest| latest.max(claim.now));
                Outcome::Claimed(claims::claim(tx, claim, begun).await?)
            }
            Job::Renew(held, until, _) => Outcome::Renewed(claims::renew(tx, held, *until).await?),
            Job::Prune(retention, limit, _) => {
                Outcome::Pruned(super::pruning::prune(tx, *retention, *limit).await?)
            }
        });
        // A claim that took all it may leaves more for others.
        ready |= matches!((job, outcomes.last()),
            (Job::Claim(claim, _), Some(Outcome::Claimed(claimed))) if claimed.tasks.len() >= claim.limit);
    }
    Ok((outcomes, ready))
}

/// Made anew when the job is tried again.
fn sheet(job: &mut Job) -> Option<Sheet> {
    match job {
        Job::Commit(changes, sheet, _) => Some(match sheet.take() {
            Some(sheet) => *sheet,
            None => Sheet::of(changes.parts()),
        }),
        Job::Claim(..) | Job::Renew(..) | Job::Prune(..) => None,
    }
}

fn parts(job: &Job) -> Option<&Parts> {
    match job {
        Job::Commit(changes, ..) => Some(changes.parts()),
        Job::Claim(..) | Job::Renew(..) | Job::Prune(..) => None,
    }
}

struct CommitAll {
    results: Vec<Outcome>,
    ready: bool,
}

async fn commit_all(
    tx: &Tx<'_>,
    commits: &[&Parts],
    sheets: Vec<Sheet>,
    starting: &mut Starting,
    known: &mut Known,
) -> Result<CommitAll, BatchError> {
    if commits.is_empty() {
        return Ok(CommitAll {
            results: Vec::new(),
            ready: false,
        });
    }
    // Lanes are locked before rows, by everyone: no two transactions can wait for each other.
    let mut lanes = Lanes::lock(tx, commits).await?;
    let mut fences = Fences::load(tx, commits).await?;
    let mut keys = Keys::load(tx, commits).await?;
    let wanted = |parts: &&Parts| parts.resources.len() + parts.new_tasks.len();
    let begun = definitions::begin_epoch(tx, commits).await?;
    let relies = begun.is_none() && definitions::rely(commits);
    // For all that ask: who is turned away leaves a gap.
    let (mut next, epoch) = numbers(tx, commits.iter().map(wanted).sum(), relies).await?;
    let mut definitions = Definitions::load(tx, commits, begun.or(epoch), &mut known.definitions).await?;
    let passed: Vec<bool> = commits
        .iter()
        .map(|parts| {
            let holds =
                keys.is_free(parts) && definitions.hold(parts) && fences.pass(parts) && keys.take(parts);
            if holds {
                definitions.pass(parts);
            }
            holds
        })
        .collect();
    lanes.look(tx, commits, &passed).await?;
    look_for_pauses(tx, commits, starting).await?;

    let mut writes = Writes::default();
    let mut results = Vec::with_capacity(commits.len());
    for ((parts, sheet), passed) in commits.iter().zip(sheets).zip(&passed) {
        if !passed {
            results.push(if keys.is_free(parts) {
                Outcome::Conflict
            } else {
                Outcome::Duplicate
            });
            continue;
        }
        results.push(Outcome::Committed(Committed { first: next }));
        writes.add(parts, sheet, next, &mut lanes, &fences, starting);
        next += i64::try_from(wanted(parts)).unwrap_or(0);
    }
    keys.free(tx).await?;
    let ready = writes.write(tx, known).await?;
    for (parts, _) in commits.iter().zip(&passed).filter(|(_, passed)| **passed) {
        marks::write(tx, parts).await?;
        definitions::write(tx, parts).await?;
    }
    let freed = lanes.free(tx).await?;
    Ok(CommitAll {
        results,
        ready: ready || freed,
    })
}

/// What is paused is not started.
async fn look_for_pauses(tx: &Tx<'_>, commits: &[&Parts], starting: &mut Starting) -> Result<(), BatchError> {
    if commits.iter().any(|parts| !parts.pauses.is_empty()) {
        starting.forbid();
    }
    let mut new = commits.iter().flat_map(|parts| &parts.new_tasks);
    if new.any(|new| starting.wants(new)) {
        let sql = tx.sql("SELECT workspace_id, kind FROM queues WHERE paused");
        for row in tx.query(sql).await? {
            let kind: String = row.try_get_by_index(1)?;
            // A kind that is not known here is not started here either.
            if let Ok(kind) = kind.parse() {
                starting
                    .paused
                    .insert((WorkspaceId(row.try_get_by_index(0)?), kind));
            }
        }
    }
    Ok(())
}

/// The first of `count` numbers that no other batch gets; and, if it is wanted, the epoch of the definitions, which then
/// does not end before this transaction.
async fn numbers(tx: &Tx<'_>, count: usize, with_epoch: bool) -> Result<(i64, Option<i64>), BatchError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    if count == 0 && !with_epoch {
        return Ok((0, None));
    }
    let sql = match (tx.backend, with_epoch) {
        // A block is larger than any batch.
        (DbBackend::Postgres, false) => tx.sql("SELECT nextval('numbers')"),
        (DbBackend::Postgres, true) => {
            tx.sql("SELECT nextval('numbers'), last FROM definition_epoch FOR SHARE")
        }
        (_, with_epoch) => {
            let sql = tx.sql("UPDATE numbers SET last = last + ").bind(count);
            let sql = sql.push(" RETURNING last - ").bind(count).push(" + 1");
            let epoch = ", (SELECT last FROM definition_epoch)";
            sql.push(if with_epoch { epoch } else { "" })
        }
    };
    let rows = tx.query(sql).await?;
    let row = rows
        .first()
        .ok_or_else(|| sea_orm::DbErr::RecordNotFound("numbers".to_owned()))?;
    let epoch = if with_epoch {
        Some(row.try_get_by_index(1)?)
    } else {
        None
    };
    Ok((row.try_get_by_index(0)?, epoch))
}
