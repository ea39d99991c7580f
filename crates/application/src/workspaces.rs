//! Workspaces: made and listed by the administrator only.

use crate::idempotency::Conclusion;
use crate::{Application, Asker, Caller, Page, UseCaseError};
use caretrack_domain::{AuditOutcome, Key, Scope, Workspace, WorkspaceId, WorkspaceOptions};
use caretrack_ports::{Admission, Changes, StoreError};
use std::sync::Arc;

impl Application {
    pub async fn add_workspace<Q: Asker<Workspace>>(
        &self,
        asker: &Q,
        key: Key,
        options: WorkspaceOptions,
    ) -> Result<Q::Answer, UseCaseError> {
        let outcome = async {
            asker.caller().require(Scope::OpsWrite)?;
            asker.caller().require_administrator()?;
            self.once(asker, self.try_add_workspace(asker, key.clone(), options))
                .await
        };
        self.audited(asker, "workspace.add", key.as_str(), outcome.await)
            .await
    }

    async fn try_add_workspace<Q: Asker<Workspace>>(
        &self,
        asker: &Q,
        key: Key,
        options: WorkspaceOptions,
    ) -> Result<Q::Answer, UseCaseError> {
        let caller = asker.caller();
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
        self.conclude(asker, changes, Conclusion::of(workspace))
            .await
            .map_err(|error| error.duplicate_as(taken))
    }

    /// A workspace with its options, which may be a second old.
    pub(crate) async fn workspace(&self, id: WorkspaceId) -> Result<Option<Arc<Workspace>>, StoreError> {
        let load = async || Ok(self.store.find_workspace(id).await?.map(Arc::new));
        let now = self.system_now();
        self.workspaces.find_or_load(&id, now, load).await
    }

    /// The caller's own.
    pub async fn own_workspace(&self, caller: &Caller) -> Result<Arc<Workspace>, UseCaseError> {
        let found = self.workspace(caller.who.workspace).await?;
        found.ok_or_else(|| UseCaseError::not_found("There is no such workspace."))
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
