//! When will it be done: the work ahead over the measured rate.

use crate::Instant;
use time::Duration;

/// What is known of a queue when someone asks how long it will take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QueueLoad {
    /// Unfinished tasks ahead.
    pub ahead: u64,
    /// Tasks finished a second, lately; zero when nothing was measured.
    pub per_second: f64,
}

impl QueueLoad {
    /// A guess where nothing was measured yet: a hundred a second.
    const UNMEASURED_RATE: f64 = 100.0;
    /// No estimate is further away than a day.
    const FARTHEST: Duration = Duration::DAY;

    /// An estimate, never before `now`.
    pub fn eta(self, now: Instant) -> Instant {
        let rate = if self.per_second > 0.0 {
            self.per_second
        } else {
            Self::UNMEASURED_RATE
        };
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let seconds = (self.ahead as f64 + 1.0) / rate;
        now + Duration::seconds_f64(seconds.min(Self::FARTHEST.as_seconds_f64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn more_work_takes_longer_and_a_faster_queue_less() {
        let now = datetime!(2026-03-02 09:15 UTC);
        let eta = |ahead, per_second| QueueLoad { ahead, per_second }.eta(now);
        assert!(eta(10, 5.0) < eta(100, 5.0));
        assert!(eta(100, 50.0) < eta(100, 5.0));
        assert_eq!(eta(99, 10.0), now + Duration::seconds(10));
        assert!(eta(0, 0.0) > now);
        assert_eq!(eta(u64::MAX, 0.001), now + Duration::DAY);
    }
}
