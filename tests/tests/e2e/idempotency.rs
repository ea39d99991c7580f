//! `Idempotency-Key` (common.md, "The server"): asked again, answered the same, done once.

mod atomic;
mod refused;
mod replayed;

pub use atomic::Brake;

use super::harness::{Answer, Call, Journey};
use reqwest::header::HeaderMap;

pub fn journeys() -> Vec<Journey> {
    [replayed::journeys(), refused::journeys(), atomic::journeys()]
        .into_iter()
        .flatten()
        .collect()
}

const KEY: &str = "Idempotency-Key";

fn is_replayed(answer: &Answer) -> bool {
    answer
        .headers
        .get("idempotency-replayed")
        .is_some_and(|value| value == "true")
}

/// What an answer says beside what every answer has of its own.
fn said(answer: &Answer) -> (u16, HeaderMap, &str) {
    let mut headers = answer.headers.clone();
    for own in ["date", "x-request-id", "idempotency-replayed"] {
        headers.remove(own);
    }
    (answer.status, headers, &answer.text)
}

/// Asks twice; the second answer is the first, byte for byte.
async fn twice(call: impl Fn() -> Call, key: &str) -> Answer {
    let first = call().header(KEY, key).await;
    assert!(!is_replayed(&first), "{}: nobody asked before", first.what());
    let second = call().header(KEY, key).await;
    assert!(
        is_replayed(&second),
        "{} {}: {}",
        second.what(),
        second.status,
        second.text
    );
    assert_eq!(said(&second), said(&first), "{}", first.what());
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
    first
}
