//! All that can be read of a store, to compare two moments, or two stores.

use crate::fixture::Backend;
use crate::samples::{KIND, key};
use caretrack_domain::Event;
use caretrack_domain::{
    AuditEntry, Credential, Definition, Instant, Operation, Patient, ResourceKey, Source, StoredResource,
    Task, TaskId, Workspace, WorkspaceId,
};
use caretrack_ports::{QueueFigures, StoreError, TaskFilter};
use std::collections::BTreeMap;

const EVERYTHING: usize = 100_000;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Snapshot {
    workspaces: Vec<Workspace>,
    of: Vec<OfWorkspace>,
    expired: Vec<TaskId>,
}

#[derive(Debug, Clone, PartialEq)]
struct OfWorkspace {
    tasks: Vec<(Task, Vec<Operation>)>,
    records: Vec<Option<StoredResource>>,
    live: Vec<StoredResource>,
    sources: Vec<Source>,
    definition: Option<Definition>,
    credentials: Vec<Credential>,
    patients: Vec<Patient>,
    figures: Vec<QueueFigures>,
    ahead: u64,
    per_second: f64,
    audit: Vec<AuditEntry>,
    events: Vec<(Instant, Event)>,
}

/// What the given workspaces hold, the records of `keys` included.
pub(crate) async fn snapshot(
    store: &dyn Backend,
    workspaces: &[WorkspaceId],
    keys: &[ResourceKey],
    now: Instant,
) -> Result<Snapshot, StoreError> {
    let mut of = Vec::new();
    for workspace in workspaces {
        of.push(of_workspace(store, *workspace, keys, now).await?);
    }
    let expired = store.expired_tasks(now, EVERYTHING).await?;
    let mut expired: Vec<_> = expired.iter().map(Task::id).collect();
    // Nothing is promised of their order.
    expired.sort_unstable();
    Ok(Snapshot {
        workspaces: store.list_workspaces(None, EVERYTHING).await?,
        of,
        expired,
    })
}

async fn of_workspace(
    store: &dyn Backend,
    workspace: WorkspaceId,
    keys: &[ResourceKey],
    now: Instant,
) -> Result<OfWorkspace, StoreError> {
    let mut tasks = Vec::new();
    for task in store
        .list_tasks(workspace, TaskFilter::default(), EVERYTHING)
        .await?
    {
        let operations = store.operations(workspace, task.id(), 0, EVERYTHING).await?;
        tasks.push((task, operations));
    }
    let mut records = Vec::new();
    for key in keys {
        records.push(store.find_resource(workspace, key).await?);
    }
    let (source, of) = (key("northclinic"), key("patient"));
    let live = store.list_resources(workspace, &source, &of, None, EVERYTHING);
    let load = store.queue_load(workspace, KIND, now).await?;
    let audit = store.list_audit(Some(workspace), None, EVERYTHING).await?;
    let events = store.list_events(workspace, 0, i64::MAX, EVERYTHING).await?;
    Ok(OfWorkspace {
        tasks,
        records,
        live: live.await?,
        sources: store.list_sources(workspace, None, EVERYTHING).await?,
        definition: store.find_definition(workspace, &source, &of).await?,
        credentials: store.list_credentials(workspace, None, EVERYTHING).await?,
        patients: store.list_patients(workspace, None, EVERYTHING).await?,
        figures: store.queue_figures(workspace, now).await?,
        ahead: load.ahead,
        per_second: load.per_second,
        audit: audit.into_iter().map(|(_, entry)| entry).collect(),
        events: events.into_iter().map(|entry| (entry.at, entry.event)).collect(),
    })
}

impl Snapshot {
    /// Equality that shows where it ends: the whole is too long to read.
    pub(crate) fn assert_is(&self, other: &Self, what: &str) {
        assert_eq!(self.workspaces, other.workspaces, "{what}");
        for (a, b) in self.of.iter().zip(&other.of) {
            for (a, b) in a.tasks.iter().zip(&b.tasks) {
                assert_eq!(a, b, "{what}");
            }
            assert_eq!(a.records, b.records, "{what}");
            assert_eq!(a.figures, b.figures, "{what}");
            for (a, b) in a.events.iter().zip(&b.events) {
                assert_eq!(a, b, "{what}");
            }
        }
        assert!(self == other, "{what}: {self:?} is not {other:?}");
    }

    /// Versions and places as ranks: stores may skip numbers, but not give them out in another order.
    pub(crate) fn ranked(mut self) -> Self {
        let mut ranks = BTreeMap::new();
        self.each_number(&mut |number| {
            ranks.insert(*number, 0);
        });
        for (rank, slot) in (1..).zip(ranks.values_mut()) {
            *slot = rank;
        }
        self.each_number(&mut |number| *number = ranks[number]);
        self
    }

    fn each_number(&mut self, visit: &mut dyn FnMut(&mut i64)) {
        for of in &mut self.of {
            for (task, _) in &mut of.tasks {
                let mut place = task.place();
                visit(&mut place);
                *task = Task::restore(
                    task.facts().clone(),
                    place,
                    task.revision(),
                    task.tally(),
                    task.attempts().to_vec(),
                    task.state().clone(),
                );
            }
            for record in of.records.iter_mut().flatten().chain(&mut of.live) {
                visit(&mut record.version);
                visit(&mut record.place);
            }
        }
    }
}
