//! How often somebody may: requests of a principal, and logins that fail from an address.

use caretrack_domain::{Actor, WorkspaceId};
use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// One for every `every`, and so many at once after a pause.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    pub every: Duration,
    pub burst: NonZeroU32,
}

impl Rate {
    /// `count` within `span`; none if either number is nought.
    pub fn of(count: u32, span: Duration, burst: u32) -> Option<Self> {
        Some(Self {
            every: span.checked_div(count)?,
            burst: NonZeroU32::new(burst)?,
        })
    }
}

/// Where a request comes from, as far as limits care: the network that one subscriber has, of IPv6 addresses.
pub(crate) fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[derive(Default)]
pub(crate) struct Limits {
    principals: Option<Keyed<(WorkspaceId, Actor)>>,
    failed_logins: Option<FailedLogins>,
}

impl Limits {
    pub fn new(principals: Option<Rate>, failed_logins: Option<Rate>) -> Self {
        Self {
            principals: principals.map(Keyed::new),
            failed_logins: failed_logins.map(FailedLogins::new),
        }
    }

    /// One more request of that principal; the error is how long to wait.
    pub fn admit(&self, workspace: WorkspaceId, actor: impl FnOnce() -> Actor) -> Result<(), Duration> {
        match &self.principals {
            Some(principals) => principals.take((workspace, actor())).map(drop),
            None => Ok(()),
        }
    }

    /// One more failed login from there; the error is how long to wait, if it is one too many.
    pub fn fail(&self, peer: IpAddr) -> Result<(), Duration> {
        match &self.failed_logins {
            Some(failed) => failed.fail(network(peer)),
            None => Ok(()),
        }
    }

    /// Before what is costly to judge: whether the next failure from there would be one too many.
    pub fn before_costly(&self, peer: IpAddr) -> Result<(), Duration> {
        match &self.failed_logins {
            Some(failed) => failed.check(network(peer)),
            None => Ok(()),
        }
    }
}

/// Goes with the runtime's time.
#[derive(Clone)]
struct RuntimeClock(tokio::time::Instant);

impl Clock for RuntimeClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

type Buckets<K> = RateLimiter<K, HashMapStateStore<K>, RuntimeClock, StateInformationMiddleware>;

/// A bucket for each key, of bounded number: when there are too many at work, those that come share one.
struct Keyed<K: Hash + Eq + Clone> {
    limiter: Buckets<Option<K>>,
    clock: RuntimeClock,
    taken: AtomicU32,
}

impl<K: Hash + Eq + Clone> Keyed<K> {
    const MOST: usize = 100_000;
    /// After so many requests, buckets that are full again are dropped.
    const SWEEP_AFTER: u32 = 4096;

    fn new(rate: Rate) -> Self {
        let clock = RuntimeClock(tokio::time::Instant::now());
        // A period of no length is no limit; a nanosecond is as good as none.
        let quota = Quota::with_period(rate.every.max(Duration::from_nanos(1)));
        let quota = quota
            .unwrap_or(Quota::per_second(NonZeroU32::MAX))
            .allow_burst(rate.burst);
        Self {
            limiter: RateLimiter::new(quota, HashMapStateStore::default(), clock.clone()),
            clock,
            taken: AtomicU32::new(0),
        }
    }

    /// What is left in the bucket; the error is how long to wait.
    fn take(&self, key: K) -> Result<u32, Duration> {
        if self.taken.fetch_add(1, Ordering::Relaxed) % Self::SWEEP_AFTER == Self::SWEEP_AFTER - 1 {
            self.limiter.retain_recent();
        }
        let key = (self.limiter.len() < Self::MOST).then_some(key);
        match self.limiter.check_key(&key) {
            Ok(state) => Ok(state.remaining_burst_capacity()),
            Err(until) => Err(until.wait_time_from(self.clock.now())),
        }
    }
}

struct FailedLogins {
    failures: Keyed<IpAddr>,
    every: Duration,
    /// Buckets that are empty, and when there is something in them again.
    empty: Mutex<HashMap<IpAddr, Duration>>,
}

impl FailedLogins {
    fn new(rate: Rate) -> Self {
        Self {
            failures: Keyed::new(rate),
            every: rate.every,
            empty: Mutex::default(),
        }
    }

    fn fail(&self, from: IpAddr) -> Result<(), Duration> {
        let taken = self.failures.take(from);
        let wait = match taken {
            Ok(0) => self.every,
            Ok(_) => return Ok(()),
            Err(wait) => wait,
        };
        let now = self.failures.clock.now();
        let mut empty = self.empty.lock().unwrap_or_else(PoisonError::into_inner);
        if empty.len() >= Keyed::<IpAddr>::MOST {
            empty.retain(|_, until| *until > now);
        }
        if empty.len() < Keyed::<IpAddr>::MOST {
            empty.insert(from, now + wait);
        }
        taken.map(drop)
    }

    fn check(&self, from: IpAddr) -> Result<(), Duration> {
        let now = self.failures.clock.now();
        let mut empty = self.empty.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(until) = empty.get(&from) else {
            return Ok(());
        };
        match until.checked_sub(now) {
            None | Some(Duration::ZERO) => {
                empty.remove(&from);
                Ok(())
            }
            Some(wait) => Err(wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn ten_a_minute() -> Limits {
        Limits::new(None, Rate::of(10, Duration::from_mins(1), 3))
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_counted_by_address_and_forgiven_with_time() {
        let limits = ten_a_minute();
        for _ in 0..2 {
            limits.fail(PEER).unwrap();
            limits.before_costly(PEER).unwrap();
        }
        limits.fail(PEER).unwrap();
        assert_eq!(limits.before_costly(PEER), Err(Duration::from_secs(6)));
        assert_eq!(limits.fail(PEER), Err(Duration::from_secs(6)));
        limits.fail("::1".parse().unwrap()).unwrap();
        advance(Duration::from_secs(6)).await;
        limits.before_costly(PEER).unwrap();
        limits.fail(PEER).unwrap();
        assert!(limits.before_costly(PEER).is_err() && limits.fail(PEER).is_err());
        advance(Duration::from_mins(1)).await;
        for _ in 0..3 {
            limits.fail(PEER).unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_principal_has_a_bucket_of_its_own() {
        let limits = Limits::new(Rate::of(2, Duration::from_secs(1), 2), None);
        let workspace = WorkspaceId(uuid::Uuid::nil());
        let admit = |n| {
            let id = caretrack_domain::CredentialId(uuid::Uuid::from_u128(n));
            limits.admit(workspace, || Actor::Credential(id))
        };
        assert_eq!((admit(1), admit(1), admit(2)), (Ok(()), Ok(()), Ok(())));
        assert_eq!(admit(1), Err(Duration::from_millis(500)));
        advance(Duration::from_millis(500)).await;
        assert_eq!((admit(1), admit(2)), (Ok(()), Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_without_number_share_a_bucket_in_the_end() {
        let failed = FailedLogins::new(Rate::of(1, Duration::from_hours(1), 1).unwrap());
        let most = u32::try_from(Keyed::<IpAddr>::MOST).unwrap();
        for n in 0..most {
            failed.fail(IpAddr::V4(n.into())).unwrap();
        }
        failed.fail(IpAddr::V4((most + 1).into())).unwrap();
        assert!(failed.fail(IpAddr::V4((most + 2).into())).is_err());
        assert!(failed.failures.limiter.len() <= Keyed::<IpAddr>::MOST + 1);
        assert!(failed.empty.lock().unwrap().len() <= Keyed::<IpAddr>::MOST);
    }

    #[test]
    fn a_subscribers_addresses_are_one() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::"));
        assert_ne!(of("2001:db8:1:2::"), of("2001:db8:1:3::"));
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
        assert!(Rate::of(0, Duration::from_secs(1), 1).is_none());
        assert!(Rate::of(1, Duration::from_secs(1), 0).is_none());
    }
}
