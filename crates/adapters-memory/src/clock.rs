//! The clock of the domain. Retries are due by the system's: what moves the clock moves them along.

use crate::MemoryStore;
use crate::state::State;
use async_trait::async_trait;
use caretrack_domain::{Task, TaskState};
use caretrack_ports::{ClockRepository, StoreError};
use time::Duration;

#[async_trait]
impl ClockRepository for MemoryStore {
    async fn clock_ahead(&self) -> Result<Duration, StoreError> {
        Ok(self.state().clock_ahead)
    }
}

impl State {
    pub(crate) fn advance_clock(&mut self, by: Duration) {
        if by.is_zero() {
            return;
        }
        self.clock_ahead += by;
        let retries: Vec<_> = self
            .tasks
            .values()
            .filter_map(|row| Some((row.task.clone(), moved_along(&row.task, by)?)))
            .collect();
        for (before, after) in retries {
            self.unfile(&before);
            if let Some(row) = self.tasks.get_mut(&after.id()) {
                row.task = after.clone();
            }
            // It keeps its place in its lane.
            self.file(&after, true);
        }
    }
}

fn moved_along(task: &Task, by: Duration) -> Option<Task> {
    let TaskState::RetryScheduled { at } = task.state() else {
        return None;
    };
    Some(Task::restore(
        task.facts().clone(),
        task.place(),
        task.revision(),
        task.tally(),
        task.attempts().to_vec(),
        TaskState::RetryScheduled { at: *at + by },
    ))
}
