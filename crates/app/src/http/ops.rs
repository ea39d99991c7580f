//! `/ops/v1`: what operators see and do. Errors are problems (RFC 9457); lists are paged by cursor.

mod credentials;
mod patients;
mod problem;
mod queues;
mod records;
mod tasks;
mod view;

pub use problem::fault;

use super::failure::Failure;
use super::query::Query;
use super::{Api, at, body};
use actix_web::http::Method;
use actix_web::web::{self, Payload};
use actix_web::{HttpRequest, HttpResponse};
use caretrack_application::{Caller, Page};
use caretrack_domain::{Refusal, Scope};
use problem::{OpsError, render};
use serde_json::{Value, json};

type Answer = Result<HttpResponse, OpsError>;

pub fn routes(config: &mut web::ServiceConfig) {
    let (get, post) = (Method::GET, Method::POST);
    let scope = web::scope("/ops/v1")
        .service(at(
            "/workspaces",
            render,
            [
                (get.clone(), web::to(records::list_workspaces)),
                (post.clone(), web::to(records::add_workspace)),
            ],
        ))
        .service(at(
            "/audit",
            render,
            [(get.clone(), web::to(records::list_audit))],
        ))
        .service(at(
            "/credentials",
            render,
            [
                (get.clone(), web::to(credentials::list)),
                (post.clone(), web::to(credentials::add)),
            ],
        ))
        .service(at(
            "/credentials/{id}",
            render,
            [(Method::DELETE, web::to(credentials::revoke))],
        ))
        .service(at("/tasks", render, [(get.clone(), web::to(tasks::list))]))
        .service(at("/tasks/{id}", render, [(get.clone(), web::to(tasks::find))]))
        .service(at(
            "/tasks/{id}/cancel",
            render,
            [(post.clone(), web::to(tasks::cancel))],
        ))
        .service(at(
            "/tasks/{id}/retry",
            render,
            [(post.clone(), web::to(tasks::retry))],
        ))
        .service(at("/queues", render, [(get.clone(), web::to(queues::list))]))
        .service(at(
            "/queues/{kind}/pause",
            render,
            [(post.clone(), web::to(queues::pause))],
        ))
        .service(at(
            "/queues/{kind}/resume",
            render,
            [(post.clone(), web::to(queues::resume))],
        ))
        .service(at(
            "/patients",
            render,
            [
                (get.clone(), web::to(patients::list)),
                (post, web::to(patients::register)),
            ],
        ))
        .service(at(
            "/patients/{id}",
            render,
            [
                (get, web::to(patients::find)),
                (Method::PATCH, web::to(patients::change)),
            ],
        ));
    config.service(scope.default_service(web::to(async || render(Failure::NoSuchPath))));
}

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
fn shown_page<T, C: ToString>(
    page: &Page<T>,
    show: impl Fn(&T) -> Value,
    cursor: impl Fn(&T) -> C,
) -> HttpResponse {
    HttpResponse::Ok().json(page_value(page, show, cursor))
}

fn page_value<T, C: ToString>(page: &Page<T>, show: impl Fn(&T) -> Value, cursor: impl Fn(&T) -> C) -> Value {
    let items: Vec<_> = page.items.iter().map(show).collect();
    match page.items.last().filter(|_| page.more) {
        Some(last) => json!({"items": items, "next": cursor(last).to_string()}),
        None => json!({"items": items}),
    }
}

/// A part of the path.
fn segment<'a>(request: &'a HttpRequest, name: &str) -> &'a str {
    request.match_info().get(name).unwrap_or_default()
}
