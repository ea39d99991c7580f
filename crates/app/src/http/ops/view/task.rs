//! A task, from all sides.

use super::{List, Subject, actor, subject};
use crate::http::openapi::parts;
use crate::http::rfc3339;
use caretrack_domain::{
    Attempt, Failure, Instant, Operation, Problem, Receipt, ReceiptStatus, Refusal, Task, TaskState,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// One accepted unit of work.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OpsTask)]
pub struct TaskView {
    id: Uuid,
    #[schema(schema_with = parts::task_kind)]
    kind: &'static str,
    #[schema(schema_with = parts::task_state)]
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patient: Option<Uuid>,
    /// Tasks that share it run one at a time, in the order of acceptance.
    #[serde(skip_serializing_if = "Option::is_none")]
    ordering_key: Option<String>,
    /// The credential of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    submitted_by: Option<Uuid>,
    /// Whom a token spoke for, where there is no credential of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Subject>,
    request_id: String,
    /// The span of the request, as the W3C header writes it, where it was traced.
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    #[schema(format = DateTime)]
    accepted_at: String,
    /// Not to be started before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    due_at: Option<String>,
    /// When it is expected to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    eta: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    finished_at: Option<String>,
    /// The broken task that this one tries again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_of: Option<Uuid>,
    /// There and true while a running task is told to stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_requested: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held_for: Option<String>,
    /// Why it failed, or what went wrong last.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<TaskError>,
    operations: Tally,
}

/// A task with its history.
#[derive(Serialize, ToSchema)]
#[schema(as = OpsTaskDetails)]
pub struct TaskDetails {
    #[serde(flatten)]
    pub task: TaskView,
    pub attempts: Vec<AttemptView>,
    pub timeline: Vec<Event>,
    pub receipts: List<ReceiptView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OpsTaskError)]
pub struct TaskError {
    #[schema(schema_with = parts::task_error_kind)]
    kind: &'static str,
    message: String,
    /// What was wrong with the request, if it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    problems: Option<Vec<ProblemView>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OpsProblemDetail)]
pub struct ProblemView {
    /// A JSONPath from the body, or `path.id`, `query.limit`, `header.if-match`.
    pub path: String,
    #[schema(schema_with = parts::rule)]
    pub rule: &'static str,
    pub message: String,
}

/// How many of its operations stand how.
#[derive(Serialize, ToSchema)]
#[schema(as = OpsTally)]
pub struct Tally {
    total: u32,
    pending: u32,
    succeeded: u32,
    failed: u32,
    cancelled: u32,
}

/// One run, or the start of one.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OpsAttempt)]
pub struct AttemptView {
    worker: Uuid,
    #[schema(format = DateTime)]
    started_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    ended_at: Option<String>,
    /// The system fault that ended it, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OpsTaskEvent)]
pub struct Event {
    #[schema(format = DateTime)]
    at: String,
    event: String,
}

/// What became of one operation.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OpsReceipt)]
pub struct ReceiptView {
    seq: u32,
    #[schema(schema_with = parts::action)]
    action: &'static str,
    target: Target,
    #[schema(schema_with = parts::receipt_state)]
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    completed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<TaskError>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OpsTarget)]
pub struct Target {
    #[schema(schema_with = parts::target_kind)]
    kind: &'static str,
    #[serde(rename = "type")]
    of: String,
    id: String,
}

pub fn task(task: &Task, now: Instant) -> TaskView {
    let facts = task.facts();
    let tally = task.tally();
    TaskView {
        id: task.id().0,
        kind: facts.kind.into(),
        state: task.status().into(),
        source: facts.source.as_ref().map(ToString::to_string),
        patient: facts.patient.map(|patient| patient.0),
        ordering_key: facts.ordering_key.as_ref().map(|key| key.0.clone()),
        submitted_by: actor(facts.submitted_by.as_ref()),
        subject: subject(facts.submitted_by.as_ref()),
        request_id: facts.request_id.as_str().to_owned(),
        traceparent: facts.trace.map(|trace| trace.to_string()),
        accepted_at: rfc3339(facts.accepted_at),
        due_at: facts.due_at.map(rfc3339),
        eta: (!task.status().is_terminal()).then(|| rfc3339(facts.eta.max(now))),
        finished_at: task.finished_at().map(rfc3339),
        retry_of: facts.retry_of.map(|task| task.0),
        cancel_requested: task.cancel_requested().then_some(true),
        held_for: held_for(task),
        error: last_error(task),
        operations: Tally {
            total: tally.total,
            pending: tally.pending(),
            succeeded: tally.succeeded,
            failed: tally.failed,
            cancelled: tally.cancelled,
        },
    }
}

fn held_for(task: &Task) -> Option<String> {
    match task.state() {
        TaskState::Held { reason } => Some(reason.clone()),
        TaskState::Queued
        | TaskState::Running { .. }
        | TaskState::RetryScheduled { .. }
        | TaskState::Succeeded { .. }
        | TaskState::Failed { .. }
        | TaskState::Cancelled { .. } => None,
    }
}

fn last_error(task: &Task) -> Option<TaskError> {
    let plain = |kind, message: &str| TaskError {
        kind,
        message: message.to_owned(),
        problems: None,
    };
    match task.state() {
        TaskState::Failed {
            failure: Failure::Refused(why),
            ..
        } => Some(refusal(why)),
        TaskState::Failed {
            failure: Failure::Broken(error),
            ..
        } => Some(plain("broken", error)),
        TaskState::Queued | TaskState::Running { .. } | TaskState::RetryScheduled { .. } => {
            let mut errors = task
                .attempts()
                .iter()
                .rev()
                .filter_map(|attempt| attempt.error.as_ref());
            errors.next().map(|error| plain("retrying", error))
        }
        TaskState::Held { .. } | TaskState::Succeeded { .. } | TaskState::Cancelled { .. } => None,
    }
}

fn refusal(refusal: &Refusal) -> TaskError {
    TaskError {
        kind: "refused",
        message: refusal.message.clone(),
        problems: Some(refusal.problems.iter().map(problem).collect()),
    }
}

pub fn problem(problem: &Problem) -> ProblemView {
    ProblemView {
        path: problem.path.clone(),
        rule: problem.rule.into(),
        message: problem.message.clone(),
    }
}

pub fn attempts(task: &Task) -> Vec<AttemptView> {
    let attempt = |attempt: &Attempt| AttemptView {
        worker: attempt.worker.0,
        started_at: rfc3339(attempt.started_at),
        ended_at: attempt.ended_at.map(rfc3339),
        error: attempt.error.clone(),
    };
    task.attempts().iter().map(attempt).collect()
}

/// What happened to it, in order.
pub fn timeline(task: &Task) -> Vec<Event> {
    let event = |at: Instant, event: &str| Event {
        at: rfc3339(at),
        event: event.to_owned(),
    };
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
    events
}

pub fn receipt(operation: &Operation) -> ReceiptView {
    let error = match &operation.receipt {
        Receipt::Refused { refusal: why, .. } => Some(refusal(why)),
        Receipt::Pending | Receipt::Succeeded { .. } | Receipt::Broken { .. } | Receipt::Cancelled { .. } => {
            None
        }
    };
    let target = &operation.target;
    ReceiptView {
        seq: operation.seq,
        action: operation.action.into(),
        target: Target {
            kind: target.kind.into(),
            of: target.of.clone(),
            id: target.id.clone(),
        },
        state: ReceiptStatus::from(&operation.receipt).into(),
        completed_at: operation.receipt.completed_at().map(rfc3339),
        error,
    }
}
