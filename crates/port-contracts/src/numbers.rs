//! Versions of records and places of tasks: one row of numbers that only grows.

use crate::fixture::{Contract, Outcome};
use crate::samples::{OURS, THEIRS, at, changes, facts, operations, resource, resource_key, task_id};
use crate::world::{World, assert_conflict};
use caretrack_domain::{NewTask, TaskFacts};
use caretrack_ports::Place;

pub(crate) const CONTRACTS: &[Contract] = &[
    ("a_commit_says_its_numbers", |w| {
        Box::pin(a_commit_says_its_numbers(w))
    }),
    ("numbers_only_grow", |w| Box::pin(numbers_only_grow(w))),
    ("the_place_of_an_accepted_request_is_kept", |w| {
        Box::pin(the_place_of_an_accepted_request_is_kept(w))
    }),
    ("a_deleted_record_is_remembered", |w| {
        Box::pin(a_deleted_record_is_remembered(w))
    }),
];

/// `Committed`: one number for each record written, then one for each new task, in order.
async fn a_commit_says_its_numbers(world: World) -> Outcome {
    let seen = world.put("gone", "{}", at(0)).await?;
    let committed = world
        .write(at(1), |c| {
            c.insert_task(NewTask::accepted(facts(1, 1), operations(2)));
            c.put_resource(OURS, None, Place::AtCommit, resource("a", "{}", at(1)));
            c.delete_resource(OURS, &seen, Place::AtCommit);
            c.put_resource(OURS, None, Place::Accepted(1), resource("b", "{}", at(1)));
            c.insert_task(NewTask::accepted(facts(2, 1), Vec::new()));
        })
        .await?;
    for (n, id) in ["a", "gone", "b"].into_iter().enumerate() {
        let stored = world.record(id).await?.expect("it was written");
        assert_eq!(stored.version, committed.version(n), "{id}");
        let place = if id == "b" { 1 } else { stored.version };
        assert_eq!(stored.place, place, "{id}");
        assert_eq!(stored.key, resource_key(id));
    }
    for (n, id) in [(3, task_id(1)), (4, task_id(2))] {
        assert_eq!(world.task(id).await?.place(), committed.version(n));
    }
    Ok(())
}

/// Numbers only ever grow, for all writers and workspaces of a store; a refused commit changes nothing of that.
async fn numbers_only_grow(world: World) -> Outcome {
    let mut last = 0;
    for round in 0..20 {
        let workspace = if round % 2 == 0 { OURS } else { THEIRS };
        let id = format!("r-{round}");
        let committed = world
            .write_in(workspace, at(1), |c| {
                let facts = TaskFacts {
                    workspace,
                    ..facts(round, 1)
                };
                c.insert_task(NewTask::accepted(facts, Vec::new()));
                c.put_resource(workspace, None, Place::AtCommit, resource(&id, "{}", at(1)));
            })
            .await?;
        assert!(committed.first > last, "{committed:?} after {last}");
        last = committed.version(1);
        assert_conflict(world.put_over(None, "r-0", "{}", at(1)).await);
    }
    // A change of a record is later than everything before it.
    let changed = world.put("r-0", "{}", at(2)).await?;
    assert!(changed.version > last && changed.place > last);
    world.commit(changes(OURS, at(3))).await?;
    let next = world.put("r-0", "{}", at(3)).await?;
    assert!(next.version > changed.version);
    Ok(())
}

/// What a task does has the place at which it was accepted, whenever it comes to it.
async fn the_place_of_an_accepted_request_is_kept(world: World) -> Outcome {
    let task = world.accept(facts(1, 0)).await?;
    let newer = world.put("r0", "1", at(1)).await?;
    let late = resource("r0", "2", at(2));
    let place = Place::Accepted(task.place());
    let committed = world
        .write(at(2), |c| c.put_resource(OURS, Some(&newer), place, late))
        .await?;
    let stored = world.record("r0").await?.expect("it was put");
    assert_eq!(
        (stored.version, stored.place),
        (committed.version(0), task.place())
    );
    world
        .write(at(3), |c| c.delete_resource(OURS, &stored, place))
        .await?;
    let mark = world.record("r0").await?.expect("the mark stays");
    assert_eq!(mark.place, task.place());
    assert!(mark.version > stored.version);
    Ok(())
}

/// A deleted record is remembered with its version and place, so that what comes late does not bring it back.
async fn a_deleted_record_is_remembered(world: World) -> Outcome {
    let stored = world.put("r0", "{}", at(0)).await?;
    let committed = world.delete(&stored, at(1)).await?;
    let mark = world.record("r0").await?.expect("the mark stays");
    assert_eq!(
        (mark.version, mark.place),
        (committed.version(0), committed.version(0))
    );
    assert_eq!((mark.resource.as_ref(), mark.live_version()), (None, None));
    assert!(mark.overtakes(stored.place));
    let key = resource_key("r0");
    assert_eq!(
        world.list_resources(OURS, &key.source, &key.of, None, 9).await?,
        []
    );
    // Deleted again, and brought back: new versions both times.
    world.delete(&mark, at(2)).await?;
    let again = world.record("r0").await?.expect("the mark stays");
    assert!(again.version > mark.version && again.resource.is_none());
    let back = world.put("r0", r#"{"back": true}"#, at(3)).await?;
    assert!(back.version > again.version && back.resource.is_some());
    Ok(())
}
