//! Many rows of many tables in one statement.
//!
//! The rows of a batch go out in runs of 128, 64, 32, ... rows a table. Each crossing to PostgreSQL and back costs
//! more than a row does, so one statement takes a run of every table that has one, each in a `WITH` clause; SQLite
//! takes a statement a table. There are few distinct statements, so each is prepared once and reused.

use super::batch::Tx;
use super::registrations::ahead;
use super::sheet::Rows;
use crate::error::BatchError;
use crate::rows::{idempotency, records, registrations, resource, task, told};
use crate::sql::{LONGEST_RUN, placeholders};
use sea_orm::{DbBackend, Statement, Value};
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::LazyLock;

/// What rows are written to, and how.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Workspaces,
    Credentials,
    Sources,
    Definitions,
    NewResources,
    Resources,
    NewTasks,
    Tasks,
    EndedTasks,
    NewOperations,
    Operations,
    NewPatients,
    Patients,
    Outbox,
    Audit,
    Idempotency,
    WmdaIds,
    NewRegistrations,
    Registrations,
    StatusEntries,
    NewSearches,
    Searches,
    Results,
    MarkedResults,
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

/// The statement around the rows' tuples.
struct Frame {
    head: String,
    tail: String,
    columns: usize,
}

static FRAMES: LazyLock<Vec<Frame>> = LazyLock::new(|| {
    use OnConflict::{Keep, Refuse, Replace};
    // In the order of `Table`.
    vec![
        insert("workspaces", &records::WORKSPACE_COLUMNS, Refuse),
        insert("credentials", &records::CREDENTIAL_COLUMNS, Refuse),
        insert("sources", &resource::SOURCE_COLUMNS, Keep),
        insert("definitions", &resource::DEFINITION_COLUMNS, Keep),
        insert("resources", &resource::COLUMNS, Refuse),
        insert("resources", &resource::COLUMNS, Replace { key: 4 }),
        insert("tasks", &task::COLUMNS, Refuse),
        insert("tasks", &task::COLUMNS, Replace { key: 1 }),
        Frame {
            head: format!("WITH {}", task::ENDED),
            tail: format!(") {}", task::END),
            columns: task::ENDING_COLUMNS,
        },
        insert("operations", &task::OPERATION_COLUMNS, Refuse),
        insert("operations", &task::OPERATION_COLUMNS, Replace { key: 2 }),
        insert("patients", &records::PATIENT_COLUMNS, Refuse),
        insert("patients", &records::PATIENT_COLUMNS, Replace { key: 1 }),
        insert("outbox", &told::OUTBOX_COLUMNS[1..], Refuse),
        insert("audit", &told::AUDIT_COLUMNS[1..], Refuse),
        insert("idempotency", &idempotency::COLUMNS, Refuse),
        insert("wmda_ids", &["wmda_id"], Refuse),
        insert("registrations", &registrations::COLUMNS, Refuse),
        replace_registrations(),
        insert("status_entries", &registrations::ENTRY_COLUMNS, Refuse),
        insert("searches", &registrations::SEARCH_COLUMNS, Refuse),
        insert("searches", &registrations::SEARCH_COLUMNS, Replace { key: 1 }),
        insert(
            "search_results",
            &registrations::RESULT_COLUMNS,
            Replace { key: 3 },
        ),
        Frame {
            head: format!("WITH {}", registrations::MARKED),
            tail: format!(") {}", registrations::MARK),
            columns: registrations::MARK_COLUMNS,
        },
    ]
});

const TABLES: usize = Table::MarkedResults as usize + 1;

fn insert(table: &str, columns: &[&str], conflict: OnConflict) -> Frame {
    let tail = match conflict {
        OnConflict::Refuse => String::new(),
        OnConflict::Keep => " ON CONFLICT DO NOTHING".to_owned(),
        OnConflict::Replace { key } => {
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
    };
    Frame {
        head: format!("INSERT INTO {table} ({}) VALUES ", columns.join(", ")),
        tail,
        columns: columns.len(),
    }
}

/// But for the times that only move ahead.
fn replace_registrations() -> Frame {
    let frame = insert(
        "registrations",
        &registrations::COLUMNS,
        OnConflict::Replace { key: 1 },
    );
    let plain = registrations::AHEAD.map(|column| format!("{column} = excluded.{column}"));
    let tail = frame.tail.replace(&plain.join(", "), &ahead("excluded"));
    Frame { tail, ..frame }
}

/// The rows of a batch.
#[derive(Default)]
pub(super) struct Tables([Rows; TABLES]);

impl Tables {
    pub fn push(&mut self, table: Table, row: Vec<Value>) {
        self.0[table as usize].push(row);
    }

    pub fn extend(&mut self, table: Table, rows: impl IntoIterator<Item = Vec<Value>>) {
        self.0[table as usize].extend(rows);
    }

    pub async fn write(self, tx: &Tx<'_>, texts: &mut Texts) -> Result<(), BatchError> {
        let mut rows = self.0.map(Vec::into_iter);
        let mut length = LONGEST_RUN;
        while length > 0 {
            let due: Vec<usize> = (0..TABLES).filter(|table| rows[*table].len() >= length).collect();
            if due.is_empty() {
                length /= 2;
                continue;
            }
            let together = if tx.backend == DbBackend::Postgres {
                due.len()
            } else {
                1
            };
            for due in due.chunks(together) {
                let columns: usize = due.iter().map(|table| FRAMES[*table].columns).sum();
                let mut values = Vec::with_capacity(columns * length);
                for table in due {
                    values.extend(rows[*table].by_ref().take(length).flatten());
                }
                let text = texts.of(tx.backend, length, due);
                let statement = Statement::from_sql_and_values(tx.backend, text, values);
                tx.run(statement).await?;
            }
        }
        Ok(())
    }
}

/// Statements made before, by the tables they write and the length of the run.
#[derive(Default)]
pub(super) struct Texts(HashMap<(usize, u32), String>);

impl Texts {
    fn of(&mut self, backend: DbBackend, length: usize, tables: &[usize]) -> String {
        let set = tables.iter().fold(0_u32, |set, table| set | 1 << table);
        self.0
            .entry((length, set))
            .or_insert_with(|| text(backend, length, tables))
            .clone()
    }
}

fn text(backend: DbBackend, length: usize, tables: &[usize]) -> String {
    let mut text = String::new();
    let mut bound = 0;
    for (n, table) in tables.iter().enumerate() {
        let frame = &FRAMES[*table];
        // One statement of PostgreSQL can change many tables, each in a clause of its own.
        let clause = tables.len() > 1;
        if clause {
            // Writing to a string cannot fail.
            let _ = write!(text, "{}t{table} AS (", if n == 0 { "WITH " } else { ", " });
        }
        text.push_str(&frame.head);
        placeholders(backend, &mut text, &mut bound, length, frame.columns);
        text.push_str(&frame.tail);
        if clause {
            text.push(')');
        }
    }
    if tables.len() > 1 {
        text.push_str(" SELECT 1");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_its_frame() {
        assert_eq!(FRAMES.len(), TABLES);
        assert!(FRAMES[Table::Audit as usize].head.contains("INTO audit "));
        assert!(FRAMES[Table::EndedTasks as usize].tail.contains("UPDATE tasks"));
        assert!(FRAMES[Table::Operations as usize].tail.contains("DO UPDATE"));
        assert!(
            FRAMES[Table::Registrations as usize]
                .tail
                .contains("> registrations.viewed_at")
        );
        assert!(
            FRAMES[Table::MarkedResults as usize]
                .tail
                .contains("UPDATE search_results")
        );
    }

    #[test]
    fn one_statement_takes_a_run_of_every_table() {
        let tables = [Table::Sources as usize, Table::Definitions as usize];
        let insert = |table: &str, columns: &str, tuples: &str| {
            format!("INSERT INTO {table} ({columns}) VALUES {tuples} ON CONFLICT DO NOTHING")
        };
        let sources = "workspace_id, key, created_at";
        let definitions = "workspace_id, source, key, open, created_at, kind, version, body";
        assert_eq!(
            text(DbBackend::Sqlite, 2, &tables[..1]),
            insert("sources", sources, "(?, ?, ?), (?, ?, ?)")
        );
        assert_eq!(
            text(DbBackend::Postgres, 1, &tables),
            format!(
                "WITH t2 AS ({}), t3 AS ({}) SELECT 1",
                insert("sources", sources, "($1, $2, $3)"),
                insert("definitions", definitions, "($4, $5, $6, $7, $8, $9, $10, $11)")
            )
        );
    }
}
