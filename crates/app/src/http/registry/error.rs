//! The error object: every answer of 400 and above, and the error of a receipt.

use crate::http::failure::{Failure, key_conflict};
use crate::http::openapi::parts;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use caretrack_application::UseCaseError;
use caretrack_domain::{Problem, Refusal, RefusalKind};
use serde::Serialize;
use std::fmt;
use utoipa::ToSchema;

/// The types of the contract.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum ErrorType {
    InvalidArgument,
    OutOfRange,
    Unauthenticated,
    PermissionDenied,
    NotFound,
    AlreadyExists,
    FailedPrecondition,
    Unimplemented,
    Internal,
}

/// The body of every answer of 400 and above.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub struct ErrorObject {
    /// The HTTP status; in a receipt, the one that the same problem would have as a single write.
    code: u16,
    #[serde(rename = "type")]
    of: ErrorType,
    message: String,
    details: Vec<Detail>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ErrorDetail)]
struct Detail {
    /// A JSONPath from the body, or `path.id`, `query.limit`, `header.if-match`.
    path: String,
    #[schema(schema_with = parts::rule)]
    rule: &'static str,
    message: String,
}

impl ErrorObject {
    fn new(status: StatusCode, of: ErrorType, message: impl Into<String>) -> Self {
        Self {
            code: status.as_u16(),
            of,
            message: message.into(),
            details: Vec::new(),
        }
    }

    pub fn internal() -> Self {
        let message = "Something went wrong here; the request id tells us what.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorType::Internal, message)
    }

    fn of(failure: &Failure) -> Self {
        match failure {
            Failure::UseCase(error) => error.into(),
            Failure::WrongContentType => Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                ErrorType::InvalidArgument,
                "The body must be application/json, in UTF-8, not encoded.",
            ),
            Failure::BodyTooLarge { limit } => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                ErrorType::OutOfRange,
                format!("The body is over its limit of {limit} bytes."),
            ),
            Failure::BodyTooSlow => Self::new(
                StatusCode::REQUEST_TIMEOUT,
                ErrorType::InvalidArgument,
                "The body did not come in time.",
            ),
            Failure::NoSuchPath => Self::new(
                StatusCode::NOT_FOUND,
                ErrorType::NotFound,
                "There is no such path.",
            ),
            Failure::WrongMethod { allow } => Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                ErrorType::Unimplemented,
                format!("This path has {allow}."),
            ),
            Failure::Excluded => Self::new(
                StatusCode::NOT_IMPLEMENTED,
                ErrorType::Unimplemented,
                "This is not supported here.",
            ),
        }
    }
}

impl From<&UseCaseError> for ErrorObject {
    fn from(error: &UseCaseError) -> Self {
        match error {
            UseCaseError::Refused(refusal) => refusal.into(),
            UseCaseError::TaskRefused(refused) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                ErrorType::FailedPrecondition,
                refused.to_string(),
            ),
            UseCaseError::Key(conflict) => Self::new(
                key_conflict(*conflict),
                ErrorType::FailedPrecondition,
                format!("Not now: {conflict}."),
            ),
            UseCaseError::Unauthenticated(_) => Self::new(
                StatusCode::UNAUTHORIZED,
                ErrorType::Unauthenticated,
                "There is no credential, or a bad one.",
            ),
            UseCaseError::Forbidden(needed) => Self::new(
                StatusCode::FORBIDDEN,
                ErrorType::PermissionDenied,
                format!("This needs {needed}."),
            ),
            UseCaseError::RateLimited { .. } => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                ErrorType::FailedPrecondition,
                "Too many requests: try again later.",
            ),
            UseCaseError::Unavailable(_) | UseCaseError::Busy(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                ErrorType::Internal,
                "Not now: try again a little later.",
            ),
            UseCaseError::Internal(_) => Self::internal(),
        }
    }
}

impl From<&Refusal> for ErrorObject {
    fn from(refusal: &Refusal) -> Self {
        let (status, of) = match refusal.kind {
            RefusalKind::Invalid => (StatusCode::BAD_REQUEST, ErrorType::InvalidArgument),
            RefusalKind::OutOfRange => (StatusCode::BAD_REQUEST, ErrorType::OutOfRange),
            RefusalKind::NotFound => (StatusCode::NOT_FOUND, ErrorType::NotFound),
            RefusalKind::AlreadyExists => (StatusCode::CONFLICT, ErrorType::AlreadyExists),
            RefusalKind::Conflict | RefusalKind::Patient(_) => {
                (StatusCode::CONFLICT, ErrorType::FailedPrecondition)
            }
            RefusalKind::FailedPrecondition => {
                (StatusCode::UNPROCESSABLE_ENTITY, ErrorType::FailedPrecondition)
            }
            RefusalKind::ConditionFailed => (StatusCode::PRECONDITION_FAILED, ErrorType::FailedPrecondition),
        };
        let detail = |problem: &Problem| Detail {
            path: problem.path.clone(),
            rule: problem.rule.into(),
            message: problem.message.clone(),
        };
        Self {
            details: refusal.problems.iter().map(detail).collect(),
            ..Self::new(status, of, refusal.message.as_str())
        }
    }
}

pub fn render(failure: Failure) -> HttpResponse {
    RegistryError(failure).error_response()
}

/// For a fault that nothing else is known of.
pub fn fault() -> HttpResponse {
    HttpResponse::InternalServerError().json(ErrorObject::internal())
}

/// A failure on its way to becoming an error object.
#[derive(Debug)]
pub struct RegistryError(Failure);

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl ResponseError for RegistryError {
    fn status_code(&self) -> StatusCode {
        let code = ErrorObject::of(&self.0).code;
        StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        self.0.log();
        let object = ErrorObject::of(&self.0);
        let status = StatusCode::from_u16(object.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        if let Failure::WrongMethod { allow } = &self.0 {
            response.insert_header((ALLOW, allow.as_str()));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.insert_header((WWW_AUTHENTICATE, "Bearer"));
        }
        if let Some(seconds) = self.0.retry_after() {
            response.insert_header((RETRY_AFTER, seconds));
        }
        response.json(object)
    }
}

impl From<Failure> for RegistryError {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl From<UseCaseError> for RegistryError {
    fn from(error: UseCaseError) -> Self {
        Self(error.into())
    }
}

impl From<Refusal> for RegistryError {
    fn from(refusal: Refusal) -> Self {
        Self(refusal.into())
    }
}
