//! The idempotency keys of a batch: each is one request's alone, until it expires.
//!
//! Commits without a key cost nothing here. Should another server take a key between our look and our insert,
//! the primary key tells, and the batch is tried again one by one.

use super::batch::Tx;
use crate::error::BatchError;
use crate::rows::{idempotency, micros};
use crate::sql::runs;
use caretrack_domain::{IdempotencyKey, WorkspaceId};
use caretrack_ports::{IdempotencyRecord, Parts};
use sea_orm::Value;
use std::collections::HashMap;
use uuid::Uuid;

type Key = (WorkspaceId, IdempotencyKey);

/// The keys that the commits of a batch want, with when the holder of each expires.
#[derive(Default)]
pub(super) struct Keys {
    held_until: HashMap<Key, i64>,
    rows: Vec<Vec<Value>>,
    expired: Vec<Key>,
}

fn key(record: &IdempotencyRecord) -> Key {
    (record.workspace, record.key.clone())
}

fn pair(key: &Key) -> Vec<Value> {
    vec![key.0.0.into(), key.1.as_str().into()]
}

impl Keys {
    pub async fn load(tx: &Tx<'_>, commits: &[&Parts]) -> Result<Self, BatchError> {
        let mut keys = Self::default();
        let records = commits.iter().filter_map(|parts| parts.idempotency.as_ref());
        let mut wanted: Vec<Key> = records.map(key).collect();
        wanted.sort_unstable();
        wanted.dedup();
        for run in runs(&wanted) {
            let sql = tx
                .sql("SELECT workspace_id, key, expires_at FROM idempotency WHERE (workspace_id, key) IN (VALUES ")
                .tuples(run.iter().map(pair))
                .push(")");
            for row in tx.query(sql).await? {
                let workspace: Uuid = row.try_get_by_index(0)?;
                let key: String = row.try_get_by_index(1)?;
                let held_until = row.try_get_by_index(2)?;
                if let Some(key) = IdempotencyKey::parse(&key) {
                    keys.held_until.insert((WorkspaceId(workspace), key), held_until);
                }
            }
        }
        Ok(keys)
    }

    /// Whether these changes may have the key they want, if they want one.
    pub fn is_free(&self, parts: &Parts) -> bool {
        parts.idempotency.as_ref().is_none_or(|record| {
            let held_until = self.held_until.get(&key(record));
            held_until.is_none_or(|until| *until <= micros(record.made_at))
        })
    }

    /// Gives it to them: whoever comes after them in the batch finds it taken.
    pub fn take(&mut self, parts: &Parts) -> bool {
        if let Some(record) = &parts.idempotency {
            let until = micros(record.expires_at);
            if self.held_until.insert(key(record), until).is_some() {
                self.expired.push(key(record));
            }
        }
        true
    }

    /// Adds the row of changes that passed; `first` is the number of the first record they write.
    pub fn add(&mut self, parts: &Parts, first: i64) {
        let record = parts.idempotency.as_ref();
        self.rows
            .extend(record.map(|record| idempotency::values(record, first)));
    }

    pub async fn write(self, tx: &Tx<'_>) -> Result<(), BatchError> {
        for run in runs(&self.expired) {
            let sql = tx
                .sql("DELETE FROM idempotency WHERE (workspace_id, key) IN (VALUES ")
                .tuples(run.iter().map(pair))
                .push(")");
            tx.execute(sql).await?;
        }
        let into = format!(
            "INSERT INTO idempotency ({}) VALUES ",
            idempotency::COLUMNS.join(", ")
        );
        for run in runs(&self.rows) {
            tx.execute(tx.sql(&into).tuples(run.iter().cloned())).await?;
        }
        Ok(())
    }
}

/// Deletes the oldest that have expired by then; answers how many.
pub(super) async fn prune(tx: &Tx<'_>, expired_by: i64, limit: i64) -> Result<u64, BatchError> {
    let sql = tx
        .sql(
            "DELETE FROM idempotency WHERE (workspace_id, key) IN \
             (SELECT workspace_id, key FROM idempotency WHERE expires_at <= ",
        )
        .bind(expired_by)
        .push(" ORDER BY expires_at LIMIT ")
        .bind(limit)
        .push(")");
    tx.execute(sql).await
}
