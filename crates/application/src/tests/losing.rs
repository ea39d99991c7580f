//! Leases that are lost: noticed at a heartbeat, counted once, and not where a task has just ended.

use super::support::{World, put, worker_settings};
use crate::{Application, Settings, Worker};
use caretrack_domain::{EventFilter, Fence, TaskCommand, TaskState, TaskStatus};
use caretrack_ports::{
    Admission, Author, Changes, Notice, Observed, Observer, SendFault, Store, TaskRepository, WebhookSender,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// Counts leases lost.
#[derive(Debug, Default)]
struct Losses(AtomicU32);

impl Observer for Losses {
    fn observe(&self, what: Observed) {
        if matches!(what, Observed::LeaseLost(_)) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Never has an answer.
struct Silent;

#[async_trait::async_trait]
impl WebhookSender for Silent {
    async fn send(&self, _: Notice) -> Result<u16, SendFault> {
        std::future::pending().await
    }
}

fn watched(world: &World) -> (Arc<Application>, Arc<Losses>) {
    let losses = Arc::new(Losses::default());
    let app = Arc::into_inner(world.another(Settings::default()));
    (
        Arc::new(app.unwrap().observed_by(Arc::clone(&losses) as _)),
        losses,
    )
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_lost_is_counted_at_the_heartbeat() {
    let world = World::new().await;
    let (app, losses) = watched(&world);
    let url = "https://example.com/";
    app.add_webhook(&world.caller, url, EventFilter::default())
        .await
        .unwrap();
    world.app.register_patient(&world.caller, None).await.unwrap();
    let worker = Worker::new(Arc::clone(&app), worker_settings()).sending(Arc::new(Silent));
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(Arc::new(worker).run(stopped));
    let workspace = world.caller.who.workspace;
    let underway = async || {
        let tasks = world
            .store
            .list_tasks(workspace, <_>::default(), 9)
            .await
            .unwrap();
        tasks
            .into_iter()
            .find(|task| task.status() == TaskStatus::Running)
    };
    let task = loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if let Some(task) = underway().await {
            break task;
        }
    };
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(losses.0.load(Ordering::Relaxed), 0);

    // As another worker would that took it from a silent one.
    let TaskState::Running { lease, .. } = underway().await.unwrap().state().clone() else {
        unreachable!("it was found running")
    };
    let now = world.app.now();
    let taken = TaskCommand::GiveUp {
        by: Fence::Expiry(lease.until),
        error: "the lease ran out".to_owned(),
    };
    let mut changes = Changes::by(Author::of_task(task.facts(), now), Admission::Continuing);
    changes.record_task(task.apply(taken, now).unwrap());
    world.store.commit(changes).await.unwrap();
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(losses.0.load(Ordering::Relaxed), 1);
    // And is counted once, and nothing is left of it.
    stop.send_replace(true);
    let began = tokio::time::Instant::now();
    running.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(losses.0.load(Ordering::Relaxed), 1);
}

/// The store knows already that it has ended, the worker does not yet.
#[tokio::test(start_paused = true)]
async fn what_ends_beside_a_heartbeat_is_not_lost() {
    let world = World::new().await;
    let (app, losses) = watched(&world);
    let (stop, stopped) = watch::channel(false);
    let worker = Worker::new(Arc::clone(&app), worker_settings());
    let running = tokio::spawn(Arc::new(worker).run(stopped));
    let beat = worker_settings().lease / 3;
    tokio::time::sleep(beat.saturating_sub(Duration::from_millis(30))).await;
    world.store.lateness.store(50, Ordering::Relaxed);
    let accepting = (0..10).map(|n| {
        let order = put(&format!("pt-{n}"), "{}");
        async { app.accept_resource(&world.caller, order).await.unwrap() }
    });
    let accepted = futures::future::join_all(accepting).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    for task in accepted {
        assert_eq!(world.status(task).await, TaskStatus::Succeeded);
    }
    stop.send_replace(true);
    running.await.unwrap();
    assert_eq!(losses.0.load(Ordering::Relaxed), 0);
}
