//! How operators are shown what there is.

use crate::http::rfc3339;
use caretrack_domain::{
    Actor, Attempt, AuditEntry, Credential, Failure, Instant, LocalPatientId, Operation, Patient, Problem,
    Receipt, ReceiptStatus, Refusal, Task, TaskState, Workspace,
};
use caretrack_ports::QueueFigures;
use serde_json::{Map, Value, json};

/// An object without the members that say nothing.
fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let said = members.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(
        said.map(|(name, value)| (name.to_owned(), value))
            .collect::<Map<_, _>>(),
    )
}

fn time(at: Option<Instant>) -> Value {
    at.map(rfc3339).into()
}

pub fn workspace(workspace: &Workspace) -> Value {
    json!({
        "id": workspace.id, "key": workspace.key, "options": workspace.options,
        "createdAt": rfc3339(workspace.created_at),
    })
}

pub fn credential(credential: &Credential) -> Value {
    object([
        ("id", json!(credential.id)),
        ("kind", json!(credential.kind().to_string())),
        ("name", json!(credential.name)),
        ("scopes", credential.scopes.words().collect()),
        (
            "administrator",
            if credential.administrator {
                json!(true)
            } else {
                Value::Null
            },
        ),
        ("createdAt", time(Some(credential.created_at))),
        ("revokedAt", time(credential.revoked_at)),
    ])
}

/// The credential of ours.
fn actor(actor: Option<&Actor>) -> Value {
    json!(actor.and_then(Actor::credential))
}

/// Whom a token spoke for, where there is no credential of ours.
pub fn subject(actor: Option<&Actor>) -> Value {
    let Some(subject) = actor.and_then(Actor::subject) else {
        return Value::Null;
    };
    object([
        ("sub", json!(subject.sub)),
        ("clientId", json!(subject.client_id)),
    ])
}

pub fn audit((number, entry): &(i64, AuditEntry)) -> Value {
    object([
        ("number", json!(number)),
        ("at", time(Some(entry.at))),
        ("actor", actor(entry.actor.as_ref())),
        ("subject", subject(entry.actor.as_ref())),
        ("requestId", json!(entry.request_id)),
        ("action", json!(entry.action)),
        ("target", json!(entry.target)),
        ("outcome", json!(entry.outcome.to_string())),
    ])
}

pub fn patient(patient: &Patient) -> Value {
    object([
        ("id", json!(patient.id)),
        ("wmdaId", json!(patient.wmda_id.number())),
        (
            "patientId",
            json!(patient.local_id.as_ref().map(LocalPatientId::expose)),
        ),
        ("active", json!(patient.active)),
        ("createdAt", time(Some(patient.created_at))),
    ])
}

pub fn queue(figures: &QueueFigures, now: Instant) -> Value {
    let age = figures
        .oldest_accepted_at
        .map(|at| (now - at).whole_milliseconds().max(0));
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = figures.ended_last_minute as f64 / 60.0;
    object([
        ("kind", json!(figures.kind.to_string())),
        ("paused", json!(figures.paused)),
        ("queued", json!(figures.queued)),
        ("running", json!(figures.running)),
        ("held", json!(figures.held)),
        ("retrying", json!(figures.retrying)),
        (
            "oldestWaitingMs",
            json!(age.and_then(|age| u64::try_from(age).ok())),
        ),
        ("endedLastMinute", json!(figures.ended_last_minute)),
        ("perSecond", json!(rate)),
        ("failed", json!(figures.failed)),
    ])
}

pub fn task(task: &Task, now: Instant) -> Value {
    let facts = task.facts();
    let tally = task.tally();
    object([
        ("id", json!(task.id())),
        ("kind", json!(facts.kind.to_string())),
        ("state", json!(task.status().to_string())),
        ("source", json!(facts.source)),
        ("patient", json!(facts.patient)),
        ("orderingKey", json!(facts.ordering_key)),
        ("submittedBy", actor(facts.submitted_by.as_ref())),
        ("subject", subject(facts.submitted_by.as_ref())),
        ("requestId", json!(facts.request_id)),
        ("acceptedAt", time(Some(facts.accepted_at))),
        ("dueAt", time(facts.due_at)),
        (
            "eta",
            time((!task.status().is_terminal()).then(|| facts.eta.max(now))),
        ),
        ("finishedAt", time(task.finished_at())),
        ("retryOf", json!(facts.retry_of)),
        (
            "cancelRequested",
            if task.cancel_requested() {
                json!(true)
            } else {
                Value::Null
            },
        ),
        ("heldFor", held_for(task)),
        ("error", last_error(task)),
        (
            "operations",
            json!({
                "total": tally.total, "pending": tally.pending(), "succeeded": tally.succeeded,
                "failed": tally.failed, "cancelled": tally.cancelled,
            }),
        ),
    ])
}

fn held_for(task: &Task) -> Value {
    match task.state() {
        TaskState::Held { reason } => json!(reason),
        TaskState::Queued
        | TaskState::Running { .. }
        | TaskState::RetryScheduled { .. }
        | TaskState::Succeeded { .. }
        | TaskState::Failed { .. }
        | TaskState::Cancelled { .. } => Value::Null,
    }
}

/// Why it failed, or what went wrong last.
fn last_error(task: &Task) -> Value {
    match task.state() {
        TaskState::Failed {
            failure: Failure::Refused(why),
            ..
        } => refusal(why),
        TaskState::Failed {
            failure: Failure::Broken(error),
            ..
        } => json!({"kind": "broken", "message": error}),
        TaskState::Queued | TaskState::Running { .. } | TaskState::RetryScheduled { .. } => {
            let last = task
                .attempts()
                .iter()
                .rev()
                .find_map(|attempt| attempt.error.as_ref());
            last.map_or(Value::Null, |error| json!({"kind": "retrying", "message": error}))
        }
        TaskState::Held { .. } | TaskState::Succeeded { .. } | TaskState::Cancelled { .. } => Value::Null,
    }
}

fn refusal(refusal: &Refusal) -> Value {
    let problem =
        |problem: &Problem| json!({"path": problem.path, "rule": problem.rule, "message": problem.message});
    let problems: Vec<_> = refusal.problems.iter().map(problem).collect();
    json!({"kind": "refused", "message": refusal.message, "problems": problems})
}

pub fn attempts(task: &Task) -> Value {
    let attempt = |attempt: &Attempt| {
        object([
            ("worker", json!(attempt.worker)),
            ("startedAt", time(Some(attempt.started_at))),
            ("endedAt", time(attempt.ended_at)),
            ("error", json!(attempt.error)),
        ])
    };
    task.attempts().iter().map(attempt).collect()
}

/// What happened to it, in order.
pub fn timeline(task: &Task) -> Value {
    let event = |at: Instant, event: &str| json!({"at": rfc3339(at), "event": event});
    let mut events = vec![event(task.facts().accepted_at, "accepted")];
    for attempt in task.attempts() {
        events.push(event(attempt.started_at, "started"));
        if let (Some(ended_at), Some(_)) = (attempt.ended_at, &attempt.error) {
            events.push(event(ended_at, "broke"));
        }
    }
    if let Some(at) = task.finished_at() {
        events.push(event(at, &task.status().to_string()));
    }
    events.into()
}

pub fn receipt(operation: &Operation) -> Value {
    let error = match &operation.receipt {
        Receipt::Refused { refusal: why, .. } => refusal(why),
        Receipt::Pending | Receipt::Succeeded { .. } | Receipt::Broken { .. } | Receipt::Cancelled { .. } => {
            Value::Null
        }
    };
    let target = &operation.target;
    object([
        ("seq", json!(operation.seq)),
        ("action", json!(operation.action.to_string())),
        (
            "target",
            json!({"kind": target.kind.to_string(), "type": target.of, "id": target.id}),
        ),
        (
            "state",
            json!(ReceiptStatus::from(&operation.receipt).to_string()),
        ),
        ("completedAt", time(operation.receipt.completed_at())),
        ("error", error),
    ])
}
