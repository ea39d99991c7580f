//! Opening a store: connections as each engine wants them, migrations, the committing task.

use crate::coalescer::{Coalescer, LANES, Lookup};
use crate::committer::{Committer, Told, Writer};
use crate::engine::Engine;
use crate::error::store_error;
use crate::offers::Offers;
use crate::queue::Work;
use crate::reserve::Reserve;
use crate::settled::Horizon;
use crate::{SeaStore, checkpoint, queue};
use caretrack_migrations::Migrator;
use caretrack_ports::{Observer, StoreError, Unobserved};
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
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
        let reserve = match sqlite_file(url) {
            Some(path) => Reserve::beside(path, options.disk_reserve),
            None => Reserve::none(),
        };
        let writing = Role::Writer {
            log_pages: reserve.log_pages(LOG_PAGES),
        };
        let writer = Writer::open(url, writing).await?;
        let readers = connect(url, options.readers, Role::Reader).await?;
        let work = Work {
            offers: Arc::new(Offers::none()),
            notify: Arc::new(Notify::new()),
        };
        let (log, told) = (Arc::new(checkpoint::Log::default()), Arc::new(Notify::new()));
        if readers.get_database_backend() == DbBackend::Sqlite {
            tokio::spawn(checkpoint::keep_log_short(url.to_owned(), log.clone()));
        }
        let wake = queue::wake(url, &readers, work.clone());
        let to_tell = Told {
            work: work.clone(),
            wake,
            log,
            readable: told.clone(),
            observer: options.observer,
        };
        let committer =
            Committer::start(writer, reserve, to_tell, options.most_waiting).map_err(no_thread)?;
        Ok(Arc::new(Self {
            committer,
            tasks: lookups(url, &readers, options.most_waiting).await?,
            resources: lookups(url, &readers, options.most_waiting).await?,
            readers,
            work,
            told,
            outbox: Horizon::of("outbox"),
            audit: Horizon::of("audit"),
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

/// On connections of its own to SQLite, on those of the pool to PostgreSQL.
async fn lookups<L: Lookup>(
    url: &str,
    readers: &DatabaseConnection,
    most_waiting: usize,
) -> Result<Coalescer<L>, StoreError> {
    let mut connections = Vec::with_capacity(LANES);
    for _ in 0..LANES {
        connections.push(if readers.get_database_backend() == DbBackend::Sqlite {
            Engine::open(url, Role::Reader).await?
        } else {
            Engine::Postgres(readers.clone())
        });
    }
    Coalescer::start(connections, most_waiting).map_err(no_thread)
}

fn no_thread(error: std::io::Error) -> StoreError {
    StoreError::Unavailable(Box::new(error))
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
                    // Without it a table that has no index to go by looks so dear that it would be compiled for.
                    ("jit", "off"),
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
pub(crate) const STATEMENTS: usize = 512;

/// How long another process may keep SQLite from us.
pub(crate) const BUSY: Duration = Duration::from_secs(5);

fn sqlite_options(options: SqliteConnectOptions, role: Role) -> SqliteConnectOptions {
    let options = options
        .create_if_missing(role != Role::Reader)
        .busy_timeout(BUSY)
        .statement_cache_capacity(STATEMENTS)
        // The rows of a whole run: the driver's thread need not wait for its reader.
        .row_buffer_size(1_024);
    pragmas(role)
        .into_iter()
        .fold(options, |options, (pragma, value)| options.pragma(pragma, value))
}

/// How every connection to SQLite is set up, whoever makes it.
pub(crate) fn pragmas(role: Role) -> Vec<(&'static str, String)> {
    let mut pragmas = vec![
        ("journal_mode", "WAL".to_owned()),
        ("synchronous", "FULL".to_owned()),
        ("foreign_keys", "ON".to_owned()),
        ("temp_store", "MEMORY".to_owned()),
        // After a checkpoint the log shrinks to this again.
        ("journal_size_limit", "67108864".to_owned()),
    ];
    match role {
        Role::Writer { log_pages } => pragmas.extend([
            // What is deleted, or written over, is not left in the file.
            ("secure_delete", "ON".to_owned()),
            ("cache_size", "-32768".to_owned()),
            ("wal_autocheckpoint", log_pages.to_string()),
        ]),
        Role::Reader => pragmas.push(("query_only", "ON".to_owned())),
        Role::Checkpointer => pragmas.push(("wal_autocheckpoint", "0".to_owned())),
    }
    pragmas
}

/// The file of a SQLite URL, as the driver reads it.
pub(crate) fn sqlite_file(url: &str) -> Option<PathBuf> {
    let options: SqliteConnectOptions = url.starts_with("sqlite:").then(|| url.parse().ok())??;
    Some(options.get_filename().to_owned())
}
