//! The idempotency keys of a batch: each is one request's alone, until it expires.
//!
//! Commits without a key cost nothing here. Should another server take a key between our look and our insert,
//! the primary key tells, and the batch is tried again one by one.

use super::batch::Tx;
use crate::error::BatchError;
use crate::rows::micros;
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
            // A join: SQLite does not use the index for `(a, b) IN (VALUES ...)`.
            let sql = tx
                .sql("WITH wanted(workspace_id, key) AS (VALUES ")
                .tuples(run.iter().map(pair))
                .push(
                    ") SELECT i.workspace_id, i.key, i.expires_at FROM wanted w JOIN idempotency i \
                     ON i.workspace_id = w.workspace_id AND i.key = w.key",
                );
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

    /// Takes what has expired out of the way of the rows to come.
    pub async fn free(self, tx: &Tx<'_>) -> Result<(), BatchError> {
        for (workspace, key) in self.expired {
            let sql = tx
                .sql("DELETE FROM idempotency WHERE workspace_id = ")
                .bind(workspace.0)
                .push(" AND key = ")
                .bind(key.as_str());
            tx.execute(sql).await?;
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
