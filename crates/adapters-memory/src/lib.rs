//! The store and the queue in memory: for tests, demos and embedding. Nothing outlives the process.
//!
//! It promises what every adapter promises, and says it in the plainest way there is: one mutex over plain
//! maps. That makes it the model that the other adapters are compared with, step by step. A new aggregate
//! gets its map in `state`, its fences and its application in `store`, its finders in `repositories`.

mod clock;
mod lanes;
mod queue;
mod registrations;
mod repositories;
mod state;
mod store;
mod told;

use state::State;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Everything that is kept, in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
    work: Notify,
    told: Notify,
}

impl MemoryStore {
    /// The next commit is not available, and changes nothing.
    pub fn fail_next_commit(&self) {
        self.state().fail_next_commit = true;
    }

    /// Every change is made after all checks, so a panic elsewhere leaves nothing half done behind the lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use caretrack_domain::{Instant, Key, RequestId, Source, WorkspaceId};
    use caretrack_ports::{Admission, Author, Changes, ResourceRepository, Store, StoreError};

    #[tokio::test]
    async fn a_commit_told_to_fail_changes_nothing_and_the_next_succeeds() {
        let store = MemoryStore::default();
        let source = Source {
            workspace: WorkspaceId(uuid::Uuid::from_u128(1)),
            key: Key::parse("northclinic").unwrap(),
            created_at: Instant::UNIX_EPOCH,
        };
        let author = Author {
            workspace: Some(source.workspace),
            actor: None,
            request_id: RequestId::parse("r-1").unwrap(),
            at: Instant::UNIX_EPOCH,
        };
        let mut changes = Changes::by(author, Admission::New);
        changes.ensure_source(source.clone());
        store.fail_next_commit();
        let failed = store.commit(changes.clone()).await;
        assert!(matches!(failed, Err(StoreError::Unavailable(_))));
        let find = || store.find_source(source.workspace, &source.key);
        assert_eq!(find().await.unwrap(), None);
        store.commit(changes).await.unwrap();
        assert_eq!(find().await.unwrap(), Some(source.clone()));
    }
}
