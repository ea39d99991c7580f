//! Listening, notices, and the audit's chain, on the store in memory.

use super::support::World;
use crate::{AuditProblem, Heard, verify_audit};
use caretrack_domain::{EventFilter, TaskKind};
use caretrack_ports::{AuditTrail, Notice, SendFault, TaskFilter, TaskRepository, WebhookSender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_listener_that_does_not_keep_up_is_cut_off_and_goes_on_where_it_was() {
    let world = World::new().await;
    let all = EventFilter::default;
    let mut listening = world.app.listen(&world.caller, all(), None).await.unwrap();
    for _ in 0..1100 {
        world.app.register_patient(&world.caller, None).await.unwrap();
    }
    // The reader has had its time; nobody has taken anything from the buffer.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (mut heard, mut last) = (0, String::new());
    while let Some(next) = listening.next().await {
        match next {
            Heard::Event { id, .. } => {
                heard += 1;
                last = id;
            }
            Heard::Position { .. } => {}
            Heard::Reset { .. } => panic!("nothing is missing"),
        }
    }
    assert!((1..1100).contains(&heard), "{heard}");
    drop(listening);
    let mut again = world.app.listen(&world.caller, all(), Some(&last)).await.unwrap();
    while heard < 1100 {
        if matches!(again.next().await, Some(Heard::Event { .. })) {
            heard += 1;
        }
    }
    let quiet = tokio::time::timeout(Duration::from_secs(1), again.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    assert!(matches!(again.position(), Some(Heard::Position { .. })));
}

/// Answers as it is told, and keeps what it was given.
struct Script {
    answers: Mutex<Vec<Result<u16, SendFault>>>,
    sent: Mutex<Vec<Notice>>,
}

#[async_trait::async_trait]
impl WebhookSender for Script {
    async fn send(&self, notice: Notice) -> Result<u16, SendFault> {
        self.sent.lock().unwrap().push(notice);
        self.answers.lock().unwrap().pop().unwrap_or(Ok(200))
    }
}

async fn until_delivered(world: &World, sender: &Arc<Script>) -> Vec<String> {
    let (stop, running) = world.start_worker_that_sends(Arc::clone(sender) as _);
    let filter = TaskFilter {
        kind: Some(TaskKind::WebhookDeliver),
        ..TaskFilter::default()
    };
    let ended = loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let workspace = world.caller.who.workspace;
        let tasks = world
            .store
            .list_tasks(workspace, filter.clone(), 99)
            .await
            .unwrap();
        if !tasks.is_empty() && tasks.iter().all(|task| task.status().is_terminal()) {
            break tasks.iter().map(|task| task.status().to_string()).collect();
        }
    };
    stop.send_replace(true);
    running.await.unwrap();
    ended
}

async fn told(answers: Vec<Result<u16, SendFault>>) -> (Vec<String>, Vec<Notice>, bool) {
    let world = World::new().await;
    let url = "https://example.com/";
    let webhook = world
        .app
        .add_webhook(&world.caller, url, EventFilter::default())
        .await
        .unwrap();
    world.app.register_patient(&world.caller, None).await.unwrap();
    let sender = Arc::new(Script {
        answers: Mutex::new(answers.into_iter().rev().collect()),
        sent: Mutex::default(),
    });
    let ended = until_delivered(&world, &sender).await;
    let sent = sender.sent.lock().unwrap().clone();
    for notice in &sent {
        assert_eq!(
            notice.signature,
            webhook.secret.sign(&notice.id, notice.timestamp, &notice.body)
        );
    }
    let listed = world.app.list_webhooks(&world.caller, None, 9).await.unwrap();
    (ended, sent, listed.items[0].disabled_at.is_some())
}

#[tokio::test(start_paused = true)]
async fn a_notice_is_sent_again_under_its_id_until_it_is_taken() {
    let (ended, sent, disabled) = told(vec![Ok(500), Err(SendFault::TimedOut), Ok(204)]).await;
    assert_eq!((ended, disabled), (vec!["succeeded".to_owned()], false));
    assert_eq!(sent.len(), 3);
    assert!(
        sent.iter()
            .all(|notice| notice.id == sent[0].id && notice.body == sent[0].body)
    );
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_gone_disables_its_webhook() {
    let (ended, sent, disabled) = told(vec![Ok(410)]).await;
    assert_eq!(
        (ended, disabled, sent.len()),
        (vec!["failed".to_owned()], true, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_forbidden_address_is_not_tried_again() {
    let (ended, sent, disabled) = told(vec![Err(SendFault::Forbidden)]).await;
    assert_eq!(
        (ended, disabled, sent.len()),
        (vec!["failed".to_owned()], false, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn the_log_is_sealed_and_checked() {
    let world = World::new().await;
    for _ in 0..5 {
        world.app.register_patient(&world.caller, None).await.unwrap();
        assert!(!world.app.seal_audit(Duration::ZERO).await.unwrap());
    }
    // A second time there is nothing to seal.
    assert!(!world.app.seal_audit(Duration::ZERO).await.unwrap());
    let report = verify_audit(world.store.as_ref(), None).await.unwrap();
    assert_eq!((report.seals, report.unsealed, report.problems.len()), (5, 0, 0));
    assert_eq!(report.head, world.store.last_seal().await.unwrap());
    let head = report.head.map(|seal| seal.hash);
    assert_eq!(
        verify_audit(world.store.as_ref(), head).await.unwrap().problems,
        []
    );
    let other = verify_audit(world.store.as_ref(), Some([0; 32])).await.unwrap();
    assert_eq!(other.problems, [AuditProblem::UnexpectedHead]);
    // Just sealed: another server need not.
    world.app.register_patient(&world.caller, None).await.unwrap();
    assert!(!world.app.seal_audit(Duration::from_secs(10)).await.unwrap());
    assert_eq!(
        verify_audit(world.store.as_ref(), None).await.unwrap().unsealed,
        1
    );
}
