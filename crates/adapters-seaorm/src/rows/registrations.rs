//! Registrations, the history of their status, searches and what these found.

use super::{Row, bytes, json, micros};
use caretrack_domain::{
    Fingerprint, KnownRecord, LocalPatientId, PatientId, Registration, ResultChange, ResultKey, ResultList,
    ResultRecord, Search, SearchId, SearchStatus, StatusEntry, UserName, WmdaId, WorkspaceId,
};
use caretrack_ports::StoreError;
use sea_orm::{QueryResult, Value};

pub(crate) const COLUMNS: [&str; 20] = [
    "wmda_id",
    "workspace_id",
    "patient_id",
    "revision",
    "status",
    "reason",
    "registered_at",
    "changed_at",
    "counter_started_at",
    "viewed_at",
    "stopped_at",
    "refresh_at",
    "handed_over_at",
    "handed_over",
    "look_at",
    "legal_terms",
    "local_id",
    "assigned_to",
    "assignee",
    "details",
];

/// Those that also move by a touch, and then only ahead.
pub(crate) const AHEAD: [&str; 2] = ["counter_started_at", "viewed_at"];

/// By what the registrations of an assignee are found and counted.
pub(crate) fn assignee(workspace: WorkspaceId, name: &UserName) -> Fingerprint {
    let workspace = workspace.to_string();
    Fingerprint::of(&["assignee", &workspace, name.expose()], &serde_json::Value::Null)
}

/// The same of a registration; none if it has none.
pub(crate) fn assignee_of(registration: &Registration) -> Option<Fingerprint> {
    let name = registration.assigned_to.as_ref()?;
    Some(assignee(registration.workspace, name))
}

pub(crate) fn values(registration: &Registration) -> Vec<Value> {
    let assignee = assignee_of(registration);
    vec![
        registration.wmda_id.number().into(),
        registration.workspace.0.into(),
        registration.patient.0.into(),
        registration.revision.into(),
        registration.status.to_string().into(),
        registration.reason.map(|reason| reason.to_string()).into(),
        micros(registration.registered_at).into(),
        micros(registration.changed_at).into(),
        micros(registration.counter_started_at).into(),
        micros(registration.viewed_at).into(),
        registration.stopped_at.map(micros).into(),
        registration.refresh_at.map(micros).into(),
        registration.handed_over.map(|(_, at)| micros(at)).into(),
        registration.handed_over.map(|(due, _)| due.to_string()).into(),
        registration.look_at().map(micros).into(),
        registration.legal_terms.into(),
        (registration.patient_id.as_ref())
            .map(|id| id.expose().to_owned())
            .into(),
        (registration.assigned_to.as_ref())
            .map(|name| name.expose().to_owned())
            .into(),
        assignee.map_or(Value::Bytes(None), |hash| bytes(hash.0)),
        json(&registration.details).into(),
    ]
}

pub(crate) fn read(result: &QueryResult) -> Result<Registration, StoreError> {
    let mut row = Row::new("registrations", &COLUMNS, result);
    Ok(Registration {
        wmda_id: wmda_id(&mut row)?,
        workspace: row.uuid(WorkspaceId)?,
        patient: row.uuid(PatientId)?,
        revision: row.take()?,
        status: row.word()?,
        reason: row.maybe_text(|text| text.parse().ok())?,
        registered_at: row.instant()?,
        changed_at: row.instant()?,
        counter_started_at: row.instant()?,
        viewed_at: row.instant()?,
        stopped_at: row.maybe_instant()?,
        refresh_at: row.maybe_instant()?,
        handed_over: {
            let at = row.maybe_instant()?;
            let due = row.maybe_text(|text| text.parse().ok())?;
            due.zip(at)
        },
        legal_terms: {
            // The look is reckoned from the rest.
            row.maybe_instant()?;
            row.take()?
        },
        patient_id: row.maybe_text(LocalPatientId::parse)?,
        assigned_to: row.maybe_text(UserName::parse)?,
        details: {
            row.hash()?;
            row.text(|text| serde_json::from_str(text).ok())?
        },
    })
}

fn wmda_id(row: &mut Row<'_>) -> Result<WmdaId, StoreError> {
    let number = row.take()?;
    WmdaId::parse(number).ok_or_else(|| row.nonsense(number))
}

pub(crate) const ENTRY_COLUMNS: [&str; 7] = [
    "wmda_id",
    "revision",
    "from_status",
    "to_status",
    "reason",
    "at",
    "by_whom",
];

pub(crate) fn entry_values(entry: &StatusEntry) -> Vec<Value> {
    vec![
        entry.wmda_id.number().into(),
        entry.revision.into(),
        entry.from.map(|status| status.to_string()).into(),
        entry.to.to_string().into(),
        entry.reason.map(|reason| reason.to_string()).into(),
        micros(entry.at).into(),
        entry.by.clone().into(),
    ]
}

pub(crate) fn read_entry(result: &QueryResult) -> Result<StatusEntry, StoreError> {
    let mut row = Row::new("status_entries", &ENTRY_COLUMNS, result);
    Ok(StatusEntry {
        wmda_id: wmda_id(&mut row)?,
        revision: row.take()?,
        from: row.maybe_text(|text| text.parse().ok())?,
        to: row.word()?,
        reason: row.maybe_text(|text| text.parse().ok())?,
        at: row.instant()?,
        by: row.take()?,
    })
}

pub(crate) const SEARCH_COLUMNS: [&str; 15] = [
    "search_id",
    "workspace_id",
    "wmda_id",
    "revision",
    "request",
    "status",
    "error",
    "completed",
    "terminated",
    "statistics",
    "listed",
    "summary_text",
    "inexplicable",
    "started_at",
    "last_updated",
];

pub(crate) fn search_values(search: &Search) -> Vec<Value> {
    vec![
        search.id.number().into(),
        search.workspace.0.into(),
        search.wmda_id.number().into(),
        search.revision.into(),
        search.request.as_ref().map(json).into(),
        search.status.to_string().into(),
        search.error.as_ref().map(json).into(),
        search.completed.into(),
        search.terminated.into(),
        json(&search.statistics).into(),
        json(&search.listed).into(),
        search.summary_text.clone().into(),
        search.inexplicable.into(),
        micros(search.started_at).into(),
        micros(search.last_updated).into(),
    ]
}

pub(crate) fn read_search(result: &QueryResult) -> Result<Search, StoreError> {
    let mut row = Row::new("searches", &SEARCH_COLUMNS, result);
    Ok(Search {
        id: {
            let number = row.take()?;
            SearchId::parse(number).ok_or_else(|| row.nonsense(number))?
        },
        workspace: row.uuid(WorkspaceId)?,
        wmda_id: wmda_id(&mut row)?,
        revision: row.take()?,
        request: row.maybe_text(|text| serde_json::from_str(text).ok())?,
        status: row.word()?,
        error: row.maybe_text(|text| serde_json::from_str(text).ok())?,
        completed: row.take()?,
        terminated: row.take()?,
        statistics: row.text(|text| serde_json::from_str(text).ok())?,
        listed: row.text(|text| serde_json::from_str(text).ok())?,
        summary_text: row.take()?,
        inexplicable: row.take()?,
        started_at: row.instant()?,
        last_updated: row.instant()?,
    })
}

pub(crate) const RESULT_COLUMNS: [&str; 8] = [
    "search_id",
    "list",
    "record_id",
    "position",
    "flag",
    "flagged_at",
    "digest",
    "content",
];

/// Many at once: `WITH`, [`MARKED`], the tuples of [`mark_values`], `)`, [`MARK`].
pub(crate) const MARKED: &str = "marked(search_id, list, record_id, position, flag, flagged_at) AS (VALUES ";
pub(crate) const MARK: &str = "UPDATE search_results SET position = marked.position, flag = marked.flag, \
     flagged_at = marked.flagged_at FROM marked WHERE search_results.search_id = marked.search_id \
     AND search_results.list = marked.list AND search_results.record_id = marked.record_id";
pub(crate) const MARK_COLUMNS: usize = 6;

/// What becomes of a record, as a row.
pub(crate) enum ResultRow {
    Put(Vec<Value>),
    Mark(Vec<Value>),
    Drop(Vec<Value>),
}

pub(crate) fn result_row(change: &ResultChange) -> ResultRow {
    let key_values = |key: &ResultKey| -> Vec<Value> {
        vec![
            key.search.number().into(),
            key.list.to_string().into(),
            key.id.clone().into(),
        ]
    };
    match change {
        ResultChange::Put {
            key,
            position,
            content,
            digest,
            flag,
            flagged_at,
        } => {
            let mut row = key_values(key);
            row.extend([
                i64::from(*position).into(),
                flag.map(|flag| flag.to_string()).into(),
                micros(*flagged_at).into(),
                bytes(digest.0),
                content.clone().into(),
            ]);
            ResultRow::Put(row)
        }
        ResultChange::Mark {
            key,
            position,
            flag,
            flagged_at,
        } => {
            let mut row = key_values(key);
            row.extend([
                i64::from(*position).into(),
                flag.map(|flag| flag.to_string()).into(),
                micros(*flagged_at).into(),
            ]);
            ResultRow::Mark(row)
        }
        ResultChange::Drop { key } => ResultRow::Drop(key_values(key)),
    }
}

pub(crate) const KNOWN_COLUMNS: [&str; 6] = ["list", "record_id", "position", "digest", "flag", "flagged_at"];

pub(crate) fn read_known(result: &QueryResult) -> Result<KnownRecord, StoreError> {
    let mut row = Row::new("search_results", &KNOWN_COLUMNS, result);
    Ok(KnownRecord {
        list: row.word::<ResultList>()?,
        id: row.take()?,
        position: row.count()?,
        digest: {
            let digest = row.hash()?;
            Fingerprint(digest.ok_or_else(|| row.nonsense("nothing"))?)
        },
        flag: row.maybe_text(|text| text.parse().ok())?,
        flagged_at: row.instant()?,
    })
}

pub(crate) const RECORD_COLUMNS: [&str; 3] = ["content", "flag", "flagged_at"];

pub(crate) fn read_record(result: &QueryResult) -> Result<ResultRecord, StoreError> {
    let mut row = Row::new("search_results", &RECORD_COLUMNS, result);
    Ok(ResultRecord {
        content: row.take()?,
        flag: row.maybe_text(|text| text.parse().ok())?,
        flagged_at: row.instant()?,
    })
}

/// Whether the registrations of this status are listed, and counted.
pub(crate) fn is_listed(status: SearchStatus) -> bool {
    status != SearchStatus::Ano
}
