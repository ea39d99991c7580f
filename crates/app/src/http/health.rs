//! Is it alive, and may it be sent requests?

use super::Api;
use actix_web::{HttpResponse, web};
use caretrack_application::Check;
use serde::Serialize;
use utoipa::ToSchema;

/// How the server is.
#[derive(Serialize, ToSchema)]
struct Health {
    status: &'static str,
}

/// Whether the process is alive
#[utoipa::path(
    get,
    path = "/health/live",
    operation_id = "live",
    responses((status = 200, description = "It is", body = Health)),
)]
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "live" })
}

/// Whether it may be sent requests, and why not.
#[derive(Serialize, ToSchema)]
struct Readiness {
    /// `ready`, `failing` or `stopping`.
    status: &'static str,
    /// Not there while it stops.
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Checks>,
}

#[derive(Serialize, ToSchema)]
struct Checks {
    /// Whether it can be read.
    store: CheckView,
    /// Whether all have been applied.
    migrations: CheckView,
    /// Whether it goes on; not there in a process that only answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<CheckView>,
}

#[derive(Serialize, ToSchema)]
struct CheckView {
    /// `passed`, `failed` or `unknown`.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'static str>,
}

impl From<Check> for CheckView {
    fn from(check: Check) -> Self {
        let (status, problem) = match check {
            Check::Passed => ("passed", None),
            Check::Failed(problem) => ("failed", Some(problem)),
            Check::Unknown => ("unknown", None),
        };
        Self { status, problem }
    }
}

/// Whether it may be sent requests
///
/// Answered within a second or so, even when the store hangs.
#[utoipa::path(
    get,
    path = "/health/ready",
    operation_id = "ready",
    responses(
        (status = 200, description = "It may", body = Readiness),
        (status = 503, description = "It may not", body = Readiness),
    ),
)]
pub async fn ready(api: web::Data<Api>) -> HttpResponse {
    if api.is_stopping() {
        return HttpResponse::ServiceUnavailable().json(Readiness {
            status: "stopping",
            checks: None,
        });
    }
    let health = api.application.health().await;
    let (mut answer, status) = if health.is_good() {
        (HttpResponse::Ok(), "ready")
    } else {
        tracing::warn!(?health, "not ready");
        (HttpResponse::ServiceUnavailable(), "failing")
    };
    answer.json(Readiness {
        status,
        checks: Some(Checks {
            store: health.store.into(),
            migrations: health.migrations.into(),
            worker: health.worker.map(Into::into),
        }),
    })
}
