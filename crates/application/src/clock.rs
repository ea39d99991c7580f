//! What time it is: the system's time, and the time of the domain, which a test may move ahead of it.
//!
//! The rule, for all code (ADR 10): [`Application::now`] is for whatever the domain knows of, which is everything
//! that is stored of records, shown to callers or waited for by patients. `system_now` is for what keeps the
//! machinery going: leases, tokens, time-outs, caches, rate limits, idempotency keys. With `clock.mode = "system"`
//! the two are the same.

use crate::idempotency::{Asker, Conclusion};
use crate::{Application, Caller, UseCaseError};
use caretrack_domain::{Advance, AuditOutcome, Instant, Refusal, RefusalKind, Rule, Scope};
use caretrack_ports::{Admission, Changes, StoreError};
use time::Duration;
use tokio::sync::watch;
use tokio::time::{Duration as Wait, sleep};

/// Whether the clock can be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockMode {
    System,
    /// For tests: domain time is system time plus what the store says.
    Manual,
}

/// What the clock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockReading {
    pub mode: ClockMode,
    pub now: Instant,
}

#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    #[error(
        "the clock of this store was moved ahead by {0}: it can only be used with clock.mode = \"manual\""
    )]
    WasMoved(Duration),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How far the time of the domain is ahead, as this process knows it; nothing is known of it in system mode.
pub(crate) struct Lead(Option<watch::Sender<Duration>>);

impl Lead {
    pub(crate) fn of(mode: ClockMode) -> Self {
        Self(match mode {
            ClockMode::System => None,
            ClockMode::Manual => Some(watch::Sender::new(Duration::ZERO)),
        })
    }

    fn length(&self) -> Duration {
        self.0.as_ref().map_or(Duration::ZERO, |lead| *lead.borrow())
    }

    /// It only grows: what was read before somebody else's step does not undo that.
    fn learn(&self, ahead: Duration) {
        if let Some(lead) = &self.0 {
            lead.send_if_modified(|known| {
                let grew = ahead > *known;
                *known = ahead.max(*known);
                grew
            });
        }
    }
}

/// Tells of the moves of the clock from when it was made.
pub(crate) struct ClockMoves(Option<watch::Receiver<Duration>>);

impl ClockMoves {
    /// The next one, or one that was not told of yet.
    pub(crate) async fn next(&mut self) {
        let told = match &mut self.0 {
            Some(lead) => lead.changed().await.is_ok(),
            None => false,
        };
        if !told {
            std::future::pending::<()>().await;
        }
    }
}

impl Application {
    /// How often each process looks whether another one has moved the clock.
    const LOOKED_AT_EVERY: Wait = Wait::from_millis(100);
    /// After this all of them know.
    const KNOWN_BY_ALL: Wait = Wait::from_millis(300);
    /// Instants are four digits of a year, and what is reckoned from them must fit as well.
    const LAST_YEAR: i32 = 9000;

    /// The time of the domain.
    pub fn now(&self) -> Instant {
        self.clock.now() + self.lead.length()
    }

    /// The time of the system, whatever a test has done to the clock.
    pub fn system_now(&self) -> Instant {
        self.clock.now()
    }

    /// Reads how far the clock was moved; to be called before anything else is done.
    pub async fn start_clock(&self) -> Result<(), ClockError> {
        let ahead = self.store.clock_ahead().await?;
        if self.settings.clock == ClockMode::System && !ahead.is_zero() {
            // Time would go back, for every record there is.
            return Err(ClockError::WasMoved(ahead));
        }
        self.lead.learn(ahead);
        Ok(())
    }

    /// Follows the moves that other processes make, for ever; needless in system mode.
    pub async fn follow_clock(&self) {
        loop {
            sleep(Self::LOOKED_AT_EVERY).await;
            match self.store.clock_ahead().await {
                Ok(ahead) => self.lead.learn(ahead),
                Err(error) => tracing::debug!(%error, "the clock could not be looked at"),
            }
        }
    }

    pub(crate) fn clock_moves(&self) -> ClockMoves {
        ClockMoves(self.lead.0.as_ref().map(watch::Sender::subscribe))
    }

    pub async fn read_clock(&self, caller: &Caller) -> Result<ClockReading, UseCaseError> {
        caller.require(Scope::OpsRead)?;
        self.reading().await
    }

    /// Moves the time of the domain, for all processes on this store. What falls due begins at once.
    pub async fn advance_clock<Q: Asker<ClockReading>>(
        &self,
        asker: &Q,
        by: Advance,
    ) -> Result<Q::Answer, UseCaseError> {
        let outcome = async {
            asker.caller().require(Scope::OpsWrite)?;
            self.once(asker, self.try_advance(asker, by)).await
        };
        self.audited(asker, "clock.advance", "clock", outcome.await).await
    }

    async fn try_advance<Q: Asker<ClockReading>>(
        &self,
        asker: &Q,
        by: Advance,
    ) -> Result<Q::Answer, UseCaseError> {
        if self.settings.clock == ClockMode::System {
            let refusal = "The clock is the system's and cannot be moved (clock.mode).";
            return Err(Refusal::new(RefusalKind::Conflict, refusal).into());
        }
        let ClockReading { mode, now } = self.reading().await?;
        let then = now.checked_add(by.length());
        let Some(then) = then.filter(|then| then.year() <= Self::LAST_YEAR) else {
            let message = format!("would go beyond the year {}", Self::LAST_YEAR);
            return Err(Refusal::problem("$.advance", Rule::Max, message).into());
        };
        let mut changes = Changes::by(asker.caller().author(now), Admission::Continuing);
        changes.audit("clock.advance", "clock", AuditOutcome::Done);
        changes.advance_clock(by);
        let reading = ClockReading { mode, now: then };
        let answer = self.conclude(asker, changes, Conclusion::of(reading)).await?;
        self.reading().await?;
        // From the answer on, no server tells an earlier time.
        sleep(Self::KNOWN_BY_ALL).await;
        Ok(answer)
    }

    async fn reading(&self) -> Result<ClockReading, UseCaseError> {
        let mode = self.settings.clock;
        if mode == ClockMode::Manual {
            self.lead.learn(self.store.clock_ahead().await?);
        }
        Ok(ClockReading {
            mode,
            now: self.now(),
        })
    }
}
