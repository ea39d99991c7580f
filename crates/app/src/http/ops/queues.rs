//! How each kind of work stands; pause and resume.

use super::shapes::QueuePath;
use super::view::{List, QueueSwitch, QueueView};
use super::{Answer, segment, view};
use crate::http::Api;
use crate::http::failure::Failure;
use crate::http::idempotency::tell;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use caretrack_domain::{Scope, TaskKind};

/// See how each kind of work stands
#[utoipa::path(
    get,
    path = "/ops/v1/queues",
    operation_id = "listQueues",
    security(("scope" = ["ops:read"])),
    responses((status = 200, description = "Every kind there is", body = List<QueueView>)),
)]
pub async fn list(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = api.caller_with(&request, Scope::OpsRead).await?;
    let figures = api.application.queue_figures(&caller).await?;
    let now = api.application.now();
    let items = figures.iter().map(|figures| view::queue(figures, now)).collect();
    Ok(HttpResponse::Ok().json(List { items, next: None }))
}

/// Stop taking tasks of a kind
#[utoipa::path(
    post,
    path = "/ops/v1/queues/{kind}/pause",
    operation_id = "pauseQueue",
    security(("scope" = ["ops:write"])),
    params(QueuePath),
    responses((status = 200, description = "As it is now", body = QueueSwitch)),
)]
pub async fn pause(api: Data<Api>, request: HttpRequest) -> Answer {
    switch(&api, &request, true).await
}

/// Take tasks of a kind again
#[utoipa::path(
    post,
    path = "/ops/v1/queues/{kind}/resume",
    operation_id = "resumeQueue",
    security(("scope" = ["ops:write"])),
    params(QueuePath),
    responses((status = 200, description = "As it is now", body = QueueSwitch)),
)]
pub async fn resume(api: Data<Api>, request: HttpRequest) -> Answer {
    switch(&api, &request, false).await
}

async fn switch(api: &Api, request: &HttpRequest, paused: bool) -> Answer {
    let caller = api.caller_with(request, Scope::OpsWrite).await?;
    let kind = segment(request, "kind")
        .parse::<TaskKind>()
        .map_err(|_| Failure::no_such_record())?;
    let told = tell(request, &caller, |(): &()| {
        HttpResponse::Ok().json(QueueSwitch {
            kind: kind.into(),
            paused,
        })
    });
    Ok(api.application.pause_queue(&told, kind, paused).await?)
}
