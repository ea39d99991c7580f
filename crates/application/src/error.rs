//! What a use case can end in beside success; each dialect maps it exhaustively to its own answers.

use backon::{ExponentialBuilder, Retryable};
use caretrack_domain::{KeyConflict, PatientRefusal, Refusal, RefusalKind, RefusedTaskCommand, Scope};
use caretrack_ports::{HashingError, StoreError};
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// What the caller would need to be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needed {
    Scope(Scope),
    /// The first credential of the store, or one like it.
    Administrator,
}

impl fmt::Display for Needed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scope(scope) => write!(f, "the scope {scope}"),
            Self::Administrator => f.write_str("the administrator's key"),
        }
    }
}

/// Why nobody knows who calls. Dialects may tell what was missing; that it is bad is all they tell of what was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unauthenticated {
    #[error("no credential")]
    Missing,
    #[error("a bad credential")]
    Bad,
    /// The workspace demands one beside the token.
    #[error("no partner key")]
    PartnerKeyMissing,
    #[error("a bad partner key")]
    PartnerKeyBad,
}

type Fault = Box<dyn Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum UseCaseError {
    /// Expected, the caller's fault.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The task is not in a state for it.
    #[error(transparent)]
    TaskRefused(#[from] RefusedTaskCommand),
    /// The request's idempotency key stands for another one, or for one that is still under way.
    #[error(transparent)]
    Key(#[from] KeyConflict),
    #[error("{0}")]
    Unauthenticated(Unauthenticated),
    /// Too often, by one principal, or in vain from one address.
    #[error("too many requests")]
    RateLimited { retry_after: Duration },
    #[error("this needs {0}")]
    Forbidden(Needed),
    /// Not now: it may work a little later.
    #[error("not available now")]
    Unavailable(#[source] StoreError),
    /// Not now: what judges credentials cannot keep up, or lacks its keys.
    #[error("credentials cannot be judged now")]
    Busy(#[source] Fault),
    /// A fault of ours.
    #[error("internal fault")]
    Internal(#[source] StoreError),
}

impl From<PatientRefusal> for UseCaseError {
    fn from(refusal: PatientRefusal) -> Self {
        Self::Refused(refusal.into())
    }
}

impl From<StoreError> for UseCaseError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict | StoreError::Unavailable(_) => Self::Unavailable(error),
            StoreError::Duplicate | StoreError::Corrupt(_) => Self::Internal(error),
        }
    }
}

impl UseCaseError {
    /// When to try again what is not available now.
    pub const RETRY_AFTER: Duration = Duration::from_secs(1);

    pub(crate) fn rate_limited(retry_after: Duration) -> Self {
        Self::RateLimited { retry_after }
    }

    /// The usual cause is a stored hash that is none.
    pub(crate) fn hashing(error: HashingError) -> Self {
        Self::Internal(StoreError::Corrupt(error.into()))
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::Refused(Refusal::new(RefusalKind::NotFound, message))
    }

    fn is_conflict(&self) -> bool {
        matches!(self, Self::Unavailable(StoreError::Conflict))
    }

    pub(crate) fn is_duplicate(&self) -> bool {
        matches!(self, Self::Internal(StoreError::Duplicate))
    }

    /// What a taken name means to the caller.
    pub(crate) fn duplicate_as(self, message: impl Into<String>) -> Self {
        if self.is_duplicate() {
            Self::Refused(Refusal::new(RefusalKind::AlreadyExists, message))
        } else {
            self
        }
    }
}

/// Decides again, on what is there now, as long as others get in between; after five seconds there is too
/// much going on.
pub(crate) async fn until_settled<T, Attempt, Outcome>(attempt: Attempt) -> Result<T, UseCaseError>
where
    Attempt: FnMut() -> Outcome,
    Outcome: Future<Output = Result<T, UseCaseError>>,
{
    let backoff = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(1))
        .with_max_delay(Duration::from_millis(100))
        .with_total_delay(Some(Duration::from_secs(5)))
        .without_max_times()
        .with_jitter();
    attempt.retry(backoff).when(UseCaseError::is_conflict).await
}
