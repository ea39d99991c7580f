//! Pauses: workers stop taking a kind of one workspace, and nothing else happens to it.

use crate::fixture::{Contract, Outcome};
use crate::samples::{OURS, THEIRS, at, complete, facts, keyed, task_id};
use crate::world::World;
use caretrack_domain::{TaskCommand, TaskFacts, TaskStatus};

pub(crate) const CONTRACTS: &[Contract] = &[
    ("a_paused_kind_is_not_claimed", |w| {
        Box::pin(a_paused_kind_is_not_claimed(w))
    }),
    ("a_pause_leaves_other_workspaces_running", |w| {
        Box::pin(a_pause_leaves_other_workspaces_running(w))
    }),
    ("a_pause_holds_back_its_keys", |w| {
        Box::pin(a_pause_holds_back_its_keys(w))
    }),
    ("a_kind_is_paused_before_its_first_task", |w| {
        Box::pin(a_kind_is_paused_before_its_first_task(w))
    }),
    ("what_runs_when_paused_runs_on", |w| {
        Box::pin(what_runs_when_paused_runs_on(w))
    }),
];

async fn a_paused_kind_is_not_claimed(world: World) -> Outcome {
    world.accept(facts(1, 0)).await?;
    let due = TaskFacts {
        due_at: Some(at(10)),
        ..facts(2, 0)
    };
    world.accept(due).await?;
    world.set_paused(OURS, true, at(1)).await?;
    // Pausing twice is pausing.
    world.set_paused(OURS, true, at(1)).await?;
    world.accept(facts(3, 2)).await?;
    let claimed = world.take(9, 0x70, at(3)).await?;
    // Nothing to sleep for either: the resuming wakes.
    assert_eq!((claimed.tasks.len(), claimed.next_at), (0, None));
    assert!(world.queue_figures(OURS, at(3)).await?[0].paused);
    world.set_paused(OURS, false, at(4)).await?;
    world.set_paused(OURS, false, at(4)).await?;
    assert!(!world.queue_figures(OURS, at(4)).await?[0].paused);
    let claimed = world.take(9, 0x70, at(5)).await?;
    assert_eq!((claimed.tasks.len(), claimed.next_at), (2, Some(at(10))));
    Ok(())
}

async fn a_pause_leaves_other_workspaces_running(world: World) -> Outcome {
    for (n, workspace) in [(1, OURS), (2, THEIRS)] {
        world
            .accept(TaskFacts {
                workspace,
                ..facts(n, 0)
            })
            .await?;
    }
    world.set_paused(OURS, true, at(1)).await?;
    assert_eq!(world.take_ids(at(2)).await?, [task_id(2)]);
    assert_eq!(world.take_ids(at(2)).await?, []);
    world.set_paused(THEIRS, true, at(3)).await?;
    world.set_paused(OURS, false, at(3)).await?;
    assert_eq!(world.take_ids(at(4)).await?, [task_id(1)]);
    Ok(())
}

/// A paused kind's head blocks its lane: nothing of a key overtakes.
async fn a_pause_holds_back_its_keys(world: World) -> Outcome {
    for n in 1..=3 {
        world.accept(keyed(n, 0, "k")).await?;
    }
    let first = world.take_one(at(1)).await?;
    world.set_paused(OURS, true, at(2)).await?;
    world.step(&first, complete(&first), at(3)).await?;
    assert_eq!(world.take_ids(at(4)).await?, []);
    // What is paused can still be cancelled, and the next one waits for the resuming.
    let second = world.task(task_id(2)).await?;
    world.step(&second, TaskCommand::Cancel, at(5)).await?;
    assert_eq!(world.take_ids(at(6)).await?, []);
    world.set_paused(OURS, false, at(7)).await?;
    assert_eq!(world.take_ids(at(8)).await?, [task_id(3)]);
    Ok(())
}

async fn a_kind_is_paused_before_its_first_task(world: World) -> Outcome {
    world.set_paused(OURS, true, at(0)).await?;
    let figures = world.queue_figures(OURS, at(0)).await?;
    assert!(figures.len() == 1 && figures[0].paused && figures[0].queued == 0);
    world.accept(facts(1, 1)).await?;
    assert_eq!(world.take_ids(at(2)).await?, []);
    world.set_paused(OURS, false, at(3)).await?;
    assert_eq!(world.take_ids(at(4)).await?, [task_id(1)]);
    Ok(())
}

async fn what_runs_when_paused_runs_on(world: World) -> Outcome {
    world.accept(facts(1, 0)).await?;
    let running = world.take_one(at(1)).await?;
    world.set_paused(OURS, true, at(2)).await?;
    let held = vec![(task_id(1), crate::samples::token(&running))];
    assert_eq!(world.renew(held, at(90)).await?, [task_id(1)]);
    let ended = world.step(&running, complete(&running), at(3)).await?;
    assert_eq!(ended.status(), TaskStatus::Succeeded);
    Ok(())
}
