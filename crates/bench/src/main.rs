//! Measures Caretrack: the real server under load, and the store alone.
//!
//! Run it as `scripts/bench`, which builds everything and provides PostgreSQL. Every figure stands beside its
//! floor, what the same engine on the same disk does in a bare loop, measured in the same run just before and
//! after it: rates mean little from one machine to the next, their ratios to the floors a lot. What it promises:
//! failed requests are counted and shown, and a figure with any meets no goal; a figure is measured again while
//! others use the machine and marked `noisy` if they never stop; servers, files and databases are gone at the end.
//!
//! The load comes from this one process with one thread, because it shares the machine with the server: prepared
//! bytes on raw connections, answers only glanced at (see [`client`]).
//!
//! To add a figure: write `figures/name.rs` with `pub async fn measure(bench: &Bench) -> Result<Vec<Row>>`, then
//! add a variant with one line of help to [`figures::Figure`] and an arm to its `measure`. A figure gets databases
//! from [`database::Engine::fresh`], a server from [`server::Server::start`], its floors from
//! [`floors::Floors::measure`], load from [`load::run`] with a [`load::Client`] of its own if those of the other
//! figures do not fit; it stops and removes what it made, and says in each [`report::Row`] what it stands against.

mod args;
mod client;
mod database;
mod figures;
mod floors;
mod load;
mod machine;
mod numbers;
mod report;
mod server;

use anyhow::{Context, Result};
use args::{Args, EngineKind};
use clap::Parser;
use database::Engine;
use figures::Figure;
use machine::{Others, Ours, Watch, look};
use report::{Measured, Row, table};
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// One engine to be measured, and with what.
pub struct Bench {
    args: Args,
    engine: Engine,
    server: PathBuf,
    folder: TempDir,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let mut measured = Vec::new();
    let mut broken = Vec::new();
    'all: for kind in args.engines() {
        let bench = Bench::new(&args, kind)?;
        for figure in args.figures() {
            // Whatever a figure leaves running ends with its runtime.
            let result = runtime()?.block_on(unless_interrupted(bench.measure(figure)));
            runtime()?.block_on(bench.engine.clean_up())?;
            match result {
                Some(Ok(rows)) => measured.extend(rows),
                Some(Err(error)) => {
                    broken.push(format!("{} {figure:?} was not measured: {error:#}", kind.name()));
                }
                None => {
                    broken.push("interrupted".to_owned());
                    break 'all;
                }
            }
        }
    }
    println!("\n{}", table(&measured));
    for line in &broken {
        println!("{line}");
    }
    if let Some(file) = &args.json {
        fs::write(file, serde_json::to_string_pretty(&measured)? + "\n")
            .with_context(|| file.display().to_string())?;
    }
    let missed = measured.iter().any(|row| row.met == Some(false));
    let failed = !broken.is_empty() || (args.strict && missed);
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn runtime() -> Result<Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("no runtime")
}

/// Nothing, if a signal to end came first.
async fn unless_interrupted<T>(work: impl Future<Output = Result<T>>) -> Option<Result<T>> {
    let signals = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ]
    .map(signal);
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hang_up)] = signals else {
        return Some(Err(anyhow::anyhow!("no signals can be received")));
    };
    tokio::select! {
        result = work => Some(result),
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
        _ = hang_up.recv() => None,
    }
}

impl Bench {
    fn new(args: &Args, kind: EngineKind) -> Result<Self> {
        let server = match &args.server {
            Some(server) => fs::canonicalize(server).with_context(|| server.display().to_string())?,
            None => env::current_exe()?.with_file_name("caretrack"),
        };
        // The build's folder is on a real disk; the system's temporary one may be in memory.
        let target = env::current_dir()?.join("target");
        fs::create_dir_all(&target)?;
        let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(target)?;
        Ok(Self {
            args: args.clone(),
            engine: Engine::new(kind, args.database_url.as_deref(), folder.path())?,
            server,
            folder,
        })
    }

    /// Measures a figure, again if others used the machine meanwhile.
    async fn measure(&self, figure: Figure) -> Result<Vec<Measured>> {
        let ours = self.engine.ours().await?;
        let mut tries = 0;
        loop {
            tries += 1;
            println!("{} {figure:?}, try {tries}", self.engine.kind.name());
            let (rows, others) = self.once(figure, &ours).await?;
            println!("  {others}");
            if others.were_quiet() || tries >= self.args.tries {
                let measured = rows.into_iter().map(|row| Measured {
                    engine: self.engine.kind.name(),
                    met: row.met(),
                    row,
                    noisy: !others.were_quiet(),
                    others,
                    tries,
                });
                return Ok(measured.collect());
            }
        }
    }

    /// Waits a little for others to finish; gives their share when it went on.
    async fn wait_until_quiet(&self, ours: &Ours) -> Result<f64> {
        const LOOKS: usize = 5;
        let mut share = look(ours).await?;
        for _ in 1..LOOKS {
            if machine::is_quiet(share) || self.args.tries <= 1 {
                break;
            }
            share = look(ours).await?;
        }
        Ok(share)
    }

    async fn once(&self, figure: Figure, ours: &Ours) -> Result<(Vec<Row>, Others)> {
        let before = self.wait_until_quiet(ours).await?;
        let watch = Watch::start(ours)?;
        let rows = figure.measure(self).await?;
        let during = watch.finish(ours)?;
        let after = look(ours).await?;
        let others = Others {
            before,
            during: during.others,
            after,
            load: during.load,
        };
        Ok((rows, others))
    }
}
