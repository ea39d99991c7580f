//! Resources: POST, PUT, DELETE, GET.

use super::draft::Misshapen;
use super::error::RegistryError;
use super::shapes::{
    IdCursor, IfMatch, IfNoneMatch, Limit, NewResource, Prefer, Resource as ResourceShape, ResourceDraft,
    ResourceList, ResourcePath, TypePath, WrittenResource,
};
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
use caretrack_domain::{
    Precondition, Problems, RecordId, Refusal, Resource, ResourceKey, Scope, TaskId, TaskKind,
};
use std::ops::RangeInclusive;

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const LIMITS: RangeInclusive<usize> = 1..=1000;
const USUAL_LIMIT: usize = 100;

type Answer = Result<HttpResponse, RegistryError>;

/// Create a resource
#[utoipa::path(
    post,
    path = "/sources/{sourceKey}/v1/resources/{resourceType}",
    operation_id = "createResource",
    security(("scope" = ["registry:write"])),
    params(TypePath, Prefer),
    request_body = NewResource,
    responses(
        (status = 201, description = "Created", body = WrittenResource, headers(("Location"), ("ETag"))),
        (status = 202, description = "Captured, and carried out in the background", body = WrittenResource,
            headers(("Location"), ("Retry-After"), ("Preference-Applied"))),
        (status = 404, description = "There is no such source or type, and profiles are closed"),
        (status = 409, description = "The id is taken"),
    ),
)]
pub async fn create(api: Data<Api>, request: HttpRequest, payload: Payload) -> Answer {
    let caller = api.caller_with(&request, Scope::RegistryWrite).await?;
    let order = match body::read(&request, payload, &api.limits).await {
        Ok(text) => {
            let make_id = || api.application.new_record_id();
            let read = draft::create(&request, &text, api.application.now(), make_id);
            shaped(&api, &caller, read).await
        }
        Err(failure) => Err(failure),
    };
    write(&api, &caller, &request, "resource.create", order).await
}

/// Create a resource, or replace it whole
///
/// Replacing is total: what is not sent is gone. What was read can be sent back.
#[utoipa::path(
    put,
    path = "/sources/{sourceKey}/v1/resources/{resourceType}/{id}",
    operation_id = "putResource",
    security(("scope" = ["registry:write"])),
    params(ResourcePath, Prefer, IfMatch, IfNoneMatch),
    request_body = ResourceDraft,
    responses(
        (status = 200, description = "Replaced", body = WrittenResource, headers(("ETag"))),
        (status = 201, description = "Created", body = WrittenResource, headers(("Location"), ("ETag"))),
        (status = 202, description = "Captured, and carried out in the background", body = WrittenResource,
            headers(("Location"), ("Retry-After"), ("Preference-Applied"))),
        (status = 404, description = "There is no such source or type, and profiles are closed"),
        (status = 412, description = "`If-Match` or `If-None-Match` does not hold"),
    ),
)]
pub async fn put(api: Data<Api>, request: HttpRequest, payload: Payload) -> Answer {
    let caller = api.caller_with(&request, Scope::RegistryWrite).await?;
    let order = match body::read(&request, payload, &api.limits).await {
        Ok(text) => shaped(&api, &caller, draft::put(&request, &text)).await,
        Err(failure) => Err(failure),
    };
    write(&api, &caller, &request, "resource.upsert", order).await
}

/// Delete a resource
#[utoipa::path(
    delete,
    path = "/sources/{sourceKey}/v1/resources/{resourceType}/{id}",
    operation_id = "deleteResource",
    security(("scope" = ["registry:write"])),
    params(ResourcePath, Prefer, IfMatch),
    responses(
        (status = 200, description = "Deleted", body = WrittenResource),
        (status = 202, description = "Captured, and carried out in the background", body = WrittenResource,
            headers(("Location"), ("Retry-After"), ("Preference-Applied"))),
        (status = 400, description = "`If-Match` is no list of entity tags"),
        (status = 412, description = "`If-Match` does not hold"),
    ),
)]
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

/// What is refused for its shape is told what its profile says of it, too.
async fn shaped(
    api: &Api,
    caller: &Caller,
    read: Result<ResourceOrder, Box<Misshapen>>,
) -> Result<ResourceOrder, Failure> {
    let Misshapen {
        mut problems,
        of,
        data,
        contained,
    } = match read {
        Ok(order) => return Ok(order),
        Err(misshapen) => *misshapen,
    };
    if let Some(of) = of {
        let data = data.as_deref();
        api.application
            .check_refused(caller, of, data, &contained, &mut problems)
            .await?;
    }
    Err(Refusal::from(problems).into())
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

/// Read a resource
#[utoipa::path(
    get,
    path = "/sources/{sourceKey}/v1/resources/{resourceType}/{id}",
    operation_id = "findResource",
    security(("scope" = ["registry:read"])),
    params(ResourcePath),
    responses((status = 200, description = "The resource itself", body = ResourceShape, headers(("ETag")))),
)]
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

/// List the resources of a type
#[utoipa::path(
    get,
    path = "/sources/{sourceKey}/v1/resources/{resourceType}",
    operation_id = "listResources",
    security(("scope" = ["registry:read"])),
    params(TypePath, Limit, IdCursor),
    responses((status = 200, description = "In ascending order of id", body = ResourceList)),
)]
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
