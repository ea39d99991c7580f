//! Workspaces, credentials, patients.

use super::{Row, bytes, json, micros};
use caretrack_domain::{
    Credential, CredentialId, CredentialKind, Key, LocalPatientId, PasswordHash, Patient, PatientId, Scopes,
    SecretHash, StoredSecret, WmdaId, Workspace, WorkspaceId,
};
use caretrack_ports::StoreError;
use sea_orm::{QueryResult, Value};

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

pub(crate) const PATIENT_COLUMNS: [&str; 8] = [
    "id",
    "workspace_id",
    "wmda_id",
    "local_id",
    "active",
    "known_elsewhere",
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
        patient.known_elsewhere.into(),
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
        known_elsewhere: row.take()?,
        created_at: row.instant()?,
        revision: row.take()?,
    })
}
