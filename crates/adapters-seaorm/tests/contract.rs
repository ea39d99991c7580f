//! The port contracts on SQLite (a file, several connections) and on PostgreSQL (`TEST_DATABASE_URL`).
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

#[path = "contract/slow.rs"]
mod slow;

use async_trait::async_trait;
use caretrack_adapters_seaorm::{SeaOptions, SeaStore};
use caretrack_port_contracts::{Backend, Fixture, run};
use sea_orm::{ConnectionTrait, Database};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

fn options() -> SeaOptions {
    SeaOptions {
        readers: 3,
        disk_reserve: 0,
        ..SeaOptions::default()
    }
}

/// A file for each trial.
#[derive(Default)]
struct Sqlite {
    folders: Mutex<Vec<TempDir>>,
}

#[async_trait]
impl Fixture for Sqlite {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    async fn open(&self) -> Arc<dyn Backend> {
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite://{}", folder.path().join("contract.db").display());
        self.folders.lock().unwrap().push(folder);
        SeaStore::open(&url, options()).await.expect("a fresh file opens")
    }
}

/// A database for each trial.
struct Postgres {
    server: Option<String>,
    made: Mutex<Vec<String>>,
}

static NEXT: AtomicUsize = AtomicUsize::new(0);

impl Postgres {
    fn new() -> Self {
        Self {
            server: std::env::var("TEST_DATABASE_URL").ok(),
            made: Mutex::default(),
        }
    }

    async fn server(&self, sql: &str) {
        let url = self.server.as_deref().expect("only called when there is one");
        let server = Database::connect(url)
            .await
            .expect("TEST_DATABASE_URL can be reached");
        server
            .execute_unprepared(sql)
            .await
            .expect("the server does as it is told");
        server.close().await.unwrap();
    }

    /// Leaves the server as it was, unless it goes away with us: dropping is slow.
    async fn clean_up(&self) {
        if std::env::var("TEST_DATABASE_THROWAWAY").is_ok() {
            return;
        }
        let made = std::mem::take(&mut *self.made.lock().unwrap());
        for name in made {
            self.server(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }
}

#[async_trait]
impl Fixture for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn unavailable(&self) -> Option<String> {
        self.server
            .is_none()
            .then(|| "TEST_DATABASE_URL is not set".to_owned())
    }

    async fn open(&self) -> Arc<dyn Backend> {
        let url = self.fresh().await;
        SeaStore::open(&url, options())
            .await
            .expect("a fresh database opens")
    }
}

impl Postgres {
    /// The address of a new database.
    async fn fresh(&self) -> String {
        let name = format!(
            "contract_{}_{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        self.server(&format!("CREATE DATABASE {name}")).await;
        self.made.lock().unwrap().push(name.clone());
        let server = self.server.as_deref().unwrap();
        let (base, _) = server.rsplit_once('/').expect("a URL that ends in a database");
        format!("{base}/{name}")
    }
}

fn main() -> ExitCode {
    let postgres = Arc::new(Postgres::new());
    let beside = slow::trials(&postgres);
    let code = run(vec![Arc::new(Sqlite::default()), postgres.clone()], beside);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(postgres.clean_up());
    code
}
