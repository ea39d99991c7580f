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
            Self::UseCase(
                UseCaseError::Refused(_)
                | UseCaseError::TaskRefused(_)
                | UseCaseError::Key(_)
                | UseCaseError::Unauthenticated
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

    /// Whether the same request may well succeed a moment later.
    pub fn may_pass_soon(&self) -> bool {
        matches!(
            self,
            Self::UseCase(UseCaseError::Unavailable(_) | UseCaseError::Key(KeyConflict::InFlight))
        )
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
