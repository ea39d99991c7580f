//! Retention: what ended long ago goes, whatever has not ended stays.

use crate::fixture::{Contract, Outcome};
use crate::samples::{
    OURS, THEIRS, at, complete, facts, fingerprint, hold, keyed, operations, resource, resource_key, task_id,
};
use crate::world::{World, ids};
use caretrack_domain::{AuditOutcome, TaskCommand, TaskFacts};
use caretrack_ports::{Place, Retention, StoreError, TaskFilter};
use time::Duration;

pub(crate) const CONTRACTS: &[Contract] = &[
    ("what_ended_before_goes_with_all_its_rows", |w| {
        Box::pin(what_ended_before_goes_with_all_its_rows(w))
    }),
    ("unfinished_tasks_stay_however_old", |w| {
        Box::pin(unfinished_tasks_stay_however_old(w))
    }),
    ("pruning_goes_by_steps", |w| Box::pin(pruning_goes_by_steps(w))),
    ("old_events_go_and_the_numbers_go_on", |w| {
        Box::pin(old_events_go_and_the_numbers_go_on(w))
    }),
    ("the_marks_of_deleted_records_go_and_records_stay", |w| {
        Box::pin(the_marks_of_deleted_records_go_and_records_stay(w))
    }),
    ("a_mark_stays_while_an_older_task_is_unfinished", |w| {
        Box::pin(a_mark_stays_while_an_older_task_is_unfinished(w))
    }),
    ("audit_stays", |w| Box::pin(audit_stays(w))),
];

async fn prune(world: &World, seconds: i64, limit: usize) -> Result<usize, StoreError> {
    let retention = Retention {
        ended_before: at(seconds),
        expired_by: at(seconds),
    };
    world.prune(retention, limit).await
}

async fn what_ended_before_goes_with_all_its_rows(world: World) -> Outcome {
    for n in 1..=3 {
        let facts = TaskFacts {
            fingerprint: Some(fingerprint(u8::try_from(n).unwrap_or(0))),
            ..keyed(n, 0, "k")
        };
        world.accept_with(facts, operations(2)).await?;
        let running = world.take_one(at(1)).await?;
        world
            .step(&running, complete(&running), at(i64::from(n) * 10))
            .await?;
    }
    assert_eq!(
        prune(&world, 20, 99).await?,
        1,
        "what ended at that very moment stays"
    );
    assert_eq!(world.find_task(OURS, task_id(1)).await?, None);
    assert_eq!(world.operations(OURS, task_id(1), 0, 9).await?, []);
    assert_eq!(world.operations(OURS, task_id(2), 0, 9).await?.len(), 2);
    let listed = world.list_tasks(OURS, TaskFilter::default(), 9).await?;
    assert_eq!(ids(&listed), [task_id(3), task_id(2)]);
    // Of all workspaces.
    let theirs = TaskFacts {
        workspace: THEIRS,
        ..facts(4, 0)
    };
    let theirs = world.accept(theirs).await?;
    world.step(&theirs, TaskCommand::Cancel, at(5)).await?;
    assert_eq!(prune(&world, 31, 99).await?, 3);
    assert_eq!(prune(&world, 31, 99).await?, 0);
    // The id is gone, so it is nobody's.
    world.accept_with(facts(1, 40), operations(1)).await?;
    assert_eq!(world.operations(OURS, task_id(1), 0, 9).await?, operations(1));
    Ok(())
}

/// Unfinished ones never: queued, running with a lease long lost, retrying, held.
async fn unfinished_tasks_stay_however_old(world: World) -> Outcome {
    for n in 1..=3 {
        world.accept_with(keyed(n, 0, "k"), operations(1)).await?;
    }
    let first = world.take_one(at(1)).await?;
    world.step(&first, hold(&first), at(2)).await?;
    world.take_one(at(3)).await?;
    let before = world.list_tasks(OURS, TaskFilter::default(), 9).await?;
    assert_eq!(prune(&world, 1_000_000_000, 99).await?, 0);
    assert_eq!(world.list_tasks(OURS, TaskFilter::default(), 9).await?, before);
    assert_eq!(world.operations(OURS, task_id(1), 0, 9).await?, operations(1));
    Ok(())
}

/// At most so many at once, so that no one waits long for the store.
async fn pruning_goes_by_steps(world: World) -> Outcome {
    for n in 0..10 {
        let task = world.accept_with(facts(n, 0), operations(1)).await?;
        world.step(&task, TaskCommand::Cancel, at(1)).await?;
    }
    for expected in [4, 4, 2, 0] {
        assert_eq!(prune(&world, 2, 4).await?, expected);
    }
    Ok(())
}

/// Whoever reads on from a number he has seen neither repeats nor misses anything.
async fn old_events_go_and_the_numbers_go_on(world: World) -> Outcome {
    for n in 0..6 {
        world.accept(facts(n, i64::from(n))).await?;
    }
    let before = world.list_events(OURS, 0, i64::MAX, 9).await?;
    prune(&world, 4, 99).await?;
    assert_eq!(world.list_events(OURS, 0, i64::MAX, 9).await?, before[4..]);
    prune(&world, 99, 99).await?;
    assert_eq!(world.list_events(OURS, 0, i64::MAX, 9).await?, []);
    world.accept(facts(7, 100)).await?;
    let after = world.list_events(OURS, before[5].number, i64::MAX, 9).await?;
    assert_eq!(after.len(), 1);
    Ok(())
}

async fn the_marks_of_deleted_records_go_and_records_stay(world: World) -> Outcome {
    let live = world.put("live", "{}", at(0)).await?;
    for (id, seconds) in [("old", 10), ("newer", 20)] {
        // Put long after, as it seems, and deleted by a request that was accepted at the beginning.
        let after = resource(id, "{}", at(999));
        world
            .write(at(1), |c| c.put_resource(OURS, None, Place::AtCommit, after))
            .await?;
        let seen = world.record(id).await?.expect("it was put");
        let place = Place::Accepted(live.place);
        world
            .write(at(seconds), |c| c.delete_resource(OURS, &seen, place))
            .await?;
    }
    let mark = world.record("newer").await?;
    prune(&world, 20, 99).await?;
    assert_eq!(world.record("old").await?, None);
    assert_eq!(world.record("newer").await?, mark);
    assert_eq!(world.record("live").await?, Some(live.clone()));
    prune(&world, 20_000, 99).await?;
    assert_eq!(world.record("newer").await?, None);
    assert_eq!(world.record("live").await?, Some(live));
    // Forgotten, the id is as new; its versions still only grow.
    let version = mark.map(|mark| mark.version);
    world.put_over(None, "newer", "{}", at(30)).await?;
    let again = world.find_resource(OURS, &resource_key("newer")).await?;
    assert!(again.map(|stored| stored.version) > version);
    Ok(())
}

/// The task may wait for longer than the retention, and must still find that it was overtaken.
async fn a_mark_stays_while_an_older_task_is_unfinished(world: World) -> Outcome {
    let theirs = TaskFacts {
        workspace: THEIRS,
        ..facts(3, 0)
    };
    world.accept(theirs).await?;
    let older = world.accept(facts(1, 0)).await?;
    let seen = world.put("r0", "{}", at(1)).await?;
    world.delete(&seen, at(2)).await?;
    let mark = world.record("r0").await?;
    world.accept(facts(2, 3)).await?;
    prune(&world, 1_000, 99).await?;
    assert_eq!(world.record("r0").await?, mark);
    assert!(mark.is_some_and(|mark| mark.overtakes(older.place())));
    world.step(&older, TaskCommand::Cancel, at(4)).await?;
    prune(&world, 1_000, 99).await?;
    assert_eq!(world.record("r0").await?, None, "no one older waits any more");
    Ok(())
}

/// Append-only, and not under this retention.
async fn audit_stays(world: World) -> Outcome {
    world
        .write(at(0), |c| c.audit("resource.put", "r0", AuditOutcome::Done))
        .await?;
    prune(&world, 1_000_000_000, 99).await?;
    assert_eq!(world.list_audit(Some(OURS), None, 9).await?.len(), 1);
    let later = at(0) + Duration::DAY;
    world
        .write(later, |c| c.audit("resource.put", "r1", AuditOutcome::Done))
        .await?;
    assert_eq!(world.list_audit(Some(OURS), None, 9).await?.len(), 2);
    Ok(())
}
