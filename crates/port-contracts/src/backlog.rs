//! The figures of the engine: what waits and runs, of all workspaces together.

use crate::fixture::{Contract, Outcome};
use crate::samples::{KIND, THEIRS, at, complete, facts, hold, keyed, token};
use crate::world::World;
use caretrack_domain::{Fence, TaskCommand, TaskFacts, TaskKind};
use caretrack_ports::Backlog;
use strum::IntoEnumIterator;
use time::Duration;

pub(crate) const CONTRACTS: &[Contract] = &[("the_backlog_counts_what_has_not_ended", |w| {
    Box::pin(the_backlog_counts_what_has_not_ended(w))
})];

async fn the_backlog_counts_what_has_not_ended(world: World) -> Outcome {
    let empty = world.backlog(at(0)).await?;
    let nothing: Vec<Backlog> = TaskKind::iter().map(Backlog::of).collect();
    assert_eq!(empty, nothing);
    for n in 1..=4 {
        world.accept(facts(n, 0)).await?;
    }
    let claimed = world.take(4, 0x70, at(1)).await?.tasks;
    let [done, held, retried, _running] = claimed.as_slice() else {
        panic!("four can be claimed");
    };
    world.step(&done.task, complete(&done.task), at(2)).await?;
    world.step(&held.task, hold(&held.task), at(2)).await?;
    let retry = TaskCommand::Reschedule {
        by: Fence::Holder(token(&retried.task)),
        at: at(90),
        error: "fault".to_owned(),
    };
    world.step(&retried.task, retry, at(2)).await?;
    // One that could start, one behind it, one that is not due, and one of another workspace.
    world.accept(keyed(5, 10, "k")).await?;
    world.accept(keyed(6, 5, "k")).await?;
    let due_at = Some(at(80));
    world
        .accept(TaskFacts {
            due_at,
            ..facts(7, 3)
        })
        .await?;
    let workspace = THEIRS;
    world
        .accept(TaskFacts {
            workspace,
            ..facts(8, 20)
        })
        .await?;
    let expected = Backlog {
        queued: 4,
        running: 1,
        held: 1,
        retrying: 1,
        oldest_ready: Some(Duration::seconds(20)),
        ..Backlog::of(KIND)
    };
    let all: Vec<Backlog> = nothing
        .into_iter()
        .map(|of| if of.kind == KIND { expected.clone() } else { of })
        .collect();
    assert_eq!(world.backlog(at(30)).await?, all);
    Ok(())
}
