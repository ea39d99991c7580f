//! The world as it is: the system's clock, ids and chance. The only place that asks for them.

use caretrack_domain::Instant;
use caretrack_ports::{Clock, IdGenerator};
use rand::rngs::SysRng;
use rand::{RngExt, TryRng};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use uuid::Uuid;

pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the adapter that may")]
    fn now(&self) -> Instant {
        let now = Instant::now_utc();
        // Stores keep microseconds; what was not stored must not be answered.
        now.replace_microsecond(now.microsecond()).unwrap_or(now)
    }
}

pub struct SystemIds;

impl IdGenerator for SystemIds {
    #[expect(clippy::disallowed_methods, reason = "this is the adapter that may")]
    fn id(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn secret(&self) -> [u8; 32] {
        let mut secret = [0; 32];
        // Without randomness there are no secrets; a guessable one would be worse than no process.
        SysRng
            .try_fill_bytes(&mut secret)
            .expect("the system gives random numbers");
        secret
    }

    fn number(&self) -> u32 {
        rand::rng().random()
    }
}

/// Files, connections included, that this process may have open: as many as it may allow itself.
pub fn allow_open_files() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let limit = setrlimit(Resource::Nofile, most).map_or(limit, |()| most);
    let open = limit.current.and_then(|open| usize::try_from(open).ok());
    open.unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_knows_whole_microseconds() {
        assert_eq!(SystemClock.now().nanosecond() % 1000, 0);
    }

    #[test]
    fn ids_grow_and_secrets_differ() {
        let ids = [SystemIds.id(), SystemIds.id()];
        assert!(ids[0] < ids[1] && ids[0].get_version_num() == 7);
        assert_ne!(SystemIds.secret(), SystemIds.secret());
    }
}
