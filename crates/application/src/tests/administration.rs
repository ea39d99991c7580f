//! Keys, workspaces, patients.

use super::support::{KEY, World, put};
use super::writing::refusal;
use crate::{CredentialDraft, Needed, Unauthenticated, UseCaseError};
use caretrack_domain::{
    AuditOutcome, CredentialKind, Key, LocalPatientId, RefusalKind, Scope, Scopes, WorkspaceOptions,
};
use caretrack_ports::PatientRef;
use std::sync::atomic::Ordering;

fn api_key(scopes: &[&str], workspace: Option<&str>) -> CredentialDraft {
    CredentialDraft {
        kind: CredentialKind::ApiKey,
        name: "a client".into(),
        scopes: Scopes::parse(scopes.iter().copied()).unwrap(),
        workspace: workspace.map(|key| Key::parse(key).unwrap()),
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_first_start_makes_an_administrator() {
    let world = World::new().await;
    assert!(!world.app.needs_bootstrap().await.unwrap());
    let other = world.app.new_key();
    assert!(!world.app.bootstrap(&other).await.unwrap());
    let denied = world.login(&other).await;
    assert!(matches!(
        denied,
        Err(UseCaseError::Unauthenticated(Unauthenticated::Bad))
    ));
    assert!(world.app.bootstrap("ct_short").await.is_err());
    assert!(world.app.bootstrap(&"x".repeat(40)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_revoked_key_is_refused_at_once() {
    let world = World::new().await;
    let made = world
        .app
        .add_credential(&world.caller, api_key(&["registry:read"], None))
        .await
        .unwrap();
    assert!(world.login(&made.secret).await.is_ok());
    world
        .app
        .revoke_credential(&world.caller, made.credential.id)
        .await
        .unwrap();
    let denied = world.login(&made.secret).await;
    assert!(matches!(
        denied,
        Err(UseCaseError::Unauthenticated(Unauthenticated::Bad))
    ));
    assert!(world.login(KEY).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_scope_is_asked_for_before_anything_is_looked_up() {
    let world = World::new().await;
    let made = world
        .app
        .add_credential(&world.caller, api_key(&["registry:read"], None))
        .await
        .unwrap();
    let reader = world.login(&made.secret).await.unwrap();
    let denied = world.app.write_resource(&reader, put("pt-1", "{}")).await;
    assert!(matches!(
        denied,
        Err(UseCaseError::Forbidden(Needed::Scope(Scope::RegistryWrite)))
    ));
    let denied = world.app.list_workspaces(&reader, None, 10).await;
    assert!(matches!(denied, Err(UseCaseError::Forbidden(_))));
}

#[tokio::test(start_paused = true)]
async fn workspaces_do_not_see_each_other_and_have_their_own_options() {
    let world = World::new().await;
    let options = WorkspaceOptions {
        open_profiles: Some(false),
        ..WorkspaceOptions::default()
    };
    let key = Key::parse("south").unwrap();
    world
        .app
        .add_workspace(&world.caller, key.clone(), options.clone())
        .await
        .unwrap();
    let taken = world.app.add_workspace(&world.caller, key, options).await;
    assert_eq!(refusal(taken).kind, RefusalKind::AlreadyExists);

    let draft = api_key(&["registry:read", "registry:write", "ops:write"], Some("south"));
    let made = world.app.add_credential(&world.caller, draft).await.unwrap();
    let south = world.login(&made.secret).await.unwrap();
    let order = put("pt-1", "{}");
    let key = order.key.clone();
    world
        .app
        .write_resource(&world.caller, order.clone())
        .await
        .unwrap();
    assert!(world.app.find_resource(&south, &key).await.is_err());
    let refused = world.app.write_resource(&south, order).await;
    assert_eq!(refusal(refused).kind, RefusalKind::NotFound);
    let denied = world
        .app
        .add_credential(&south, api_key(&[], Some("default")))
        .await;
    assert!(matches!(
        denied,
        Err(UseCaseError::Forbidden(Needed::Administrator))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_patients_number_is_drawn_again_if_it_is_taken() {
    let world = World::new().await;
    let local = LocalPatientId::parse("98761234P").unwrap();
    let first = world
        .app
        .register_patient(&world.caller, Some(local.clone()))
        .await
        .unwrap();
    world.ids.number.store(0, Ordering::Relaxed);
    let second = world.app.register_patient(&world.caller, None).await.unwrap();
    assert_ne!(first.wmda_id, second.wmda_id);
    let taken = world.app.register_patient(&world.caller, Some(local)).await;
    assert_eq!(refusal(taken).kind, RefusalKind::AlreadyExists);

    let by = PatientRef::Wmda(first.wmda_id);
    let changed = world
        .app
        .set_patient_active(&world.caller, by, false)
        .await
        .unwrap();
    let found = world
        .app
        .find_patient(&world.caller, PatientRef::Id(first.id))
        .await
        .unwrap();
    assert_eq!(found.patient, changed);
    assert!(!changed.active);
    let last = world.audit().await.pop().unwrap();
    assert_eq!(last, ("patient.change".to_owned(), AuditOutcome::Done));
}
