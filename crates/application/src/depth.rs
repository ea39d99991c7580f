//! How many tasks wait or run, and whether there is room for more: new asynchronous work is turned away before it
//! is written, everything that carries on, ends or cancels what was accepted is not.
//!
//! The number is an estimate, so that nothing is counted when something is accepted: what was counted last, and
//! what this process has accepted and ended since. Of one process alone it is exact; what others do shows at the
//! next count.

use crate::Application;
use caretrack_domain::{NewTask, TaskTransition};
use caretrack_ports::{Changes, Ending, StoreError};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

pub(crate) struct Depth {
    limit: Option<i64>,
    counted: AtomicI64,
    /// Accepted here, less what ended here, since the process began.
    moved: AtomicI64,
}

impl Depth {
    pub fn limited_to(limit: Option<u64>) -> Self {
        Self {
            limit: limit.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX)),
            counted: AtomicI64::new(0),
            moved: AtomicI64::new(0),
        }
    }

    /// Room for what the changes add, if they may; theirs until it is clear whether they are committed.
    pub fn reserve(&self, changes: &Changes) -> Result<Reserved<'_>, StoreError> {
        let parts = changes.parts();
        // What notices wait for are other people's servers: that is no reason to turn anybody away.
        let added = parts.new_tasks.iter().map(NewTask::task).filter(|task| {
            let is_done = Ending::of(task.state()).is_some();
            !is_done && task.facts().kind.is_told()
        });
        let ended = parts.transitions.iter().map(TaskTransition::task);
        let ended = ended.filter(|task| task.status().is_terminal() && task.facts().kind.is_told());
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let (added, ended) = (count(added.count()), count(ended.count()));
        let now = self.counted.load(Ordering::Relaxed) + self.moved.fetch_add(added, Ordering::Relaxed);
        let reserved = Reserved {
            depth: self,
            added,
            ended,
        };
        // A step of a task that makes others is a step of what was accepted, and what falls due was accepted long ago.
        let mut submitters = parts.new_tasks.iter().map(|new| &new.task().facts().submitted_by);
        let is_new = added > 0 && parts.transitions.is_empty() && submitters.any(Option::is_some);
        match self.limit {
            Some(limit) if is_new && now + added > limit => {
                Err(StoreError::Unavailable("too many tasks are waiting".into()))
            }
            Some(_) | None => Ok(reserved),
        }
    }

    fn moved(&self) -> i64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// There were so many when `moved` was read, or a little later.
    fn count(&self, tasks: u64, moved: i64) {
        let tasks = i64::try_from(tasks).unwrap_or(i64::MAX);
        self.counted.store(tasks.saturating_sub(moved), Ordering::Relaxed);
    }
}

/// Given back unless it is kept.
#[must_use]
pub(crate) struct Reserved<'a> {
    depth: &'a Depth,
    added: i64,
    ended: i64,
}

impl Reserved<'_> {
    /// The changes were committed.
    pub fn keep(mut self) {
        self.added = self.ended;
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.depth.moved.fetch_sub(self.added, Ordering::Relaxed);
    }
}

impl Application {
    /// Counts what waits, again and again, where there is a limit; never more than a share of the time.
    pub async fn watch_queue_depth(&self) {
        const PAUSE: Duration = Duration::from_secs(2);
        const SHARE: u32 = 50;
        if self.settings.queue_depth.is_none() {
            return;
        }
        loop {
            let began = tokio::time::Instant::now();
            if let Err(error) = self.count_queue_depth().await {
                tracing::debug!(%error, "what waits could not be counted");
            }
            tokio::time::sleep(PAUSE.max(began.elapsed().saturating_mul(SHARE))).await;
        }
    }

    pub(crate) async fn count_queue_depth(&self) -> Result<(), StoreError> {
        let moved = self.store.depth.moved();
        let backlog = self.store.backlog(self.now()).await?;
        let told = backlog.iter().filter(|queue| queue.kind.is_told());
        let tasks = told.map(|queue| queue.queued + queue.running + queue.held + queue.retrying);
        self.store.depth.count(tasks.sum(), moved);
        Ok(())
    }
}
