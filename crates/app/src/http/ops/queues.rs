//! How each kind of work stands; pause and resume.

use super::{Answer, segment, view};
use crate::http::Api;
use crate::http::failure::Failure;
use crate::http::idempotency::tell;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use caretrack_domain::{Scope, TaskKind};
use serde_json::{Value, json};

pub async fn list(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = api.caller_with(&request, Scope::OpsRead).await?;
    let figures = api.application.queue_figures(&caller).await?;
    let now = api.application.now();
    let items: Value = figures.iter().map(|figures| view::queue(figures, now)).collect();
    Ok(HttpResponse::Ok().json(json!({"items": items})))
}

pub async fn pause(api: Data<Api>, request: HttpRequest) -> Answer {
    switch(&api, &request, true).await
}

pub async fn resume(api: Data<Api>, request: HttpRequest) -> Answer {
    switch(&api, &request, false).await
}

async fn switch(api: &Api, request: &HttpRequest, paused: bool) -> Answer {
    let caller = api.caller_with(request, Scope::OpsWrite).await?;
    let kind = segment(request, "kind")
        .parse::<TaskKind>()
        .map_err(|_| Failure::no_such_record())?;
    let told = tell(request, &caller, |(): &()| {
        HttpResponse::Ok().json(json!({"kind": kind.to_string(), "paused": paused}))
    });
    Ok(api.application.pause_queue(&told, kind, paused).await?)
}
