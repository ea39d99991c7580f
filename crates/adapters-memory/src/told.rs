//! The outbox, the webhooks, the audit and its seals. One mutex: what is there is settled.

use crate::MemoryStore;
use crate::state::State;
use crate::store::fence;
use async_trait::async_trait;
use caretrack_domain::{AuditEntry, AuditSeal, Webhook, WebhookId, WorkspaceId};
use caretrack_ports::{
    AuditRepository, AuditTrail, OutboxEntry, OutboxRepository, OutboxSpan, Parts, Settled, StoreError,
    WebhookChange, WebhookRepository,
};
use std::collections::BTreeSet;
use std::time::Duration;

impl State {
    pub(crate) fn check_webhooks(&self, parts: &Parts) -> Result<(), StoreError> {
        let mut moved = BTreeSet::new();
        for (workspace, change) in &parts.webhooks {
            let stored = |id| {
                let found = self.webhooks.get(id);
                found.filter(|webhook| webhook.workspace == *workspace)
            };
            fence(match change {
                WebhookChange::Added(_) | WebhookChange::Disabled { .. } => true,
                WebhookChange::Moved { id, expected, .. } => {
                    stored(id).is_some_and(|webhook| webhook.position == *expected) && moved.insert(*id)
                }
                WebhookChange::Removed { id } => stored(id).is_some(),
            })?;
        }
        Ok(())
    }

    pub(crate) fn change_webhook(&mut self, workspace: WorkspaceId, change: WebhookChange) {
        match change {
            WebhookChange::Added(webhook) => {
                self.webhooks.insert(webhook.id, webhook);
            }
            WebhookChange::Moved { id, to, .. } => {
                if let Some(webhook) = self.webhooks.get_mut(&id) {
                    webhook.position = to;
                }
            }
            WebhookChange::Disabled { id, at } => {
                let webhook = self.webhooks.get_mut(&id);
                if let Some(webhook) = webhook.filter(|webhook| webhook.workspace == workspace) {
                    webhook.disabled_at.get_or_insert(at);
                }
            }
            WebhookChange::Removed { id } => {
                self.webhooks
                    .retain(|other, webhook| *other != id || webhook.workspace != workspace);
            }
        }
    }
}

#[async_trait]
impl OutboxRepository for MemoryStore {
    async fn list_events(
        &self,
        workspace: WorkspaceId,
        after: i64,
        upto: i64,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        let state = self.state();
        let entries = state.outbox.iter().filter(|(of, _)| *of == workspace);
        let entries = entries
            .map(|(_, entry)| entry)
            .filter(|entry| entry.number > after && entry.number <= upto);
        Ok(entries.take(limit).cloned().collect())
    }

    async fn read_events(
        &self,
        after: i64,
        limit: usize,
    ) -> Result<Settled<(WorkspaceId, OutboxEntry)>, StoreError> {
        let state = self.state();
        let entries = state.outbox.iter().filter(|(_, entry)| entry.number > after);
        let entries: Vec<_> = entries.take(limit).cloned().collect();
        let upto = entries.last().map_or(after, |(_, entry)| entry.number);
        Ok(Settled { entries, upto })
    }

    async fn outbox_span(&self) -> Result<OutboxSpan, StoreError> {
        let state = self.state();
        Ok(OutboxSpan {
            oldest: state.outbox.first().map(|(_, entry)| entry.number),
            settled: state.last_event,
            newest: state.last_event,
        })
    }

    async fn wait_for_events(&self, longest: Duration) {
        // Elapsed is as good an end as any.
        let _ = tokio::time::timeout(longest, self.told.notified()).await;
    }
}

#[async_trait]
impl WebhookRepository for MemoryStore {
    async fn find_webhook(
        &self,
        workspace: WorkspaceId,
        id: WebhookId,
    ) -> Result<Option<Webhook>, StoreError> {
        let state = self.state();
        let found = state.webhooks.get(&id);
        Ok(found.filter(|webhook| webhook.workspace == workspace).cloned())
    }

    async fn list_webhooks(
        &self,
        workspace: WorkspaceId,
        after: Option<WebhookId>,
        limit: usize,
    ) -> Result<Vec<Webhook>, StoreError> {
        let state = self.state();
        let webhooks = state.webhooks.values();
        let webhooks = webhooks.filter(|webhook| webhook.workspace == workspace);
        let webhooks = webhooks.filter(|webhook| after.is_none_or(|after| webhook.id > after));
        Ok(webhooks.take(limit).cloned().collect())
    }

    async fn active_webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        let state = self.state();
        let webhooks = state.webhooks.values();
        Ok(webhooks
            .filter(|webhook| webhook.disabled_at.is_none())
            .cloned()
            .collect())
    }
}

#[async_trait]
impl AuditRepository for MemoryStore {
    async fn list_audit(
        &self,
        workspace: Option<WorkspaceId>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<(i64, AuditEntry)>, StoreError> {
        let state = self.state();
        let numbered: Vec<_> = (1..).zip(&state.audit).collect();
        let entries = numbered.into_iter().rev();
        let entries = entries.filter(|(_, entry)| entry.workspace == workspace);
        let entries = entries.filter(|(number, _)| before.is_none_or(|before| *number < before));
        let entries = entries.map(|(number, entry)| (number, entry.clone()));
        Ok(entries.take(limit).collect())
    }
}

#[async_trait]
impl AuditTrail for MemoryStore {
    async fn read_audit(&self, after: i64, limit: usize) -> Result<Settled<(i64, AuditEntry)>, StoreError> {
        let state = self.state();
        let entries = (1..).zip(&state.audit).filter(|(number, _)| *number > after);
        let entries = entries.map(|(number, entry)| (number, entry.clone()));
        let entries: Vec<_> = entries.take(limit).collect();
        let upto = entries.last().map_or(after, |(number, _)| *number);
        Ok(Settled { entries, upto })
    }

    async fn list_seals(&self, after: i64, limit: usize) -> Result<Vec<AuditSeal>, StoreError> {
        let state = self.state();
        let seals = state.seals.iter().filter(|seal| seal.number > after);
        Ok(seals.take(limit).cloned().collect())
    }

    async fn last_seal(&self) -> Result<Option<AuditSeal>, StoreError> {
        Ok(self.state().seals.last().cloned())
    }
}
