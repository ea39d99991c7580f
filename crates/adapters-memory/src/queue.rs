//! The queue: ready tasks by workspace and kind, taking turns.

use crate::MemoryStore;
use crate::state::{Queue, State, Turn};
use async_trait::async_trait;
use caretrack_domain::{
    Instant, Lease, LeaseToken, Operation, Receipt, RefusedTaskCommand, Task, TaskCommand, TaskId, TaskState,
};
use caretrack_ports::{Claim, Claimed, ClaimedTask, Handed, OPERATIONS_AT_ONCE, StoreError, TaskQueue};
use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;

#[async_trait]
impl TaskQueue for MemoryStore {
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        self.state().claim(&claim)
    }

    async fn renew(
        &self,
        held: Vec<(TaskId, LeaseToken)>,
        until: Instant,
    ) -> Result<Vec<TaskId>, StoreError> {
        let mut state = self.state();
        let still_held = |(id, token)| state.extend_lease(id, token, until).then_some(id);
        Ok(held.into_iter().filter_map(still_held).collect())
    }

    fn offer(&self, _: Option<Claim>) -> Handed {
        Handed {
            tasks: Vec::new(),
            // Nothing here ever waits for anything: a worker that is told there is more when there is none would
            // never let go of its thread.
            more: !self.state().drained,
        }
    }

    async fn wait(&self, longest: Duration) {
        let mut work = pin!(self.work.notified());
        // Listens first and looks then: whatever is committed from here on is heard.
        work.as_mut().enable();
        if self.state().drained {
            // Elapsed is as good an end as any.
            let _ = tokio::time::timeout(longest, work).await;
        }
    }
}

impl State {
    fn claim(&mut self, claim: &Claim) -> Result<Claimed, StoreError> {
        let chosen = self.choose(claim);
        let mut tasks = Vec::with_capacity(chosen.len());
        for id in chosen {
            tasks.extend(self.lease_out(id, claim)?);
        }
        let is_due = |queue| self.due(queue, claim.now).next().is_some();
        let left_over = self.queues(claim).any(is_due);
        // What is paused is not left over: its resuming is heard.
        self.drained = !left_over;
        Ok(Claimed {
            tasks,
            next_at: self.next_at(claim),
        })
    }

    /// Up to an equal share of each ready queue, oldest first; the queue after the one served last begins.
    fn choose(&mut self, claim: &Claim) -> Vec<TaskId> {
        let mut ready: Vec<Queue> = self
            .queues(claim)
            .filter(|queue| self.due(*queue, claim.now).next().is_some())
            .collect();
        let Some(share) = claim.limit.checked_div(ready.len()) else {
            return Vec::new();
        };
        let share = share + usize::from(!claim.limit.is_multiple_of(ready.len()));
        let first = ready
            .iter()
            .position(|queue| self.last_served.is_none_or(|last| *queue > last))
            .unwrap_or(0);
        ready.rotate_left(first);
        let hand = |queue| {
            let turns = self.due(queue, claim.now).take(share);
            (queue, turns.map(|(.., id)| *id).collect())
        };
        let mut hands: VecDeque<(Queue, VecDeque<TaskId>)> = ready.into_iter().map(hand).collect();
        let mut chosen = Vec::new();
        while chosen.len() < claim.limit {
            let Some((queue, mut hand)) = hands.pop_front() else {
                break;
            };
            if let Some(id) = hand.pop_front() {
                chosen.push(id);
                self.last_served = Some(queue);
                hands.push_back((queue, hand));
            }
        }
        chosen
    }

    fn lease_out(&mut self, id: TaskId, claim: &Claim) -> Result<Option<ClaimedTask>, StoreError> {
        let Some(row) = self.tasks.get(&id) else {
            return Ok(None);
        };
        let is_pending = |operation: &&Operation| operation.receipt == Receipt::Pending;
        let operations = row.operations.values().filter(is_pending);
        let operations = operations.take(OPERATIONS_AT_ONCE).cloned().collect();
        let lease = claim.lease.clone();
        let transition = row
            .task
            .clone()
            .apply(TaskCommand::Claim { lease }, claim.now)
            .map_err(|refused: RefusedTaskCommand| StoreError::Corrupt(refused.into()))?;
        let task = self.replace(transition);
        Ok(Some(ClaimedTask { task, operations }))
    }

    fn next_at(&self, claim: &Claim) -> Option<Instant> {
        self.queues(claim)
            .filter_map(|queue| {
                let turns = self.ready.get(&queue)?.iter();
                turns.map(|(at, ..)| *at).find(|at| *at > claim.now)
            })
            .min()
    }

    /// What may start in the queue, oldest first.
    fn due(&self, queue: Queue, now: Instant) -> impl Iterator<Item = &Turn> {
        let turns = self.ready.get(&queue).into_iter().flatten();
        turns.take_while(move |(at, ..)| *at <= now)
    }

    /// The queues a claim may take from.
    fn queues(&self, claim: &Claim) -> impl Iterator<Item = Queue> {
        self.ready
            .keys()
            .filter(|queue| claim.kinds.contains(&queue.1) && !self.paused.contains(*queue))
            .copied()
    }

    fn extend_lease(&mut self, id: TaskId, token: LeaseToken, until: Instant) -> bool {
        let Some(row) = self.tasks.get_mut(&id) else {
            return false;
        };
        let TaskState::Running {
            lease,
            cancel_requested,
        } = row.task.state()
        else {
            return false;
        };
        if lease.token != token {
            return false;
        }
        let state = TaskState::Running {
            lease: Lease {
                until,
                ..lease.clone()
            },
            cancel_requested: *cancel_requested,
        };
        let task = &row.task;
        row.task = Task::restore(
            task.facts().clone(),
            task.place(),
            task.revision(),
            task.tally(),
            task.attempts().to_vec(),
            state,
        );
        true
    }
}
