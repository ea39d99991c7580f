//! The command line.

use crate::figures::Figure;
use clap::{Parser, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Measures Caretrack against what the same disk and database can do at all.
///
/// Every figure is shown beside its floor, measured in the same run, so that the ratio means the same on any machine.
#[derive(Debug, Clone, Parser)]
#[command(name = "scripts/bench", version)]
pub struct Args {
    /// Engines to measure; without it both, PostgreSQL only if its URL is known
    #[arg(long = "engine", value_enum, value_delimiter = ',')]
    pub engines: Vec<EngineKind>,
    /// Figures to measure; without it all
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<Figure>,
    /// How long the server is kept under load for a figure
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "10")]
    pub seconds: Duration,
    /// How long a floor is measured, before a figure and after it
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "3")]
    pub floor_seconds: Duration,
    /// Connections that write
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub connections: usize,
    /// Connections that read
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub readers: usize,
    /// Time between two looks at an unfinished task, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 5)]
    pub poll: u64,
    /// Tasks sent one at a time to the idle server
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub samples: u64,
    /// Tasks in the backlog that is drained
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub backlog: u64,
    /// Tasks in a full store
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub tasks: u64,
    /// Registered patients in a full store
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub patients: u64,
    /// Patients in ACT, each with a search that is refreshed once a day
    #[arg(long, value_name = "N", default_value_t = 300_000)]
    pub active: u64,
    /// How often a figure is measured again while others use the machine
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub tries: u32,
    /// The server's program; without it the one beside this program
    #[arg(long, value_name = "FILE")]
    pub server: Option<PathBuf>,
    /// A setting of the server, such as worker.concurrency=8; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// A PostgreSQL server on which databases may be made and dropped
    #[arg(long, value_name = "URL", env = "BENCH_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Where to write the figures as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Exit with 1 when a goal is missed
    #[arg(long)]
    pub strict: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EngineKind {
    Sqlite,
    Postgres,
}

impl EngineKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

impl Args {
    pub fn engines(&self) -> Vec<EngineKind> {
        if !self.engines.is_empty() {
            return self.engines.clone();
        }
        if self.database_url.is_none() {
            println!("postgres: left out, BENCH_DATABASE_URL is not set (scripts/bench sets it)");
            return vec![EngineKind::Sqlite];
        }
        vec![EngineKind::Sqlite, EngineKind::Postgres]
    }

    pub fn figures(&self) -> Vec<Figure> {
        if self.only.is_empty() {
            Figure::value_variants().to_vec()
        } else {
            self.only.clone()
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "must be a number".to_owned())?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "must be more than nothing".to_owned())
}
