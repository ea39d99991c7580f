//! The queue is the tasks table; waking is in the process, and between servers by `LISTEN` and `NOTIFY`.

use crate::SeaStore;
use crate::committer::Job;
use crate::offers::Offers;
use async_trait::async_trait;
use caretrack_domain::{Instant, LeaseToken, TaskId};
use caretrack_ports::{Claim, Claimed, ClaimedTask, Handed, StoreError, TaskQueue};
use sea_orm::sqlx::postgres::PgListener;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

const CHANNEL: &str = "caretrack_work";

#[async_trait]
impl TaskQueue for SeaStore {
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        self.committer.submit(|reply| Job::Claim(claim, reply)).await
    }

    async fn renew(
        &self,
        held: Vec<(TaskId, LeaseToken)>,
        until: Instant,
    ) -> Result<Vec<TaskId>, StoreError> {
        self.committer
            .submit(|reply| Job::Renew(held, until, reply))
            .await
    }

    async fn wait(&self, longest: Duration) {
        // A wake-up that came before is kept: none is lost between a claim and the wait.
        let _ = tokio::time::timeout(longest, self.work.notify.notified()).await;
    }

    fn offer(&self, offer: Option<Claim>) -> Handed {
        self.work.offers.renew(offer)
    }
}

/// How this process' worker is told of work.
#[derive(Clone)]
pub(crate) struct Work {
    pub offers: Arc<Offers>,
    pub notify: Arc<Notify>,
}

impl Work {
    /// There may be something to claim.
    pub fn announce(&self) {
        self.offers.there_is_more();
        self.notify.notify_one();
    }

    /// These were started for the worker.
    pub fn hand_over(&self, started: Vec<ClaimedTask>) {
        if !started.is_empty() {
            self.offers.hand_over(started);
            self.notify.notify_one();
        }
    }
}

/// What the committer calls when there may be something to claim.
pub(crate) fn wake(url: &str, readers: &DatabaseConnection, work: Work) -> Arc<dyn Fn() + Send + Sync> {
    if readers.get_database_backend() != DbBackend::Postgres {
        return Arc::new(move || work.announce());
    }
    tokio::spawn(listen(url.to_owned(), work.clone()));
    let others = Arc::new(Notify::new());
    tokio::spawn(notify_others(readers.clone(), others.clone()));
    Arc::new(move || {
        work.announce();
        others.notify_one();
    })
}

/// Outside any transaction, and once for however many commits came meanwhile: inside one it would make every
/// commit of the database wait for the last.
async fn notify_others(db: DatabaseConnection, wanted: Arc<Notify>) {
    loop {
        wanted.notified().await;
        // A hint: losing it in a crash costs nothing, so it need not wait for the disk.
        let sql = format!("SET LOCAL synchronous_commit = off; NOTIFY {CHANNEL}");
        if let Err(error) = db.execute_unprepared(&sql).await {
            tracing::debug!(%error, "could not tell other servers that there is work");
        }
        // Others poll once a second anyway; this bounds what a storm of commits costs.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn listen(url: String, work: Work) {
    loop {
        if let Err(error) = listen_once(&url, &work).await {
            tracing::debug!(%error, "not told of other servers' work; polling meanwhile");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// On a connection of its own: it would keep a reader's for good.
async fn listen_once(url: &str, work: &Work) -> Result<(), sea_orm::sqlx::Error> {
    let mut listener = PgListener::connect(url).await?;
    listener.listen(CHANNEL).await?;
    // `None` says that the connection was lost and will be made again: there may have been something.
    loop {
        listener.try_recv().await?;
        work.announce();
    }
}
