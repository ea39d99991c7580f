//! Tasks and operations.

use super::{Cells, Row, bytes, credential_of, json, micros, position, subject_of};
use caretrack_domain::{
    Attempt, Failure, Fingerprint, Key, Lease, LeaseToken, Operation, OrderingKey, PatientId, Receipt,
    ReceiptStatus, Refusal, RequestId, Tally, Target, Task, TaskFacts, TaskId, TaskState, TaskStatus,
    TraceParent, WorkerId, WorkspaceId,
};
use caretrack_ports::StoreError;
use sea_orm::{QueryResult, Value};

pub(crate) const COLUMNS: [&str; 33] = [
    "id",
    "workspace_id",
    "kind",
    "place",
    "revision",
    "status",
    "source",
    "patient_id",
    "ordering_key",
    "submitted_by",
    "subject",
    "request_id",
    "traceparent",
    "accepted_at",
    "due_at",
    "eta",
    "retry_of",
    "fingerprint",
    "total",
    "succeeded",
    "failed",
    "cancelled",
    "attempts",
    "detail",
    "finished_at",
    "lease_token",
    "lease_worker",
    "lease_until",
    "cancel_requested",
    "lane",
    "blocked",
    "claimable_at",
    "ready_at",
];

/// Many endings at once: `WITH`, [`ENDED`], the tuples of [`ending_values`], `)`, [`END`].
pub(crate) const ENDED: &str =
    "ended(id, revision, status, succeeded, failed, cancelled, attempts, detail, finished_at) AS (VALUES ";
pub(crate) const END: &str = "UPDATE tasks SET revision = ended.revision, status = ended.status, \
     succeeded = ended.succeeded, failed = ended.failed, cancelled = ended.cancelled, \
     attempts = ended.attempts, detail = ended.detail, finished_at = ended.finished_at, \
     lease_token = NULL, lease_worker = NULL, lease_until = NULL, cancel_requested = FALSE, \
     lane = NULL, blocked = FALSE, claimable_at = NULL, ready_at = NULL FROM ended WHERE tasks.id = ended.id";

pub(crate) const ENDING_COLUMNS: usize = 9;

pub(crate) fn ending_values(task: &Task) -> Vec<Value> {
    let tally = task.tally();
    vec![
        task.id().0.into(),
        task.revision().into(),
        task.status().to_string().into(),
        i64::from(tally.succeeded).into(),
        i64::from(tally.failed).into(),
        i64::from(tally.cancelled).into(),
        attempts(task).into(),
        detail(task.state()).into(),
        task.finished_at().map(micros).into(),
    ]
}

/// Without its place, and as if nothing blocked it: see [`number`].
pub(crate) fn values(task: &Task) -> Vec<Value> {
    let facts = task.facts();
    let status = task.status();
    let tally = task.tally();
    let lane = if status.occupies_key() {
        facts.ordering_key.as_ref()
    } else {
        None
    };
    let claimable_at = task.claimable_at().map(micros);
    let (lease, cancel_requested) = match task.state() {
        TaskState::Running {
            lease,
            cancel_requested,
        } => (Some(lease), *cancel_requested),
        TaskState::Queued
        | TaskState::RetryScheduled { .. }
        | TaskState::Held { .. }
        | TaskState::Succeeded { .. }
        | TaskState::Failed { .. }
        | TaskState::Cancelled { .. } => (None, false),
    };
    vec![
        facts.id.0.into(),
        facts.workspace.0.into(),
        facts.kind.to_string().into(),
        0_i64.into(),
        task.revision().into(),
        status.to_string().into(),
        facts.source.as_ref().map(|key| key.as_str().to_owned()).into(),
        facts.patient.map(|id| id.0).into(),
        facts.ordering_key.as_ref().map(|key| key.0.clone()).into(),
        credential_of(facts.submitted_by.as_ref()),
        subject_of(facts.submitted_by.as_ref()),
        facts.request_id.as_str().into(),
        facts.trace.map(|trace| trace.to_string()).into(),
        micros(facts.accepted_at).into(),
        facts.due_at.map(micros).into(),
        micros(facts.eta).into(),
        facts.retry_of.map(|id| id.0).into(),
        facts
            .fingerprint
            .map_or(Value::Bytes(None), |print| bytes(print.0)),
        i64::from(tally.total).into(),
        i64::from(tally.succeeded).into(),
        i64::from(tally.failed).into(),
        i64::from(tally.cancelled).into(),
        attempts(task).into(),
        detail(task.state()).into(),
        task.finished_at().map(micros).into(),
        lease.map(|lease| lease.token.0).into(),
        lease.map(|lease| lease.worker.0).into(),
        lease.map(|lease| micros(lease.until)).into(),
        cancel_requested.into(),
        lane.map(|key| self::lane(facts.workspace, key)).into(),
        false.into(),
        claimable_at.into(),
        claimable_at.into(),
    ]
}

const PLACE: usize = position(&COLUMNS, "place");
const BLOCKED: usize = position(&COLUMNS, "blocked");
const READY_AT: usize = position(&COLUMNS, "ready_at");

/// Says what only the batch can tell of a task's row.
pub(crate) fn number(row: &mut [Value], place: i64, blocked: bool) {
    row[PLACE] = place.into();
    if blocked {
        row[BLOCKED] = true.into();
        row[READY_AT] = Value::BigInt(None);
    }
}

pub(crate) fn attempts(task: &Task) -> String {
    json(task.attempts())
}

/// Where the tasks of one ordering key wait.
pub(crate) fn lane(workspace: WorkspaceId, key: &OrderingKey) -> String {
    format!("{}/{}", workspace.0.simple(), key.0)
}

/// What a state knows beside its name and the columns of its own.
fn detail(state: &TaskState) -> Option<String> {
    match state {
        TaskState::RetryScheduled { at } => Some(micros(*at).to_string()),
        TaskState::Held { reason } => Some(reason.clone()),
        TaskState::Failed { failure, .. } => Some(json(failure)),
        TaskState::Queued
        | TaskState::Running { .. }
        | TaskState::Succeeded { .. }
        | TaskState::Cancelled { .. } => None,
    }
}

pub(crate) fn read(result: &QueryResult) -> Result<Task, StoreError> {
    decode(result.into())
}

pub(crate) fn decode(cells: Cells<'_>) -> Result<Task, StoreError> {
    let mut row = Row::new("tasks", &COLUMNS, cells);
    let id = row.uuid(TaskId)?;
    let workspace = row.uuid(WorkspaceId)?;
    let kind = row.word()?;
    let place = row.take()?;
    let revision = row.take()?;
    let status: TaskStatus = row.word()?;
    let facts = TaskFacts {
        id,
        workspace,
        kind,
        source: row.maybe_text(|text| Key::parse(text).ok())?,
        patient: row.maybe_uuid(PatientId)?,
        ordering_key: row.take::<Option<String>>()?.map(OrderingKey),
        submitted_by: row.actor()?,
        request_id: row.text(RequestId::parse)?,
        trace: row.maybe_text(TraceParent::parse)?,
        accepted_at: row.instant()?,
        due_at: row.maybe_instant()?,
        eta: row.instant()?,
        retry_of: row.maybe_uuid(TaskId)?,
        fingerprint: row.hash()?.map(Fingerprint),
    };
    let tally = Tally {
        total: row.count()?,
        succeeded: row.count()?,
        failed: row.count()?,
        cancelled: row.count()?,
    };
    let attempts: Vec<Attempt> = row.text(|text| serde_json::from_str(text).ok())?;
    let detail: Option<String> = row.take()?;
    let finished_at = row.maybe_instant()?;
    let token = row.maybe_uuid(LeaseToken)?;
    let worker = row.maybe_uuid(WorkerId)?;
    let until = row.maybe_instant()?;
    let cancel_requested = row.take()?;
    let lease = match (token, worker, until) {
        (Some(token), Some(worker), Some(until)) => Some(Lease { token, worker, until }),
        _ => None,
    };
    let state = state(status, lease, cancel_requested, finished_at, detail)
        .ok_or_else(|| row.nonsense((status, "without what belongs to it")))?;
    Ok(Task::restore(facts, place, revision, tally, attempts, state))
}

fn state(
    status: TaskStatus,
    lease: Option<Lease>,
    cancel_requested: bool,
    finished_at: Option<caretrack_domain::Instant>,
    detail: Option<String>,
) -> Option<TaskState> {
    Some(match status {
        TaskStatus::Queued => TaskState::Queued,
        TaskStatus::Running => TaskState::Running {
            lease: lease?,
            cancel_requested,
        },
        TaskStatus::RetryScheduled => TaskState::RetryScheduled {
            at: super::from_micros(detail?.parse().ok()?)?,
        },
        TaskStatus::Held => TaskState::Held { reason: detail? },
        TaskStatus::Succeeded => TaskState::Succeeded {
            finished_at: finished_at?,
        },
        TaskStatus::Failed => {
            let failure: Failure = serde_json::from_str(&detail?).ok()?;
            TaskState::Failed {
                finished_at: finished_at?,
                failure,
            }
        }
        TaskStatus::Cancelled => TaskState::Cancelled {
            finished_at: finished_at?,
        },
    })
}

pub(crate) const OPERATION_COLUMNS: [&str; 10] = [
    "task_id",
    "seq",
    "action",
    "target_kind",
    "target_type",
    "target_id",
    "payload",
    "receipt",
    "completed_at",
    "refusal",
];

pub(crate) fn operation_values(task: TaskId, operation: &Operation) -> Vec<Value> {
    let refusal = match &operation.receipt {
        Receipt::Refused { refusal, .. } => Some(json(refusal)),
        Receipt::Pending | Receipt::Succeeded { .. } | Receipt::Broken { .. } | Receipt::Cancelled { .. } => {
            None
        }
    };
    vec![
        task.0.into(),
        i64::from(operation.seq).into(),
        operation.action.to_string().into(),
        operation.target.kind.to_string().into(),
        operation.target.of.clone().into(),
        operation.target.id.clone().into(),
        operation.payload.clone().into(),
        ReceiptStatus::from(&operation.receipt).to_string().into(),
        operation.receipt.completed_at().map(micros).into(),
        refusal.into(),
    ]
}

pub(crate) fn read_operation(cells: Cells<'_>) -> Result<(TaskId, Operation), StoreError> {
    let mut row = Row::new("operations", &OPERATION_COLUMNS, cells);
    let task = row.uuid(TaskId)?;
    let seq = row.count()?;
    let action = row.word()?;
    let target = Target {
        kind: row.word()?,
        of: row.take()?,
        id: row.take()?,
    };
    let payload = row.take()?;
    let status: ReceiptStatus = row.word()?;
    let at = row.maybe_instant()?;
    let refusal: Option<Refusal> = row.maybe_text(|text| serde_json::from_str(text).ok())?;
    let receipt = match (status, at, refusal) {
        (ReceiptStatus::Pending, None, None) => Receipt::Pending,
        (ReceiptStatus::Succeeded, Some(at), None) => Receipt::Succeeded { at },
        (ReceiptStatus::Refused, Some(at), Some(refusal)) => Receipt::Refused { at, refusal },
        (ReceiptStatus::Broken, Some(at), None) => Receipt::Broken { at },
        (ReceiptStatus::Cancelled, Some(at), None) => Receipt::Cancelled { at },
        (status, at, _) => return Err(row.nonsense((status, at))),
    };
    Ok((
        task,
        Operation {
            seq,
            action,
            target,
            payload,
            receipt,
        },
    ))
}
