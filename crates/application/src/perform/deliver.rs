//! `webhook.deliver`: one notice to one webhook, signed, at least once.
//!
//! Any 2xx is a delivery; 410 says that the receiver is gone for good, and disables the webhook. Everything else
//! is tried again by the kind's retry policy. A retry has the same id, and a signature of its own time.

use super::{Fault, Plan};
use crate::Application;
use crate::order::Undecodable;
use caretrack_domain::{
    AuditOutcome, Instant, LeaseToken, Operation, Receipt, Refusal, RefusalKind, Settled, Task, TaskCommand,
    Webhook, WebhookId,
};
use caretrack_ports::{
    Admission, Author, Changes, Notice, SendFault, StoreError, WebhookChange, WebhookSender,
};
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use uuid::Uuid;

/// What came of an attempt that need not be repeated.
pub(super) enum Delivery {
    Delivered,
    /// The receiver wants no more.
    Gone(WebhookId),
    /// It must not be sent there.
    Forbidden,
    /// The webhook was removed or disabled.
    Unwanted,
}

#[derive(serde::Deserialize)]
struct Envelope {
    id: String,
}

impl Application {
    /// Sends the notice, once; says what to do then.
    pub(super) async fn deliver(
        &self,
        task: &Task,
        operations: &[Operation],
        sender: Option<&dyn WebhookSender>,
    ) -> Plan {
        if task.cancel_requested() {
            return Plan::GiveBack;
        }
        let Some(sender) = sender else {
            return Plan::GiveBack;
        };
        let Some((webhook, envelope, body)) = operations.first().and_then(read) else {
            return Plan::GiveUp(Undecodable::nothing().to_string());
        };
        let webhook = match self.store.find_webhook(task.facts().workspace, webhook).await {
            Ok(Some(webhook)) if webhook.disabled_at.is_none() => webhook,
            Ok(_) => return Plan::Conclude(Delivery::Unwanted),
            // The store is away, which is no fault of the task.
            Err(StoreError::Unavailable(_)) => return Plan::GiveBack,
            Err(error) => return Plan::Break(error.to_string()),
        };
        let notice = self.sign(&webhook, envelope, body);
        let sending = AssertUnwindSafe(sender.send(notice)).catch_unwind();
        match sending.await {
            Ok(Ok(200..=299)) => Plan::Conclude(Delivery::Delivered),
            Ok(Ok(410)) => Plan::Conclude(Delivery::Gone(webhook.id)),
            Ok(Ok(status)) => Plan::Break(format!("the receiver answered {status}")),
            Ok(Err(SendFault::Forbidden)) => Plan::Conclude(Delivery::Forbidden),
            Ok(Err(fault)) => Plan::Break(fault.to_string()),
            Err(_) => Plan::Break("the sender panicked".to_owned()),
        }
    }

    fn sign(&self, webhook: &Webhook, envelope: Envelope, body: &str) -> Notice {
        let timestamp = self.system_now().unix_timestamp();
        Notice {
            url: webhook.url.clone(),
            timestamp,
            signature: webhook.secret.sign(&envelope.id, timestamp, body),
            id: envelope.id,
            body: body.to_owned(),
        }
    }
}

fn read(operation: &Operation) -> Option<(WebhookId, Envelope, &str)> {
    let id = Uuid::try_parse(&operation.target.id).ok()?;
    let body = operation.payload.as_deref()?;
    Some((WebhookId(id), serde_json::from_str(body).ok()?, body))
}

/// What is to be committed of it. A delivery that went well leaves no audit entry: it changed nothing here.
pub(super) fn settle(
    task: &Task,
    token: LeaseToken,
    operations: &[Operation],
    delivery: &Delivery,
    now: Instant,
) -> Result<Changes, Fault> {
    let facts = task.facts();
    let mut changes = Changes::by(Author::of_task(facts, now), Admission::Continuing);
    let refusal = |message| Refusal::new(RefusalKind::FailedPrecondition, message);
    let refused = match delivery {
        Delivery::Delivered | Delivery::Unwanted => None,
        Delivery::Gone(id) => {
            let id = *id;
            changes.audit("webhook.disable", id.to_string(), AuditOutcome::Done);
            changes.change_webhook(facts.workspace, WebhookChange::Disabled { id, at: now });
            Some(refusal("The receiver is gone for good: the webhook is disabled."))
        }
        Delivery::Forbidden => Some(refusal(
            "The webhook leads to an address that is not a public one.",
        )),
    };
    let receipt = match (delivery, refused.clone()) {
        (_, Some(refusal)) => Receipt::Refused { at: now, refusal },
        (Delivery::Unwanted, None) => Receipt::Cancelled { at: now },
        (Delivery::Delivered | Delivery::Gone(_) | Delivery::Forbidden, None) => {
            Receipt::Succeeded { at: now }
        }
    };
    let settled = Settled::one(&receipt);
    let command = match (&receipt, refused) {
        (_, Some(refusal)) => TaskCommand::Refuse {
            token,
            settled,
            refusal,
        },
        (Receipt::Succeeded { .. }, None) => TaskCommand::Complete { token, settled },
        (
            Receipt::Cancelled { .. } | Receipt::Pending | Receipt::Refused { .. } | Receipt::Broken { .. },
            None,
        ) => TaskCommand::Stop { token, settled },
    };
    if let Some(operation) = operations.first() {
        changes.record_receipt(task.id(), operation.clone().settled(receipt));
    }
    changes.record_task(task.clone().apply(command, now)?);
    Ok(changes)
}
