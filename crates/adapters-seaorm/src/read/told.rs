//! What others read of what was committed: the outbox, the webhooks it goes to, the audit.

use super::limited;
use crate::rows::told;
use crate::{SeaStore, trail};
use async_trait::async_trait;
use caretrack_domain::{AuditEntry, AuditSeal, Webhook, WebhookId, WorkspaceId};
use caretrack_ports::{
    AuditRepository, AuditTrail, OutboxEntry, OutboxRepository, OutboxSpan, Settled, StoreError,
    WebhookRepository,
};
use std::time::Duration;

#[async_trait]
impl OutboxRepository for SeaStore {
    async fn list_events(
        &self,
        workspace: WorkspaceId,
        after: i64,
        upto: i64,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        let sql = self
            .select(&told::OUTBOX_COLUMNS, "outbox WHERE workspace_id = ")
            .bind(workspace.0)
            .push(" AND number > ")
            .bind(after)
            .push(" AND number <= ")
            .bind(upto)
            .push(" ORDER BY number");
        self.read_all(limited(sql, limit), |row| Ok(told::read_outbox(row)?.1))
            .await
    }

    async fn read_events(
        &self,
        after: i64,
        limit: usize,
    ) -> Result<Settled<(WorkspaceId, OutboxEntry)>, StoreError> {
        let settled = self.outbox.settled(&self.readers).await?;
        let mut entries = Vec::new();
        if settled > after {
            let sql = self
                .select(&told::OUTBOX_COLUMNS, "outbox WHERE number > ")
                .bind(after)
                .push(" AND number <= ")
                .bind(settled)
                .push(" ORDER BY number");
            entries = self.read_all(limited(sql, limit), told::read_outbox).await?;
        }
        let upto = entries.last().map_or(after, |(_, entry)| entry.number);
        Ok(Settled { entries, upto })
    }

    async fn outbox_span(&self) -> Result<OutboxSpan, StoreError> {
        let settled = self.outbox.settled(&self.readers).await?;
        let newest = self.outbox.newest(&self.readers).await?;
        let sql = self.sql("SELECT MIN(number) FROM outbox");
        let oldest = self
            .read_one(sql, |row| row.try_get_by_index(0).map_err(crate::store_error))
            .await?;
        Ok(OutboxSpan {
            oldest: oldest.flatten(),
            settled,
            newest,
        })
    }

    async fn wait_for_events(&self, longest: Duration) {
        // Elapsed is as good an end as any.
        let _ = tokio::time::timeout(longest, self.told.notified()).await;
    }
}

#[async_trait]
impl WebhookRepository for SeaStore {
    async fn find_webhook(
        &self,
        workspace: WorkspaceId,
        id: WebhookId,
    ) -> Result<Option<Webhook>, StoreError> {
        let sql = self
            .select(&told::WEBHOOK_COLUMNS, "webhooks WHERE id = ")
            .bind(id.0)
            .push(" AND workspace_id = ")
            .bind(workspace.0);
        self.read_one(sql, told::read_webhook).await
    }

    async fn list_webhooks(
        &self,
        workspace: WorkspaceId,
        after: Option<WebhookId>,
        limit: usize,
    ) -> Result<Vec<Webhook>, StoreError> {
        let sql = self
            .select(&told::WEBHOOK_COLUMNS, "webhooks WHERE workspace_id = ")
            .bind(workspace.0)
            .push(" AND id > ")
            .bind(after.map_or(uuid::Uuid::nil(), |id| id.0))
            .push(" ORDER BY id");
        self.read_all(limited(sql, limit), told::read_webhook).await
    }

    async fn active_webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        let sql = self.select(
            &told::WEBHOOK_COLUMNS,
            "webhooks WHERE disabled_at IS NULL ORDER BY id",
        );
        self.read_all(sql, told::read_webhook).await
    }
}

#[async_trait]
impl AuditRepository for SeaStore {
    async fn list_audit(
        &self,
        workspace: Option<WorkspaceId>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<(i64, AuditEntry)>, StoreError> {
        let sql = match workspace {
            Some(workspace) => self
                .select(&told::AUDIT_COLUMNS, "audit WHERE workspace_id = ")
                .bind(workspace.0),
            None => self.select(&told::AUDIT_COLUMNS, "audit WHERE workspace_id IS NULL"),
        };
        let sql = sql
            .push(" AND number < ")
            .bind(before.unwrap_or(i64::MAX))
            .push(" ORDER BY number DESC");
        self.read_all(limited(sql, limit), told::read_audit).await
    }
}

#[async_trait]
impl AuditTrail for SeaStore {
    async fn read_audit(&self, after: i64, limit: usize) -> Result<Settled<(i64, AuditEntry)>, StoreError> {
        trail::read_audit(&self.readers, &self.audit, after, limit).await
    }

    async fn list_seals(&self, after: i64, limit: usize) -> Result<Vec<AuditSeal>, StoreError> {
        trail::list_seals(&self.readers, after, limit).await
    }

    async fn last_seal(&self) -> Result<Option<AuditSeal>, StoreError> {
        trail::last_seal(&self.readers).await
    }
}
