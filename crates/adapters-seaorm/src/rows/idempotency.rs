//! What is remembered under idempotency keys.

use super::{Row, bytes, json, micros};
use caretrack_domain::{KeptAnswer, KeptOutcome, RequestFingerprint};
use caretrack_ports::{IdempotencyRecord, Remembered, StoreError};
use sea_orm::{QueryResult, Value};

pub(crate) const COLUMNS: [&str; 9] = [
    "workspace_id",
    "key",
    "fingerprint",
    "status",
    "headers",
    "body",
    "refusal",
    "version",
    "expires_at",
];

/// What is read: all but the key, which is known to whoever asks.
pub(crate) const REMEMBERED: &[&str] = COLUMNS.split_at(2).1;

/// `first` is the number of the first record that the commit wrote.
pub(crate) fn values(record: &IdempotencyRecord, first: i64) -> Vec<Value> {
    let (answer, refusal) = match &record.outcome {
        KeptOutcome::Answered(answer) => (Some(answer), None),
        KeptOutcome::Refused(refusal) => (None, Some(json(refusal))),
    };
    vec![
        record.workspace.0.into(),
        record.key.as_str().into(),
        bytes(record.fingerprint.0),
        answer.map(|answer| i64::from(answer.status)).into(),
        answer.map(|answer| json(&answer.headers)).into(),
        answer.map(|answer| answer.body.clone()).into(),
        refusal.into(),
        record.shows_version.then_some(first).into(),
        micros(record.expires_at).into(),
    ]
}

pub(crate) fn read(result: &QueryResult) -> Result<Remembered, StoreError> {
    let mut row = Row::new("idempotency", REMEMBERED, result);
    let fingerprint = row.hash()?.ok_or_else(|| row.nonsense("nothing"))?;
    let status: Option<i64> = row.take()?;
    let status = status
        .map(|status| u16::try_from(status).map_err(|_| row.nonsense(status)))
        .transpose()?;
    let headers = row.maybe_text(|text| serde_json::from_str(text).ok())?;
    let body: Option<Vec<u8>> = row.take()?;
    let refusal = row.maybe_text(|text| serde_json::from_str(text).ok())?;
    let outcome = match (status, headers, body, refusal) {
        (Some(status), Some(headers), Some(body), None) => KeptOutcome::Answered(KeptAnswer {
            status,
            headers,
            body,
        }),
        (None, None, None, Some(refusal)) => KeptOutcome::Refused(refusal),
        _ => return Err(row.nonsense("neither an answer nor a refusal")),
    };
    Ok(Remembered {
        fingerprint: RequestFingerprint(fingerprint),
        outcome,
        version: row.take()?,
        expires_at: row.instant()?,
    })
}
