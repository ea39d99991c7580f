//! What can happen to a task on its way: faults, silence, a wish to stop, an end of the process.

use super::support::{World, put};
use super::writing::refusal;
use crate::UseCaseError;
use caretrack_domain::{
    Action, Failure, Lease, LeaseToken, NewTask, Operation, Receipt, RefusalKind, Target, TargetKind,
    TaskFacts, TaskId, TaskKind, TaskState, TaskStatus, WorkerId,
};
use caretrack_ports::{Admission, Author, Changes, Claim, Store, StoreError, TaskRepository};
use std::time::Duration;
use uuid::Uuid;

#[tokio::test(start_paused = true)]
async fn a_panic_is_tried_again() {
    let world = World::new().await;
    let task = world
        .app
        .accept_resource(&world.caller, put("pt-1", "{}"))
        .await
        .unwrap();
    world.store.panic_on_reads(2);
    world.work().await;
    let task = world.task(task).await;
    assert_eq!(task.status(), TaskStatus::Succeeded);
    let errors: Vec<_> = task
        .attempts()
        .iter()
        .map(|attempt| attempt.error.as_deref())
        .collect();
    let panicked = Some("the handler panicked");
    assert_eq!(errors, [panicked, panicked, None]);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_panics_every_time_is_broken_and_can_be_tried_again_by_hand() {
    let world = World::new().await;
    let id = world
        .app
        .accept_resource(&world.caller, put("pt-1", r#"{"a":1}"#))
        .await
        .unwrap();
    world.store.panic_on_reads(5);
    world.work().await;
    let broken = world.task(id).await;
    assert!(matches!(
        broken.state(),
        TaskState::Failed { failure: Failure::Broken(error), .. } if error == "the handler panicked"
    ));
    assert_eq!(broken.attempts().len(), 5);

    let again = world.app.retry_task(&world.caller, id).await.unwrap();
    assert_eq!(again.facts().retry_of, Some(id));
    world.work().await;
    assert_eq!(world.status(again.id()).await, TaskStatus::Succeeded);
    assert_eq!(world.data("pt-1").await.as_deref(), Some(r#"{"a":1}"#));
    let twice = world.app.retry_task(&world.caller, again.id()).await;
    assert!(matches!(twice, Err(UseCaseError::TaskRefused(_))));
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_cannot_be_decoded_is_broken_at_once() {
    let world = World::new().await;
    let target = Target {
        kind: TargetKind::Resource,
        of: "patient".into(),
        id: "pt-1".into(),
    };
    let operation = Operation::pending(0, Action::Upsert, target, Some("nonsense".into()));
    let now = world.app.clock.now();
    let facts = TaskFacts {
        id: TaskId(Uuid::from_u128(77)),
        workspace: world.caller.who.workspace,
        kind: TaskKind::RegistryWrite,
        source: None,
        patient: None,
        ordering_key: None,
        submitted_by: None,
        request_id: world.caller.request_id.clone(),
        trace: None,
        accepted_at: now,
        due_at: None,
        eta: now,
        retry_of: None,
        fingerprint: None,
    };
    let mut changes = Changes::by(Author::of_task(&facts, now), Admission::New);
    let id = facts.id;
    changes.insert_task(NewTask::accepted(facts, vec![operation]));
    world.store.commit(changes).await.unwrap();
    world.work().await;
    let task = world.task(id).await;
    assert_eq!((task.status(), task.attempts().len()), (TaskStatus::Failed, 1));
    let receipts = world.app.receipts(&world.caller, &task, 0, 1).await.unwrap();
    assert!(matches!(receipts.items[0].receipt, Receipt::Broken { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_costs_no_attempt() {
    let world = World::new().await;
    let task = world
        .app
        .accept_resource(&world.caller, put("pt-1", "{}"))
        .await
        .unwrap();
    for _ in 0..20 {
        world
            .store
            .before_commit(async { Err(StoreError::Unavailable("disk".into())) });
    }
    world.work().await;
    let task = world.task(task).await;
    assert_eq!((task.status(), task.attempts().len()), (TaskStatus::Succeeded, 1));
}

#[tokio::test(start_paused = true)]
async fn a_waiting_task_is_cancelled_at_once_and_only_once() {
    let world = World::new().await;
    let id = world
        .app
        .accept_resource(&world.caller, put("pt-1", "{}"))
        .await
        .unwrap();
    let task = world.app.cancel_task(&world.caller, id).await.unwrap();
    assert_eq!(task.status(), TaskStatus::Cancelled);
    let again = world.app.cancel_task(&world.caller, id).await;
    assert!(matches!(again, Err(UseCaseError::TaskRefused(_))));
    let unknown = world.app.cancel_task(&world.caller, TaskId(Uuid::nil())).await;
    assert_eq!(refusal(unknown).kind, RefusalKind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_running_task_that_is_cancelled_before_its_commit_has_no_effect() {
    let world = World::new().await;
    let id = world
        .app
        .accept_resource(&world.caller, put("pt-1", "{}"))
        .await
        .unwrap();
    let (app, caller) = (world.app.clone(), world.caller.clone());
    world.store.before_commit(async move {
        let asked = app.cancel_task(&caller, id).await.unwrap();
        assert!(asked.cancel_requested());
        Ok(())
    });
    world.work().await;
    assert_eq!(world.status(id).await, TaskStatus::Cancelled);
    assert_eq!(world.data("pt-1").await, None);
}

/// Claims everything for a worker that will never be heard of again.
async fn claim_and_fall_silent(world: &World, lease: Duration) {
    let now = world.app.clock.now();
    let lease = Lease {
        token: LeaseToken(Uuid::from_u128(1_000)),
        worker: WorkerId(Uuid::from_u128(1_001)),
        until: now + lease,
    };
    let claim = Claim {
        kinds: [(TaskKind::RegistryWrite, usize::MAX)].into(),
        limit: 100,
        now,
        lease,
    };
    assert_eq!(world.app.queue.claim(claim).await.unwrap().tasks.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_silent_workers_task_is_taken_over() {
    let world = World::new().await;
    let id = world
        .app
        .accept_resource(&world.caller, put("pt-1", "{}"))
        .await
        .unwrap();
    claim_and_fall_silent(&world, Duration::from_secs(20)).await;
    world.work().await;
    let task = world.task(id).await;
    assert_eq!((task.status(), task.attempts().len()), (TaskStatus::Succeeded, 2));
    assert_eq!(task.attempts()[0].error.as_deref(), Some("the lease ran out"));
}

#[tokio::test(start_paused = true)]
async fn a_silent_workers_task_that_nobody_wants_is_not_run_again() {
    let world = World::new().await;
    let id = world
        .app
        .accept_resource(&world.caller, put("pt-1", "{}"))
        .await
        .unwrap();
    claim_and_fall_silent(&world, Duration::from_secs(20)).await;
    world.app.cancel_task(&world.caller, id).await.unwrap();
    world.work().await;
    assert_eq!(world.status(id).await, TaskStatus::Cancelled);
    assert_eq!(world.data("pt-1").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_stops_gives_back_what_it_cannot_finish() {
    let world = World::new().await;
    let id = world
        .app
        .accept_resource(&world.caller, put("pt-1", "{}"))
        .await
        .unwrap();
    world.store.before_commit(std::future::pending());
    let (stop, running) = world.start_worker();
    while world.status(id).await != TaskStatus::Running {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.send_replace(true);
    running.await.unwrap();
    let task = world.task(id).await;
    assert_eq!((task.status(), task.attempts().len()), (TaskStatus::Queued, 0));
}

#[tokio::test(start_paused = true)]
async fn a_long_task_keeps_its_lease() {
    let world = World::new().await;
    let id = world
        .app
        .accept_resource(&world.caller, put("pt-1", "{}"))
        .await
        .unwrap();
    world.store.before_commit(async {
        tokio::time::sleep(Duration::from_mins(5)).await;
        Ok(())
    });
    world.work().await;
    let task = world.task(id).await;
    assert_eq!((task.status(), task.attempts().len()), (TaskStatus::Succeeded, 1));
}

#[tokio::test(start_paused = true)]
async fn a_paused_kind_waits() {
    let world = World::new().await;
    let kind = TaskKind::RegistryWrite;
    world.app.pause_queue(&world.caller, kind, true).await.unwrap();
    let id = world
        .app
        .accept_resource(&world.caller, put("pt-1", "{}"))
        .await
        .unwrap();
    let (stop, running) = world.start_worker();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(world.status(id).await, TaskStatus::Queued);
    let figures = world.app.queue_figures(&world.caller).await.unwrap();
    assert_eq!((figures[0].paused, figures[0].queued), (true, 1));
    world.app.pause_queue(&world.caller, kind, false).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.status(id).await, TaskStatus::Succeeded);
    stop.send_replace(true);
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_past_its_retention_is_deleted() {
    let world = World::new().await;
    let old = world
        .app
        .write_resource(&world.caller, put("pt-1", "{}"))
        .await
        .unwrap();
    let (stop, running) = world.start_worker();
    tokio::time::sleep(Duration::from_mins(12)).await;
    stop.send_replace(true);
    running.await.unwrap();
    let found = world
        .store
        .find_task(world.caller.who.workspace, old.task)
        .await
        .unwrap();
    assert_eq!(found, None);
    assert!(world.data("pt-1").await.is_some());
}
