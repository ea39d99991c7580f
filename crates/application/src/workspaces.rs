//! Workspaces: made and listed by the administrator only.

use crate::{Application, Caller, Page, UseCaseError};
use caretrack_domain::{AuditOutcome, Key, Scope, Workspace, WorkspaceId, WorkspaceOptions};
use caretrack_ports::{Admission, Changes};

impl Application {
    pub async fn add_workspace(
        &self,
        caller: &Caller,
        key: Key,
        options: WorkspaceOptions,
    ) -> Result<Workspace, UseCaseError> {
        let outcome = self.try_add_workspace(caller, key.clone(), options).await;
        self.audited(caller, "workspace.add", key.as_str(), outcome).await
    }

    async fn try_add_workspace(
        &self,
        caller: &Caller,
        key: Key,
        options: WorkspaceOptions,
    ) -> Result<Workspace, UseCaseError> {
        caller.require(Scope::OpsWrite)?;
        caller.require_administrator()?;
        let now = self.now();
        let workspace = Workspace {
            id: WorkspaceId(self.ids.id()),
            key,
            options,
            created_at: now,
        };
        let mut changes = Changes::by(caller.author(now), Admission::New);
        changes.audit("workspace.add", workspace.key.as_str(), AuditOutcome::Done);
        changes.insert_workspace(workspace.clone());
        let taken = format!("There is a workspace {} already.", workspace.key);
        self.store
            .commit(changes)
            .await
            .map_err(|error| UseCaseError::duplicate_as(error, taken))?;
        Ok(workspace)
    }

    /// By ascending key.
    pub async fn list_workspaces(
        &self,
        caller: &Caller,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page<Workspace>, UseCaseError> {
        caller.require(Scope::OpsRead)?;
        caller.require_administrator()?;
        let workspaces = self.store.list_workspaces(after, limit + 1).await?;
        Ok(Page::of(workspaces, limit))
    }
}
