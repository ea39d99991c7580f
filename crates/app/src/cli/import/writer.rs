//! Writes one record into the registry.
//!
//! It promises: a record that is there already is not written again; a write is conditional on what was read just before,
//! so that nobody else's change is overwritten unseen; and a write whose answer was lost is found by the next read instead
//! of being repeated. That makes it safe to try again for as long as the user allows.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use reqwest::header::{HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::watch;

use super::fhir::{Change, Record};
use super::progress::Progress;
use crate::cli::client::{Answer, Client, ClientError};

/// How often a record may change between our read and our write before we call it failed.
const MOST_CONFLICTS: u32 = 10;

/// Why the import ends before its input does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopCause {
    Interrupted,
    Refused(String),
    Unreachable(String),
    Busy(String),
}

/// Set once, seen by everyone.
#[derive(Clone)]
pub struct Stop(Arc<watch::Sender<Option<StopCause>>>);

impl Stop {
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// The first cause counts.
    pub fn set(&self, cause: StopCause) {
        self.0.send_if_modified(|current| {
            let first = current.is_none();
            current.get_or_insert(cause);
            first
        });
    }

    pub fn cause(&self) -> Option<StopCause> {
        self.0.borrow().clone()
    }

    pub fn is_set(&self) -> bool {
        self.0.borrow().is_some()
    }

    async fn wait(&self) {
        // Fails only when the sender is gone, and that is in `self`.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
    }
}

/// What became of a record.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Written,
    Unchanged,
    Deleted,
    Failed(String),
    /// The import stopped before it was known; the next run will see.
    Open,
}

pub struct Writer {
    pub client: Client,
    pub source: String,
    /// How long to ride out a server that is away or overloaded.
    pub retry_for: Duration,
    pub delays: ExponentialBuilder,
    pub stop: Stop,
    pub progress: Arc<Progress>,
    pub health: Health,
}

/// The delays between attempts: the server needs a moment to restart, and not all lanes should come back at once.
pub fn delays() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(2))
        .with_jitter()
        .without_max_times()
}

/// How the server has been doing, across all lanes.
pub struct Health {
    answered_at: Mutex<Instant>,
    waiting: AtomicBool,
}

impl Health {
    pub fn new() -> Self {
        Self {
            answered_at: Mutex::new(Instant::now()),
            waiting: AtomicBool::new(false),
        }
    }

    fn answered(&self) {
        *self.answered_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.waiting.store(false, Ordering::Relaxed);
    }

    fn answered_since(&self, instant: Instant) -> bool {
        *self.answered_at.lock().unwrap_or_else(PoisonError::into_inner) > instant
    }

    /// True for the first to wait in an outage.
    fn begin_waiting(&self) -> bool {
        !self.waiting.swap(true, Ordering::Relaxed)
    }
}

/// Why an attempt did not bring an outcome.
enum Setback {
    /// The record changed between our read and our write.
    Conflict(String),
    /// Passes by itself, perhaps.
    Passing {
        error: ClientError,
        retry_after: Option<Duration>,
    },
    /// Trying again will not help.
    Lasting(ClientError),
    /// The key is wrong, for this record and all others.
    NoRight(String),
}

impl From<ClientError> for Setback {
    fn from(error: ClientError) -> Self {
        if error.is_passing() {
            Self::Passing {
                error,
                retry_after: None,
            }
        } else {
            Self::Lasting(error)
        }
    }
}

/// The time that a record has left, counted from its first setback.
struct Patience {
    began_at: Instant,
    delays: ExponentialBackoff,
}

/// What the registry holds.
#[derive(Deserialize)]
struct Stored<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

impl Writer {
    pub async fn write(&self, record: &Record) -> Outcome {
        // Whether a write was sent whose answer never came.
        let mut in_doubt = false;
        let mut conflicts = 0;
        let mut patience = None;
        loop {
            let setback = match self.attempt(record, &mut in_doubt).await {
                Ok(outcome) => {
                    self.health.answered();
                    return outcome;
                }
                Err(setback) => setback,
            };
            match setback {
                Setback::Conflict(reason) if conflicts == MOST_CONFLICTS => return Outcome::Failed(reason),
                Setback::Conflict(_) => {
                    self.health.answered();
                    conflicts += 1;
                }
                Setback::Lasting(error) => {
                    self.health.answered();
                    return Outcome::Failed(error.to_string());
                }
                Setback::NoRight(reason) => {
                    self.stop.set(StopCause::Refused(reason));
                    return Outcome::Open;
                }
                Setback::Passing { error, retry_after } => {
                    let patience = patience.get_or_insert_with(|| Patience {
                        began_at: Instant::now(),
                        delays: self.delays.build(),
                    });
                    if let Some(end) = self.be_patient(patience, &error, retry_after).await {
                        return end;
                    }
                }
            }
        }
    }

    /// Waits for the next attempt, or says how the record ends without one.
    async fn be_patient(
        &self,
        patience: &mut Patience,
        error: &ClientError,
        retry_after: Option<Duration>,
    ) -> Option<Outcome> {
        let left = self.retry_for.saturating_sub(patience.began_at.elapsed());
        if left.is_zero() {
            let reason = error.to_string();
            // Half of the time: when a server goes away, some lanes still get an answer after others no longer do.
            if self.health.answered_since(patience.began_at + self.retry_for / 2) {
                return Some(Outcome::Failed(reason));
            }
            // Nobody gets through, and the other records would fare no better.
            self.stop.set(match error {
                ClientError::Unreachable { .. } => StopCause::Unreachable(reason),
                ClientError::Usage(_)
                | ClientError::Refused(_)
                | ClientError::Busy(_)
                | ClientError::Failed(_) => StopCause::Busy(reason),
            });
            return Some(Outcome::Open);
        }
        if self.health.begin_waiting() {
            self.progress
                .notice(&format!("{error}; trying again for up to {:?}", self.retry_for));
        }
        let delay = patience
            .delays
            .next()
            .unwrap_or(left)
            .max(retry_after.unwrap_or_default())
            .min(left);
        tokio::select! {
            () = tokio::time::sleep(delay) => None,
            () = self.stop.wait() => Some(Outcome::Open),
        }
    }

    async fn attempt(&self, record: &Record, in_doubt: &mut bool) -> Result<Outcome, Setback> {
        let stored = self.send(Method::GET, record, None, None).await?;
        let etag =
            match stored.status {
                StatusCode::NOT_FOUND => None,
                status if status.is_success() => Some(stored.etag.clone().ok_or_else(|| {
                    Setback::Lasting(ClientError::Failed("a record without ETag".to_owned()))
                })?),
                _ => return Err(setback(&stored)),
            };
        match (&record.change, etag) {
            (Change::Upsert(data), etag) => {
                if etag.is_some() && holds(&stored.body, data) {
                    return Ok(if *in_doubt {
                        Outcome::Written
                    } else {
                        Outcome::Unchanged
                    });
                }
                let condition = etag.map_or_else(
                    || (IF_NONE_MATCH, HeaderValue::from_static("*")),
                    |etag| (IF_MATCH, etag),
                );
                let body = format!("{{\"data\":{}}}", data.get());
                self.change(Method::PUT, record, condition, Some(body), in_doubt)
                    .await?;
                Ok(Outcome::Written)
            }
            (Change::Delete, None) => Ok(if *in_doubt {
                Outcome::Deleted
            } else {
                Outcome::Unchanged
            }),
            (Change::Delete, Some(etag)) => {
                self.change(Method::DELETE, record, (IF_MATCH, etag), None, in_doubt)
                    .await?;
                Ok(Outcome::Deleted)
            }
        }
    }

    async fn change(
        &self,
        method: Method,
        record: &Record,
        condition: (HeaderName, HeaderValue),
        body: Option<String>,
        in_doubt: &mut bool,
    ) -> Result<(), Setback> {
        let answer = match self.send(method.clone(), record, Some(condition), body).await {
            Ok(answer) => answer,
            Err(error) => {
                *in_doubt = true;
                return Err(error.into());
            }
        };
        if answer.status.is_success() {
            return Ok(());
        }
        // Someone else deleted it after our read: read again to see.
        let gone = method == Method::DELETE && answer.status == StatusCode::NOT_FOUND;
        if gone || answer.status == StatusCode::PRECONDITION_FAILED {
            return Err(Setback::Conflict(answer.explain()));
        }
        let setback = setback(&answer);
        *in_doubt |= matches!(setback, Setback::Passing { .. });
        Err(setback)
    }

    async fn send(
        &self,
        method: Method,
        record: &Record,
        condition: Option<(HeaderName, HeaderValue)>,
        body: Option<String>,
    ) -> Result<Answer, ClientError> {
        let path = [
            "sources",
            &self.source,
            "v1",
            "resources",
            &record.kind,
            &record.id,
        ];
        self.client.send(method, &path, condition, body).await
    }
}

fn setback(answer: &Answer) -> Setback {
    let error = answer.error();
    if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        Setback::NoRight(error.to_string())
    } else if error.is_passing() {
        Setback::Passing {
            error,
            retry_after: answer.retry_after,
        }
    } else {
        Setback::Lasting(error)
    }
}

/// Whether the stored resource holds the same data: members in any order, numbers by their text.
fn holds(stored: &str, data: &RawValue) -> bool {
    let parse = |text: &str| serde_json::from_str::<Value>(text).ok();
    serde_json::from_str::<Stored<'_>>(stored)
        .ok()
        .is_some_and(|stored| {
            stored.data.get() == data.get()
                || matches!((parse(stored.data.get()), parse(data.get())), (Some(a), Some(b)) if a == b)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        let b = RawValue::from_string(b.to_owned()).expect("JSON");
        holds(&format!(r#"{{"id":"x","data":{a},"meta":{{}}}}"#), &b)
    }

    #[test]
    fn order_of_members_and_white_space_do_not_count() {
        assert!(same(
            r#"{"a":1,"b":{"c":[1,2],"d":null}}"#,
            r#"{ "b": {"d":null, "c":[1, 2]}, "a":1 }"#
        ));
        assert!(same(r#"{"a":"\u0041"}"#, r#"{"a":"A"}"#));
    }

    #[test]
    fn numbers_count_by_their_text_and_arrays_by_their_order() {
        assert!(same("4.70", "4.70"));
        assert!(!same("4.70", "4.7"));
        assert!(!same("[1,2]", "[2,1]"));
        assert!(!same(r#"{"a":1}"#, r#"{"a":1,"b":null}"#));
        assert!(same(
            "12345678901234567890.123456789",
            "12345678901234567890.123456789"
        ));
    }

    #[test]
    fn an_answer_without_data_holds_nothing() {
        assert!(!holds(
            "{}",
            &RawValue::from_string("{}".to_owned()).expect("JSON")
        ));
    }
}
