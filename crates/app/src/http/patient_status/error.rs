//! The error document: every answer of 400 and above.

use crate::http::failure::{Failure, key_conflict};
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use caretrack_application::UseCaseError;
use caretrack_domain::{KeyConflict, PatientRefusal, Problem, Refusal, RefusalKind};
use serde::Serialize;
use std::fmt;
use utoipa::ToSchema;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PatientStatusErrorCode)]
enum Code {
    Unauthenticated,
    Forbidden,
    PayloadTooLarge,
    UnsupportedMediaType,
    InvalidRequest,
    NotFound,
    ResultsDeleted,
    MethodNotAllowed,
    RequestTimeout,
    TransitionRefused,
    PatientStopped,
    PatientIdInUse,
    PatientIdAlreadySet,
    SearchNotCompleted,
    SearchTerminated,
    IdempotencyInFlight,
    IdempotencyMismatch,
    TooManyRequests,
    Overloaded,
    Internal,
}

/// The body of every answer of 400 and above.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PatientStatusError)]
pub struct ErrorDocument {
    code: Code,
    message: String,
    /// Every field that is at fault.
    errors: Vec<Fault>,
    /// Where the patient stands, if that is what the request was refused for.
    #[serde(skip_serializing_if = "Option::is_none")]
    current_status: Option<&'static str>,
    /// What could be asked for instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_statuses: Option<Vec<&'static str>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FieldFault)]
struct Fault {
    /// A JSON path in the body, or the name of a parameter.
    field: String,
    message: String,
}

/// What is answered, and as which status.
struct Outline(StatusCode, ErrorDocument);

impl Outline {
    fn new(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self(
            status,
            ErrorDocument {
                code,
                message: message.into(),
                errors: Vec::new(),
                current_status: None,
                allowed_statuses: None,
            },
        )
    }

    fn internal() -> Self {
        let message = "Something went wrong here; the request id tells us what.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, message)
    }

    fn of(failure: &Failure) -> Self {
        match failure {
            Failure::UseCase(error) => Self::of_error(error),
            Failure::WrongContentType => Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                Code::UnsupportedMediaType,
                "The body must be application/json or application/json-patch+json, in UTF-8, not encoded.",
            ),
            Failure::BodyTooLarge { limit } => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                Code::PayloadTooLarge,
                format!("The body is over its limit of {limit} bytes."),
            ),
            Failure::BodyTooSlow => Self::new(
                StatusCode::REQUEST_TIMEOUT,
                Code::RequestTimeout,
                "The body did not come in time.",
            ),
            Failure::NoSuchPath | Failure::Excluded => {
                Self::new(StatusCode::NOT_FOUND, Code::NotFound, "There is no such path.")
            }
            Failure::WrongMethod { allow } => Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                Code::MethodNotAllowed,
                format!("This path has {allow}."),
            ),
        }
    }

    fn of_error(error: &UseCaseError) -> Self {
        match error {
            UseCaseError::Refused(refusal) => Self::of_refusal(refusal),
            UseCaseError::TaskRefused(_) | UseCaseError::Internal(_) => Self::internal(),
            UseCaseError::Key(conflict) => {
                let code = match conflict {
                    KeyConflict::InFlight => Code::IdempotencyInFlight,
                    KeyConflict::Reused => Code::IdempotencyMismatch,
                };
                Self::new(key_conflict(*conflict), code, format!("Not now: {conflict}."))
            }
            UseCaseError::Unauthenticated(_) => Self::new(
                StatusCode::UNAUTHORIZED,
                Code::Unauthenticated,
                "There is no token, or a bad one.",
            ),
            UseCaseError::Forbidden(needed) => Self::new(
                StatusCode::FORBIDDEN,
                Code::Forbidden,
                format!("This needs {needed}."),
            ),
            UseCaseError::RateLimited { .. } => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                Code::TooManyRequests,
                "Too many requests: try again later.",
            ),
            UseCaseError::Unavailable(_) | UseCaseError::Busy(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                Code::Overloaded,
                "Not now: try again a little later.",
            ),
        }
    }

    fn of_refusal(refusal: &Refusal) -> Self {
        let fault = |problem: &Problem| Fault {
            field: field(&problem.path).to_owned(),
            message: problem.message.clone(),
        };
        let (status, code) = match refusal.kind {
            // What is not there, is another workspace's or was anonymised is told of in the same words.
            RefusalKind::NotFound => {
                return Self::new(StatusCode::NOT_FOUND, Code::NotFound, "There is no such record.");
            }
            RefusalKind::Invalid | RefusalKind::OutOfRange => (StatusCode::BAD_REQUEST, Code::InvalidRequest),
            RefusalKind::Patient(why) => return Self::of_patient(why, &refusal.message),
            // None of these is made here: what can stand against a request is told by name.
            RefusalKind::AlreadyExists
            | RefusalKind::Conflict
            | RefusalKind::FailedPrecondition
            | RefusalKind::ConditionFailed => return Self::internal(),
        };
        let Self(status, document) = Self::new(status, code, refusal.message.as_str());
        let errors = refusal.problems.iter().map(fault).collect();
        Self(status, ErrorDocument { errors, ..document })
    }
}

impl Outline {
    fn of_patient(why: PatientRefusal, message: &str) -> Self {
        let (status, code) = match why {
            PatientRefusal::TransitionRefused { .. } => (StatusCode::CONFLICT, Code::TransitionRefused),
            PatientRefusal::PatientStopped => (StatusCode::CONFLICT, Code::PatientStopped),
            PatientRefusal::PatientIdInUse => (StatusCode::CONFLICT, Code::PatientIdInUse),
            PatientRefusal::PatientIdAlreadySet => (StatusCode::CONFLICT, Code::PatientIdAlreadySet),
            PatientRefusal::SearchNotCompleted => (StatusCode::CONFLICT, Code::SearchNotCompleted),
            PatientRefusal::ResultsDeleted => (StatusCode::NOT_FOUND, Code::ResultsDeleted),
            PatientRefusal::SearchTerminated => (StatusCode::CONFLICT, Code::SearchTerminated),
        };
        let current = why.current();
        let Self(status, document) = Self::new(status, code, message);
        Self(
            status,
            ErrorDocument {
                current_status: current.map(Into::into),
                allowed_statuses: current
                    .map(|current| current.allowed().into_iter().map(Into::into).collect()),
                ..document
            },
        )
    }
}

/// Paths in bodies stay; of a parameter there is only its name.
fn field(path: &str) -> &str {
    let places = ["query.", "header.", "path."];
    let name = places.iter().find_map(|place| path.strip_prefix(place));
    name.unwrap_or(path)
}

pub fn render(failure: Failure) -> HttpResponse {
    PatientStatusError(failure).error_response()
}

/// For a fault that nothing else is known of.
pub fn fault() -> HttpResponse {
    let Outline(status, document) = Outline::internal();
    HttpResponse::build(status).json(document)
}

/// A failure on its way to becoming an error document.
#[derive(Debug)]
pub struct PatientStatusError(Failure);

impl fmt::Display for PatientStatusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl ResponseError for PatientStatusError {
    fn status_code(&self) -> StatusCode {
        Outline::of(&self.0).0
    }

    fn error_response(&self) -> HttpResponse {
        self.0.log();
        let Outline(status, document) = Outline::of(&self.0);
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
        response.json(document)
    }
}

impl From<Failure> for PatientStatusError {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl From<UseCaseError> for PatientStatusError {
    fn from(error: UseCaseError) -> Self {
        Self(error.into())
    }
}

impl From<Refusal> for PatientStatusError {
    fn from(refusal: Refusal) -> Self {
        Self(refusal.into())
    }
}
