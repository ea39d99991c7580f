//! What time brings for donor-search patients, made into tasks when it is due.
//!
//! Nothing waits in the queue for weeks: each registration says when it is to be looked at, and of those that are to
//! be looked at now, tasks are made of what is due. That is in the registration's own commit, so it is done once,
//! however many look. A retrieval does not move that time, it only moves the counter: then what is looked at turns out
//! to be due later.

use crate::Application;
use caretrack_domain::{Due, Instant, Registration, RequestId, TaskKind};
use caretrack_ports::{Admission, Author, Changes, StoreError};
use futures::future::join_all;

impl Application {
    /// Looks at up to `limit` registrations; answers how many there were.
    pub(crate) async fn hand_over_due(&self, limit: usize) -> Result<usize, StoreError> {
        let now = self.now();
        let found = self.store.due_registrations(now, limit).await?;
        let handed_over = join_all(found.iter().map(|found| self.hand_over(found, now))).await;
        for outcome in handed_over {
            match outcome {
                // Somebody changed it, or was faster.
                Ok(()) | Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found.len())
    }

    async fn hand_over(&self, found: &Registration, now: Instant) -> Result<(), StoreError> {
        let author = Author {
            workspace: Some(found.workspace),
            actor: None,
            request_id: RequestId::generated(self.ids.id()),
            at: now,
        };
        let mut changes = Changes::by(author, Admission::Continuing);
        let after = match found.due(now) {
            None => found.revised(),
            // There is a task of it that has not begun: there need not be two.
            Some(due) if self.is_waiting(found, due).await? => found.handed_over(due, now),
            Some(due) => {
                let kind = match due {
                    Due::Stop => TaskKind::PatientStop,
                    Due::Refresh => TaskKind::SearchRefreshDaily,
                    Due::Anonymisation => TaskKind::PatientAnonymise,
                };
                changes.insert_task(self.patient_task(kind, found, None, now, now));
                found.handed_over(due, now)
            }
        };
        changes.keep_registration(Some(found), after);
        self.store.commit(changes).await.map(drop)
    }

    async fn is_waiting(&self, found: &Registration, due: Due) -> Result<bool, StoreError> {
        if found
            .handed_over
            .is_none_or(|(handed_over, _)| handed_over != due)
        {
            return Ok(false);
        }
        let lane = Registration::ordering_key(found.wmda_id).0;
        let waiting = self.store.count_in_lanes(found.workspace, &lane, 1).await?;
        Ok(waiting > 0)
    }
}
