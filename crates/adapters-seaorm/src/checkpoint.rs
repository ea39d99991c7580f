//! SQLite's log is copied back beside the writer.
//!
//! Within a commit, copying a full log back takes as long as dozens of commits, and everyone behind it waits.
//! Here it is copied on a connection of its own, which neither stops the writer nor is stopped by it. What the
//! writer adds meanwhile it copies itself when the log is full; that is little, and then the log starts anew.
//!
//! A copied log still holds what it held. When a commit was to make something forgotten, the log is emptied soon
//! after, which does stop the writer for a moment.

use crate::error::store_error;
use crate::open::{self, Role};
use caretrack_ports::StoreError;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// Between two copies: long enough that pages written again and again are copied once.
const PAUSE: Duration = Duration::from_millis(20);
/// Between two times that the log is emptied, and before it is tried again.
const BETWEEN_EMPTYINGS: Duration = Duration::from_secs(1);
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// A file that is no larger is written anew to forget: pages that were split may hold copies of what was moved.
const SMALL: i64 = 32 << 20;

/// What has become of the log since it was looked at.
#[derive(Default)]
pub(crate) struct Log {
    written: Notify,
    forget: AtomicBool,
}

impl Log {
    /// Something was committed; something of it may be meant to be forgotten.
    pub fn note(&self, forget: bool) {
        if forget {
            self.forget.store(true, Ordering::Relaxed);
        }
        self.written.notify_one();
    }
}

/// Copies back whenever something was written.
pub(crate) async fn keep_log_short(url: String, log: Arc<Log>) {
    loop {
        if let Err(error) = copy_back(&url, &log).await {
            tracing::debug!(%error, "the log could not be copied back");
        }
        tokio::time::sleep(AFTER_FAILURE).await;
    }
}

async fn copy_back(url: &str, log: &Log) -> Result<(), StoreError> {
    let connection = open::connect(url, 1, Role::Checkpointer).await?;
    loop {
        log.written.notified().await;
        if log.forget.swap(false, Ordering::Relaxed) {
            if !forget(&connection).await.unwrap_or(false) {
                log.note(true);
            }
            tokio::time::sleep(BETWEEN_EMPTYINGS).await;
        } else {
            pragma(&connection, "wal_checkpoint(PASSIVE)").await?;
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Empties the log; says whether it could.
async fn forget(connection: &DatabaseConnection) -> Result<bool, StoreError> {
    let pages = pragma(connection, "page_count").await?;
    let page = pragma(connection, "page_size").await?;
    if pages * page <= SMALL {
        connection
            .execute_unprepared("VACUUM")
            .await
            .map_err(store_error)?;
    }
    // Its first column says whether somebody was in the way.
    Ok(pragma(connection, "wal_checkpoint(TRUNCATE)").await? == 0)
}

/// What it answers first.
async fn pragma(connection: &DatabaseConnection, name: &str) -> Result<i64, StoreError> {
    let sql = Statement::from_string(DbBackend::Sqlite, format!("PRAGMA {name}"));
    let row = connection.query_one_raw(sql).await.map_err(store_error)?;
    let number = row.map(|row| {
        row.try_get_by_index::<i64>(0)
            .or_else(|_| row.try_get_by_index::<i32>(0).map(i64::from))
    });
    Ok(number.transpose().map_err(store_error)?.unwrap_or(0))
}
