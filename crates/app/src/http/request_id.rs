//! Around every request: its id, its span, its place in a trace, and an answer even if a handler panics.

use super::routes::Dialect;
use super::{Api, guards, metrics};
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, ResponseError, web};
use caretrack_domain::{RequestId, TraceParent};
use futures::FutureExt;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::time::Instant;
use tracing::Instrument;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The id that [`surround`] gave the request.
pub fn of(request: &HttpRequest, api: &Api) -> RequestId {
    let given = request.extensions().get::<RequestId>().cloned();
    given.unwrap_or_else(|| api.new_request_id())
}

/// What a task of the request continues.
pub fn trace_of(request: &HttpRequest) -> Option<TraceParent> {
    request.extensions().get().copied()
}

/// What is malformed, or there twice, is as if it were not there.
fn given_trace(headers: &HeaderMap) -> Option<TraceParent> {
    let mut given = headers.get_all(&TRACEPARENT);
    let only = given.next().filter(|_| given.next().is_none())?;
    TraceParent::parse(only.to_str().ok()?)
}

pub async fn surround<B: MessageBody + 'static>(
    api: web::Data<Api>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let given = request
        .headers()
        .get(&HEADER)
        .and_then(|value| value.to_str().ok());
    let id = given
        .and_then(RequestId::parse)
        .unwrap_or_else(|| api.new_request_id());
    let header = HeaderValue::from_str(id.as_str());
    let (span, trace) = api.spans.request(&id, given_trace(request.headers()));
    let dialect = Dialect::of(request.path());
    request.extensions_mut().insert(id);
    if let Some(trace) = trace {
        request.extensions_mut().insert(trace);
    }
    let began = Instant::now();

    let answering = AssertUnwindSafe(next.call(request))
        .catch_unwind()
        .instrument(span.clone());
    let Ok(answered) = answering.await else {
        span.in_scope(|| tracing::error!("a handler panicked"));
        let header = header.ok();
        return Err(Panicked { dialect, header }.into());
    };
    let mut response = answered?;
    if let Ok(header) = header {
        response.headers_mut().insert(HEADER, header);
    }
    guards::add(response.headers_mut());
    let status = response.status().as_u16();
    let answered = metrics::answered(response.request(), status, began.elapsed());
    api.metrics.answered(&answered);
    api.spans.answered(&span, &answered);
    if api.is_stopping() {
        response
            .response_mut()
            .head_mut()
            .set_connection_type(actix_web::http::ConnectionType::Close);
    }
    Ok(response)
}

/// A fault in our own code; the connection lives on.
struct Panicked {
    dialect: &'static Dialect,
    header: Option<HeaderValue>,
}

impl fmt::Debug for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a handler panicked")
    }
}

impl ResponseError for Panicked {
    fn error_response(&self) -> HttpResponse {
        let mut response = (self.dialect.fault)();
        guards::add(response.headers_mut());
        if let Some(header) = &self.header {
            response.headers_mut().insert(HEADER, header.clone());
        }
        response
    }
}
