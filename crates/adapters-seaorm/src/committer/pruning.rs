//! Deleting what is past its retention.

use super::{batch::Tx, idempotency};
use crate::error::BatchError;
use crate::rows::micros;
use crate::sql::runs;
use caretrack_ports::Retention;
use uuid::Uuid;

/// Answers how many tasks or idempotency keys went, whichever were more.
pub(super) async fn prune(tx: &Tx<'_>, retention: Retention, limit: usize) -> Result<usize, BatchError> {
    let before = micros(retention.ended_before);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let tasks = tasks(tx, before, limit).await?;
    // The oldest entries only: the table is in the order of time.
    let sql = tx
        .sql(
            "DELETE FROM outbox WHERE number <= (SELECT MAX(number) FROM \
             (SELECT number, at FROM outbox ORDER BY number LIMIT ",
        )
        .bind(limit.saturating_mul(4))
        .push(") AS oldest WHERE at < ")
        .bind(before)
        .push(")");
    tx.execute(sql).await?;
    marks(tx, before).await?;
    let keys = idempotency::prune(tx, micros(retention.expired_by), limit).await?;
    Ok(tasks.max(usize::try_from(keys).unwrap_or(usize::MAX)))
}

async fn tasks(tx: &Tx<'_>, before: i64, limit: i64) -> Result<usize, BatchError> {
    let mut ids: Vec<Uuid> = Vec::new();
    for row in tx.query(tx.sql("SELECT workspace_id, kind FROM queues")).await? {
        let (workspace, kind): (Uuid, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let room = limit - i64::try_from(ids.len()).unwrap_or(limit);
        let sql = tx
            .sql("SELECT id FROM tasks WHERE workspace_id = ")
            .bind(workspace)
            .push(" AND kind = ")
            .bind(kind)
            .push(" AND finished_at < ")
            .bind(before)
            .push(" ORDER BY finished_at LIMIT ")
            .bind(room);
        for row in tx.query(sql).await? {
            ids.push(row.try_get_by_index(0)?);
        }
    }
    for run in runs(&ids) {
        for sql in [
            "DELETE FROM operations WHERE task_id IN (",
            "DELETE FROM tasks WHERE id IN (",
        ] {
            tx.execute(tx.sql(sql).list(run.iter().copied()).push(")"))
                .await?;
        }
    }
    Ok(ids.len())
}

/// The marks of deleted records. One stays while an unfinished task is older than it: the task must find that
/// it was overtaken.
async fn marks(tx: &Tx<'_>, before: i64) -> Result<(), BatchError> {
    let sql = tx
        .sql("SELECT DISTINCT workspace_id FROM resources WHERE data IS NULL AND updated_at < ")
        .bind(before);
    for row in tx.query(sql).await? {
        let workspace: Uuid = row.try_get_by_index(0)?;
        let mut oldest = i64::MAX;
        for status in ["queued", "running", "retry_scheduled", "held"] {
            let sql = tx
                .sql(&format!("SELECT MIN(place) FROM tasks WHERE status = '{status}'"))
                .push(" AND status <> 'succeeded' AND workspace_id = ")
                .bind(workspace);
            for row in tx.query(sql).await? {
                oldest = oldest.min(row.try_get_by_index::<Option<i64>>(0)?.unwrap_or(i64::MAX));
            }
        }
        let sql = tx
            .sql("DELETE FROM resources WHERE data IS NULL AND updated_at < ")
            .bind(before)
            .push(" AND workspace_id = ")
            .bind(workspace)
            .push(" AND place < ")
            .bind(oldest);
        tx.execute(sql).await?;
    }
    Ok(())
}
