//! The store on SQLite (embedded, the default) and PostgreSQL: the same SQL, the same behaviour.
//!
//! Writes go through one committing task (`committer`) that puts many of them into one transaction. Reads
//! have connections of their own; those of single records that arrive together share one query
//! (`coalescer`). SQLite runs in WAL mode with `synchronous=FULL`, PostgreSQL with `synchronous_commit=on`:
//! what was answered is on disk.

mod checkpoint;
mod coalescer;
mod committer;
mod engine;
mod error;
mod offers;
mod open;
mod queue;
mod read;
mod reserve;
mod rows;
mod settled;
mod sql;
mod trail;

pub use open::SeaOptions;
pub use trail::SeaTrail;

use coalescer::Coalescer;
use committer::{Committer, Job};
use error::store_error;
use queue::Work;
use read::{Resources, Tasks};
use sea_orm::{ConnectionTrait, DatabaseConnection, QueryResult};
use sea_orm_migration::MigratorTrait;
use settled::Horizon;
use sql::Sql;
use std::sync::Arc;
use tokio::sync::Notify;

use async_trait::async_trait;
use caretrack_ports::{Changes, Committed, Retention, Schema, Store, StoreError};

/// The store; made by [`SeaStore::open`].
pub struct SeaStore {
    readers: DatabaseConnection,
    committer: Committer,
    tasks: Coalescer<Tasks>,
    resources: Coalescer<Resources>,
    work: Work,
    told: Arc<Notify>,
    outbox: Horizon,
    audit: Horizon,
}

impl SeaStore {
    fn sql(&self, text: &str) -> Sql {
        Sql::new(self.readers.get_database_backend(), text)
    }

    async fn query(&self, sql: Sql) -> Result<Vec<QueryResult>, StoreError> {
        self.readers
            .query_all_raw(sql.statement())
            .await
            .map_err(store_error)
    }

    async fn read_all<T>(
        &self,
        sql: Sql,
        read: impl Fn(&QueryResult) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.query(sql).await?.iter().map(read).collect()
    }

    async fn read_one<T>(
        &self,
        sql: Sql,
        read: impl Fn(&QueryResult) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.query(sql).await?.first().map(read).transpose()
    }
}

#[async_trait]
impl Store for SeaStore {
    async fn commit(&self, changes: Changes) -> Result<Committed, StoreError> {
        self.committer.commit(changes).await
    }

    async fn check(&self) -> Result<Schema, StoreError> {
        let applied = self
            .read_one(self.sql("SELECT COUNT(*) FROM seaql_migrations"), |row| {
                row.try_get_by_index::<i64>(0).map_err(store_error)
            })
            .await?;
        let needed = i64::try_from(caretrack_migrations::Migrator::migrations().len()).unwrap_or(i64::MAX);
        Ok(if applied.unwrap_or(0) < needed {
            Schema::Behind
        } else {
            Schema::Current
        })
    }

    async fn find_secret(&self, name: &str) -> Result<Option<[u8; 32]>, StoreError> {
        let sql = self.sql("SELECT value FROM secrets WHERE name = ").bind(name);
        let found = self
            .read_one(sql, |row| row.try_get_by_index::<Vec<u8>>(0).map_err(store_error))
            .await?;
        found
            .map(|bytes| {
                bytes
                    .try_into()
                    .map_err(|_| error::corrupt("secrets", "value", "another length"))
            })
            .transpose()
    }

    async fn prune(&self, retention: Retention, limit: usize) -> Result<usize, StoreError> {
        self.committer
            .submit(|reply| Job::Prune(retention, limit, reply))
            .await
    }
}
