//! The worker: claims tasks, carries them out, keeps its leases, takes tasks from workers that fell silent,
//! and clears away what is past its retention.
//!
//! Many tasks are in flight at once, but only a few decide at the same time: the others wait for their commit,
//! which the store puts together with those of their neighbours.

mod leases;

use crate::Application;
use crate::notices::Seen;
use crate::perform::{patience, token_of};
use caretrack_domain::{Instant, Lease, LeaseToken, TaskId, TaskKind, WorkspaceId};
use caretrack_ports::{Claim, ClaimedTask, Observed, Retention, WebhookSender};
use futures::FutureExt;
use futures::future::{AbortHandle, Abortable, Shared, join_all};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::Instrument;

#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// How many tasks decide at the same time.
    pub concurrency: usize,
    /// How long a worker may be silent before another one has its tasks.
    pub lease: Duration,
    /// How often silent workers are looked for.
    pub reap_every: Duration,
    /// How often, and how long after their end, tasks are deleted.
    pub prune_every: Duration,
    pub retention: Duration,
    /// How often what was written to the audit log is sealed.
    pub seal_every: Duration,
    /// How long running tasks may take to finish when the worker stops.
    pub grace: Duration,
}

impl WorkerSettings {
    /// What is written as a lease: a little less, so that noticing and taking over fit in as well.
    fn term(&self) -> Duration {
        self.lease.mul_f64(0.9)
    }

    /// Tasks land in crowds, as their commits do: it is worth waiting for some room before claiming again.
    fn least_room(&self) -> usize {
        self.most_in_flight() / 4
    }

    fn most_in_flight(&self) -> usize {
        (self.concurrency * 128).max(1024)
    }
}

/// A claimed task on its way.
struct Flight {
    workspace: WorkspaceId,
    token: LeaseToken,
    abort: AbortHandle,
    lost: Arc<AtomicBool>,
}

impl Flight {
    /// The task is no longer ours: whatever is being done for it is in vain.
    fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
        self.abort.abort();
    }
}

pub struct Worker {
    application: Arc<Application>,
    settings: WorkerSettings,
    sender: Option<Arc<dyn WebhookSender>>,
    permits: Semaphore,
    flights: Mutex<HashMap<TaskId, Flight>>,
    landed: Notify,
    /// How many of the flights are deliveries.
    deliveries: AtomicUsize,
}

/// Takes a task out of the flights, however it ended.
struct Landing {
    worker: Arc<Worker>,
    id: TaskId,
    token: LeaseToken,
    kind: TaskKind,
    lost: Arc<AtomicBool>,
}

impl Landing {
    /// It was stopped on its way. One that finds by itself that it is lost says so itself, and is not stopped.
    fn stopped(&self) {
        if self.lost.load(Ordering::Relaxed) {
            self.worker.application.observe(Observed::LeaseLost(self.kind));
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if is_delivery(self.kind) {
            self.worker.deliveries.fetch_sub(1, Ordering::Relaxed);
        }
        let mut flights = self.worker.flights();
        // After a lost lease the same task may be here again, under another one.
        if flights
            .get(&self.id)
            .is_some_and(|flight| flight.token == self.token)
        {
            flights.remove(&self.id);
        }
        drop(flights);
        self.worker.landed.notify_one();
    }
}

impl Worker {
    /// A claim is one step of a transaction that others wait for.
    const CLAIMED_AT_ONCE: usize = 256;
    const REAPED_AT_ONCE: usize = 100;
    const PRUNED_AT_ONCE: usize = 1000;
    const LONGEST_WAIT: Duration = Duration::from_secs(1);
    /// For giving leases back, at the very end.
    const FAREWELL: Duration = Duration::from_secs(2);

    pub fn new(application: Arc<Application>, settings: WorkerSettings) -> Self {
        Self {
            permits: Semaphore::new(settings.concurrency.max(1)),
            application,
            settings,
            sender: None,
            flights: Mutex::default(),
            landed: Notify::new(),
            deliveries: AtomicUsize::new(0),
        }
    }

    /// It makes notices, and sends them.
    pub fn sending(self, sender: Arc<dyn WebhookSender>) -> Self {
        Self {
            sender: Some(sender),
            ..self
        }
    }

    /// Works until `stop` turns true (or its sender is gone), then lets running tasks finish.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let stopped = async move {
            let _ = stop.wait_for(|stop| *stop).await;
        };
        let stopped = stopped.boxed().shared();
        let work = async {
            self.take_tasks(&stopped).await;
            self.land().await;
        };
        // Leases are kept until the last task has landed.
        let upkeep = futures::future::join5(
            self.keep_leases(),
            self.reap(),
            self.prune(),
            self.make_notices(),
            futures::future::join(self.seal_audit(), self.hand_over_due()),
        );
        tokio::select! {
            () = work => {}
            _ = upkeep => {}
        }
    }

    async fn take_tasks(self: &Arc<Self>, stopped: &Shared<impl Future<Output = ()>>) {
        let mut failing = patience();
        let mut clock_moves = self.application.clock_moves();
        let mut look_at = tokio::time::Instant::now();
        while stopped.clone().now_or_never().is_none() {
            self.application.vitals.beat(self.settings.lease);
            let room = self
                .settings
                .most_in_flight()
                .saturating_sub(self.flights().len());
            let has_room = room >= self.settings.least_room();
            let offered = self.offered();
            let handed = self.application.queue.offer(has_room.then(|| self.wish(offered)));
            if handed.more {
                look_at = tokio::time::Instant::now();
            }
            self.launch_all(handed.tasks);
            if !has_room {
                tokio::select! {
                    () = self.landed.notified() => {}
                    () = tokio::time::sleep(Self::LONGEST_WAIT) => {}
                    () = stopped.clone() => {}
                }
                continue;
            }
            if tokio::time::Instant::now() < look_at {
                tokio::select! {
                    () = self.application.queue.wait(look_at - tokio::time::Instant::now()) => {}
                    () = clock_moves.next() => look_at = tokio::time::Instant::now(),
                    // Those that were left where they were may come now.
                    () = self.landed.notified(), if self.deliveries_are_many() => {
                        look_at = tokio::time::Instant::now();
                    }
                    () = stopped.clone() => {}
                }
                continue;
            }
            // Never dropped halfway: what it claimed would be ours without our knowing.
            match self
                .application
                .queue
                .claim(self.wish(room.min(Self::CLAIMED_AT_ONCE)))
                .await
            {
                Ok(claimed) => {
                    failing = patience();
                    if claimed.tasks.is_empty() {
                        look_at = tokio::time::Instant::now() + self.nothing_until(claimed.next_at);
                    }
                    self.launch_all(claimed.tasks);
                }
                Err(error) => {
                    tracing::warn!(%error, "no tasks could be claimed");
                    let pause = failing.next().unwrap_or(Self::LONGEST_WAIT);
                    // Over early if it stops.
                    let _ = timeout(pause, stopped.clone()).await;
                }
            }
        }
        self.take_back_offer().await;
    }

    /// A commit that is under way may still start something on the last offer: it is over before a later one.
    async fn take_back_offer(self: &Arc<Self>) {
        let queue = &self.application.queue;
        self.launch_all(queue.offer(None).tasks);
        if let Err(error) = queue.renew(Vec::new(), self.application.now()).await {
            tracing::debug!(%error, "what was started at last is left to its lease");
        }
        self.launch_all(queue.offer(None).tasks);
    }

    /// How much of what is accepted here is kept here: what is soon got to. The rest is for every server.
    fn offered(&self) -> usize {
        (self.settings.concurrency * 8).saturating_sub(self.flights().len())
    }

    /// What the worker would take now.
    fn wish(&self, limit: usize) -> Claim {
        let now = self.application.now();
        Claim {
            kinds: self.room_by_kind(),
            limit,
            now,
            lease: Lease {
                token: LeaseToken(self.application.ids.id()),
                worker: self.application.worker,
                until: self.application.system_now() + self.settings.term(),
            },
        }
    }

    /// Of every kind that has some.
    fn room_by_kind(&self) -> BTreeMap<TaskKind, usize> {
        let room = |kind| match kind {
            TaskKind::RegistryWrite
            | TaskKind::SearchRun
            | TaskKind::SearchRefresh
            | TaskKind::SearchRefreshDaily
            | TaskKind::SearchTimeout
            | TaskKind::PatientStop
            | TaskKind::PatientAnonymise => usize::MAX,
            TaskKind::WebhookDeliver => self.room_for_deliveries(),
        };
        let kinds = <TaskKind as strum::IntoEnumIterator>::iter();
        let rooms = kinds.map(|kind| (kind, room(kind)));
        rooms.filter(|(_, room)| *room > 0).collect()
    }

    fn deliveries_are_many(&self) -> bool {
        self.sender.is_some() && self.room_for_deliveries() == 0
    }

    /// They wait for others to answer: their slowness must not be everybody's.
    fn room_for_deliveries(&self) -> usize {
        let most = self
            .sender
            .as_ref()
            .map_or(0, |_| self.settings.most_in_flight() / 4);
        most.saturating_sub(self.deliveries.load(Ordering::Relaxed))
    }

    /// How long there is nothing to do.
    fn nothing_until(&self, next_at: Option<Instant>) -> Duration {
        let until_due = next_at.and_then(|at| Duration::try_from(at - self.application.now()).ok());
        until_due.map_or(Self::LONGEST_WAIT, |wait| wait.min(Self::LONGEST_WAIT))
    }

    fn launch_all(self: &Arc<Self>, tasks: Vec<ClaimedTask>) {
        for task in tasks {
            self.launch(task);
        }
    }

    fn launch(self: &Arc<Self>, claimed: ClaimedTask) {
        let Some(token) = token_of(&claimed.task) else {
            return;
        };
        let (id, workspace) = (claimed.task.id(), claimed.task.facts().workspace);
        let kind = claimed.task.facts().kind;
        let span = self.application.store.tracer.attempt(&claimed.task);
        let (abort, registration) = AbortHandle::new_pair();
        let lost = Arc::new(AtomicBool::new(false));
        let flight = Flight {
            workspace,
            token,
            abort,
            lost: Arc::clone(&lost),
        };
        // That it is here again says that an earlier lease is gone.
        if let Some(earlier) = self.flights().insert(id, flight) {
            earlier.lose();
        }
        let landing = Landing {
            worker: Arc::clone(self),
            id,
            token,
            kind,
            lost,
        };
        if is_delivery(kind) {
            self.deliveries.fetch_add(1, Ordering::Relaxed);
        }
        let flight = async move {
            let worker = &landing.worker;
            let sender = worker.sender.as_deref();
            let performing = worker.application.perform(claimed, &worker.permits, sender);
            if Abortable::new(performing, registration).await.is_err() {
                landing.stopped();
            }
        };
        tokio::spawn(flight.instrument(span));
    }

    /// Waits for the flights to end; gives back those that do not.
    async fn land(&self) {
        let all_landed = async {
            while !self.flights().is_empty() {
                self.landed.notified().await;
            }
        };
        if timeout(self.settings.grace, all_landed).await.is_ok() {
            return;
        }
        let left: Vec<_> = self.flights().drain().collect();
        tracing::info!(tasks = left.len(), "giving back what is not finished");
        let given_back = left.into_iter().map(|(id, flight)| {
            flight.abort.abort();
            self.application.give_back(flight.workspace, id, flight.token)
        });
        if timeout(Self::FAREWELL, join_all(given_back)).await.is_err() {
            tracing::warn!("not everything could be given back; the leases will run out");
        }
    }

    async fn prune(&self) {
        let mut ticks = ticks(self.settings.prune_every);
        let mut clock_moves = self.application.clock_moves();
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = clock_moves.next() => {}
            }
            let retention = Retention {
                ended_before: self.application.now() - self.settings.retention,
                expired_by: self.application.system_now(),
            };
            loop {
                match self
                    .application
                    .store
                    .prune(retention, Self::PRUNED_AT_ONCE)
                    .await
                {
                    Ok(0) => break,
                    Ok(count) => tracing::debug!(count, "deleted what is past its retention"),
                    Err(error) => {
                        tracing::warn!(%error, "what is past its retention could not be deleted");
                        break;
                    }
                }
            }
        }
    }

    /// Nobody waits for a notice that is made a little later; what matters is that many are made at once.
    async fn make_notices(&self) {
        const PAUSE: Duration = Duration::from_millis(50);
        /// How soon a webhook that was made elsewhere is known of.
        const LONGEST: Duration = Duration::from_secs(1);
        const POLL: Duration = Duration::from_millis(250);
        if self.sender.is_none() {
            return std::future::pending().await;
        }
        let (mut seen, mut failing) = (Seen::new(), patience());
        loop {
            match self.application.make_notices(&mut seen).await {
                Ok((0, _)) => tokio::time::sleep(LONGEST).await,
                Ok((webhooks, more)) => {
                    failing = patience();
                    if !more {
                        self.application.store.wait_for_events(POLL).await;
                    }
                    // Many webhooks are many queries.
                    let queries = u32::try_from(webhooks).unwrap_or(u32::MAX);
                    tokio::time::sleep(PAUSE.max(Duration::from_millis(2).saturating_mul(queries))).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "notices could not be made");
                    tokio::time::sleep(failing.next().unwrap_or(LONGEST)).await;
                }
            }
        }
    }

    /// Makes tasks of what is due. A crowd that falls due at once comes in small companies, and leaves room between.
    async fn hand_over_due(&self) {
        const AT_ONCE: usize = 128;
        const PAUSE: Duration = Duration::from_millis(20);
        const EVERY: Duration = Duration::from_secs(1);
        let mut clock_moves = self.application.clock_moves();
        let mut failing = patience();
        loop {
            let pause = match self.application.hand_over_due(AT_ONCE).await {
                Ok(AT_ONCE..) => PAUSE,
                Ok(_) => {
                    failing = patience();
                    EVERY
                }
                Err(error) => {
                    tracing::warn!(%error, "what is due could not be handed over");
                    failing.next().unwrap_or(EVERY)
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = clock_moves.next() => {}
            }
        }
    }

    async fn seal_audit(&self) {
        let mut ticks = ticks(self.settings.seal_every);
        // The first one is at once.
        ticks.tick().await;
        loop {
            ticks.tick().await;
            loop {
                match self.application.seal_audit(self.settings.seal_every).await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        tracing::warn!(%error, "the audit log could not be sealed");
                        break;
                    }
                }
            }
        }
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<TaskId, Flight>> {
        // Every change is one call, so a poisoned lock still guards sound data.
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_delivery(kind: TaskKind) -> bool {
    kind == TaskKind::WebhookDeliver
}

/// Regular, but never hurrying to make up for a stall.
fn ticks(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval(period.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
