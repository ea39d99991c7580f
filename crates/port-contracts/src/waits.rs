//! Waiting for work: no wake-up is lost, and nobody waits for ever.

use crate::fixture::{Contract, Outcome};
use crate::samples::{OURS, at, complete, facts, keyed};
use crate::world::World;
use caretrack_domain::TaskFacts;
use caretrack_ports::StoreError;
use std::future::Future;
use std::time::{Duration, Instant};

pub(crate) const CONTRACTS: &[Contract] = &[
    ("waiting_ends_by_itself", |w| Box::pin(waiting_ends_by_itself(w))),
    ("waiting_is_not_spinning", |w| {
        Box::pin(waiting_is_not_spinning(w))
    }),
    ("waiting_ends_when_work_is_committed", |w| {
        Box::pin(waiting_ends_when_work_is_committed(w))
    }),
    ("work_committed_just_before_is_not_missed", |w| {
        Box::pin(work_committed_just_before_is_not_missed(w))
    }),
    ("work_that_is_due_later_is_told_of", |w| {
        Box::pin(work_that_is_due_later_is_told_of(w))
    }),
    ("the_resuming_of_a_kind_wakes", |w| {
        Box::pin(the_resuming_of_a_kind_wakes(w))
    }),
    ("the_end_of_a_head_wakes_for_the_next", |w| {
        Box::pin(the_end_of_a_head_wakes_for_the_next(w))
    }),
    ("a_worker_that_waits_keeps_up", |w| {
        Box::pin(a_worker_that_waits_keeps_up(w))
    }),
];

/// Longer than any trial takes: who waits as long was not woken.
const FOR_EVER: Duration = Duration::from_mins(5);
/// More than enough for a wake-up.
const SOON: Duration = Duration::from_secs(10);

async fn waiting_ends_by_itself(world: World) -> Outcome {
    world.take_ids(at(0)).await?;
    let waiting = world.wait(Duration::from_millis(50));
    let ended = tokio::time::timeout(SOON, waiting).await;
    assert!(ended.is_ok(), "it still waits");
    Ok(())
}

/// It may return early now and then, but not every time.
async fn waiting_is_not_spinning(world: World) -> Outcome {
    world.accept(facts(1, 0)).await?;
    let begun = Instant::now();
    for _ in 0..20 {
        world.take_ids(at(1)).await?;
        world.wait(Duration::from_millis(20)).await;
    }
    assert!(begun.elapsed() >= Duration::from_millis(100), "it never waited");
    Ok(())
}

/// Runs `change` while a worker, which found nothing to do, waits; the worker must wake.
async fn wakes(world: &World, change: impl Future<Output = Outcome>) -> Outcome {
    let waiter = {
        let world = world.clone();
        tokio::spawn(async move { world.wait(FOR_EVER).await })
    };
    // Not needed for the promise: it makes it likely that the waiter waits already.
    tokio::time::sleep(Duration::from_millis(20)).await;
    change.await?;
    let woken = tokio::time::timeout(SOON, waiter).await;
    assert!(woken.is_ok(), "the worker was not woken");
    Ok(())
}

async fn waiting_ends_when_work_is_committed(world: World) -> Outcome {
    for n in 0..3 {
        world.take_ids(at(1)).await?;
        let accept = async {
            world.accept(facts(n, 0)).await?;
            Ok(())
        };
        wakes(&world, accept).await?;
        assert_eq!(world.take_ids(at(1)).await?.len(), 1);
    }
    Ok(())
}

/// Between a claim that found nothing and the waiting there is time for a commit.
async fn work_committed_just_before_is_not_missed(world: World) -> Outcome {
    for n in 0..10 {
        world.take_ids(at(1)).await?;
        world.accept(facts(n, 0)).await?;
        let woken = tokio::time::timeout(SOON, world.wait(FOR_EVER)).await;
        assert!(woken.is_ok(), "the commit before the waiting was missed");
        assert_eq!(world.take_ids(at(1)).await?.len(), 1);
    }
    Ok(())
}

/// Sooner, perhaps, than what the worker sleeps for.
async fn work_that_is_due_later_is_told_of(world: World) -> Outcome {
    world.take_ids(at(1)).await?;
    let accept = async {
        let due = TaskFacts {
            due_at: Some(at(100)),
            ..facts(1, 0)
        };
        world.accept(due).await?;
        Ok(())
    };
    wakes(&world, accept).await?;
    assert_eq!(world.take(1, 0x70, at(1)).await?.next_at, Some(at(100)));
    Ok(())
}

async fn the_resuming_of_a_kind_wakes(world: World) -> Outcome {
    world.accept(facts(1, 0)).await?;
    world.set_paused(OURS, true, at(0)).await?;
    settle(&world).await?;
    wakes(&world, world.set_paused(OURS, false, at(1))).await?;
    assert_eq!(world.take_ids(at(1)).await?.len(), 1);
    Ok(())
}

async fn the_end_of_a_head_wakes_for_the_next(world: World) -> Outcome {
    world.accept(keyed(1, 0, "k")).await?;
    world.accept(keyed(2, 0, "k")).await?;
    let head = world.take_one(at(1)).await?;
    settle(&world).await?;
    let end = async {
        world.step(&head, complete(&head), at(2)).await?;
        Ok(())
    };
    wakes(&world, end).await?;
    assert_eq!(world.take_ids(at(2)).await?.len(), 1);
    Ok(())
}

/// Lets the wake-ups of the past be over, so that the next one is that of the change.
async fn settle(world: &World) -> Outcome {
    for _ in 0..3 {
        assert_eq!(world.take_ids(at(1)).await?, []);
        world.wait(Duration::from_millis(30)).await;
    }
    Ok(())
}

/// Claims and waits in turns, against commits that come at any moment: nothing is left lying.
async fn a_worker_that_waits_keeps_up(world: World) -> Outcome {
    const TASKS: u32 = 200;
    let producer = {
        let world = world.clone();
        tokio::spawn(async move {
            for n in 0..TASKS {
                world.accept(facts(n, 0)).await?;
                if n % 3 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            Ok::<_, StoreError>(())
        })
    };
    let worker = async {
        let mut left = TASKS;
        while left > 0 {
            let claimed = world.take(9, 0x70, at(1)).await?.tasks.len();
            left -= u32::try_from(claimed).unwrap_or(0);
            if claimed == 0 {
                world.wait(FOR_EVER).await;
            }
        }
        Ok::<_, StoreError>(())
    };
    let kept_up = tokio::time::timeout(SOON * 3, worker).await;
    assert!(kept_up.is_ok(), "a wake-up was lost");
    producer.await.expect("the producer does not panic")
}
