//! `caretrack import`: loads FHIR resources into a running server.
//!
//! How it works: one thread reads the files and deals the records out to lanes, each of which writes one record at a time.
//! All records of one type and id go to the same lane, so they are written in the order of the input.
//!
//! What it promises: the memory does not grow with the input; a run that is repeated, resumed or cut short by a restart of
//! the server ends in the same records, without duplicates (see [`writer`]).

mod fhir;
mod files;
mod progress;
mod tally;
mod writer;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use self::fhir::{Found, Record, Rejected, fits_key};
use self::files::Source;
use self::progress::Progress;
use self::tally::Tally;
use self::writer::{Health, Outcome, Stop, StopCause, Writer, delays};
use super::client::{Client, ClientArgs};
use super::{EXIT_CODES, Exit, parse_duration, print};

/// Records that may wait in one lane: enough that a slow lane does not starve the others at once.
const LANE_ROOM: usize = 16;
/// Room for all records that are read and not yet written, in KiB.
const BUDGET: u32 = 64 << 10;

/// Load FHIR resources from files or folders into a running server
///
/// Reads NDJSON (.ndjson, .jsonl: a resource or bundle a line), and .json files with one resource or one bundle
/// (transaction, batch, collection). Each resource becomes a record of the registry with the same type and id; its content
/// is stored exactly as it is in the file.
///
/// The import may be interrupted, repeated and resumed: what is there already is left as it is, nothing is written twice.
/// The key needs the scopes `registry:read` and `registry:write`.
#[derive(Debug, Args)]
#[command(after_help = format!("\
Examples:
  caretrack import patients.ndjson
  caretrack import bundles/ observations.ndjson --concurrency 32
  caretrack import --source northclinic --server https://caretrack.example --api-key-file my.key exports/
  caretrack import --json exports/ > summary.json

{EXIT_CODES}"))]
pub struct ImportArgs {
    /// Files (.ndjson, .jsonl, .json) or folders, which are searched with all folders in them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The registry's source to write into; made by the first write if it is not there
    #[arg(long, value_name = "KEY", default_value = "fhir", value_parser = parse_source)]
    source: String,
    /// How many resources are written at the same time
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// How long to keep trying when the server is away or overloaded; then the import stops
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
    retry_for: Duration,
    #[command(flatten)]
    client: ClientArgs,
}

fn parse_source(text: &str) -> Result<String, String> {
    if fits_key(text) {
        Ok(text.to_owned())
    } else {
        Err("expected 1 to 62 letters, digits, - or _, not beginning with _".to_owned())
    }
}

/// Runs the import, shows its progress on standard error and its summary on standard output.
pub async fn run(args: ImportArgs) -> anyhow::Result<ExitCode> {
    let client = match Client::new(&args.client) {
        Ok(client) => client,
        Err(error) => {
            eprintln!("error: {error}");
            return Ok(error.exit().into());
        }
    };
    let sources = match files::discover(&args.paths) {
        Ok(sources) => sources,
        Err(error) => {
            eprintln!("error: {error:#}");
            return Ok(Exit::Usage.into());
        }
    };
    let progress = Arc::new(Progress::new(sources.iter().map(|source| source.bytes).sum()));
    let import = Arc::new(Import {
        writer: Writer {
            client,
            source: args.source,
            retry_for: args.retry_for,
            delays: delays(),
            stop: Stop::new(),
            progress: progress.clone(),
            health: Health::new(),
        },
        tally: Mutex::default(),
    });
    let started_at = Instant::now();
    let interrupt = tokio::spawn(watch_interrupt(import.writer.stop.clone(), progress.clone()));
    let done = import.clone().carry_out(sources, args.concurrency.into()).await;
    interrupt.abort();
    progress.finish();
    done?;

    let stop = import.writer.stop.cause();
    let elapsed = started_at.elapsed();
    let (summary, failed) = {
        let tally = import.tally();
        let summary = if args.client.json {
            tally.json(elapsed, stop.as_ref())?
        } else {
            tally.text(elapsed, stop.as_ref())
        };
        (summary, tally.failed)
    };
    print(&summary)?;
    Ok(exit(stop.as_ref(), failed).into())
}

fn exit(stop: Option<&StopCause>, failed: u64) -> Exit {
    match stop {
        Some(StopCause::Refused(_)) => Exit::Refused,
        Some(StopCause::Unreachable(_)) => Exit::Unreachable,
        Some(StopCause::Interrupted | StopCause::Busy(_)) => Exit::Failed,
        None if failed > 0 => Exit::Failed,
        None => Exit::Done,
    }
}

/// The first Ctrl-C ends the import in good order, the second at once.
async fn watch_interrupt(stop: Stop, progress: Arc<Progress>) {
    if tokio::signal::ctrl_c().await.is_ok() {
        stop.set(StopCause::Interrupted);
        progress.notice("finishing what is under way; press Ctrl-C again to end at once");
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(Exit::Failed as i32);
        }
    }
}

struct Import {
    writer: Writer,
    tally: Mutex<Tally>,
}

/// A record on its way to be written, with its share of the memory.
struct Job {
    record: Record,
    bytes: u64,
    _room: OwnedSemaphorePermit,
}

impl Import {
    async fn carry_out(self: Arc<Self>, sources: Vec<Source>, concurrency: usize) -> anyhow::Result<()> {
        let mut tasks = JoinSet::new();
        let mut lanes = Vec::with_capacity(concurrency);
        for _ in 0..concurrency {
            let (lane, jobs) = mpsc::channel(LANE_ROOM);
            lanes.push(lane);
            tasks.spawn(self.clone().work(jobs));
        }
        let reader = tokio::task::spawn_blocking({
            let import = self.clone();
            let runtime = Handle::current();
            move || import.read(&sources, &lanes, &runtime)
        });
        while let Some(task) = tasks.join_next().await {
            task?;
        }
        reader.await?;
        Ok(())
    }

    /// Reads everything and deals it out; the lanes close when this ends.
    fn read(&self, sources: &[Source], lanes: &[mpsc::Sender<Job>], runtime: &Handle) {
        let room = Arc::new(Semaphore::new(BUDGET as usize));
        let mut emit = |found: Found| {
            if self.writer.stop.is_set() {
                return ControlFlow::Break(());
            }
            match found.item {
                Ok(record) => deal(found.bytes, record, lanes, &room, runtime),
                Err(rejected) => {
                    self.tally().fail(rejected);
                    self.writer.progress.advance(found.bytes);
                    ControlFlow::Continue(())
                }
            }
        };
        // Until the first file that breaks off.
        let _ = sources.iter().try_for_each(|source| source.read(&mut emit));
    }

    async fn work(self: Arc<Self>, mut jobs: mpsc::Receiver<Job>) {
        while let Some(job) = jobs.recv().await {
            // What waits in the lane when the import stops is left for the next run.
            if self.writer.stop.is_set() {
                continue;
            }
            let outcome = self.writer.write(&job.record).await;
            self.count(job, outcome);
        }
    }

    fn count(&self, job: Job, outcome: Outcome) {
        let mut tally = self.tally();
        match outcome {
            Outcome::Written => tally.written += 1,
            Outcome::Unchanged => tally.unchanged += 1,
            Outcome::Deleted => tally.deleted += 1,
            Outcome::Failed(reason) => {
                let Record { place, kind, id, .. } = job.record;
                tally.fail(Rejected {
                    place,
                    kind: Some(kind),
                    id: Some(id),
                    reason,
                });
            }
            Outcome::Open => return,
        }
        drop(tally);
        self.writer.progress.advance(job.bytes);
    }

    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands a record to its lane, as soon as there is room for it.
fn deal(
    bytes: u64,
    record: Record,
    lanes: &[mpsc::Sender<Job>],
    room: &Arc<Semaphore>,
    runtime: &Handle,
) -> ControlFlow<()> {
    let needed = u32::try_from(bytes / 1024 + 1).unwrap_or(BUDGET).min(BUDGET);
    let Ok(share) = runtime.block_on(room.clone().acquire_many_owned(needed)) else {
        return ControlFlow::Break(());
    };
    let lane = &lanes[lane_of(&record.kind, &record.id, lanes.len())];
    match lane.blocking_send(Job {
        record,
        bytes,
        _room: share,
    }) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    }
}

fn lane_of(kind: &str, id: &str, lanes: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    (kind, id).hash(&mut hasher);
    usize::try_from(hasher.finish() % lanes as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests;
