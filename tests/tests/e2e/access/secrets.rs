//! Secrets are in no log, no answer but the one, and not in the store.

use super::{SECRET, World, text};
use crate::e2e::harness::issuer::{claims, hmac};
use crate::e2e::harness::server::KEY;
use crate::e2e::harness::{Engine, Journey, journey};
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
use std::path::Path;

pub fn journeys() -> Vec<Journey> {
    vec![journey!(secrets_are_kept_nowhere)]
}

/// "Secrets are stored hashed ... never logged."
async fn secrets_are_kept_nowhere(engine: Engine) {
    let world = World::new(
        engine,
        &["log.level=trace,sqlx=debug,hyper=debug", "log.format=json"],
    )
    .await;
    let (api_key, partner) = (
        world.made("api_key", &[]).await,
        world.made("partner_key", &[]).await,
    );
    let client = world.made("client", &[]).await;
    let token = hmac(SECRET.as_bytes(), &claims("default"));
    let forged = hmac(b"another secret", &claims("default"));
    let (guess, wrong) = ("ct_a-guess-0123456789", "a-wrong-password");
    world.as_token(text(&api_key, "secret")).await.is(200);
    world
        .as_client(text(&client, "username"), text(&client, "password"))
        .await
        .is(200);
    world
        .as_client(text(&client, "username"), wrong)
        .await
        .problem(401);
    for token in [&forged, guess] {
        world.as_token(token).await.problem(401);
    }
    let bearer = format!("Bearer {token}");
    let call = world.nobody.get(super::WHOAMI).header("Authorization", &bearer);
    call.header("api-key", text(&partner, "secret")).await.is(200);
    world.revoke(&client).await;
    // What is looked for would be found: the name of a client is no secret.
    let known = text(&client, "id").replace('-', "");
    let secrets = [
        KEY,
        SECRET,
        text(&api_key, "secret"),
        text(&partner, "secret"),
        text(&client, "password"),
        &token,
        &forged,
        guess,
        wrong,
    ];
    let log = world.server.log();
    assert!(log.len() > 1000, "there is no log to speak of");
    let kept = match engine {
        Engine::Sqlite => files(world.server.data().folder()),
        Engine::Postgres => rows(world.server.data().url()).await,
    };
    let is_in = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    let id: Vec<u8> = (0..known.len())
        .step_by(2)
        .map(|n| u8::from_str_radix(&known[n..n + 2], 16).unwrap())
        .collect();
    let is_there = kept.windows(id.len()).any(|window| window == id) || is_in(&kept, text(&client, "id"));
    assert!(is_there, "what is searched is not what is kept");
    for secret in secrets {
        assert!(!is_in(log.as_bytes(), secret), "{secret} is in the log");
        assert!(!is_in(&kept, secret), "{secret} is in the store");
    }
}

/// Every file in the folder of the server, the log of the database among them.
fn files(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // Room that is kept, filled with nothing.
        if path.is_file() && path.extension().is_none_or(|extension| extension != "reserve") {
            all.extend(std::fs::read(path).unwrap());
        }
    }
    all
}

/// Every row of every table, as text.
async fn rows(url: &str) -> Vec<u8> {
    let db = Database::connect(url).await.unwrap();
    let ask = async |sql: String| {
        let rows = db
            .query_all_raw(Statement::from_string(DbBackend::Postgres, sql))
            .await
            .unwrap();
        rows.iter()
            .map(|row| row.try_get_by_index::<String>(0).unwrap())
            .collect::<Vec<_>>()
    };
    let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'".to_owned();
    let mut all = Vec::new();
    for table in ask(tables).await {
        for row in ask(format!("SELECT t::text FROM {table} t")).await {
            all.extend(row.into_bytes());
        }
    }
    all
}
