//! How far others have come with what is told: positions of webhooks, the audit's chain; and the store's secrets.

use super::batch::Tx;
use crate::error::BatchError;
use crate::rows::{bytes, micros, told};
use crate::sql::runs;
use caretrack_domain::{WebhookId, WorkspaceId};
use caretrack_ports::{Parts, WebhookChange};
use sea_orm::Value;
use std::collections::{BTreeSet, HashMap};

/// Where they stand in the store, and then in the batch so far.
#[derive(Default)]
pub(super) struct Marks {
    webhooks: HashMap<(WorkspaceId, WebhookId), i64>,
    last_seal: i64,
}

impl Marks {
    pub async fn load(tx: &Tx<'_>, commits: &[&Parts]) -> Result<Self, BatchError> {
        let mut marks = Self::default();
        let known = commits.iter().flat_map(|parts| &parts.webhooks);
        let known: BTreeSet<_> = known.filter_map(|(_, change)| changed(change)).collect();
        let known: Vec<_> = known.into_iter().collect();
        for run in runs(&known) {
            let sql = tx
                .sql("SELECT workspace_id, id, position FROM webhooks WHERE id IN (")
                .list(run.iter().map(|id| id.0))
                .push(") ORDER BY id")
                .on_postgres(" FOR UPDATE");
            for row in tx.query(sql).await? {
                let key = (
                    WorkspaceId(row.try_get_by_index(0)?),
                    WebhookId(row.try_get_by_index(1)?),
                );
                marks.webhooks.insert(key, row.try_get_by_index(2)?);
            }
        }
        if commits.iter().any(|parts| !parts.seals.is_empty()) {
            let sql = tx.sql("SELECT COALESCE(MAX(number), 0) FROM audit_seals");
            if let Some(row) = tx.query(sql).await?.first() {
                marks.last_seal = row.try_get_by_index(0)?;
            }
        }
        Ok(marks)
    }

    pub fn hold(&self, parts: &Parts) -> bool {
        let mut moved = BTreeSet::new();
        let webhooks = parts.webhooks.iter().all(|(workspace, change)| {
            let stored = |id: &WebhookId| self.webhooks.get(&(*workspace, *id));
            match change {
                WebhookChange::Added(_) | WebhookChange::Disabled { .. } => true,
                WebhookChange::Moved { id, expected, .. } => {
                    stored(id) == Some(expected) && moved.insert(*id)
                }
                WebhookChange::Removed { id } => stored(id).is_some(),
            }
        });
        webhooks
            && parts
                .seals
                .iter()
                .zip(self.last_seal + 1..)
                .all(|(seal, next)| seal.number == next)
    }

    /// What comes after these changes in the batch sees them.
    pub fn pass(&mut self, parts: &Parts) {
        for (workspace, change) in &parts.webhooks {
            match change {
                WebhookChange::Moved { id, to, .. } => {
                    self.webhooks.insert((*workspace, *id), *to);
                }
                WebhookChange::Removed { id } => {
                    self.webhooks.remove(&(*workspace, *id));
                }
                WebhookChange::Added(_) | WebhookChange::Disabled { .. } => {}
            }
        }
        if let Some(seal) = parts.seals.last() {
            self.last_seal = seal.number;
        }
    }
}

fn changed(change: &WebhookChange) -> Option<WebhookId> {
    match change {
        WebhookChange::Added(_) => None,
        WebhookChange::Moved { id, .. }
        | WebhookChange::Disabled { id, .. }
        | WebhookChange::Removed { id } => Some(*id),
    }
}

/// Rare rows, one statement each.
pub(super) async fn write(tx: &Tx<'_>, parts: &Parts) -> Result<(), BatchError> {
    for (workspace, change) in &parts.webhooks {
        let sql = match change {
            WebhookChange::Added(webhook) => insert(
                tx,
                "webhooks",
                &told::WEBHOOK_COLUMNS,
                told::webhook_values(webhook),
            ),
            WebhookChange::Moved { id, to, .. } => tx
                .sql("UPDATE webhooks SET position = ")
                .bind(*to)
                .push(" WHERE id = ")
                .bind(id.0),
            WebhookChange::Disabled { id, at } => tx
                .sql("UPDATE webhooks SET disabled_at = ")
                .bind(micros(*at))
                .push(" WHERE disabled_at IS NULL AND id = ")
                .bind(id.0),
            WebhookChange::Removed { id } => tx.sql("DELETE FROM webhooks WHERE id = ").bind(id.0),
        };
        let sql = match change {
            WebhookChange::Added(_) => sql,
            WebhookChange::Moved { .. } | WebhookChange::Disabled { .. } | WebhookChange::Removed { .. } => {
                sql.push(" AND workspace_id = ").bind(workspace.0)
            }
        };
        tx.execute(sql).await?;
    }
    for (name, secret) in &parts.secrets {
        let values = vec![Value::from(*name), bytes(*secret)];
        let sql = insert(tx, "secrets", &["name", "value"], values).push(" ON CONFLICT DO NOTHING");
        tx.execute(sql).await?;
    }
    for seal in &parts.seals {
        let sql = insert(tx, "audit_seals", &told::SEAL_COLUMNS, told::seal_values(seal));
        tx.execute(sql).await?;
    }
    Ok(())
}

fn insert(tx: &Tx<'_>, table: &str, columns: &[&str], row: Vec<Value>) -> crate::sql::Sql {
    tx.sql(&format!("INSERT INTO {table} ({}) VALUES ", columns.join(", ")))
        .tuples([row])
}
