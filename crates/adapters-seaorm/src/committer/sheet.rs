//! The rows of one `Changes`, made by the task that asks for the commit: they are not on the committing task's
//! time. What only the batch can tell, numbers and what is blocked, is filled in there.

use crate::rows::registrations::{self, ResultRow};
use crate::rows::{micros, records, resource, task, told};
use caretrack_domain::{
    Instant, Operation, Receipt, ReceiptStatus, ResultChange, TaskEffect, TaskId, WorkspaceId,
};
use caretrack_ports::{NewCredential, Parts, ResultsWrite};
use sea_orm::Value;
use std::collections::BTreeSet;

pub(super) type Rows = Vec<Vec<Value>>;

#[derive(Default)]
pub(crate) struct Sheet {
    /// As many as there are writes, in their order, without their numbers.
    pub resources: Rows,
    /// As many as there are new tasks, in their order, without their places.
    pub new_tasks: Rows,
    /// As many as there are transitions, in their order.
    pub transitions: Rows,
    pub new_operations: Rows,
    pub operations: Vec<((TaskId, u32), Vec<Value>)>,
    pub settled: Vec<Settled>,
    pub sources: Rows,
    pub definitions: Rows,
    pub workspaces: Rows,
    pub credentials: Rows,
    pub revoked: Vec<(WorkspaceId, uuid::Uuid, Instant)>,
    /// As many as there are writes, in their order.
    pub patients: Rows,
    /// Every number that is given for the first time.
    pub wmda_ids: Rows,
    /// As many as there are writes, in their order.
    pub registrations: Rows,
    pub status_entries: Rows,
    /// As many as there are writes, in their order.
    pub searches: Rows,
    pub results: Rows,
    pub marked_results: Rows,
    pub dropped_results: Rows,
    pub outbox: Rows,
    pub audit: Rows,
}

/// What becomes of the operations of a task that have no receipt yet.
pub(crate) struct Settled {
    pub task: TaskId,
    pub receipt: ReceiptStatus,
    pub completed_at: Option<i64>,
    pub keep_payloads: bool,
}

impl Sheet {
    pub fn of(parts: &Parts) -> Self {
        let mut sheet = Self {
            resources: parts.resources.iter().map(resource::values).collect(),
            sources: parts.sources.iter().map(resource::source_values).collect(),
            definitions: parts
                .definitions
                .iter()
                .map(resource::definition_values)
                .collect(),
            workspaces: parts.workspaces.iter().map(records::workspace_values).collect(),
            patients: parts
                .patients
                .iter()
                .map(|write| records::patient_values(&write.after))
                .collect(),
            wmda_ids: numbers(parts),
            registrations: (parts.registrations.iter())
                .map(|write| registrations::values(&write.after))
                .collect(),
            status_entries: (parts.status_entries.iter())
                .map(registrations::entry_values)
                .collect(),
            searches: (parts.searches.iter())
                .map(|write| registrations::search_values(&write.after))
                .collect(),
            outbox: parts
                .events
                .iter()
                .map(|(workspace, at, event)| told::outbox_values(*workspace, *at, *event))
                .collect(),
            audit: parts.audit.iter().map(told::audit_values).collect(),
            ..Self::default()
        };
        for new in &parts.new_tasks {
            let id = new.task().id();
            sheet.new_tasks.push(task::values(new.task()));
            sheet.new_operations.extend(
                new.operations()
                    .iter()
                    .map(|operation| task::operation_values(id, operation)),
            );
        }
        for transition in &parts.transitions {
            let task = transition.task();
            sheet.transitions.push(if task.status().is_terminal() {
                task::ending_values(task)
            } else {
                task::values(task)
            });
            if let Some(TaskEffect::SettleRemaining {
                receipt,
                keep_payloads,
            }) = transition.effect()
            {
                sheet
                    .settled
                    .push(Settled::new(task.id(), receipt, *keep_payloads));
            }
        }
        for (id, operation) in &parts.receipts {
            sheet.settle(parts, *id, operation);
        }
        for write in &parts.searches {
            if let ResultsWrite::Change(changes) = &write.results {
                sheet.change_results(changes);
            }
        }
        for credential in &parts.credentials {
            match credential {
                NewCredential::Added(credential) => {
                    sheet.credentials.push(records::credential_values(credential));
                }
                NewCredential::Revoked { workspace, id, at } => sheet.revoked.push((*workspace, id.0, *at)),
            }
        }
        sheet
    }

    fn change_results(&mut self, changes: &[ResultChange]) {
        for change in changes {
            match registrations::result_row(change) {
                ResultRow::Put(row) => self.results.push(row),
                ResultRow::Mark(row) => self.marked_results.push(row),
                ResultRow::Drop(row) => self.dropped_results.push(row),
            }
        }
    }

    /// A receipt replaces the operation's row; the row of a new task's is not there yet.
    fn settle(&mut self, parts: &Parts, id: TaskId, operation: &Operation) {
        let row = task::operation_values(id, operation);
        let mut new = parts.new_tasks.iter().flat_map(|new| {
            new.operations()
                .iter()
                .map(|operation| (new.task().id(), operation.seq))
        });
        match new.position(|key| key == (id, operation.seq)) {
            Some(n) => self.new_operations[n] = row,
            None => self.operations.push(((id, operation.seq), row)),
        }
    }
}

fn numbers(parts: &Parts) -> Rows {
    let patients = parts.patients.iter().filter(|write| write.expected.is_none());
    let patients = patients.map(|write| write.after.wmda_id);
    let mut numbers: BTreeSet<_> = patients.collect();
    for write in &parts.registrations {
        // A person made for a registration has its number, which may have been given before.
        if write.expected.is_none() {
            numbers.insert(write.after.wmda_id);
        } else {
            numbers.remove(&write.after.wmda_id);
        }
    }
    let rows = numbers.into_iter().map(|number| vec![number.number().into()]);
    rows.collect()
}

impl Settled {
    fn new(task: TaskId, receipt: &Receipt, keep_payloads: bool) -> Self {
        Self {
            task,
            receipt: ReceiptStatus::from(receipt),
            completed_at: receipt.completed_at().map(micros),
            keep_payloads,
        }
    }
}
