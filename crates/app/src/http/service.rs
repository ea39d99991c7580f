//! What the server says of itself, to anyone: its health, its documents.

use super::openapi::{DOCUMENTS, Errors, page};
use super::routes::{Dialect, operations};
use super::{health, metrics, ops};

pub static DIALECT: Dialect = Dialect {
    name: "service",
    about: "What the server says of itself; this needs no credential.",
    prefixes: &[
        "/health",
        "/metrics",
        "/docs",
        "/openapi.json",
        "/openapi-3.0.json",
    ],
    optional_start: None,
    withheld: |_| {},
    operations: || {
        operations![
            health::live,
            health::ready,
            metrics::show,
            documents::newer,
            documents::older,
            page::index,
            page::asset,
        ]
    },
    undocumented: |_| {},
    render: ops::render,
    fault: ops::fault,
    errors: Errors::shown_as::<ops::ProblemDetails>("application/problem+json"),
    nulls: false,
    credentials: &[],
};

mod documents {
    use super::DOCUMENTS;
    use actix_web::HttpResponse;

    /// This document
    #[utoipa::path(
        get,
        path = "/openapi.json",
        operation_id = "openapi",
        responses((status = 200, description = "OpenAPI 3.1", body = Object)),
    )]
    pub async fn newer() -> HttpResponse {
        shown(&DOCUMENTS.newer)
    }

    /// This document, for older tools
    #[utoipa::path(
        get,
        path = "/openapi-3.0.json",
        operation_id = "openapi30",
        responses((status = 200, description = "OpenAPI 3.0.3", body = Object)),
    )]
    pub async fn older() -> HttpResponse {
        shown(&DOCUMENTS.older)
    }

    fn shown(document: &'static str) -> HttpResponse {
        HttpResponse::Ok().content_type("application/json").body(document)
    }
}
