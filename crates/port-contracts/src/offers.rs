//! Offers to take what becomes ready: an engine may hand tasks over without a claim, and then as if claimed.
//!
//! Whether it does is its own affair; that nothing is lost or given twice by it is everybody's.

use crate::fixture::{Contract, Outcome};
use crate::samples::{KIND, OURS, at, facts, keyed, lease, operations, task_id};
use crate::world::World;
use caretrack_domain::{TaskFacts, TaskId, TaskStatus};
use caretrack_ports::{Claim, ClaimedTask, StoreError};

pub(crate) const CONTRACTS: &[Contract] = &[
    ("what_is_accepted_on_an_offer_is_given_once", |w| {
        Box::pin(what_is_accepted_on_an_offer_is_given_once(w))
    }),
    ("what_is_handed_over_is_leased", |w| {
        Box::pin(what_is_handed_over_is_leased(w))
    }),
    ("an_offer_is_not_exceeded", |w| {
        Box::pin(an_offer_is_not_exceeded(w))
    }),
    ("a_paused_kind_is_not_handed_over", |w| {
        Box::pin(a_paused_kind_is_not_handed_over(w))
    }),
    ("one_task_of_a_key_is_handed_over", |w| {
        Box::pin(one_task_of_a_key_is_handed_over(w))
    }),
    ("what_is_due_later_is_not_handed_over", |w| {
        Box::pin(what_is_due_later_is_not_handed_over(w))
    }),
    ("an_offer_taken_back_gets_nothing", |w| {
        Box::pin(an_offer_taken_back_gets_nothing(w))
    }),
];

const TOKEN: u128 = 0x71;

/// Makes an offer; says whether the engine takes it up. One that does not always says there may be more.
fn offer(world: &World, limit: usize) -> bool {
    let claim = Claim {
        kinds: [(KIND, usize::MAX)].into(),
        limit,
        now: at(0),
        lease: lease(TOKEN, at(0)),
    };
    world.offer(Some(claim.clone()));
    !world.offer(Some(claim)).more
}

/// Takes the offer back; what was handed over on it.
fn handed(world: &World) -> Vec<ClaimedTask> {
    world.offer(None).tasks
}

fn ids(tasks: &[ClaimedTask]) -> Vec<TaskId> {
    tasks.iter().map(|claimed| claimed.task.id()).collect()
}

/// What was handed over, and then what can be claimed.
async fn given(world: &World) -> Result<Vec<TaskId>, StoreError> {
    let mut all = ids(&handed(world));
    all.extend(world.take_ids(at(20)).await?);
    Ok(all)
}

async fn what_is_accepted_on_an_offer_is_given_once(world: World) -> Outcome {
    offer(&world, 10);
    for n in 0..5 {
        world.accept(facts(n, 1)).await?;
    }
    let mut all = given(&world).await?;
    all.sort_unstable();
    assert_eq!(all, (0..5).map(task_id).collect::<Vec<_>>());
    Ok(())
}

async fn what_is_handed_over_is_leased(world: World) -> Outcome {
    let takes_up = offer(&world, 10);
    world.accept_with(facts(1, 1), operations(2)).await?;
    let handed = handed(&world);
    assert_eq!(handed.len(), usize::from(takes_up));
    for claimed in handed {
        let stored = world.task(claimed.task.id()).await?;
        assert_eq!(stored, claimed.task);
        assert_eq!(stored.status(), TaskStatus::Running);
        assert!(stored.place() > 0, "it has its place");
        assert_eq!(claimed.operations, operations(2));
        assert_eq!(
            stored.attempts().first().map(|attempt| attempt.started_at),
            Some(at(1))
        );
        assert_eq!(stored.attempts().len(), 1);
    }
    Ok(())
}

async fn an_offer_is_not_exceeded(world: World) -> Outcome {
    offer(&world, 2);
    for n in 0..5 {
        world.accept(facts(n, 1)).await?;
    }
    let handed = ids(&handed(&world));
    assert!(handed.len() <= 2, "{handed:?}");
    assert_eq!(world.take_ids(at(20)).await?.len(), 5 - handed.len());
    Ok(())
}

async fn a_paused_kind_is_not_handed_over(world: World) -> Outcome {
    world.accept(facts(1, 0)).await?;
    world.take_ids(at(0)).await?;
    world.set_paused(OURS, true, at(0)).await?;
    offer(&world, 10);
    world.accept(facts(2, 1)).await?;
    assert_eq!(handed(&world), []);
    world.set_paused(OURS, false, at(2)).await?;
    assert_eq!(world.take_ids(at(20)).await?, [task_id(2)]);
    Ok(())
}

async fn one_task_of_a_key_is_handed_over(world: World) -> Outcome {
    offer(&world, 10);
    world.accept(keyed(1, 1, "k")).await?;
    world.accept(keyed(2, 2, "k")).await?;
    assert_eq!(given(&world).await?, [task_id(1)]);
    Ok(())
}

async fn what_is_due_later_is_not_handed_over(world: World) -> Outcome {
    offer(&world, 10);
    let due = TaskFacts {
        due_at: Some(at(100)),
        ..facts(1, 1)
    };
    world.accept(due).await?;
    assert_eq!(given(&world).await?, []);
    assert_eq!(world.take_ids(at(100)).await?, [task_id(1)]);
    Ok(())
}

async fn an_offer_taken_back_gets_nothing(world: World) -> Outcome {
    offer(&world, 10);
    handed(&world);
    world.accept(facts(1, 1)).await?;
    assert_eq!(handed(&world), []);
    assert_eq!(world.take_ids(at(20)).await?, [task_id(1)]);
    Ok(())
}
