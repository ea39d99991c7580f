//! Results: read page by page, delivered by a match engine.

use super::listing::paging;
use super::orders::{self, Numbered};
use super::search_view::{DeliveredSearch, Results, delivered, record};
use super::shapes::{CbusQuery, DonorsQuery, PagingQuery, ResultsDelivery, SearchPath, SearchResults};
use super::view::PagingView;
use super::{Answer, Reading, delivery, numbered, read, reader};
use crate::http::Api;
use crate::http::idempotency::tell;
use crate::http::query::Query;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use caretrack_application::{Caller, DeliveryAnswer};
use caretrack_domain::{ResultList, Scope};
use caretrack_ports::{ResultOrder, ResultsQuery};

/// Read the donors that were found
///
/// Like every reading of results this gives the patient another 42 days.
#[utoipa::path(
    post,
    path = "/api/v2/searches/searchResults/donors",
    operation_id = "listDonors",
    security(("scope" = ["patient:read"])),
    request_body = DonorsQuery,
    responses(
        (status = 200, description = "A page of them", body = SearchResults),
        (status = 404, description = "There is no such search, or its results are deleted"),
        (status = 409, description = "The search has not been completed"),
    ),
)]
pub async fn donors(api: Data<Api>, request: HttpRequest, payload: Payload) -> Answer {
    let reading = Reading::of(Scope::PatientRead, "search.results", &api);
    let (caller, (named, query)) = read(&api, &request, payload, reading, orders::donors_wanted).await?;
    shown(&api, &caller, named, query).await
}

/// Read the cord blood units that were found
#[utoipa::path(
    post,
    path = "/api/v2/searches/searchResults/cbus",
    operation_id = "listCbus",
    security(("scope" = ["patient:read"])),
    request_body = CbusQuery,
    responses(
        (status = 200, description = "A page of them", body = SearchResults),
        (status = 404, description = "There is no such search, or its results are deleted"),
        (status = 409, description = "The search has not been completed"),
    ),
)]
pub async fn cbus(api: Data<Api>, request: HttpRequest, payload: Payload) -> Answer {
    let reading = Reading::of(Scope::PatientRead, "search.results", &api);
    let (caller, (named, query)) = read(&api, &request, payload, reading, orders::cbus_wanted).await?;
    shown(&api, &caller, named, query).await
}

/// Read the adult donors and cord blood units that were found
#[utoipa::path(
    get,
    path = "/api/v2/searches/{searchId}/searchResults/adcu",
    operation_id = "listAdcu",
    security(("scope" = ["patient:read"])),
    params(SearchPath, PagingQuery),
    responses(
        (status = 200, description = "A page of them", body = SearchResults),
        (status = 404, description = "There is no such search, or its results are deleted"),
        (status = 409, description = "The search has not been completed"),
    ),
)]
pub async fn adcu(api: Data<Api>, request: HttpRequest) -> Answer {
    of_path(&api, &request, ResultList::Adcu).await
}

/// Read the registries in which something was found
#[utoipa::path(
    get,
    path = "/api/v2/searches/{searchId}/searchResults/registries",
    operation_id = "listRegistries",
    security(("scope" = ["patient:read"])),
    params(SearchPath, PagingQuery),
    responses(
        (status = 200, description = "A page of them", body = SearchResults),
        (status = 404, description = "There is no such search, or its results are deleted"),
        (status = 409, description = "The search has not been completed"),
    ),
)]
pub async fn registries(api: Data<Api>, request: HttpRequest) -> Answer {
    of_path(&api, &request, ResultList::Registries).await
}

/// Read the cord blood banks in which something was found
#[utoipa::path(
    get,
    path = "/api/v2/searches/{searchId}/searchResults/cbbs",
    operation_id = "listCbbs",
    security(("scope" = ["patient:read"])),
    params(SearchPath, PagingQuery),
    responses(
        (status = 200, description = "A page of them", body = SearchResults),
        (status = 404, description = "There is no such search, or its results are deleted"),
        (status = 409, description = "The search has not been completed"),
    ),
)]
pub async fn cbbs(api: Data<Api>, request: HttpRequest) -> Answer {
    of_path(&api, &request, ResultList::Cbbs).await
}

async fn of_path(api: &Api, request: &HttpRequest, list: ResultList) -> Answer {
    let caller = reader(api, request).await?;
    let paging = paging(&Query::of(request))?;
    let query = ResultsQuery {
        list,
        updated_from: None,
        order: ResultOrder::Standard,
        limit: paging.limit,
        offset: paging.offset,
    };
    shown(api, &caller, numbered(request, "searchId"), query).await
}

async fn shown(api: &Api, caller: &Caller, named: Numbered, query: ResultsQuery) -> Answer {
    let page = api
        .application
        .view_results(caller, named.search()?, &query)
        .await?;
    Ok(HttpResponse::Ok().json(Results {
        paging: PagingView {
            limit: query.limit,
            offset: query.offset,
            total_count: page.total,
        },
        search_results: page.records.iter().filter_map(record).collect(),
    }))
}

/// Deliver results
///
/// For match engines. Each delivery is the whole result; what was delivered before and is not again is shown as deleted
/// until the next one.
#[utoipa::path(
    put,
    path = "/api/v2/searches/{searchId}/results",
    operation_id = "deliverResults",
    security(("scope" = ["search:deliver"])),
    params(SearchPath),
    request_body = ResultsDelivery,
    responses(
        (status = 200, description = "Taken", body = DeliveredSearch),
        (status = 409, description = "The search is terminated"),
    ),
)]
pub async fn deliver(api: Data<Api>, request: HttpRequest, payload: Payload) -> Answer {
    let reading = Reading {
        limit: api.limits.delivery,
        ..Reading::of(Scope::SearchDeliver, "search.deliver", &api)
    };
    let (caller, delivery) = read(&api, &request, payload, reading, delivery::delivery).await?;
    let told = tell(&request, &caller, |taken: &DeliveryAnswer| {
        HttpResponse::Ok().json(delivered(taken))
    });
    let id = numbered(&request, "searchId").search()?;
    Ok(api.application.deliver_results(&told, id, delivery).await?)
}
