//! Rows to domain values and back; a row that makes no sense is named by table and column.

mod cells;
pub(crate) mod idempotency;
pub(crate) mod records;
pub(crate) mod registrations;
pub(crate) mod resource;
pub(crate) mod task;
pub(crate) mod told;

pub(crate) use cells::{Cell, Cells, Found};
pub(crate) use rusqlite::types::Value as Stored;

use crate::error::{corrupt, store_error};
use caretrack_domain::{Actor, CredentialId, Instant};
use caretrack_ports::StoreError;
use sea_orm::Value;
use std::str::FromStr;
use std::sync::Arc;
use uuid::Uuid;

/// Microseconds since the epoch: sorts the same as text never would.
pub(crate) fn micros(at: Instant) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

/// Where a column is; one that is not there does not compile.
pub(crate) const fn position(columns: &[&str], name: &str) -> usize {
    let mut n = 0;
    while n < columns.len() {
        let (column, name) = (columns[n].as_bytes(), name.as_bytes());
        let mut same = 0;
        while same < column.len() && same < name.len() && column[same] == name[same] {
            same += 1;
        }
        if same == column.len() && same == name.len() {
            return n;
        }
        n += 1;
    }
    panic!("no such column")
}

pub(crate) fn bytes(hash: [u8; 32]) -> Value {
    Value::from(hash.to_vec())
}

pub(crate) fn json(value: &(impl serde::Serialize + ?Sized)) -> String {
    // Plain data with string keys: there is nothing that could fail.
    serde_json::to_string(value).unwrap_or_default()
}

/// Whoever acts stands in two columns: the id of a credential of ours, or what a token said.
pub(crate) fn credential_of(actor: Option<&Actor>) -> Value {
    actor.and_then(Actor::credential).map(|id| id.0).into()
}

pub(crate) fn subject_of(actor: Option<&Actor>) -> Value {
    actor.and_then(Actor::subject).map(json).into()
}

/// A row of one table, read column by column in the order they were selected.
pub(crate) struct Row<'a> {
    table: &'static str,
    columns: &'a [&'static str],
    cells: Cells<'a>,
    next: usize,
}

impl<'a> Row<'a> {
    pub fn new(table: &'static str, columns: &'a [&'static str], cells: impl Into<Cells<'a>>) -> Self {
        Self {
            table,
            columns,
            cells: cells.into(),
            next: 0,
        }
    }

    pub fn take<T: Cell>(&mut self) -> Result<T, StoreError> {
        self.next += 1;
        self.cells.get(self.next - 1).map_err(store_error)
    }

    /// A column whose text is a word of ours.
    pub fn word<T: FromStr>(&mut self) -> Result<T, StoreError> {
        let text: String = self.take()?;
        text.parse().map_err(|_| self.nonsense(&text))
    }

    pub fn instant(&mut self) -> Result<Instant, StoreError> {
        let micros: i64 = self.take()?;
        from_micros(micros).ok_or_else(|| self.nonsense(micros))
    }

    pub fn maybe_instant(&mut self) -> Result<Option<Instant>, StoreError> {
        let micros: Option<i64> = self.take()?;
        micros
            .map(|micros| from_micros(micros).ok_or_else(|| self.nonsense(micros)))
            .transpose()
    }

    pub fn uuid<T>(&mut self, make: impl FnOnce(Uuid) -> T) -> Result<T, StoreError> {
        self.take().map(make)
    }

    pub fn maybe_uuid<T>(&mut self, make: impl FnOnce(Uuid) -> T) -> Result<Option<T>, StoreError> {
        Ok(self.take::<Option<Uuid>>()?.map(make))
    }

    /// The two columns of [`credential_of`] and [`subject_of`].
    pub fn actor(&mut self) -> Result<Option<Actor>, StoreError> {
        let credential = self.maybe_uuid(CredentialId)?;
        let subject = self.maybe_text(|text| serde_json::from_str(text).ok())?;
        match (credential, subject) {
            (Some(id), None) => Ok(Some(Actor::Credential(id))),
            (None, Some(subject)) => Ok(Some(Actor::Token(Arc::new(subject)))),
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(self.nonsense("two actors")),
        }
    }

    pub fn count(&mut self) -> Result<u32, StoreError> {
        let count: i64 = self.take()?;
        u32::try_from(count).map_err(|_| self.nonsense(count))
    }

    pub fn hash(&mut self) -> Result<Option<[u8; 32]>, StoreError> {
        let bytes: Option<Vec<u8>> = self.take()?;
        bytes
            .map(|bytes| <[u8; 32]>::try_from(bytes).map_err(|bytes| self.nonsense(bytes.len())))
            .transpose()
    }

    /// Makes something of a column's text.
    pub fn text<T>(&mut self, make: impl FnOnce(&str) -> Option<T>) -> Result<T, StoreError> {
        let text: String = self.take()?;
        make(&text).ok_or_else(|| self.nonsense("text of another form"))
    }

    pub fn maybe_text<T>(&mut self, make: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, StoreError> {
        let text: Option<String> = self.take()?;
        text.map(|text| make(&text).ok_or_else(|| self.nonsense("text of another form")))
            .transpose()
    }

    /// The column just read holds what it should not.
    pub fn nonsense(&self, value: impl std::fmt::Debug) -> StoreError {
        let column = self
            .columns
            .get(self.next.saturating_sub(1))
            .copied()
            .unwrap_or("?");
        corrupt(self.table, column, value)
    }
}

pub(crate) fn from_micros(micros: i64) -> Option<Instant> {
    Instant::from_unix_timestamp_nanos(i128::from(micros) * 1_000).ok()
}
