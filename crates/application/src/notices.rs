//! From events to notices: each webhook reads the outbox at its own pace, and each notice is a task.
//!
//! The notices of some events and the position after them are one commit, which expects the position before: of
//! two servers that make the same notices one meets a conflict, and every event is told once. A webhook that
//! does not keep up leaves its events in the outbox; they become tasks as the earlier ones end.

use crate::Application;
use crate::feed::EVENTS;
use caretrack_domain::{
    Action, Event, NewTask, Operation, RequestId, Target, TargetKind, TaskFacts, TaskId, TaskKind, Webhook,
    WebhookId,
};
use caretrack_ports::{Admission, Author, Changes, OutboxEntry, StoreError, WebhookChange};
use serde_json::json;
use std::collections::HashMap;
use time::format_description::well_known::Rfc3339;

/// How many notices of a webhook may wait.
const MOST_WAITING: usize = 500;
/// How many numbers, everybody's, are looked through in one query.
const REACH: i64 = 5_000;
const PAGE: usize = 200;
/// A position nothing hangs on is written when it is so far behind: it only saves reading again.
const LONGEST_UNWRITTEN: i64 = 20 * REACH;

/// How far each webhook has read without finding anything for it.
pub(crate) type Seen = HashMap<WebhookId, i64>;

impl Application {
    /// Takes every webhook a step further. Says how many there are, and whether one of them has more to read.
    pub(crate) async fn make_notices(&self, seen: &mut Seen) -> Result<(usize, bool), StoreError> {
        let webhooks = self.store.active_webhooks().await?;
        seen.retain(|id, _| webhooks.iter().any(|webhook| webhook.id == *id));
        if webhooks.is_empty() {
            return Ok((0, false));
        }
        let settled = self.store.outbox_span().await?.settled;
        let mut more = false;
        for webhook in &webhooks {
            match self.make_notices_of(webhook, settled, seen).await {
                Ok(left) => more |= left,
                // Another server was faster.
                Err(StoreError::Conflict) => more = true,
                Err(error) => return Err(error),
            }
        }
        Ok((webhooks.len(), more))
    }

    async fn make_notices_of(
        &self,
        webhook: &Webhook,
        settled: i64,
        seen: &mut Seen,
    ) -> Result<bool, StoreError> {
        let workspace = webhook.workspace;
        let after = seen
            .get(&webhook.id)
            .map_or(webhook.position, |seen| webhook.position.max(*seen));
        let upto = settled.min(after.saturating_add(REACH));
        if upto <= after {
            return Ok(false);
        }
        let entries = self.store.list_events(workspace, after, upto, PAGE).await?;
        // Past the last one that was read there may be more.
        let mut to = if entries.len() < PAGE {
            upto
        } else {
            entries.last().map_or(upto, |entry| entry.number)
        };
        let mut wanted: Vec<&OutboxEntry> = entries
            .iter()
            .filter(|entry| webhook.types.takes(&entry.event))
            .collect();
        if !wanted.is_empty() {
            let waiting = self
                .store
                .count_in_lanes(workspace, &webhook.lanes(), MOST_WAITING)
                .await?;
            let room = MOST_WAITING.saturating_sub(waiting);
            if room < wanted.len() {
                wanted.truncate(room);
                to = wanted.last().map_or(after, |entry| entry.number);
            }
            if wanted.is_empty() {
                return Ok(false);
            }
        }
        if !wanted.is_empty() || to - webhook.position > LONGEST_UNWRITTEN {
            self.commit_notices(webhook, &wanted, to).await?;
        }
        seen.insert(webhook.id, to);
        Ok(to < settled)
    }

    async fn commit_notices(
        &self,
        webhook: &Webhook,
        told: &[&OutboxEntry],
        to: i64,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let mut changes = Changes::by(self.ourselves(), Admission::New);
        changes.change_webhook(
            webhook.workspace,
            WebhookChange::Moved {
                id: webhook.id,
                expected: webhook.position,
                to,
            },
        );
        let positions = self.positions().await?;
        for entry in told {
            let id = positions.show(EVENTS, webhook.workspace, entry.number);
            let author: Author = self.ourselves();
            let facts = TaskFacts {
                id: TaskId(self.ids.id()),
                workspace: webhook.workspace,
                kind: TaskKind::WebhookDeliver,
                source: None,
                patient: None,
                ordering_key: Some(webhook.ordering_key(&subject(&entry.event).1)),
                submitted_by: None,
                request_id: RequestId::generated(self.ids.id()),
                trace: None,
                accepted_at: author.at,
                due_at: None,
                eta: self.eta(webhook.workspace, TaskKind::WebhookDeliver, now).await?,
                retry_of: None,
                fingerprint: None,
            };
            let target = Target {
                kind: TargetKind::Webhook,
                of: entry.event.name(),
                id: webhook.id.to_string(),
            };
            let body = cloud_event(webhook, &id, entry);
            let operation = Operation::pending(0, Action::Deliver, target, Some(body));
            changes.insert_task(NewTask::accepted(facts, vec![operation]));
        }
        self.store.commit(changes).await.map(drop)
    }
}

fn subject(event: &Event) -> (&'static str, String) {
    match event {
        Event::Task { id, .. } => ("tasks", id.to_string()),
        Event::Patient { id } => ("patients", id.to_string()),
        Event::Search { id } => ("searches", id.number().to_string()),
    }
}

/// A notice in the structured form of CloudEvents 1.0: ids and states, no personal data.
fn cloud_event(webhook: &Webhook, id: &str, entry: &OutboxEntry) -> String {
    let (list, subject) = subject(&entry.event);
    // An instant of ours has every part that the format asks for.
    let at = entry.at.format(&Rfc3339).unwrap_or_default();
    json!({
        "specversion": "1.0",
        "id": id,
        "source": format!("urn:uuid:{}", webhook.workspace),
        "type": format!("caretrack.{}", entry.event.name()),
        "subject": format!("{list}/{subject}"),
        "time": at,
        "datacontenttype": "application/json",
        "data": event_data(&entry.event),
    })
    .to_string()
}

/// What is told of an event, wherever it is told.
pub fn event_data(event: &Event) -> serde_json::Value {
    match event {
        Event::Task { id, kind, status } => {
            json!({"id": id, "kind": kind.to_string(), "state": status.to_string()})
        }
        Event::Patient { id } => json!({"id": id}),
        Event::Search { id } => json!({"searchId": id.number()}),
    }
}
