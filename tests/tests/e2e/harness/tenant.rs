//! A workspace of a journey's own on a server that many of them share.

use super::data::{Data, Engine};
use super::server::{self, Launch};
use super::wait::{LONG, until};
use super::{Answer, Api};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::OnceCell;

pub const SOURCE: &str = "northclinic";

/// What a tenant's key may do.
pub const SCOPES: &[&str] = &[
    "registry:read",
    "registry:write",
    "registry:admin",
    "ops:read",
    "ops:write",
];

static SHARED: [OnceCell<String>; 2] = [const { OnceCell::const_new() }; 2];
static LOGS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
static NEXT: AtomicUsize = AtomicUsize::new(0);

async fn shared_server(engine: Engine) -> &'static str {
    let start = async || {
        // Journeys fail to log in on purpose, all from one address.
        let launch = Launch::on(Data::fresh(engine).await).set("limits.failed_logins_per_minute=0");
        let server = launch.accepting_tokens().start().await;
        let address = server.address();
        LOGS.lock().unwrap().push(server.log_file().clone());
        server::keep(server);
        address
    };
    SHARED[engine as usize].get_or_init(start).await
}

/// What the shared servers said last.
pub fn show_logs() {
    for log in LOGS.lock().unwrap().iter() {
        server::show_end(log);
    }
}

#[derive(Clone)]
pub struct Tenant {
    /// Every scope, in the tenant's workspace.
    pub api: Api,
    /// The bootstrap administrator, in the workspace `default`.
    pub root: Api,
    pub workspace: String,
}

impl Tenant {
    pub async fn of_shared_server(engine: Engine) -> Self {
        let root = Api::new(shared_server(engine).await, Some(server::KEY));
        Self::on(&root, json!({})).await
    }

    /// A new workspace, with these options.
    pub async fn on(root: &Api, options: Value) -> Self {
        let workspace = format!("w{}", NEXT.fetch_add(1, Ordering::Relaxed));
        root.post(
            "/ops/v1/workspaces",
            json!({"key": workspace, "options": options}),
        )
        .await
        .is(201);
        let key = credential(root, &workspace, SCOPES).await["secret"]
            .as_str()
            .unwrap()
            .to_owned();
        Self {
            api: root.with_key(Some(&key)),
            root: root.clone(),
            workspace,
        }
    }

    /// A client that may do only this, in this workspace.
    pub async fn limited(&self, scopes: &[&str]) -> Api {
        let made = credential(&self.root, &self.workspace, scopes).await;
        self.api.with_key(made["secret"].as_str())
    }
}

/// A new API key, as the answer shows it.
pub async fn credential(root: &Api, workspace: &str, scopes: &[&str]) -> Value {
    let draft = json!({"kind": "api_key", "name": "journey", "scopes": scopes, "workspace": workspace});
    root.post("/ops/v1/credentials", draft).await.is(201).json()
}

/// The path of a record, `TYPE/ID`, or of a type.
pub fn resource(of_and_id: &str) -> String {
    format!("/sources/{SOURCE}/v1/resources/{of_and_id}")
}

pub fn task_path(task: &str) -> String {
    format!("/sources/{SOURCE}/v1/tasks/{task}")
}

/// The task once it has ended, with its receipts.
pub async fn ended(api: &Api, task: &str) -> Value {
    ended_in(api, SOURCE, task).await
}

pub async fn ended_in(api: &Api, source: &str, task: &str) -> Value {
    let path = format!("/sources/{source}/v1/tasks/{task}?withReceipts=true");
    until(&format!("{task} has ended"), LONG, async || {
        let seen = api.get(&path).await.is(200).json();
        (seen["status"] != "PENDING").then_some(seen)
    })
    .await
}

/// Workers stop, or start, taking single writes of the workspace.
pub async fn pause(api: &Api, paused: bool) -> Answer {
    let what = if paused { "pause" } else { "resume" };
    let answer = api
        .call(
            reqwest::Method::POST,
            &format!("/ops/v1/queues/registry.write/{what}"),
        )
        .await;
    assert!(
        (200..300).contains(&answer.status),
        "{}: {} {}",
        answer.what(),
        answer.status,
        answer.text
    );
    answer
}
