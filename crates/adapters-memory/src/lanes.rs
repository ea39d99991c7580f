//! Lanes: the tasks of one workspace that share an ordering key. The head may run, the others are blocked.
//!
//! A task joins when it comes to occupy its key (accepted, or released) and leaves when it no longer does
//! (ended, or held). Whoever finds a head waits; when the head leaves, the waiting one that was accepted
//! first takes over. A head that waits for its time, or for a retry, stays the head.

use crate::state::{State, Turn, lane_of, queue_of};
use caretrack_domain::{Task, TaskId};
use std::collections::BTreeSet;

#[derive(Debug, Default)]
pub(crate) struct Lane {
    head: Option<TaskId>,
    /// By place.
    waiting: BTreeSet<(i64, TaskId)>,
}

impl State {
    /// Takes the stored task out of the lists that its present state put it in, before that changes.
    pub(crate) fn unfile(&mut self, task: &Task) {
        if let Some(turn) = turn_of(task)
            && let Some(queue) = self.ready.get_mut(&queue_of(task))
        {
            queue.remove(&turn);
            if queue.is_empty() {
                self.ready.remove(&queue_of(task));
            }
        }
    }

    /// Puts a task that is stored in its new state where that state belongs. `occupied` says whether the
    /// state before had a place in the lane.
    pub(crate) fn file(&mut self, task: &Task, occupied: bool) {
        match (occupied, task.status().occupies_key()) {
            (false, true) => self.join(task),
            (true, false) => self.leave(task),
            (true, true) | (false, false) => {}
        }
        if self.is_unblocked(task) {
            self.make_ready(task);
        }
    }

    fn join(&mut self, task: &Task) {
        let Some(key) = lane_of(task) else { return };
        let lane = self.lanes.entry(key).or_default();
        if lane.head.is_none() {
            lane.head = Some(task.id());
        } else {
            lane.waiting.insert((task.place(), task.id()));
        }
    }

    fn leave(&mut self, task: &Task) {
        let Some(key) = lane_of(task) else { return };
        let Some(lane) = self.lanes.get_mut(&key) else {
            return;
        };
        if lane.head != Some(task.id()) {
            lane.waiting.remove(&(task.place(), task.id()));
            return;
        }
        lane.head = lane.waiting.pop_first().map(|(_, id)| id);
        match lane.head {
            None => {
                self.lanes.remove(&key);
            }
            Some(next) => {
                if let Some(row) = self.tasks.get(&next) {
                    let next = row.task.clone();
                    self.make_ready(&next);
                }
            }
        }
    }

    fn is_unblocked(&self, task: &Task) -> bool {
        lane_of(task).is_none_or(|key| {
            self.lanes
                .get(&key)
                .is_some_and(|lane| lane.head == Some(task.id()))
        })
    }

    fn make_ready(&mut self, task: &Task) {
        if let Some(turn) = turn_of(task) {
            self.ready.entry(queue_of(task)).or_default().insert(turn);
            self.drained = false;
        }
    }
}

fn turn_of(task: &Task) -> Option<Turn> {
    Some((task.claimable_at()?, task.place(), task.id()))
}
