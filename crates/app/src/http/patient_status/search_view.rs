//! How searches and what they found are shown.

use super::delivery::{FLAG, LAST_UPDATED};
use super::parts;
use super::view::{PagingView, PatientView, patient};
use crate::http::rfc3339;
use caretrack_application::DeliveryAnswer;
use caretrack_domain::{Counts, Registration, ResultList, ResultRecord, Search, SearchError, SearchRequest};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// A search: how it stands, and what it found in numbers.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Search)]
pub struct SearchView {
    patient: PatientView,
    #[schema(schema_with = parts::search_id)]
    search_id: i64,
    #[schema(required)]
    search_type: Option<&'static str>,
    #[schema(required)]
    match_engine: Option<i64>,
    #[schema(required)]
    overall_mismatches: Option<u8>,
    #[schema(schema_with = parts::run_status)]
    status: &'static str,
    summary: Summary,
    #[schema(required)]
    inexplicable: Option<i64>,
    statistics: Statistics,
    #[schema(required)]
    error: Option<RunError>,
    #[schema(required)]
    loci_to_be_considered: Option<Vec<&'static str>>,
    /// Its results are deleted, and it is not run again.
    terminated: bool,
    /// The end of the last run or refresh, else the start.
    #[schema(format = DateTime)]
    last_updated: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SearchSummary)]
pub struct Summary {
    /// The engine's words, else the numbers; null before there are any.
    #[schema(required)]
    summary_text: Option<String>,
}

/// How many there are in each list, without what is no longer found.
#[derive(Serialize, ToSchema)]
#[schema(as = SearchStatistics)]
pub struct Statistics {
    donors: u32,
    cbus: u32,
    adcu: u32,
    registries: u32,
    cbbs: u32,
}

/// Why it failed.
#[derive(Serialize, ToSchema)]
#[schema(as = SearchFailure)]
pub struct RunError {
    code: String,
    message: String,
}

pub fn search(search: &Search, registration: &Registration) -> SearchView {
    let request = search.request.as_ref();
    SearchView {
        patient: patient(registration),
        search_id: search.id.number(),
        search_type: request.map(search_type),
        match_engine: request.map(match_engine),
        overall_mismatches: request.map(|request| request.overall_mismatches),
        status: search.status.into(),
        summary: summary(search),
        inexplicable: search.inexplicable,
        statistics: statistics(&search.statistics),
        error: search.error.as_ref().map(error),
        loci_to_be_considered: request.map(|request| request.loci.iter().map(Into::into).collect()),
        terminated: search.terminated,
        last_updated: rfc3339(search.last_updated),
    }
}

fn search_type(request: &SearchRequest) -> &'static str {
    request.kind.into()
}

fn match_engine(request: &SearchRequest) -> i64 {
    request.engine.number()
}

fn summary(search: &Search) -> Summary {
    Summary {
        summary_text: search.summary(),
    }
}

fn statistics(counts: &Counts) -> Statistics {
    Statistics {
        donors: counts[ResultList::Donors],
        cbus: counts[ResultList::Cbus],
        adcu: counts[ResultList::Adcu],
        registries: counts[ResultList::Registries],
        cbbs: counts[ResultList::Cbbs],
    }
}

fn error(error: &SearchError) -> RunError {
    RunError {
        code: error.code.clone(),
        message: error.message.clone(),
    }
}

/// A search in a list of patients.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedRequest {
    #[schema(schema_with = parts::search_id)]
    search_id: i64,
    #[schema(required)]
    search_type: Option<&'static str>,
    #[schema(required)]
    match_engine: Option<i64>,
    #[schema(schema_with = parts::run_status)]
    status: &'static str,
    summary: Summary,
}

pub fn listed(search: &Search) -> ListedRequest {
    let request = search.request.as_ref();
    ListedRequest {
        search_id: search.id.number(),
        search_type: request.map(search_type),
        match_engine: request.map(match_engine),
        status: search.status.into(),
        summary: summary(search),
    }
}

/// The searches of a patient, newest first.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PatientSearches {
    #[schema(schema_with = parts::wmda_id)]
    pub wmda_id: i64,
    pub searches: Vec<PatientSearch>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PatientSearch {
    #[schema(schema_with = parts::search_id)]
    search_id: i64,
    #[schema(required)]
    search_type: Option<&'static str>,
    #[schema(required)]
    match_engine: Option<i64>,
    #[schema(required)]
    overall_mismatches: Option<u8>,
    #[schema(schema_with = parts::run_status)]
    status: &'static str,
    terminated: bool,
    #[schema(format = DateTime)]
    last_updated: String,
}

pub fn of_patient(search: &Search) -> PatientSearch {
    let request = search.request.as_ref();
    PatientSearch {
        search_id: search.id.number(),
        search_type: request.map(search_type),
        match_engine: request.map(match_engine),
        overall_mismatches: request.map(|request| request.overall_mismatches),
        status: search.status.into(),
        terminated: search.terminated,
        last_updated: rfc3339(search.last_updated),
    }
}

/// What a match engine is told of its delivery.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveredSearch {
    #[schema(schema_with = parts::search_id)]
    search_id: i64,
    #[schema(schema_with = parts::run_status)]
    status: &'static str,
}

pub fn delivered(taken: &DeliveryAnswer) -> DeliveredSearch {
    DeliveredSearch {
        search_id: taken.search.number(),
        status: taken.status.into(),
    }
}

/// A page of results.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Results {
    pub paging: PagingView,
    pub search_results: Vec<Box<RawValue>>,
}

/// A record as it was sent, and what this server adds.
pub fn record(record: &ResultRecord) -> Option<Box<RawValue>> {
    let members = record.content.trim_end().strip_suffix('}')?;
    let flag: Option<&'static str> = record.flag.map(Into::into);
    let flag = flag.map_or("null".to_owned(), |flag| format!("\"{flag}\""));
    let at = rfc3339(record.flagged_at);
    RawValue::from_string(format!(r#"{members},"{FLAG}":{flag},"{LAST_UPDATED}":"{at}"}}"#)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use caretrack_domain::RecordFlag;
    use time::macros::datetime;

    #[test]
    fn a_record_is_shown_as_it_was_sent_and_with_its_flag() {
        let mut found = ResultRecord {
            content: r#"{"id":"D-1", "p" : 0.50 }"#.to_owned(),
            flag: Some(RecordFlag::New),
            flagged_at: datetime!(2026-02-03 09:30 UTC),
        };
        let rest = r#""recordLastUpdated":"2026-02-03T09:30:00.000Z"}"#;
        let shown = format!(r#"{{"id":"D-1", "p" : 0.50 ,"recordFlag":"NEW",{rest}"#);
        assert_eq!(record(&found).unwrap().get(), shown);
        found.flag = None;
        assert_eq!(record(&found).unwrap().get(), shown.replace("\"NEW\"", "null"));
    }
}
