//! Searches: start, poll, list, refresh.

use super::search_view::{self, PatientSearches, SearchView, search};
use super::shapes::{NamedPatient, PatientPath, SearchDraft, SearchPath};
use super::{Answer, numbered, orders, reader, written};
use crate::http::Api;
use crate::http::idempotency::tell;
use actix_web::http::header::{LOCATION, RETRY_AFTER};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use caretrack_application::UseCaseError;
use caretrack_domain::SearchId;
use serde::Serialize;
use utoipa::ToSchema;

/// The number of a new search.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MadeSearch {
    #[schema(schema_with = super::parts::search_id)]
    search_id: i64,
}

/// Start a search
///
/// The first one moves the patient from NEW to PRE. It runs in the background: poll its summary.
#[utoipa::path(
    post,
    path = "/api/v2/searches",
    operation_id = "startSearch",
    security(("scope" = ["patient:write"])),
    request_body = SearchDraft,
    responses(
        (status = 201, description = "Started", body = MadeSearch, headers(("Location"))),
        (status = 404, description = "There is no such patient"),
        (status = 409, description = "The patient is stopped"),
    ),
)]
pub async fn start(api: Data<Api>, request: HttpRequest, payload: Payload) -> Answer {
    let (caller, (named, order)) =
        written(&api, &request, payload, "search.start", orders::new_search).await?;
    let told = tell(&request, &caller, |made: &SearchId| {
        let search_id = made.number();
        HttpResponse::Created()
            .insert_header((LOCATION, format!("/api/v2/searches/{search_id}")))
            .json(MadeSearch { search_id })
    });
    let new = order.of(named.patient()?);
    Ok(api.application.start_search(&told, new).await?)
}

/// Look at a search
///
/// This gives the patient another 42 days.
#[utoipa::path(
    get,
    path = "/api/v2/searches/{searchId}",
    operation_id = "findSearch",
    security(("scope" = ["patient:read"])),
    params(SearchPath),
    responses((status = 200, description = "How it stands", body = SearchView)),
)]
pub async fn find(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = reader(&api, &request).await?;
    let id = numbered(&request, "searchId").search()?;
    let (found, registration) = api.application.view_search(&caller, id).await?;
    Ok(HttpResponse::Ok().json(search(&found, &registration)))
}

/// List the searches of a patient
#[utoipa::path(
    get,
    path = "/api/v2/searches/patientSearches/{wmdaId}",
    operation_id = "listPatientSearches",
    security(("scope" = ["patient:read"])),
    params(PatientPath),
    responses((status = 200, description = "All of them, newest first", body = PatientSearches)),
)]
pub async fn of_patient(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = reader(&api, &request).await?;
    let wmda_id = numbered(&request, "wmdaId").patient()?;
    let searches = api.application.list_searches(&caller, wmda_id).await?;
    Ok(HttpResponse::Ok().json(PatientSearches {
        wmda_id: wmda_id.number(),
        searches: searches.iter().map(search_view::of_patient).collect(),
    }))
}

/// The searches that are refreshed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefreshedSearches {
    #[schema(schema_with = super::parts::wmda_id)]
    wmda_id: i64,
    search_ids: Vec<i64>,
}

/// Refresh all searches of a patient
///
/// In the background; those that are terminated stay so.
#[utoipa::path(
    post,
    path = "/api/v2/searches/refreshAllPatientSearches",
    operation_id = "refreshPatientSearches",
    security(("scope" = ["patient:write"])),
    request_body = NamedPatient,
    responses(
        (status = 202, description = "They will be refreshed", body = RefreshedSearches, headers(("Retry-After"))),
        (status = 404, description = "There is no such patient"),
        (status = 409, description = "The patient is stopped"),
    ),
)]
pub async fn refresh(api: Data<Api>, request: HttpRequest, payload: Payload) -> Answer {
    let (caller, named) = written(&api, &request, payload, "search.refresh", orders::patient).await?;
    let wmda_id = named.patient()?;
    let told = tell(&request, &caller, |searches: &Vec<SearchId>| {
        HttpResponse::Accepted()
            .insert_header((RETRY_AFTER, UseCaseError::RETRY_AFTER.as_secs()))
            .json(RefreshedSearches {
                wmda_id: wmda_id.number(),
                search_ids: searches.iter().map(|id| id.number()).collect(),
            })
    });
    Ok(api.application.refresh_searches(&told, wmda_id).await?)
}
