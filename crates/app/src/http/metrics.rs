//! `/metrics`, and what is counted of every request.

use super::Api;
use crate::metrics::{Answered, Metrics};
use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// The template of a path, as the routes have it, and its dialect; on every request that found its way to one.
#[derive(Clone, Copy)]
pub struct Template {
    pub dialect: &'static str,
    pub route: &'static str,
}

const UNMATCHED: Template = Template {
    dialect: "none",
    route: "unmatched",
};

/// What waits, as it was a moment ago: however often it is asked for, the store is asked once in five seconds.
#[derive(Default)]
pub struct RecentBacklog(Mutex<Option<Instant>>);

impl RecentBacklog {
    const LIFETIME: Duration = Duration::from_secs(5);
    const PATIENCE: Duration = Duration::from_secs(1);

    async fn refresh(&self, api: &Api) {
        // Whoever comes while it is being asked for is shown the last answer.
        let Ok(mut asked_at) = self.0.try_lock() else {
            return;
        };
        if asked_at.is_some_and(|at| at.elapsed() < Self::LIFETIME) {
            return;
        }
        let backlog = timeout(Self::PATIENCE, api.application.backlog()).await;
        let backlog = backlog.ok().and_then(Result::ok);
        api.metrics.set_backlog(backlog.as_deref());
        *asked_at = Some(Instant::now());
    }
}

/// Figures for Prometheus
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    responses((status = 200, description = "In its text format", body = String, content_type = "text/plain")),
)]
pub async fn show(api: web::Data<Api>) -> HttpResponse {
    api.recent_backlog.refresh(&api).await;
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(api.metrics.text())
}

/// What is told of an answer.
pub fn answered(request: &HttpRequest, status: u16, took: Duration) -> Answered<'static> {
    let Template { dialect, route } = request.app_data::<Template>().copied().unwrap_or(UNMATCHED);
    Answered {
        dialect,
        method: method(request.method()),
        route,
        status,
        took,
    }
}

/// Clients may make up methods; labels may not.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

/// Lives as long as its connection.
pub struct Connection(Arc<Metrics>);

impl Connection {
    pub fn opened(metrics: Arc<Metrics>) -> Self {
        metrics.connections.inc();
        Self(metrics)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}
