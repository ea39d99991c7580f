//! A world to tell journeys in: a store in memory, a clock that tests move, ids that count.

use super::meddling::MeddlingStore;
use crate::{
    Application, Attempt, Caller, Change, Presented, ResourceOrder, Settings, UseCaseError, Verifiers,
    Worker, WorkerSettings,
};
use async_trait::async_trait;
use caretrack_adapters_memory::MemoryStore;
use caretrack_domain::{
    AuditOutcome, Instant, Key, LoginKind, MetaDraft, PasswordHash, Precondition, RecordId, RequestId,
    ResourceDraft, ResourceKey, Task, TaskId, TaskStatus, Token, TokenSubject,
};
use caretrack_ports::{
    Claims, Clock, HashingError, IdGenerator, PasswordHasher, TaskRepository, TokenError, TokenVerifier,
    WebhookSender,
};
use indexmap::IndexMap;
use serde_json::value::RawValue;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use time::macros::datetime;
use tokio::sync::watch;
use uuid::Uuid;

pub const KEY: &str = "ct_0123456789abcdef0123456789abcdef";

/// Goes with the runtime's time, which the tests pause.
struct RuntimeClock(tokio::time::Instant);

impl Clock for RuntimeClock {
    fn now(&self) -> Instant {
        datetime!(2026-03-02 09:15 UTC) + self.0.elapsed()
    }
}

/// Counts, and draws what it is told to.
#[derive(Default)]
pub struct CountingIds {
    next: AtomicU32,
    pub number: AtomicU32,
}

impl IdGenerator for CountingIds {
    fn id(&self) -> Uuid {
        Uuid::from_u128(self.next.fetch_add(1, Ordering::Relaxed).into())
    }

    fn secret(&self) -> [u8; 32] {
        let mut secret = [0; 32];
        secret[..4].copy_from_slice(&self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        secret
    }

    fn number(&self) -> u32 {
        self.number.fetch_add(1, Ordering::Relaxed)
    }
}

/// Hashes at once, and so that a test can see whether it was asked.
#[derive(Default)]
pub struct QuickHasher {
    pub asked: AtomicU32,
}

#[async_trait]
impl PasswordHasher for QuickHasher {
    async fn hash(&self, password: String, salt: [u8; 16]) -> Result<PasswordHash, HashingError> {
        Ok(PasswordHash(format!(
            "{}:{}",
            hex::encode(salt),
            hex::encode(password)
        )))
    }

    async fn verify(&self, password: String, hash: PasswordHash) -> Result<bool, HashingError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(30)).await;
        Ok(hash.0.ends_with(&format!(":{}", hex::encode(password))))
    }
}

/// Takes `WORKSPACE SUB` for a token; one of `later` has no key to be judged by.
struct PlainTokens;

#[async_trait]
impl TokenVerifier for PlainTokens {
    async fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        if token == "later" {
            return Err(TokenError::Unavailable("there are no keys".into()));
        }
        let (workspace, sub) = token.split_once(' ').ok_or(TokenError::Refused)?;
        Ok(Claims {
            workspace: workspace.to_owned(),
            scope: "job:read other".to_owned(),
            token: Token {
                subject: Arc::new(TokenSubject {
                    sub: sub.to_owned(),
                    client_id: None,
                }),
                patient: None,
                username: None,
                expires_at: datetime!(2026-03-02 10:15 UTC),
            },
        })
    }
}

pub const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub async fn login(app: &Application, presented: Presented<'_>) -> Result<Caller, UseCaseError> {
    let attempt = Attempt {
        presented: &[presented],
        accepted: &[LoginKind::ApiKey, LoginKind::Client, LoginKind::Token],
        peer: PEER,
        request_id: request_id(),
        trace: None,
    };
    app.authenticate(attempt).await
}

pub struct World {
    pub hasher: Arc<QuickHasher>,
    pub app: Arc<Application>,
    pub store: Arc<MeddlingStore>,
    pub ids: Arc<CountingIds>,
    pub caller: Caller,
}

impl World {
    pub async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub async fn with(settings: Settings) -> Self {
        let memory = Arc::new(MemoryStore::default());
        let store = Arc::new(MeddlingStore::over(Arc::clone(&memory)));
        let ids = Arc::new(CountingIds::default());
        let hasher = Arc::new(QuickHasher::default());
        let verifiers = Verifiers {
            tokens: Some(Arc::new(PlainTokens)),
            passwords: Arc::clone(&hasher) as _,
        };
        let app = Application::new(
            Arc::clone(&store) as _,
            memory,
            Arc::new(RuntimeClock(tokio::time::Instant::now())),
            Arc::clone(&ids) as _,
            verifiers,
            settings,
        );
        assert!(app.bootstrap(KEY).await.unwrap());
        let caller = login(&app, Presented::ApiKey(KEY)).await.unwrap();
        Self {
            hasher,
            app: Arc::new(app),
            store,
            ids,
            caller,
        }
    }

    /// The use cases of another server on the same store, which nobody meddles with.
    pub fn beside(world: &Self) -> Application {
        let memory = world.store.unmeddled();
        let verifiers = Verifiers {
            tokens: None,
            passwords: Arc::clone(&world.hasher) as _,
        };
        Application::new(
            Arc::clone(&memory) as _,
            memory,
            Arc::new(RuntimeClock(tokio::time::Instant::now())),
            Arc::clone(&world.ids) as _,
            verifiers,
            Settings::default(),
        )
    }

    /// Another process on the same store.
    pub fn another(&self, settings: Settings) -> Arc<Application> {
        let verifiers = Verifiers {
            tokens: None,
            passwords: Arc::clone(&self.hasher) as _,
        };
        Arc::new(Application::new(
            Arc::clone(&self.store) as _,
            Arc::clone(&self.app.queue),
            Arc::clone(&self.app.clock),
            Arc::clone(&self.ids) as _,
            verifiers,
            settings,
        ))
    }

    /// With an API key.
    pub async fn login(&self, key: &str) -> Result<Caller, UseCaseError> {
        self.login_as(Presented::ApiKey(key)).await
    }

    /// With any credential.
    pub async fn login_as(&self, presented: Presented<'_>) -> Result<Caller, UseCaseError> {
        login(&self.app, presented).await
    }

    /// Starts a worker; it stops when the sender says so or goes.
    pub fn start_worker(&self) -> (watch::Sender<bool>, tokio::task::JoinHandle<()>) {
        let worker = Worker::new(Arc::clone(&self.app), worker_settings());
        let (stop, stopped) = watch::channel(false);
        (stop, tokio::spawn(Arc::new(worker).run(stopped)))
    }

    pub fn start_worker_that_sends(
        &self,
        sender: Arc<dyn WebhookSender>,
    ) -> (watch::Sender<bool>, tokio::task::JoinHandle<()>) {
        let worker = Worker::new(Arc::clone(&self.app), worker_settings()).sending(sender);
        let (stop, stopped) = watch::channel(false);
        (stop, tokio::spawn(Arc::new(worker).run(stopped)))
    }

    /// Lets a worker run until there is nothing left to do.
    pub async fn work(&self) {
        let (stop, running) = self.start_worker();
        while self.unfinished().await > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop.send_replace(true);
        running.await.unwrap();
    }

    async fn unfinished(&self) -> usize {
        let tasks = self
            .store
            .list_tasks(self.caller.who.workspace, <_>::default(), 1000)
            .await
            .unwrap();
        tasks.iter().filter(|task| !task.status().is_terminal()).count()
    }

    pub async fn task(&self, id: TaskId) -> Task {
        self.app.find_task(&self.caller, id).await.unwrap()
    }

    pub async fn status(&self, id: TaskId) -> TaskStatus {
        self.task(id).await.status()
    }

    pub async fn data(&self, id: &str) -> Option<String> {
        let found = self.app.find_resource(&self.caller, &key(id)).await;
        found.ok().map(|(resource, _)| resource.data)
    }

    /// Actions and outcomes, oldest first, without the bootstrap.
    pub async fn audit(&self) -> Vec<(String, AuditOutcome)> {
        let page = self
            .app
            .list_audit(&self.caller, false, None, 1000)
            .await
            .unwrap();
        let entries = page.items.into_iter().rev().skip(1);
        entries.map(|(_, entry)| (entry.action, entry.outcome)).collect()
    }
}

pub fn worker_settings() -> WorkerSettings {
    WorkerSettings {
        concurrency: 4,
        lease: Duration::from_secs(30),
        reap_every: Duration::from_millis(250),
        prune_every: Duration::from_mins(1),
        retention: Duration::from_mins(10),
        seal_every: Duration::from_secs(10),
        grace: Duration::from_secs(5),
    }
}

pub fn request_id() -> RequestId {
    RequestId::parse("request-1").unwrap()
}

pub fn key(id: &str) -> ResourceKey {
    ResourceKey {
        source: Key::parse("northclinic").unwrap(),
        of: Key::parse("patient").unwrap(),
        id: RecordId::for_upsert(id).unwrap(),
    }
}

fn draft(data: &str) -> ResourceDraft {
    ResourceDraft {
        data: RawValue::from_string(data.to_owned()).unwrap(),
        meta: MetaDraft::default(),
        contained: IndexMap::new(),
    }
}

pub fn order(id: &str, change: Change) -> ResourceOrder {
    ResourceOrder {
        key: key(id),
        change,
        precondition: Precondition::default(),
    }
}

pub fn put(id: &str, data: &str) -> ResourceOrder {
    order(id, Change::Upsert(draft(data)))
}

pub fn create(id: &str, data: &str) -> ResourceOrder {
    order(id, Change::Create(draft(data)))
}

pub fn delete(id: &str) -> ResourceOrder {
    order(id, Change::Delete)
}

pub fn if_match(version: i64, order: ResourceOrder) -> ResourceOrder {
    let precondition = Precondition {
        if_match: Some(vec![version.to_string()]),
        ..Precondition::default()
    };
    ResourceOrder {
        precondition,
        ..order
    }
}
