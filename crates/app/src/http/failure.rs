//! What a request can end in beside success, in any dialect.

use actix_web::http::StatusCode;
use caretrack_application::UseCaseError;
use caretrack_domain::{KeyConflict, Refusal, RefusalKind};

#[derive(Debug)]
pub enum Failure {
    UseCase(UseCaseError),
    /// Not `application/json`, or encoded.
    WrongContentType,
    BodyTooLarge {
        limit: usize,
    },
    BodyTooSlow,
    NoSuchPath,
    WrongMethod {
        allow: String,
    },
    /// Documented in the contract, and left out on purpose.
    Excluded,
}

impl Failure {
    /// The one place where faults of ours are logged; callers are shown nothing of them.
    pub fn log(&self) {
        match self {
            Self::UseCase(UseCaseError::Internal(source)) => {
                tracing::error!(error = %source, "internal fault");
            }
            Self::UseCase(UseCaseError::Unavailable(source)) => {
                tracing::warn!(error = %source, "not available");
            }
            Self::UseCase(UseCaseError::Busy(source)) => {
                tracing::warn!(error = %source, "credentials cannot be judged now");
            }
            Self::UseCase(
                UseCaseError::Refused(_)
                | UseCaseError::TaskRefused(_)
                | UseCaseError::Key(_)
                | UseCaseError::Unauthenticated(_)
                | UseCaseError::RateLimited { .. }
                | UseCaseError::Forbidden(_),
            )
            | Self::WrongContentType
            | Self::BodyTooLarge { .. }
            | Self::BodyTooSlow
            | Self::NoSuchPath
            | Self::WrongMethod { .. }
            | Self::Excluded => {}
        }
    }

    /// When the same request may well succeed, for what is not available now or was asked for too often.
    pub fn retry_after(&self) -> Option<u64> {
        let wait = match self {
            Self::UseCase(UseCaseError::RateLimited { retry_after }) => *retry_after,
            Self::UseCase(
                UseCaseError::Unavailable(_)
                | UseCaseError::Busy(_)
                | UseCaseError::Key(KeyConflict::InFlight),
            ) => UseCaseError::RETRY_AFTER,
            Self::UseCase(
                UseCaseError::Refused(_)
                | UseCaseError::TaskRefused(_)
                | UseCaseError::Key(KeyConflict::Reused)
                | UseCaseError::Unauthenticated(_)
                | UseCaseError::Forbidden(_)
                | UseCaseError::Internal(_),
            )
            | Self::WrongContentType
            | Self::BodyTooLarge { .. }
            | Self::BodyTooSlow
            | Self::NoSuchPath
            | Self::WrongMethod { .. }
            | Self::Excluded => return None,
        };
        // Whole seconds, and none too few.
        Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
    }

    /// For what cannot be there, because nothing is named like that.
    pub fn no_such_record() -> Self {
        Refusal::new(RefusalKind::NotFound, "There is no such record.").into()
    }
}

/// The same in every dialect; what comes with it is the dialect's own.
pub fn key_conflict(conflict: KeyConflict) -> StatusCode {
    match conflict {
        KeyConflict::Reused => StatusCode::UNPROCESSABLE_ENTITY,
        KeyConflict::InFlight => StatusCode::CONFLICT,
    }
}

impl From<UseCaseError> for Failure {
    fn from(error: UseCaseError) -> Self {
        Self::UseCase(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::UseCase(refusal.into())
    }
}
