//! The rows of a batch, table by table.

use super::batch::Tx;
use super::fences::Fences;
use super::lanes::Lanes;
use crate::error::BatchError;
use crate::rows::{micros, records, resource, task};
use crate::sql::lengths;
use caretrack_domain::{Instant, Receipt, ReceiptStatus, TaskEffect, TaskId, TaskKind, WorkspaceId};
use caretrack_ports::{NewCredential, Parts, Pause, Place};
use sea_orm::Value;
use std::collections::{BTreeMap, HashSet};
use std::mem::take;
use time::Duration;

type Rows = Vec<Vec<Value>>;

/// What a batch writes.
#[derive(Default)]
pub(super) struct Writes {
    new_tasks: Rows,
    tasks: Rows,
    ended_tasks: Rows,
    new_operations: Rows,
    /// The last receipt of each, should one get two.
    operations: BTreeMap<(TaskId, u32), Vec<Value>>,
    settled: Vec<(TaskId, Receipt, bool)>,
    new_resources: Rows,
    resources: Rows,
    sources: Rows,
    definitions: Rows,
    workspaces: Rows,
    credentials: Rows,
    revoked: Vec<(WorkspaceId, uuid::Uuid, Instant)>,
    new_patients: Rows,
    patients: Rows,
    pauses: Vec<Pause>,
    queues: Vec<(WorkspaceId, TaskKind)>,
    clock_step: Duration,
    outbox: Rows,
    audit: Rows,
    /// Whether something can be claimed now, or later.
    pub ready: bool,
}

impl Writes {
    /// Adds the rows of changes that passed their fences; their numbers start at `first`.
    pub fn add(&mut self, parts: &Parts, first: i64, lanes: &mut Lanes, fences: &Fences) {
        let mut numbers = first..;
        let mut number = || numbers.next().unwrap_or(i64::MAX);
        for write in &parts.resources {
            let version = number();
            let place = match write.place {
                Place::AtCommit => version,
                Place::Accepted(place) => place,
            };
            let row = resource::values(write, version, place);
            if write.expected.is_none() {
                &mut self.new_resources
            } else {
                &mut self.resources
            }
            .push(row);
        }
        for new in &parts.new_tasks {
            let (task, place) = (new.task(), number());
            let blocked = lanes.enter(task);
            self.ready |= !blocked && task.claimable_at().is_some();
            self.new_tasks.push(task::values(task, place, blocked));
            self.queues.push((task.facts().workspace, task.facts().kind));
            self.new_operations.extend(
                new.operations()
                    .iter()
                    .map(|operation| task::operation_values(task.id(), operation)),
            );
        }
        for transition in &parts.transitions {
            let task = transition.task();
            let blocked = lanes.moved(transition, fences.is_blocked(task.id()));
            self.ready |= !blocked && task.claimable_at().is_some();
            if task.status().is_terminal() {
                self.ended_tasks.push(task::ending_values(task));
            } else {
                self.tasks.push(task::values(task, task.place(), blocked));
            }
            if let Some(TaskEffect::SettleRemaining {
                receipt,
                keep_payloads,
            }) = transition.effect()
            {
                self.settled.push((task.id(), receipt.clone(), *keep_payloads));
            }
        }
        for (id, operation) in &parts.receipts {
            self.operations
                .insert((*id, operation.seq), task::operation_values(*id, operation));
        }
        self.sources
            .extend(parts.sources.iter().map(resource::source_values));
        self.definitions
            .extend(parts.definitions.iter().map(resource::definition_values));
        self.workspaces
            .extend(parts.workspaces.iter().map(records::workspace_values));
        for credential in &parts.credentials {
            match credential {
                NewCredential::Added(credential) => {
                    self.credentials.push(records::credential_values(credential));
                }
                NewCredential::Revoked { workspace, id, at } => self.revoked.push((*workspace, id.0, *at)),
            }
        }
        for write in &parts.patients {
            let row = records::patient_values(&write.after);
            if write.expected.is_none() {
                &mut self.new_patients
            } else {
                &mut self.patients
            }
            .push(row);
        }
        self.pauses.extend(&parts.pauses);
        self.clock_step += parts.clock_step;
        self.outbox.extend(
            parts
                .events
                .iter()
                .map(|(ws, at, event)| records::outbox_values(*ws, *at, *event)),
        );
        self.audit.extend(parts.audit.iter().map(records::audit_values));
    }

    /// Writes it all; says whether a queue was resumed.
    pub async fn write(
        &mut self,
        tx: &Tx<'_>,
        queues: &mut HashSet<(WorkspaceId, TaskKind)>,
    ) -> Result<bool, BatchError> {
        use OnConflict::{Keep, Refuse, Replace};

        for (workspace, kind) in self.queues.drain(..) {
            if queues.insert((workspace, kind)) {
                let sql = tx
                    .sql("INSERT INTO queues (workspace_id, kind, paused) VALUES (")
                    .list([Value::from(workspace.0), kind.to_string().into(), false.into()])
                    .push(") ON CONFLICT DO NOTHING");
                tx.execute(sql).await?;
            }
        }
        let operations: Rows = take(&mut self.operations).into_values().collect();
        let tables: [(&str, &[&str], Rows, OnConflict); 14] = [
            (
                "workspaces",
                &records::WORKSPACE_COLUMNS,
                take(&mut self.workspaces),
                Refuse,
            ),
            (
                "credentials",
                &records::CREDENTIAL_COLUMNS,
                take(&mut self.credentials),
                Refuse,
            ),
            (
                "sources",
                &resource::SOURCE_COLUMNS,
                take(&mut self.sources),
                Keep,
            ),
            (
                "definitions",
                &resource::DEFINITION_COLUMNS,
                take(&mut self.definitions),
                Keep,
            ),
            (
                "resources",
                &resource::COLUMNS,
                take(&mut self.new_resources),
                Refuse,
            ),
            (
                "resources",
                &resource::COLUMNS,
                take(&mut self.resources),
                Replace { key: 4 },
            ),
            ("tasks", &task::COLUMNS, take(&mut self.new_tasks), Refuse),
            ("tasks", &task::COLUMNS, take(&mut self.tasks), Replace { key: 1 }),
            (
                "operations",
                &task::OPERATION_COLUMNS,
                take(&mut self.new_operations),
                Refuse,
            ),
            (
                "operations",
                &task::OPERATION_COLUMNS,
                operations,
                Replace { key: 2 },
            ),
            (
                "patients",
                &records::PATIENT_COLUMNS,
                take(&mut self.new_patients),
                Refuse,
            ),
            (
                "patients",
                &records::PATIENT_COLUMNS,
                take(&mut self.patients),
                Replace { key: 1 },
            ),
            (
                "outbox",
                &records::OUTBOX_COLUMNS[1..],
                take(&mut self.outbox),
                Refuse,
            ),
            (
                "audit",
                &records::AUDIT_COLUMNS[1..],
                take(&mut self.audit),
                Refuse,
            ),
        ];
        for (table, columns, rows, conflict) in tables {
            insert(tx, table, columns, rows, conflict).await?;
        }
        end(tx, take(&mut self.ended_tasks)).await?;
        self.settle_remaining(tx).await?;
        self.revoke(tx).await?;
        if !self.clock_step.is_zero() {
            super::clock::advance(tx, take(&mut self.clock_step)).await?;
        }
        self.pause(tx).await
    }

    async fn settle_remaining(&mut self, tx: &Tx<'_>) -> Result<(), BatchError> {
        for (id, receipt, keep_payloads) in self.settled.drain(..) {
            let sql = tx
                .sql("UPDATE operations SET receipt = ")
                .bind(ReceiptStatus::from(&receipt).to_string())
                .push(", completed_at = ")
                .bind(receipt.completed_at().map(micros))
                .push(if keep_payloads { "" } else { ", payload = NULL" })
                .push(" WHERE task_id = ")
                .bind(id.0)
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

/// What happens to a row that is there already.
#[derive(Clone, Copy)]
enum OnConflict {
    /// It is somebody else's: the insert fails.
    Refuse,
    Keep,
    /// It was locked, and is replaced but for its key: the first so many columns.
    Replace {
        key: usize,
    },
}

impl OnConflict {
    fn clause(self, columns: &[&str]) -> String {
        match self {
            Self::Refuse => String::new(),
            Self::Keep => " ON CONFLICT DO NOTHING".to_owned(),
            Self::Replace { key } => {
                let (key, rest) = columns.split_at(key);
                let sets: Vec<_> = rest
                    .iter()
                    .map(|column| format!("{column} = excluded.{column}"))
                    .collect();
                format!(
                    " ON CONFLICT ({}) DO UPDATE SET {}",
                    key.join(", "),
                    sets.join(", ")
                )
            }
        }
    }
}

async fn insert(
    tx: &Tx<'_>,
    table: &str,
    columns: &[&str],
    rows: Rows,
    conflict: OnConflict,
) -> Result<(), BatchError> {
    if rows.is_empty() {
        return Ok(());
    }
    let conflict = conflict.clause(columns);
    let into = format!("INSERT INTO {table} ({}) VALUES ", columns.join(", "));
    let lengths = lengths(rows.len());
    let mut rows = rows.into_iter();
    for length in lengths {
        let sql = tx.sql(&into).tuples(rows.by_ref().take(length)).push(&conflict);
        tx.execute(sql).await?;
    }
    Ok(())
}

/// The endings of tasks: only the columns that an ending changes.
async fn end(tx: &Tx<'_>, rows: Rows) -> Result<(), BatchError> {
    let lengths = lengths(rows.len());
    let mut rows = rows.into_iter();
    for length in lengths {
        let sql = tx
            .sql("WITH ")
            .push(task::ENDED)
            .tuples(rows.by_ref().take(length))
            .push(") ")
            .push(task::END);
        tx.execute(sql).await?;
    }
    Ok(())
}
