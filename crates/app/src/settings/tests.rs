use super::*;
use config::{Config, File, FileFormat};
use serde_json::Value;
use std::time::Duration;

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
