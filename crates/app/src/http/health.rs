//! Is it alive, and may it be sent requests?

use super::Api;
use actix_web::{HttpResponse, web};
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

/// Whether it may be sent requests
#[utoipa::path(
    get,
    path = "/health/ready",
    operation_id = "ready",
    responses(
        (status = 200, description = "It may", body = Health),
        (status = 503, description = "It may not", body = Health),
    ),
)]
pub async fn ready(api: web::Data<Api>) -> HttpResponse {
    if api.is_stopping() {
        return HttpResponse::ServiceUnavailable().json(Health { status: "stopping" });
    }
    match api.application.check().await {
        Ok(()) => HttpResponse::Ok().json(Health { status: "ready" }),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            HttpResponse::ServiceUnavailable().json(Health {
                status: "the store is not available",
            })
        }
    }
}
