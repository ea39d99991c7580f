//! The store, with somebody who counts what is committed to it, and a limit to what may wait.

use crate::depth::Depth;
use caretrack_domain::TaskStatus;
use caretrack_ports::{Changes, Committed, Ending, Observed, Observer, Store, StoreError, Tracer};
use std::ops::Deref;
use std::sync::Arc;
use tracing::Instrument;

pub(crate) struct ObservedStore {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) tracer: Arc<dyn Tracer>,
    pub(crate) depth: Depth,
}

impl Deref for ObservedStore {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        self.inner.as_ref()
    }
}

impl ObservedStore {
    /// Goes before the store's own, so that no commit of a use case is missed.
    pub(crate) async fn commit(&self, changes: Changes) -> Result<Committed, StoreError> {
        let reserved = self.depth.reserve(&changes)?;
        let happens = happens(&changes);
        let span = self.tracer.commit();
        let committed = self.inner.commit(changes).instrument(span).await?;
        reserved.keep();
        for what in happens {
            self.observer.observe(what);
        }
        Ok(committed)
    }
}

fn happens(changes: &Changes) -> Vec<Observed> {
    let parts = changes.parts();
    let accepted = parts.new_tasks.iter().flat_map(|new| {
        let (kind, state) = (new.task().facts().kind, new.task().state());
        let ended = Ending::of(state).map(|how| Observed::TaskEnded(kind, how));
        [Some(Observed::TaskAccepted(kind)), ended]
    });
    let moved = parts.transitions.iter().map(|transition| {
        let task = transition.task();
        let kind = task.facts().kind;
        if task.status() == TaskStatus::RetryScheduled {
            return Some(Observed::TaskRetried(kind));
        }
        Ending::of(task.state()).map(|how| Observed::TaskEnded(kind, how))
    });
    accepted.chain(moved).flatten().collect()
}
