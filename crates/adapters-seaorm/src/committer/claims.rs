//! Who does what next: claims and heartbeats.

use super::batch::Tx;
use crate::error::BatchError;
use crate::rows::{micros, task};
use crate::sql::runs;
use caretrack_domain::{
    Instant, LeaseToken, Operation, Task, TaskCommand, TaskId, TaskKind, TaskStatus, TaskTransition,
    WorkspaceId,
};
use caretrack_ports::{Claim, Claimed, ClaimedTask, OPERATIONS_AT_ONCE};
use sea_orm::Value;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// `begun` is when the work begins: now, or a little later if the claim had to wait for others.
pub(super) async fn claim(tx: &Tx<'_>, claim: &Claim, begun: Instant) -> Result<Claimed, BatchError> {
    if claim.kinds.is_empty() {
        return Ok(Claimed::default());
    }
    let now = micros(claim.now);
    let mut tasks = Vec::new();
    let queues = ready_queues(tx, claim, now).await?;
    // Queues take turns: none is starved by one that is always full.
    let share = claim.limit.div_ceil(queues.len().max(1));
    let mut left = claim.kinds.clone();
    for (workspace, kind) in queues {
        let Some(left) = left.get_mut(&kind) else { continue };
        let room = share.min(claim.limit - tasks.len()).min(*left);
        if room == 0 {
            continue;
        }
        let found = oldest(tx, workspace, kind, now, room).await?;
        *left -= found.len().min(*left);
        tasks.extend(found);
    }
    let mut claimed = Vec::with_capacity(tasks.len());
    for task in tasks {
        // It was selected as claimable; should it not be, it stays where it is.
        if let Ok(transition) = task.apply(
            TaskCommand::Claim {
                lease: claim.lease.clone(),
            },
            begun,
        ) {
            claimed.push(transition);
        }
    }
    let tasks: Vec<Task> = claimed.into_iter().map(TaskTransition::into_task).collect();
    take(tx, claim, &tasks).await?;
    let next_at = if tasks.len() < claim.limit {
        next_at(tx, claim, now).await?
    } else {
        None
    };
    let mut operations = first_operations(tx, &tasks).await?;
    let tasks = tasks.into_iter().map(|task| {
        let operations = operations.remove(&task.id()).unwrap_or_default();
        ClaimedTask { task, operations }
    });
    Ok(Claimed {
        tasks: tasks.collect(),
        next_at,
    })
}

/// Writes what a claim changes, which is the same for all that were not tried before.
async fn take(tx: &Tx<'_>, claim: &Claim, tasks: &[Task]) -> Result<(), BatchError> {
    let mut alike: BTreeMap<String, Vec<Uuid>> = BTreeMap::new();
    for task in tasks {
        alike.entry(task::attempts(task)).or_default().push(task.id().0);
    }
    for (attempts, ids) in alike {
        for run in runs(&ids) {
            let sql = tx
                .sql("UPDATE tasks SET revision = revision + 1, status = ")
                .bind(TaskStatus::Running.to_string())
                .push(", attempts = ")
                .bind(attempts.as_str())
                .push(", lease_token = ")
                .bind(claim.lease.token.0)
                .push(", lease_worker = ")
                .bind(claim.lease.worker.0)
                .push(", lease_until = ")
                .bind(micros(claim.lease.until))
                .push(", detail = NULL, claimable_at = NULL, ready_at = NULL WHERE id IN (")
                .list(run.iter().copied())
                .push(")");
            tx.execute(sql).await?;
        }
    }
    Ok(())
}

/// The queues with something to do, in a new order each time.
async fn ready_queues(
    tx: &Tx<'_>,
    claim: &Claim,
    now: i64,
) -> Result<Vec<(WorkspaceId, TaskKind)>, BatchError> {
    let sql = tx
        .sql("SELECT workspace_id, kind FROM queues WHERE NOT paused AND kind IN (")
        .list(claim.kinds.keys().map(ToString::to_string))
        .push(
            ") AND EXISTS (SELECT 1 FROM tasks WHERE tasks.workspace_id = queues.workspace_id \
             AND tasks.kind = queues.kind AND ready_at <= ",
        )
        .bind(now)
        .push(")");
    let mut queues = Vec::new();
    for row in tx.query(sql).await? {
        let kind: String = row.try_get_by_index(1)?;
        // It is one of those asked for.
        if let Ok(kind) = kind.parse() {
            queues.push((WorkspaceId(row.try_get_by_index::<Uuid>(0)?), kind));
        }
    }
    if !queues.is_empty() {
        let turn = usize::try_from(now).unwrap_or_default() % queues.len();
        queues.rotate_left(turn);
    }
    Ok(queues)
}

async fn oldest(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    kind: TaskKind,
    now: i64,
    limit: usize,
) -> Result<Vec<Task>, BatchError> {
    let sql = tx
        .sql("SELECT ")
        .push(&task::COLUMNS.join(", "))
        .push(" FROM tasks WHERE workspace_id = ")
        .bind(workspace.0)
        .push(" AND kind = ")
        .bind(kind.to_string())
        .push(" AND ready_at <= ")
        .bind(now)
        .push(" ORDER BY ready_at, place LIMIT ")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .on_postgres(" FOR UPDATE SKIP LOCKED");
    tx.query(sql)
        .await?
        .iter()
        .map(|row| Ok(task::decode(row.into())?))
        .collect()
}

async fn next_at(tx: &Tx<'_>, claim: &Claim, now: i64) -> Result<Option<Instant>, BatchError> {
    let sql = tx
        .sql(
            "SELECT MIN((SELECT MIN(ready_at) FROM tasks WHERE tasks.workspace_id = queues.workspace_id \
             AND tasks.kind = queues.kind AND ready_at > ",
        )
        .bind(now)
        .push(")) FROM queues WHERE NOT paused AND kind IN (")
        .list(claim.kinds.keys().map(ToString::to_string))
        .push(")");
    let rows = tx.query(sql).await?;
    let micros: Option<i64> = rows
        .first()
        .map(|row| row.try_get_by_index(0))
        .transpose()?
        .flatten();
    Ok(micros.and_then(crate::rows::from_micros))
}

/// The first pending operations of each task.
async fn first_operations(
    tx: &Tx<'_>,
    tasks: &[Task],
) -> Result<HashMap<TaskId, Vec<Operation>>, BatchError> {
    let mut operations: HashMap<TaskId, Vec<Operation>> = HashMap::new();
    let at_once = i64::try_from(OPERATIONS_AT_ONCE).unwrap_or(i64::MAX);
    let (small, large): (Vec<&Task>, Vec<&Task>) = tasks
        .iter()
        .partition(|task| i64::from(task.tally().total) <= at_once);
    let columns = task::OPERATION_COLUMNS.join(", ");
    let select = || {
        tx.sql("SELECT ")
            .push(&columns)
            .push(" FROM operations WHERE receipt = 'pending' AND task_id")
    };
    let mut queries: Vec<_> = runs(&small)
        .map(|run| {
            select()
                .push(" IN (")
                .list(run.iter().map(|task| task.id().0))
                .push(") ORDER BY task_id, seq")
        })
        .collect();
    queries.extend(large.iter().map(|task| {
        select()
            .push(" = ")
            .bind(task.id().0)
            .push(" ORDER BY seq LIMIT ")
            .bind(at_once)
    }));
    for sql in queries {
        for row in tx.query(sql).await? {
            let (task, operation) = task::read_operation((&row).into())?;
            operations.entry(task).or_default().push(operation);
        }
    }
    Ok(operations)
}

/// Extends the leases that are still the holder's, and says which.
pub(super) async fn renew(
    tx: &Tx<'_>,
    held: &[(TaskId, LeaseToken)],
    until: Instant,
) -> Result<Vec<TaskId>, BatchError> {
    let mut renewed = Vec::with_capacity(held.len());
    for run in runs(held) {
        let sql = tx
            .sql("WITH held(id, token) AS (VALUES ")
            .tuples(
                run.iter()
                    .map(|(id, token)| vec![Value::from(id.0), token.0.into()]),
            )
            .push(") UPDATE tasks SET lease_until = ")
            .bind(micros(until))
            .push(
                " FROM held WHERE tasks.id = held.id AND tasks.lease_token = held.token RETURNING tasks.id",
            );
        for row in tx.query(sql).await? {
            renewed.push(TaskId(row.try_get_by_index(0)?));
        }
    }
    Ok(renewed)
}
