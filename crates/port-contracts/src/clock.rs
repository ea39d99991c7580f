//! The clock of the domain: how far it was moved is kept, and retries do not notice (patient-status.md, section 8).

use crate::fixture::{Contract, Outcome};
use crate::samples::{at, facts, keyed, task_id, token};
use crate::world::World;
use caretrack_domain::{Advance, Fence, TaskCommand, TaskState};
use time::Duration;

pub(crate) const CONTRACTS: &[Contract] = &[
    ("the_clock_starts_with_the_systems", |w| {
        Box::pin(the_clock_starts_with_the_systems(w))
    }),
    ("moves_of_the_clock_add_up", |w| {
        Box::pin(moves_of_the_clock_add_up(w))
    }),
    ("the_clock_moves_with_its_commit_only", |w| {
        Box::pin(the_clock_moves_with_its_commit_only(w))
    }),
    ("a_retry_keeps_its_distance_when_the_clock_moves", |w| {
        Box::pin(a_retry_keeps_its_distance_when_the_clock_moves(w))
    }),
];

fn by(text: &str) -> Advance {
    Advance::parse(text).expect("a sample advance is well-formed")
}

async fn the_clock_starts_with_the_systems(world: World) -> Outcome {
    assert_eq!(world.clock_ahead().await?, Duration::ZERO);
    Ok(())
}

/// "an offset, kept in the store, that only grows"; those of several servers at once all count.
async fn moves_of_the_clock_add_up(world: World) -> Outcome {
    world.write(at(0), |c| c.advance_clock(by("P42D"))).await?;
    assert_eq!(world.clock_ahead().await?, Duration::days(42));
    let step = || world.write(at(0), |c| c.advance_clock(by("PT1.000001S")));
    let (one, two, three) = futures::join!(step(), step(), step());
    for done in [one, two, three] {
        done?;
    }
    let seconds = Duration::seconds(3) + Duration::microseconds(3);
    assert_eq!(world.clock_ahead().await?, Duration::days(42) + seconds);
    Ok(())
}

async fn the_clock_moves_with_its_commit_only(world: World) -> Outcome {
    let task = world.accept(facts(1, 0)).await?;
    let cancelled = crate::world::transition(&task, TaskCommand::Cancel, at(1));
    world.write(at(1), |c| c.record_task(cancelled.clone())).await?;
    let late = world.write(at(1), |c| {
        c.advance_clock(by("P1D"));
        c.record_task(cancelled);
    });
    crate::world::assert_conflict(late.await);
    assert_eq!(world.clock_ahead().await?, Duration::ZERO);
    Ok(())
}

/// "retries ... stay on system time", while what waits for its time to come does not.
async fn a_retry_keeps_its_distance_when_the_clock_moves(world: World) -> Outcome {
    const DAY: i64 = 86_400;
    world.accept(keyed(1, 0, "k")).await?;
    world.accept(keyed(2, 0, "k")).await?;
    world.accept(facts(3, 0)).await?;
    let claimed = world.take(9, 0x70, at(1)).await?.tasks;
    assert_eq!(claimed.len(), 2);
    for claimed in &claimed {
        let retry = TaskCommand::Reschedule {
            by: Fence::Holder(token(&claimed.task)),
            at: at(60),
            error: "fault".to_owned(),
        };
        world.step(&claimed.task, retry, at(2)).await?;
    }
    world.write(at(2), |c| c.advance_clock(by("P1D"))).await?;

    let waiting = world.task(task_id(1)).await?;
    assert_eq!(*waiting.state(), TaskState::RetryScheduled { at: at(DAY + 60) });
    assert_eq!(waiting.broken_attempts(), 1);
    let early = world.take(9, 0x71, at(DAY + 59)).await?;
    assert_eq!((early.tasks.len(), early.next_at), (0, Some(at(DAY + 60))));
    let mut due = world.take_ids(at(DAY + 60)).await?;
    due.sort_unstable();
    // The one behind them in the lane has not been let in.
    assert_eq!(due, [task_id(1), task_id(3)]);
    // What was read before the move can still be changed after it.
    assert_eq!(world.task(task_id(2)).await?.revision(), 0);
    Ok(())
}
