//! Opening a store: connections as each engine wants them, migrations, the committing task.

use crate::coalescer::Coalescer;
use crate::committer::{Committer, Told, Writer};
use crate::error::store_error;
use crate::offers::Offers;
use crate::queue::Work;
use crate::reserve::Reserve;
use crate::{SeaStore, checkpoint, queue};
use caretrack_migrations::Migrator;
use caretrack_ports::{Observer, StoreError, Unobserved};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend};
use sea_orm_migration::MigratorTrait;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct SeaOptions {
    /// Connections for reading.
    pub readers: u32,
    /// Room kept on the disk of a SQLite file for ending what was accepted; zero for none.
    pub disk_reserve: u64,
    /// How much may wait, to be written or to be looked up, before more is turned away.
    pub most_waiting: usize,
    /// Told of every transaction.
    pub observer: Arc<dyn Observer>,
}

impl Default for SeaOptions {
    fn default() -> Self {
        Self {
            readers: 4,
            disk_reserve: 64 << 20,
            most_waiting: 4_096,
            observer: Arc::new(Unobserved),
        }
    }
}

/// The lock that holds back a second server while the first one migrates.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_lock(4207849484)";
const MIGRATION_UNLOCK: &str = "SELECT pg_advisory_unlock(4207849484)";

impl SeaStore {
    /// Opens `sqlite://PATH` or `postgres://...`, the schema brought up to date.
    pub async fn open(url: &str, options: SeaOptions) -> Result<Arc<Self>, StoreError> {
        Self::migrate(url).await?;
        let reserve = match sqlite_path(url) {
            Some(path) => Reserve::beside(path, options.disk_reserve),
            None => Reserve::none(),
        };
        let writing = Role::Writer {
            log_pages: reserve.log_pages(LOG_PAGES),
        };
        let writer = connect(url, 1, writing).await?;
        let readers = connect(url, options.readers, Role::Reader).await?;
        let work = Work {
            offers: Arc::new(Offers::none()),
            notify: Arc::new(Notify::new()),
        };
        let written = Arc::new(Notify::new());
        if writer.get_database_backend() == DbBackend::Sqlite {
            tokio::spawn(checkpoint::keep_log_short(url.to_owned(), written.clone()));
        }
        let wake = queue::wake(url, &writer, &readers, work.clone());
        let told = Told {
            work: work.clone(),
            wake,
            written,
            observer: options.observer,
        };
        let writer = Writer {
            url: url.to_owned(),
            role: writing,
            connection: writer,
        };
        Ok(Arc::new(Self {
            committer: Committer::start(writer, reserve, told, options.most_waiting),
            tasks: Coalescer::start(&readers, options.most_waiting),
            resources: Coalescer::start(&readers, options.most_waiting),
            readers,
            work,
        }))
    }

    /// Brings the schema up to date, one server at a time.
    pub async fn migrate(url: &str) -> Result<(), StoreError> {
        let connection = connect(url, 1, Role::Writer { log_pages: LOG_PAGES }).await?;
        let postgres = connection.get_database_backend() == DbBackend::Postgres;
        if postgres {
            connection
                .execute_unprepared(MIGRATION_LOCK)
                .await
                .map_err(store_error)?;
        }
        let migrated = Migrator::up(&connection, None).await;
        if postgres {
            connection
                .execute_unprepared(MIGRATION_UNLOCK)
                .await
                .map_err(store_error)?;
        }
        migrated.map_err(store_error)?;
        connection.close().await.map_err(store_error)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// SQLite's log is checkpointed when it has so many pages.
    Writer {
        log_pages: u32,
    },
    Reader,
    Checkpointer,
}

pub(crate) async fn connect(
    url: &str,
    connections: u32,
    role: Role,
) -> Result<DatabaseConnection, StoreError> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .min_connections(1)
        .connect_timeout(Duration::from_secs(5))
        .acquire_timeout(Duration::from_secs(5))
        // Statements show their values: none is ever logged.
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .test_before_acquire(false)
        .map_sqlx_sqlite_opts(move |sqlite| sqlite_options(sqlite, role))
        .map_sqlx_postgres_opts(|postgres| {
            postgres
                .application_name("caretrack")
                .statement_cache_capacity(STATEMENTS)
                .options([
                    ("synchronous_commit", "on"),
                    // Every statement here is about a few rows found by an index; a plan made while a table
                    // was small must not outlive its growth.
                    ("enable_seqscan", "off"),
                    ("enable_hashjoin", "off"),
                    ("enable_mergejoin", "off"),
                    ("plan_cache_mode", "force_generic_plan"),
                    ("max_parallel_workers_per_gather", "0"),
                ])
        });
    Database::connect(options).await.map_err(store_error)
}

/// 64 MiB of log before it starts anew, where there is room for it: what the checkpointer has not copied back
/// by then, the writer copies within a commit.
const LOG_PAGES: u32 = 16_000;

/// Prepared statements a connection keeps: every table in every size of run.
const STATEMENTS: usize = 512;

fn sqlite_options(options: SqliteConnectOptions, role: Role) -> SqliteConnectOptions {
    let options = options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .statement_cache_capacity(STATEMENTS)
        // The rows of a whole run: the driver's thread need not wait for its reader.
        .row_buffer_size(1_024)
        .pragma("temp_store", "memory")
        // After a checkpoint the log shrinks to this again.
        .pragma("journal_size_limit", "67108864");
    match role {
        Role::Writer { log_pages } => options
            .pragma("cache_size", "-32768")
            .pragma("wal_autocheckpoint", log_pages.to_string()),
        Role::Reader => options.pragma("query_only", "on"),
        Role::Checkpointer => options.pragma("wal_autocheckpoint", "0"),
    }
}

/// The file of `sqlite://PATH?...`.
fn sqlite_path(url: &str) -> Option<PathBuf> {
    let rest = url.strip_prefix("sqlite:")?;
    let path = rest.strip_prefix("//").unwrap_or(rest).split('?').next()?;
    (!path.is_empty() && path != ":memory:").then(|| PathBuf::from(path))
}
