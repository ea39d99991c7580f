//! Too often: bad credentials from one address, requests of one principal. And what the audit log says of it.

use super::{SECRET, WHOAMI, World, key, of_nobody};
use crate::e2e::harness::issuer::{claims, hmac};
use crate::e2e::harness::{Answer, Api, Data, Engine, Journey, Launch, journey};

pub fn journeys() -> Vec<Journey> {
    vec![
        journey!(bad_credentials_become_too_many),
        journey!(a_proxy_says_whose_credentials_were_bad).on(&[Engine::Sqlite]),
        journey!(a_principal_has_its_rate).on(&[Engine::Sqlite]),
        journey!(refused_access_is_in_the_audit_log_but_cannot_fill_it),
    ]
}

#[track_caller]
fn retry_after(answer: &Answer) -> u64 {
    answer.header("retry-after").parse().unwrap()
}

/// "a stricter one for failed logins (429 with `Retry-After`)", in the dialect's own shape.
async fn bad_credentials_become_too_many(engine: Engine) {
    // The default: ten a minute, twenty at once.
    let server = Launch::on(Data::fresh(engine).await).start().await;
    let (root, nobody) = (server.api(), server.api().with_key(None));
    let bad = nobody.with_key(Some("ct_wrong"));
    // To come without any is not to guess.
    for _ in 0..30 {
        nobody.get(WHOAMI).await.problem(401);
    }
    for _ in 0..20 {
        bad.get(WHOAMI).await.problem(401);
    }
    let limited = bad.get(WHOAMI).await.problem(429);
    assert!((1..=6).contains(&retry_after(&limited)));
    let limited = bad
        .get("/catalog/v1/sources")
        .await
        .error(429, "FAILED_PRECONDITION");
    assert!((1..=6).contains(&retry_after(&limited)));
    // Before a slow password is judged, whether or not it is right.
    let client = nobody
        .get(WHOAMI)
        .header("username", "cl_x")
        .header("password", "x");
    client.await.problem(429);
    // Who has a good key is not refused for the failures of others at the same address.
    root.get(WHOAMI).await.is(200);
}

async fn a_proxy_says_whose_credentials_were_bad(engine: Engine) {
    let launch = Launch::on(Data::fresh(engine).await).set("limits.failed_logins_burst=2");
    let server = launch.set("server.trusted_proxies=127.0.0.0/8").start().await;
    let bad = server.api().with_key(Some("ct_wrong"));
    let from = |address: &str| bad.get(WHOAMI).header("X-Forwarded-For", address).into_future();
    for _ in 0..2 {
        from("198.51.100.7").await.problem(401);
    }
    from("198.51.100.7").await.problem(429);
    // What the client itself wrote there is not believed.
    from("203.0.113.9, 198.51.100.7").await.problem(429);
    from("203.0.113.9").await.problem(401);
}

async fn a_principal_has_its_rate(engine: Engine) {
    let settings = ["limits.requests_per_second=1", "limits.requests_burst=5"];
    let world = World::new(engine, &settings).await;
    let one = world
        .nobody
        .with_key(Some(&key(&world.root, &["registry:read"]).await));
    let ask = async |api: &Api| api.get("/catalog/v1/sources").await;
    for _ in 0..5 {
        ask(&one).await.is(200);
    }
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(ask(&one).await);
    }
    let limited = answers
        .iter()
        .find(|answer| answer.status == 429)
        .expect("it has no limit");
    assert_eq!(retry_after(limited), 1);
    limited.clone().error(429, "FAILED_PRECONDITION");
    // Others are not held up, each token's subject being one of them.
    for sub in ["user-1", "user-2"] {
        let mut claims = claims("default");
        claims["sub"] = sub.into();
        let token = hmac(SECRET.as_bytes(), &claims);
        for _ in 0..4 {
            world.as_token(&token).await.is(200);
        }
    }
}

/// "Every write, refusal and administrator action leaves an audit entry".
async fn refused_access_is_in_the_audit_log_but_cannot_fill_it(engine: Engine) {
    let mut world = World::new(engine, &["limits.audited_refusals=5"]).await;
    let bad = world.nobody.with_key(Some("ct_wrong"));
    for n in 0..40 {
        bad.get(WHOAMI)
            .header("X-Request-ID", &format!("bad-{n}"))
            .await
            .problem(401);
    }
    let entries = of_nobody(&world.root).await;
    assert_eq!(entries.len(), 5, "{entries:?}");
    for (n, entry) in entries.iter().rev().enumerate() {
        assert_eq!(entry["requestId"], format!("bad-{n}"));
        assert_eq!(
            (&entry["action"], &entry["outcome"]),
            (&"authenticate".into(), &"refused".into())
        );
        assert_eq!(entry["target"], "from 127.0.0.1");
        assert!(entry.get("actor").is_none(), "{entry}");
    }
    // One who is known, and may not: in the log of the workspace.
    let limited = world.nobody.with_key(Some(&key(&world.root, &[]).await));
    for n in 0..20 {
        let call = limited
            .get("/ops/v1/tasks")
            .header("X-Request-ID", &format!("denied-{n}"));
        call.await.problem(403);
    }
    let log = world.root.get("/ops/v1/audit?limit=200").await.is(200).json();
    let is_denied = |entry: &&serde_json::Value| entry["requestId"].as_str().unwrap().starts_with("denied-");
    assert_eq!(
        log["items"].as_array().unwrap().iter().filter(is_denied).count(),
        5
    );
    // What was only counted is noted at the latest when the server stops.
    world.server.stop(crate::e2e::harness::wait::LONG).await;
    world.server.start_again().await;
    let counted = of_nobody(&world.server.api()).await;
    assert_eq!(counted[0]["action"], "access.count");
    assert_eq!(counted[0]["target"], "35 more from 127.0.0.1");
    // Only the administrator may see what nobody did.
    let operator = world
        .nobody
        .with_key(Some(&key(&world.root, &["ops:read"]).await));
    operator.get("/ops/v1/audit").await.is(200);
    operator.get("/ops/v1/audit?anonymous=true").await.problem(403);
}
