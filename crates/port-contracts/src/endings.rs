//! How tasks end, and what is counted of them.

use crate::fixture::{Contract, Outcome};
use crate::samples::{
    KIND, OURS, at, complete, facts, hold, operation, operations, refuse, succeeded, task_id, token,
};
use crate::world::{World, transition};
use caretrack_domain::{Fence, Operation, Receipt, Settled, Task, TaskCommand, TaskStatus};
use caretrack_ports::{QueueFigures, StoreError};

pub(crate) const CONTRACTS: &[Contract] = &[
    ("a_cancelled_task_drops_what_was_left", |w| {
        Box::pin(a_cancelled_task_drops_what_was_left(w))
    }),
    ("a_broken_task_keeps_what_was_left", |w| {
        Box::pin(a_broken_task_keeps_what_was_left(w))
    }),
    ("the_receipts_of_a_step_come_before_its_effects", |w| {
        Box::pin(the_receipts_of_a_step_come_before_its_effects(w))
    }),
    ("an_ending_settles_only_its_own_task", |w| {
        Box::pin(an_ending_settles_only_its_own_task(w))
    }),
    ("figures_count_every_state", |w| {
        Box::pin(figures_count_every_state(w))
    }),
    ("figures_know_the_oldest_that_waits", |w| {
        Box::pin(figures_know_the_oldest_that_waits(w))
    }),
    ("the_rate_is_that_of_the_last_minute", |w| {
        Box::pin(the_rate_is_that_of_the_last_minute(w))
    }),
    ("the_load_is_what_is_ahead", |w| {
        Box::pin(the_load_is_what_is_ahead(w))
    }),
];

/// Runs the first of its operations, and tells that.
async fn one_done(world: &World, n: u32) -> Result<Task, StoreError> {
    world.accept_with(facts(n, 0), operations(3)).await?;
    let running = world.take_one(at(1)).await?;
    let settled = Settled {
        succeeded: 1,
        ..Settled::default()
    };
    let progress = TaskCommand::Progress {
        token: token(&running),
        settled,
    };
    let progress = transition(&running, progress, at(2));
    world
        .write(at(2), |c| {
            c.record_task(progress);
            c.record_receipt(task_id(n), succeeded(operation(0), at(2)));
        })
        .await?;
    world.task(task_id(n)).await
}

/// What is left of it, with that receipt, without or with payloads.
fn left(receipt: &Receipt, keep: bool) -> Vec<Operation> {
    let rest = (1..3).map(|seq| {
        let mut settled = operation(seq).settled(receipt.clone());
        if keep {
            settled.payload = operation(seq).payload;
        }
        settled
    });
    std::iter::once(succeeded(operation(0), at(2)))
        .chain(rest)
        .collect()
}

/// Whatever is still pending is settled with the task; nobody will need its payload.
async fn a_cancelled_task_drops_what_was_left(world: World) -> Outcome {
    let running = one_done(&world, 1).await?;
    let stop = TaskCommand::Stop {
        token: token(&running),
        settled: Settled::default(),
    };
    let stopped = world.step(&running, stop, at(3)).await?;
    assert_eq!((stopped.tally().succeeded, stopped.tally().cancelled), (1, 2));
    let expected = left(&Receipt::Cancelled { at: at(3) }, false);
    assert_eq!(world.operations(OURS, task_id(1), 0, 9).await?, expected);

    let running = one_done(&world, 2).await?;
    world.step(&running, refuse(&running), at(3)).await?;
    assert_eq!(world.operations(OURS, task_id(2), 0, 9).await?, expected);

    let queued = world.accept_with(facts(3, 0), operations(2)).await?;
    world.step(&queued, TaskCommand::Cancel, at(3)).await?;
    let stored = world.operations(OURS, task_id(3), 0, 9).await?;
    let all = operations(2).into_iter();
    let all: Vec<_> = all.map(|o| o.settled(Receipt::Cancelled { at: at(3) })).collect();
    assert_eq!(stored, all);
    Ok(())
}

/// An operator may try again what a fault left undone, so that keeps its payload.
async fn a_broken_task_keeps_what_was_left(world: World) -> Outcome {
    let running = one_done(&world, 1).await?;
    let give_up = TaskCommand::GiveUp {
        by: Fence::Expiry(at(99)),
        error: "the worker is gone".to_owned(),
    };
    let broken = world.step(&running, give_up, at(99)).await?;
    assert_eq!((broken.tally().succeeded, broken.tally().failed), (1, 2));
    let expected = left(&Receipt::Broken { at: at(99) }, true);
    assert_eq!(world.operations(OURS, task_id(1), 0, 9).await?, expected);
    Ok(())
}

/// An operation settled in the step that ends the task is not among those left over.
async fn the_receipts_of_a_step_come_before_its_effects(world: World) -> Outcome {
    world.accept_with(facts(1, 0), operations(3)).await?;
    let running = world.take_one(at(1)).await?;
    let stop = TaskCommand::Stop {
        token: token(&running),
        settled: Settled {
            succeeded: 1,
            ..Settled::default()
        },
    };
    let stop = transition(&running, stop, at(2));
    world
        .write(at(2), |c| {
            c.record_task(stop);
            c.record_receipt(task_id(1), succeeded(operation(0), at(2)));
        })
        .await?;
    let expected = left(&Receipt::Cancelled { at: at(2) }, false);
    assert_eq!(world.operations(OURS, task_id(1), 0, 9).await?, expected);
    Ok(())
}

async fn an_ending_settles_only_its_own_task(world: World) -> Outcome {
    world.accept_with(facts(1, 0), operations(3)).await?;
    let queued = world.accept_with(facts(2, 0), operations(3)).await?;
    world.step(&queued, TaskCommand::Cancel, at(1)).await?;
    assert_eq!(world.operations(OURS, task_id(1), 0, 9).await?, operations(3));
    assert_eq!(world.task(task_id(1)).await?.status(), TaskStatus::Queued);
    Ok(())
}

/// The only kind there is.
async fn figures(world: &World, seconds: i64) -> Result<QueueFigures, StoreError> {
    let mut figures = world.queue_figures(OURS, at(seconds)).await?;
    assert_eq!(figures.len(), 1);
    Ok(figures.remove(0))
}

async fn figures_count_every_state(world: World) -> Outcome {
    assert_eq!(world.queue_figures(OURS, at(0)).await?, []);
    for n in 0..12 {
        world.accept_with(facts(n, 0), operations(1)).await?;
    }
    for claimed in world.take(8, 0x70, at(1)).await?.tasks {
        let task = claimed.task;
        let n = task.id().0.as_u128();
        let again = TaskCommand::Reschedule {
            by: Fence::Holder(token(&task)),
            at: at(99),
            error: "the disk is full".to_owned(),
        };
        let give_up = TaskCommand::GiveUp {
            by: Fence::Holder(token(&task)),
            error: "the disk is full".to_owned(),
        };
        let command = match n {
            0 => again,
            1 | 2 => hold(&task),
            3 => refuse(&task),
            4 => give_up,
            5 => complete(&task),
            _ => continue,
        };
        world.step(&task, command, at(2)).await?;
    }
    let queued = world.task(task_id(11)).await?;
    world.step(&queued, TaskCommand::Cancel, at(2)).await?;
    let expected = QueueFigures {
        kind: KIND,
        paused: false,
        queued: 3,
        running: 2,
        held: 2,
        retrying: 1,
        oldest_accepted_at: Some(at(0)),
        ended_last_minute: 4,
        failed: 2,
    };
    assert_eq!(figures(&world, 3).await?, expected);
    let load = world.queue_load(OURS, KIND, at(3)).await?;
    assert_eq!(load.ahead, 6);
    Ok(())
}

/// Of those that wait to run; the others are waited for by nobody.
async fn figures_know_the_oldest_that_waits(world: World) -> Outcome {
    for n in 1..=3 {
        world.accept(facts(n, i64::from(n))).await?;
    }
    assert_eq!(figures(&world, 9).await?.oldest_accepted_at, Some(at(1)));
    let first = world.take(1, 0x70, at(9)).await?.tasks.remove(0).task;
    assert_eq!(figures(&world, 9).await?.oldest_accepted_at, Some(at(2)));
    world.step(&first, hold(&first), at(9)).await?;
    assert_eq!(figures(&world, 9).await?.oldest_accepted_at, Some(at(2)));
    world.take(9, 0x70, at(9)).await?;
    assert_eq!(figures(&world, 9).await?.oldest_accepted_at, None);
    Ok(())
}

async fn the_rate_is_that_of_the_last_minute(world: World) -> Outcome {
    for n in 0..9 {
        world.accept(facts(n, 0)).await?;
    }
    for claimed in world.take(9, 0x70, at(1)).await?.tasks {
        let n = i64::try_from(claimed.task.id().0.as_u128()).unwrap_or(0);
        // 100, 110, ... 180.
        let now = at(100 + n * 10);
        world.step(&claimed.task, complete(&claimed.task), now).await?;
    }
    for (seconds, ended) in [(185, 6), (205, 4), (235, 1), (500, 0)] {
        assert_eq!(
            figures(&world, seconds).await?.ended_last_minute,
            ended,
            "at {seconds}"
        );
        let load = world.queue_load(OURS, KIND, at(seconds)).await?;
        let ended = f64::from(u32::try_from(ended).unwrap_or(0));
        assert!(
            (load.per_second - ended / 60.0).abs() < 1e-9,
            "at {seconds}: {load:?}"
        );
        assert_eq!(load.ahead, 0);
    }
    Ok(())
}

/// Queued, retrying and running; one that is held is ahead of nobody.
async fn the_load_is_what_is_ahead(world: World) -> Outcome {
    let ahead = async |expected: u64| {
        let load = world.queue_load(OURS, KIND, at(5)).await?;
        assert_eq!(load.ahead, expected);
        Ok::<_, StoreError>(())
    };
    ahead(0).await?;
    for n in 0..5 {
        world.accept(facts(n, 0)).await?;
    }
    ahead(5).await?;
    let first = world.take(1, 0x70, at(1)).await?.tasks.remove(0).task;
    ahead(5).await?;
    let held = world.step(&first, hold(&first), at(2)).await?;
    ahead(4).await?;
    world.step(&held, TaskCommand::Release, at(3)).await?;
    ahead(5).await?;
    let last = world.task(task_id(4)).await?;
    world.step(&last, TaskCommand::Cancel, at(4)).await?;
    ahead(4).await
}
