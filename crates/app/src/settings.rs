//! The configuration: built-in defaults, two files, the environment, the command line; later wins.
//!
//! An unknown key or a bad value stops the start with one line that names it. To add a key, add a field with
//! its default here, and explain it in `config/default.toml`.

mod print;

pub use print::print;

use crate::cli::SettingsArgs;
use caretrack_domain::{RetryPolicy, TaskKind};
use config::{Config, Environment, File};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
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
    pub limits: Limits,
    pub log: Log,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Server {
    pub listen: SocketAddr,
    pub role: Role,
    /// Threads that answer HTTP.
    pub threads: usize,
    #[serde(with = "humantime_serde")]
    pub grace: Duration,
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
pub struct Limits {
    /// Bytes.
    pub body: usize,
    #[serde(with = "humantime_serde")]
    pub body_time: Duration,
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

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            role: Role::All,
            threads: cores(),
            grace: Duration::from_secs(25),
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

impl From<ClockMode> for caretrack_application::ClockMode {
    fn from(mode: ClockMode) -> Self {
        match mode {
            ClockMode::System => Self::System,
            ClockMode::Manual => Self::Manual,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 1 << 20,
            body_time: Duration::from_secs(30),
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
        let bad = |key, problem: &str| {
            Err(SettingsError::Bad {
                key,
                problem: problem.to_owned(),
            })
        };
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
        self.retry_by_kind()?;
        Ok(())
    }

    pub fn retry_by_kind(&self) -> Result<BTreeMap<TaskKind, RetryPolicy>, SettingsError> {
        let policies = self.tasks.retry_by_kind.iter();
        policies
            .map(|(kind, retry)| match kind.parse() {
                Ok(kind) => Ok((kind, retry.into())),
                Err(_) => Err(SettingsError::Unknown(format!("tasks.retry_by_kind.{kind}"))),
            })
            .collect()
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
            ("server.role = \"both\"", "server.role"),
            ("tasks.retry_by_kind.tea.attempts = 3", "tasks.retry_by_kind.tea"),
        ] {
            let refusal = refusal(toml);
            assert!(
                refusal.contains(key) && !refusal.contains('\n'),
                "{toml}: {refusal}"
            );
        }
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
