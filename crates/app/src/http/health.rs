//! Is it alive, and may it be sent requests?

use super::Api;
use actix_web::{HttpResponse, web};
use serde_json::json;

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/health/live", web::get().to(live))
        .route("/health/ready", web::get().to(ready));
}

async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "live"}))
}

async fn ready(api: web::Data<Api>) -> HttpResponse {
    if api.is_stopping() {
        return HttpResponse::ServiceUnavailable().json(json!({"status": "stopping"}));
    }
    match api.application.check().await {
        Ok(()) => HttpResponse::Ok().json(json!({"status": "ready"})),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            HttpResponse::ServiceUnavailable().json(json!({"status": "the store is not available"}))
        }
    }
}
