//! Leases: a worker's time-limited right, and what becomes of a task whose worker is gone.

use crate::fixture::{Contract, Outcome};
use crate::samples::{LEASE, THEIRS, at, complete, facts, lease, task_id, token};
use crate::world::{World, assert_conflict, ids, transition};
use caretrack_domain::{Fence, LeaseToken, TaskCommand, TaskFacts, TaskState, TaskStatus};
use time::Duration;
use uuid::Uuid;

pub(crate) const CONTRACTS: &[Contract] = &[
    ("a_lost_lease_shows_when_it_ran_out_and_not_before", |w| {
        Box::pin(a_lost_lease_shows_when_it_ran_out_and_not_before(w))
    }),
    ("a_renewed_lease_lasts_longer", |w| {
        Box::pin(a_renewed_lease_lasts_longer(w))
    }),
    ("a_foreign_token_renews_nothing", |w| {
        Box::pin(a_foreign_token_renews_nothing(w))
    }),
    ("renewing_does_not_get_in_the_way", |w| {
        Box::pin(renewing_does_not_get_in_the_way(w))
    }),
    ("a_late_worker_is_fenced_out", |w| {
        Box::pin(a_late_worker_is_fenced_out(w))
    }),
    ("a_task_given_back_is_claimed_at_once", |w| {
        Box::pin(a_task_given_back_is_claimed_at_once(w))
    }),
    ("a_cancel_asked_of_a_running_task_is_seen", |w| {
        Box::pin(a_cancel_asked_of_a_running_task_is_seen(w))
    }),
];

fn token_of(n: u128) -> LeaseToken {
    LeaseToken(Uuid::from_u128(n))
}

/// Of all workspaces; the rescuer is nobody's.
async fn a_lost_lease_shows_when_it_ran_out_and_not_before(world: World) -> Outcome {
    for n in 1..=3 {
        world.accept(facts(n, 0)).await?;
    }
    let theirs = TaskFacts {
        workspace: THEIRS,
        ..facts(4, 0)
    };
    world.accept(theirs).await?;
    assert_eq!(
        world.take(2, 0x71, at(1)).await?.tasks.len(),
        2,
        "one of each workspace"
    );
    assert_eq!(world.take(1, 0x72, at(5)).await?.tasks.len(), 1);
    let ran_out = at(1) + LEASE;
    assert_eq!(world.expired_tasks(ran_out - Duration::MICROSECOND, 9).await?, []);
    let mut expired = ids(&world.expired_tasks(ran_out, 9).await?);
    expired.sort_unstable();
    assert_eq!(expired, [task_id(1), task_id(4)]);
    assert_eq!(world.expired_tasks(at(99), 9).await?.len(), 3);
    assert_eq!(world.expired_tasks(at(99), 2).await?.len(), 2);
    // The rescuer takes it from the worker, and it shows no longer.
    let lost = world.task(task_id(1)).await?;
    let rescue = TaskCommand::Reschedule {
        by: Fence::Expiry(at(32)),
        at: at(40),
        error: "the worker is gone".to_owned(),
    };
    world.step(&lost, rescue, at(32)).await?;
    assert_eq!(ids(&world.expired_tasks(ran_out, 9).await?), [task_id(4)]);
    Ok(())
}

async fn a_renewed_lease_lasts_longer(world: World) -> Outcome {
    world.accept(facts(1, 0)).await?;
    world.accept(facts(2, 0)).await?;
    world.take(2, 0x71, at(1)).await?;
    let held = vec![(task_id(1), token_of(0x71)), (task_id(2), token_of(0x71))];
    let mut renewed = world.renew(held, at(100)).await?;
    renewed.sort_unstable();
    assert_eq!(renewed, [task_id(1), task_id(2)]);
    assert_eq!(world.expired_tasks(at(100) - Duration::MICROSECOND, 9).await?, []);
    assert_eq!(world.expired_tasks(at(100), 9).await?.len(), 2);
    let task = world.task(task_id(1)).await?;
    let TaskState::Running { lease: renewed, .. } = task.state() else {
        panic!("it still runs");
    };
    let mut expected = lease(0x71, at(1));
    expected.until = at(100);
    assert_eq!(*renewed, expected);
    assert_eq!(world.renew(Vec::new(), at(100)).await?, []);
    Ok(())
}

/// The answer tells the worker what is still its own.
async fn a_foreign_token_renews_nothing(world: World) -> Outcome {
    for n in 1..=4 {
        world.accept(facts(n, 0)).await?;
    }
    for token in 0x71..0x74 {
        world.take(1, token, at(1)).await?;
    }
    let ended = world.task(task_id(3)).await?;
    world.step(&ended, complete(&ended), at(2)).await?;
    let held = vec![
        (task_id(1), token_of(0x71)),
        // Another's, ended, never claimed, unknown.
        (task_id(2), token_of(0x71)),
        (task_id(3), token_of(0x73)),
        (task_id(4), token_of(0x71)),
        (task_id(9), token_of(0x71)),
    ];
    assert_eq!(world.renew(held, at(100)).await?, [task_id(1)]);
    assert_eq!(ids(&world.expired_tasks(at(1) + LEASE, 9).await?), [task_id(2)]);
    assert_eq!(world.task(task_id(3)).await?.status(), TaskStatus::Succeeded);
    assert_eq!(world.task(task_id(4)).await?.status(), TaskStatus::Queued);
    Ok(())
}

/// A heartbeat is no transition: what was read before it can still be committed.
async fn renewing_does_not_get_in_the_way(world: World) -> Outcome {
    world.accept(facts(1, 0)).await?;
    let running = world.take_one(at(1)).await?;
    let held = vec![(task_id(1), token(&running))];
    assert_eq!(world.renew(held, at(100)).await?, [task_id(1)]);
    let renewed = world.task(task_id(1)).await?;
    assert_eq!(renewed.revision(), running.revision());
    let done = world.step(&running, complete(&running), at(2)).await?;
    assert_eq!(done.status(), TaskStatus::Succeeded);
    Ok(())
}

/// Promise 3: effects are fenced; a worker that was given up on changes nothing any more.
async fn a_late_worker_is_fenced_out(world: World) -> Outcome {
    world.accept(facts(1, 0)).await?;
    let late = world.take_one(at(1)).await?;
    let rescue = TaskCommand::Reschedule {
        by: Fence::Expiry(at(40)),
        at: at(40),
        error: "the worker is gone".to_owned(),
    };
    world.step(&late, rescue, at(40)).await?;
    let done = transition(&late, complete(&late), at(41));
    assert_conflict(world.write(at(41), |c| c.record_task(done.clone())).await);
    let mut second = world.take(1, 0x72, at(42)).await?.tasks;
    let second = second.remove(0).task;
    assert_conflict(world.write(at(43), |c| c.record_task(done)).await);
    let held = vec![(task_id(1), token(&late))];
    assert_eq!(world.renew(held, at(100)).await?, []);
    assert_eq!(world.task(task_id(1)).await?, second);
    Ok(())
}

/// A graceful stop is no failed attempt and costs no time.
async fn a_task_given_back_is_claimed_at_once(world: World) -> Outcome {
    world.accept(facts(1, 0)).await?;
    let running = world.take_one(at(1)).await?;
    let give_back = TaskCommand::GiveBack {
        token: token(&running),
    };
    let queued = world.step(&running, give_back, at(2)).await?;
    assert_eq!(
        (queued.status(), queued.attempts()),
        (TaskStatus::Queued, [].as_slice())
    );
    assert_eq!(world.expired_tasks(at(999), 9).await?, []);
    let again = world.take_one(at(2)).await?;
    assert_eq!(again.attempts().len(), 1);
    Ok(())
}

async fn a_cancel_asked_of_a_running_task_is_seen(world: World) -> Outcome {
    world.accept(facts(1, 0)).await?;
    let running = world.take_one(at(1)).await?;
    let asked = world.step(&running, TaskCommand::Cancel, at(2)).await?;
    assert!(asked.cancel_requested());
    // Asking changes neither the lease nor who holds it.
    let held = vec![(task_id(1), token(&running))];
    assert_eq!(world.renew(held, at(100)).await?, [task_id(1)]);
    let asked = world.task(task_id(1)).await?;
    assert!(asked.cancel_requested(), "a heartbeat does not undo it");
    let stop = TaskCommand::Stop {
        token: token(&asked),
        settled: caretrack_domain::Settled::default(),
    };
    let stopped = world.step(&asked, stop, at(3)).await?;
    assert_eq!(stopped.status(), TaskStatus::Cancelled);
    Ok(())
}
