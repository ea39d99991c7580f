//! Writes that are taken on, and carried out by a worker.

use super::support::{World, create, delete, if_match, key, order, put};
use super::writing::refusal;
use crate::{Change, ResourceOrder, Settings, UseCaseError};
use caretrack_domain::{AuditOutcome, Failure, ReceiptStatus, RefusalKind, TaskState, TaskStatus};
use caretrack_ports::StoreError;
use futures::future::join_all;

#[tokio::test(start_paused = true)]
async fn an_accepted_write_is_there_once_its_task_has_succeeded() {
    let world = World::new().await;
    let task = world
        .app
        .accept_resource(&world.caller, put("pt-1", r#"{"a": 4.70}"#))
        .await
        .unwrap();
    assert_eq!(
        (world.status(task).await, world.data("pt-1").await),
        (TaskStatus::Queued, None)
    );
    world.work().await;
    assert_eq!(world.status(task).await, TaskStatus::Succeeded);
    assert_eq!(world.data("pt-1").await.as_deref(), Some(r#"{"a": 4.70}"#));
    assert_eq!(
        world.audit().await,
        [
            ("resource.upsert".to_owned(), AuditOutcome::Accepted),
            ("resource.upsert".to_owned(), AuditOutcome::Done),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn when_too_many_wait_only_new_ones_are_turned_away() {
    const DEPTH: usize = 3;
    let world = World::with(Settings {
        queue_depth: Some(DEPTH as u64),
        ..Settings::default()
    })
    .await;
    let accept = |id: String| world.app.accept_resource(&world.caller, put(&id, "{}"));
    // However many come at once.
    let all = join_all((0..50).map(|n| accept(format!("pt-{n}")))).await;
    let accepted: Vec<_> = all.iter().flatten().copied().collect();
    assert_eq!(accepted.len(), DEPTH);
    let is_full = |outcome: &Result<_, _>| {
        matches!(
            outcome,
            Err(UseCaseError::Unavailable(StoreError::Unavailable(_)))
        )
    };
    assert_eq!(all.iter().filter(|outcome| is_full(outcome)).count(), 50 - DEPTH);
    // A delete would have to wait as well; what is done at once need not.
    let at_once = world.app.write_resource(&world.caller, put("now", "{}"));
    assert!(at_once.await.is_ok());
    let gone = world.app.accept_resource(&world.caller, delete("now"));
    assert!(is_full(&gone.await));
    assert!(is_full(&accept("more".to_owned()).await));
    world.app.cancel_task(&world.caller, accepted[0]).await.unwrap();
    assert!(accept("instead".to_owned()).await.is_ok());
    assert!(is_full(&accept("more".to_owned()).await));
    // Counting finds the same, and another process the same again.
    world.app.count_queue_depth().await.unwrap();
    assert!(is_full(&accept("more".to_owned()).await));
    let other = world.another(world.app.settings.clone());
    other.count_queue_depth().await.unwrap();
    assert!(is_full(
        &other.accept_resource(&world.caller, put("more", "{}")).await
    ));
    world.work().await;
    for n in 0..DEPTH {
        assert!(accept(format!("again-{n}")).await.is_ok());
    }
    assert!(is_full(&accept("more".to_owned()).await));
}

#[tokio::test(start_paused = true)]
async fn what_was_not_committed_takes_no_room() {
    let world = World::with(Settings {
        queue_depth: Some(1),
        ..Settings::default()
    })
    .await;
    let accept = || world.app.accept_resource(&world.caller, put("pt-1", "{}"));
    world
        .store
        .before_commit(async { Err(StoreError::Unavailable("away".into())) });
    assert!(accept().await.is_err());
    assert!(accept().await.is_ok());
    assert!(accept().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn the_outcome_is_the_one_it_would_have_had_at_once() {
    let taken = || create("pt-0", "{}");
    let orders: [(fn() -> ResourceOrder, _); 4] = [
        (|| create("pt-0", "{}"), Some(RefusalKind::AlreadyExists)),
        (|| delete("pt-9"), Some(RefusalKind::NotFound)),
        (
            || if_match(999, put("pt-0", "{}")),
            Some(RefusalKind::ConditionFailed),
        ),
        (|| put("pt-0", "{}"), None),
    ];
    for (order, expected) in orders {
        let at_once = World::new().await;
        at_once
            .app
            .write_resource(&at_once.caller, taken())
            .await
            .unwrap();
        let now = at_once.app.write_resource(&at_once.caller, order()).await;

        let later = World::new().await;
        later.app.write_resource(&later.caller, taken()).await.unwrap();
        let task = later.app.accept_resource(&later.caller, order()).await.unwrap();
        later.work().await;
        match (expected, later.task(task).await.state()) {
            (None, TaskState::Succeeded { .. }) => assert!(now.is_ok()),
            (
                Some(kind),
                TaskState::Failed {
                    failure: Failure::Refused(told),
                    ..
                },
            ) => {
                assert_eq!(told.kind, kind);
                assert_eq!(*told, refusal(now));
            }
            (expected, state) => panic!("{expected:?} was expected, not {state:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_a_later_one_overtook_is_cancelled_without_effect() {
    let world = World::new().await;
    world
        .app
        .write_resource(&world.caller, put("pt-1", "{}"))
        .await
        .unwrap();
    let overtaken = world
        .app
        .accept_resource(&world.caller, put("pt-1", r#"{"late":1}"#))
        .await
        .unwrap();
    let revived = world
        .app
        .accept_resource(&world.caller, put("pt-2", r#"{"late":1}"#))
        .await
        .unwrap();
    world
        .app
        .write_resource(&world.caller, put("pt-1", r#"{"now":1}"#))
        .await
        .unwrap();
    world
        .app
        .write_resource(&world.caller, put("pt-2", "{}"))
        .await
        .unwrap();
    world
        .app
        .write_resource(&world.caller, delete("pt-2"))
        .await
        .unwrap();
    world.work().await;
    assert_eq!(world.status(overtaken).await, TaskStatus::Cancelled);
    assert_eq!(world.status(revived).await, TaskStatus::Cancelled);
    assert_eq!(world.data("pt-1").await.as_deref(), Some(r#"{"now":1}"#));
    assert_eq!(world.data("pt-2").await, None);
    let task = world.task(overtaken).await;
    let receipts = world.app.receipts(&world.caller, &task, 0, 10).await.unwrap();
    assert_eq!(
        ReceiptStatus::from(&receipts.items[0].receipt),
        ReceiptStatus::Cancelled
    );
}

#[tokio::test(start_paused = true)]
async fn writes_to_one_record_are_carried_out_in_the_order_of_acceptance() {
    let world = World::new().await;
    for n in 0..20 {
        let order = put("pt-1", &format!(r#"{{"n":{n}}}"#));
        world.app.accept_resource(&world.caller, order).await.unwrap();
    }
    world.work().await;
    assert_eq!(world.data("pt-1").await.as_deref(), Some(r#"{"n":19}"#));
    let tasks = world
        .app
        .list_tasks(&world.caller, <_>::default(), None, 100)
        .await
        .unwrap();
    assert!(
        tasks
            .items
            .iter()
            .all(|task| task.status() == TaskStatus::Succeeded)
    );
}

#[tokio::test(start_paused = true)]
async fn the_made_id_stands_in_the_data_and_a_refused_write_makes_no_source() {
    let world = World::new().await;
    let Change::Create(mut draft) = create("x", r#"{"self":"@rootId"}"#).change else {
        unreachable!("it creates")
    };
    draft.meta.updated_at = Some("2020-01-01T00:00:00Z".to_owned());
    let refused = order("pt-1", Change::Create(draft.clone()));
    let refused = world.app.accept_resource(&world.caller, refused).await.unwrap();
    world.work().await;
    assert_eq!(world.status(refused).await, TaskStatus::Failed);
    assert!(
        world
            .app
            .find_source(&world.caller, &key("pt-1").source)
            .await
            .is_err()
    );

    draft.meta.updated_at = None;
    let made = world.app.new_record_id();
    let order = order(made.as_str(), Change::Create(draft));
    world.app.accept_resource(&world.caller, order).await.unwrap();
    world.work().await;
    assert_eq!(
        world.data(made.as_str()).await,
        Some(format!(r#"{{"self":"{made}"}}"#))
    );
}
