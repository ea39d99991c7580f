//! Exponential backoff with full jitter.

use crate::Instant;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How often, and how soon, broken work is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    pub attempts: u32,
    pub base: Duration,
    pub cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 5,
            base: Duration::from_secs(1),
            cap: Duration::from_mins(1),
        }
    }
}

/// What to do with a task that broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    Retry { at: Instant },
    GiveUp,
}

impl RetryPolicy {
    /// `broken` attempts went before this one; `random` is uniform in `[0, 1)`.
    pub fn after_failure(&self, broken: u32, now: Instant, random: f64) -> NextStep {
        if broken + 1 >= self.attempts {
            return NextStep::GiveUp;
        }
        let ceiling = self
            .base
            .saturating_mul(2_u32.saturating_pow(broken))
            .min(self.cap);
        NextStep::Retry {
            at: now + ceiling.mul_f64(random.clamp(0.0, 1.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: Instant = datetime!(2026-03-02 09:15 UTC);

    fn longest(broken: u32) -> NextStep {
        RetryPolicy {
            attempts: 10,
            ..RetryPolicy::default()
        }
        .after_failure(broken, NOW, 1.0)
    }

    #[test]
    fn the_ceiling_doubles_up_to_the_cap() {
        for (broken, seconds) in [(0, 1), (1, 2), (2, 4), (5, 32), (6, 60), (8, 60)] {
            assert_eq!(
                longest(broken),
                NextStep::Retry {
                    at: NOW + Duration::from_secs(seconds)
                }
            );
        }
    }

    #[test]
    fn jitter_is_full() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.after_failure(3, NOW, 0.0), NextStep::Retry { at: NOW });
        assert_eq!(
            policy.after_failure(3, NOW, 0.5),
            NextStep::Retry {
                at: NOW + Duration::from_secs(4)
            }
        );
    }

    #[test]
    fn the_fifth_failure_is_the_last() {
        let policy = RetryPolicy::default();
        assert!(matches!(
            policy.after_failure(3, NOW, 0.5),
            NextStep::Retry { .. }
        ));
        assert_eq!(policy.after_failure(4, NOW, 0.5), NextStep::GiveUp);
    }
}
