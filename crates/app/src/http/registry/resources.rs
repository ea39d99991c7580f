//! Resources: POST, PUT, DELETE, GET.

use super::error::RegistryError;
use super::{conditions, draft, path, view};
use crate::http::failure::Failure;
use crate::http::idempotency::{etag, tell};
use crate::http::query::Query;
use crate::http::{Api, body};
use actix_web::http::StatusCode;
use actix_web::http::header::{ContentType, HeaderName, LOCATION, RETRY_AFTER};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use caretrack_application::{Caller, Change, ResourceOrder, UseCaseError, Written};
use caretrack_domain::{Precondition, Problems, RecordId, Resource, ResourceKey, Scope, TaskId, TaskKind};
use std::ops::RangeInclusive;

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const LIMITS: RangeInclusive<usize> = 1..=1000;
const USUAL_LIMIT: usize = 100;

type Answer = Result<HttpResponse, RegistryError>;

pub async fn create(api: Data<Api>, request: HttpRequest, payload: Payload) -> Answer {
    let caller = api.caller_with(&request, Scope::RegistryWrite).await?;
    let order = body::read(&request, payload, &api.limits).await.and_then(|text| {
        Ok(draft::create(&request, &text, api.application.now(), || {
            api.application.new_record_id()
        })?)
    });
    write(&api, &caller, &request, "resource.create", order).await
}

pub async fn put(api: Data<Api>, request: HttpRequest, payload: Payload) -> Answer {
    let caller = api.caller_with(&request, Scope::RegistryWrite).await?;
    let order = body::read(&request, payload, &api.limits)
        .await
        .and_then(|text| Ok(draft::put(&request, &text)?));
    write(&api, &caller, &request, "resource.upsert", order).await
}

pub async fn delete(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = api.caller_with(&request, Scope::RegistryWrite).await?;
    let order = order_delete(&request);
    write(&api, &caller, &request, "resource.delete", order).await
}

fn order_delete(request: &HttpRequest) -> Result<ResourceOrder, Failure> {
    let mut problems = Problems::default();
    let if_match = conditions::if_match(request, &mut problems);
    problems.into_result()?;
    Ok(ResourceOrder {
        key: path::resource_to_find(request)?,
        change: Change::Delete,
        precondition: Precondition {
            if_match,
            ..Precondition::default()
        },
    })
}

/// Now or later, as the caller prefers.
async fn write(
    api: &Api,
    caller: &Caller,
    request: &HttpRequest,
    action: &str,
    order: Result<ResourceOrder, Failure>,
) -> Answer {
    let order = match order {
        Ok(order) => order,
        Err(failure) => {
            api.note_refusal(caller, action, request).await;
            return Err(failure.into());
        }
    };
    let key = order.key.clone();
    if conditions::prefers_async(request) {
        let told = tell(request, caller, |task: &TaskId| accepted(&key, *task));
        Ok(api.application.accept_resource(&told, order).await?)
    } else {
        let told = tell(request, caller, |written: &Written| persisted(&key, written));
        Ok(api.application.write_resource(&told, order).await?)
    }
}

fn accepted(key: &ResourceKey, task: TaskId) -> HttpResponse {
    let task = view::task_id(task, TaskKind::RegistryWrite);
    HttpResponse::Accepted()
        .insert_header((LOCATION, format!("/sources/{}/v1/tasks/{task}", key.source)))
        .insert_header((RETRY_AFTER, UseCaseError::RETRY_AFTER.as_secs()))
        .insert_header((PREFERENCE_APPLIED, conditions::RESPOND_ASYNC))
        .content_type(ContentType::json())
        .body(format!(r#"{{"taskId":"{task}","status":"ACCEPTED"}}"#))
}

fn persisted(key: &ResourceKey, written: &Written) -> HttpResponse {
    let status = if written.created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let mut response = HttpResponse::build(status);
    response.content_type(ContentType::json());
    if written.created {
        let ResourceKey { source, of, id } = key;
        response.insert_header((LOCATION, format!("/sources/{source}/v1/resources/{of}/{id}")));
    }
    let room = written.resource.as_ref().map_or(0, view::room);
    let mut out = String::with_capacity(room + 96);
    let task = view::task_id(written.task, TaskKind::RegistryWrite);
    out.extend([r#"{"taskId":""#, &task, r#"","status":"PERSISTED""#]);
    if let Some(tag) = &written.tag {
        response.insert_header(etag(tag));
    }
    if let Some(resource) = &written.resource {
        out.push_str(r#","resource":"#);
        view::resource(&mut out, resource);
    }
    out.push('}');
    response.body(out)
}

pub async fn find(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = api.caller_with(&request, Scope::RegistryRead).await?;
    let key = path::resource_to_find(&request)?;
    let (resource, tag) = api.application.find_resource(&caller, &key).await?;
    let mut out = String::with_capacity(view::room(&resource));
    view::resource(&mut out, &resource);
    Ok(HttpResponse::Ok()
        .insert_header(etag(&tag))
        .content_type(ContentType::json())
        .body(out))
}

pub async fn list(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = api.caller_with(&request, Scope::RegistryRead).await?;
    let source = path::key_to_find(&request, "sourceKey")?;
    let of = path::key_to_find(&request, "resourceType")?;
    let query = Query::of(&request);
    let limit = query.limit(&LIMITS)?.unwrap_or(USUAL_LIMIT);
    let after = query.cursor(|text| RecordId::for_upsert(text).ok())?;
    let page = api
        .application
        .list_resources(&caller, &source, &of, after.as_ref(), limit)
        .await?;
    let last = page.items.last().filter(|_| page.more);
    let next = last.map(|last: &Resource| last.key.id.as_str());
    let out = view::page(&page.items, next, view::resource);
    Ok(HttpResponse::Ok().content_type(ContentType::json()).body(out))
}
