//! The configuration: built-in defaults, two files, the environment, the command line; later wins.
//!
//! An unknown key or a bad value stops the start with one line that names it. To add a key, add a field with
//! its default here, and explain it in `config/default.toml`.

mod print;

pub use print::print;

use crate::cli::SettingsArgs;
use caretrack_adapters_auth::{KeySource, MINIMUM_SECRET};
use caretrack_application::Rate;
use caretrack_domain::{Key, RetryPolicy, TaskKind};
use config::{Config, Environment, File};
use ipnet::IpNet;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
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

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            health_listen: String::new(),
            role: Role::All,
            threads: cores(),
            grace: Duration::from_secs(25),
            trusted_proxies: Vec::new(),
        }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: "sqlite://caretrack.db".to_owned(),
        }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            url: "database".to_owned(),
        }
    }
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            concurrency: cores() * 4,
            lease: Duration::from_secs(30),
        }
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self {
            retention: Duration::from_hours(7 * 24),
            prune_every: Duration::from_mins(1),
            retry: Retry::default(),
            retry_by_kind: BTreeMap::new(),
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        let RetryPolicy { attempts, base, cap } = RetryPolicy::default();
        Self { attempts, base, cap }
    }
}

impl From<&Retry> for RetryPolicy {
    fn from(retry: &Retry) -> Self {
        let Retry { attempts, base, cap } = *retry;
        Self { attempts, base, cap }
    }
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            bootstrap_key_file: "caretrack-admin.key".into(),
            jwt: Jwt::default(),
        }
    }
}

impl Default for Jwt {
    fn default() -> Self {
        Self {
            hs256_secret: Secret::default(),
            jwks_url: String::new(),
            jwks_file: String::new(),
            jwks_max_age: Duration::from_mins(10),
            jwks_min_interval: Duration::from_secs(10),
            leeway: Duration::ZERO,
        }
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self { open_profiles: true }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            mode: ClockMode::System,
        }
    }
}

impl Default for Matching {
    fn default() -> Self {
        Self {
            engine: MatchEngine::None,
        }
    }
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            allow_private: false,
            timeout: Duration::from_secs(10),
            retry: WebhookRetry::default(),
        }
    }
}

impl From<ClockMode> for caretrack_application::ClockMode {
    fn from(mode: ClockMode) -> Self {
        match mode {
            ClockMode::System => Self::System,
            ClockMode::Manual => Self::Manual,
        }
    }
}

impl Default for WebhookRetry {
    fn default() -> Self {
        Self {
            attempts: 10,
            base: Duration::from_secs(5),
            cap: Duration::from_mins(10),
        }
    }
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            seal_every: Duration::from_secs(10),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 1 << 20,
            delivery: 10 << 20,
            body_time: Duration::from_secs(30),
            requests_per_second: 0,
            requests_burst: 100,
            failed_logins_per_minute: 10,
            failed_logins_burst: 20,
            audited_refusals: 60,
            head_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(75),
            stall_time: Duration::from_secs(30),
            connections: 16_384,
            waiting: 4_096,
            queue_depth: 1_000_000,
            event_listeners: 256,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Auto,
            level: "info,actix_server=warn".to_owned(),
        }
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            otlp_endpoint: String::new(),
            sample_ratio: 1.0,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("there is no setting `{0}`")]
    Unknown(String),
    #[error("the setting `{key}` {problem}")]
    Bad { key: &'static str, problem: String },
    #[error("{0}")]
    Unreadable(#[from] config::ConfigError),
}

impl Settings {
    pub fn load(args: &SettingsArgs) -> Result<Self, SettingsError> {
        let file = |name: &str| File::from(args.config_dir.join(format!("{name}.toml")));
        let mut layers = Config::builder().add_source(file("default").required(false));
        if let Some(profile) = &args.profile {
            layers = layers.add_source(file(profile));
        }
        layers = layers.add_source(
            Environment::with_prefix("CARETRACK")
                .prefix_separator("__")
                .separator("__"),
        );
        for (key, value) in args.overrides() {
            layers = layers.set_override(key, value)?;
        }
        Self::of(layers.build()?)
    }

    fn of(layers: Config) -> Result<Self, SettingsError> {
        let given: Value = layers.clone().try_deserialize()?;
        let known = serde_json::to_value(Self::default()).unwrap_or_default();
        if let Some(key) = first_unknown(&given, &known, "") {
            return Err(SettingsError::Unknown(key));
        }
        let settings: Self = layers.try_deserialize()?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), SettingsError> {
        let bad = |key, problem| Err(bad(key, problem));
        if self.queue.url != "database" {
            return bad("queue.url", "must be `database`");
        }
        let is_known = ["sqlite://", "postgres://"]
            .iter()
            .any(|scheme| self.database.url.starts_with(scheme));
        if !is_known && self.database.url != "memory:" {
            return bad("database.url", "must be memory:, sqlite://PATH or postgres://...");
        }
        if self.worker.concurrency == 0 {
            return bad("worker.concurrency", "must be at least 1");
        }
        if self.worker.lease < Duration::from_millis(100) {
            return bad("worker.lease", "must be at least 100ms");
        }
        if self.server.threads == 0 {
            return bad("server.threads", "must be at least 1");
        }
        if self.clock.mode == ClockMode::Manual && !self.server.listen.ip().to_canonical().is_loopback() {
            return bad(
                "clock.mode",
                "may be manual only where server.listen is a loopback address",
            );
        }
        if self.limits.connections == 0 {
            return bad("limits.connections", "must be at least 1");
        }
        if self.limits.waiting == 0 {
            return bad("limits.waiting", "must be at least 1");
        }
        if self.audit.seal_every.is_zero() {
            return bad("audit.seal_every", "must be more than nothing");
        }
        if self.webhooks.timeout < Duration::from_millis(100) {
            return bad("webhooks.timeout", "must be at least 100ms");
        }
        if !(0.0..=1.0).contains(&self.telemetry.sample_ratio) {
            return bad("telemetry.sample_ratio", "must be from 0 to 1");
        }
        self.telemetry.traces_endpoint()?;
        self.health_listen()?;
        self.retry_by_kind()?;
        self.trusted_proxies()?;
        self.partner_key_workspaces()?;
        self.auth.jwt.check()
    }

    pub fn health_listen(&self) -> Result<Option<SocketAddr>, SettingsError> {
        let text = Some(&self.server.health_listen).filter(|text| !text.is_empty());
        let address = text.map(|text| text.parse()).transpose();
        address.map_err(|_| bad("server.health_listen", "must be an address and a port"))
    }

    pub fn trusted_proxies(&self) -> Result<Vec<IpNet>, SettingsError> {
        let network = |text: &String| text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let networks = self.server.trusted_proxies.iter().map(network);
        let networks: Result<_, _> = networks.collect();
        networks.map_err(|_| bad("server.trusted_proxies", "must be addresses or networks"))
    }

    pub fn partner_key_workspaces(&self) -> Result<BTreeSet<Key>, SettingsError> {
        let keys = self.jobs.partner_key_workspaces.iter().map(|key| Key::parse(key));
        let keys: Result<_, _> = keys.collect();
        keys.map_err(|_| bad("jobs.partner_key_workspaces", "must be keys of workspaces"))
    }

    pub fn retry_by_kind(&self) -> Result<BTreeMap<TaskKind, RetryPolicy>, SettingsError> {
        let WebhookRetry { attempts, base, cap } = self.webhooks.retry;
        let webhooks = (TaskKind::WebhookDeliver, RetryPolicy { attempts, base, cap });
        let policies = self.tasks.retry_by_kind.iter();
        let mut all = BTreeMap::from([webhooks]);
        let given: BTreeMap<TaskKind, RetryPolicy> = policies
            .map(|(kind, retry)| match kind.parse() {
                Ok(kind) => Ok((kind, retry.into())),
                Err(_) => Err(SettingsError::Unknown(format!("tasks.retry_by_kind.{kind}"))),
            })
            .collect::<Result<_, SettingsError>>()?;
        all.extend(given);
        Ok(all)
    }
}

impl Telemetry {
    /// Where traces are sent, if anywhere: the path is the protocol's.
    pub fn traces_endpoint(&self) -> Result<Option<String>, SettingsError> {
        if self.otlp_endpoint.is_empty() {
            return Ok(None);
        }
        let is_base = |url: &Url| {
            let (named, other) = (url.has_host(), url.query().is_some() || url.fragment().is_some());
            ["http", "https"].contains(&url.scheme()) && named && !other
        };
        // A secret here would be printed with the settings.
        let is_open = |url: &Url| url.username().is_empty() && url.password().is_none();
        match Url::parse(&self.otlp_endpoint) {
            Ok(url) if is_base(&url) && is_open(&url) => {
                let base = url.as_str().trim_end_matches('/');
                Ok(Some(format!("{base}/v1/traces")))
            }
            Ok(_) | Err(_) => Err(bad(
                "telemetry.otlp_endpoint",
                "must be http://HOST:PORT or https://HOST:PORT, without credentials",
            )),
        }
    }
}

impl Jwt {
    /// Where the keys of issuers are, if anywhere.
    pub fn key_source(&self) -> Result<Option<KeySource>, SettingsError> {
        match (self.jwks_url.as_str(), self.jwks_file.as_str()) {
            ("", "") => Ok(None),
            ("", file) => Ok(Some(KeySource::File(file.into()))),
            (url, "") => match Url::parse(url) {
                Ok(url) if ["http", "https"].contains(&url.scheme()) => Ok(Some(KeySource::Url(url))),
                Ok(_) | Err(_) => Err(bad("auth.jwt.jwks_url", "must be https://... or http://...")),
            },
            (_, _) => Err(bad("auth.jwt.jwks_file", "cannot be beside `auth.jwt.jwks_url`")),
        }
    }

    fn check(&self) -> Result<(), SettingsError> {
        if self
            .hs256_secret
            .expose()
            .is_some_and(|secret| secret.len() < MINIMUM_SECRET)
        {
            return Err(bad("auth.jwt.hs256_secret", "must be at least 32 bytes"));
        }
        if self.leeway > Duration::from_mins(5) {
            return Err(bad("auth.jwt.leeway", "must be at most 5m"));
        }
        self.key_source().map(drop)
    }
}

fn bad(key: &'static str, problem: &str) -> SettingsError {
    SettingsError::Bad {
        key,
        problem: problem.to_owned(),
    }
}

/// The first key of `given` that `known` lacks; an empty table in `known` takes any key.
fn first_unknown(given: &Value, known: &Value, path: &str) -> Option<String> {
    let known = known.as_object().filter(|known| !known.is_empty())?;
    given.as_object()?.iter().find_map(|(key, value)| {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        match known.get(key) {
            Some(known) => first_unknown(value, known, &path),
            None => Some(path),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::FileFormat;

    fn load(toml: &str) -> Result<Settings, SettingsError> {
        let layers = Config::builder().add_source(File::from_str(toml, FileFormat::Toml));
        Settings::of(layers.build().unwrap())
    }

    fn refusal(toml: &str) -> String {
        load(toml).unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_said_is_the_default_and_text_will_do() {
        let settings = load("[worker]\nlease = \"2m\"\nconcurrency = \"3\"").unwrap();
        assert_eq!(
            (settings.worker.lease, settings.worker.concurrency),
            (Duration::from_mins(2), 3)
        );
        assert_eq!(settings.tasks.retention, Duration::from_hours(168));
    }

    #[test]
    fn a_bad_line_is_named() {
        assert_eq!(
            refusal("[server]\nlissten = 1"),
            "there is no setting `server.lissten`"
        );
        assert_eq!(refusal("x = 1"), "there is no setting `x`");
        for (toml, key) in [
            ("worker.lease = \"soon\"", "worker.lease"),
            ("worker.concurrency = \"many\"", "worker.concurrency"),
            ("worker.concurrency = 0", "worker.concurrency"),
            ("server.listen = \"nowhere\"", "server.listen"),
            ("server.health_listen = \"here\"", "server.health_listen"),
            ("server.role = \"both\"", "server.role"),
            ("server.trusted_proxies = \"here\"", "server.trusted_proxies"),
            ("auth.jwt.hs256_secret = \"short\"", "auth.jwt.hs256_secret"),
            ("auth.jwt.jwks_url = \"ftp://x\"", "auth.jwt.jwks_url"),
            (
                "auth.jwt = {jwks_url = \"http://x\", jwks_file = \"x\"}",
                "auth.jwt.jwks_file",
            ),
            ("auth.jwt.leeway = \"1h\"", "auth.jwt.leeway"),
            (
                "jobs.partner_key_workspaces = [\"a b\"]",
                "jobs.partner_key_workspaces",
            ),
            ("limits.failed_logins_burst = -1", "limits.failed_logins_burst"),
            (
                "telemetry.otlp_endpoint = \"collector\"",
                "telemetry.otlp_endpoint",
            ),
            (
                "telemetry.otlp_endpoint = \"grpc://x\"",
                "telemetry.otlp_endpoint",
            ),
            (
                "telemetry.otlp_endpoint = \"http://me:secret@x\"",
                "telemetry.otlp_endpoint",
            ),
            ("telemetry.sample_ratio = 1.5", "telemetry.sample_ratio"),
            ("tasks.retry_by_kind.tea.attempts = 3", "tasks.retry_by_kind.tea"),
        ] {
            let refusal = refusal(toml);
            assert!(
                refusal.contains(key) && !refusal.contains('\n'),
                "{toml}: {refusal}"
            );
        }
    }

    #[test]
    fn lists_may_be_text_and_secrets_never_print() {
        for toml in [
            "server.trusted_proxies = [\"10.0.0.0/8\", \"::1\"]",
            "server.trusted_proxies = \"10.0.0.0/8, ::1\"",
        ] {
            let proxies = load(toml).unwrap().trusted_proxies().unwrap();
            assert_eq!(
                proxies.iter().map(ToString::to_string).collect::<Vec<_>>(),
                ["10.0.0.0/8", "::1/128"]
            );
        }
        let secret = "0123456789abcdef0123456789abcdef";
        let settings = load(&format!("auth.jwt.hs256_secret = \"{secret}\"")).unwrap();
        assert_eq!(settings.auth.jwt.hs256_secret.expose(), Some(secret));
        let printed = print(&settings);
        assert!(printed.contains("hs256_secret = \"***\""), "{printed}");
        assert!(!printed.contains(secret) && !format!("{settings:?}").contains(secret));
    }

    fn leaves(value: &Value) -> usize {
        value
            .as_object()
            .map_or(1, |members| members.values().map(leaves).sum())
    }

    #[test]
    fn the_shipped_files_say_what_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config");
        let shipped = std::fs::read_to_string(format!("{folder}/default.toml")).unwrap();
        // Every key is there, commented out.
        let uncommented: Vec<&str> = shipped
            .lines()
            .filter(|line| line.starts_with('[') || line.starts_with("#="))
            .map(|line| line.trim_start_matches("#= "))
            .collect();
        let uncommented = uncommented.join("\n");
        let said: Value = serde_json::to_value(load(&uncommented).unwrap()).unwrap();
        let mut built_in = serde_json::to_value(Settings::default()).unwrap();
        // Depends on the machine.
        built_in["server"]["threads"] = said["server"]["threads"].clone();
        built_in["worker"]["concurrency"] = said["worker"]["concurrency"].clone();
        assert_eq!(said, built_in);
        let keys = uncommented.lines().filter(|line| !line.starts_with('['));
        assert_eq!(keys.count(), leaves(&built_in));
        let production = std::fs::read_to_string(format!("{folder}/production.toml")).unwrap();
        assert!(load(&production).is_ok());
    }
}
