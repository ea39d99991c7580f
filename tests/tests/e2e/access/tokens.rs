//! Signed tokens: good ones, forged ones, keys that rotate.

use super::{SECRET, WHOAMI, World};
use crate::e2e::harness::issuer::{Issuer, claims, from_now, hmac};
use crate::e2e::harness::wait::LONG;
use crate::e2e::harness::{Api, Data, Engine, Journey, Launch, instant, journey, until};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::time::Duration;

pub fn journeys() -> Vec<Journey> {
    vec![
        journey!(good_tokens_say_whom_they_speak_for),
        journey!(bad_tokens_are_all_refused_alike),
        journey!(keys_rotate_and_outlive_a_failing_issuer),
        journey!(without_keys_tokens_are_refused).on(&[Engine::Sqlite]),
        journey!(a_key_set_may_be_a_file).on(&[Engine::Sqlite]),
    ]
}

/// "signed token (JWT, HS256 or RS256/ES256 by JWKS)"; "`sub`, `exp`, `workspace`, `scope`, optional `client_id`,
/// `patientId`, `username`".
async fn good_tokens_say_whom_they_speak_for(engine: Engine) {
    let world = World::new(engine, &[]).await;
    let mut claims = claims("default");
    claims["patientId"] = "98761234P".into();
    claims["username"] = "Ada".into();
    claims["nbf"] = from_now(-1).into();
    for token in [
        world.rsa.sign(&claims),
        world.ec.sign(&claims),
        hmac(SECRET.as_bytes(), &claims),
    ] {
        let mut who = world.as_token(&token).await.is(200).json();
        let expires_at = instant(&who["expiresAt"]).unix_timestamp();
        assert_eq!(expires_at, claims["exp"].as_i64().unwrap());
        who.as_object_mut().unwrap().shift_remove("expiresAt");
        assert_eq!(
            who,
            json!({
                "kind": "token", "workspace": "default", "username": "Ada", "patientId": "98761234P",
                "subject": {"sub": "user-1", "clientId": "mis-7"}, "scopes": ["registry:read", "job:read"],
                "administrator": false,
            })
        );
        let bare = world.nobody.get(WHOAMI).header("Authorization", &token).await;
        bare.is(200);
        // Only API keys open these.
        let bearer = format!("Bearer {token}");
        let registry = world
            .nobody
            .get("/catalog/v1/sources")
            .header("Authorization", &bearer);
        registry.await.error(401, "UNAUTHENTICATED");
        world
            .nobody
            .get("/ops/v1/tasks")
            .header("Authorization", &bearer)
            .await
            .problem(401);
    }
}

/// "Unknown algorithm, `none`, expired or not-yet-valid tokens: 401."
async fn bad_tokens_are_all_refused_alike(engine: Engine) {
    let world = World::new(engine, &[]).await;
    let good = claims("default");
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        hmac(SECRET.as_bytes(), &claims)
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().shift_remove(name);
        hmac(SECRET.as_bytes(), &claims)
    };
    let signed = world.rsa.sign(&good);
    let parts: Vec<&str> = signed.split('.').collect();
    let public = world.rsa.jwk();
    // {"alg":"none"} and {"alg":"nOnE"}
    let none = ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJuT25FIn0"];
    let cases = [
        ("none", format!("{}.{}.", none[0], parts[1])),
        ("none, spelt otherwise", format!("{}.{}.", none[1], parts[1])),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        (
            "the public key as a secret",
            hmac(public.to_string().as_bytes(), &good),
        ),
        (
            "the public modulus as a secret",
            hmac(public["n"].as_str().unwrap().as_bytes(), &good),
        ),
        (
            "another secret",
            hmac(b"e2e-hs256-secret-9999999999-9999999999", &good),
        ),
        ("a key that nobody knows", Issuer::ec("e9").sign(&good)),
        ("another's key under a known name", Issuer::rsa("r1").sign(&good)),
        (
            "another kind of key under a known name",
            Issuer::ec("r1").sign(&good),
        ),
        ("expired", with("exp", from_now(-1).into())),
        ("not yet valid", with("nbf", from_now(60).into())),
        ("without an end", without("exp")),
        ("without a subject", without("sub")),
        ("without a workspace", without("workspace")),
        (
            "of a workspace that is not there",
            with("workspace", "nowhere".into()),
        ),
        ("of a workspace that cannot be", with("workspace", "a b".into())),
        ("too long", with("padding", "x".repeat(9000).into())),
        ("no token", "a.b.c".to_owned()),
    ];
    let nothing = world.nobody.get(WHOAMI).await.problem(401);
    for (what, token) in cases {
        let refused = world.as_token(&token).await;
        assert_eq!(refused.status, 401, "{what}: {}", refused.text);
        assert_eq!(refused.problem(401).text, nothing.text, "{what} tells something");
    }
    world.as_token(&signed).await.is(200);
}

async fn keys_rotate_and_outlive_a_failing_issuer(engine: Engine) {
    let world = World::new(engine, &[]).await;
    let old = world.rsa.sign(&claims("default"));
    world.as_token(&old).await.is(200);
    let new = Issuer::ec("new");
    let token = new.sign(&claims("default"));
    world.as_token(&token).await.problem(401);
    world.published.publish(&[&world.rsa, &new]);
    until("the new key is known", LONG, async || {
        (world.as_token(&token).await.status == 200).then_some(())
    })
    .await;
    // However many tokens name keys that are not there, the issuer is asked twice a second at most.
    let asked = world.published.asked.load(Ordering::Relaxed);
    let began = std::time::Instant::now();
    let unknown = Issuer::ec("unknown").sign(&claims("default"));
    for _ in 0..50 {
        world.as_token(&unknown).await.problem(401);
    }
    let asked = world.published.asked.load(Ordering::Relaxed) - asked;
    let most = began.elapsed().as_millis() / 500 + 1;
    assert!(
        asked as u128 <= most,
        "asked {asked} times in {:?}",
        began.elapsed()
    );
    world.published.fail();
    tokio::time::sleep(Duration::from_millis(600)).await;
    world.as_token(&unknown).await.problem(401);
    world.as_token(&token).await.is(200);
    world.as_token(&old).await.is(200);
}

/// "at least one is needed for signed tokens to be accepted".
async fn without_keys_tokens_are_refused(engine: Engine) {
    let server = Launch::on(Data::fresh(engine).await).start().await;
    let nobody = server.api().with_key(None);
    for token in [
        hmac(b"", &claims("default")),
        Issuer::ec("e1").sign(&claims("default")),
    ] {
        let bearer = format!("Bearer {token}");
        nobody
            .get(WHOAMI)
            .header("Authorization", &bearer)
            .await
            .problem(401);
    }
    // An issuer that was never reached: it is not the token's fault.
    let url = "auth.jwt.jwks_url=http://127.0.0.1:9/keys";
    let server = Launch::on(Data::fresh(engine).await).set(url).start().await;
    let nobody = server.api().with_key(None);
    let bearer = format!("Bearer {}", Issuer::ec("e1").sign(&claims("default")));
    let later = nobody
        .get(WHOAMI)
        .header("Authorization", &bearer)
        .await
        .problem(503);
    assert_eq!(later.header("retry-after"), "1");
    server.api().get(WHOAMI).await.is(200);
}

async fn a_key_set_may_be_a_file(engine: Engine) {
    let issuer = Issuer::rsa("r1");
    let data = Data::fresh(engine).await;
    std::fs::write(
        data.folder().join("keys.json"),
        json!({"keys": [issuer.jwk()]}).to_string(),
    )
    .unwrap();
    let server = Launch::on(data).set("auth.jwt.jwks_file=keys.json").start().await;
    let api: Api = server.api().with_key(None);
    let bearer = format!("Bearer {}", issuer.sign(&claims("default")));
    api.get(WHOAMI).header("Authorization", &bearer).await.is(200);
}
