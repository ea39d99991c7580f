//! Writes that are done before they are answered.

use super::support::{World, create, delete, if_match, key, put};
use crate::{Settings, UseCaseError};
use caretrack_domain::{AuditOutcome, ReceiptStatus, Refusal, RefusalKind, TaskStatus};
use caretrack_ports::StoreError;

pub fn refusal<T>(outcome: Result<T, UseCaseError>) -> Refusal {
    match outcome {
        Err(UseCaseError::Refused(refusal)) => refusal,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was not refused"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_is_there_with_its_task_and_receipt_when_it_is_answered() {
    let world = World::new().await;
    let first = world
        .app
        .write_resource(&world.caller, put("pt-1", r#"{"a":1}"#))
        .await
        .unwrap();
    assert!(first.created);
    let (resource, version) = world
        .app
        .find_resource(&world.caller, &key("pt-1"))
        .await
        .unwrap();
    assert_eq!(first.resource, Some(resource));
    assert_eq!(first.tag.as_ref(), Some(&version));
    let task = world.task(first.task).await;
    assert_eq!(task.status(), TaskStatus::Succeeded);
    let receipts = world.app.receipts(&world.caller, &task, 0, 10).await.unwrap();
    assert_eq!(
        ReceiptStatus::from(&receipts.items[0].receipt),
        ReceiptStatus::Succeeded
    );

    let second = world
        .app
        .write_resource(&world.caller, put("pt-1", r#"{"a":2}"#))
        .await
        .unwrap();
    assert!(!second.created && second.tag.unwrap() != version);
    let gone = world
        .app
        .write_resource(&world.caller, delete("pt-1"))
        .await
        .unwrap();
    assert_eq!((gone.created, gone.resource), (false, None));
    assert_eq!(world.data("pt-1").await, None);
    let again = world
        .app
        .write_resource(&world.caller, create("pt-1", "{}"))
        .await
        .unwrap();
    assert!(again.created);
    assert_eq!(
        world.audit().await,
        [
            ("resource.upsert".to_owned(), AuditOutcome::Done),
            ("resource.upsert".to_owned(), AuditOutcome::Done),
            ("resource.delete".to_owned(), AuditOutcome::Done),
            ("resource.create".to_owned(), AuditOutcome::Done),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_write_leaves_an_audit_entry_and_nothing_else() {
    let world = World::new().await;
    let refused = world
        .app
        .write_resource(&world.caller, if_match(7, put("pt-1", "{}")))
        .await;
    assert_eq!(refusal(refused).kind, RefusalKind::ConditionFailed);
    let source = world.app.find_source(&world.caller, &key("pt-1").source).await;
    assert_eq!(refusal(source).kind, RefusalKind::NotFound);
    let tasks = world
        .app
        .list_tasks(&world.caller, <_>::default(), None, 10)
        .await
        .unwrap();
    assert!(tasks.items.is_empty());
    assert_eq!(
        world.audit().await,
        [("resource.upsert".to_owned(), AuditOutcome::Refused)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_even_if_it_cannot_be_noted() {
    let world = World::new().await;
    world
        .store
        .before_commit(async { Err(StoreError::Unavailable("disk".into())) });
    let refused = world.app.write_resource(&world.caller, delete("pt-1")).await;
    assert_eq!(refusal(refused).kind, RefusalKind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_taken_id_cannot_be_created_and_a_missing_one_not_deleted() {
    let world = World::new().await;
    world
        .app
        .write_resource(&world.caller, create("pt-1", "{}"))
        .await
        .unwrap();
    let taken = world
        .app
        .write_resource(&world.caller, create("pt-1", "{}"))
        .await;
    assert_eq!(refusal(taken).kind, RefusalKind::AlreadyExists);
    let missing = world.app.write_resource(&world.caller, delete("pt-2")).await;
    assert_eq!(refusal(missing).kind, RefusalKind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn who_is_overtaken_between_reading_and_writing_decides_again() {
    let world = World::new().await;
    let (app, caller) = (world.app.clone(), world.caller.clone());
    world.store.before_commit(async move {
        app.write_resource(&caller, create("pt-1", r#"{"first":true}"#))
            .await
            .unwrap();
        Ok(())
    });
    let late = world
        .app
        .write_resource(&world.caller, create("pt-1", "{}"))
        .await;
    assert_eq!(refusal(late).kind, RefusalKind::AlreadyExists);
    assert_eq!(world.data("pt-1").await.as_deref(), Some(r#"{"first":true}"#));
}

#[tokio::test(start_paused = true)]
async fn endless_conflicts_end_in_not_now() {
    let world = World::new().await;
    for _ in 0..10_000 {
        world.store.before_commit(async { Err(StoreError::Conflict) });
    }
    let outcome = world.app.write_resource(&world.caller, put("pt-1", "{}")).await;
    assert!(matches!(outcome, Err(UseCaseError::Unavailable(_))));
}

#[tokio::test(start_paused = true)]
async fn without_open_profiles_an_unknown_source_is_not_found() {
    let closed = Settings {
        open_profiles: false,
        ..Settings::default()
    };
    let world = World::with(closed).await;
    let refused = world.app.write_resource(&world.caller, put("pt-1", "{}")).await;
    assert_eq!(refusal(refused).message, "There is no source northclinic.");
    assert!(
        world
            .app
            .put_source(&world.caller, key("pt-1").source)
            .await
            .unwrap()
    );
    let refused = world.app.accept_resource(&world.caller, put("pt-1", "{}")).await;
    assert_eq!(
        refusal(refused).message,
        "There is no type patient in the source northclinic."
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_is_walked_in_order() {
    let world = World::new().await;
    for id in ["b", "a", "c"] {
        world
            .app
            .write_resource(&world.caller, put(id, "{}"))
            .await
            .unwrap();
    }
    let key = key("a");
    let list = |after| {
        world
            .app
            .list_resources(&world.caller, &key.source, &key.of, after, 2)
    };
    let first = list(None).await.unwrap();
    let ids: Vec<_> = first
        .items
        .iter()
        .map(|resource| resource.key.id.as_str())
        .collect();
    assert_eq!((ids, first.more), (vec!["a", "b"], true));
    let rest = list(first.items.last().map(|last| &last.key.id)).await.unwrap();
    assert_eq!((rest.items.len(), rest.more), (1, false));
}
