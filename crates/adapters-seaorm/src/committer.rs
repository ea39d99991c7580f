//! Group commit: whatever asks to be written while a transaction is under way shares the next one.
//!
//! One batch is one database transaction. Fences are read for the whole batch at once and judged one `Changes`
//! after another, so a conflict fails only its own; what is left is written table by table, many rows to a
//! statement. Claims, heartbeats and pruning ride along. If a unique name is taken, which only the engine can
//! tell, the batch is rolled back and its members are tried one by one: again one fails alone.

mod batch;
mod claims;
mod clock;
mod definitions;
mod fences;
mod idempotency;
mod lanes;
mod marks;
mod pruning;
mod registrations;
mod sheet;
mod tables;
mod writes;

use self::batch::Tx;
use self::sheet::Sheet;
use crate::checkpoint::Log;
use crate::engine::{self, Engine};
use crate::error::{BatchError, store_error, unavailable};
use crate::offers::Starting;
use crate::open;
use crate::queue::Work;
use crate::reserve::Reserve;
use caretrack_domain::{Instant, LeaseToken, TaskId};
use caretrack_ports::{
    Admission, Changes, Claim, Claimed, Committed, Observed, Observer, Retention, StoreError,
};
use std::sync::Arc;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};

/// How many jobs may share one transaction.
const LARGEST_BATCH: usize = 512;

const DISK_FULL: &str = "the disk is full";

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// Something to be done in a transaction, and who waits for it.
pub(crate) enum Job {
    Commit(Box<Changes>, Option<Box<Sheet>>, Reply<Committed>),
    Claim(Claim, Reply<Claimed>),
    Renew(Vec<(TaskId, LeaseToken)>, Instant, Reply<Vec<TaskId>>),
    Prune(Retention, usize, Reply<usize>),
}

/// What became of a job in a transaction that was committed.
enum Outcome {
    Committed(Committed),
    Conflict,
    Duplicate,
    Claimed(Claimed),
    Renewed(Vec<TaskId>),
    Pruned(usize),
}

impl Job {
    fn is_new_work(&self) -> bool {
        match self {
            Self::Commit(changes, ..) => changes.admission() == Admission::New,
            Self::Claim(..) | Self::Renew(..) | Self::Prune(..) => false,
        }
    }

    /// Whether nothing of what was there before is to be left.
    fn forgets(&self) -> bool {
        match self {
            Self::Commit(changes, ..) => {
                let mut registrations = changes.parts().registrations.iter();
                registrations.any(|write| write.after.is_anonymised())
            }
            Self::Claim(..) | Self::Renew(..) | Self::Prune(..) => false,
        }
    }

    fn at(&self) -> Option<Instant> {
        match self {
            Self::Commit(changes, ..) => Some(changes.at()),
            Self::Claim(..) | Self::Renew(..) | Self::Prune(..) => None,
        }
    }

    fn done(self, outcome: Outcome) {
        // Whoever asked may have gone; then nobody needs to know.
        match (self, outcome) {
            (Self::Commit(_, _, reply), Outcome::Committed(committed)) => drop(reply.send(Ok(committed))),
            (Self::Commit(_, _, reply), Outcome::Conflict) => drop(reply.send(Err(StoreError::Conflict))),
            (Self::Commit(_, _, reply), Outcome::Duplicate) => drop(reply.send(Err(StoreError::Duplicate))),
            (Self::Claim(_, reply), Outcome::Claimed(claimed)) => drop(reply.send(Ok(claimed))),
            (Self::Renew(_, _, reply), Outcome::Renewed(ids)) => drop(reply.send(Ok(ids))),
            (Self::Prune(_, _, reply), Outcome::Pruned(count)) => drop(reply.send(Ok(count))),
            (job, _) => job.failed(unavailable("the batch answered something else")),
        }
    }

    fn failed(self, error: StoreError) {
        match self {
            Self::Commit(_, _, reply) => drop(reply.send(Err(error))),
            Self::Claim(_, reply) => drop(reply.send(Err(error))),
            Self::Renew(_, _, reply) => drop(reply.send(Err(error))),
            Self::Prune(_, _, reply) => drop(reply.send(Err(error))),
        }
    }
}

/// The one connection that writes, and how to make it again.
pub(crate) struct Writer {
    url: String,
    role: open::Role,
    engine: Engine,
}

impl Writer {
    pub async fn open(url: &str, role: open::Role) -> Result<Self, StoreError> {
        Ok(Self {
            url: url.to_owned(),
            role,
            engine: Engine::open(url, role).await?,
        })
    }
}

/// Who hears of what the committing task does.
pub(crate) struct Told {
    pub work: Work,
    pub wake: Arc<dyn Fn() + Send + Sync>,
    /// Told of every commit.
    pub log: Arc<Log>,
    /// Told of every commit when it may be read.
    pub readable: Arc<Notify>,
    pub observer: Arc<dyn Observer>,
}

/// Hands jobs to the committing task.
pub(crate) struct Committer {
    jobs: mpsc::Sender<Job>,
    new_work: Arc<Semaphore>,
    reserve: Arc<Reserve>,
}

impl Committer {
    pub fn start(
        writer: Writer,
        reserve: Arc<Reserve>,
        told: Told,
        most_waiting: usize,
    ) -> std::io::Result<Self> {
        let Told {
            work,
            wake,
            log,
            readable,
            observer,
        } = told;
        // Continuing work always finds room: what there can be of it is bounded by those who wait for it.
        let (jobs, waiting) = mpsc::channel(most_waiting * 2);
        let run = Run {
            writer,
            reserve: reserve.clone(),
            work,
            wake,
            log,
            observer,
            readable,
            known: batch::Known::default(),
        };
        let blocks = run.writer.engine.blocks();
        engine::spawn("committer", blocks, run.serve(waiting))?;
        Ok(Self {
            jobs,
            new_work: Arc::new(Semaphore::new(most_waiting)),
            reserve,
        })
    }

    pub async fn commit(&self, changes: Changes) -> Result<Committed, StoreError> {
        let _admitted = match changes.admission() {
            Admission::New if !self.reserve.admits_new_work() => return Err(unavailable(DISK_FULL)),
            Admission::New => Some(
                self.new_work
                    .try_acquire()
                    .map_err(|_| unavailable("too much is waiting to be written"))?,
            ),
            Admission::Continuing => None,
        };
        let sheet = Box::new(Sheet::of(changes.parts()));
        self.submit(|reply| Job::Commit(Box::new(changes), Some(sheet), reply))
            .await
    }

    pub async fn submit<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let gone = || unavailable("the committer has stopped");
        self.jobs.send(job(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// The committing task.
struct Run {
    writer: Writer,
    reserve: Arc<Reserve>,
    work: Work,
    wake: Arc<dyn Fn() + Send + Sync>,
    /// Told of every commit.
    log: Arc<Log>,
    observer: Arc<dyn Observer>,
    /// Something was committed, and may be read.
    readable: Arc<Notify>,
    known: batch::Known,
}

impl Run {
    async fn serve(mut self, mut waiting: mpsc::Receiver<Job>) {
        let mut jobs = Vec::new();
        while waiting.recv_many(&mut jobs, LARGEST_BATCH).await > 0 {
            let (size, began) = (jobs.len(), std::time::Instant::now());
            self.run(std::mem::take(&mut jobs)).await;
            self.observer.observe(Observed::Batch {
                jobs: size,
                took: began.elapsed(),
            });
        }
    }

    /// Runs a batch to its end, whatever happens: every job gets its answer.
    async fn run(&mut self, mut jobs: Vec<Job>) {
        let mut result = self.transaction(&mut jobs).await;
        if matches!(result, Err(BatchError::Full)) {
            self.reserve.turn_away();
            let new: Vec<Job> = jobs.extract_if(.., |job| job.is_new_work()).collect();
            refuse(new, || unavailable(DISK_FULL));
            if jobs.is_empty() {
                return;
            }
            result = self.transaction(&mut jobs).await;
        }
        if matches!(result, Err(BatchError::Full)) {
            // What ends old work gets the room kept for it.
            self.reserve.release();
            result = self.transaction(&mut jobs).await;
        }
        match result {
            // By somebody else: the next batch need not wait for it.
            Ok(outcomes) => drop(tokio::spawn(async move {
                for (job, outcome) in jobs.into_iter().zip(outcomes) {
                    job.done(outcome);
                }
            })),
            Err(BatchError::Unique | BatchError::Raced | BatchError::Contention) => {
                for job in jobs {
                    self.alone(job).await;
                }
            }
            Err(BatchError::Full) => refuse(jobs, || unavailable(DISK_FULL)),
            Err(BatchError::Other(error)) => {
                tracing::warn!(%error, jobs = jobs.len(), "a transaction failed");
                refuse(jobs, || store_error(error.clone()));
            }
        }
    }

    /// One job in a transaction of its own, tried again when another transaction gets in its way.
    async fn alone(&mut self, mut job: Job) {
        const TRIES: usize = 10;
        let mut error = StoreError::Duplicate;
        for _ in 0..TRIES {
            error = match self.transaction(std::slice::from_mut(&mut job)).await {
                Ok(mut outcomes) => return job.done(outcomes.remove(0)),
                // Somebody else's row may have come between our look and our insert: look again first.
                Err(BatchError::Raced) => StoreError::Conflict,
                Err(BatchError::Unique) => return job.failed(StoreError::Duplicate),
                Err(BatchError::Contention) => unavailable("others are in the way"),
                Err(BatchError::Full) => return job.failed(unavailable(DISK_FULL)),
                Err(BatchError::Other(error)) => return job.failed(store_error(error)),
            };
        }
        job.failed(error);
    }

    async fn transaction(&mut self, jobs: &mut [Job]) -> Result<Vec<Outcome>, BatchError> {
        let mut starting = self.starting(jobs);
        match self.apply(jobs, &mut starting).await {
            Ok((outcomes, ready)) => {
                self.log.note(jobs.iter().any(Job::forgets));
                self.work.hand_over(starting.started);
                if ready {
                    (self.wake)();
                }
                self.readable.notify_waiters();
                Ok(outcomes)
            }
            Err(error) => {
                self.start_afresh().await;
                Err(error)
            }
        }
    }

    async fn apply(
        &mut self,
        jobs: &mut [Job],
        starting: &mut Starting,
    ) -> Result<(Vec<Outcome>, bool), BatchError> {
        let tx = Tx::of(self.writer.engine.begin().await?);
        let applied = batch::apply(&tx, jobs, starting, &mut self.known).await?;
        tx.commit().await?;
        Ok(applied)
    }

    /// Work begins no earlier than whatever is committed with it.
    fn starting(&mut self, jobs: &[Job]) -> Starting {
        let latest = jobs.iter().filter_map(Job::at).max();
        self.known.latest = latest.max(self.known.latest);
        self.work.offers.starting(self.known.latest)
    }

    /// A connection whose transaction failed is not used again: whether the engine rolled back by itself, and
    /// what the driver believes of it, need not agree, and then a later `COMMIT` would end a savepoint only.
    async fn start_afresh(&mut self) {
        self.known.queues.clear();
        self.known.definitions = definitions::Remembered::default();
        match Engine::open(&self.writer.url, self.writer.role).await {
            Ok(engine) => std::mem::replace(&mut self.writer.engine, engine).close().await,
            Err(error) => tracing::warn!(%error, "no new connection could be made"),
        }
    }
}

fn refuse(jobs: Vec<Job>, error: impl Fn() -> StoreError) {
    for job in jobs {
        job.failed(error());
    }
}
