//! Tokens good and bad: each attack beside what it attacks.

mod issuer;
mod rotation;

use crate::{JwtVerifier, KeySet, KeySource, Refresh};
use caretrack_domain::Instant;
use caretrack_ports::{Clock, TokenError, TokenVerifier};
use issuer::{Issuer, claims, hmac, unsigned};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use time::macros::datetime;

const NOW: Instant = datetime!(2026-03-02 09:15 UTC);
const SECRET: &[u8] = b"a secret of at least 32 bytes, shared";
const REFRESH: Refresh = Refresh {
    max_age: Duration::from_mins(10),
    min_interval: Duration::from_secs(10),
};

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Instant {
        NOW
    }
}

fn now() -> i64 {
    NOW.unix_timestamp()
}

/// Judges by the shared secret and the keys of these issuers.
async fn verifier(issuers: &[&Issuer]) -> (JwtVerifier, TempDir) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("keys.json");
    std::fs::write(&file, issuer::set(issuers)).unwrap();
    let keys = KeySet::new(KeySource::File(file), REFRESH).unwrap();
    keys.load().await.unwrap();
    let verifier = JwtVerifier::new(
        Some(SECRET),
        Some(Arc::new(keys)),
        Arc::new(Stopped),
        Duration::ZERO,
    );
    (verifier, folder)
}

async fn is_refused(verifier: &JwtVerifier, token: &str) -> bool {
    matches!(verifier.verify(token).await, Err(TokenError::Refused))
}

#[tokio::test]
async fn good_tokens_say_whom_they_speak_for() {
    let (rsa, ec) = (Issuer::rsa("r1"), Issuer::ec("e1"));
    let (verifier, _folder) = verifier(&[&rsa, &ec]).await;
    let mut full = claims();
    for (name, value) in [
        ("client_id", json!("mis-7")),
        ("patientId", json!("98761234P")),
        ("username", json!("Ada")),
        ("nbf", json!(now())),
        ("aud", json!(["others", "too"])),
        ("exp", serde_json::from_str(&format!("{}.5", now() + 60)).unwrap()),
    ] {
        full[name] = value;
    }
    for token in [
        rsa.sign(&full),
        ec.sign(&full),
        hmac(SECRET, &full),
        // There is one key of each kind, so it need not be named.
        rsa.sign_with(&full, Algorithm::RS256, None),
        ec.sign_with(&full, Algorithm::ES256, None),
    ] {
        let said = verifier.verify(&token).await.unwrap();
        assert_eq!(
            (said.workspace.as_str(), said.scope.as_str()),
            ("default", "job:read other")
        );
        let token = said.token;
        assert_eq!(
            (token.subject.sub.as_str(), token.subject.client()),
            ("user-1", "mis-7")
        );
        assert_eq!(token.patient.unwrap().expose(), "98761234P");
        assert_eq!(token.username.as_deref(), Some("Ada"));
        assert_eq!(token.expires_at, NOW + Duration::from_mins(1));
    }
    let said = verifier.verify(&hmac(SECRET, &claims())).await.unwrap();
    assert_eq!(said.token.subject.client(), "user-1");
    assert_eq!((said.token.patient, said.token.username), (None, None));
}

/// With a good signature; each case is the claims that differ, `null` for one left out.
#[tokio::test]
async fn claims_are_judged_whatever_the_signature() {
    let rsa = Issuer::rsa("r1");
    let (verifier, _folder) = verifier(&[&rsa]).await;
    let cases = [
        ("expired", json!({"exp": now() - 1})),
        ("expired this instant", json!({"exp": now()})),
        ("no expiry", json!({"exp": null})),
        ("an expiry of text", json!({"exp": (now() + 60).to_string()})),
        ("an expiry beyond all time", json!({"exp": 1e30})),
        ("not yet valid", json!({"nbf": now() + 1})),
        ("a beginning of text", json!({"nbf": "0"})),
        ("no subject", json!({"sub": null})),
        ("an empty subject", json!({"sub": ""})),
        ("a subject of lines", json!({"sub": "a\nb"})),
        ("a subject without end", json!({"sub": "x".repeat(256)})),
        ("a client of lines", json!({"client_id": "a\u{0}"})),
        ("no workspace", json!({"workspace": null})),
        ("a workspace of numbers", json!({"workspace": 1})),
        ("scopes as a list", json!({"scope": ["job:read"]})),
        ("a patient that cannot be", json!({"patientId": "a b"})),
        ("a patient of numbers", json!({"patientId": 7})),
        ("a token longer than any", json!({"padding": "x".repeat(8192)})),
    ];
    for (what, differing) in cases {
        let mut said = claims();
        for (name, value) in differing.as_object().unwrap() {
            said.as_object_mut().unwrap().remove(name);
            if !value.is_null() {
                said[name] = value.clone();
            }
        }
        for token in [rsa.sign(&said), hmac(SECRET, &said)] {
            assert!(is_refused(&verifier, &token).await, "{what}");
        }
    }
}

/// The claims are good; whoever made the token had no right to.
#[tokio::test]
async fn forged_tokens_are_refused() {
    let (rsa, ec) = (Issuer::rsa("r1"), Issuer::ec("e1"));
    let (stranger, other_ec) = (Issuer::rsa("r1"), Issuer::ec("e1"));
    let (verifier, _folder) = verifier(&[&rsa, &ec]).await;
    let said = claims();
    let good = rsa.sign(&said);
    let parts: Vec<&str> = good.split('.').collect();
    let administrator = issuer::part(&json!({"sub": "root", "workspace": "default", "exp": now() + 60}));
    let crit = |mut header: Value| {
        header["crit"] = json!(["exp"]);
        header
    };
    let cases = [
        ("no algorithm", unsigned(&json!({"alg": "none"}), &said)),
        (
            "no algorithm, spelt otherwise",
            unsigned(&json!({"alg": "nOnE", "kid": "r1"}), &said),
        ),
        ("no algorithm at all", unsigned(&json!({"kid": "r1"}), &said)),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("four parts", format!("{good}.x")),
        (
            "another payload",
            format!("{}.{administrator}.{}", parts[0], parts[2]),
        ),
        (
            "the public key's text as a secret",
            hmac(rsa.jwk().to_string().as_bytes(), &said),
        ),
        (
            "the public modulus as a secret",
            hmac(rsa.jwk()["n"].as_str().unwrap().as_bytes(), &said),
        ),
        (
            "the public key's bytes as a secret",
            hmac(&rsa.public_bytes(), &said),
        ),
        ("an empty secret", hmac(b"", &said)),
        (
            "another secret",
            hmac(b"a secret of at least 32 bytes, guessed", &said),
        ),
        ("another's key under a known name", stranger.sign(&said)),
        ("another's curve under a known name", other_ec.sign(&said)),
        ("a key that nobody knows", Issuer::rsa("r2").sign(&said)),
        (
            "a key by another's name",
            rsa.sign_with(&said, Algorithm::RS256, Some("e1")),
        ),
        (
            "another hash than the key's",
            rsa.sign_with(&said, Algorithm::RS512, Some("r1")),
        ),
        (
            "another padding than the key's",
            rsa.sign_with(&said, Algorithm::PS256, Some("r1")),
        ),
        (
            "a longer hash of the secret",
            issuer::hmac_with(Algorithm::HS512, SECRET, &said),
        ),
        (
            "a key brought along",
            stranger.sign_header(&said, &json!({"alg": "RS256", "jwk": stranger.jwk()})),
        ),
        (
            "what must be understood",
            rsa.sign_header(&said, &crit(json!({"alg": "RS256", "kid": "r1"}))),
        ),
        (
            "a claim said twice",
            rsa.sign_text(&format!(r#"{{"workspace":"x",{}"#, &said.to_string()[1..])),
        ),
        ("no claims", rsa.sign_text("[]")),
        ("nothing", String::new()),
        ("dots", "..".to_owned()),
        ("no token", "ct_0123456789abcdef0123456789abcdef".to_owned()),
    ];
    assert!(verifier.verify(&good).await.is_ok());
    for (what, token) in cases {
        assert!(is_refused(&verifier, &token).await, "{what}: {token}");
    }
}

#[tokio::test]
async fn a_key_that_need_not_be_named_must_be_the_only_one() {
    let (one, two) = (Issuer::ec("e1"), Issuer::ec("e2"));
    let (verifier, _folder) = verifier(&[&one, &two]).await;
    assert!(verifier.verify(&two.sign(&claims())).await.is_ok());
    let unnamed = two.sign_with(&claims(), Algorithm::ES256, None);
    assert!(is_refused(&verifier, &unnamed).await);
}

#[tokio::test]
async fn what_is_not_set_up_is_refused() {
    let rsa = Issuer::rsa("r1");
    let nothing = JwtVerifier::new(None, None, Arc::new(Stopped), Duration::ZERO);
    assert!(is_refused(&nothing, &hmac(SECRET, &claims())).await);
    assert!(is_refused(&nothing, &rsa.sign(&claims())).await);
}

#[tokio::test]
async fn clocks_may_be_off_by_as_much_as_was_said() {
    let leeway = Duration::from_secs(5);
    let verifier = JwtVerifier::new(Some(SECRET), None, Arc::new(Stopped), leeway);
    for (exp, nbf, good) in [(-4, 5, true), (-5, 0, false), (60, 6, false)] {
        let mut said = claims();
        (said["exp"], said["nbf"]) = (json!(now() + exp), json!(now() + nbf));
        let outcome = verifier.verify(&hmac(SECRET, &said)).await;
        assert_eq!(outcome.is_ok(), good, "{exp} {nbf}");
    }
}

/// Keys of a set that are for something else, or that anyone could sign with.
#[tokio::test]
async fn keys_for_other_purposes_judge_nothing() {
    let rsa = Issuer::rsa("r1");
    let spare = Issuer::ec("spare");
    for (name, value) in [
        ("use", json!("enc")),
        ("key_ops", json!(["encrypt"])),
        ("alg", json!("RS512")),
        ("alg", json!("HS256")),
        ("kty", json!("unheard-of")),
    ] {
        let mut jwk = rsa.jwk();
        jwk[name] = value.clone();
        let set = json!({"keys": [jwk, spare.jwk(), {"kty": "oct", "kid": "o", "k": "c2VjcmV0"}, 5]});
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("keys.json");
        std::fs::write(&file, set.to_string()).unwrap();
        let keys = Arc::new(KeySet::new(KeySource::File(file), REFRESH).unwrap());
        keys.load().await.unwrap();
        let verifier = JwtVerifier::new(None, Some(keys), Arc::new(Stopped), Duration::ZERO);
        assert!(
            is_refused(&verifier, &rsa.sign(&claims())).await,
            "{name} {value}"
        );
        assert!(verifier.verify(&spare.sign(&claims())).await.is_ok());
        let symmetric = issuer::hmac_named("o", b"secret", &claims());
        assert!(is_refused(&verifier, &symmetric).await);
    }
}
