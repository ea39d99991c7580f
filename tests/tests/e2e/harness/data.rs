//! Where a server under test keeps its things: a folder of its own, and a database.

use super::{program, wait};
use sea_orm::{ConnectionTrait, Database};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub const ALL: &'static [Self] = &[Self::Sqlite, Self::Postgres];

    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    pub fn unavailable(self) -> Option<&'static str> {
        let absent = self == Self::Postgres && shared_postgres().is_none();
        absent.then_some("TEST_DATABASE_URL is not set")
    }
}

fn shared_postgres() -> Option<String> {
    std::env::var("TEST_DATABASE_URL")
        .ok()
        .filter(|url| !url.is_empty())
}

/// Databases to be dropped in the end.
static MADE: Mutex<Vec<String>> = Mutex::new(Vec::new());
static NEXT: AtomicUsize = AtomicUsize::new(0);

pub struct Data {
    folder: TempDir,
    url: String,
}

impl Data {
    /// Nothing in it yet.
    pub async fn fresh(engine: Engine) -> Self {
        let folder = TempDir::new().unwrap();
        let url = match engine {
            Engine::Sqlite => format!("sqlite://{}", folder.path().join("e2e.db").display()),
            Engine::Postgres => fresh_database().await,
        };
        Self { folder, url }
    }

    /// With a database somewhere else.
    pub fn at(url: String) -> Self {
        let folder = TempDir::new().unwrap();
        Self { folder, url }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The folder the server runs in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

async fn fresh_database() -> String {
    let server = shared_postgres().expect("only called when there is one");
    let name = format!(
        "e2e_{}_{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    tell(&server, &format!("CREATE DATABASE {name}")).await;
    let (base, _) = server.rsplit_once('/').expect("a URL that ends in a database");
    let url = format!("{base}/{name}");
    MADE.lock().unwrap().push(name);
    url
}

pub async fn tell(server: &str, sql: &str) {
    let connection = Database::connect(server)
        .await
        .expect("TEST_DATABASE_URL can be reached");
    connection
        .execute_unprepared(sql)
        .await
        .expect("the server does as it is told");
    connection.close().await.unwrap();
}

/// Leaves the shared PostgreSQL as it was.
pub async fn clean_up() {
    let made = std::mem::take(&mut *MADE.lock().unwrap());
    if let Some(server) = shared_postgres() {
        for name in made {
            tell(&server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
    }
}

/// A PostgreSQL that its journey may crash.
pub struct OwnPostgres {
    folder: TempDir,
    url: String,
}

impl OwnPostgres {
    pub async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let url = script("start", folder.path()).await;
        Self { folder, url }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Nobody is there, until it is started again.
    pub async fn stop(&self) {
        script("stop", self.folder.path()).await;
    }

    pub async fn start_again(&self) {
        script("start", self.folder.path()).await;
    }

    /// As a crash would: immediate mode, then started again.
    pub async fn restart(&self) {
        script("restart", self.folder.path()).await;
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        let removed = Command::new(postgres_script())
            .arg("remove")
            .arg(self.folder.path())
            .status();
        if !removed.is_ok_and(|status| status.success()) {
            eprintln!("the cluster in {} is left behind", self.folder.path().display());
        }
    }
}

fn postgres_script() -> PathBuf {
    program::workspace().join("scripts/postgres")
}

async fn script(what: &str, folder: &Path) -> String {
    let output = tokio::process::Command::new(postgres_script())
        .arg(what)
        .arg(folder)
        .output();
    let output = wait::within("scripts/postgres", wait::LONG, output)
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "scripts/postgres {what}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
