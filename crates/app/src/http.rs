//! The HTTP side: one module for each dialect, and what they share.
//!
//! A handler parses, makes one call on the application, renders. The words of a wire contract live only in its
//! dialect's module. How to add a route: `routes.rs`.

mod access;
mod body;
mod failure;
mod guards;
mod health;
mod idempotency;
mod json;
mod metrics;
pub mod openapi;
mod ops;
mod patient_status;
mod query;
mod registry;
mod request_id;
mod routes;
mod serve;
mod service;
#[cfg(test)]
mod tests;
mod unread;

pub use routes::{health_routes, routes};
pub use serve::serve;

use crate::metrics::Metrics;
use crate::settings::Limits;
use crate::traces::Spans;
use actix_web::HttpRequest;
use caretrack_application::{Application, Caller, UseCaseError};
use caretrack_domain::{Instant, RequestId, Scope};
use caretrack_ports::IdGenerator;
use ipnet::IpNet;
use metrics::RecentBacklog;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// Of a path that goes into the audit log.
const LONGEST_TARGET: usize = 256;

/// What every handler has at hand.
pub struct Api {
    pub application: Arc<Application>,
    pub limits: Limits,
    ids: Arc<dyn IdGenerator>,
    proxies: Vec<IpNet>,
    stopping: AtomicBool,
    metrics: Arc<Metrics>,
    spans: Spans,
    recent_backlog: RecentBacklog,
}

impl Api {
    pub fn new(
        application: Arc<Application>,
        limits: Limits,
        ids: Arc<dyn IdGenerator>,
        metrics: Arc<Metrics>,
        spans: Spans,
    ) -> Self {
        Self {
            application,
            limits,
            ids,
            proxies: Vec::new(),
            stopping: AtomicBool::new(false),
            metrics,
            spans,
            recent_backlog: RecentBacklog::default(),
        }
    }

    /// Proxies that are believed where a request comes from.
    pub fn behind(self, proxies: Vec<IpNet>) -> Self {
        Self { proxies, ..self }
    }

    /// From now on it is not ready, and connections end with their request.
    pub fn begin_stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.application.stop_telling();
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    fn new_request_id(&self) -> RequestId {
        RequestId::generated(self.ids.id())
    }

    /// Who calls; checked before the body is read, as is the scope by whoever asks for one.
    async fn caller(&self, request: &HttpRequest) -> Result<Caller, UseCaseError> {
        self.caller_by(request, access::API_KEYS).await
    }

    async fn caller_with(&self, request: &HttpRequest, scope: Scope) -> Result<Caller, UseCaseError> {
        let caller = self.entitled(request, access::API_KEYS, scope).await?;
        if let Err(refusal) = Self::check_key(request) {
            self.note_refusal(&caller, "access", request).await;
            return Err(refusal.into());
        }
        Ok(caller)
    }

    /// Who calls, if they may.
    async fn entitled(
        &self,
        request: &HttpRequest,
        accepts: access::Accepts,
        scope: Scope,
    ) -> Result<Caller, UseCaseError> {
        let caller = self.caller_by(request, accepts).await?;
        if let Err(denied) = caller.require(scope) {
            let target = target(request);
            self.application.note_denial(&caller, "access", target).await;
            return Err(denied);
        }
        Ok(caller)
    }

    /// For what is refused before a use case hears of it.
    async fn note_refusal(&self, caller: &Caller, action: &str, request: &HttpRequest) {
        self.application
            .note_refusal(caller, action, target(request))
            .await;
    }
}

/// What a request is noted under: its path, or as much of it as there is room for.
fn target(request: &HttpRequest) -> &str {
    let path = request.path();
    path.get(..LONGEST_TARGET).unwrap_or(path)
}

/// RFC 3339, UTC, milliseconds.
fn rfc3339(at: Instant) -> String {
    const FORMAT: &[BorrowedFormatItem<'_>] =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    // The format has no part that an instant of ours lacks.
    at.format(FORMAT).unwrap_or_default()
}
