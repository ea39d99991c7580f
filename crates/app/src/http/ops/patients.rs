//! Patients: register, find by either identifier, list, switch on and off.

use super::shapes::{IdCursor, Limit, NewPatient, NumberCursor, PatientChange, PatientPath};
use super::view::List;
use super::view::patients::{PatientRecord, PatientView, StatusEntryView};
use super::{Answer, limit, read, segment, shown_page, view};
use crate::http::Api;
use crate::http::failure::Failure;
use crate::http::idempotency::tell;
use crate::http::json::Object;
use crate::http::query::Query;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use caretrack_domain::{LocalPatientId, Patient, PatientId, Problems, Refusal, Rule, Scope, WmdaId};
use caretrack_ports::PatientRef;
use uuid::Uuid;

/// Register a patient
#[utoipa::path(
    post,
    path = "/ops/v1/patients",
    operation_id = "registerPatient",
    security(("scope" = ["ops:write"])),
    request_body = NewPatient,
    responses(
        (status = 201, description = "Registered", body = PatientView, headers(("Location"))),
        (status = 409, description = "The local identifier is taken"),
    ),
)]
pub async fn register(api: Data<Api>, request: HttpRequest, payload: Payload) -> Answer {
    let (caller, local_id) = read(&api, &request, payload, "patient.register", read_new).await?;
    let told = tell(&request, &caller, |patient: &Patient| {
        let location = format!("/ops/v1/patients/{}", patient.id);
        HttpResponse::Created()
            .insert_header((LOCATION, location))
            .json(view::patients::patient(patient))
    });
    Ok(api.application.register_patient(&told, local_id).await?)
}

fn read_new(text: &str) -> Result<Option<LocalPatientId>, Refusal> {
    let mut problems = Problems::default();
    let mut body = Object::body(text)?;
    let local_id = body.string("patientId", &mut problems);
    let parsed = local_id.as_deref().map(LocalPatientId::parse);
    if parsed == Some(None) {
        problems.add(
            "$.patientId",
            Rule::Pattern,
            "must be 1 to 64 visible ASCII characters",
        );
    }
    body.refuse_the_rest(&mut problems);
    problems.into_result()?;
    Ok(parsed.flatten())
}

/// Switch a patient on or off
#[utoipa::path(
    patch,
    path = "/ops/v1/patients/{id}",
    operation_id = "changePatient",
    security(("scope" = ["ops:write"])),
    params(PatientPath),
    request_body = PatientChange,
    responses((status = 200, description = "As it is now", body = PatientView)),
)]
pub async fn change(api: Data<Api>, request: HttpRequest, payload: Payload) -> Answer {
    let (caller, active) = read(&api, &request, payload, "patient.change", read_change).await?;
    let told = tell(&request, &caller, |patient| {
        HttpResponse::Ok().json(view::patients::patient(patient))
    });
    let patient = named(&request)?;
    Ok(api.application.set_patient_active(&told, patient, active).await?)
}

fn read_change(text: &str) -> Result<bool, Refusal> {
    let mut problems = Problems::default();
    let mut body = Object::body(text)?;
    let active = body.required_typed("active", "must be true or false", &mut problems);
    body.refuse_the_rest(&mut problems);
    active
        .filter(|_| problems.is_empty())
        .ok_or_else(|| problems.into())
}

/// Look at a patient
#[utoipa::path(
    get,
    path = "/ops/v1/patients/{id}",
    operation_id = "findPatient",
    security(("scope" = ["ops:read"])),
    params(PatientPath),
    responses((status = 200, description = "The patient", body = PatientRecord)),
)]
pub async fn find(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = api.caller_with(&request, Scope::OpsRead).await?;
    let record = api.application.find_patient(&caller, named(&request)?).await?;
    let now = api.application.now();
    Ok(HttpResponse::Ok().json(view::patients::record(&record, now)))
}

/// List the changes of a patient's search status
///
/// Of a person who was registered for donor searches several times, those of the newest registration; of another one if
/// it is asked for by its `wmdaId`.
#[utoipa::path(
    get,
    path = "/ops/v1/patients/{id}/status-history",
    operation_id = "listStatusHistory",
    security(("scope" = ["ops:read"])),
    params(PatientPath, Limit, NumberCursor),
    responses((status = 200, description = "Oldest first", body = List<StatusEntryView>)),
)]
pub async fn history(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = api.caller_with(&request, Scope::OpsRead).await?;
    let query = Query::of(&request);
    let (after, limit) = (query.number_cursor()?, limit(&query)?);
    let patient = named(&request)?;
    let page = api
        .application
        .status_history(&caller, patient, after, limit)
        .await?;
    Ok(shown_page(&page, view::patients::status_entry, |last| {
        last.revision
    }))
}

/// List the patients
#[utoipa::path(
    get,
    path = "/ops/v1/patients",
    operation_id = "listPatients",
    security(("scope" = ["ops:read"])),
    params(Limit, IdCursor),
    responses((status = 200, description = "By id", body = List<PatientView>)),
)]
pub async fn list(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = api.caller_with(&request, Scope::OpsRead).await?;
    let query = Query::of(&request);
    let after = query.cursor(|text| Uuid::try_parse(text).ok().map(PatientId))?;
    let page = api
        .application
        .list_patients(&caller, after, limit(&query)?)
        .await?;
    Ok(shown_page(&page, view::patients::patient, |last| last.id))
}

/// A UUID or a `wmdaId`.
pub fn reference(text: &str) -> Option<PatientRef> {
    let number = || text.parse().ok().and_then(WmdaId::parse).map(PatientRef::Wmda);
    number().or_else(|| Some(PatientRef::Id(PatientId(Uuid::try_parse(text).ok()?))))
}

fn named(request: &HttpRequest) -> Result<PatientRef, Failure> {
    reference(segment(request, "id")).ok_or_else(Failure::no_such_record)
}
