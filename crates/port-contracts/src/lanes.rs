//! Promise 4, step by step: of the tasks with one ordering key only the head may be claimed.

use crate::fixture::{Contract, Outcome};
use crate::samples::{at, complete, facts, hold, keyed, lease, operations, refuse, task_id, token};
use crate::world::World;
use caretrack_domain::{Fence, NewTask, OrderingKey, Task, TaskCommand, TaskFacts, TaskId, TaskStatus};

pub(crate) const CONTRACTS: &[Contract] = &[
    ("one_task_of_a_key_runs_at_a_time", |w| {
        Box::pin(one_task_of_a_key_runs_at_a_time(w))
    }),
    ("keys_run_beside_each_other", |w| {
        Box::pin(keys_run_beside_each_other(w))
    }),
    ("the_order_of_a_key_is_that_of_acceptance", |w| {
        Box::pin(the_order_of_a_key_is_that_of_acceptance(w))
    }),
    ("whatever_ends_the_head_frees_its_key", |w| {
        Box::pin(whatever_ends_the_head_frees_its_key(w))
    }),
    ("a_head_that_waits_keeps_its_key", |w| {
        Box::pin(a_head_that_waits_keeps_its_key(w))
    }),
    ("a_held_task_frees_its_key", |w| {
        Box::pin(a_held_task_frees_its_key(w))
    }),
    ("a_released_task_waits_its_turn", |w| {
        Box::pin(a_released_task_waits_its_turn(w))
    }),
    ("a_released_task_goes_before_later_ones", |w| {
        Box::pin(a_released_task_goes_before_later_ones(w))
    }),
    ("a_cancelled_follower_just_leaves", |w| {
        Box::pin(a_cancelled_follower_just_leaves(w))
    }),
    ("a_performed_task_keeps_nobody_waiting", |w| {
        Box::pin(a_performed_task_keeps_nobody_waiting(w))
    }),
    ("tasks_of_one_commit_stand_in_line", |w| {
        Box::pin(tasks_of_one_commit_stand_in_line(w))
    }),
];

/// The one that can be claimed, which must be that one; it is then running.
async fn takes(world: &World, n: u32, now: i64) -> Result<Task, caretrack_ports::StoreError> {
    let task = world.take_one(at(now)).await?;
    assert_eq!(task.id(), task_id(n));
    Ok(task)
}

async fn accept_three(world: &World) -> Outcome {
    for n in 1..=3 {
        world.accept(keyed(n, 0, "k")).await?;
    }
    Ok(())
}

const NOBODY: [TaskId; 0] = [];

async fn one_task_of_a_key_runs_at_a_time(world: World) -> Outcome {
    accept_three(&world).await?;
    for n in 1..=3 {
        let running = takes(&world, n, 1).await?;
        assert_eq!(world.take_ids(at(99)).await?, NOBODY, "{n} runs");
        world.step(&running, complete(&running), at(2)).await?;
    }
    // The key is forgotten with its last task: a new one does not wait for it.
    world.accept(keyed(4, 3, "k")).await?;
    takes(&world, 4, 3).await?;
    Ok(())
}

/// Different keys run in parallel, and those without a key always. Keys are told apart byte by byte.
async fn keys_run_beside_each_other(world: World) -> Outcome {
    for (n, key) in (1..).zip(["k", "K", "k ", "", "ключ", "ключ\u{301}", "a'b\"c%_\\"]) {
        world.accept(keyed(n, 0, key)).await?;
        world.accept(keyed(n + 10, 0, key)).await?;
        world.accept(facts(n + 20, 0)).await?;
    }
    let claimed = world.take_ids(at(1)).await?;
    assert_eq!(claimed.len(), 14);
    assert!((1..=7).chain(21..=27).all(|n| claimed.contains(&task_id(n))));
    Ok(())
}

/// By place, whatever the instants say.
async fn the_order_of_a_key_is_that_of_acceptance(world: World) -> Outcome {
    for (n, seconds) in [(1, 9), (2, 5), (3, 7)] {
        world.accept(keyed(n, seconds, "k")).await?;
    }
    assert_eq!(world.take_ids(at(8)).await?, NOBODY);
    for n in 1..=3 {
        let running = takes(&world, n, 9).await?;
        world.step(&running, complete(&running), at(9)).await?;
    }
    Ok(())
}

/// A head that is broken, cancelled or failed frees its key.
async fn whatever_ends_the_head_frees_its_key(world: World) -> Outcome {
    let give_up = |by| TaskCommand::GiveUp {
        by,
        error: "the disk is full".to_owned(),
    };
    let stop = |task: &Task| TaskCommand::Stop {
        token: token(task),
        settled: caretrack_domain::Settled::default(),
    };
    let endings: [&(dyn Fn(&Task) -> TaskCommand + Sync); 5] = [
        &complete,
        &refuse,
        &|task| give_up(Fence::Holder(token(task))),
        &|_| give_up(Fence::Expiry(at(999))),
        &stop,
    ];
    for n in 1..=7 {
        world.accept(keyed(n, 0, "k")).await?;
    }
    for (n, ending) in (1..).zip(endings) {
        let running = takes(&world, n, 100 * i64::from(n)).await?;
        let ended = world
            .step(&running, ending(&running), at(100 * i64::from(n) + 50))
            .await?;
        assert!(ended.status().is_terminal());
    }
    // One that waits to be claimed is cancelled as well.
    let waiting = world.task(task_id(6)).await?;
    world.step(&waiting, TaskCommand::Cancel, at(900)).await?;
    takes(&world, 7, 900).await?;
    Ok(())
}

/// Waiting for its time, or for its retry, or given back, the head stays the head.
async fn a_head_that_waits_keeps_its_key(world: World) -> Outcome {
    let due = TaskFacts {
        due_at: Some(at(10)),
        ..keyed(1, 0, "k")
    };
    world.accept(due).await?;
    world.accept(keyed(2, 0, "k")).await?;
    let claimed = world.take(9, 0x70, at(9)).await?;
    assert_eq!((claimed.tasks.len(), claimed.next_at), (0, Some(at(10))));
    let running = takes(&world, 1, 10).await?;
    let again = TaskCommand::Reschedule {
        by: Fence::Holder(token(&running)),
        at: at(20),
        error: "the disk is full".to_owned(),
    };
    world.step(&running, again, at(11)).await?;
    let claimed = world.take(9, 0x70, at(19)).await?;
    assert_eq!((claimed.tasks.len(), claimed.next_at), (0, Some(at(20))));
    let running = takes(&world, 1, 20).await?;
    let back = TaskCommand::GiveBack {
        token: token(&running),
    };
    world.step(&running, back, at(21)).await?;
    let running = takes(&world, 1, 21).await?;
    world.step(&running, complete(&running), at(22)).await?;
    takes(&world, 2, 22).await?;
    Ok(())
}

/// What waits only for a person blocks nobody.
async fn a_held_task_frees_its_key(world: World) -> Outcome {
    accept_three(&world).await?;
    let first = takes(&world, 1, 1).await?;
    world.step(&first, hold(&first), at(2)).await?;
    let second = takes(&world, 2, 3).await?;
    assert_eq!(world.take_ids(at(3)).await?, NOBODY);
    world.step(&second, hold(&second), at(4)).await?;
    let third = takes(&world, 3, 5).await?;
    world.step(&third, complete(&third), at(6)).await?;
    // Held ones may be cancelled without anyone noticing.
    let first = world.task(task_id(1)).await?;
    world.step(&first, TaskCommand::Cancel, at(7)).await?;
    assert_eq!(world.take_ids(at(8)).await?, NOBODY);
    Ok(())
}

/// Released, it does not overtake the one that runs.
async fn a_released_task_waits_its_turn(world: World) -> Outcome {
    accept_three(&world).await?;
    let first = takes(&world, 1, 1).await?;
    let held = world.step(&first, hold(&first), at(2)).await?;
    let second = takes(&world, 2, 3).await?;
    let released = world.step(&held, TaskCommand::Release, at(4)).await?;
    assert_eq!(released.status(), TaskStatus::Queued);
    assert_eq!(world.take_ids(at(5)).await?, NOBODY);
    world.step(&second, complete(&second), at(6)).await?;
    // Of those that wait it was accepted first.
    let first = takes(&world, 1, 7).await?;
    world.step(&first, complete(&first), at(8)).await?;
    takes(&world, 3, 9).await?;
    Ok(())
}

/// Released into a free key it runs at once; later ones wait for it again.
async fn a_released_task_goes_before_later_ones(world: World) -> Outcome {
    world.accept(keyed(1, 0, "k")).await?;
    let first = takes(&world, 1, 1).await?;
    let held = world.step(&first, hold(&first), at(2)).await?;
    world.step(&held, TaskCommand::Release, at(3)).await?;
    world.accept(keyed(2, 4, "k")).await?;
    let first = takes(&world, 1, 5).await?;
    world.step(&first, complete(&first), at(6)).await?;
    takes(&world, 2, 7).await?;
    Ok(())
}

async fn a_cancelled_follower_just_leaves(world: World) -> Outcome {
    accept_three(&world).await?;
    let second = world.task(task_id(2)).await?;
    world.step(&second, TaskCommand::Cancel, at(1)).await?;
    let first = takes(&world, 1, 2).await?;
    assert_eq!(world.take_ids(at(3)).await?, NOBODY);
    world.step(&first, complete(&first), at(4)).await?;
    takes(&world, 3, 5).await?;
    Ok(())
}

/// Carried out before it was stored, it never stood in line.
async fn a_performed_task_keeps_nobody_waiting(world: World) -> Outcome {
    let performed = |n| NewTask::performed(keyed(n, 0, "k"), operations(1), lease(1, at(0)));
    world.write(at(0), |c| c.insert_task(performed(1))).await?;
    world.accept(keyed(2, 0, "k")).await?;
    let running = takes(&world, 2, 1).await?;
    world.write(at(1), |c| c.insert_task(performed(3))).await?;
    assert_eq!(world.take_ids(at(2)).await?, NOBODY);
    world.step(&running, complete(&running), at(3)).await?;
    assert_eq!(world.take_ids(at(4)).await?, NOBODY);
    Ok(())
}

async fn tasks_of_one_commit_stand_in_line(world: World) -> Outcome {
    world.accept(keyed(1, 0, "k")).await?;
    let first = takes(&world, 1, 1).await?;
    // The head leaves in the commit that brings the next ones: the line is never without a head.
    let done = crate::world::transition(&first, complete(&first), at(2));
    let named = |n: u32| TaskFacts {
        ordering_key: Some(OrderingKey(if n == 9 { "other" } else { "k" }.to_owned())),
        ..facts(n, 2)
    };
    world
        .write(at(2), |c| {
            for n in [5, 3, 9, 4] {
                c.insert_task(NewTask::accepted(named(n), Vec::new()));
            }
            c.record_task(done);
        })
        .await?;
    let mut claimed = world.take_ids(at(3)).await?;
    claimed.sort_unstable();
    assert_eq!(claimed, [task_id(5), task_id(9)]);
    for n in [5, 3] {
        let running = world.task(task_id(n)).await?;
        world.step(&running, complete(&running), at(4)).await?;
        assert_eq!(
            world.take_ids(at(5)).await?,
            [task_id(if n == 5 { 3 } else { 4 })]
        );
    }
    Ok(())
}
