//! The table drives the test: every command in every state, and laws over random histories.

use super::*;
use proptest::prelude::*;
use std::str::FromStr;
use strum::IntoEnumIterator;
use time::Duration;
use time::macros::datetime;
use uuid::Uuid;

const NOW: Instant = datetime!(2026-03-02 09:15 UTC);
const TOKEN: LeaseToken = LeaseToken(Uuid::from_u128(7));

fn facts() -> TaskFacts {
    TaskFacts {
        id: TaskId(Uuid::from_u128(1)),
        workspace: WorkspaceId(Uuid::from_u128(2)),
        kind: TaskKind::RegistryWrite,
        source: None,
        patient: None,
        ordering_key: None,
        submitted_by: None,
        request_id: RequestId::generated(Uuid::from_u128(3)),
        trace: None,
        accepted_at: NOW,
        due_at: None,
        eta: NOW,
        retry_of: None,
        fingerprint: None,
    }
}

fn lease(until: Instant) -> Lease {
    Lease {
        token: TOKEN,
        worker: WorkerId(Uuid::from_u128(9)),
        until,
    }
}

fn refusal() -> Refusal {
    Refusal::new(crate::RefusalKind::NotFound, "There is no patient pt-1.")
}

fn state(status: TaskStatus) -> TaskState {
    match status {
        TaskStatus::Queued => TaskState::Queued,
        TaskStatus::Running => TaskState::Running {
            lease: lease(NOW),
            cancel_requested: false,
        },
        TaskStatus::RetryScheduled => TaskState::RetryScheduled { at: NOW },
        TaskStatus::Held => TaskState::Held {
            reason: "review".into(),
        },
        TaskStatus::Succeeded => TaskState::Succeeded { finished_at: NOW },
        TaskStatus::Failed => TaskState::Failed {
            finished_at: NOW,
            failure: Failure::Broken("disk".into()),
        },
        TaskStatus::Cancelled => TaskState::Cancelled { finished_at: NOW },
    }
}

fn task_in(status: TaskStatus) -> Task {
    Task::restore(facts(), 1, 4, Tally::pending_of(1), Vec::new(), state(status))
}

fn command(kind: TaskCommandKind, token: LeaseToken, by: Fence, settled: Settled) -> TaskCommand {
    match kind {
        TaskCommandKind::Claim => TaskCommand::Claim {
            lease: Lease {
                token,
                ..lease(NOW + Duration::SECOND)
            },
        },
        TaskCommandKind::Progress => TaskCommand::Progress { token, settled },
        TaskCommandKind::Complete => TaskCommand::Complete { token, settled },
        TaskCommandKind::Refuse => TaskCommand::Refuse {
            token,
            settled,
            refusal: refusal(),
        },
        TaskCommandKind::Hold => TaskCommand::Hold {
            token,
            settled,
            reason: "review".into(),
        },
        TaskCommandKind::Release => TaskCommand::Release,
        TaskCommandKind::Reschedule => TaskCommand::Reschedule {
            by,
            at: NOW,
            error: "disk".into(),
        },
        TaskCommandKind::GiveUp => TaskCommand::GiveUp {
            by,
            error: "disk".into(),
        },
        TaskCommandKind::GiveBack => TaskCommand::GiveBack { token },
        TaskCommandKind::Cancel => TaskCommand::Cancel,
        TaskCommandKind::Stop => TaskCommand::Stop { token, settled },
    }
}

/// Every cell of the text table.
fn cells() -> Vec<(TaskStatus, TaskCommandKind, Option<TaskStatus>)> {
    let mut lines = include_str!("../task_transitions.txt")
        .lines()
        .map(str::split_whitespace);
    let commands: Vec<TaskCommandKind> = lines
        .next()
        .unwrap()
        .skip(1)
        .map(|word| TaskCommandKind::from_str(word).unwrap())
        .collect();
    assert_eq!(
        commands,
        TaskCommandKind::iter().collect::<Vec<_>>(),
        "a command is missing in the table"
    );
    let mut states = Vec::new();
    let mut cells = Vec::new();
    for mut row in lines {
        let from = TaskStatus::from_str(row.next().unwrap()).unwrap();
        states.push(from);
        for (command, cell) in commands.iter().zip(row) {
            let to = (cell != ".").then(|| TaskStatus::from_str(cell).unwrap());
            cells.push((from, *command, to));
        }
    }
    assert_eq!(
        states,
        TaskStatus::iter().collect::<Vec<_>>(),
        "a state is missing in the table"
    );
    assert_eq!(cells.len(), states.len() * commands.len());
    cells
}

#[test]
fn the_machine_is_the_table() {
    for (from, kind, to) in cells() {
        let one = Settled {
            succeeded: 1,
            ..Settled::default()
        };
        let result = task_in(from).apply(command(kind, TOKEN, Fence::Expiry(NOW), one), NOW);
        match (to, result) {
            (Some(to), Ok(transition)) => {
                assert_eq!(transition.task().status(), to, "{from} {kind}");
                assert_eq!((transition.before(), transition.command()), (from, kind));
                assert_eq!(transition.expected_revision(), 4);
            }
            (None, Err(refused)) => assert_eq!((refused.from, refused.command), (from, kind.to_string())),
            (to, result) => panic!("{from} {kind}: the table says {to:?}, the machine {result:?}"),
        }
    }
}

#[test]
fn terminal_states_are_rows_of_dots() {
    for (from, kind, to) in cells() {
        assert!(!(from.is_terminal() && to.is_some()), "{from} {kind}");
    }
}

#[test]
fn a_task_is_not_claimed_before_it_is_due() {
    let due = TaskFacts {
        due_at: Some(NOW + Duration::SECOND),
        ..facts()
    };
    let task = NewTask::accepted(due, Vec::new()).task().clone();
    let claim = TaskCommand::Claim { lease: lease(NOW) };
    assert_eq!(
        task.clone().apply(claim.clone(), NOW).unwrap_err().because,
        "it is not due yet"
    );
    assert!(task.apply(claim, NOW + Duration::SECOND).is_ok());
}

#[test]
fn giving_back_does_not_count_the_attempt() {
    let running = task_in(TaskStatus::Queued)
        .apply(TaskCommand::Claim { lease: lease(NOW) }, NOW)
        .unwrap()
        .into_task();
    assert_eq!(running.attempts().len(), 1);
    let back = running
        .apply(TaskCommand::GiveBack { token: TOKEN }, NOW)
        .unwrap()
        .into_task();
    assert!(back.attempts().is_empty());
}

#[test]
fn completion_needs_every_operation_done() {
    let left = TaskCommand::Complete {
        token: TOKEN,
        settled: Settled::default(),
    };
    assert!(task_in(TaskStatus::Running).apply(left, NOW).is_err());
    let failed = Settled {
        failed: 1,
        ..Settled::default()
    };
    let failed = TaskCommand::Complete {
        token: TOKEN,
        settled: failed,
    };
    assert!(task_in(TaskStatus::Running).apply(failed, NOW).is_err());
    let many = Settled {
        succeeded: 2,
        ..Settled::default()
    };
    let many = TaskCommand::Complete {
        token: TOKEN,
        settled: many,
    };
    assert!(task_in(TaskStatus::Running).apply(many, NOW).is_err());
}

#[test]
fn only_a_broken_task_is_tried_again() {
    let payload = Some("{}".to_owned());
    let target = Target {
        kind: TargetKind::Resource,
        of: "patient".into(),
        id: "pt-1".into(),
    };
    let operation = Operation {
        receipt: Receipt::Broken { at: NOW },
        ..Operation::pending(0, Action::Upsert, target, payload.clone())
    };
    let again = NewTask::retrying(&task_in(TaskStatus::Failed), vec![operation.clone()], facts()).unwrap();
    assert_eq!(again.task().facts().retry_of, Some(TaskId(Uuid::from_u128(1))));
    assert_eq!(again.operations()[0].receipt, Receipt::Pending);
    assert_eq!(again.operations()[0].payload, payload);
    assert!(NewTask::retrying(&task_in(TaskStatus::Succeeded), vec![operation], facts()).is_err());
}

/// A task with its receipts, kept as a store would.
struct Kept {
    task: Task,
    receipts: Vec<ReceiptStatus>,
}

impl Kept {
    fn apply(&mut self, command: TaskCommand, now: Instant) -> bool {
        let settled = match &command {
            TaskCommand::Progress { settled, .. }
            | TaskCommand::Complete { settled, .. }
            | TaskCommand::Refuse { settled, .. }
            | TaskCommand::Hold { settled, .. }
            | TaskCommand::Stop { settled, .. } => *settled,
            TaskCommand::Claim { .. }
            | TaskCommand::Release
            | TaskCommand::Reschedule { .. }
            | TaskCommand::GiveUp { .. }
            | TaskCommand::GiveBack { .. }
            | TaskCommand::Cancel => Settled::default(),
        };
        let Ok(transition) = self.task.clone().apply(command, now) else {
            return false;
        };
        let mut pending = self
            .receipts
            .iter_mut()
            .filter(|receipt| **receipt == ReceiptStatus::Pending);
        for (count, status) in [
            (settled.succeeded, ReceiptStatus::Succeeded),
            (settled.failed, ReceiptStatus::Refused),
            (settled.cancelled, ReceiptStatus::Cancelled),
        ] {
            (0..count).for_each(|_| *pending.next().unwrap() = status);
        }
        if let Some(TaskEffect::SettleRemaining { receipt, .. }) = transition.effect() {
            pending.for_each(|slot| *slot = receipt.into());
        }
        self.task = transition.into_task();
        true
    }
}

fn any_command() -> impl Strategy<Value = TaskCommand> {
    let kinds = TaskCommandKind::iter().collect::<Vec<_>>();
    let settled = (0..3_u32, 0..2_u32, 0..2_u32).prop_map(|(succeeded, failed, cancelled)| Settled {
        succeeded,
        failed,
        cancelled,
    });
    (prop::sample::select(kinds), 0..3_u128, any::<bool>(), settled).prop_map(
        |(kind, token, expiry, settled)| {
            let token = LeaseToken(Uuid::from_u128(token));
            let by = if expiry {
                Fence::Expiry(NOW)
            } else {
                Fence::Holder(token)
            };
            command(kind, token, by, settled)
        },
    )
}

proptest! {
    #[test]
    fn nothing_leaves_a_terminal_state_and_its_receipts_are_all_terminal(
        total in 0..5_u32, commands in prop::collection::vec(any_command(), 0..60),
    ) {
        let task = Task::restore(facts(), 1, 0, Tally::pending_of(total), Vec::new(), TaskState::Queued);
        let mut kept = Kept { task, receipts: vec![ReceiptStatus::Pending; total as usize] };
        for (step, command) in (0_i64..).zip(commands) {
            let before = kept.task.clone();
            let applied = kept.apply(command, NOW + Duration::seconds(step));
            if before.status().is_terminal() || !applied {
                prop_assert_eq!(&before, &kept.task);
            } else {
                prop_assert_eq!(before.revision() + 1, kept.task.revision());
            }
            let pending = kept.receipts.iter().filter(|r| **r == ReceiptStatus::Pending).count();
            prop_assert_eq!(pending, kept.task.tally().pending() as usize);
            if kept.task.status().is_terminal() {
                prop_assert_eq!(pending, 0);
            }
        }
    }

    #[test]
    fn a_lost_lease_never_changes_a_running_task(kind in prop::sample::select(TaskCommandKind::iter().collect::<Vec<_>>())) {
        let lost = LeaseToken(Uuid::from_u128(8));
        let one = Settled { succeeded: 1, ..Settled::default() };
        let result = task_in(TaskStatus::Running).apply(command(kind, lost, Fence::Holder(lost), one), NOW);
        prop_assert_eq!(result.is_ok(), kind == TaskCommandKind::Cancel);
    }

    #[test]
    fn a_lease_is_not_taken_before_it_runs_out(early in 1..30_i64) {
        let by = Fence::Expiry(NOW - Duration::seconds(early));
        let give_up = TaskCommand::GiveUp { by, error: "gone".into() };
        // However far the time of the domain is ahead of the system's.
        let result = task_in(TaskStatus::Running).apply(give_up, NOW + Duration::days(42));
        prop_assert!(result.is_err());
    }
}
