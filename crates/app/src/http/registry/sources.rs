//! Sources: PUT, GET.

use super::error::RegistryError;
use super::shapes::{KeyCursor, Limit, SourceDraft, SourceList, SourcePath, SourceView};
use super::{path, view};
use crate::http::idempotency::tell;
use crate::http::json::Object;
use crate::http::query::Query;
use crate::http::{Api, body};
use actix_web::http::header::ContentType;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use caretrack_domain::{Key, Problems, Refusal, Rule, Scope, Source};
use serde_json::json;

type Answer = Result<HttpResponse, RegistryError>;

/// The only type of source there is.
const TYPE: &str = "registry";

/// Make a source
#[utoipa::path(
    put,
    path = "/catalog/v1/sources/{sourceKey}",
    operation_id = "putSource",
    security(("scope" = ["registry:admin"])),
    params(SourcePath),
    request_body = SourceDraft,
    responses(
        (status = 200, description = "It was there", body = SourceView),
        (status = 201, description = "Created", body = SourceView),
    ),
)]
pub async fn put(api: Data<Api>, request: HttpRequest, payload: Payload) -> Answer {
    let caller = api.caller_with(&request, Scope::RegistryAdmin).await?;
    let key = body::read(&request, payload, &api.limits)
        .await
        .and_then(|text| Ok(read_source(&request, &text)?));
    let key = match key {
        Ok(key) => key,
        Err(failure) => {
            api.note_refusal(&caller, "source.put", &request).await;
            return Err(failure.into());
        }
    };
    let told = tell(&request, &caller, |created: &bool| {
        let mut response = if *created {
            HttpResponse::Created()
        } else {
            HttpResponse::Ok()
        };
        response.json(shown(&key))
    });
    Ok(api.application.put_source(&told, key.clone()).await?)
}

fn read_source(request: &HttpRequest, text: &str) -> Result<Key, Refusal> {
    let mut problems = Problems::default();
    let key = path::key_to_make(request, "sourceKey", &mut problems);
    let mut body = Object::body(text)?;
    let of = body.required_string("type", &mut problems);
    if of.is_some_and(|of| of != TYPE) {
        problems.add("$.type", Rule::Enum, format!("must be '{TYPE}'"));
    }
    body.refuse_the_rest(&mut problems);
    key.filter(|_| problems.is_empty()).ok_or_else(|| problems.into())
}

/// Read a source
#[utoipa::path(
    get,
    path = "/catalog/v1/sources/{sourceKey}",
    operation_id = "findSource",
    security(("scope" = ["registry:read"])),
    params(SourcePath),
    responses((status = 200, description = "The source", body = SourceView)),
)]
pub async fn find(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = api.caller_with(&request, Scope::RegistryRead).await?;
    let key = path::key_to_find(&request, "sourceKey")?;
    let source = api.application.find_source(&caller, &key).await?;
    Ok(HttpResponse::Ok().json(shown(&source.key)))
}

/// List the sources
#[utoipa::path(
    get,
    path = "/catalog/v1/sources",
    operation_id = "listSources",
    security(("scope" = ["registry:read"])),
    params(Limit, KeyCursor),
    responses((status = 200, description = "By key", body = SourceList)),
)]
pub async fn list(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = api.caller_with(&request, Scope::RegistryRead).await?;
    let query = Query::of(&request);
    let limit = query.limit(&(1..=1000))?.unwrap_or(100);
    let after = query.cursor(|text| Key::parse(text).ok())?;
    let page = api
        .application
        .list_sources(&caller, after.as_ref(), limit)
        .await?;
    let last = page.items.last().filter(|_| page.more);
    let next = last.map(|last| last.key.as_str());
    let out = view::page(&page.items, next, |out, source: &Source| {
        out.push_str(&shown(&source.key).to_string());
    });
    Ok(HttpResponse::Ok().content_type(ContentType::json()).body(out))
}

fn shown(key: &Key) -> serde_json::Value {
    json!({"key": key.as_str(), "type": TYPE})
}
