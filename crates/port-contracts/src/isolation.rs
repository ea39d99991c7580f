//! Promise 6: nothing of one workspace is visible from another.

use crate::fixture::{Contract, Outcome};
use crate::samples::{
    KIND, OURS, THEIRS, at, complete, credential, facts, fingerprint, key, keyed, operations, patient,
    resource, resource_key, task_id,
};
use crate::world::{World, assert_conflict, ids};
use caretrack_domain::Event;
use caretrack_domain::{AuditOutcome, Definition, OrderingKey, PatientId, Source, TaskFacts, WorkspaceId};
use caretrack_ports::{PatientRef, Place, TaskFilter};
use uuid::Uuid;

pub(crate) const CONTRACTS: &[Contract] = &[
    ("no_finder_looks_into_another_workspace", |w| {
        Box::pin(no_finder_looks_into_another_workspace(w))
    }),
    ("no_list_shows_another_workspace", |w| {
        Box::pin(no_list_shows_another_workspace(w))
    }),
    ("the_same_names_are_different_things_elsewhere", |w| {
        Box::pin(the_same_names_are_different_things_elsewhere(w))
    }),
    ("figures_count_one_workspace", |w| {
        Box::pin(figures_count_one_workspace(w))
    }),
];

/// One of everything, in ours.
async fn fill(world: &World) -> Outcome {
    world.accept_with(facts(1, 0), operations(2)).await?;
    world
        .write(at(0), |c| {
            c.put_resource(OURS, None, Place::AtCommit, resource("r0", "{}", at(0)));
            c.ensure_source(source(OURS));
            c.ensure_definition(definition(OURS));
            c.insert_credential(credential(1, 1));
            c.put_patient(None, patient(1, 200_001, Some("one")));
            c.audit("everything.change", "all", AuditOutcome::Done);
        })
        .await?;
    Ok(())
}

fn source(workspace: WorkspaceId) -> Source {
    Source {
        workspace,
        key: key("northclinic"),
        created_at: at(0),
    }
}

fn definition(workspace: WorkspaceId) -> Definition {
    Definition::open_root(workspace, key("northclinic"), key("patient"), at(0))
}

async fn no_finder_looks_into_another_workspace(world: World) -> Outcome {
    fill(&world).await?;
    for (workspace, found) in [(OURS, true), (THEIRS, false)] {
        let is = |what: &str, there: bool| assert_eq!(there, found, "{what} in {workspace}");
        is("task", world.find_task(workspace, task_id(1)).await?.is_some());
        let operations = world.operations(workspace, task_id(1), 0, 9).await?;
        is("operations", !operations.is_empty());
        let record = world.find_resource(workspace, &resource_key("r0")).await?;
        is("record", record.is_some());
        let (source, of) = (key("northclinic"), key("patient"));
        is("source", world.find_source(workspace, &source).await?.is_some());
        let definition = world.find_definition(workspace, &source, &of).await?;
        is("definition", definition.is_some());
        let own = world.find_credential(workspace, credential(1, 1).id).await?;
        is("credential", own.is_some());
        let person = patient(1, 200_001, None);
        for by in [PatientRef::Id(person.id), PatientRef::Wmda(person.wmda_id)] {
            is("patient", world.find_patient(workspace, by).await?.is_some());
        }
    }
    // What is in the right workspace under another id is not found either.
    let nobody = PatientRef::Id(PatientId(Uuid::from_u128(2)));
    assert_eq!(world.find_patient(OURS, nobody).await?, None);
    Ok(())
}

async fn no_list_shows_another_workspace(world: World) -> Outcome {
    fill(&world).await?;
    for (workspace, shown) in [(OURS, true), (THEIRS, false)] {
        let is = |what: &str, count: usize| assert_eq!(count > 0, shown, "{what} in {workspace}");
        let all = TaskFilter::default();
        is("tasks", world.list_tasks(workspace, all, 9).await?.len());
        let (source, of) = (key("northclinic"), key("patient"));
        let records = world.list_resources(workspace, &source, &of, None, 9).await?;
        is("records", records.len());
        is("sources", world.list_sources(workspace, None, 9).await?.len());
        is(
            "credentials",
            world.list_credentials(workspace, None, 9).await?.len(),
        );
        is("patients", world.list_patients(workspace, None, 9).await?.len());
        is("audit", world.list_audit(Some(workspace), None, 9).await?.len());
        is(
            "events",
            world.list_events(workspace, 0, i64::MAX, 9).await?.len(),
        );
    }
    Ok(())
}

/// Records, sources, lanes and fingerprints of one name in two workspaces have nothing to do with each other.
async fn the_same_names_are_different_things_elsewhere(world: World) -> Outcome {
    for (workspace, data, seconds) in [(OURS, "1", 1), (THEIRS, "2", 2)] {
        let after = resource("r0", data, at(seconds));
        world
            .write_in(workspace, at(seconds), |c| {
                c.put_resource(workspace, None, Place::AtCommit, after);
                c.ensure_source(source(workspace));
                c.ensure_definition(Definition {
                    created_at: at(seconds),
                    ..definition(workspace)
                });
            })
            .await?;
    }
    let ours = world.record("r0").await?.expect("it was put");
    let theirs = world.find_resource(THEIRS, &resource_key("r0")).await?;
    let theirs = theirs.expect("it was put");
    assert_eq!(ours.resource.as_ref().map(|r| r.data.as_str()), Some("1"));
    assert_eq!(theirs.resource.as_ref().map(|r| r.data.as_str()), Some("2"));
    world.delete(&ours, at(3)).await?;
    let after = world.find_resource(THEIRS, &resource_key("r0")).await?;
    assert_eq!(after, Some(theirs.clone()));
    assert_conflict(world.delete(&theirs, at(4)).await);
    let (source, of) = (key("northclinic"), key("patient"));
    for (workspace, seconds) in [(OURS, 1), (THEIRS, 2)] {
        let found = world.find_definition(workspace, &source, &of).await?;
        assert_eq!(found.map(|definition| definition.created_at), Some(at(seconds)));
    }

    let named = |workspace, n| TaskFacts {
        workspace,
        ordering_key: Some(OrderingKey("k".to_owned())),
        fingerprint: Some(fingerprint(1)),
        ..facts(n, 0)
    };
    world.accept(named(OURS, 1)).await?;
    world.accept(named(THEIRS, 2)).await?;
    assert_eq!(
        world.take_ids(at(1)).await?.len(),
        2,
        "a key blocks nobody elsewhere"
    );
    Ok(())
}

async fn figures_count_one_workspace(world: World) -> Outcome {
    world.accept(keyed(1, 0, "k")).await?;
    world.accept(keyed(2, 0, "k")).await?;
    let running = world.take_one(at(1)).await?;
    world.step(&running, complete(&running), at(2)).await?;
    assert_eq!(world.queue_figures(THEIRS, at(3)).await?, []);
    let load = world.queue_load(THEIRS, KIND, at(3)).await?;
    assert_eq!(load.ahead, 0);
    assert!(load.per_second.abs() < f64::EPSILON);
    let theirs = TaskFacts {
        workspace: THEIRS,
        ..facts(3, 0)
    };
    world.accept(theirs).await?;
    let figures = world.queue_figures(THEIRS, at(3)).await?;
    assert_eq!(figures.iter().map(|f| f.queued).collect::<Vec<_>>(), [1]);
    let shown = world.list_tasks(THEIRS, TaskFilter::default(), 9).await?;
    assert_eq!(ids(&shown), [task_id(3)]);
    let events = world.list_events(THEIRS, 0, i64::MAX, 9).await?;
    let told = events.iter().map(|entry| entry.event);
    assert!(told.eq([Event::Task {
        id: task_id(3),
        kind: KIND,
        status: shown[0].status(),
    }]));
    Ok(())
}
