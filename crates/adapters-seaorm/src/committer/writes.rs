//! What a batch writes: the sheets of the changes that passed, put together and numbered.

use super::batch::{Known, Tx};
use super::fences::Fences;
use super::lanes::Lanes;
use super::registrations;
use super::sheet::{Settled, Sheet};
use super::tables::{Table, Tables};
use crate::error::BatchError;
use crate::offers::Starting;
use crate::rows::{idempotency, micros, resource, task};
use caretrack_domain::{Instant, TaskId, TaskKind, WorkspaceId};
use caretrack_ports::{Parts, Pause, Place};
use sea_orm::Value;
use std::collections::BTreeMap;
use time::Duration;

#[derive(Default)]
pub(super) struct Writes {
    tables: Tables,
    /// The last receipt of each, should one get two.
    operations: BTreeMap<(TaskId, u32), Vec<Value>>,
    settled: Vec<Settled>,
    revoked: Vec<(WorkspaceId, uuid::Uuid, Instant)>,
    pauses: Vec<Pause>,
    queues: Vec<(WorkspaceId, TaskKind)>,
    clock_step: Duration,
    registrations: registrations::Writes,
    /// Whether something can be claimed now, or later.
    pub ready: bool,
}

impl Writes {
    /// Adds the rows of changes that passed their fences; their numbers start at `first`.
    pub fn add(
        &mut self,
        parts: &Parts,
        sheet: Sheet,
        first: i64,
        lanes: &mut Lanes,
        fences: &Fences,
        starting: &mut Starting,
    ) {
        if let Some(record) = &parts.idempotency {
            self.tables
                .push(Table::Idempotency, idempotency::values(record, first));
        }
        let mut numbers = first..;
        let mut number = || numbers.next().unwrap_or(i64::MAX);
        for (write, mut row) in parts.resources.iter().zip(sheet.resources) {
            let version = number();
            let place = match write.place {
                Place::AtCommit => version,
                Place::Accepted(place) => place,
            };
            resource::number(&mut row, version, place);
            let table = if write.expected.is_none() {
                Table::NewResources
            } else {
                Table::Resources
            };
            self.tables.push(table, row);
        }
        for (new, mut row) in parts.new_tasks.iter().zip(sheet.new_tasks) {
            let task = new.task();
            let blocked = lanes.enter(task);
            let place = number();
            if blocked {
                task::number(&mut row, place, blocked);
            } else if let Some(started) = starting.start(new, place) {
                row = task::values(&started);
                task::number(&mut row, place, blocked);
            } else {
                self.ready |= task.claimable_at().is_some();
                task::number(&mut row, place, blocked);
            }
            self.tables.push(Table::NewTasks, row);
            self.queues.push((task.facts().workspace, task.facts().kind));
        }
        for (transition, mut row) in parts.transitions.iter().zip(sheet.transitions) {
            let task = transition.task();
            let blocked = lanes.moved(transition, fences.is_blocked(task.id()));
            self.ready |= !blocked && task.claimable_at().is_some();
            if task.status().is_terminal() {
                self.tables.push(Table::EndedTasks, row);
            } else {
                task::number(&mut row, task.place(), blocked);
                self.tables.push(Table::Tasks, row);
            }
        }
        self.registrations
            .add(parts, sheet.dropped_results, &fences.donor_searches);
        for (write, row) in parts.registrations.iter().zip(sheet.registrations) {
            let table = if write.expected.is_none() {
                Table::NewRegistrations
            } else {
                Table::Registrations
            };
            self.tables.push(table, row);
        }
        for (write, row) in parts.searches.iter().zip(sheet.searches) {
            let table = if write.expected.is_none() {
                Table::NewSearches
            } else {
                Table::Searches
            };
            self.tables.push(table, row);
        }
        for (write, row) in parts.patients.iter().zip(sheet.patients) {
            let table = if write.expected.is_none() {
                Table::NewPatients
            } else {
                Table::Patients
            };
            self.tables.push(table, row);
        }
        for (table, rows) in [
            (Table::Workspaces, sheet.workspaces),
            (Table::Credentials, sheet.credentials),
            (Table::Sources, sheet.sources),
            (Table::Definitions, sheet.definitions),
            (Table::NewOperations, sheet.new_operations),
            (Table::WmdaIds, sheet.wmda_ids),
            (Table::StatusEntries, sheet.status_entries),
            (Table::Results, sheet.results),
            (Table::MarkedResults, sheet.marked_results),
            (Table::Outbox, sheet.outbox),
            (Table::Audit, sheet.audit),
        ] {
            self.tables.extend(table, rows);
        }
        self.operations.extend(sheet.operations);
        self.settled.extend(sheet.settled);
        self.revoked.extend(sheet.revoked);
        self.pauses.extend(&parts.pauses);
        self.clock_step += parts.clock_step;
    }

    /// Writes it all; says whether there may be something to claim now.
    pub async fn write(mut self, tx: &Tx<'_>, known: &mut Known) -> Result<bool, BatchError> {
        for (workspace, kind) in self.queues.drain(..) {
            if known.queues.insert((workspace, kind)) {
                let sql = tx
                    .sql("INSERT INTO queues (workspace_id, kind, paused) VALUES (")
                    .list([Value::from(workspace.0), kind.to_string().into(), false.into()])
                    .push(") ON CONFLICT DO NOTHING");
                tx.execute(sql).await?;
            }
        }
        self.registrations.remove(tx).await?;
        let operations = std::mem::take(&mut self.operations).into_values();
        self.tables.extend(Table::Operations, operations);
        std::mem::take(&mut self.tables)
            .write(tx, &mut known.texts)
            .await?;
        std::mem::take(&mut self.registrations).write(tx).await?;
        self.settle_remaining(tx).await?;
        self.revoke(tx).await?;
        if !self.clock_step.is_zero() {
            super::clock::advance(tx, self.clock_step).await?;
        }
        Ok(self.pause(tx).await? || self.ready)
    }

    async fn settle_remaining(&mut self, tx: &Tx<'_>) -> Result<(), BatchError> {
        for settled in self.settled.drain(..) {
            let sql = tx
                .sql("UPDATE operations SET receipt = ")
                .bind(settled.receipt.to_string())
                .push(", completed_at = ")
                .bind(settled.completed_at)
                .push(if settled.keep_payloads {
                    ""
                } else {
                    ", payload = NULL"
                })
                .push(" WHERE task_id = ")
                .bind(settled.task.0)
                .push(" AND receipt = 'pending'");
            tx.execute(sql).await?;
        }
        Ok(())
    }

    async fn revoke(&mut self, tx: &Tx<'_>) -> Result<(), BatchError> {
        for (workspace, id, at) in self.revoked.drain(..) {
            let sql = tx
                .sql("UPDATE credentials SET revoked_at = ")
                .bind(micros(at))
                .push(" WHERE id = ")
                .bind(id)
                .push(" AND workspace_id = ")
                .bind(workspace.0)
                .push(" AND revoked_at IS NULL");
            tx.execute(sql).await?;
        }
        Ok(())
    }

    async fn pause(&mut self, tx: &Tx<'_>) -> Result<bool, BatchError> {
        let mut resumed = false;
        for pause in self.pauses.drain(..) {
            resumed |= !pause.paused;
            let sql = tx
                .sql("INSERT INTO queues (workspace_id, kind, paused) VALUES (")
                .list([
                    Value::from(pause.workspace.0),
                    pause.kind.to_string().into(),
                    pause.paused.into(),
                ])
                .push(") ON CONFLICT (workspace_id, kind) DO UPDATE SET paused = excluded.paused");
            tx.execute(sql).await?;
        }
        Ok(resumed)
    }
}
