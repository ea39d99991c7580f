//! Sources: made, found, listed.

use crate::idempotency::Conclusion;
use crate::{Application, Asker, Caller, Page, UseCaseError};
use caretrack_domain::{AuditOutcome, Key, Refusal, RefusalKind, Scope, Source, WorkspaceId};
use caretrack_ports::{Admission, Changes, StoreError};

pub(crate) fn no_source(source: &Key) -> Refusal {
    Refusal::new(RefusalKind::NotFound, format!("There is no source {source}."))
}

pub(crate) fn no_type(source: &Key, of: &Key) -> Refusal {
    Refusal::new(
        RefusalKind::NotFound,
        format!("There is no type {of} in the source {source}."),
    )
}

impl Application {
    /// Makes a source; `false` if it was there.
    pub async fn put_source<Q: Asker<bool>>(&self, asker: &Q, key: Key) -> Result<Q::Answer, UseCaseError> {
        asker.caller().require(Scope::RegistryAdmin)?;
        self.once(asker, self.try_put_source(asker, key)).await
    }

    async fn try_put_source<Q: Asker<bool>>(&self, asker: &Q, key: Key) -> Result<Q::Answer, UseCaseError> {
        let caller = asker.caller();
        let workspace = caller.who.workspace;
        let is_new = self.store.find_source(workspace, &key).await?.is_none();
        let now = self.now();
        let mut changes = Changes::by(caller.author(now), Admission::New);
        changes.audit("source.put", key.as_str(), AuditOutcome::Done);
        changes.ensure_source(Source {
            workspace,
            key,
            created_at: now,
        });
        self.conclude(asker, changes, Conclusion::of(is_new)).await
    }

    pub async fn find_source(&self, caller: &Caller, key: &Key) -> Result<Source, UseCaseError> {
        caller.require(Scope::RegistryRead)?;
        let found = self.store.find_source(caller.who.workspace, key).await?;
        found.ok_or_else(|| no_source(key).into())
    }

    /// By ascending key.
    pub async fn list_sources(
        &self,
        caller: &Caller,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page<Source>, UseCaseError> {
        caller.require(Scope::RegistryRead)?;
        let sources = self
            .store
            .list_sources(caller.who.workspace, after, limit + 1)
            .await?;
        Ok(Page::of(sources, limit))
    }

    pub(crate) async fn has_open_profiles(&self, workspace: WorkspaceId) -> Result<bool, StoreError> {
        let own = self.workspace(workspace).await?;
        let own = own.and_then(|workspace| workspace.options.open_profiles);
        Ok(own.unwrap_or(self.settings.open_profiles))
    }
}
