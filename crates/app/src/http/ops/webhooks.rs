//! Webhooks: make, list, remove.

use super::shapes::{IdCursor, Limit, WebhookDraft, WebhookPath};
use super::view::{List, NewWebhook, WebhookView};
use super::{Answer, limit, read, segment, shown_page, view};
use crate::http::Api;
use crate::http::failure::Failure;
use crate::http::idempotency::tell;
use crate::http::json::Object;
use crate::http::query::Query;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use caretrack_domain::{EventFilter, Problems, Refusal, Rule, Scope, Webhook, WebhookId};
use uuid::Uuid;

/// Make a webhook
///
/// It is told of what is committed from now on: one notice an event, signed by the Standard Webhooks scheme, in a
/// CloudEvents envelope, by ids and states only.
#[utoipa::path(
    post,
    path = "/ops/v1/webhooks",
    operation_id = "addWebhook",
    security(("scope" = ["ops:write"])),
    request_body = WebhookDraft,
    responses(
        (status = 201, description = "Made; the secret is shown this once", body = NewWebhook),
        (status = 422, description = "The workspace has as many as it may"),
    ),
)]
pub async fn add(api: Data<Api>, request: HttpRequest, payload: Payload) -> Answer {
    let (caller, (url, types)) = read(&api, &request, payload, "webhook.add", read_draft).await?;
    let told = tell(&request, &caller, |made: &Webhook| {
        HttpResponse::Created().json(NewWebhook {
            webhook: view::webhook(made),
            secret: made.secret.reveal(),
        })
    });
    Ok(api.application.add_webhook(&told, &url, types).await?)
}

fn read_draft(text: &str) -> Result<(String, EventFilter), Refusal> {
    let mut problems = Problems::default();
    let mut body = Object::body(text)?;
    let url = body.required_string("url", &mut problems);
    let words: Option<Vec<String>> = body.typed("types", "must be an array of strings", &mut problems);
    let types = EventFilter::parse(words.iter().flatten().map(String::as_str));
    if let Err(word) = &types {
        problems.add("$.types", Rule::Enum, format!("{word:?} names no event"));
    }
    body.refuse_the_rest(&mut problems);
    match (url, types) {
        (Some(url), Ok(types)) if problems.is_empty() => Ok((url, types)),
        _ => Err(problems.into()),
    }
}

/// List the webhooks
#[utoipa::path(
    get,
    path = "/ops/v1/webhooks",
    operation_id = "listWebhooks",
    security(("scope" = ["ops:read"])),
    params(Limit, IdCursor),
    responses((status = 200, description = "By id, without secrets", body = List<WebhookView>)),
)]
pub async fn list(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = api.caller_with(&request, Scope::OpsRead).await?;
    let query = Query::of(&request);
    let after = query.cursor(|text| Uuid::try_parse(text).ok().map(WebhookId))?;
    let page = api
        .application
        .list_webhooks(&caller, after, limit(&query)?)
        .await?;
    Ok(shown_page(&page, view::webhook, |last| last.id))
}

/// Remove a webhook
#[utoipa::path(
    delete,
    path = "/ops/v1/webhooks/{id}",
    operation_id = "removeWebhook",
    security(("scope" = ["ops:write"])),
    params(WebhookPath),
    responses((status = 204, description = "Removed; no more notices are made")),
)]
pub async fn remove(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = api.caller_with(&request, Scope::OpsWrite).await?;
    let id = Uuid::try_parse(segment(&request, "id")).map_err(|_| Failure::no_such_record())?;
    let told = tell(&request, &caller, |(): &()| HttpResponse::NoContent().finish());
    Ok(api.application.remove_webhook(&told, WebhookId(id)).await?)
}
