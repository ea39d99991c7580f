//! Which refusals of access are noted one by one: so many a minute from one side. The others are counted, so that
//! nobody can fill the disk with the log of his own failures.

use caretrack_domain::{Actor, Principal, WorkspaceId};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Who was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    Peer(IpAddr),
    Actor(WorkspaceId, Actor),
    /// All there are beyond the number that is told apart.
    Others,
}

impl Side {
    pub fn of(who: &Principal) -> Self {
        Self::Actor(who.workspace, who.actor())
    }
}

pub(crate) struct Refusals {
    /// From one side, within a minute.
    most: u32,
    windows: Mutex<HashMap<Side, Window>>,
}

struct Window {
    began_at: Instant,
    noted: u32,
    counted: u64,
}

impl Refusals {
    const SPAN: Duration = Duration::from_mins(1);
    const MOST_SIDES: usize = 1000;

    pub fn new(most: u32) -> Self {
        Self {
            most,
            windows: Mutex::default(),
        }
    }

    /// Whether this one is noted; else it is counted.
    pub fn is_noted(&self, side: Side) -> bool {
        let mut windows = self.lock();
        let is_known = windows.contains_key(&side);
        let side = if is_known || windows.len() < Self::MOST_SIDES {
            side
        } else {
            Side::Others
        };
        let window = windows.entry(side).or_insert_with(Window::new);
        if window.is_over() {
            window.began_at = Instant::now();
            window.noted = 0;
        }
        if window.noted < self.most {
            window.noted += 1;
            true
        } else {
            window.counted += 1;
            false
        }
    }

    /// What was counted since this was asked last.
    pub fn take_counted(&self) -> Vec<(Side, u64)> {
        let mut windows = self.lock();
        let counted = windows
            .iter_mut()
            .filter(|(_, window)| window.counted > 0)
            .map(|(side, window)| (side.clone(), std::mem::take(&mut window.counted)))
            .collect();
        windows.retain(|_, window| !window.is_over());
        counted
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Side, Window>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn new() -> Self {
        Self {
            began_at: Instant::now(),
            noted: 0,
            counted: 0,
        }
    }

    fn is_over(&self) -> bool {
        self.began_at.elapsed() >= Refusals::SPAN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    fn peer(n: u32) -> Side {
        Side::Peer(IpAddr::V4(n.into()))
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_of_a_minute_are_noted_and_the_others_counted() {
        let refusals = Refusals::new(2);
        let noted = |side: &Side| refusals.is_noted(side.clone());
        assert_eq!([0; 4].map(|_| noted(&peer(1))), [true, true, false, false]);
        assert!(noted(&peer(2)));
        assert_eq!(refusals.take_counted(), [(peer(1), 2)]);
        assert_eq!(refusals.take_counted(), []);
        assert!(!noted(&peer(1)));
        advance(Refusals::SPAN).await;
        assert!(noted(&peer(1)));
        assert_eq!(refusals.take_counted(), [(peer(1), 1)]);
        advance(Refusals::SPAN).await;
        assert_eq!(refusals.take_counted(), []);
        assert!(refusals.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn sides_beyond_number_are_taken_together() {
        let refusals = Refusals::new(1);
        let most = u32::try_from(Refusals::MOST_SIDES).unwrap();
        assert!((0..=most).all(|n| refusals.is_noted(peer(n))));
        assert!((1..=9).all(|n| !refusals.is_noted(peer(most + n))));
        assert_eq!(refusals.take_counted(), [(Side::Others, 9)]);
    }
}
