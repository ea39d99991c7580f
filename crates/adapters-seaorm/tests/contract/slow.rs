//! Servers beside each other on PostgreSQL, one of them slow: nobody who reads on passes its rows by.

use super::{Postgres, options};
use caretrack_adapters_seaorm::SeaStore;
use caretrack_domain::{
    AuditOutcome, Event, Instant, NewTask, RequestId, TaskFacts, TaskId, TaskKind, WorkspaceId,
};
use caretrack_port_contracts::Fixture;
use caretrack_ports::{Admission, AuditTrail, Author, Changes, OutboxRepository, Store};
use libtest_mimic::Trial;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, TransactionTrait};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

const OURS: WorkspaceId = WorkspaceId(Uuid::from_u128(0xA));

type Run = fn(Arc<Postgres>) -> Pin<Box<dyn Future<Output = ()>>>;

pub fn trials(postgres: &Arc<Postgres>) -> Vec<Trial> {
    let trial = |name: &str, run: Run| {
        let server = postgres.clone();
        Trial::test(format!("postgres::{name}"), move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?;
            runtime.block_on(run(server));
            Ok(())
        })
        .with_ignored_flag(postgres.unavailable().is_some())
    };
    vec![
        trial("a_slow_commit_is_not_passed_by", |p| {
            Box::pin(a_slow_commit_is_not_passed_by(p))
        }),
        trial("a_slow_commit_elsewhere_holds_nothing_up", |p| {
            Box::pin(a_slow_commit_elsewhere_holds_nothing_up(p))
        }),
        trial("a_rolled_back_number_is_not_waited_for", |p| {
            Box::pin(a_rolled_back_number_is_not_waited_for(p))
        }),
        trial("two_servers_tell_everything_once", |p| {
            Box::pin(two_servers_tell_everything_once(p))
        }),
    ]
}

fn accepted(n: u32) -> Changes {
    let author = Author {
        workspace: Some(OURS),
        actor: None,
        request_id: RequestId::generated(Uuid::nil()),
        at: Instant::UNIX_EPOCH,
    };
    let facts = TaskFacts {
        id: TaskId(Uuid::from_u128(n.into())),
        workspace: OURS,
        kind: TaskKind::RegistryWrite,
        source: None,
        patient: None,
        ordering_key: None,
        submitted_by: None,
        request_id: author.request_id.clone(),
        trace: None,
        accepted_at: author.at,
        due_at: None,
        eta: author.at,
        retry_of: None,
        fingerprint: None,
    };
    let mut changes = Changes::by(author, Admission::New);
    changes.audit("task.accept", n.to_string(), AuditOutcome::Accepted);
    changes.insert_task(NewTask::accepted(facts, Vec::new()));
    changes
}

/// What a server that is slow to commit has written: an event and an audit entry of the task or target `n`.
fn slow_rows(n: u32) -> String {
    let id = Uuid::from_u128(n.into());
    let ours = OURS.0;
    format!(
        "INSERT INTO outbox (workspace_id, at, subject, subject_id, kind, status) \
         VALUES ('{ours}', 0, 'task', '{id}', 'registry.write', 'queued'); \
         INSERT INTO audit (at, workspace_id, request_id, action, target, outcome) \
         VALUES (0, '{ours}', 'r', 'task.accept', '{n}', 'accepted')"
    )
}

async fn beside(postgres: &Postgres) -> (Arc<SeaStore>, DatabaseConnection) {
    let url = postgres.fresh().await;
    let store = SeaStore::open(&url, options()).await.unwrap();
    (store, Database::connect(&url).await.unwrap())
}

async fn events(store: &SeaStore, after: i64) -> (Vec<u128>, i64) {
    let page = store.read_events(after, 1000).await.unwrap();
    let ids = page.entries.iter().map(|(_, entry)| match entry.event {
        Event::Task { id, .. } => id.0.as_u128(),
        Event::Patient { id } => id.0.as_u128(),
        Event::Search { id } => u128::from(id.number().unsigned_abs()),
    });
    (ids.collect(), page.upto)
}

async fn audit(store: &SeaStore, after: i64) -> Vec<String> {
    let page = store.read_audit(after, 1000).await.unwrap();
    page.entries.into_iter().map(|(_, entry)| entry.target).collect()
}

async fn a_slow_commit_is_not_passed_by(postgres: Arc<Postgres>) {
    let (store, other) = beside(&postgres).await;
    store.commit(accepted(1)).await.unwrap();
    let (first, after) = events(&store, 0).await;
    assert_eq!((first, audit(&store, 0).await), (vec![1], vec!["1".to_owned()]));
    let slow = other.begin().await.unwrap();
    slow.execute_unprepared(&slow_rows(2)).await.unwrap();
    store.commit(accepted(3)).await.unwrap();
    // The third is there for whoever asks for it...
    assert_eq!(store.list_events(OURS, 0, i64::MAX, 9).await.unwrap().len(), 2);
    // ... but who reads on stops before the second, however often he comes.
    for _ in 0..3 {
        assert_eq!(events(&store, after).await, (Vec::new(), after));
        assert_eq!(audit(&store, 0).await, ["1"]);
    }
    slow.commit().await.unwrap();
    assert_eq!(events(&store, after).await.0, [2, 3]);
    assert_eq!(audit(&store, 0).await, ["1", "2", "3"]);
}

/// Only who writes to the same table counts.
async fn a_slow_commit_elsewhere_holds_nothing_up(postgres: Arc<Postgres>) {
    let (store, other) = beside(&postgres).await;
    let slow = other.begin().await.unwrap();
    slow.execute_unprepared(
        "CREATE TABLE elsewhere (n INT); INSERT INTO elsewhere VALUES (1); SELECT 1 FROM outbox",
    )
    .await
    .unwrap();
    store.commit(accepted(1)).await.unwrap();
    assert_eq!(events(&store, 0).await.0, [1]);
    slow.rollback().await.unwrap();
}

async fn a_rolled_back_number_is_not_waited_for(postgres: Arc<Postgres>) {
    let (store, other) = beside(&postgres).await;
    let slow = other.begin().await.unwrap();
    slow.execute_unprepared(&slow_rows(1)).await.unwrap();
    store.commit(accepted(2)).await.unwrap();
    assert_eq!(events(&store, 0).await.0, Vec::<u128>::new());
    slow.rollback().await.unwrap();
    assert_eq!(events(&store, 0).await.0, [2]);
    assert_eq!(audit(&store, 0).await, ["2"]);
}

/// Three servers and a reader on each of two: both read all of it, in one order.
async fn two_servers_tell_everything_once(postgres: Arc<Postgres>) {
    const EACH: u32 = 300;
    let url = postgres.fresh().await;
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(SeaStore::open(&url, options()).await.unwrap());
    }
    let slow = Database::connect(&url).await.unwrap();
    let slow = tokio::spawn(async move {
        for n in 0..20_u32 {
            let transaction = slow.begin().await.unwrap();
            transaction
                .execute_unprepared(&slow_rows(900_000 + n))
                .await
                .unwrap();
            tokio::time::sleep(Duration::from_millis(u64::from(n % 4) * 15)).await;
            transaction.commit().await.unwrap();
        }
    });
    let writers: Vec<_> = (0..12_u32)
        .map(|writer| {
            let server = servers[writer as usize % 3].clone();
            tokio::spawn(async move {
                for n in 0..EACH / 12 {
                    server.commit(accepted(writer * 1000 + n)).await.unwrap();
                }
            })
        })
        .collect();
    let read = |server: Arc<SeaStore>| async move {
        let (mut read, mut after) = (Vec::new(), 0);
        while read.len() < EACH as usize + 20 {
            let (ids, upto) = events(&server, after).await;
            if ids.is_empty() {
                server.wait_for_events(Duration::from_millis(20)).await;
            }
            read.extend(ids);
            after = upto;
        }
        read
    };
    let (one, other) = tokio::join!(read(servers[0].clone()), read(servers[1].clone()));
    for writer in writers {
        writer.await.unwrap();
    }
    slow.await.unwrap();
    assert_eq!(one, other);
    let mut ids = one;
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), EACH as usize + 20);
}
