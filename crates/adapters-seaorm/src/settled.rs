//! Up to which number a table can be read without passing one by.
//!
//! PostgreSQL gives a row its number when it is inserted, which is before it can be seen: with several servers,
//! 8 may be seen while 7 still waits for its disk. Whoever may yet show a lower number holds the table's lock for
//! inserting, from before the number was drawn until after the commit can be seen. So: note the last number drawn,
//! then who holds that lock; once none of them does, every number up to there is seen or never will be. That costs
//! the writers nothing, and no transaction elsewhere holds it up.
//!
//! SQLite has one writer, who gives numbers and commits in one order.

use crate::error::store_error;
use caretrack_ports::StoreError;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use std::collections::HashSet;
use std::time::Duration;
use tokio::sync::Mutex;

/// What is known of a table.
pub(crate) struct Horizon {
    table: &'static str,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    settled: i64,
    /// A number, and who might have shown a lower one later when it was the last one drawn.
    pending: Option<(i64, HashSet<String>)>,
}

impl Horizon {
    /// A commit takes a few milliseconds; who waits longer for one comes again.
    const TRIES: u32 = 20;
    const PAUSE: Duration = Duration::from_millis(3);

    pub fn of(table: &'static str) -> Self {
        Self {
            table,
            known: Mutex::default(),
        }
    }

    /// Waits a little for what is about to be committed.
    pub async fn settled(&self, db: &DatabaseConnection) -> Result<i64, StoreError> {
        if db.get_database_backend() != DbBackend::Postgres {
            return self.newest(db).await;
        }
        let mut known = self.known.lock().await;
        for _ in 0..Self::TRIES {
            let newest = self.newest(db).await?;
            // A database that crashed may give a number again that it gave to nobody who committed.
            known.settled = known.settled.min(newest);
            if known.settled == newest {
                break;
            }
            // After the number was read: whoever draws a higher one does not matter.
            let writers = self.writers(db).await?;
            if writers.is_empty() {
                *known = Known {
                    settled: newest,
                    pending: None,
                };
                break;
            }
            match known.pending.take() {
                Some((number, before)) if before.is_disjoint(&writers) => {
                    known.settled = number.min(newest);
                    known.pending = Some((newest, writers));
                    break;
                }
                pending => known.pending = pending.or(Some((newest, writers))),
            }
            tokio::time::sleep(Self::PAUSE).await;
        }
        Ok(known.settled)
    }

    /// The last number given out.
    pub async fn newest(&self, db: &DatabaseConnection) -> Result<i64, StoreError> {
        let table = self.table;
        let sql = if db.get_database_backend() == DbBackend::Postgres {
            format!("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {table}_number_seq")
        } else {
            format!("SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = '{table}'), 0)")
        };
        let rows = query(db, sql).await?;
        rows.first()
            .map_or(Ok(0), |row| row.try_get_by_index(0).map_err(store_error))
    }

    /// The transactions that have inserted into the table, or are about to, and have not ended.
    async fn writers(&self, db: &DatabaseConnection) -> Result<HashSet<String>, StoreError> {
        let sql = format!(
            "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' \
             AND granted AND relation = '{}'::regclass \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            self.table
        );
        let rows = query(db, sql).await?;
        rows.iter()
            .map(|row| row.try_get_by_index(0).map_err(store_error))
            .collect()
    }
}

async fn query(db: &DatabaseConnection, sql: String) -> Result<Vec<sea_orm::QueryResult>, StoreError> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    db.query_all_raw(statement).await.map_err(store_error)
}
