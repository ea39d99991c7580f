//! Tasks: list, look at one from all sides, cancel, try again.

use super::shapes::{Limit, NumberCursor, ReceiptCursor, TaskPath, TaskQuery};
use super::view::List;
use super::view::task::{self, TaskDetails, TaskView};
use super::{Answer, limit, listed, segment, shown_page};
use crate::http::Api;
use crate::http::failure::Failure;
use crate::http::idempotency::tell;
use crate::http::query::Query;
use actix_web::http::header::LOCATION;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use caretrack_domain::{Instant, Refusal, Scope, Task, TaskId};
use caretrack_ports::TaskFilter;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// List the tasks
#[utoipa::path(
    get,
    path = "/ops/v1/tasks",
    operation_id = "listTasks",
    security(("scope" = ["ops:read"])),
    params(TaskQuery, Limit, NumberCursor),
    responses((status = 200, description = "Newest first", body = List<TaskView>)),
)]
pub async fn list(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = api.caller_with(&request, Scope::OpsRead).await?;
    let query = Query::of(&request);
    let filter = TaskFilter {
        status: query.parsed("state", "is no state of a task")?,
        kind: query.parsed("kind", "is no kind of task")?,
        patient: None,
        accepted_since: instant(&query, "since")?,
        accepted_until: instant(&query, "until")?,
        before: query.number_cursor()?,
    };
    let patient = query.read(
        "patient",
        "must be a UUID or a wmdaId",
        super::patients::reference,
    )?;
    let page = api
        .application
        .list_tasks(&caller, filter, patient, limit(&query)?)
        .await?;
    let now = api.application.now();
    Ok(shown_page(
        &page,
        |task| task::task(task, now),
        caretrack_domain::Task::place,
    ))
}

fn instant(query: &Query, name: &str) -> Result<Option<Instant>, Refusal> {
    query.read(name, "must be an RFC 3339 date and time", |text| {
        Instant::parse(text, &Rfc3339)
            .ok()?
            .checked_to_offset(UtcOffset::UTC)
    })
}

/// Look at a task from all sides
#[utoipa::path(
    get,
    path = "/ops/v1/tasks/{id}",
    operation_id = "findTask",
    security(("scope" = ["ops:read"])),
    params(TaskPath, Limit, ReceiptCursor),
    responses((status = 200, description = "The task, with a page of its receipts", body = TaskDetails)),
)]
pub async fn find(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = api.caller_with(&request, Scope::OpsRead).await?;
    let query = Query::of(&request);
    let (limit, from) = (limit(&query)?, query.cursor(|text| text.parse().ok())?);
    let task = api.application.find_task(&caller, id(&request)?).await?;
    let receipts = api
        .application
        .receipts(&caller, &task, from.unwrap_or(0), limit)
        .await?;
    Ok(HttpResponse::Ok().json(TaskDetails {
        task: task::task(&task, api.application.now()),
        attempts: task::attempts(&task),
        timeline: task::timeline(&task),
        receipts: listed(&receipts, task::receipt, |last| last.seq + 1),
    }))
}

/// Cancel a task
#[utoipa::path(
    post,
    path = "/ops/v1/tasks/{id}/cancel",
    operation_id = "cancelTask",
    security(("scope" = ["ops:write"])),
    params(TaskPath),
    responses(
        (status = 200, description = "Cancelled, or told to stop", body = TaskView),
        (status = 409, description = "It has ended"),
    ),
)]
pub async fn cancel(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = api.caller_with(&request, Scope::OpsWrite).await?;
    let told = tell(&request, &caller, |cancelled| {
        HttpResponse::Ok().json(task::task(cancelled, api.application.now()))
    });
    Ok(api.application.cancel_task(&told, id(&request)?).await?)
}

/// Try a broken task again
#[utoipa::path(
    post,
    path = "/ops/v1/tasks/{id}/retry",
    operation_id = "retryTask",
    security(("scope" = ["ops:write"])),
    params(TaskPath),
    responses(
        (status = 201, description = "A new task that names the old one", body = TaskView, headers(("Location"))),
        (status = 409, description = "It is not broken"),
    ),
)]
pub async fn retry(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = api.caller_with(&request, Scope::OpsWrite).await?;
    let told = tell(&request, &caller, |again: &Task| {
        let location = format!("/ops/v1/tasks/{}", again.id());
        HttpResponse::Created()
            .insert_header((LOCATION, location))
            .json(task::task(again, api.application.now()))
    });
    Ok(api.application.retry_task(&told, id(&request)?).await?)
}

/// A UUID, or its digits with or without the prefix that a dialect gives them.
fn id(request: &HttpRequest) -> Result<TaskId, Failure> {
    let text = segment(request, "id");
    let digits = ["s_", "bk_", "bd_", "pg_"]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix));
    let id = Uuid::try_parse(digits.unwrap_or(text));
    id.map(TaskId).map_err(|_| Failure::no_such_record())
}
