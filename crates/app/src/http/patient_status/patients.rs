//! Patients: register, update, retrieve, list.

use super::listing::{Listing, Paging, listing};
use super::orders;
use super::shapes::{ListQuery, PagingQuery, PatientDraft, PatientListQuery, PatientPath, PatientUpdate};
use super::view::{PagingView, PatientList, PatientView, listed, patient};
use super::{Answer, Reading, numbered, read, reader, written};
use crate::http::idempotency::tell;
use crate::http::query::Query;
use crate::http::{Api, body};
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use caretrack_application::Caller;
use caretrack_domain::{Scope, WmdaId};
use serde::Serialize;
use utoipa::ToSchema;

/// The number of a new patient.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MadePatient {
    #[schema(schema_with = super::parts::wmda_id)]
    wmda_id: i64,
}

/// Register a patient
///
/// In status NEW. It always gives a new `wmdaId`, also for a person who was registered before.
#[utoipa::path(
    post,
    path = "/api/v2/patients",
    operation_id = "registerSearchPatient",
    security(("scope" = ["patient:write"])),
    request_body = PatientDraft,
    responses(
        (status = 201, description = "Registered", body = MadePatient, headers(("Location"))),
        (status = 409, description = "Another patient whose search goes on has that `patientId`"),
    ),
)]
pub async fn register(api: Data<Api>, request: HttpRequest, payload: Payload) -> Answer {
    let (caller, new) = written(&api, &request, payload, "patient.register", orders::new_patient).await?;
    let told = tell(&request, &caller, |made: &WmdaId| {
        let wmda_id = made.number();
        HttpResponse::Created()
            .insert_header((LOCATION, format!("/api/v2/patients/{wmda_id}")))
            .json(MadePatient { wmda_id })
    });
    Ok(api.application.register_patient_for_search(&told, new).await?)
}

/// Update a patient
///
/// What is left out stays, what is null is cleared; objects are replaced whole. A change of `hla`, `ethnicity` or
/// `poolCountryCode` refreshes the patient's searches.
#[utoipa::path(
    put,
    path = "/api/v2/patients",
    operation_id = "updateSearchPatient",
    security(("scope" = ["patient:write"])),
    request_body = PatientUpdate,
    responses(
        (status = 204, description = "Updated"),
        (status = 404, description = "There is no such patient"),
        (status = 409, description = "The patient is stopped, or the `patientId` cannot be that"),
    ),
)]
pub async fn update(api: Data<Api>, request: HttpRequest, payload: Payload) -> Answer {
    let (caller, (named, change)) =
        written(&api, &request, payload, "patient.update", orders::change).await?;
    let told = tell(&request, &caller, |()| HttpResponse::NoContent().finish());
    let updated = api
        .application
        .change_registration(&told, named.patient()?, change);
    Ok(updated.await?)
}

/// Retrieve a patient
///
/// This gives the patient another 42 days.
#[utoipa::path(
    get,
    path = "/api/v2/patients/{wmdaId}",
    operation_id = "findSearchPatient",
    security(("scope" = ["patient:read"])),
    params(PatientPath),
    responses((status = 200, description = "The patient", body = PatientView)),
)]
pub async fn find(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = reader(&api, &request).await?;
    let wmda_id = numbered(&request, "wmdaId").patient()?;
    let found = api.application.view_registration(&caller, wmda_id).await?;
    Ok(HttpResponse::Ok().json(patient(&found)))
}

/// List the patients
///
/// Those that were viewed last come first. The list itself views nobody.
#[utoipa::path(
    get,
    path = "/api/v2/patients/list",
    operation_id = "listSearchPatients",
    security(("scope" = ["patient:read"])),
    params(PagingQuery, ListQuery),
    responses((status = 200, description = "A page of them", body = PatientList)),
)]
pub async fn list(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = reader(&api, &request).await?;
    let wanted = listing(&Query::of(&request), None)?;
    shown(&api, &caller, wanted).await
}

/// List the patients, asked for by a body
///
/// As by GET. What the body says counts before what the query says.
#[utoipa::path(
    post,
    path = "/api/v2/patients/list",
    operation_id = "listSearchPatientsByBody",
    security(("scope" = ["patient:read"])),
    params(PagingQuery, ListQuery),
    request_body = Option<PatientListQuery>,
    responses((status = 200, description = "A page of them", body = PatientList)),
)]
pub async fn list_by_body(api: Data<Api>, request: HttpRequest, payload: Payload) -> Answer {
    let query = Query::of(&request);
    if body::is_absent(&request) {
        return list(api, request).await;
    }
    let parse = |text: &str| listing(&query, Some(text).filter(|text| !text.is_empty()));
    let reading = Reading::of(Scope::PatientRead, "patient.list", &api);
    let (caller, wanted) = read(&api, &request, payload, reading, parse).await?;
    shown(&api, &caller, wanted).await
}

/// List the patients, as it was done earlier
#[utoipa::path(
    get,
    path = "/api/v2/patients",
    operation_id = "listSearchPatientsAsEarlier",
    security(("scope" = ["patient:read"])),
    params(PagingQuery, ListQuery),
    responses((status = 200, description = "A page of them", body = PatientList)),
)]
#[deprecated]
pub async fn list_deprecated(api: Data<Api>, request: HttpRequest) -> Answer {
    list(api, request).await
}

async fn shown(api: &Api, caller: &Caller, wanted: Listing) -> Answer {
    let Paging { limit, offset } = wanted.paging;
    let filter = wanted.filter(caller);
    let list = api
        .application
        .list_registrations(caller, &filter, limit, offset)
        .await?;
    let patients = list
        .items
        .iter()
        .map(|(patient, searches)| listed(patient, searches));
    Ok(HttpResponse::Ok().json(PatientList {
        patients: patients.collect(),
        paging: PagingView {
            limit,
            offset,
            total_count: list.total,
        },
    }))
}
