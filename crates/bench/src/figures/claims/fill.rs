//! Filling a store with tasks like those that asynchronous writes make.

use crate::numbers::{float, show};
use anyhow::{Context, Result};
use caretrack_adapters_seaorm::SeaStore;
use caretrack_domain::{
    Action, Instant, Key, Lease, LeaseToken, NewTask, Operation, OrderingKey, RequestId, Target, TargetKind,
    TaskFacts, TaskId, TaskKind, WorkerId, WorkspaceId,
};
use caretrack_ports::{Admission, Author, Changes, Store};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use time::Duration;
use time::macros::datetime;
use tokio::task::JoinSet;
use uuid::Uuid;

const START: Instant = datetime!(2026-03-02 09:15 UTC);
const WORKSPACE: WorkspaceId = WorkspaceId(Uuid::from_u128(0xBE));
/// Tasks a commit.
const TOGETHER: u64 = 200;
/// Commits at the same time. PostgreSQL must be able to hold a lock for each of their tasks.
const AT_ONCE: usize = 16;

/// What a queue holds.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub waiting: u64,
    /// Of those that wait, how many share one ordering key; spread evenly.
    pub behind_one_key: u64,
    pub finished: u64,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} waiting", show(float(self.waiting)))?;
        if self.behind_one_key > 0 {
            write!(f, ", {} behind one key", show(float(self.behind_one_key)))?;
        }
        if self.finished > 0 {
            write!(f, ", {} finished", show(float(self.finished)))?;
        }
        Ok(())
    }
}

/// Makes tasks, and the time and ids they need: a millisecond passes from one to the next.
#[derive(Clone)]
pub struct Filler {
    source: Key,
    payload: Arc<str>,
    made: Arc<AtomicU64>,
}

impl Filler {
    pub fn new() -> Result<Self> {
        let note = "seen at the clinic, no complaints; ".repeat(25);
        Ok(Self {
            source: Key::parse("bench")?,
            payload: format!(r#"{{"draft":{{"data":{{"mrn":"100001","note":"{note}"}}}}}}"#).into(),
            made: Arc::default(),
        })
    }

    /// The finished ones first: they are older.
    pub async fn fill(&self, store: &Arc<SeaStore>, shape: Shape) -> Result<()> {
        let mut running = JoinSet::new();
        let total = shape.finished + shape.waiting;
        for first in (0..total).step_by(usize::try_from(TOGETHER)?) {
            if running.len() >= AT_ONCE {
                running.join_next().await.context("none runs")???;
            }
            let mut changes = Changes::by(self.author(), Admission::New);
            for n in first..(first + TOGETHER).min(total) {
                changes.insert_task(self.task(n, shape));
            }
            let store = store.clone();
            running.spawn(async move { store.commit(changes).await });
        }
        while let Some(done) = running.join_next().await {
            done??;
        }
        Ok(())
    }

    fn task(&self, n: u64, shape: Shape) -> NewTask {
        let id = TaskId(self.id());
        let now = self.later();
        let every = shape.waiting.checked_div(shape.behind_one_key);
        let waiting = n.checked_sub(shape.finished);
        let shares = waiting
            .zip(every)
            .is_some_and(|(waiting, every)| waiting.is_multiple_of(every));
        let record = if shares {
            "shared".to_owned()
        } else {
            format!("pt-{n:09}")
        };
        let facts = TaskFacts {
            id,
            workspace: WORKSPACE,
            kind: TaskKind::RegistryWrite,
            source: Some(self.source.clone()),
            patient: None,
            ordering_key: Some(OrderingKey(format!("bench/patient/{record}"))),
            submitted_by: None,
            request_id: RequestId::generated(id.0),
            trace: None,
            accepted_at: now,
            due_at: None,
            eta: now + Duration::SECOND,
            retry_of: None,
            fingerprint: None,
        };
        let target = Target {
            kind: TargetKind::Resource,
            of: "patient".to_owned(),
            id: record,
        };
        let payload = Some(self.payload.to_string());
        let operations = vec![Operation::pending(0, Action::Upsert, target, payload)];
        if waiting.is_some() {
            NewTask::accepted(facts, operations)
        } else {
            let lease = Lease {
                token: LeaseToken(id.0),
                worker: WorkerId(id.0),
                until: now + Duration::SECOND,
            };
            NewTask::performed(facts, operations, lease)
        }
    }

    pub fn author(&self) -> Author {
        Author {
            workspace: Some(WORKSPACE),
            actor: None,
            request_id: RequestId::generated(WORKSPACE.0),
            at: self.now(),
        }
    }

    /// A moment after all others.
    pub fn later(&self) -> Instant {
        self.made.fetch_add(1, Ordering::Relaxed);
        self.now()
    }

    /// Of version 7, in the order of time as those that the server makes.
    pub fn id(&self) -> Uuid {
        let made = self.made.fetch_add(1, Ordering::Relaxed);
        let millis = u64::try_from(START.unix_timestamp()).unwrap_or(0) * 1_000 + made;
        // Spread by a multiplication with an odd number (the golden ratio's): good enough for ids of a test.
        let mut random = [0; 10];
        random[..8].copy_from_slice(&made.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    fn now(&self) -> Instant {
        let made = i64::try_from(self.made.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        START + Duration::milliseconds(made)
    }
}
