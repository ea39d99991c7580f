//! What a write is judged by: the definition in force when it is committed, whatever was remembered.

use super::support::{World, create, key, put};
use super::writing::refusal;
use crate::{Application, Caller, DefinitionOrder, PutDefinition, UseCaseError};
use caretrack_domain::{Failure, Key, Profile, ProfileType, RefusalKind, Rule, TaskState};
use caretrack_ports::StoreError;
use serde_json::{Value, json};

/// Patients have a number, and it is of this type.
async fn patients_have(app: &Application, caller: &Caller, of: &str) -> Result<PutDefinition, UseCaseError> {
    let properties = json!({"n": {"type": of, "rules": [{"required": true}]}});
    put_profile(app, caller, key("x").of, &json!({"properties": properties})).await
}

async fn put_profile(
    app: &Application,
    caller: &Caller,
    of: Key,
    body: &Value,
) -> Result<PutDefinition, UseCaseError> {
    let profile = Profile::read(body.as_object().unwrap(), "$").unwrap();
    let order = DefinitionOrder::Profile(ProfileType::Root, profile);
    Box::pin(app.put_definition(caller, key("x").source, of, order)).await
}

const TEXT: &str = r#"{"n":"1"}"#;
const NUMBER: &str = r#"{"n":1}"#;

#[tokio::test(start_paused = true)]
async fn a_definition_that_is_remembered_is_not_asked_for_again() {
    let world = World::new().await;
    assert!(
        patients_have(&world.app, &world.caller, "integer")
            .await
            .unwrap()
            .created
    );
    world
        .app
        .write_resource(&world.caller, put("pt-0", NUMBER))
        .await
        .unwrap();
    let before = world.store.definitions_read();
    for n in 1..10 {
        let order = put(&format!("pt-{n}"), NUMBER);
        world.app.write_resource(&world.caller, order).await.unwrap();
    }
    assert_eq!(world.store.definitions_read(), before);
}

#[tokio::test(start_paused = true)]
async fn a_definition_put_while_a_write_is_under_way_judges_it() {
    let world = World::new().await;
    let other = World::beside(&world);
    patients_have(&world.app, &world.caller, "symbol").await.unwrap();
    world
        .app
        .write_resource(&world.caller, put("pt-0", TEXT))
        .await
        .unwrap();
    let caller = world.caller.clone();
    world.store.before_commit(async move {
        patients_have(&other, &caller, "integer").await.unwrap();
        Ok(())
    });
    let refused = refusal(world.app.write_resource(&world.caller, put("pt-1", TEXT)).await);
    assert_eq!(
        (refused.problems[0].path.as_str(), refused.problems[0].rule),
        ("$.data.n", Rule::Type)
    );
    assert_eq!(world.data("pt-1").await, None);
    // What was stored stays as it is.
    assert_eq!(world.data("pt-0").await.as_deref(), Some(TEXT));
}

#[tokio::test(start_paused = true)]
async fn a_type_that_is_closed_while_it_is_made_is_closed() {
    let world = World::new().await;
    let other = World::beside(&world);
    let caller = world.caller.clone();
    world.store.before_commit(async move {
        patients_have(&other, &caller, "integer").await.unwrap();
        Ok(())
    });
    let refused = refusal(world.app.write_resource(&world.caller, put("pt-1", TEXT)).await);
    assert_eq!(refused.kind, RefusalKind::Invalid);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_refused_by_what_is_only_remembered() {
    let world = World::new().await;
    let other = World::beside(&world);
    patients_have(&world.app, &world.caller, "integer").await.unwrap();
    world
        .app
        .write_resource(&world.caller, put("pt-0", NUMBER))
        .await
        .unwrap();
    patients_have(&other, &world.caller, "symbol").await.unwrap();
    world
        .app
        .write_resource(&world.caller, put("pt-0", TEXT))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_judged_when_it_is_carried_out() {
    let world = World::new().await;
    let other = World::beside(&world);
    patients_have(&world.app, &world.caller, "symbol").await.unwrap();
    world
        .app
        .write_resource(&world.caller, put("pt-0", TEXT))
        .await
        .unwrap();
    let task = world
        .app
        .accept_resource(&world.caller, put("pt-1", TEXT))
        .await
        .unwrap();
    // Another process puts it, so that what is remembered here is old: the worker finds out when it commits.
    patients_have(&other, &world.caller, "integer").await.unwrap();
    world.work().await;
    let task = world.task(task).await;
    let TaskState::Failed {
        failure: Failure::Refused(refused),
        ..
    } = task.state()
    else {
        panic!("{:?}", task.state())
    };
    assert_eq!(
        (refused.problems[0].path.as_str(), refused.problems[0].rule),
        ("$.data.n", Rule::Type)
    );
    assert_eq!(world.data("pt-1").await, None);
}

#[tokio::test(start_paused = true)]
async fn the_token_is_filled_by_the_profile_that_judges() {
    let world = World::new().await;
    let properties = json!({"self": {"type": "reference"}, "text": {"type": "symbol"}});
    let profile = json!({"properties": properties});
    put_profile(&world.app, &world.caller, key("x").of, &profile)
        .await
        .unwrap();
    let text = r#"{"self":"@rootId","text":"@rootId"}"#;
    world
        .app
        .write_resource(&world.caller, create("pt-1", text))
        .await
        .unwrap();
    assert_eq!(
        world.data("pt-1").await.as_deref(),
        Some(r#"{"self":"pt-1","text":"@rootId"}"#)
    );
    let task = world
        .app
        .accept_resource(&world.caller, create("pt-2", text))
        .await
        .unwrap();
    world.work().await;
    assert!(matches!(
        world.task(task).await.state(),
        TaskState::Succeeded { .. }
    ));
    assert_eq!(
        world.data("pt-2").await.as_deref(),
        Some(r#"{"self":"pt-2","text":"@rootId"}"#)
    );
}

#[tokio::test(start_paused = true)]
async fn of_two_definitions_put_at_once_both_count() {
    let world = World::new().await;
    let other = World::beside(&world);
    let caller = world.caller.clone();
    world.store.before_commit(async move {
        patients_have(&other, &caller, "symbol").await.unwrap();
        Ok(())
    });
    let put = patients_have(&world.app, &world.caller, "integer").await.unwrap();
    assert_eq!((put.created, put.definition.version), (false, 2));
    world
        .store
        .before_commit(async { Err(StoreError::Unavailable("told to".into())) });
    let failed = patients_have(&world.app, &world.caller, "symbol").await;
    assert!(matches!(failed, Err(UseCaseError::Unavailable(_))));
}
