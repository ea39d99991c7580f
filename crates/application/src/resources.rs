//! Resources: written at once or later, found, listed.

use crate::definitions::Freshness;
use crate::error::until_settled;
use crate::idempotency::Conclusion;
use crate::order::no_resource;
use crate::{Application, Asker, Caller, Page, ResourceOrder, UseCaseError};
use caretrack_domain::{
    AuditOutcome, Instant, Key, Lease, LeaseToken, NewTask, RecordId, Resource, ResourceKey, Scope,
    ShapeKind, StoredResource, TaskFacts, TaskId, TaskKind, WorkspaceId, etag,
};
use caretrack_ports::{Changes, Place};

/// What a write that was done at once came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub task: TaskId,
    pub created: bool,
    /// As it is now; gone after a delete.
    pub resource: Option<Resource>,
    /// Its ETag, known once it is committed.
    pub tag: Option<String>,
}

impl Written {
    fn put_tag(&mut self, workspace: WorkspaceId, version: i64) {
        self.tag = Some(etag(workspace, version));
    }
}

impl Application {
    /// Does it before it answers. The task, its receipt and the audit entry commit with the record.
    pub async fn write_resource<Q: Asker<Written>>(
        &self,
        asker: &Q,
        order: ResourceOrder,
    ) -> Result<Q::Answer, UseCaseError> {
        asker.caller().require(Scope::RegistryWrite)?;
        let order = self.completed(order);
        // Whoever met a conflict knows that something moved.
        let mut freshness = Freshness::MayBeRecent;
        let attempt = || {
            let freshness = std::mem::replace(&mut freshness, Freshness::Now);
            self.try_write(asker, &order, freshness)
        };
        let outcome = self.once(asker, until_settled(attempt)).await;
        self.audited(asker, order.audit_action(), &order.path(), outcome)
            .await
    }

    async fn try_write<Q: Asker<Written>>(
        &self,
        asker: &Q,
        order: &ResourceOrder,
        freshness: Freshness,
    ) -> Result<Q::Answer, UseCaseError> {
        let caller = asker.caller();
        let workspace = caller.who.workspace;
        let now = self.now();
        let basis = self.basis_of(workspace, order, now, freshness).await??;
        let stored = self.store.find_resource(workspace, &order.key).await?;
        let (basis, after) = self
            .decide(workspace, order, stored.as_ref(), basis, now)
            .await??;

        let facts = self.facts(caller, order, now, now);
        let task = facts.id;
        let lease = Lease {
            token: LeaseToken(self.ids.id()),
            worker: self.worker,
            until: now,
        };
        let mut changes = Changes::by(caller.author(now), order.admission());
        basis.add_to(&mut changes, order);
        write(
            &mut changes,
            workspace,
            stored.as_ref(),
            Place::AtCommit,
            after.clone(),
        );
        changes.insert_task(NewTask::performed(facts, vec![order.operation()], lease));
        changes.audit(order.audit_action(), order.path(), AuditOutcome::Done);

        let existed = stored.is_some_and(|stored| stored.resource.is_some());
        let shows_version = after.is_some().then_some(Written::put_tag as _);
        let written = Written {
            task,
            created: after.is_some() && !existed,
            resource: after,
            tag: None,
        };
        self.conclude(asker, changes, Conclusion::versioned(written, shows_version))
            .await
    }

    /// Takes it on, to be carried out later. Whether it can be done shows then, in its receipt.
    pub async fn accept_resource<Q: Asker<TaskId>>(
        &self,
        asker: &Q,
        order: ResourceOrder,
    ) -> Result<Q::Answer, UseCaseError> {
        asker.caller().require(Scope::RegistryWrite)?;
        let order = self.completed(order);
        let (action, path) = (order.audit_action(), order.path());
        let outcome = self.once(asker, self.try_accept(asker, order)).await;
        self.audited(asker, action, &path, outcome).await
    }

    async fn try_accept<Q: Asker<TaskId>>(
        &self,
        asker: &Q,
        order: ResourceOrder,
    ) -> Result<Q::Answer, UseCaseError> {
        let caller = asker.caller();
        let workspace = caller.who.workspace;
        let now = self.now();
        // Only asked here: it is made with the record, so that a refused write leaves nothing.
        let basis = self.basis_of(workspace, &order, now, Freshness::MayBeRecent);
        basis.await??.types.check_kind()?;
        let eta = self.eta(workspace, TaskKind::RegistryWrite, now).await?;
        let facts = TaskFacts {
            ordering_key: Some(order.ordering_key()),
            ..self.facts(caller, &order, now, eta)
        };
        let task = facts.id;
        let mut changes = Changes::by(caller.author(now), order.admission());
        changes.audit(order.audit_action(), order.path(), AuditOutcome::Accepted);
        changes.insert_task(NewTask::accepted(facts, vec![order.into_waiting_operation()]));
        self.conclude(asker, changes, Conclusion::of(task)).await
    }

    /// The record, with its ETag.
    pub async fn find_resource(
        &self,
        caller: &Caller,
        key: &ResourceKey,
    ) -> Result<(Resource, String), UseCaseError> {
        caller.require(Scope::RegistryRead)?;
        let found = self.store.find_resource(caller.who.workspace, key).await?;
        let version = found.as_ref().map_or(0, |found| found.version);
        let live = found.and_then(|found| found.resource);
        live.map(|resource| (resource, etag(caller.who.workspace, version)))
            .ok_or_else(|| no_resource(key).into())
    }

    /// By ascending id.
    pub async fn list_resources(
        &self,
        caller: &Caller,
        source: &Key,
        of: &Key,
        after: Option<&RecordId>,
        limit: usize,
    ) -> Result<Page<Resource>, UseCaseError> {
        caller.require(Scope::RegistryRead)?;
        let workspace = caller.who.workspace;
        let records = self
            .store
            .list_resources(workspace, source, of, after, limit + 1)
            .await?;
        if records.is_empty() {
            let definition = self.store.find_definition(workspace, source, of).await?;
            if definition.is_none_or(|definition| definition.shape.kind() != ShapeKind::Root) {
                return Err(self.no_type_there(workspace, source, of).await?.into());
            }
        }
        let records = records.into_iter().filter_map(|record| record.resource).collect();
        Ok(Page::of(records, limit))
    }

    fn completed(&self, order: ResourceOrder) -> ResourceOrder {
        order.complete(&mut || self.ids.id().to_string())
    }

    fn facts(&self, caller: &Caller, order: &ResourceOrder, now: Instant, eta: Instant) -> TaskFacts {
        TaskFacts {
            id: TaskId(self.ids.id()),
            workspace: caller.who.workspace,
            kind: TaskKind::RegistryWrite,
            source: Some(order.key.source.clone()),
            patient: None,
            ordering_key: None,
            submitted_by: Some(caller.who.actor()),
            request_id: caller.request_id.clone(),
            trace: caller.trace,
            accepted_at: now,
            due_at: None,
            eta,
            retry_of: None,
            fingerprint: None,
        }
    }
}

/// Adds what was decided of a record to `changes`.
pub(crate) fn write(
    changes: &mut Changes,
    workspace: WorkspaceId,
    stored: Option<&StoredResource>,
    place: Place,
    after: Option<Resource>,
) {
    match (stored, after) {
        (stored, Some(after)) => changes.put_resource(workspace, stored, place, after),
        (Some(stored), None) => changes.delete_resource(workspace, stored, place),
        (None, None) => {}
    }
}
