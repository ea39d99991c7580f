//! The commit: all or nothing, fenced, durable and seen by everyone when it returns.

use crate::fixture::{Contract, Outcome};
use crate::samples::{
    OURS, THEIRS, at, changes, complete, credential, facts, key, operations, patient, resource, resource_key,
    task_id, workspace,
};
use crate::snapshot::snapshot;
use crate::world::{World, assert_conflict, transition};
use caretrack_domain::{
    AuditOutcome, CredentialId, Definition, Fence, NewTask, Source, StoredResource, Task, TaskCommand,
};
use caretrack_ports::{Changes, Pause, Place, Schema, StoreError};
use futures::future::join_all;
use uuid::Uuid;

pub(crate) const CONTRACTS: &[Contract] = &[
    ("a_commit_is_all_or_nothing", |w| {
        Box::pin(a_commit_is_all_or_nothing(w))
    }),
    ("a_commit_is_read_in_whole", |w| {
        Box::pin(a_commit_is_read_in_whole(w))
    }),
    ("a_stale_task_conflicts", |w| Box::pin(a_stale_task_conflicts(w))),
    ("an_unknown_task_conflicts", |w| {
        Box::pin(an_unknown_task_conflicts(w))
    }),
    ("a_stale_record_conflicts", |w| {
        Box::pin(a_stale_record_conflicts(w))
    }),
    ("a_stale_patient_conflicts", |w| {
        Box::pin(a_stale_patient_conflicts(w))
    }),
    ("what_was_committed_is_read", |w| {
        Box::pin(what_was_committed_is_read(w))
    }),
    ("what_is_there_is_not_added_again", |w| {
        Box::pin(what_is_there_is_not_added_again(w))
    }),
    ("an_empty_commit_succeeds", |w| {
        Box::pin(an_empty_commit_succeeds(w))
    }),
    ("the_store_is_ready", |w| Box::pin(the_store_is_ready(w))),
];

type Poison<'a> = &'a (dyn Fn(&mut Changes) + Sync);

/// One of everything that can be changed, all of it in order.
fn one_of_each(seen: &StoredResource, queued: &Task) -> Changes {
    let mut c = changes(OURS, at(5));
    c.insert_task(NewTask::accepted(facts(50, 5), operations(2)));
    c.record_task(transition(queued, TaskCommand::Cancel, at(5)));
    c.put_resource(
        OURS,
        Some(seen),
        Place::AtCommit,
        resource("r0", r#"{"n": 2}"#, at(5)),
    );
    c.put_resource(OURS, None, Place::AtCommit, resource("r1", "{}", at(5)));
    c.ensure_source(source());
    c.ensure_definition(definition());
    c.insert_workspace(workspace(50, "fifty"));
    c.insert_credential(credential(50, 50));
    c.put_patient(None, patient(50, 200_050, Some("fifty")));
    c.pause(Pause {
        workspace: OURS,
        kind: facts(0, 0).kind,
        paused: true,
    });
    c.audit("everything.change", "all", AuditOutcome::Done);
    c
}

fn source() -> Source {
    Source {
        workspace: OURS,
        key: key("northclinic"),
        created_at: at(5),
    }
}

fn definition() -> Definition {
    Definition::open_root(OURS, key("northclinic"), key("patient"), at(5))
}

/// `Store::commit` applies all of it or nothing: whatever is wrong with one part, no other part stays.
async fn a_commit_is_all_or_nothing(world: World) -> Outcome {
    let first = world.put("r0", r#"{"n": 0}"#, at(0)).await?;
    let seen = world.put("r0", r#"{"n": 1}"#, at(1)).await?;
    let queued = world.accept_with(facts(1, 0), operations(1)).await?;
    let running = world.accept(facts(2, 0)).await?;
    let moved = world.step(&running, TaskCommand::Cancel, at(1)).await?;
    world
        .write(at(0), |c| {
            c.insert_workspace(workspace(1, "one"));
            c.insert_credential(credential(1, 1));
            c.put_patient(None, patient(1, 200_001, Some("one")));
        })
        .await?;
    assert_ne!(running.revision(), moved.revision());

    let poisons: [(&str, Poison); 10] = [
        ("a stale task", &|c| {
            c.record_task(transition(&running, TaskCommand::Cancel, at(5)));
        }),
        ("a stale record", &|c| {
            c.put_resource(OURS, Some(&first), Place::AtCommit, resource("r2", "{}", at(5)));
        }),
        ("a record deleted that is not there", &|c| {
            c.put_resource(THEIRS, None, Place::AtCommit, resource("r9", "{}", at(5)));
            c.delete_resource(THEIRS, &seen, Place::AtCommit);
        }),
        ("a stale patient", &|c| {
            c.put_patient(Some(7), patient(1, 200_001, Some("one")));
        }),
        ("a key revoked that is not there", &|c| {
            c.revoke_credential(OURS, CredentialId(Uuid::from_u128(99)));
        }),
        ("a workspace's key taken", &|c| {
            c.insert_workspace(workspace(51, "one"));
        }),
        ("a secret taken", &|c| c.insert_credential(credential(51, 1))),
        ("a patient's number taken", &|c| {
            c.put_patient(None, patient(51, 200_001, None));
        }),
        ("a patient's own id taken", &|c| {
            c.put_patient(None, patient(51, 200_051, Some("one")));
        }),
        ("a task's id taken", &|c| {
            c.insert_task(NewTask::accepted(facts(1, 5), operations(1)));
        }),
    ];
    let keys = ["r0", "r1", "r2", "r9"].map(resource_key);
    let read = || snapshot(&*world, &[OURS, THEIRS], &keys, at(9));
    let before = read().await?;
    for (what, poison) in poisons {
        let mut changes = one_of_each(&seen, &queued);
        poison(&mut changes);
        let result = world.commit(changes).await;
        let refused = matches!(result, Err(StoreError::Conflict | StoreError::Duplicate));
        assert!(refused, "{what}: {result:?}");
        assert!(read().await? == before, "{what} left something behind");
    }
    world.commit(one_of_each(&seen, &queued)).await?;
    assert!(read().await? != before, "the same without poison changes nothing");
    Ok(())
}

/// All or nothing for readers too: who sees the last part of a commit sees the others.
async fn a_commit_is_read_in_whole(world: World) -> Outcome {
    const ROUNDS: usize = 40;
    let writer = {
        let world = world.clone();
        tokio::spawn(async move {
            let (mut a, mut b): (Option<StoredResource>, Option<StoredResource>) = (None, None);
            for round in 0..ROUNDS {
                let data = round.to_string();
                let mut c = changes(OURS, at(1));
                c.put_resource(OURS, a.as_ref(), Place::AtCommit, resource("a", &data, at(1)));
                c.put_resource(OURS, b.as_ref(), Place::AtCommit, resource("b", &data, at(1)));
                world.commit(c).await?;
                a = world.record("a").await?;
                b = world.record("b").await?;
            }
            Ok::<_, StoreError>(())
        })
    };
    let round = |record: Option<StoredResource>| {
        let resource = record.and_then(|stored| stored.resource);
        resource.map_or(-1, |resource| resource.data.parse::<i64>().unwrap_or(-2))
    };
    while !writer.is_finished() {
        let last = round(world.record("b").await?);
        let first = round(world.record("a").await?);
        assert!(first >= last, "b of round {last} was there before a");
        tokio::task::yield_now().await;
    }
    writer.await.expect("the writer does not panic")
}

/// A transition is fenced by the revision it was made from.
async fn a_stale_task_conflicts(world: World) -> Outcome {
    let read = world.accept(facts(1, 0)).await?;
    let running = world.take_one(at(1)).await?;
    let cancel = transition(&read, TaskCommand::Cancel, at(2));
    assert_conflict(world.write(at(2), |c| c.record_task(cancel)).await);
    assert_eq!(world.task(task_id(1)).await?, running);

    // The same step twice: the second is made from what the first has changed.
    let done = transition(&running, complete(&running), at(3));
    world.write(at(3), |c| c.record_task(done.clone())).await?;
    assert_conflict(world.write(at(3), |c| c.record_task(done)).await);

    // Nothing leaves a terminal state, however the stale transition was made.
    let broken = TaskCommand::GiveUp {
        by: Fence::Expiry(at(99)),
        error: "lost".to_owned(),
    };
    let late = transition(&running, broken, at(99));
    assert_conflict(world.write(at(99), |c| c.record_task(late)).await);
    Ok(())
}

/// A transition of a task that is not there has moved as far as can be.
async fn an_unknown_task_conflicts(world: World) -> Outcome {
    let never_stored = NewTask::accepted(facts(1, 0), Vec::new());
    let cancel = transition(never_stored.task(), TaskCommand::Cancel, at(1));
    assert_conflict(world.write(at(1), |c| c.record_task(cancel)).await);
    assert_eq!(world.find_task(OURS, task_id(1)).await?, None);
    Ok(())
}

/// A write names the version it has seen: none if there was no record at all, a deleted one's included.
async fn a_stale_record_conflicts(world: World) -> Outcome {
    world.put_over(None, "r0", "{}", at(0)).await?;
    assert_conflict(world.put_over(None, "r0", "{}", at(1)).await);
    let first = world.record("r0").await?.expect("it was put");
    let second = world.put("r0", r#"{"n": 2}"#, at(2)).await?;
    assert_conflict(world.put_over(Some(&first), "r0", "{}", at(3)).await);
    assert_conflict(world.delete(&first, at(3)).await);
    assert_eq!(world.record("r0").await?, Some(second.clone()));

    // A deleted record still has a version: neither the old one nor none will do.
    world.delete(&second, at(4)).await?;
    let mark = world.record("r0").await?.expect("the mark stays");
    assert_conflict(world.put_over(None, "r0", "{}", at(5)).await);
    assert_conflict(world.put_over(Some(&second), "r0", "{}", at(5)).await);
    assert_conflict(world.delete(&second, at(5)).await);
    world.put_over(Some(&mark), "r0", "{}", at(6)).await?;

    // A version of what never was.
    assert_conflict(world.put_over(Some(&first), "r7", "{}", at(7)).await);
    assert_eq!(world.record("r7").await?, None);
    Ok(())
}

/// A patient is fenced by the revision it was read in.
async fn a_stale_patient_conflicts(world: World) -> Outcome {
    let first = patient(1, 200_001, None);
    world.write(at(0), |c| c.put_patient(None, first.clone())).await?;
    let mut second = first.clone();
    (second.revision, second.active) = (1, false);
    world
        .write(at(1), |c| c.put_patient(Some(0), second.clone()))
        .await?;
    assert_conflict(
        world
            .write(at(2), |c| c.put_patient(Some(0), second.clone()))
            .await,
    );
    let unknown = patient(2, 200_002, None);
    assert_conflict(world.write(at(2), |c| c.put_patient(Some(0), unknown)).await);
    assert_eq!(world.list_patients(OURS, None, 9).await?, [second]);
    Ok(())
}

/// Seen by every reader when it returns, whatever the aggregate.
async fn what_was_committed_is_read(world: World) -> Outcome {
    let task = NewTask::accepted(facts(1, 0), operations(3));
    let place = resource("r0", r#"{"n": 1}"#, at(0));
    let own = workspace(1, "one");
    let secret = credential(1, 1);
    let person = patient(1, 200_001, Some("one"));
    world
        .write(at(0), |c| {
            c.insert_task(task.clone());
            c.put_resource(OURS, None, Place::AtCommit, place.clone());
            c.ensure_source(source());
            c.ensure_definition(definition());
            c.insert_workspace(own.clone());
            c.insert_credential(secret.clone());
            c.put_patient(None, person.clone());
            c.audit("everything.change", "all", AuditOutcome::Accepted);
        })
        .await?;
    let stored = world.task(task_id(1)).await?;
    assert_eq!(stored.facts(), task.task().facts());
    assert_eq!((stored.revision(), stored.state()), (0, task.task().state()));
    assert_eq!(stored.tally(), task.task().tally());
    let operations = world.operations(OURS, task_id(1), 0, 9).await?;
    assert_eq!(operations, task.operations());
    let record = world.record("r0").await?.expect("it was put");
    assert_eq!(record.resource.as_ref(), Some(&place));
    assert_eq!(record.live_version(), Some(record.version));
    assert_eq!(
        world.find_source(OURS, &key("northclinic")).await?,
        Some(source())
    );
    let found = world
        .find_definition(OURS, &key("northclinic"), &key("patient"))
        .await?;
    assert_eq!(found, Some(definition()));
    assert_eq!(world.find_workspace(own.id).await?, Some(own.clone()));
    assert_eq!(world.find_workspace_by_key(&own.key).await?, Some(own));
    assert_eq!(
        world.find_credential(OURS, secret.id).await?,
        Some(secret.clone())
    );
    assert_eq!(
        world
            .find_credential_by_secret(secret.secret.hash().expect("it has one"))
            .await?,
        Some(secret)
    );
    assert_eq!(world.list_patients(OURS, None, 9).await?, [person]);
    assert_eq!(world.list_audit(Some(OURS), None, 9).await?.len(), 1);
    assert_eq!(world.list_events(OURS, 0, i64::MAX, 9).await?.len(), 2);
    Ok(())
}

/// Sources and definitions are added unless they are there already: the first one stays.
async fn what_is_there_is_not_added_again(world: World) -> Outcome {
    let ensure = |seconds: i64| {
        let mut c = changes(OURS, at(seconds));
        c.ensure_source(Source {
            created_at: at(seconds),
            ..source()
        });
        c.ensure_definition(Definition {
            created_at: at(seconds),
            ..definition()
        });
        c
    };
    world.commit(ensure(5)).await?;
    world.commit(ensure(9)).await?;
    let many = (10..26).map(|seconds| world.commit(ensure(seconds)));
    for result in join_all(many).await {
        result?;
    }
    assert_eq!(
        world.find_source(OURS, &key("northclinic")).await?,
        Some(source())
    );
    let found = world
        .find_definition(OURS, &key("northclinic"), &key("patient"))
        .await?;
    assert_eq!(found, Some(definition()));
    Ok(())
}

/// Nothing to change is no fault.
async fn an_empty_commit_succeeds(world: World) -> Outcome {
    world.commit(changes(OURS, at(0))).await?;
    Ok(())
}

/// An opened store can be read and has the schema that is needed.
async fn the_store_is_ready(world: World) -> Outcome {
    assert_eq!(world.check().await?, Schema::Current);
    Ok(())
}
