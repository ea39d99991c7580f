//! Problem details (RFC 9457), with the fields that are wrong in `errors`.

use super::view::task::{ProblemView, problem};
use crate::http::failure::{Failure, key_conflict};
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use caretrack_application::UseCaseError;
use caretrack_domain::{Problem, Refusal, RefusalKind};
use serde::Serialize;
use std::fmt;
use utoipa::ToSchema;

/// Problem details (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDetails<'a> {
    #[serde(rename = "type")]
    of: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    /// What is wrong with the request, place by place.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<ProblemView>>,
}

/// A failure on its way to becoming a problem.
#[derive(Debug)]
pub struct OpsError(Failure);

pub fn render(failure: Failure) -> HttpResponse {
    OpsError(failure).error_response()
}

/// For a fault that nothing else is known of.
pub fn fault() -> HttpResponse {
    answer(StatusCode::INTERNAL_SERVER_ERROR, FAULT, &[])
}

const FAULT: &str = "Something went wrong here; the request id tells us what.";

fn answer(status: StatusCode, detail: &str, problems: &[Problem]) -> HttpResponse {
    let errors = (!problems.is_empty()).then(|| problems.iter().map(problem).collect());
    // `json` keeps the content type that is there.
    HttpResponse::build(status)
        .content_type("application/problem+json")
        .json(ProblemDetails {
            of: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail,
            errors,
        })
}

impl OpsError {
    fn outline(&self) -> (StatusCode, String) {
        match &self.0 {
            Failure::UseCase(error) => match error {
                UseCaseError::Refused(refusal) => (status(refusal.kind), refusal.message.clone()),
                UseCaseError::TaskRefused(refused) => (StatusCode::CONFLICT, format!("{refused}.")),
                UseCaseError::Key(conflict) => (key_conflict(*conflict), format!("Not now: {conflict}.")),
                UseCaseError::Unauthenticated(_) => (
                    StatusCode::UNAUTHORIZED,
                    "There is no credential, or a bad one.".to_owned(),
                ),
                UseCaseError::Forbidden(needed) => (StatusCode::FORBIDDEN, format!("This needs {needed}.")),
                UseCaseError::RateLimited { .. } => (
                    StatusCode::TOO_MANY_REQUESTS,
                    "Too many requests: try again later.".to_owned(),
                ),
                UseCaseError::Unavailable(_) | UseCaseError::Busy(_) => (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "Not now: try again a little later.".to_owned(),
                ),
                UseCaseError::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, FAULT.to_owned()),
            },
            Failure::WrongContentType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The body must be application/json, in UTF-8, not encoded.".to_owned(),
            ),
            Failure::BodyTooLarge { limit } => (
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("The body is over its limit of {limit} bytes."),
            ),
            Failure::BodyTooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "The body did not come in time.".to_owned(),
            ),
            Failure::NoSuchPath => (StatusCode::NOT_FOUND, "There is no such path.".to_owned()),
            Failure::WrongMethod { allow } => {
                (StatusCode::METHOD_NOT_ALLOWED, format!("This path has {allow}."))
            }
            Failure::Excluded => (
                StatusCode::NOT_IMPLEMENTED,
                "This is not supported here.".to_owned(),
            ),
        }
    }

    fn problems(&self) -> &[Problem] {
        match &self.0 {
            Failure::UseCase(UseCaseError::Refused(refusal)) => &refusal.problems,
            Failure::UseCase(
                UseCaseError::TaskRefused(_)
                | UseCaseError::Key(_)
                | UseCaseError::Unauthenticated(_)
                | UseCaseError::RateLimited { .. }
                | UseCaseError::Busy(_)
                | UseCaseError::Forbidden(_)
                | UseCaseError::Unavailable(_)
                | UseCaseError::Internal(_),
            )
            | Failure::WrongContentType
            | Failure::BodyTooLarge { .. }
            | Failure::BodyTooSlow
            | Failure::NoSuchPath
            | Failure::WrongMethod { .. }
            | Failure::Excluded => &[],
        }
    }
}

fn status(kind: RefusalKind) -> StatusCode {
    match kind {
        RefusalKind::Invalid | RefusalKind::OutOfRange => StatusCode::BAD_REQUEST,
        RefusalKind::NotFound => StatusCode::NOT_FOUND,
        RefusalKind::AlreadyExists | RefusalKind::Conflict | RefusalKind::Patient(_) => StatusCode::CONFLICT,
        RefusalKind::FailedPrecondition => StatusCode::UNPROCESSABLE_ENTITY,
        RefusalKind::ConditionFailed => StatusCode::PRECONDITION_FAILED,
    }
}

impl fmt::Display for OpsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl ResponseError for OpsError {
    fn status_code(&self) -> StatusCode {
        self.outline().0
    }

    fn error_response(&self) -> HttpResponse {
        self.0.log();
        let (status, detail) = self.outline();
        let mut response = answer(status, &detail, self.problems());
        let headers = response.headers_mut();
        if let Failure::WrongMethod { allow } = &self.0
            && let Ok(allow) = allow.parse()
        {
            headers.insert(ALLOW, allow);
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(
                WWW_AUTHENTICATE,
                actix_web::http::header::HeaderValue::from_static("Bearer"),
            );
        }
        if let Some(seconds) = self.0.retry_after() {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<Failure> for OpsError {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl From<UseCaseError> for OpsError {
    fn from(error: UseCaseError) -> Self {
        Self(error.into())
    }
}

impl From<Refusal> for OpsError {
    fn from(refusal: Refusal) -> Self {
        Self(refusal.into())
    }
}
