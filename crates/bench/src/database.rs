//! Databases to measure on: each figure gets fresh ones, all on one disk, and leaves none behind.

use crate::args::EngineKind;
use crate::machine::Ours;
use anyhow::{Context, Result};
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

/// One engine, and the place of its databases.
pub struct Engine {
    pub kind: EngineKind,
    /// Of PostgreSQL: a database that is there already.
    server: Option<String>,
    folder: PathBuf,
    made: Mutex<Vec<String>>,
}

/// One empty database.
pub struct Fresh {
    pub url: String,
    /// Of PostgreSQL.
    name: Option<String>,
    /// Of SQLite: goes with the file.
    folder: Option<TempDir>,
}

static NEXT: AtomicUsize = AtomicUsize::new(0);

impl Engine {
    pub fn new(kind: EngineKind, server: Option<&str>, folder: &Path) -> Result<Self> {
        let server = match kind {
            EngineKind::Sqlite => None,
            EngineKind::Postgres => Some(server.context("BENCH_DATABASE_URL is not set")?.to_owned()),
        };
        Ok(Self {
            kind,
            server,
            folder: folder.to_owned(),
            made: Mutex::default(),
        })
    }

    /// The processes that work for the measurement.
    pub async fn ours(&self) -> Result<Ours> {
        let mut ours = Ours::new();
        if let Some(server) = &self.server {
            let db = connect(server).await?;
            let sql = Statement::from_string(DbBackend::Postgres, "SELECT pg_backend_pid()");
            let row = db.query_one_raw(sql).await?.context("no backend")?;
            ours.add_postgres(u32::try_from(row.try_get_by_index::<i32>(0)?)?);
            db.close().await?;
        }
        Ok(ours)
    }

    pub async fn fresh(&self) -> Result<Fresh> {
        let Some(server) = &self.server else {
            let folder = tempfile::Builder::new().prefix("db-").tempdir_in(&self.folder)?;
            return Ok(Fresh {
                url: format!("sqlite://{}", folder.path().join("bench.db").display()),
                name: None,
                folder: Some(folder),
            });
        };
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bench_{}_{number}", std::process::id());
        run(server, &format!("CREATE DATABASE {name}")).await?;
        self.made().push(name.clone());
        let (base, _) = server.rsplit_once('/').context("a URL that ends in a database")?;
        Ok(Fresh {
            url: format!("{base}/{name}"),
            name: Some(name),
            folder: None,
        })
    }

    /// Drops a database; whoever still uses it is thrown out.
    pub async fn remove(&self, fresh: Fresh) -> Result<()> {
        if let Some(name) = fresh.name {
            self.drop_database(&name).await?;
            self.made().retain(|made| *made != name);
        }
        drop(fresh.folder);
        Ok(())
    }

    /// Drops what a failed figure left behind.
    pub async fn clean_up(&self) -> Result<()> {
        let left = std::mem::take(&mut *self.made());
        for name in left {
            self.drop_database(&name).await?;
        }
        Ok(())
    }

    /// Has everything written that waits in memory, so that it is not written during what is measured.
    pub async fn settle(&self) -> Result<()> {
        match &self.server {
            Some(server) => run(server, "CHECKPOINT").await,
            None => Ok(()),
        }
    }

    async fn drop_database(&self, name: &str) -> Result<()> {
        match &self.server {
            Some(server) => run(server, &format!("DROP DATABASE {name} WITH (FORCE)")).await,
            None => Ok(()),
        }
    }

    fn made(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.made
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

async fn run(server: &str, sql: &str) -> Result<()> {
    let db = connect(server).await?;
    db.execute_unprepared(sql).await.with_context(|| sql.to_owned())?;
    db.close().await?;
    Ok(())
}

/// One connection, as durable as the server's and with the same patience with the log.
pub async fn connect(url: &str) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .min_connections(1)
        .sqlx_logging(false)
        .test_before_acquire(false)
        .map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .pragma("wal_autocheckpoint", "4000")
        })
        .map_sqlx_postgres_opts(|postgres| postgres.options([("synchronous_commit", "on")]));
    Ok(sea_orm::Database::connect(options).await?)
}
