//! Whether what a process needs is there: the store, its schema, and a worker that goes on.

use crate::Application;
use caretrack_ports::{Schema, Store};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    Passed,
    Failed(&'static str),
    /// It could not be made.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    pub store: Check,
    pub migrations: Check,
    /// None where there is no worker in this process.
    pub worker: Option<Check>,
}

impl Health {
    pub fn is_good(&self) -> bool {
        let checks = [Some(self.store), Some(self.migrations), self.worker];
        checks.into_iter().flatten().all(|check| check == Check::Passed)
    }
}

/// How long the store may take to answer before it is said to be away.
const PATIENCE: Duration = Duration::from_secs(1);
/// No worker is called silent before that.
const SHORTEST_SILENCE: Duration = Duration::from_secs(5);

/// Of the store; asked once for all who ask meanwhile, and not again before it has answered.
type Probe = Shared<BoxFuture<'static, (Check, Check)>>;

#[derive(Default)]
pub(crate) struct Vitals {
    probe: Mutex<Option<Probe>>,
    /// When the worker went round last, and how long that may be ago.
    heartbeat: Mutex<Option<(Instant, Duration)>>,
}

impl Vitals {
    /// The worker goes round; another one takes its tasks if it does not for as long as its lease.
    pub fn beat(&self, lease: Duration) {
        *lock(&self.heartbeat) = Some((Instant::now(), lease.max(SHORTEST_SILENCE)));
    }

    fn worker(&self) -> Option<Check> {
        let (last, longest) = (*lock(&self.heartbeat))?;
        Some(if last.elapsed() < longest {
            Check::Passed
        } else {
            Check::Failed("the worker has stalled")
        })
    }

    async fn store(&self, store: &Arc<dyn Store>) -> (Check, Check) {
        let probe = {
            let mut last = lock(&self.probe);
            match last.as_ref().filter(|probe| probe.peek().is_none()) {
                Some(under_way) => under_way.clone(),
                None => last.insert(probe(Arc::clone(store))).clone(),
            }
        };
        let late = (Check::Failed("it does not answer"), Check::Unknown);
        timeout(PATIENCE, probe).await.unwrap_or(late)
    }
}

/// A task of its own: it goes on when whoever asked has gone, so that no connection is left in the middle of a query.
fn probe(store: Arc<dyn Store>) -> Probe {
    let asking = tokio::spawn(async move {
        match store.check().await {
            Ok(Schema::Current) => (Check::Passed, Check::Passed),
            Ok(Schema::Behind) => (Check::Passed, Check::Failed("some are missing")),
            Err(error) => {
                tracing::warn!(%error, "the store cannot be read");
                (Check::Failed("it cannot be read"), Check::Unknown)
            }
        }
    });
    let broken = (Check::Failed("it could not be asked"), Check::Unknown);
    asking.map(move |asked| asked.unwrap_or(broken)).boxed().shared()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is one step, so a poisoned lock still guards sound data.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Application {
    /// Answers within a second, whatever the store does.
    pub async fn health(&self) -> Health {
        let (store, migrations) = self.vitals.store(&self.store.inner).await;
        Health {
            store,
            migrations,
            worker: self.vitals.worker(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::support::World;
    use futures::future::join_all;
    use std::sync::atomic::Ordering;

    const GOOD: Health = Health {
        store: Check::Passed,
        migrations: Check::Passed,
        worker: None,
    };

    #[tokio::test(start_paused = true)]
    async fn a_store_that_hangs_is_asked_once_and_told_of_within_a_second() {
        let world = World::new().await;
        assert_eq!(world.app.health().await, GOOD);
        world.store.slowness.store(10_000, Ordering::Relaxed);
        world.store.looked_up.store(0, Ordering::Relaxed);
        for _ in 0..3 {
            let began = Instant::now();
            for health in join_all((0..1000).map(|_| world.app.health())).await {
                let (store, migrations) = (Check::Failed("it does not answer"), Check::Unknown);
                assert_eq!((health.store, health.migrations), (store, migrations));
                assert!(!health.is_good());
            }
            assert_eq!(began.elapsed(), PATIENCE);
        }
        assert_eq!(world.store.looked_up.load(Ordering::Relaxed), 1);
        world.store.slowness.store(0, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(world.app.health().await, GOOD);
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_goes_on_is_seen_and_one_that_does_not_as_well() {
        let world = World::new().await;
        let (stop, running) = world.start_worker();
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_secs(100)).await;
            let worker = Some(Check::Passed);
            assert_eq!(world.app.health().await, Health { worker, ..GOOD });
        }
        running.abort();
        tokio::time::sleep(Duration::from_secs(40)).await;
        let health = world.app.health().await;
        assert_eq!(health.worker, Some(Check::Failed("the worker has stalled")));
        assert!(!health.is_good());
        drop(stop);
    }
}
