//! Claims: what may start, oldest first, everyone's turn, each to one.

use crate::fixture::{Contract, Outcome};
use crate::samples::{
    KIND, LEASE, OURS, THEIRS, at, facts, hold, lease, operation, operations, succeeded, task_id, token,
};
use crate::world::{World, transition};
use caretrack_domain::{
    Fence, Instant, Settled, Task, TaskCommand, TaskFacts, TaskId, TaskState, TaskStatus,
};
use caretrack_ports::{Claim, OPERATIONS_AT_ONCE};
use time::Duration;

pub(crate) const CONTRACTS: &[Contract] = &[
    ("a_claim_leases_the_task", |w| {
        Box::pin(a_claim_leases_the_task(w))
    }),
    ("a_claim_announces_nothing", |w| {
        Box::pin(a_claim_announces_nothing(w))
    }),
    ("the_oldest_is_claimed_first", |w| {
        Box::pin(the_oldest_is_claimed_first(w))
    }),
    ("microseconds_tell_who_is_older", |w| {
        Box::pin(microseconds_tell_who_is_older(w))
    }),
    ("a_claim_keeps_its_limit", |w| {
        Box::pin(a_claim_keeps_its_limit(w))
    }),
    ("a_busy_workspace_leaves_room_for_another", |w| {
        Box::pin(a_busy_workspace_leaves_room_for_another(w))
    }),
    ("a_claim_takes_only_its_kinds", |w| {
        Box::pin(a_claim_takes_only_its_kinds(w))
    }),
    ("a_task_is_claimed_when_due_and_not_before", |w| {
        Box::pin(a_task_is_claimed_when_due_and_not_before(w))
    }),
    ("a_retry_is_claimed_at_its_time_and_not_before", |w| {
        Box::pin(a_retry_is_claimed_at_its_time_and_not_before(w))
    }),
    ("only_waiting_tasks_are_claimed", |w| {
        Box::pin(only_waiting_tasks_are_claimed(w))
    }),
    ("a_claim_says_when_the_next_is_due", |w| {
        Box::pin(a_claim_says_when_the_next_is_due(w))
    }),
    ("a_claim_brings_the_first_pending_operations", |w| {
        Box::pin(a_claim_brings_the_first_pending_operations(w))
    }),
];

/// The claim is the domain's: lease, attempt, revision; what is stored is what was handed out.
async fn a_claim_leases_the_task(world: World) -> Outcome {
    let queued = world.accept_with(facts(1, 0), operations(2)).await?;
    let mut claimed = world.take(5, 0x71, at(3)).await?;
    assert_eq!(claimed.tasks.len(), 1);
    let claimed = claimed.tasks.remove(0);
    let command = TaskCommand::Claim {
        lease: lease(0x71, at(3)),
    };
    assert_eq!(claimed.task, transition(&queued, command, at(3)).into_task());
    assert_eq!(claimed.operations, operations(2));
    assert_eq!(world.task(task_id(1)).await?, claimed.task);
    assert_eq!(claimed.task.attempts().len(), 1);
    assert_eq!(world.take_ids(at(4)).await?, []);
    Ok(())
}

/// That a worker takes a task is no news.
async fn a_claim_announces_nothing(world: World) -> Outcome {
    world.accept(facts(1, 0)).await?;
    let before = world.list_events(OURS, 0, i64::MAX, 9).await?;
    world.take_one(at(1)).await?;
    assert_eq!(world.list_events(OURS, 0, i64::MAX, 9).await?, before);
    assert_eq!(world.list_audit(Some(OURS), None, 9).await?, []);
    Ok(())
}

/// By the instant from which they may be claimed, then by place.
async fn the_oldest_is_claimed_first(world: World) -> Outcome {
    for (n, seconds) in [(1, 5), (2, 3), (3, 5), (4, 1), (5, 3)] {
        world.accept(facts(n, seconds)).await?;
    }
    // Accepted first and due later than another, last of all.
    let due = TaskFacts {
        due_at: Some(at(6)),
        ..facts(6, 0)
    };
    world.accept(due).await?;
    let expected = [4, 2, 5, 1, 3, 6].map(task_id);
    let first = world.take(2, 0x70, at(9)).await?.tasks;
    let first: Vec<TaskId> = first.iter().map(|claimed| claimed.task.id()).collect();
    assert_eq!(first, expected[..2]);
    assert_eq!(world.take_ids(at(9)).await?, expected[2..]);
    Ok(())
}

/// Instants are compared as instants, not as texts of different lengths.
async fn microseconds_tell_who_is_older(world: World) -> Outcome {
    let instants =
        [0, 1, 499_999, 500_000, 500_001, 999_999, 1_000_000, 1_500_000].map(Duration::microseconds);
    for n in [3_usize, 0, 6, 4, 1, 7, 5, 2] {
        let accepted_at = at(0) + instants[n];
        let n = u32::try_from(n).unwrap_or(0);
        world
            .accept(TaskFacts {
                accepted_at,
                ..facts(n, 0)
            })
            .await?;
    }
    let before: Instant = at(0) + Duration::microseconds(500_000);
    let claimed = world.take_ids(before).await?;
    assert_eq!(claimed, [0, 1, 2, 3].map(task_id));
    assert_eq!(world.take_ids(at(9)).await?, [4, 5, 6, 7].map(task_id));
    Ok(())
}

async fn a_claim_keeps_its_limit(world: World) -> Outcome {
    for n in 0..10 {
        world.accept(facts(n, 0)).await?;
    }
    for expected in [4, 4, 2, 0] {
        assert_eq!(world.take(4, 0x70, at(1)).await?.tasks.len(), expected);
    }
    Ok(())
}

fn theirs(n: u32, seconds: i64) -> TaskFacts {
    TaskFacts {
        workspace: THEIRS,
        ..facts(n, seconds)
    }
}

/// Workspaces take turns: a long queue does not keep a short one waiting.
async fn a_busy_workspace_leaves_room_for_another(world: World) -> Outcome {
    for n in 0..40 {
        world.accept(facts(n, 0)).await?;
    }
    for n in 40..43 {
        world.accept(theirs(n, 5)).await?;
    }
    let claimed = world.take(8, 0x70, at(9)).await?.tasks;
    let of = |workspace| {
        let of = claimed
            .iter()
            .filter(move |c| c.task.facts().workspace == workspace);
        of.map(|c| c.task.id()).collect::<Vec<_>>()
    };
    assert_eq!(of(THEIRS), [40, 41, 42].map(task_id));
    assert!(of(OURS).len() >= 4, "each ready queue has its share");
    assert!(
        of(OURS)
            .iter()
            .copied()
            .eq((0..).map(task_id).take(of(OURS).len())),
        "oldest first"
    );
    // Alone again, it has all of the limit.
    assert_eq!(world.take(8, 0x70, at(9)).await?.tasks.len(), 8);
    Ok(())
}

/// A worker gets only what it has handlers for.
async fn a_claim_takes_only_its_kinds(world: World) -> Outcome {
    world.accept(facts(1, 0)).await?;
    let claim = Claim {
        kinds: std::collections::BTreeMap::new(),
        limit: 5,
        now: at(1),
        lease: lease(0x70, at(1)),
    };
    let claimed = world.claim(claim).await?;
    assert_eq!((claimed.tasks.len(), claimed.next_at), (0, None));
    assert_eq!(world.take_ids(at(1)).await?, [task_id(1)]);
    Ok(())
}

async fn a_task_is_claimed_when_due_and_not_before(world: World) -> Outcome {
    let due = TaskFacts {
        due_at: Some(at(10)),
        ..facts(1, 0)
    };
    world.accept(due).await?;
    assert_eq!(world.take_ids(at(9)).await?, []);
    assert_eq!(world.take_ids(at(10) - Duration::MICROSECOND).await?, []);
    assert_eq!(world.take_ids(at(10)).await?, [task_id(1)]);
    Ok(())
}

async fn a_retry_is_claimed_at_its_time_and_not_before(world: World) -> Outcome {
    world.accept(facts(1, 0)).await?;
    let running = world.take_one(at(1)).await?;
    let scheduled = world.step(&running, retry(&running, at(20)), at(2)).await?;
    assert_eq!(scheduled.state(), &TaskState::RetryScheduled { at: at(20) });
    assert_eq!(world.take_ids(at(20) - Duration::MICROSECOND).await?, []);
    let again = world.take_one(at(20)).await?;
    assert_eq!((again.attempts().len(), again.broken_attempts()), (2, 1));
    Ok(())
}

fn retry(task: &Task, at: Instant) -> TaskCommand {
    TaskCommand::Reschedule {
        by: Fence::Holder(token(task)),
        at,
        error: "the disk is full".to_owned(),
    }
}

/// Held and ended tasks are not for workers, running ones are someone else's, lease or no lease.
async fn only_waiting_tasks_are_claimed(world: World) -> Outcome {
    for n in 1..=4 {
        world.accept(facts(n, 0)).await?;
    }
    let claimed = world.take(3, 0x70, at(1)).await?.tasks;
    let [held, ended, _running] = claimed.as_slice() else {
        panic!("three were there to be claimed");
    };
    world.step(&held.task, hold(&held.task), at(1)).await?;
    let done = crate::samples::complete(&ended.task);
    world.step(&ended.task, done, at(1)).await?;
    let waiting = world.task(task_id(4)).await?;
    world.step(&waiting, TaskCommand::Cancel, at(1)).await?;
    assert_eq!(world.take_ids(at(1) + LEASE * 10).await?, []);
    let running = world.task(task_id(3)).await?;
    assert_eq!(
        running.status(),
        TaskStatus::Running,
        "a lost lease is for the rescuer"
    );
    Ok(())
}

/// So that a worker knows how long it may sleep; one that got all it asked for does not sleep.
async fn a_claim_says_when_the_next_is_due(world: World) -> Outcome {
    assert_eq!(world.take(1, 0x70, at(0)).await?.next_at, None);
    for (n, due) in [(1, 30), (2, 20), (3, 25)] {
        let due = TaskFacts {
            due_at: Some(at(due)),
            ..facts(n, 0)
        };
        world.accept(due).await?;
    }
    world.accept(facts(4, 0)).await?;
    // What is due already, claimed or left over, is not what comes next.
    world.accept(facts(6, 0)).await?;
    let full = world.take(1, 0x70, at(5)).await?;
    assert!([None, Some(at(20))].contains(&full.next_at), "{full:?}");
    let claimed = world.take(5, 0x70, at(5)).await?;
    assert_eq!((claimed.tasks.len(), claimed.next_at), (1, Some(at(20))));
    let claimed = world.take(5, 0x70, at(20)).await?;
    assert_eq!((claimed.tasks.len(), claimed.next_at), (1, Some(at(25))));
    let third = claimed.tasks[0].task.clone();
    world.step(&third, retry(&third, at(22)), at(21)).await?;
    assert_eq!(world.take(5, 0x70, at(21)).await?.next_at, Some(at(22)));
    // Another workspace's counts as well: the queue is everyone's.
    let sooner = TaskFacts {
        due_at: Some(at(21) + Duration::MICROSECOND),
        ..theirs(5, 0)
    };
    world.accept(sooner).await?;
    let next_at = world.take(5, 0x70, at(21)).await?.next_at;
    assert_eq!(next_at, Some(at(21) + Duration::MICROSECOND));
    let claimed = world.take(9, 0x70, at(99)).await?;
    assert_eq!((claimed.tasks.len(), claimed.next_at), (4, None));
    Ok(())
}

/// The rest of a large task's operations is read in steps.
async fn a_claim_brings_the_first_pending_operations(world: World) -> Outcome {
    world.accept_with(facts(1, 0), operations(100)).await?;
    world.accept_with(facts(2, 0), operations(1)).await?;
    let mut claimed = world.take(2, 0x70, at(1)).await?.tasks;
    assert_eq!(claimed[0].operations, operations(100)[..OPERATIONS_AT_ONCE]);
    assert_eq!(claimed[1].operations, operations(1));
    // Three are done, then the worker stops: the next one begins with the fourth.
    let task = claimed.remove(0).task;
    let settled = Settled {
        succeeded: 3,
        ..Settled::default()
    };
    let progress = transition(
        &task,
        TaskCommand::Progress {
            token: token(&task),
            settled,
        },
        at(2),
    );
    world
        .write(at(2), |c| {
            c.record_task(progress);
            for seq in [0, 1, 5] {
                c.record_receipt(task_id(1), succeeded(operation(seq), at(2)));
            }
        })
        .await?;
    let task = world.task(task_id(1)).await?;
    world
        .step(&task, TaskCommand::GiveBack { token: token(&task) }, at(3))
        .await?;
    let claimed = world.take(1, 0x71, at(4)).await?.tasks;
    let pending = (0..100).filter(|seq| ![0, 1, 5].contains(seq));
    let expected: Vec<_> = pending.take(OPERATIONS_AT_ONCE).map(operation).collect();
    assert_eq!(claimed[0].operations, expected);
    assert_eq!(claimed[0].task.facts().kind, KIND);
    Ok(())
}
