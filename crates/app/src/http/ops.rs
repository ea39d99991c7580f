//! `/ops/v1`: what operators see and do. Errors are problems (RFC 9457); lists are paged by cursor.

mod clock;
mod credentials;
mod events;
mod patients;
mod problem;
mod queues;
mod records;
mod shapes;
mod tasks;
mod view;
mod webhooks;
mod whoami;

pub use problem::{ProblemDetails, fault, render};

use super::openapi::{Credential, Errors};
use super::query::Query;
use super::routes::{Dialect, operations};
use super::{Api, body};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use caretrack_application::{Caller, Page};
use caretrack_domain::{Refusal, Scope};
use problem::OpsError;
use serde::Serialize;
use view::List;

type Answer = Result<HttpResponse, OpsError>;

pub static DIALECT: Dialect = Dialect {
    name: "ops",
    about: "What operators see and do. Errors are problems (RFC 9457); lists are paged by cursor.",
    prefixes: &["/ops"],
    optional_start: None,
    withheld: |_| {},
    operations: || {
        operations![
            records::list_workspaces,
            records::add_workspace,
            records::list_audit,
            whoami::whoami,
            credentials::list,
            credentials::add,
            credentials::revoke,
            events::listen,
            webhooks::list,
            webhooks::add,
            webhooks::remove,
            tasks::list,
            tasks::find,
            tasks::cancel,
            tasks::retry,
            clock::find,
            clock::advance,
            queues::list,
            queues::pause,
            queues::resume,
            patients::list,
            patients::register,
            patients::find,
            patients::history,
            patients::change,
        ]
    },
    undocumented: |_| {},
    render,
    fault,
    errors: Errors::shown_as::<problem::ProblemDetails>("application/problem+json"),
    nulls: false,
    credentials: &[Credential::ApiKey, Credential::Bearer],
};

/// Reads a body that changes something; what is wrong with it is noted, as every refusal.
async fn read<T>(
    api: &Api,
    request: &HttpRequest,
    payload: Payload,
    action: &str,
    parse: impl FnOnce(&str) -> Result<T, Refusal>,
) -> Result<(Caller, T), OpsError> {
    let caller = api.caller_with(request, Scope::OpsWrite).await?;
    let read = body::read(request, payload, &api.limits).await;
    match read.and_then(|text| Ok(parse(&text)?)) {
        Ok(parsed) => Ok((caller, parsed)),
        Err(failure) => {
            api.note_refusal(&caller, action, request).await;
            Err(failure.into())
        }
    }
}

fn limit(query: &Query) -> Result<usize, Refusal> {
    Ok(query.limit(&(1..=200))?.unwrap_or(50))
}

/// `items`, and `next` if there is more.
fn shown_page<T, V: Serialize, C: ToString>(
    page: &Page<T>,
    show: impl Fn(&T) -> V,
    cursor: impl Fn(&T) -> C,
) -> HttpResponse {
    HttpResponse::Ok().json(listed(page, show, cursor))
}

fn listed<T, V, C: ToString>(page: &Page<T>, show: impl Fn(&T) -> V, cursor: impl Fn(&T) -> C) -> List<V> {
    let last = page.items.last().filter(|_| page.more);
    List {
        items: page.items.iter().map(show).collect(),
        next: last.map(|last| cursor(last).to_string()),
    }
}

/// A part of the path.
fn segment<'a>(request: &'a HttpRequest, name: &str) -> &'a str {
    request.match_info().get(name).unwrap_or_default()
}
