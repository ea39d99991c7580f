//! Moving the clock of the domain. Retries are due by the system's: what moves the clock moves them along.

use super::batch::Tx;
use crate::error::BatchError;
use time::Duration;

pub(super) async fn advance(tx: &Tx<'_>, by: Duration) -> Result<(), BatchError> {
    let by = i64::try_from(by.whole_microseconds()).unwrap_or(i64::MAX);
    let clock = tx.sql("UPDATE clock SET ahead = ahead + ").bind(by);
    tx.execute(clock).await?;
    let retries = tx
        .sql("UPDATE tasks SET claimable_at = claimable_at + ")
        .bind(by)
        .push(", ready_at = ready_at + ")
        .bind(by)
        .push(", detail = CAST(CAST(detail AS BIGINT) + ")
        .bind(by)
        .push(" AS TEXT) WHERE status = 'retry_scheduled' AND status <> 'succeeded'");
    tx.execute(retries).await?;
    Ok(())
}
