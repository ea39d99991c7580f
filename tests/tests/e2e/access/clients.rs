//! API keys, clients with name and password, partner keys.

use super::{WHOAMI, World, text};
use crate::e2e::harness::issuer::{claims, hmac};
use crate::e2e::harness::{Engine, Journey, Launch, assert_made_id, journey};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

pub fn journeys() -> Vec<Journey> {
    vec![
        journey!(keys_and_clients_are_told_who_they_are),
        journey!(names_and_passwords_must_fit),
        journey!(a_revoked_credential_is_refused_at_once_here_and_within_a_second_elsewhere)
            .on(&[Engine::Postgres]),
        journey!(a_revoked_client_is_refused_at_once),
        journey!(a_partner_key_stands_beside_a_token_where_it_is_demanded),
    ]
}

/// "`X-Clinia-API-Key`, or `Authorization: Bearer ct_...`"; "headers `username` and `password`"; "(for `client`:
/// `username`, `password`)".
async fn keys_and_clients_are_told_who_they_are(engine: Engine) {
    let world = World::new(engine, &[]).await;
    let made = world.made("api_key", &["registry:read"]).await;
    let key = text(&made, "secret");
    let own = world.nobody.with_key(Some(key)).get(WHOAMI).await.is(200).json();
    assert_eq!(
        own,
        json!({
            "kind": "api_key", "workspace": "default", "credential": made["id"], "scopes": ["registry:read"],
            "administrator": false,
        })
    );
    assert_eq!(world.as_token(key).await.is(200).json(), own);
    assert_eq!(world.root.get(WHOAMI).await.is(200).json()["administrator"], true);

    let made = world.made("client", &["tracker:internal"]).await;
    assert!(made.get("secret").is_none(), "{made}");
    assert_made_id(text(&made, "id"));
    let (username, password) = (text(&made, "username"), text(&made, "password"));
    let client = world.as_client(username, password).await.is(200);
    assert!(!client.text.contains(password));
    assert_eq!(
        client.json(),
        json!({
            "kind": "client", "workspace": "default", "credential": made["id"], "username": username,
            "scopes": ["tracker:internal"], "administrator": false,
        })
    );
    let listed = world.root.get("/ops/v1/credentials").await.is(200);
    assert!(
        !listed.text.contains(password) && !listed.text.contains("argon2"),
        "{}",
        listed.text
    );
    let items = listed.json();
    let listed = items["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["id"] == made["id"]);
    assert_eq!(listed.unwrap()["username"], username);
    assert_eq!(listed.unwrap()["kind"], "client");
    // What opens /ops and the registry is a key, and nothing else.
    for path in ["/ops/v1/tasks", "/catalog/v1/sources"] {
        let call = world
            .nobody
            .get(path)
            .header("username", username)
            .header("password", password);
        call.await.is(401);
    }
}

/// "No credential or a bad one: 401"; the same answer whatever is wrong with it.
async fn names_and_passwords_must_fit(engine: Engine) {
    let world = World::new(engine, &[]).await;
    let (one, two) = (world.made("client", &[]).await, world.made("client", &[]).await);
    let (name, password) = (text(&one, "username"), text(&one, "password"));
    let long = "x".repeat(2000);
    let nothing = world.nobody.get(WHOAMI).await.problem(401);
    assert_eq!(nothing.header("www-authenticate"), "Bearer");
    for (name, password) in [
        (name, text(&two, "password")),
        (text(&two, "username"), password),
        ("cl_00000000000000000000000000000000", password),
        (name, ""),
        ("", ""),
        (name, &long),
        (&long, password),
        (text(&one, "id"), password),
    ] {
        let refused = world.as_client(name, password).await.problem(401);
        assert_eq!(refused.text, nothing.text);
    }
    world.as_client(name, password).await.is(200);
}

/// "revoke at once".
async fn a_revoked_client_is_refused_at_once(engine: Engine) {
    let world = World::new(engine, &[]).await;
    for kind in ["api_key", "client"] {
        let made = world.made(kind, &[]).await;
        let ask = async || match kind {
            "client" => {
                world
                    .as_client(text(&made, "username"), text(&made, "password"))
                    .await
            }
            _ => world.as_token(text(&made, "secret")).await,
        };
        ask().await.is(200);
        ask().await.is(200);
        world.revoke(&made).await;
        ask().await.problem(401);
    }
}

async fn a_revoked_credential_is_refused_at_once_here_and_within_a_second_elsewhere(engine: Engine) {
    let world = World::new(engine, &[]).await;
    let other = Launch::beside(&Arc::clone(world.server.data())).start().await;
    let other = other.api().with_key(None);
    let client = world.made("client", &[]).await;
    let ask = async || {
        let call = other.get(WHOAMI).header("username", text(&client, "username"));
        call.header("password", text(&client, "password")).await.status
    };
    assert_eq!(ask().await, 200);
    world.revoke(&client).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(ask().await, 401);
}

/// "partner key beside a token: jobs (checked when the workspace demands it)".
async fn a_partner_key_stands_beside_a_token_where_it_is_demanded(engine: Engine) {
    let world = World::new(engine, &["jobs.partner_key_workspaces=default"]).await;
    let made = world.made("partner_key", &[]).await;
    let key = text(&made, "secret");
    let api_key = world.made("api_key", &[]).await;
    let token = format!("Bearer {}", hmac(super::SECRET.as_bytes(), &claims("default")));
    let ask = async |key: Option<&str>| {
        let call = world.nobody.get(WHOAMI).header("Authorization", &token);
        match key {
            Some(key) => call.header("api-key", key).await,
            None => call.await,
        }
    };
    ask(None).await.problem(401);
    for bad in ["", "cp_wrong", text(&api_key, "secret")] {
        ask(Some(bad)).await.problem(401);
    }
    ask(Some(key)).await.is(200);
    // It opens nothing by itself.
    world.as_token(key).await.problem(401);
    world.nobody.with_key(Some(key)).get(WHOAMI).await.problem(401);
    world.revoke(&made).await;
    ask(Some(key)).await.problem(401);
    // Another workspace has its own say.
    for (workspace, options, status) in [
        ("lax", json!({}), 200),
        ("strict", json!({"jobs.partner_key_required": true}), 401),
    ] {
        let draft = json!({"key": workspace, "options": options});
        world.root.post("/ops/v1/workspaces", draft).await.is(201);
        let token = hmac(super::SECRET.as_bytes(), &claims(workspace));
        world.as_token(&token).await.is(status);
    }
}
