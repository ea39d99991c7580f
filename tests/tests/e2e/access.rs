//! Who may do what (common.md): every kind of credential, attacks on each, limits, and what is left of them.

mod clients;
mod limits;
mod secrets;
mod tokens;

use super::harness::issuer::{Issuer, Published, SECRET};
use super::harness::tenant::credential;
use super::harness::{Answer, Api, Data, Engine, Journey, Launch, Server};
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    [
        clients::journeys(),
        tokens::journeys(),
        limits::journeys(),
        secrets::journeys(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

const WHOAMI: &str = "/ops/v1/whoami";

/// A server that accepts tokens by a secret, and by the keys of issuers.
struct World {
    server: Server,
    root: Api,
    nobody: Api,
    rsa: Issuer,
    ec: Issuer,
    published: Published,
}

impl World {
    async fn new(engine: Engine, settings: &[&str]) -> Self {
        let (rsa, ec) = (Issuer::rsa("r1"), Issuer::ec("e1"));
        let published = Published::of(&[&rsa, &ec]).await;
        let url = format!("auth.jwt.jwks_url={}", published.url);
        let mut launch = Launch::on(Data::fresh(engine).await)
            .set("limits.failed_logins_per_minute=0")
            .set("auth.jwt.jwks_min_interval=500ms")
            .set(&url);
        for setting in settings {
            launch = launch.set(setting);
        }
        launch
            .environment
            .push(("CARETRACK__AUTH__JWT__HS256_SECRET", SECRET.to_owned()));
        let server = launch.start().await;
        Self {
            root: server.api(),
            nobody: server.api().with_key(None),
            server,
            rsa,
            ec,
            published,
        }
    }

    async fn made(&self, kind: &str, scopes: &[&str]) -> Value {
        let draft = json!({"kind": kind, "name": "e2e", "scopes": scopes});
        self.root.post("/ops/v1/credentials", draft).await.is(201).json()
    }

    async fn revoke(&self, made: &Value) {
        let path = format!("/ops/v1/credentials/{}", text(made, "id"));
        self.root.delete(&path).await.is(204);
    }

    async fn as_token(&self, token: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        self.nobody.get(WHOAMI).header("Authorization", &bearer).await
    }

    async fn as_client(&self, username: &str, password: &str) -> Answer {
        let call = self.nobody.get(WHOAMI);
        call.header("username", username)
            .header("password", password)
            .await
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// Entries of the audit log of callers who could not be told, newest first.
async fn of_nobody(root: &Api) -> Vec<Value> {
    let page = root
        .get("/ops/v1/audit?anonymous=true&limit=200")
        .await
        .is(200)
        .json();
    page["items"].as_array().unwrap().clone()
}

/// A key of that workspace with these scopes.
async fn key(root: &Api, scopes: &[&str]) -> String {
    text(&credential(root, "default", scopes).await, "secret").to_owned()
}
