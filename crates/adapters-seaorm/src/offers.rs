//! Workers that wait offer to take what becomes ready: it is started in the commit that accepts it.
//!
//! This spares a task its way through the queue: one commit and its sync, and what a claim looks up.

use caretrack_domain::{Instant, NewTask, Task, TaskCommand, TaskKind, TaskStatus, WorkspaceId};
use caretrack_ports::{Claim, ClaimedTask, Handed, OPERATIONS_AT_ONCE};
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The standing offer of this process' worker, and what was taken on it.
pub(crate) struct Offers(Mutex<State>);

struct State {
    offer: Option<Claim>,
    handed: Vec<ClaimedTask>,
    more: bool,
}

impl Offers {
    pub fn none() -> Self {
        Self(Mutex::new(State {
            offer: None,
            handed: Vec::new(),
            // What was there before.
            more: true,
        }))
    }

    pub fn renew(&self, offer: Option<Claim>) -> Handed {
        let mut state = self.state();
        state.offer = offer;
        Handed {
            tasks: std::mem::take(&mut state.handed),
            more: std::mem::take(&mut state.more),
        }
    }

    /// There may be something that only a claim finds.
    pub fn there_is_more(&self) {
        self.state().more = true;
    }

    /// For one transaction, in which work begins no earlier than the `latest` commit.
    pub fn starting(&self, latest: Option<Instant>) -> Starting {
        let offer = self.state().offer.clone();
        let now = latest.or(offer.as_ref().map(|offer| offer.now));
        let now = now.unwrap_or(Instant::UNIX_EPOCH);
        Starting {
            offer: offer.filter(|offer| offer.limit > 0),
            now,
            paused: HashSet::new(),
            started: Vec::new(),
        }
    }

    /// The transaction was committed.
    pub fn hand_over(&self, started: Vec<ClaimedTask>) {
        let mut state = self.state();
        if let Some(offer) = &mut state.offer {
            offer.limit = offer.limit.saturating_sub(started.len());
            for claimed in &started {
                take_room(offer, claimed.task.facts().kind);
            }
        }
        state.handed.extend(started);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is one step, so a poisoned lock still guards sound data.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one transaction starts on an offer.
pub(crate) struct Starting {
    offer: Option<Claim>,
    now: Instant,
    /// Queues whose tasks are not to be started.
    pub paused: HashSet<(WorkspaceId, TaskKind)>,
    pub started: Vec<ClaimedTask>,
}

impl Starting {
    /// Whether the offer is for tasks like this one.
    pub fn wants(&self, new: &NewTask) -> bool {
        let (task, room) = (new.task(), self.room());
        self.offer.as_ref().is_some_and(|offer| {
            room > 0
                && task.status() == TaskStatus::Queued
                && task.claimable_at().is_some_and(|at| at <= self.now)
                && offer.kinds.get(&task.facts().kind).is_some_and(|room| *room > 0)
        })
    }

    /// Starts a task that nothing blocks; none if it has to queue.
    pub fn start(&mut self, new: &NewTask, place: i64) -> Option<Task> {
        let facts = new.task().facts();
        if !self.wants(new) || self.paused.contains(&(facts.workspace, facts.kind)) {
            return None;
        }
        let offer = self.offer.as_mut()?;
        let claim = TaskCommand::Claim {
            lease: offer.lease.clone(),
        };
        let task = new.placed(place).apply(claim, self.now).ok()?.into_task();
        take_room(offer, task.facts().kind);
        self.started.push(ClaimedTask {
            task: task.clone(),
            operations: new
                .operations()
                .iter()
                .take(OPERATIONS_AT_ONCE)
                .cloned()
                .collect(),
        });
        Some(task)
    }

    /// Nothing is to be started.
    pub fn forbid(&mut self) {
        self.offer = None;
    }

    fn room(&self) -> usize {
        let limit = self.offer.as_ref().map_or(0, |offer| offer.limit);
        limit.saturating_sub(self.started.len())
    }
}

fn take_room(offer: &mut Claim, kind: TaskKind) {
    if let Some(room) = offer.kinds.get_mut(&kind) {
        *room = room.saturating_sub(1);
    }
}
