//! Lists: their order, their pages, their filters.

use crate::fixture::{Contract, Outcome};
use crate::samples::{
    KIND, OURS, at, changes, complete, credential, facts, key, patient, resource, resource_key, task_id,
    workspace,
};
use crate::world::{World, ids};
use caretrack_domain::{
    AuditOutcome, CredentialId, Key, PatientId, RecordId, Source, TaskCommand, TaskFacts, TaskStatus,
};
use caretrack_ports::{Place, TaskFilter};
use uuid::Uuid;

pub(crate) const CONTRACTS: &[Contract] = &[
    ("records_are_listed_by_the_bytes_of_their_ids", |w| {
        Box::pin(records_are_listed_by_the_bytes_of_their_ids(w))
    }),
    (
        "sources_and_workspaces_are_listed_by_the_bytes_of_their_keys",
        |w| Box::pin(sources_and_workspaces_are_listed_by_the_bytes_of_their_keys(w)),
    ),
    ("credentials_and_patients_are_listed_by_id", |w| {
        Box::pin(credentials_and_patients_are_listed_by_id(w))
    }),
    ("tasks_are_listed_newest_first", |w| {
        Box::pin(tasks_are_listed_newest_first(w))
    }),
    ("tasks_are_filtered", |w| Box::pin(tasks_are_filtered(w))),
    ("audit_is_listed_newest_first", |w| {
        Box::pin(audit_is_listed_newest_first(w))
    }),
    ("operations_are_listed_in_the_order_of_the_request", |w| {
        Box::pin(operations_are_listed_in_the_order_of_the_request(w))
    }),
];

/// In the order of bytes, which no language's collation has: capitals first, then the underscore, then the rest.
const IDS: [&str; 16] = [
    "-", "--", "-a", "0", "10", "9", "A", "AB", "Ab", "B", "a", "a-", "aB", "a_", "ab", "b",
];

/// The same, in an order that is none.
fn shuffled() -> impl Iterator<Item = &'static str> {
    (0..IDS.len()).map(|n| IDS[n * 7 % IDS.len()])
}

async fn records_are_listed_by_the_bytes_of_their_ids(world: World) -> Outcome {
    assert!(IDS.is_sorted());
    let mut c = changes(OURS, at(0));
    for id in shuffled().chain(["gone"]) {
        c.put_resource(OURS, None, Place::AtCommit, resource(id, "{}", at(0)));
    }
    // Another type, and another source, beside them.
    for (source, of) in [("northclinic", "Patient"), ("southclinic", "patient")] {
        let mut other = resource("other", "{}", at(0));
        (other.key.source, other.key.of) = (key(source), key(of));
        c.put_resource(OURS, None, Place::AtCommit, other);
    }
    world.commit(c).await?;
    let gone = world.record("gone").await?.expect("it was put");
    world.delete(&gone, at(1)).await?;

    let (source, of) = (key("northclinic"), key("patient"));
    for limit in [1, 3, 100] {
        let mut listed = Vec::new();
        let mut after: Option<RecordId> = None;
        loop {
            let page = world
                .list_resources(OURS, &source, &of, after.as_ref(), limit)
                .await?;
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = Some(last.key.id.clone());
            listed.extend(page);
        }
        let ids: Vec<&str> = listed.iter().map(|record| record.key.id.as_str()).collect();
        assert_eq!(ids, IDS, "in pages of {limit}");
        assert!(listed.iter().all(|record| record.resource.is_some()));
    }
    // A page begins after an id, whether or not there is such a record.
    let after = resource_key("a0").id;
    let page = world.list_resources(OURS, &source, &of, Some(&after), 2).await?;
    let ids: Vec<&str> = page.iter().map(|record| record.key.id.as_str()).collect();
    assert_eq!(ids, ["aB", "a_"]);
    Ok(())
}

async fn sources_and_workspaces_are_listed_by_the_bytes_of_their_keys(world: World) -> Outcome {
    let mut c = changes(OURS, at(0));
    for (n, text) in (100..).zip(shuffled()) {
        c.ensure_source(Source {
            workspace: OURS,
            key: key(text),
            created_at: at(0),
        });
        c.insert_workspace(workspace(n, text));
    }
    world.commit(c).await?;
    for limit in [1, 3, 100] {
        let (mut sources, mut workspaces): (Vec<Key>, Vec<Key>) = (Vec::new(), Vec::new());
        loop {
            let page = world.list_sources(OURS, sources.last(), limit).await?;
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            sources.extend(page.into_iter().map(|source| source.key));
        }
        loop {
            let page = world.list_workspaces(workspaces.last(), limit).await?;
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            workspaces.extend(page.into_iter().map(|workspace| workspace.key));
        }
        let expected = IDS.map(key);
        assert_eq!(sources, expected, "sources in pages of {limit}");
        assert_eq!(workspaces, expected, "workspaces in pages of {limit}");
    }
    Ok(())
}

async fn credentials_and_patients_are_listed_by_id(world: World) -> Outcome {
    // Ids whose order as signed numbers, or as little-endian bytes, would be another one.
    let numbers = [1, 2, 0x100, 1 << 64, 1 << 120, 1 << 127, u128::MAX - 1];
    let mut c = changes(OURS, at(0));
    for n in [4, 0, 6, 2, 5, 1, 3] {
        c.insert_credential(credential(numbers[n], u8::try_from(n).unwrap_or(0)));
        let number = 200_100 - i64::try_from(n).unwrap_or(0);
        c.put_patient(None, patient(numbers[n], number, None));
    }
    world.commit(c).await?;
    let ids = numbers.map(Uuid::from_u128);
    for limit in [1, 3, 100] {
        let (mut credentials, mut patients) = (Vec::new(), Vec::new());
        loop {
            let after = credentials.last().copied().map(CredentialId);
            let page = world.list_credentials(OURS, after, limit).await?;
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            credentials.extend(page.iter().map(|credential| credential.id.0));
        }
        loop {
            let after = patients.last().copied().map(PatientId);
            let page = world.list_patients(OURS, after, limit).await?;
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            patients.extend(page.iter().map(|patient| patient.id.0));
        }
        assert_eq!(credentials, ids, "credentials in pages of {limit}");
        assert_eq!(patients, ids, "patients in pages of {limit}");
    }
    Ok(())
}

/// By place, whatever the instants say.
async fn tasks_are_listed_newest_first(world: World) -> Outcome {
    for n in 0..10 {
        world.accept(facts(n, i64::from(n * 7 % 10))).await?;
    }
    for limit in [1, 4, 100] {
        let mut listed = Vec::new();
        let mut before = None;
        loop {
            let filter = TaskFilter {
                before,
                ..TaskFilter::default()
            };
            let page = world.list_tasks(OURS, filter, limit).await?;
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            before = Some(last.place());
            listed.extend(ids(&page));
        }
        let expected: Vec<_> = (0..10).rev().map(task_id).collect();
        assert_eq!(listed, expected, "in pages of {limit}");
    }
    Ok(())
}

/// Every filter, alone and with the others. `accepted_since` is within, `accepted_until` is not.
async fn tasks_are_filtered(world: World) -> Outcome {
    let person = PatientId(Uuid::from_u128(1));
    for n in 0..8 {
        let facts = TaskFacts {
            patient: (n % 2 == 0).then_some(person),
            ..facts(n, i64::from(n))
        };
        world.accept(facts).await?;
    }
    // 0 succeeds, 1 runs, 2 is cancelled, the others wait.
    for task in world.take(2, 0x70, at(9)).await?.tasks {
        if task.task.id() == task_id(0) {
            world.step(&task.task, complete(&task.task), at(9)).await?;
        }
    }
    let task = world.task(task_id(2)).await?;
    world.step(&task, TaskCommand::Cancel, at(9)).await?;

    let place = world.task(task_id(5)).await?.place();
    let all = TaskFilter::default;
    let cases: [(TaskFilter, &[u32]); 9] = [
        (all(), &[7, 6, 5, 4, 3, 2, 1, 0]),
        (by_status(TaskStatus::Queued), &[7, 6, 5, 4, 3]),
        (by_status(TaskStatus::Running), &[1]),
        (by_status(TaskStatus::Succeeded), &[0]),
        (by_status(TaskStatus::Failed), &[]),
        (
            TaskFilter {
                kind: Some(KIND),
                patient: Some(person),
                ..all()
            },
            &[6, 4, 2, 0],
        ),
        (
            TaskFilter {
                accepted_since: Some(at(2)),
                accepted_until: Some(at(6)),
                ..all()
            },
            &[5, 4, 3, 2],
        ),
        (
            TaskFilter {
                before: Some(place),
                accepted_since: Some(at(4)),
                ..all()
            },
            &[4],
        ),
        (
            TaskFilter {
                status: Some(TaskStatus::Queued),
                kind: Some(KIND),
                patient: Some(person),
                accepted_since: Some(at(0)),
                accepted_until: Some(at(6)),
                before: Some(place),
            },
            &[4],
        ),
    ];
    for (filter, expected) in cases {
        let shown = world.list_tasks(OURS, filter.clone(), 99).await?;
        let expected: Vec<_> = expected.iter().copied().map(task_id).collect();
        assert_eq!(ids(&shown), expected, "{filter:?}");
        let first = world.list_tasks(OURS, filter.clone(), 1).await?;
        assert_eq!(
            ids(&first),
            expected[..expected.len().min(1)],
            "the first of {filter:?}"
        );
    }
    Ok(())
}

fn by_status(status: TaskStatus) -> TaskFilter {
    TaskFilter {
        status: Some(status),
        ..TaskFilter::default()
    }
}

async fn audit_is_listed_newest_first(world: World) -> Outcome {
    for n in 0..9 {
        let at = at(n * 7 % 9);
        world
            .write(at, |c| c.audit("resource.put", n.to_string(), AuditOutcome::Done))
            .await?;
    }
    for limit in [1, 4, 100] {
        let mut listed = Vec::new();
        let mut before = None;
        loop {
            let page = world.list_audit(Some(OURS), before, limit).await?;
            assert!(page.len() <= limit);
            let Some((number, _)) = page.last() else { break };
            assert!(page.windows(2).all(|pair| pair[0].0 > pair[1].0));
            before = Some(*number);
            listed.extend(page.into_iter().map(|(_, entry)| entry.target));
        }
        let expected: Vec<_> = (0..9).rev().map(|n| n.to_string()).collect();
        assert_eq!(listed, expected, "in pages of {limit}");
    }
    Ok(())
}

async fn operations_are_listed_in_the_order_of_the_request(world: World) -> Outcome {
    let mut operations = crate::samples::operations(120);
    // As far as the numbers go, and not in the order of texts.
    operations.push(crate::samples::operation(u32::MAX));
    let mut mixed = operations.clone();
    mixed.reverse();
    mixed.swap(3, 90);
    world.accept_with(facts(1, 0), mixed).await?;
    assert_eq!(world.operations(OURS, task_id(1), 0, 1_000).await?, operations);
    assert_eq!(world.operations(OURS, task_id(1), 0, 3).await?, operations[..3]);
    assert_eq!(world.operations(OURS, task_id(1), 9, 3).await?, operations[9..12]);
    assert_eq!(
        world.operations(OURS, task_id(1), 119, 9).await?,
        operations[119..]
    );
    assert_eq!(
        world.operations(OURS, task_id(1), 200, 9).await?,
        operations[120..]
    );
    assert_eq!(world.operations(OURS, task_id(2), 0, 9).await?, []);
    Ok(())
}
