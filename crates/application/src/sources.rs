//! Sources and types: reading them, and what a write may make of those that are missing.

use crate::idempotency::Conclusion;
use crate::{Application, Asker, Caller, Page, ResourceOrder, UseCaseError};
use caretrack_domain::{
    AuditOutcome, Definition, Instant, Key, Refusal, RefusalKind, Scope, Source, WorkspaceId,
};
use caretrack_ports::{Admission, Changes, StoreError};

/// The source and type that a write needs and must bring along, in its own commit.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    source: Option<Source>,
    definition: Option<Definition>,
}

impl Missing {
    pub(crate) fn add_to(self, changes: &mut Changes) {
        if let Some(source) = self.source {
            changes.ensure_source(source);
        }
        if let Some(definition) = self.definition {
            changes.ensure_definition(definition);
        }
    }
}

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

    pub async fn find_definition(
        &self,
        caller: &Caller,
        source: &Key,
        key: &Key,
    ) -> Result<Definition, UseCaseError> {
        caller.require(Scope::RegistryRead)?;
        let found = self
            .store
            .find_definition(caller.who.workspace, source, key)
            .await?;
        found.ok_or_else(|| no_type(source, key).into())
    }

    /// What `order` must bring along, or that it may not.
    pub(crate) async fn missing_for(
        &self,
        workspace: WorkspaceId,
        order: &ResourceOrder,
        now: Instant,
    ) -> Result<Result<Missing, Refusal>, StoreError> {
        let (source, of) = (&order.key.source, &order.key.of);
        let name = (workspace, source.clone(), of.clone());
        let load = async || Ok(self.store.find_definition(workspace, source, of).await?.map(drop));
        let known = self.known_types.find_or_load(&name, self.system_now(), load);
        if known.await?.is_some() {
            return Ok(Ok(Missing::default()));
        }
        let no_source_there = self.store.find_source(workspace, source).await?.is_none();
        if !order.creates() || !self.has_open_profiles(workspace).await? {
            let refusal = if no_source_there {
                no_source(source)
            } else {
                no_type(source, of)
            };
            return Ok(Err(refusal));
        }
        Ok(Ok(Missing {
            source: no_source_there.then(|| Source {
                workspace,
                key: source.clone(),
                created_at: now,
            }),
            definition: Some(Definition {
                workspace,
                source: source.clone(),
                key: of.clone(),
                open: true,
                created_at: now,
            }),
        }))
    }

    async fn has_open_profiles(&self, workspace: WorkspaceId) -> Result<bool, StoreError> {
        let own = self.workspace(workspace).await?;
        let own = own.and_then(|workspace| workspace.options.open_profiles);
        Ok(own.unwrap_or(self.settings.open_profiles))
    }
}
