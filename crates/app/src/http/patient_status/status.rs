//! What is changed of a patient beside its details: the status, and whom it is assigned to.

use super::shapes::{StatusUpdate, UserAssignment};
use super::{Answer, orders, written};
use crate::http::Api;
use crate::http::idempotency::tell;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use caretrack_application::StatusAnswer;
use serde::Serialize;
use utoipa::ToSchema;

/// Where a patient stands now.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PatientStatus {
    #[schema(schema_with = super::parts::wmda_id)]
    wmda_id: i64,
    #[schema(schema_with = super::parts::search_status)]
    status: &'static str,
    /// That of the change which led there.
    #[schema(required, schema_with = super::parts::change_reason)]
    change_reason: Option<&'static str>,
}

/// Change the search status of a patient
#[utoipa::path(
    put,
    path = "/api/v2/patients/status",
    operation_id = "changePatientStatus",
    security(("scope" = ["patient:write"])),
    request_body = StatusUpdate,
    responses(
        (status = 200, description = "It is that now, or was before", body = PatientStatus),
        (status = 404, description = "There is no such patient"),
        (status = 409, description = "The patient cannot go there from where it stands"),
    ),
)]
pub async fn change(api: Data<Api>, request: HttpRequest, payload: Payload) -> Answer {
    let (caller, (named, asked)) = written(&api, &request, payload, "patient.status", orders::status).await?;
    let told = tell(&request, &caller, |now: &StatusAnswer| {
        HttpResponse::Ok().json(PatientStatus {
            wmda_id: now.wmda_id.number(),
            status: now.status.into(),
            change_reason: now.reason.map(Into::into),
        })
    });
    Ok(api
        .application
        .set_search_status(&told, named.patient()?, asked)
        .await?)
}

/// Whether it was done.
#[derive(Serialize, ToSchema)]
pub struct Assigned {
    succeeded: bool,
    #[schema(required)]
    message: Option<&'static str>,
}

/// Assign a patient to a user
#[utoipa::path(
    put,
    path = "/api/v2/patients/user",
    operation_id = "assignPatient",
    security(("scope" = ["patient:write"])),
    request_body = UserAssignment,
    responses(
        (status = 200, description = "Assigned, or to nobody any more", body = Assigned),
        (status = 404, description = "There is no such patient"),
    ),
)]
pub async fn assign(api: Data<Api>, request: HttpRequest, payload: Payload) -> Answer {
    let (caller, (named, user)) = written(&api, &request, payload, "patient.assign", orders::user).await?;
    let told = tell(&request, &caller, |()| {
        HttpResponse::Ok().json(Assigned {
            succeeded: true,
            message: None,
        })
    });
    Ok(api.application.assign_user(&told, named.patient()?, user).await?)
}
