//! The configuration: built-in defaults, two files, the environment, the command line; later wins.
//!
//! An unknown key or a bad value stops the start with one line that names it. To add a key, add a field with
//! its default in `settings/defaults.rs`, and explain it in `config/default.toml`.

mod defaults;
mod load;
mod print;
#[cfg(test)]
mod tests;

pub use load::SettingsError;
pub use print::print;

use caretrack_application::Rate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub server: Server,
    pub database: Database,
    pub queue: Queue,
    pub worker: Worker,
    pub tasks: Tasks,
    pub auth: Auth,
    pub registry: Registry,
    pub clock: Clock,
    #[serde(rename = "match")]
    pub matching: Matching,
    pub jobs: Jobs,
    pub webhooks: Webhooks,
    pub audit: Audit,
    pub limits: Limits,
    pub log: Log,
    pub telemetry: Telemetry,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Server {
    pub listen: SocketAddr,
    /// Of a listener for health and metrics only; empty for none.
    pub health_listen: String,
    pub role: Role,
    /// Threads that answer HTTP.
    pub threads: usize,
    #[serde(with = "humantime_serde")]
    pub grace: Duration,
    /// Addresses and networks, whose word on where a request comes from is taken.
    #[serde(deserialize_with = "words")]
    pub trusted_proxies: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Api,
    Worker,
    All,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Database {
    pub url: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Queue {
    pub url: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Worker {
    pub concurrency: usize,
    #[serde(with = "humantime_serde")]
    pub lease: Duration,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Tasks {
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
    #[serde(with = "humantime_serde")]
    pub prune_every: Duration,
    pub retry: Retry,
    pub retry_by_kind: BTreeMap<String, Retry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Retry {
    pub attempts: u32,
    #[serde(with = "humantime_serde")]
    pub base: Duration,
    #[serde(with = "humantime_serde")]
    pub cap: Duration,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Auth {
    pub bootstrap_key_file: PathBuf,
    pub jwt: Jwt,
}

/// What is empty is not set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Jwt {
    pub hs256_secret: Secret,
    pub jwks_url: String,
    pub jwks_file: String,
    #[serde(with = "humantime_serde")]
    pub jwks_max_age: Duration,
    #[serde(with = "humantime_serde")]
    pub jwks_min_interval: Duration,
    #[serde(with = "humantime_serde")]
    pub leeway: Duration,
}

/// Never printed, neither by `caretrack config` nor for debugging.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn expose(&self) -> Option<&str> {
        Some(self.0.as_str()).filter(|secret| !secret.is_empty())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose().map_or("", |_| "***"))
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Jobs {
    /// Keys of workspaces.
    #[serde(deserialize_with = "words")]
    pub partner_key_workspaces: Vec<String>,
}

/// A list, or text with commas, as the environment has it.
fn words<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        List(Vec<String>),
        Text(String),
    }
    Ok(match Given::deserialize(deserializer)? {
        Given::List(words) => words,
        Given::Text(text) => {
            let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
            words.map(str::to_owned).collect()
        }
    })
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Registry {
    pub open_profiles: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Clock {
    pub mode: ClockMode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockMode {
    System,
    Manual,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Matching {
    pub engine: MatchEngine,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MatchEngine {
    /// Nothing is found, unless somebody delivers.
    None,
    /// Told of searches by events; delivers.
    External,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Webhooks {
    /// Also to private addresses, and without TLS.
    pub allow_private: bool,
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    pub retry: WebhookRetry,
}

/// As [`Retry`], with the patience that other people's servers need.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct WebhookRetry {
    pub attempts: u32,
    #[serde(with = "humantime_serde")]
    pub base: Duration,
    #[serde(with = "humantime_serde")]
    pub cap: Duration,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Audit {
    #[serde(with = "humantime_serde")]
    pub seal_every: Duration,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes.
    pub body: usize,
    /// Bytes of what a match engine delivers.
    pub delivery: usize,
    #[serde(with = "humantime_serde")]
    pub body_time: Duration,
    /// Of server-sent events.
    pub event_listeners: usize,
    /// Of one principal; nought for no limit.
    pub requests_per_second: u32,
    pub requests_burst: u32,
    /// From one address; nought for no limit.
    pub failed_logins_per_minute: u32,
    pub failed_logins_burst: u32,
    /// In a minute, of one address or principal.
    pub audited_refusals: u32,
    /// For the head of a connection's first request.
    #[serde(with = "humantime_serde")]
    pub head_time: Duration,
    /// Between two requests of a connection.
    #[serde(with = "humantime_serde")]
    pub idle_time: Duration,
    /// Without taking any of an answer.
    #[serde(with = "humantime_serde")]
    pub stall_time: Duration,
    pub connections: usize,
    /// Requests that may wait for the store, to write or to look something up.
    pub waiting: usize,
    /// Tasks that may wait; nought for any number.
    pub queue_depth: u64,
}

impl Limits {
    pub fn requests(&self) -> Option<Rate> {
        Rate::of(
            self.requests_per_second,
            Duration::from_secs(1),
            self.requests_burst,
        )
    }

    pub fn failed_logins(&self) -> Option<Rate> {
        Rate::of(
            self.failed_logins_per_minute,
            Duration::from_mins(1),
            self.failed_logins_burst,
        )
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Log {
    pub format: LogFormat,
    pub level: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Auto,
    Text,
    Json,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Telemetry {
    /// The base URL of a collector of traces; empty for none.
    pub otlp_endpoint: String,
    /// Of the traces that begin here.
    pub sample_ratio: f64,
}
