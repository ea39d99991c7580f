//! What is told: outbox entries, webhooks, audit entries and their seals.

use super::{Row, bytes, credential_of, micros, subject_of};
use crate::error::corrupt;
use caretrack_domain::{
    AuditEntry, AuditSeal, Event, EventFilter, Instant, PatientId, RequestId, SearchId, SigningSecret,
    TaskId, Webhook, WebhookId, WebhookUrl, WorkspaceId,
};
use caretrack_ports::{OutboxEntry, StoreError};
use sea_orm::{QueryResult, Value};
use uuid::Uuid;

/// All but the number, which the engine gives.
pub(crate) const AUDIT_COLUMNS: [&str; 9] = [
    "number",
    "at",
    "workspace_id",
    "actor",
    "subject",
    "request_id",
    "action",
    "target",
    "outcome",
];

pub(crate) fn audit_values(entry: &AuditEntry) -> Vec<Value> {
    vec![
        micros(entry.at).into(),
        entry.workspace.map(|id| id.0).into(),
        credential_of(entry.actor.as_ref()),
        subject_of(entry.actor.as_ref()),
        entry.request_id.as_str().into(),
        entry.action.clone().into(),
        entry.target.clone().into(),
        entry.outcome.to_string().into(),
    ]
}

pub(crate) fn read_audit(result: &QueryResult) -> Result<(i64, AuditEntry), StoreError> {
    let mut row = Row::new("audit", &AUDIT_COLUMNS, result);
    let number = row.take()?;
    let entry = AuditEntry {
        at: row.instant()?,
        workspace: row.maybe_uuid(WorkspaceId)?,
        actor: row.actor()?,
        request_id: row.text(RequestId::parse)?,
        action: row.take()?,
        target: row.take()?,
        outcome: row.word()?,
    };
    Ok((number, entry))
}

pub(crate) const OUTBOX_COLUMNS: [&str; 7] = [
    "number",
    "workspace_id",
    "at",
    "subject",
    "subject_id",
    "kind",
    "status",
];

pub(crate) fn outbox_values(workspace: WorkspaceId, at: Instant, event: Event) -> Vec<Value> {
    let (subject, id, kind, status) = match event {
        Event::Task { id, kind, status } => ("task", id.0, Some(kind.to_string()), Some(status.to_string())),
        Event::Patient { id } => ("patient", id.0, None, None),
        Event::Search { id } => ("search", as_uuid(id), None, None),
    };
    vec![
        workspace.0.into(),
        micros(at).into(),
        subject.into(),
        id.into(),
        kind.into(),
        status.into(),
    ]
}

pub(crate) fn read_outbox(result: &QueryResult) -> Result<(WorkspaceId, OutboxEntry), StoreError> {
    let mut row = Row::new("outbox", &OUTBOX_COLUMNS, result);
    let number = row.take()?;
    let workspace = row.uuid(WorkspaceId)?;
    let at = row.instant()?;
    let subject: String = row.take()?;
    let id: Uuid = row.take()?;
    let event = match subject.as_str() {
        "task" => Event::Task {
            id: TaskId(id),
            kind: row.word()?,
            status: row.word()?,
        },
        "patient" => Event::Patient { id: PatientId(id) },
        "search" => Event::Search {
            id: from_uuid(id).ok_or_else(|| corrupt("outbox", "subject_id", id))?,
        },
        other => return Err(corrupt("outbox", "subject", other)),
    };
    Ok((workspace, OutboxEntry { number, at, event }))
}

/// The column holds ids of another form: the number is in their place.
fn as_uuid(id: SearchId) -> Uuid {
    Uuid::from_u128(u128::from(id.number().unsigned_abs()))
}

fn from_uuid(id: Uuid) -> Option<SearchId> {
    SearchId::parse(i64::try_from(id.as_u128()).ok()?)
}

pub(crate) const WEBHOOK_COLUMNS: [&str; 8] = [
    "id",
    "workspace_id",
    "url",
    "types",
    "secret",
    "position",
    "created_at",
    "disabled_at",
];

pub(crate) fn webhook_values(webhook: &Webhook) -> Vec<Value> {
    vec![
        webhook.id.0.into(),
        webhook.workspace.0.into(),
        webhook.url.expose().into(),
        webhook.types.words().join(" ").into(),
        bytes(webhook.secret.0),
        webhook.position.into(),
        micros(webhook.created_at).into(),
        webhook.disabled_at.map(micros).into(),
    ]
}

pub(crate) fn read_webhook(result: &QueryResult) -> Result<Webhook, StoreError> {
    let mut row = Row::new("webhooks", &WEBHOOK_COLUMNS, result);
    Ok(Webhook {
        id: row.uuid(WebhookId)?,
        workspace: row.uuid(WorkspaceId)?,
        url: row.text(WebhookUrl::restore)?,
        types: row.text(|text| EventFilter::parse(text.split_whitespace()).ok())?,
        secret: row
            .hash()?
            .map(SigningSecret)
            .ok_or_else(|| row.nonsense("nothing"))?,
        position: row.take()?,
        created_at: row.instant()?,
        disabled_at: row.maybe_instant()?,
    })
}

pub(crate) const SEAL_COLUMNS: [&str; 5] = ["number", "upto", "entries", "hash", "sealed_at"];

pub(crate) fn seal_values(seal: &AuditSeal) -> Vec<Value> {
    vec![
        seal.number.into(),
        seal.upto.into(),
        seal.entries.into(),
        bytes(seal.hash),
        micros(seal.sealed_at).into(),
    ]
}

pub(crate) fn read_seal(result: &QueryResult) -> Result<AuditSeal, StoreError> {
    let mut row = Row::new("audit_seals", &SEAL_COLUMNS, result);
    Ok(AuditSeal {
        number: row.take()?,
        upto: row.take()?,
        entries: row.take()?,
        hash: row.hash()?.ok_or_else(|| row.nonsense("nothing"))?,
        sealed_at: row.instant()?,
    })
}
