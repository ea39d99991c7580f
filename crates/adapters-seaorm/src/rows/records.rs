//! Workspaces, credentials, patients, audit entries, outbox entries.

use super::{Row, bytes, credential_of, json, micros, subject_of};
use crate::error::corrupt;
use caretrack_domain::{
    AuditEntry, Credential, CredentialId, CredentialKind, Instant, Key, LocalPatientId, PasswordHash,
    Patient, PatientId, RequestId, Scopes, SecretHash, StoredSecret, TaskId, WmdaId, Workspace, WorkspaceId,
};
use caretrack_ports::{Event, OutboxEntry, StoreError};
use sea_orm::{QueryResult, Value};
use uuid::Uuid;

pub(crate) const WORKSPACE_COLUMNS: [&str; 4] = ["id", "key", "options", "created_at"];

pub(crate) fn workspace_values(workspace: &Workspace) -> Vec<Value> {
    vec![
        workspace.id.0.into(),
        workspace.key.as_str().into(),
        json(&workspace.options).into(),
        micros(workspace.created_at).into(),
    ]
}

pub(crate) fn read_workspace(result: &QueryResult) -> Result<Workspace, StoreError> {
    let mut row = Row::new("workspaces", &WORKSPACE_COLUMNS, result);
    Ok(Workspace {
        id: row.uuid(WorkspaceId)?,
        key: row.text(|text| Key::parse(text).ok())?,
        options: row.text(|text| serde_json::from_str(text).ok())?,
        created_at: row.instant()?,
    })
}

pub(crate) const CREDENTIAL_COLUMNS: [&str; 10] = [
    "id",
    "workspace_id",
    "name",
    "scopes",
    "kind",
    "secret_hash",
    "password_hash",
    "administrator",
    "created_at",
    "revoked_at",
];

/// What fills the column of hashes for a client, whose password is kept otherwise: unique, and no secret's hash
/// that anyone could find.
fn no_secret(id: CredentialId) -> SecretHash {
    let mut filler = [0; 32];
    filler[..16].copy_from_slice(id.0.as_bytes());
    SecretHash(filler)
}

pub(crate) fn credential_values(credential: &Credential) -> Vec<Value> {
    let (hash, password) = match &credential.secret {
        StoredSecret::ApiKey(hash) | StoredSecret::PartnerKey(hash) => (*hash, None),
        StoredSecret::Client(password) => (no_secret(credential.id), Some(password.0.clone())),
    };
    vec![
        credential.id.0.into(),
        credential.workspace.0.into(),
        credential.name.clone().into(),
        credential.scopes.words().collect::<Vec<_>>().join(" ").into(),
        credential.kind().to_string().into(),
        bytes(hash.0),
        password.into(),
        credential.administrator.into(),
        micros(credential.created_at).into(),
        credential.revoked_at.map(micros).into(),
    ]
}

pub(crate) fn read_credential(result: &QueryResult) -> Result<Credential, StoreError> {
    let mut row = Row::new("credentials", &CREDENTIAL_COLUMNS, result);
    Ok(Credential {
        id: row.uuid(CredentialId)?,
        workspace: row.uuid(WorkspaceId)?,
        name: row.take()?,
        scopes: row.text(|text| Scopes::parse(text.split_whitespace()).ok())?,
        secret: {
            let kind: CredentialKind = row.word()?;
            let hash = row.hash()?.map(SecretHash);
            let password = row.take::<Option<String>>()?.map(PasswordHash);
            match (kind, hash, password) {
                (CredentialKind::ApiKey, Some(hash), None) => StoredSecret::ApiKey(hash),
                (CredentialKind::PartnerKey, Some(hash), None) => StoredSecret::PartnerKey(hash),
                (CredentialKind::Client, _, Some(password)) => StoredSecret::Client(password),
                (kind, ..) => return Err(row.nonsense((kind, "without what belongs to it"))),
            }
        },
        administrator: row.take()?,
        created_at: row.instant()?,
        revoked_at: row.maybe_instant()?,
    })
}

pub(crate) const PATIENT_COLUMNS: [&str; 7] = [
    "id",
    "workspace_id",
    "wmda_id",
    "local_id",
    "active",
    "created_at",
    "revision",
];

pub(crate) fn patient_values(patient: &Patient) -> Vec<Value> {
    vec![
        patient.id.0.into(),
        patient.workspace.0.into(),
        patient.wmda_id.number().into(),
        patient.local_id.as_ref().map(|id| id.expose().to_owned()).into(),
        patient.active.into(),
        micros(patient.created_at).into(),
        patient.revision.into(),
    ]
}

pub(crate) fn read_patient(result: &QueryResult) -> Result<Patient, StoreError> {
    let mut row = Row::new("patients", &PATIENT_COLUMNS, result);
    Ok(Patient {
        id: row.uuid(PatientId)?,
        workspace: row.uuid(WorkspaceId)?,
        wmda_id: {
            let number = row.take()?;
            WmdaId::parse(number).ok_or_else(|| row.nonsense(number))?
        },
        local_id: row.maybe_text(LocalPatientId::parse)?,
        active: row.take()?,
        created_at: row.instant()?,
        revision: row.take()?,
    })
}

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

pub(crate) fn read_outbox(result: &QueryResult) -> Result<OutboxEntry, StoreError> {
    let mut row = Row::new("outbox", &OUTBOX_COLUMNS, result);
    let number = row.take()?;
    let _workspace: Uuid = row.take()?;
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
        other => return Err(corrupt("outbox", "subject", other)),
    };
    Ok(OutboxEntry { number, at, event })
}
