//! Workspaces, and the audit log.

use super::shapes::{AuditQuery, KeyCursor, Limit, NewWorkspace, PositionCursor};
use super::view::{AuditView, List, WorkspaceView};
use super::{Answer, limit, read, shown_page, view};
use crate::http::Api;
use crate::http::idempotency::tell;
use crate::http::json::Object;
use crate::http::query::Query;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use caretrack_domain::{Key, Problems, Refusal, Rule, Scope, WorkspaceOptions};

/// Make a workspace
///
/// Only the administrator may.
#[utoipa::path(
    post,
    path = "/ops/v1/workspaces",
    operation_id = "addWorkspace",
    security(("scope" = ["ops:write"])),
    request_body = NewWorkspace,
    responses(
        (status = 201, description = "Made", body = WorkspaceView),
        (status = 409, description = "The key is taken"),
    ),
)]
pub async fn add_workspace(api: Data<Api>, request: HttpRequest, payload: Payload) -> Answer {
    let (caller, (key, options)) = read(&api, &request, payload, "workspace.add", read_workspace).await?;
    let told = tell(&request, &caller, |workspace| {
        HttpResponse::Created().json(view::workspace(workspace))
    });
    Ok(api.application.add_workspace(&told, key, options).await?)
}

fn read_workspace(text: &str) -> Result<(Key, WorkspaceOptions), Refusal> {
    let mut problems = Problems::default();
    let mut body = Object::body(text)?;
    let key = body.required_string("key", &mut problems);
    let parsed = key.as_deref().map(Key::parse);
    if let Some(Err(invalid)) = &parsed {
        problems.add("$.key", Rule::Pattern, invalid.to_string());
    }
    let mut options = WorkspaceOptions::default();
    if let Some(mut given) = body.object("options", &mut problems) {
        let must_be = "must be true or false";
        options.open_profiles = given.typed("registry.open_profiles", must_be, &mut problems);
        options.partner_key_required = given.typed("jobs.partner_key_required", must_be, &mut problems);
        given.refuse_the_rest(&mut problems);
    }
    body.refuse_the_rest(&mut problems);
    match parsed {
        Some(Ok(key)) if problems.is_empty() => Ok((key, options)),
        _ => Err(problems.into()),
    }
}

/// List the workspaces
///
/// Only the administrator may.
#[utoipa::path(
    get,
    path = "/ops/v1/workspaces",
    operation_id = "listWorkspaces",
    security(("scope" = ["ops:read"])),
    params(Limit, KeyCursor),
    responses((status = 200, description = "By key", body = List<WorkspaceView>)),
)]
pub async fn list_workspaces(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = api.caller_with(&request, Scope::OpsRead).await?;
    let query = Query::of(&request);
    let after = query.cursor(|text| Key::parse(text).ok())?;
    let page = api
        .application
        .list_workspaces(&caller, after.as_ref(), limit(&query)?)
        .await?;
    Ok(shown_page(&page, view::workspace, |last| last.key.clone()))
}

/// List the audit entries
#[utoipa::path(
    get,
    path = "/ops/v1/audit",
    operation_id = "listAudit",
    security(("scope" = ["ops:read"])),
    params(AuditQuery, Limit, PositionCursor),
    responses((status = 200, description = "Newest first", body = List<AuditView>)),
)]
pub async fn list_audit(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = api.caller_with(&request, Scope::OpsRead).await?;
    let query = Query::of(&request);
    let page = api
        .application
        .list_audit(
            &caller,
            query.flag("anonymous")?,
            query.text("cursor"),
            limit(&query)?,
        )
        .await?;
    Ok(shown_page(&page, view::audit, |last| last.0.clone()))
}
