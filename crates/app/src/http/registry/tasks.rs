//! Tasks as the registry shows them: a status, and a receipt for each operation.

use super::error::{ErrorObject, RegistryError};
use super::path;
use super::shapes::{TaskPath, TaskQuery, TaskView};
use super::view::{json, task_id};
use crate::http::openapi::parts;
use crate::http::query::Query;
use crate::http::{Api, rfc3339};
use actix_web::http::header::ContentType;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use caretrack_application::{Caller, UseCaseError};
use caretrack_domain::{Action, Operation, Receipt, TargetKind, Task, TaskStatus};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Serialize;
use std::ops::RangeInclusive;
use utoipa::ToSchema;

const LIMITS: RangeInclusive<usize> = 1..=10_000;
/// Receipts read, and sent, in one go when all are wanted.
const AT_ONCE: usize = 1000;

/// Ask a task where it stands
#[utoipa::path(
    get,
    path = "/sources/{sourceKey}/v1/tasks/{taskId}",
    operation_id = "findSourceTask",
    security(("scope" = ["registry:read"]), ("scope" = ["registry:write"])),
    params(TaskPath, TaskQuery),
    responses((status = 200, description = "Where it stands", body = TaskView)),
)]
pub async fn find(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, RegistryError> {
    let caller = api.caller(&request).await?;
    let query = Query::of(&request);
    let page = read_page(&query)?;
    let wanted = query.flag("withReceipts")?.then_some(page);
    let source = path::key_to_find(&request, "sourceKey");
    let found = match (source, path::task_to_find(&request)) {
        (Ok(source), Ok(id)) => api.application.find_source_task(&caller, &source, id).await?,
        (Err(failure), _) | (_, Err(failure)) => return Err(failure.into()),
    };
    let id = task_id(found.id(), found.facts().kind);
    let head = format!(r#"{{"taskId":"{id}","status":"{}""#, status(&found));
    let mut response = HttpResponse::Ok();
    response.content_type(ContentType::json());
    match wanted {
        None => Ok(response.body(head + "}")),
        Some(Wanted {
            from,
            limit: Some(limit),
        }) => {
            let page = api.application.receipts(&caller, &found, from, limit).await?;
            let next = page.items.last().filter(|_| page.more).map(|last| last.seq + 1);
            let next = next
                .map(|next| format!(r#","next":"{next}""#))
                .unwrap_or_default();
            let receipts = shown(&found, &id, &page.items);
            Ok(response.body(format!(r#"{head},"receipts":[{receipts}]{next}}}"#)))
        }
        Some(Wanted { from, limit: None }) => {
            // The first ones are read before the answer begins, so that a failure can still be one.
            let first = api.application.receipts(&caller, &found, from, AT_ONCE).await?;
            let begin = format!(r#"{head},"receipts":[{}"#, shown(&found, &id, &first.items));
            let next = first.items.last().filter(|_| first.more).map(|last| last.seq + 1);
            if next.is_none() {
                return Ok(response.body(begin + "]}"));
            }
            let begin = stream::iter([Ok(Bytes::from(begin))]);
            let end = stream::iter([Ok(Bytes::from_static(b"]}"))]);
            Ok(response.streaming(begin.chain(rest(api, caller, found, id, next)).chain(end)))
        }
    }
}

/// Which receipts: all from `from` on, or a page of them.
struct Wanted {
    from: u32,
    limit: Option<usize>,
}

fn read_page(query: &Query) -> Result<Wanted, RegistryError> {
    Ok(Wanted {
        from: query.cursor(|text| text.parse().ok())?.unwrap_or(0),
        limit: query.limit(&LIMITS)?,
    })
}

/// The receipts from `next` on, read in steps while they are sent.
fn rest(
    api: Data<Api>,
    caller: Caller,
    task: Task,
    id: String,
    next: Option<u32>,
) -> impl futures::Stream<Item = Result<Bytes, UseCaseError>> {
    let world = (api, caller, task, id);
    stream::try_unfold((world, next), async |(world, next)| {
        let Some(from) = next else { return Ok(None) };
        let (api, caller, task, id) = &world;
        let page = api.application.receipts(caller, task, from, AT_ONCE).await?;
        let next = page.items.last().filter(|_| page.more).map(|last| last.seq + 1);
        let text = format!(",{}", shown(task, id, &page.items));
        Ok(Some((Bytes::from(text), (world, next))))
    })
    .inspect_err(|error: &UseCaseError| tracing::error!(%error, "receipts could not be read to the end"))
}

/// The states of the contract; receipts have the same ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema, strum::Display)]
#[serde(rename_all = "UPPERCASE")]
#[strum(serialize_all = "UPPERCASE")]
#[schema(as = RegistryTaskStatus)]
pub enum Status {
    Pending,
    Success,
    Failure,
    Cancelled,
}

fn status(task: &Task) -> Status {
    match task.status() {
        TaskStatus::Queued | TaskStatus::Running | TaskStatus::RetryScheduled | TaskStatus::Held => {
            Status::Pending
        }
        TaskStatus::Succeeded => Status::Success,
        TaskStatus::Cancelled if task.tally().cancelled == task.tally().total => Status::Cancelled,
        // Some of a cancelled one may have been done, or have failed, before it was stopped.
        TaskStatus::Failed | TaskStatus::Cancelled => Status::Failure,
    }
}

/// What became of one operation.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Receipt)]
pub struct ReceiptView<'a> {
    #[schema(format = DateTime)]
    received_at: &'a str,
    task_id: &'a str,
    #[schema(schema_with = parts::registry_action)]
    action: &'static str,
    status: Status,
    #[schema(schema_with = parts::registry_target)]
    target_type: &'static str,
    id: &'a str,
    #[serde(rename = "type")]
    of: &'a str,
    /// Absent while the operation is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    completed_at: Option<String>,
    /// There on a failure only.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorObject>,
}

/// Receipts with commas between them.
fn shown(task: &Task, id: &str, operations: &[Operation]) -> String {
    let received_at = rfc3339(task.facts().accepted_at);
    let receipts = operations.iter().map(|operation| {
        let (status, error) = match &operation.receipt {
            Receipt::Pending => (Status::Pending, None),
            Receipt::Succeeded { .. } => (Status::Success, None),
            Receipt::Refused { refusal, .. } => (Status::Failure, Some(refusal.into())),
            Receipt::Broken { .. } => (Status::Failure, Some(ErrorObject::internal())),
            Receipt::Cancelled { .. } => (Status::Cancelled, None),
        };
        json(&ReceiptView {
            received_at: &received_at,
            task_id: id,
            action: match operation.action {
                Action::Create => "CREATE",
                Action::Upsert => "UPSERT",
                Action::Update => "UPDATE",
                Action::Delete => "DELETE",
                Action::Deliver => "DELIVER",
            },
            status,
            target_type: match operation.target.kind {
                TargetKind::Resource => "RESOURCE",
                TargetKind::Relationship => "RELATIONSHIP",
                TargetKind::Webhook => "WEBHOOK",
                TargetKind::Patient => "PATIENT",
                TargetKind::Search => "SEARCH",
            },
            id: &operation.target.id,
            of: &operation.target.of,
            completed_at: operation.receipt.completed_at().map(rfc3339),
            error,
        })
    });
    receipts.collect::<Vec<_>>().join(",")
}
