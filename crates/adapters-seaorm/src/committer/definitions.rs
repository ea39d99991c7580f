//! Which definitions are in force. What was judged by another than that is a conflict.
//!
//! Versions are remembered from batch to batch, so that a write pays nothing for this. They stand as long as the epoch
//! does, which counts what is put into any definition by anybody; it comes with the numbers that every write needs. To
//! read it is to lock it against those who put definitions, to the end of the transaction.

use super::batch::Tx;
use crate::error::BatchError;
use crate::rows::resource;
use crate::sql::runs;
use caretrack_domain::TypeKey;
use caretrack_ports::{DefinitionWrite, Parts};
use std::collections::{BTreeSet, HashMap};

/// What is remembered.
#[derive(Default)]
pub(super) struct Remembered {
    epoch: Option<i64>,
    /// Nought for one that is open, or is not there.
    versions: HashMap<TypeKey, i64>,
}

const MOST: usize = 10_000;

/// Those that the changes of a batch rely on or put, as they stand in the store and then in the batch so far.
pub(super) struct Definitions<'a> {
    remembered: &'a mut Remembered,
    /// Of those to be put, whether they are there counts too.
    written: HashMap<TypeKey, Option<i64>>,
}

/// Whether these changes need the epoch.
pub(super) fn rely(commits: &[&Parts]) -> bool {
    commits.iter().any(|parts| !parts.reliances.is_empty())
}

/// Begins a new epoch if a definition is put; its number.
pub(super) async fn begin_epoch(tx: &Tx<'_>, commits: &[&Parts]) -> Result<Option<i64>, BatchError> {
    if commits.iter().all(|parts| parts.definition_writes.is_empty()) {
        return Ok(None);
    }
    let sql = tx.sql("UPDATE definition_epoch SET last = last + 1 RETURNING last");
    let rows = tx.query(sql).await?;
    Ok(rows.first().map(|row| row.try_get_by_index(0)).transpose()?)
}

impl<'a> Definitions<'a> {
    pub async fn load(
        tx: &Tx<'_>,
        commits: &[&Parts],
        epoch: Option<i64>,
        remembered: &'a mut Remembered,
    ) -> Result<Self, BatchError> {
        let moved = epoch.is_some() && remembered.epoch != epoch;
        if moved || remembered.versions.len() > MOST {
            remembered.versions.clear();
            remembered.epoch = epoch;
        }
        let relied = commits.iter().flat_map(|parts| &parts.reliances);
        let mut unknown: BTreeSet<&TypeKey> = relied
            .map(|reliance| &reliance.on)
            .filter(|on| !remembered.versions.contains_key(*on))
            .collect();
        let writes = commits.iter().flat_map(|parts| &parts.definition_writes);
        let mut written: HashMap<TypeKey, Option<i64>> =
            writes.map(|write| (write.after.type_key(), None)).collect();
        let put: Vec<TypeKey> = written.keys().cloned().collect();
        unknown.extend(&put);
        let unknown: Vec<&TypeKey> = unknown.into_iter().collect();
        for of in &unknown {
            remembered.versions.insert((*of).clone(), 0);
        }
        for run in runs(&unknown) {
            let sql = tx
                .sql("WITH ")
                .push(resource::WANTED_TYPES)
                .tuples(run.iter().map(|of| resource::type_key_values(of)))
                .push(") SELECT d.workspace_id, d.source, d.key, d.version ")
                .push(resource::FROM_WANTED_TYPES);
            for row in tx.query(sql).await? {
                let (of, version) = resource::read_definition_version((&row).into())?;
                if let Some(written) = written.get_mut(&of) {
                    *written = Some(version);
                }
                remembered.versions.insert(of, version);
            }
        }
        Ok(Self { remembered, written })
    }

    /// Whether what was judged and what is put rest on what is in force.
    pub fn hold(&self, parts: &Parts) -> bool {
        let mut once = BTreeSet::new();
        let relied = parts
            .reliances
            .iter()
            .all(|reliance| self.remembered.versions.get(&reliance.on) == Some(&reliance.version));
        relied
            && parts
                .definition_writes
                .iter()
                .all(|DefinitionWrite { expected, after }| {
                    let of = after.type_key();
                    self.written.get(&of) == Some(expected) && once.insert(of)
                })
    }

    /// What comes after these changes in the batch sees them.
    pub fn pass(&mut self, parts: &Parts) {
        if self.written.is_empty() {
            return;
        }
        for made in &parts.definitions {
            if let Some(version) = self.written.get_mut(&made.type_key()) {
                version.get_or_insert(0);
            }
        }
        for write in &parts.definition_writes {
            let of = write.after.type_key();
            self.remembered.versions.insert(of.clone(), write.after.version);
            self.written.insert(of, Some(write.after.version));
        }
    }
}

/// Rare rows, one statement each.
pub(super) async fn write(tx: &Tx<'_>, parts: &Parts) -> Result<(), BatchError> {
    let columns = resource::DEFINITION_COLUMNS;
    for write in &parts.definition_writes {
        let sets: Vec<_> = columns[3..]
            .iter()
            .map(|column| format!("{column} = excluded.{column}"))
            .collect();
        let sql = tx
            .sql(&format!(
                "INSERT INTO definitions ({}) VALUES ",
                columns.join(", ")
            ))
            .tuples([resource::definition_values(&write.after)])
            .push(" ON CONFLICT (workspace_id, source, key) DO UPDATE SET ")
            .push(&sets.join(", "));
        tx.execute(sql).await?;
    }
    Ok(())
}
