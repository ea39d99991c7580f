//! Who one is: for any credential, without a scope, and never with a secret.

use super::view::PrincipalView;
use super::{Answer, view};
use crate::http::Api;
use crate::http::access::EVERY_KIND;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use caretrack_domain::LoginKind;

/// Say who one is
///
/// Any credential will do, with any scopes: an API key, a signed token (also without `Bearer`), or a client's name and
/// password in the headers `username` and `password`. Where the workspace demands a partner key beside a token, it
/// belongs into the header `api-key`.
#[utoipa::path(
    get,
    path = "/ops/v1/whoami",
    operation_id = "whoami",
    responses((status = 200, description = "Who calls", body = PrincipalView)),
)]
pub async fn whoami(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = api.caller_by(&request, EVERY_KIND).await?;
    if LoginKind::from(&caller.who.login) == LoginKind::Token {
        api.require_partner_key(&request, &caller).await?;
    }
    let workspace = api.application.own_workspace(&caller).await?;
    Ok(HttpResponse::Ok().json(view::principal(&caller.who, &workspace)))
}
