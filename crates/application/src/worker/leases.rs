//! Heartbeats: leases are kept, those that are lost are noticed, and tasks are taken from workers that fell silent.

use super::{Worker, ticks};
use caretrack_domain::{LeaseToken, TaskId};
use std::collections::HashSet;
use std::time::Duration;

impl Worker {
    pub(super) async fn keep_leases(&self) {
        let mut ticks = ticks(self.settings.lease / 3);
        loop {
            ticks.tick().await;
            let held: Vec<_> = self
                .flights()
                .iter()
                .map(|(id, flight)| (*id, flight.token))
                .collect();
            if held.is_empty() {
                continue;
            }
            let until = self.application.system_now() + self.settings.term();
            match self.application.queue.renew(held.clone(), until).await {
                Ok(kept) => self.drop_lost(held, &kept).await,
                Err(error) => tracing::warn!(%error, "leases could not be renewed"),
            }
        }
    }

    /// Stops work on tasks that are no longer ours. Most of them we have just ended ourselves: their flights know it
    /// already, and land in a moment.
    async fn drop_lost(&self, held: Vec<(TaskId, LeaseToken)>, kept: &[TaskId]) {
        const MOMENT: Duration = Duration::from_millis(100);
        let kept: HashSet<_> = kept.iter().collect();
        let gone = held.into_iter().filter(|(id, _)| !kept.contains(id));
        let gone: Vec<_> = gone.collect();
        if gone.is_empty() {
            return;
        }
        tokio::time::sleep(MOMENT.min(self.settings.lease / 30)).await;
        let flights = self.flights();
        for (id, token) in gone {
            if let Some(flight) = flights.get(&id).filter(|flight| flight.token == token) {
                tracing::debug!(task.id = %id, "the lease was lost");
                flight.lose();
            }
        }
    }

    pub(super) async fn reap(&self) {
        let mut ticks = ticks(self.settings.reap_every);
        loop {
            ticks.tick().await;
            let held_here = |id| self.flights().contains_key(&id);
            if let Err(error) = self.application.reap(held_here, Self::REAPED_AT_ONCE).await {
                tracing::warn!(%error, "expired leases could not be looked for");
            }
        }
    }
}
