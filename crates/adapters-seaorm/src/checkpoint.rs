//! SQLite's log is copied back beside the writer.
//!
//! Within a commit, copying a full log back takes as long as dozens of commits, and everyone behind it waits.
//! Here it is copied on a connection of its own, which neither stops the writer nor is stopped by it. What the
//! writer adds meanwhile it copies itself when the log is full; that is little, and then the log starts anew.

use crate::error::store_error;
use crate::open::{self, Role};
use caretrack_ports::StoreError;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Between two copies: long enough that pages written again and again are copied once.
const PAUSE: Duration = Duration::from_millis(20);
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Copies back whenever something was `written`.
pub(crate) async fn keep_log_short(url: String, written: Arc<Notify>) {
    loop {
        if let Err(error) = copy_back(&url, &written).await {
            tracing::debug!(%error, "the log could not be copied back");
        }
        tokio::time::sleep(AFTER_FAILURE).await;
    }
}

async fn copy_back(url: &str, written: &Notify) -> Result<(), StoreError> {
    let connection = open::connect(url, 1, Role::Checkpointer).await?;
    loop {
        written.notified().await;
        let sql = Statement::from_string(DbBackend::Sqlite, "PRAGMA wal_checkpoint(PASSIVE)");
        connection.query_one_raw(sql).await.map_err(store_error)?;
        tokio::time::sleep(PAUSE).await;
    }
}
