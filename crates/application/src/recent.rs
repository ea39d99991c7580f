//! What was read a moment ago: a small memory of positive answers, so that the usual request reads once.

use caretrack_domain::Instant;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use time::Duration;

/// Answers no older than a second, unless it is told otherwise, and of bounded number.
pub struct Recent<K, V> {
    lifetime: Duration,
    most: usize,
    inner: Mutex<Inner<K, V>>,
}

struct Inner<K, V> {
    epoch: u64,
    answers: HashMap<K, (Instant, V)>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self::living(Duration::SECOND)
    }
}

impl<K, V> Recent<K, V> {
    pub fn living(lifetime: Duration) -> Self {
        Self {
            lifetime,
            most: 10_000,
            inner: Mutex::new(Inner {
                epoch: 0,
                answers: HashMap::new(),
            }),
        }
    }
}

impl<K, V> Recent<K, V> {
    /// Fewer, of what takes more room.
    pub fn at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }
}

impl<K: Hash + Eq, V: Clone> Recent<K, V> {
    pub fn find(&self, key: &K, now: Instant) -> Option<V> {
        let inner = self.lock();
        let (at, value) = inner.answers.get(key)?;
        // A clock that went back must not make an answer live longer.
        ((now - *at).abs() < self.lifetime).then(|| value.clone())
    }

    /// To be taken before the answer is looked up, so that what is forgotten meanwhile stays forgotten.
    pub fn epoch(&self) -> u64 {
        self.lock().epoch
    }

    pub fn keep(&self, epoch: u64, key: K, value: V, now: Instant) {
        let mut inner = self.lock();
        if inner.epoch != epoch {
            return;
        }
        if inner.answers.len() >= self.most {
            inner.answers.clear();
        }
        inner.answers.insert(key, (now, value));
    }

    pub fn forget(&self) {
        let mut inner = self.lock();
        inner.epoch += 1;
        inner.answers.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Inner<K, V>> {
        // Nothing can panic halfway through a change, so a poisoned lock still guards sound data.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: Instant = datetime!(2026-03-02 09:15 UTC);

    #[test]
    fn an_answer_lives_a_second() {
        let recent = Recent::default();
        recent.keep(recent.epoch(), 1, "a", NOW);
        assert_eq!(recent.find(&1, NOW + Duration::milliseconds(999)), Some("a"));
        assert_eq!(recent.find(&1, NOW + Duration::SECOND), None);
        assert_eq!(recent.find(&1, NOW - Duration::SECOND), None);
    }

    #[test]
    fn what_was_looked_up_before_a_forgetting_is_not_kept_after_it() {
        let recent = Recent::default();
        let before = recent.epoch();
        recent.forget();
        recent.keep(before, 1, "a", NOW);
        assert_eq!(recent.find(&1, NOW), None);
    }
}
