//! Putting the layers together, and judging what they say.

use super::{ClockMode, Jwt, Settings, Telemetry, WebhookRetry};
use crate::cli::SettingsArgs;
use caretrack_adapters_auth::KeySource;
use caretrack_adapters_auth::MINIMUM_SECRET;
use caretrack_domain::Key;
use caretrack_domain::RetryPolicy;
use caretrack_domain::TaskKind;
use config::Config;
use config::Environment;
use config::File;
use ipnet::IpNet;
use reqwest::Url;
use serde_json::Value;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;

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

    pub(super) fn of(layers: Config) -> Result<Self, SettingsError> {
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
