//! Webhooks: made (their secret is told once), listed, removed.

use crate::idempotency::Conclusion;
use crate::{Application, Asker, Caller, Page, UseCaseError};
use caretrack_domain::{
    AuditOutcome, EventFilter, Refusal, RefusalKind, Rule, Scope, SigningSecret, Webhook, WebhookId,
    WebhookUrl,
};
use caretrack_ports::{Admission, Changes, StoreError, WebhookChange};

/// How many a workspace may have.
const MOST: usize = 16;

impl Application {
    /// It is told of what is committed from now on.
    pub async fn add_webhook<Q: Asker<Webhook>>(
        &self,
        asker: &Q,
        url: &str,
        types: EventFilter,
    ) -> Result<Q::Answer, UseCaseError> {
        let id = WebhookId(self.ids.id());
        let outcome = async {
            asker.caller().require(Scope::OpsWrite)?;
            self.once(asker, self.try_add_webhook(asker, id, url, types))
                .await
        };
        self.audited(asker, "webhook.add", &id.to_string(), outcome.await)
            .await
    }

    async fn try_add_webhook<Q: Asker<Webhook>>(
        &self,
        asker: &Q,
        id: WebhookId,
        url: &str,
        types: EventFilter,
    ) -> Result<Q::Answer, UseCaseError> {
        let caller = asker.caller();
        let workspace = caller.who.workspace;
        let url = WebhookUrl::parse(url, self.settings.allow_private_webhooks)
            .map_err(|must| Refusal::problem("$.url", Rule::Pattern, must))?;
        if self.store.list_webhooks(workspace, None, MOST).await?.len() >= MOST {
            let message = format!("A workspace has at most {MOST} webhooks.");
            return Err(Refusal::new(RefusalKind::FailedPrecondition, message).into());
        }
        let now = self.now();
        let webhook = Webhook {
            id,
            workspace,
            url,
            types,
            secret: SigningSecret(self.ids.secret()),
            position: self.store.outbox_span().await?.settled,
            created_at: now,
            disabled_at: None,
        };
        let mut changes = Changes::by(caller.author(now), Admission::New);
        changes.audit("webhook.add", id.to_string(), AuditOutcome::Done);
        changes.change_webhook(workspace, WebhookChange::Added(webhook.clone()));
        let instead = Refusal::new(
            RefusalKind::AlreadyExists,
            format!(
                "This request made the webhook {id}; its secret was told once and is not shown again. If it was \
                 lost, remove the webhook and make another."
            ),
        );
        self.conclude(asker, changes, Conclusion::told_once(webhook, instead))
            .await
    }

    /// By ascending id, disabled ones included.
    pub async fn list_webhooks(
        &self,
        caller: &Caller,
        after: Option<WebhookId>,
        limit: usize,
    ) -> Result<Page<Webhook>, UseCaseError> {
        caller.require(Scope::OpsRead)?;
        let workspace = caller.who.workspace;
        let webhooks = self.store.list_webhooks(workspace, after, limit + 1).await?;
        Ok(Page::of(webhooks, limit))
    }

    /// What is on its way to it may still arrive; nothing else will.
    pub async fn remove_webhook<Q: Asker<()>>(
        &self,
        asker: &Q,
        id: WebhookId,
    ) -> Result<Q::Answer, UseCaseError> {
        let outcome = async {
            asker.caller().require(Scope::OpsWrite)?;
            self.once(asker, self.try_remove_webhook(asker, id)).await
        };
        self.audited(asker, "webhook.remove", &id.to_string(), outcome.await)
            .await
    }

    async fn try_remove_webhook<Q: Asker<()>>(
        &self,
        asker: &Q,
        id: WebhookId,
    ) -> Result<Q::Answer, UseCaseError> {
        let caller = asker.caller();
        let workspace = caller.who.workspace;
        let gone = || UseCaseError::not_found(format!("There is no webhook {id}."));
        if self.store.find_webhook(workspace, id).await?.is_none() {
            return Err(gone());
        }
        let mut changes = Changes::by(caller.author(self.now()), Admission::Continuing);
        changes.audit("webhook.remove", id.to_string(), AuditOutcome::Done);
        changes.change_webhook(workspace, WebhookChange::Removed { id });
        match self.conclude(asker, changes, Conclusion::of(())).await {
            // Somebody else removed it meanwhile.
            Err(UseCaseError::Unavailable(StoreError::Conflict)) => Err(gone()),
            outcome => outcome,
        }
    }
}
