//! Credentials: make, list, revoke.

use super::shapes::{CredentialDraft, CredentialPath, IdCursor, Limit};
use super::view::{CredentialView, List, NewCredential};
use super::{Answer, limit, read, segment, shown_page, view};
use crate::http::Api;
use crate::http::failure::Failure;
use crate::http::idempotency::tell;
use crate::http::json::Object;
use crate::http::query::Query;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use caretrack_application::{CredentialDraft as Draft, MadeCredential};
use caretrack_domain::{CredentialId, CredentialKind, Key, Problems, Refusal, Rule, Scope, Scopes};
use std::str::FromStr;
use strum::IntoEnumIterator;
use uuid::Uuid;

const LONGEST_NAME: usize = 200;

/// Make a credential
///
/// Only the administrator may name another workspace.
#[utoipa::path(
    post,
    path = "/ops/v1/credentials",
    operation_id = "addCredential",
    security(("scope" = ["ops:write"])),
    request_body = CredentialDraft,
    responses(
        (status = 201, description = "Made; the secret is shown this once", body = NewCredential),
        (status = 422, description = "The workspace is not there"),
    ),
)]
pub async fn add(api: Data<Api>, request: HttpRequest, payload: Payload) -> Answer {
    let (caller, draft) = read(&api, &request, payload, "credential.add", read_draft).await?;
    let told = tell(&request, &caller, |made: &MadeCredential| {
        HttpResponse::Created().json(view::new_credential(made))
    });
    Ok(api.application.add_credential(&told, draft).await?)
}

fn read_draft(text: &str) -> Result<Draft, Refusal> {
    let mut problems = Problems::default();
    let mut body = Object::body(text)?;
    let kind = body.required_string("kind", &mut problems);
    let kind = kind.map(|kind| CredentialKind::from_str(&kind));
    if let Some(Err(_)) = kind {
        let kinds: Vec<_> = CredentialKind::iter().map(|kind| kind.to_string()).collect();
        problems.add(
            "$.kind",
            Rule::Enum,
            format!("must be one of {}", kinds.join(", ")),
        );
    }
    let name = body.required_string("name", &mut problems);
    let length = name.as_ref().map_or(1, |name| name.chars().count());
    if !(1..=LONGEST_NAME).contains(&length) {
        let rule = if length == 0 { Rule::Min } else { Rule::Max };
        problems.add("$.name", rule, format!("must be 1 to {LONGEST_NAME} characters"));
    }
    let words: Option<Vec<String>> =
        body.required_typed("scopes", "must be an array of strings", &mut problems);
    let scopes = words.map(|words| Scopes::parse(words.iter().map(String::as_str)));
    if let Some(Err(word)) = &scopes {
        problems.add("$.scopes", Rule::Enum, format!("{word:?} is no scope"));
    }
    let workspace = body
        .string("workspace", &mut problems)
        .map(|key| Key::parse(&key));
    if let Some(Err(_)) = &workspace {
        problems.add("$.workspace", Rule::Reference, "names no workspace");
    }
    body.refuse_the_rest(&mut problems);
    match (kind, name, scopes) {
        (Some(Ok(kind)), Some(name), Some(Ok(scopes))) if problems.is_empty() => Ok(Draft {
            kind,
            name,
            scopes,
            workspace: workspace.and_then(Result::ok),
        }),
        _ => Err(problems.into()),
    }
}

/// List the credentials
#[utoipa::path(
    get,
    path = "/ops/v1/credentials",
    operation_id = "listCredentials",
    security(("scope" = ["ops:read"])),
    params(Limit, IdCursor),
    responses((status = 200, description = "By id, without secrets", body = List<CredentialView>)),
)]
pub async fn list(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = api.caller_with(&request, Scope::OpsRead).await?;
    let query = Query::of(&request);
    let after = query.cursor(|text| Uuid::try_parse(text).ok().map(CredentialId))?;
    let page = api
        .application
        .list_credentials(&caller, after, limit(&query)?)
        .await?;
    Ok(shown_page(&page, view::credential, |last| last.id))
}

/// Revoke a credential
#[utoipa::path(
    delete,
    path = "/ops/v1/credentials/{id}",
    operation_id = "revokeCredential",
    security(("scope" = ["ops:write"])),
    params(CredentialPath),
    responses(
        (status = 204, description = "Revoked, at once"),
    ),
)]
pub async fn revoke(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = api.caller_with(&request, Scope::OpsWrite).await?;
    let id = Uuid::try_parse(segment(&request, "id")).map_err(|_| Failure::no_such_record())?;
    let told = tell(&request, &caller, |(): &()| HttpResponse::NoContent().finish());
    Ok(api.application.revoke_credential(&told, CredentialId(id)).await?)
}
