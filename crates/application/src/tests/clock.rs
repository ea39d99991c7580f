//! The time of the domain goes ahead; what keeps the machinery going does not notice.

use super::support::{World, delete, key, put, worker_settings};
use crate::{ClockError, ClockMode, Settings, UseCaseError};
use caretrack_domain::{
    Advance, AuditOutcome, Lease, LeaseToken, NewTask, RefusalKind, TaskFacts, TaskId, TaskKind, TaskStatus,
    WorkerId,
};
use caretrack_ports::{Admission, Changes, Claim, ClockRepository, Store};
use std::time::Duration;
use time::Duration as Span;

async fn manual() -> World {
    World::with(Settings {
        clock: ClockMode::Manual,
        ..Settings::default()
    })
    .await
}

fn by(text: &str) -> Advance {
    Advance::parse(text).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_systems_clock_is_not_moved() {
    let world = World::new().await;
    let refused = world.app.advance_clock(&world.caller, by("P1D")).await;
    assert!(matches!(refused, Err(UseCaseError::Refused(r)) if r.kind == RefusalKind::Conflict));
    assert_eq!(world.app.now(), world.app.system_now());
    assert_eq!(world.store.clock_ahead().await.unwrap(), Span::ZERO);
    assert_eq!(
        world.audit().await,
        [("clock.advance".to_owned(), AuditOutcome::Refused)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_moved_store_is_not_used_with_the_systems_clock() {
    let world = World::new().await;
    let mut changes = Changes::by(world.caller.author(world.app.now()), Admission::Continuing);
    changes.advance_clock(by("PT1S"));
    world.store.commit(changes).await.unwrap();
    let refused = world.app.start_clock().await;
    assert!(matches!(refused, Err(ClockError::WasMoved(ahead)) if ahead == Span::SECOND));
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_has_the_time_of_the_domain() {
    let world = manual().await;
    let before = world.app.system_now();
    let reading = world.app.advance_clock(&world.caller, by("P42D")).await.unwrap();
    assert_eq!(reading.mode, ClockMode::Manual);
    assert!(reading.now >= before + Span::days(42) && reading.now <= world.app.now());
    assert!(world.app.system_now() < before + Span::MINUTE);
    world
        .app
        .write_resource(&world.caller, put("pt-1", "{}"))
        .await
        .unwrap();
    let (record, _) = world
        .app
        .find_resource(&world.caller, &key("pt-1"))
        .await
        .unwrap();
    assert_eq!(record.created_at, world.app.now());
    let advanced = ("clock.advance".to_owned(), AuditOutcome::Done);
    assert_eq!(world.audit().await[0], advanced);
}

#[tokio::test(start_paused = true)]
async fn nobody_gets_beyond_the_last_year() {
    let world = manual().await;
    let mut refused = None;
    for _ in 0..1_000 {
        if let Err(error) = world.app.advance_clock(&world.caller, by("P3660D")).await {
            refused = Some(error);
            break;
        }
    }
    assert!(matches!(refused, Some(UseCaseError::Refused(r)) if r.problems[0].path == "$.advance"));
    assert!((8_980..=9_000).contains(&world.app.now().year()));
}

/// Accepts a copy of a waiting write that is due only in that time.
async fn due_in(world: &World, span: Span) -> TaskId {
    let model = world
        .app
        .accept_resource(&world.caller, delete("missing"))
        .await
        .unwrap();
    let model = world.task(model).await;
    let operations = world
        .app
        .receipts(&world.caller, &model, 0, 1)
        .await
        .unwrap()
        .items;
    let facts = TaskFacts {
        id: TaskId(uuid::Uuid::from_u128(0xD0E)),
        ordering_key: None,
        due_at: Some(world.app.now() + span),
        ..model.facts().clone()
    };
    let id = facts.id;
    let mut changes = Changes::by(world.caller.author(world.app.now()), Admission::New);
    changes.insert_task(NewTask::accepted(facts, operations));
    world.store.commit(changes).await.unwrap();
    id
}

/// "All scheduled work due by the new time has run before the answer or within 5 s after it."
#[tokio::test(start_paused = true)]
async fn what_falls_due_is_done_at_once() {
    let world = manual().await;
    world
        .app
        .write_resource(&world.caller, put("seed", "{}"))
        .await
        .unwrap();
    let due = due_in(&world, Span::days(42)).await;
    let (stop, running) = world.start_worker();
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(world.status(due).await, TaskStatus::Queued);
    world
        .app
        .advance_clock(&world.caller, by("P41DT23H"))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(world.status(due).await, TaskStatus::Queued);
    let moved = tokio::time::Instant::now();
    world.app.advance_clock(&world.caller, by("PT1H")).await.unwrap();
    while !world.status(due).await.is_terminal() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(moved.elapsed() < Duration::from_secs(2), "{:?}", moved.elapsed());
    stop.send_replace(true);
    running.await.unwrap();
}

/// Retention is domain time; it need not wait for the next round.
#[tokio::test(start_paused = true)]
async fn what_is_past_its_retention_goes_at_once() {
    let world = manual().await;
    let written = world
        .app
        .write_resource(&world.caller, put("pt-1", "{}"))
        .await
        .unwrap();
    let (stop, running) = world.start_worker();
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.app.advance_clock(&world.caller, by("PT9M")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.task(written.task).await;
    world.app.advance_clock(&world.caller, by("PT2M")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(world.app.find_task(&world.caller, written.task).await.is_err());
    stop.send_replace(true);
    running.await.unwrap();
}

/// "leases ... stay on system time": nobody loses his tasks by a move of the clock.
#[tokio::test(start_paused = true)]
async fn leases_do_not_run_out_by_a_move() {
    let world = manual().await;
    let task = world
        .app
        .accept_resource(&world.caller, put("pt-1", "{}"))
        .await
        .unwrap();
    let now = world.app.system_now();
    let claim = Claim {
        kinds: [(TaskKind::RegistryWrite, usize::MAX)].into(),
        limit: 1,
        now,
        lease: Lease {
            token: LeaseToken(uuid::Uuid::from_u128(0xFE)),
            worker: WorkerId(uuid::Uuid::from_u128(0xFF)),
            until: now + worker_settings().lease,
        },
    };
    assert_eq!(world.app.queue.claim(claim).await.unwrap().tasks.len(), 1);
    world.app.advance_clock(&world.caller, by("P42D")).await.unwrap();
    assert_eq!(world.app.reap(|_| false, 10).await.unwrap(), 0);
    assert_eq!(world.status(task).await, TaskStatus::Running);
    tokio::time::sleep(worker_settings().lease).await;
    assert_eq!(world.app.reap(|_| false, 10).await.unwrap(), 1);
    assert_eq!(world.status(task).await, TaskStatus::RetryScheduled);
}

/// "All servers on one store see one clock": another process learns of it without being told.
#[tokio::test(start_paused = true)]
async fn another_process_follows() {
    let world = manual().await;
    let other = world.another(Settings {
        clock: ClockMode::Manual,
        ..Settings::default()
    });
    other.start_clock().await.unwrap();
    let following = tokio::spawn({
        let other = std::sync::Arc::clone(&other);
        async move { other.follow_clock().await }
    });
    let reading = world.app.advance_clock(&world.caller, by("P42D")).await.unwrap();
    assert!(other.now() >= reading.now, "it is known when it is answered");
    following.abort();
}
