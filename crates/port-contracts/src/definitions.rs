//! Definitions: what is judged by one holds only while it is in force.

use crate::fixture::{Contract, Outcome};
use crate::samples::{OURS, THEIRS, at, key, resource};
use crate::world::{World, assert_conflict};
use caretrack_domain::{Definition, Shape, ShapeKind, TypeKey, WorkspaceId};
use caretrack_ports::{Place, Reliance, StoreError};
use futures::future::join_all;
use serde_json::{Map, Value, json};

pub(crate) const CONTRACTS: &[Contract] = &[
    ("definitions_are_kept_as_they_were_sent", |w| {
        Box::pin(definitions_are_kept_as_they_were_sent(w))
    }),
    ("of_two_who_put_over_one_version_one_conflicts", |w| {
        Box::pin(of_two_who_put_over_one_version_one_conflicts(w))
    }),
    ("what_was_judged_by_another_definition_conflicts", |w| {
        Box::pin(what_was_judged_by_another_definition_conflicts(w))
    }),
    ("an_open_type_is_open_before_it_is_there", |w| {
        Box::pin(an_open_type_is_open_before_it_is_there(w))
    }),
    ("every_record_was_judged_by_what_was_in_force", |w| {
        Box::pin(every_record_was_judged_by_what_was_in_force(w))
    }),
];

fn patient(workspace: WorkspaceId) -> TypeKey {
    TypeKey {
        workspace,
        source: key("northclinic"),
        key: key("patient"),
    }
}

fn open(of: TypeKey) -> Definition {
    Definition::open_root(of.workspace, of.source, of.key, at(0))
}

fn members(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("a sample is an object")
}

fn shape(kind: ShapeKind, sent: &Value) -> Shape {
    Shape::restore(kind, Some(members(sent))).expect("a sample shape is a good one")
}

fn closed(workspace: WorkspaceId, version: i64) -> Definition {
    let sent = json!({"properties": {"v": {"type": "integer", "rules": [{"min": version}]}}});
    Definition {
        version,
        shape: shape(ShapeKind::Root, &sent),
        ..open(patient(workspace))
    }
}

async fn stored(world: &World, of: &TypeKey) -> Result<Option<Definition>, StoreError> {
    world.find_definition(of.workspace, &of.source, &of.key).await
}

async fn put(world: &World, expected: Option<i64>, after: Definition) -> Result<(), StoreError> {
    let put = world.write_in(after.workspace, at(1), |c| c.put_definition(expected, after));
    put.await.map(drop)
}

/// A record that was judged by a version of the patients' definition.
async fn judged_by(world: &World, workspace: WorkspaceId, id: &str, version: i64) -> Result<i64, StoreError> {
    let after = resource(id, format!(r#"{{"v": {version}}}"#), at(2));
    let on = patient(workspace);
    let committed = world.write_in(workspace, at(2), |c| {
        c.put_resource(workspace, None, Place::AtCommit, after);
        c.rely_on(Reliance { on, version });
    });
    Ok(committed.await?.version(0))
}

/// "the answer is the definition": each kind comes back, its members and their order as they were sent.
async fn definitions_are_kept_as_they_were_sent(world: World) -> Outcome {
    let profile = json!({"description": "é'\"", "properties": {"z": {"type": "symbol", "rules": [{"pattern": "^\\d+$"}]}, "a": {"type": "date"}},
        "contained": {"c": {"types": ["contact"], "cardinality": "0:*"}}});
    let ends = json!({"from": {"profileKey": "patient", "includeKey": "patients", "includeCardinality": "0:*"}, "to": {"profileKey": "*"}});
    let shapes = [
        ("root", shape(ShapeKind::Root, &profile)),
        ("contained", shape(ShapeKind::Contained, &profile)),
        ("relationship", shape(ShapeKind::Relationship, &ends)),
        ("open-root", Shape::Root(None)),
        ("open-relationship", Shape::Relationship(None)),
    ];
    for (name, shape) in shapes {
        let of = TypeKey {
            key: key(name),
            ..patient(OURS)
        };
        let definition = Definition {
            version: 1,
            shape,
            ..open(of.clone())
        };
        put(&world, None, definition.clone()).await?;
        let found = stored(&world, &of).await?;
        let sent = |found: &Definition| {
            found
                .shape
                .members()
                .map(|members| Value::Object(members).to_string())
        };
        assert_eq!(found.as_ref().map(sent), Some(sent(&definition)), "{name}");
        assert_eq!(found, Some(definition), "{name}");
    }
    Ok(())
}

/// `Changes::put_definition` expects the version that was seen, and tells nothing from something.
async fn of_two_who_put_over_one_version_one_conflicts(world: World) -> Outcome {
    assert_conflict(put(&world, Some(1), closed(OURS, 2)).await);
    put(&world, None, closed(OURS, 1)).await?;
    assert_conflict(put(&world, None, closed(OURS, 1)).await);
    let both = join_all([2, 2].map(|version| put(&world, Some(1), closed(OURS, version)))).await;
    assert_eq!(both.iter().filter(|put| put.is_ok()).count(), 1);
    both.into_iter().filter(Result::is_err).for_each(assert_conflict);
    assert_eq!(stored(&world, &patient(OURS)).await?, Some(closed(OURS, 2)));
    // Another workspace's of the same name is another one.
    assert_conflict(put(&world, Some(2), closed(THEIRS, 3)).await);
    put(&world, None, closed(THEIRS, 1)).await?;
    // What a write made stands, too, for whoever saw nothing.
    let visit = TypeKey {
        key: key("visit"),
        ..patient(OURS)
    };
    world
        .write(at(1), |c| c.ensure_definition(open(visit.clone())))
        .await?;
    let after = Definition {
        version: 1,
        ..open(visit.clone())
    };
    assert_conflict(put(&world, None, after.clone()).await);
    put(&world, Some(0), after).await?;
    // And it is not made again over what was put.
    world
        .write(at(1), |c| c.ensure_definition(open(visit.clone())))
        .await?;
    assert_eq!(stored(&world, &visit).await?.map(|found| found.version), Some(1));
    Ok(())
}

/// "A stored record satisfied the definition in force when it was last written."
async fn what_was_judged_by_another_definition_conflicts(world: World) -> Outcome {
    assert_conflict(judged_by(&world, OURS, "r0", 1).await);
    put(&world, None, closed(OURS, 1)).await?;
    judged_by(&world, OURS, "r1", 1).await?;
    put(&world, Some(1), closed(OURS, 2)).await?;
    assert_conflict(judged_by(&world, OURS, "r2", 1).await);
    judged_by(&world, OURS, "r2", 2).await?;
    // Theirs is another one.
    judged_by(&world, THEIRS, "r0", 0).await?;
    assert_conflict(judged_by(&world, THEIRS, "r1", 2).await);
    let kept: Vec<_> = world
        .list_resources(OURS, &key("northclinic"), &key("patient"), None, 9)
        .await?;
    assert_eq!(kept.len(), 2, "what conflicted left nothing");
    Ok(())
}

/// Nought stands for an open definition, be it there already or not.
async fn an_open_type_is_open_before_it_is_there(world: World) -> Outcome {
    judged_by(&world, OURS, "r0", 0).await?;
    world
        .write(at(1), |c| c.ensure_definition(open(patient(OURS))))
        .await?;
    judged_by(&world, OURS, "r1", 0).await?;
    put(&world, Some(0), closed(OURS, 1)).await?;
    assert_conflict(judged_by(&world, OURS, "r2", 0).await);
    Ok(())
}

/// Under way together, a judgement is committed before the next definition is, or not at all.
async fn every_record_was_judged_by_what_was_in_force(world: World) -> Outcome {
    const VERSIONS: i64 = 12;
    let puts = async {
        let mut began = Vec::new();
        for version in 1..=VERSIONS {
            let after = resource(&format!("v{version}"), "{}", at(1));
            let committed = world.write(at(1), |c| {
                c.put_definition((version > 1).then_some(version - 1), closed(OURS, version));
                c.put_resource(OURS, None, Place::AtCommit, after);
            });
            began.push(committed.await?.version(0));
        }
        Ok::<_, StoreError>(began)
    };
    let writer = async |n: usize| {
        let mut written = Vec::new();
        let mut turn = 0;
        loop {
            let version = stored(&world, &patient(OURS))
                .await?
                .map_or(0, |found| found.version);
            match judged_by(&world, OURS, &format!("w{n}-{turn}"), version).await {
                Ok(number) => written.push((version, number)),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
            if version == VERSIONS {
                return Ok(written);
            }
            turn += 1;
        }
    };
    let (began, written) = futures::join!(puts, join_all((0..8).map(writer)));
    let began = began?;
    let mut count = 0;
    for (version, number) in written
        .into_iter()
        .collect::<Result<Vec<_>, StoreError>>()?
        .into_iter()
        .flatten()
    {
        let at = |version: i64| usize::try_from(version).ok().and_then(|n| began.get(n));
        let after = version.checked_sub(1).and_then(at);
        assert!(
            after.is_none_or(|began| number > *began),
            "{version} was not in force yet"
        );
        assert!(
            at(version).is_none_or(|ended| number < *ended),
            "{version} was no longer in force"
        );
        count += 1;
    }
    assert!(count > 0);
    Ok(())
}
