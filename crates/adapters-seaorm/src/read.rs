//! The repositories: what was committed, as domain values.

use crate::SeaStore;
use crate::coalescer::Lookup;
use crate::engine::Engine;
use crate::rows::{bytes, idempotency, records, resource, task};
use crate::sql::{Sql, runs};
use async_trait::async_trait;
use caretrack_domain::{
    Credential, CredentialId, Definition, IdempotencyKey, Key, Patient, PatientId, RecordId, ResourceKey,
    SecretHash, Source, StoredResource, Task, TaskId, Workspace, WorkspaceId,
};
use caretrack_ports::{
    CredentialRepository, IdempotencyRepository, PatientRef, PatientRepository, RegistrationRepository,
    Remembered, ResourceRepository, StoreError, WorkspaceRepository,
};
use sea_orm::DbBackend;
use std::collections::HashMap;

mod clock;
mod registrations;
mod tasks;
mod told;

/// Tasks by id.
pub(crate) struct Tasks;

impl Lookup for Tasks {
    type Key = TaskId;
    type Value = Task;

    async fn load(db: &Engine, keys: &[TaskId]) -> Result<HashMap<TaskId, Task>, StoreError> {
        let mut found = HashMap::with_capacity(keys.len());
        for run in runs(keys) {
            let sql = select(db.backend(), &task::COLUMNS, "tasks WHERE id IN (")
                .list(run.iter().map(|id| id.0))
                .push(")");
            for row in db.query(sql.statement()).await? {
                let task = task::decode((&row).into())?;
                found.insert(task.id(), task);
            }
        }
        Ok(found)
    }
}

/// Resources by key.
pub(crate) struct Resources;

impl Lookup for Resources {
    type Key = (WorkspaceId, ResourceKey);
    type Value = StoredResource;

    async fn load(db: &Engine, keys: &[Self::Key]) -> Result<HashMap<Self::Key, StoredResource>, StoreError> {
        let mut found = HashMap::with_capacity(keys.len());
        for run in runs(keys) {
            let columns = resource::COLUMNS.map(|column| format!("r.{column}")).join(", ");
            let sql = Sql::new(db.backend(), "WITH ")
                .push(resource::WANTED)
                .tuples(
                    run.iter()
                        .map(|(workspace, key)| resource::key_values(*workspace, key)),
                )
                .push(&format!(") SELECT {columns} "))
                .push(resource::FROM_WANTED);
            for row in db.query(sql.statement()).await? {
                let (workspace, stored) = resource::decode((&row).into())?;
                found.insert((workspace, stored.key.clone()), stored);
            }
        }
        Ok(found)
    }
}

pub(crate) fn select(backend: DbBackend, columns: &[&str], from: &str) -> Sql {
    let text = format!("SELECT {} FROM {from}", columns.join(", "));
    Sql::new(backend, &text)
}

impl SeaStore {
    pub(crate) fn select(&self, columns: &[&str], from: &str) -> Sql {
        select(self.readers.get_database_backend(), columns, from)
    }
}

/// `LIMIT`, as the engines count.
pub(crate) fn limited(sql: Sql, limit: usize) -> Sql {
    sql.push(" LIMIT ").bind(i64::try_from(limit).unwrap_or(i64::MAX))
}

#[async_trait]
impl ResourceRepository for SeaStore {
    async fn find_resource(
        &self,
        workspace: WorkspaceId,
        key: &ResourceKey,
    ) -> Result<Option<StoredResource>, StoreError> {
        self.resources.find((workspace, key.clone())).await
    }

    async fn list_resources(
        &self,
        workspace: WorkspaceId,
        source: &Key,
        of: &Key,
        after: Option<&RecordId>,
        limit: usize,
    ) -> Result<Vec<StoredResource>, StoreError> {
        let sql = self
            .select(&resource::COLUMNS, "resources WHERE workspace_id = ")
            .bind(workspace.0)
            .push(" AND source = ")
            .bind(source.as_str())
            .push(" AND type = ")
            .bind(of.as_str())
            .push(" AND id > ")
            .bind(after.map_or("", RecordId::as_str))
            .push(" AND data IS NOT NULL ORDER BY id");
        self.read_all(limited(sql, limit), |row| Ok(resource::read(row)?.1))
            .await
    }

    async fn find_source(&self, workspace: WorkspaceId, key: &Key) -> Result<Option<Source>, StoreError> {
        let sql = self
            .select(&resource::SOURCE_COLUMNS, "sources WHERE workspace_id = ")
            .bind(workspace.0)
            .push(" AND key = ")
            .bind(key.as_str());
        self.read_one(sql, resource::read_source).await
    }

    async fn list_sources(
        &self,
        workspace: WorkspaceId,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Source>, StoreError> {
        let sql = self
            .select(&resource::SOURCE_COLUMNS, "sources WHERE workspace_id = ")
            .bind(workspace.0)
            .push(" AND key > ")
            .bind(after.map_or("", Key::as_str))
            .push(" ORDER BY key");
        self.read_all(limited(sql, limit), resource::read_source).await
    }

    async fn find_definition(
        &self,
        workspace: WorkspaceId,
        source: &Key,
        key: &Key,
    ) -> Result<Option<Definition>, StoreError> {
        let sql = self
            .select(&resource::DEFINITION_COLUMNS, "definitions WHERE workspace_id = ")
            .bind(workspace.0)
            .push(" AND source = ")
            .bind(source.as_str())
            .push(" AND key = ")
            .bind(key.as_str());
        self.read_one(sql, resource::read_definition).await
    }
}

#[async_trait]
impl WorkspaceRepository for SeaStore {
    async fn find_workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>, StoreError> {
        let sql = self
            .select(&records::WORKSPACE_COLUMNS, "workspaces WHERE id = ")
            .bind(id.0);
        self.read_one(sql, records::read_workspace).await
    }

    async fn find_workspace_by_key(&self, key: &Key) -> Result<Option<Workspace>, StoreError> {
        let sql = self
            .select(&records::WORKSPACE_COLUMNS, "workspaces WHERE key = ")
            .bind(key.as_str());
        self.read_one(sql, records::read_workspace).await
    }

    async fn list_workspaces(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Workspace>, StoreError> {
        let sql = self
            .select(&records::WORKSPACE_COLUMNS, "workspaces WHERE key > ")
            .bind(after.map_or("", Key::as_str))
            .push(" ORDER BY key");
        self.read_all(limited(sql, limit), records::read_workspace).await
    }
}

#[async_trait]
impl CredentialRepository for SeaStore {
    async fn find_credential_by_secret(&self, secret: &SecretHash) -> Result<Option<Credential>, StoreError> {
        let sql = self
            .select(&records::CREDENTIAL_COLUMNS, "credentials WHERE secret_hash = ")
            .bind(bytes(secret.0));
        self.read_one(sql, records::read_credential).await
    }

    async fn find_client(&self, id: CredentialId) -> Result<Option<Credential>, StoreError> {
        let sql = self
            .select(
                &records::CREDENTIAL_COLUMNS,
                "credentials WHERE kind = 'client' AND id = ",
            )
            .bind(id.0);
        self.read_one(sql, records::read_credential).await
    }

    async fn find_credential(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
    ) -> Result<Option<Credential>, StoreError> {
        let sql = self
            .select(&records::CREDENTIAL_COLUMNS, "credentials WHERE id = ")
            .bind(id.0)
            .push(" AND workspace_id = ")
            .bind(workspace.0);
        self.read_one(sql, records::read_credential).await
    }

    async fn list_credentials(
        &self,
        workspace: WorkspaceId,
        after: Option<CredentialId>,
        limit: usize,
    ) -> Result<Vec<Credential>, StoreError> {
        let sql = self
            .select(&records::CREDENTIAL_COLUMNS, "credentials WHERE workspace_id = ")
            .bind(workspace.0)
            .push(" AND id > ")
            .bind(after.map_or(uuid::Uuid::nil(), |id| id.0))
            .push(" ORDER BY id");
        self.read_all(limited(sql, limit), records::read_credential).await
    }
}

#[async_trait]
impl PatientRepository for SeaStore {
    async fn find_patient(
        &self,
        workspace: WorkspaceId,
        by: PatientRef,
    ) -> Result<Option<Patient>, StoreError> {
        let sql = self
            .select(&records::PATIENT_COLUMNS, "patients WHERE workspace_id = ")
            .bind(workspace.0);
        let sql = match by {
            PatientRef::Id(id) => sql.push(" AND id = ").bind(id.0),
            // Numbers of registrations go before a person's own: after an anonymisation the person may be another.
            PatientRef::Wmda(wmda_id) => match self.find_registration(workspace, wmda_id).await? {
                Some(registration) => sql.push(" AND id = ").bind(registration.patient.0),
                None => sql.push(" AND wmda_id = ").bind(wmda_id.number()),
            },
        };
        self.read_one(sql, records::read_patient).await
    }

    async fn list_patients(
        &self,
        workspace: WorkspaceId,
        after: Option<PatientId>,
        limit: usize,
    ) -> Result<Vec<Patient>, StoreError> {
        let sql = self
            .select(&records::PATIENT_COLUMNS, "patients WHERE workspace_id = ")
            .bind(workspace.0)
            .push(" AND id > ")
            .bind(after.map_or(uuid::Uuid::nil(), |id| id.0))
            .push(" ORDER BY id");
        self.read_all(limited(sql, limit), records::read_patient).await
    }
}

#[async_trait]
impl IdempotencyRepository for SeaStore {
    async fn find_remembered(
        &self,
        workspace: WorkspaceId,
        key: &IdempotencyKey,
    ) -> Result<Option<Remembered>, StoreError> {
        let sql = self
            .select(idempotency::REMEMBERED, "idempotency WHERE workspace_id = ")
            .bind(workspace.0)
            .push(" AND key = ")
            .bind(key.as_str());
        self.read_one(sql, idempotency::read).await
    }
}
