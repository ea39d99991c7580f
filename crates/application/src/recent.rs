//! What was read a moment ago: a small memory of positive answers, so that the usual request reads once; and of
//! those who ask for the same at the same time, one reads for all.

use caretrack_domain::Instant;
use caretrack_ports::StoreError;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
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
    /// What is being looked up.
    flights: HashMap<K, Weak<Flight<V>>>,
}

/// A look-up that many wait for. Who joins it gets no answer that is older than the joining, unless it is a
/// positive one: those may be old.
struct Flight<V> {
    /// Numbers joinings and look-ups in the order in which they began.
    order: AtomicU64,
    last: tokio::sync::Mutex<Option<Landed<V>>>,
}

struct Landed<V> {
    began: u64,
    outcome: Result<Option<V>, StoreError>,
}

impl<V> Flight<V> {
    fn next(&self) -> u64 {
        self.order.fetch_add(1, Ordering::Relaxed)
    }
}

/// The same to one more of those who waited for it.
fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Conflict => StoreError::Conflict,
        StoreError::Duplicate => StoreError::Duplicate,
        StoreError::Unavailable(source) => StoreError::Unavailable(source.to_string().into()),
        StoreError::Corrupt(source) => StoreError::Corrupt(source.to_string().into()),
    }
}

/// Somebody's part in a flight. The last one out leaves nothing behind, whether the answer came or not.
struct Joined<'a, K: Hash + Eq, V> {
    recent: &'a Recent<K, V>,
    key: &'a K,
    epoch: u64,
    flight: Arc<Flight<V>>,
}

impl<K: Hash + Eq, V> Joined<'_, K, V> {
    /// Nobody joins it any more.
    fn close(&self) {
        self.remove_if(|_| true);
    }

    fn remove_if(&self, condition: impl FnOnce(&Arc<Flight<V>>) -> bool) {
        let mut inner = self.recent.lock();
        let listed = inner.flights.get(self.key);
        let is_ours = listed.is_some_and(|listed| listed.as_ptr() == Arc::as_ptr(&self.flight));
        if is_ours && condition(&self.flight) {
            inner.flights.remove(self.key);
        }
    }
}

impl<K: Hash + Eq, V> Drop for Joined<'_, K, V> {
    fn drop(&mut self) {
        // Joining takes the same lock, so nobody comes in between.
        self.remove_if(|flight| Arc::strong_count(flight) == 1);
    }
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
                flights: HashMap::new(),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<K, V>> {
        // Nothing can panic halfway through a change, so a poisoned lock still guards sound data.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fewer, of what takes more room.
    pub fn at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Recent<K, V> {
    pub fn find(&self, key: &K, now: Instant) -> Option<V> {
        let inner = self.lock();
        let (at, value) = inner.answers.get(key)?;
        // A clock that went back must not make an answer live longer.
        ((now - *at).abs() < self.lifetime).then(|| value.clone())
    }

    /// What is remembered, or else what `load` finds: for all who ask meanwhile. If whoever loads gives up, the next
    /// of them does.
    pub async fn find_or_load<F>(
        &self,
        key: &K,
        now: Instant,
        load: impl FnOnce() -> F,
    ) -> Result<Option<V>, StoreError>
    where
        F: Future<Output = Result<Option<V>, StoreError>>,
    {
        if let Some(value) = self.find(key, now) {
            return Ok(Some(value));
        }
        let joined = self.join(key);
        let number = joined.flight.next();
        let mut last = joined.flight.last.lock().await;
        if let Some(landed) = last.as_ref() {
            match &landed.outcome {
                Ok(Some(value)) => return Ok(Some(value.clone())),
                Ok(None) if landed.began > number => return Ok(None),
                Err(error) if landed.began > number => return Err(again(error)),
                Ok(None) | Err(_) => {}
            }
        }
        let began = joined.flight.next();
        let outcome = load().await;
        if let Ok(Some(value)) = &outcome {
            self.keep(joined.epoch, key.clone(), value.clone(), now);
            joined.close();
        }
        let answer = match &outcome {
            Ok(found) => Ok(found.clone()),
            Err(error) => Err(again(error)),
        };
        *last = Some(Landed { began, outcome });
        answer
    }

    fn join<'a>(&'a self, key: &'a K) -> Joined<'a, K, V> {
        let mut inner = self.lock();
        let under_way = inner.flights.get(key).and_then(Weak::upgrade);
        let flight = under_way.unwrap_or_else(|| {
            let flight = Arc::new(Flight {
                order: AtomicU64::new(0),
                last: tokio::sync::Mutex::default(),
            });
            inner.flights.insert(key.clone(), Arc::downgrade(&flight));
            flight
        });
        Joined {
            recent: self,
            key,
            epoch: inner.epoch,
            flight,
        }
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

    /// Nor does anybody wait for what was being looked up before.
    pub fn forget(&self) {
        let mut inner = self.lock();
        inner.epoch += 1;
        inner.answers.clear();
        inner.flights.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use futures::future::join_all;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration as Pause;
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

    /// A store that is asked for one thing, slowly, and counts.
    #[derive(Default)]
    struct Slow {
        asked: AtomicUsize,
        recent: Recent<u8, usize>,
    }

    impl Slow {
        /// The so-manieth question's answer is its number, unless `answer` says otherwise.
        async fn ask(
            &self,
            answer: fn(usize) -> Result<Option<usize>, StoreError>,
        ) -> Result<Option<usize>, StoreError> {
            let load = async || {
                let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
                tokio::time::sleep(Pause::from_millis(10)).await;
                answer(number)
            };
            self.recent.find_or_load(&1, NOW, load).await
        }

        fn flights(&self) -> usize {
            self.recent.lock().flights.len()
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::Relaxed)
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "as an answer is")]
    fn number(n: usize) -> Result<Option<usize>, StoreError> {
        Ok(Some(n))
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_thousand_one_asks() {
        let slow = Slow::default();
        let all = join_all((0..1000).map(|_| slow.ask(number))).await;
        assert!(all.into_iter().all(|found| found.unwrap() == Some(1)));
        assert_eq!((slow.asked(), slow.flights()), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_there_or_fails_is_asked_for_once_more_by_those_who_came_later() {
        for answer in [
            (|_| Ok(None)) as fn(usize) -> Result<Option<usize>, StoreError>,
            |_| Err(StoreError::Unavailable("away".into())),
        ] {
            let slow = Slow::default();
            let all = join_all((0..1000).map(|_| slow.ask(answer))).await;
            assert!(all.iter().all(|found| !matches!(found, Ok(Some(_)))));
            assert_eq!((slow.asked(), slow.flights()), (2, 0));
        }
        // Made between the first look and the second.
        let slow = Slow::default();
        let later = |n| Ok((n > 1).then_some(n));
        let (first, second) = futures::join!(slow.ask(later), slow.ask(later));
        assert_eq!((first.unwrap(), second.unwrap()), (None, Some(2)));
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_one_who_asks_gives_up_another_does() {
        let slow = Slow::default();
        {
            let mut first = Box::pin(slow.ask(number));
            assert!((&mut first).now_or_never().is_none());
            let second = slow.ask(number);
            let giving_up = async {
                tokio::time::sleep(Pause::from_millis(1)).await;
                drop(first);
            };
            let (second, ()) = futures::join!(second, giving_up);
            assert_eq!(second.unwrap(), Some(2));
        }
        assert_eq!(slow.flights(), 0);
        drop(Box::pin(slow.ask(number)).now_or_never());
        assert_eq!(slow.flights(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_forgetting_nobody_gets_what_was_being_looked_up_before() {
        let slow = Slow::default();
        let mut before = Box::pin(slow.ask(number));
        assert!((&mut before).now_or_never().is_none());
        slow.recent.forget();
        assert_eq!(slow.ask(number).await.unwrap(), Some(2));
        assert_eq!(before.await.unwrap(), Some(1));
        assert_eq!(slow.recent.find(&1, NOW), Some(2));
    }
}
