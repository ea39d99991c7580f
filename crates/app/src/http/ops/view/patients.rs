//! How operators are shown patients, and what became of their search status.

use super::task::{self, TaskView};
use crate::http::patient_status::parts;
use crate::http::rfc3339;
use caretrack_application as application;
use caretrack_domain::{Instant, LocalPatientId, Patient, Registration, SearchStatus, StatusEntry};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// One person, with all identifiers.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Patient)]
pub struct PatientView {
    id: Uuid,
    /// Of several the newest.
    wmda_id: i64,
    /// The organisation's own identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    patient_id: Option<String>,
    active: bool,
    #[schema(format = DateTime)]
    created_at: String,
}

/// A patient and what was done lately.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PatientRecord {
    #[serde(flatten)]
    patient: PatientView,
    /// Of earlier registrations for a donor search, newest first.
    older_wmda_ids: Vec<i64>,
    /// Where the search for a donor stands, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = parts::search_status)]
    search_status: Option<&'static str>,
    /// There and true if nobody can be told any more who it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    anonymised: Option<bool>,
    /// What time brings next, unless something happens before.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_due: Option<DueView>,
    /// Newest first.
    recent_tasks: Vec<TaskView>,
}

/// What is done for a patient without being asked for.
#[derive(Serialize, ToSchema)]
#[schema(as = PatientDue)]
pub struct DueView {
    /// The automatic stop, the refresh of the day, or the anonymisation.
    #[schema(schema_with = parts::due)]
    what: &'static str,
    #[schema(format = DateTime)]
    at: String,
}

pub fn patient(patient: &Patient) -> PatientView {
    let local_id = patient.local_id.as_ref().map(LocalPatientId::expose);
    PatientView {
        id: patient.id.0,
        wmda_id: patient.wmda_id.number(),
        patient_id: local_id.map(str::to_owned),
        active: patient.active,
        created_at: rfc3339(patient.created_at),
    }
}

pub fn record(record: &application::PatientRecord, now: Instant) -> PatientRecord {
    let newest = record.registrations.first();
    let mut numbers: Vec<_> = record
        .registrations
        .iter()
        .map(|one| one.wmda_id.number())
        .collect();
    let own = record.patient.wmda_id.number();
    // A person whom only registrations know has no number that anybody was told but theirs.
    let is_told = record.patient.known_elsewhere || numbers.is_empty();
    if is_told && !numbers.contains(&own) {
        numbers.push(own);
    }
    PatientRecord {
        patient: PatientView {
            wmda_id: numbers.remove(0),
            ..patient(&record.patient)
        },
        older_wmda_ids: numbers,
        search_status: newest.and_then(|newest| shown_status(newest.status)),
        anonymised: newest.filter(|newest| newest.is_anonymised()).map(|_| true),
        next_due: newest.and_then(Registration::next_due).map(|(what, at)| DueView {
            what: what.into(),
            at: rfc3339(at),
        }),
        recent_tasks: record
            .recent_tasks
            .iter()
            .map(|task| task::task(task, now))
            .collect(),
    }
}

/// Anonymised is none.
fn shown_status(status: SearchStatus) -> Option<&'static str> {
    (status != SearchStatus::Ano).then(|| status.into())
}

/// A change of search status; in the first one there is nothing before.
#[derive(Serialize, ToSchema)]
#[schema(as = StatusEntry)]
pub struct StatusEntryView {
    #[schema(required, schema_with = parts::search_status_or_null)]
    from: Option<&'static str>,
    #[schema(schema_with = parts::search_status)]
    to: &'static str,
    #[schema(required, schema_with = parts::change_reason)]
    reason: Option<&'static str>,
    #[schema(format = DateTime)]
    at: String,
    /// The client, else the user, or `system`.
    by: String,
}

pub fn status_entry(entry: &StatusEntry) -> StatusEntryView {
    StatusEntryView {
        from: entry.from.map(Into::into),
        to: entry.to.into(),
        reason: entry.reason.map(Into::into),
        at: rfc3339(entry.at),
        by: entry.by.clone(),
    }
}
