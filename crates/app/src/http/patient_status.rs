//! The patient-status dialect: donor-search patients, their status, and the life cycle of their searches.

mod delivery;
mod draft;
mod error;
mod listing;
mod orders;
pub mod parts;
mod patients;
mod reader;
mod results;
mod search_view;
mod searches;
mod shapes;
mod status;
mod view;

use super::Api;
use super::access::TOKENS;
use super::body::{self, Takes};
use super::failure::Failure;
use super::openapi::{Credential, Errors};
use super::routes::{Dialect, operations};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, web};
use caretrack_application::Caller;
use caretrack_domain::{Refusal, Scope};
use error::{ErrorDocument, PatientStatusError, fault, render};
use orders::Numbered;

type Answer = Result<HttpResponse, PatientStatusError>;

#[expect(deprecated, reason = "one of the routes is, and stays")]
pub static DIALECT: Dialect = Dialect {
    name: "patient-status",
    about: "Donor-search patients, their status (NEW, PRE, ACT, SUS, STP), and the life cycle of their searches. Each path \
        works without `/api/v2` as well, and each body may be `application/json-patch+json` (a plain object all the same).",
    prefixes: &["/api/v2", "/patients", "/searches"],
    optional_start: Some("/api/v2"),
    withheld: withhold,
    operations: || {
        operations![
            // First what has a name of its own: paths are tried in this order.
            status::change,
            status::assign,
            patients::list,
            patients::list_by_body,
            patients::list_deprecated,
            patients::register,
            patients::update,
            patients::find,
            searches::refresh,
            searches::of_patient,
            results::donors,
            results::cbus,
            results::adcu,
            results::registries,
            results::cbbs,
            results::deliver,
            searches::start,
            searches::find,
        ]
    },
    undocumented: |_| {},
    render,
    fault,
    errors: Errors::shown_as::<ErrorDocument>("application/json"),
    nulls: true,
    credentials: &[Credential::Token],
};

/// What the published API has beside these: it would be taken for a search of such a name.
fn withhold(config: &mut web::ServiceConfig) {
    for path in [
        "/api/v2/searches/searchResultsRefresh",
        "/api/v2/searches/selected/donors",
    ] {
        config.service(web::resource(DIALECT.forms(path)).default_service(web::to(excluded)));
    }
}

/// Told only to those who may know.
async fn excluded(api: Data<Api>, request: HttpRequest) -> Answer {
    api.caller_by(&request, TOKENS).await?;
    Err(Failure::Excluded.into())
}

async fn reader(api: &Api, request: &HttpRequest) -> Result<Caller, PatientStatusError> {
    Ok(api.entitled(request, TOKENS, Scope::PatientRead).await?)
}

/// Of the bodies of one operation.
struct Reading<'a> {
    scope: Scope,
    /// What a refusal is noted as.
    action: &'a str,
    limit: usize,
}

impl<'a> Reading<'a> {
    fn of(scope: Scope, action: &'a str, api: &Api) -> Self {
        let limit = api.limits.body;
        Self { scope, action, limit }
    }
}

/// Reads a body that changes something; what is wrong with it is noted, as every refusal.
async fn written<T>(
    api: &Api,
    request: &HttpRequest,
    payload: Payload,
    action: &str,
    parse: impl FnOnce(&str) -> Result<T, Refusal>,
) -> Result<(Caller, T), PatientStatusError> {
    let reading = Reading::of(Scope::PatientWrite, action, api);
    read(api, request, payload, reading, parse).await
}

/// Judges who asks, then the body, then what it says.
async fn read<T>(
    api: &Api,
    request: &HttpRequest,
    payload: Payload,
    reading: Reading<'_>,
    parse: impl FnOnce(&str) -> Result<T, Refusal>,
) -> Result<(Caller, T), PatientStatusError> {
    let caller = api.entitled(request, TOKENS, reading.scope).await?;
    let body = text(api, request, payload, reading.limit).await;
    let parsed = body.and_then(|text| Ok(with_key(request, parse(&text))?));
    match parsed {
        Ok(parsed) => Ok((caller, parsed)),
        Err(failure) => {
            api.note_refusal(&caller, reading.action, request).await;
            Err(failure.into())
        }
    }
}

async fn text(api: &Api, request: &HttpRequest, payload: Payload, limit: usize) -> Result<String, Failure> {
    let takes = Takes {
        types: &["application/json", "application/json-patch+json"],
        limit,
    };
    body::read_as(request, payload, takes, &api.limits).await
}

/// What is wrong with the request's idempotency key is told with all else that is wrong.
fn with_key<T>(request: &HttpRequest, parsed: Result<T, Refusal>) -> Result<T, Refusal> {
    match (Api::check_key(request), parsed) {
        (Ok(()), parsed) => parsed,
        (Err(no_key), Ok(_)) => Err(no_key),
        (Err(no_key), Err(refusal)) => Err(refusal.and(no_key)),
    }
}

/// A part of the path that names a record. What is no positive integer names none.
fn numbered(request: &HttpRequest, name: &str) -> Numbered {
    let segment = request.match_info().get(name).unwrap_or_default();
    let is_number = segment.bytes().all(|byte| byte.is_ascii_digit());
    Numbered(segment.parse().ok().filter(|_| is_number).unwrap_or(0))
}
