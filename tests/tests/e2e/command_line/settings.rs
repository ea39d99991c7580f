//! Settings: layers, mistakes, `caretrack config`, help (common.md, configuration).

use crate::e2e::harness::server::{Ran, run};
use crate::e2e::harness::wait::LONG;
use crate::e2e::harness::{Data, Engine, Journey, Launch, journey, program};
use serde_json::json;
use std::path::Path;
use tempfile::TempDir;

pub fn journeys() -> Vec<Journey> {
    const ONCE: &[Engine] = &[Engine::Sqlite];
    vec![
        journey!(every_command_explains_itself).on(ONCE),
        journey!(config_prints_what_is_in_effect).on(ONCE),
        journey!(later_layers_win).on(ONCE),
        journey!(config_masks_secrets).on(ONCE),
        journey!(an_unknown_key_stops_the_start_with_one_line_that_names_it).on(ONCE),
        journey!(a_bad_value_stops_the_start_with_one_line_that_names_it).on(ONCE),
        journey!(a_start_that_fails_says_why_and_tells_no_secret).on(ONCE),
        journey!(migrate_makes_the_schema_and_may_be_repeated),
    ]
}

async fn caretrack(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let mut command = program::command(folder, arguments);
    command.envs(environment.iter().copied());
    run(command).await
}

fn file(folder: &Path, name: &str, text: &str) {
    std::fs::create_dir_all(folder.join("config")).unwrap();
    std::fs::write(folder.join("config").join(name), text).unwrap();
}

/// The line of a key in what `config` prints.
#[track_caller]
fn value(printed: &str, section: &str, key: &str) -> String {
    let mut inside = false;
    for line in printed.lines() {
        if let Some(name) = line.strip_prefix('[') {
            inside = name.trim_end_matches(']') == section;
        } else if inside
            && let Some((name, value)) = line.split_once(" = ")
            && name == key
        {
            return value.trim_matches('"').to_owned();
        }
    }
    panic!("no {section}.{key} in\n{printed}");
}

async fn every_command_explains_itself(_: Engine) {
    let folder = TempDir::new().unwrap();
    for words in [
        &["--help"][..],
        &["-h"],
        &["serve", "--help"],
        &["migrate", "--help"],
        &["config", "--help"],
        &["import", "--help"],
        &["task", "--help"],
        &["task", "get", "--help"],
        &["task", "wait", "--help"],
        &["task", "cancel", "--help"],
        &["task", "retry", "--help"],
        &["help", "import"],
    ] {
        let ran = caretrack(folder.path(), words, &[]).await.ended_with(0);
        assert!(
            ran.out.contains("Usage:") && ran.err.is_empty(),
            "{words:?}: {ran:?}"
        );
    }
    let all = caretrack(folder.path(), &["--help"], &[]).await.out;
    for command in ["serve", "migrate", "config", "import", "task"] {
        assert!(all.contains(command), "{command} is not in\n{all}");
    }
    let version = caretrack(folder.path(), &["--version"], &[]).await.ended_with(0);
    assert!(version.out.starts_with("caretrack "), "{version:?}");
    for wrong in [
        &["nonsense"][..],
        &["--nonsense"],
        &["serve", "x"],
        &["--role", "both"],
        &["task"],
        &["import"],
        &["--set", "x"],
    ] {
        let ran = caretrack(folder.path(), wrong, &[]).await.ended_with(2);
        assert!(ran.out.is_empty() && !ran.err.is_empty(), "{wrong:?}: {ran:?}");
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "asking for help leaves nothing behind"
    );
}

/// "`caretrack config` prints the effective configuration"; the table of keys and their defaults.
async fn config_prints_what_is_in_effect(_: Engine) {
    let folder = TempDir::new().unwrap();
    let printed = caretrack(folder.path(), &["config"], &[]).await.ended_with(0).out;
    for (section, key, default) in [
        ("server", "listen", "127.0.0.1:8080"),
        ("server", "role", "all"),
        ("database", "url", "sqlite://caretrack.db"),
        ("queue", "url", "database"),
        ("worker", "lease", "30s"),
        ("tasks", "retention", "7days"),
        ("registry", "open_profiles", "true"),
    ] {
        assert_eq!(value(&printed, section, key), default, "{section}.{key}");
    }
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(value(&printed, "worker", "concurrency"), (cores * 4).to_string());
    // What was printed can be used as it is.
    file(folder.path(), "default.toml", &printed);
    assert_eq!(
        caretrack(folder.path(), &["config"], &[]).await.ended_with(0).out,
        printed
    );
}

/// "Layered, later wins: built-in defaults, `config/default.toml`, `config/{profile}.toml` (`CARETRACK_PROFILE`),
/// environment (`CARETRACK__SECTION__KEY`), command-line flags."
async fn later_layers_win(_: Engine) {
    let folder = TempDir::new().unwrap();
    let lease = async |arguments: &[&str], environment: &[(&str, &str)]| {
        let printed = caretrack(folder.path(), &[&["config"], arguments].concat(), environment)
            .await
            .ended_with(0)
            .out;
        value(&printed, "worker", "lease")
    };
    assert_eq!(lease(&[], &[]).await, "30s");
    file(folder.path(), "default.toml", "[worker]\nlease = \"31s\"\n");
    assert_eq!(lease(&[], &[]).await, "31s");
    file(folder.path(), "clinic.toml", "[worker]\nlease = \"32s\"\n");
    assert_eq!(lease(&[], &[]).await, "31s");
    let profile = ("CARETRACK_PROFILE", "clinic");
    assert_eq!(lease(&[], &[profile]).await, "32s");
    let variable = ("CARETRACK__WORKER__LEASE", "33s");
    assert_eq!(lease(&[], &[profile, variable]).await, "33s");
    assert_eq!(
        lease(&["--set", "worker.lease=34s"], &[profile, variable]).await,
        "34s"
    );
    let missing = caretrack(folder.path(), &["config"], &[("CARETRACK_PROFILE", "nowhere")]).await;
    assert_ne!(missing.code, Some(0), "a profile that is not there: {missing:?}");

    let options = [
        "config",
        "--listen",
        "127.0.0.1:1",
        "--role",
        "api",
        "--database-url",
        "memory:",
    ];
    let environment = [
        ("CARETRACK__SERVER__LISTEN", "127.0.0.1:2"),
        ("CARETRACK__DATABASE__URL", "sqlite://x.db"),
    ];
    let printed = caretrack(folder.path(), &options, &environment)
        .await
        .ended_with(0)
        .out;
    assert_eq!(value(&printed, "server", "listen"), "127.0.0.1:1");
    assert_eq!(value(&printed, "server", "role"), "api");
    assert_eq!(value(&printed, "database", "url"), "memory:");
    let nested = caretrack(
        folder.path(),
        &["config"],
        &[("CARETRACK__TASKS__RETRY__ATTEMPTS", "9")],
    )
    .await
    .ended_with(0)
    .out;
    assert_eq!(value(&nested, "tasks.retry", "attempts"), "9");
}

/// "with secrets masked".
async fn config_masks_secrets(_: Engine) {
    let folder = TempDir::new().unwrap();
    for url in [
        "postgres://me:verysecret@db.example/caretrack",
        "postgres://me:very%40secret@db.example:5432/caretrack?sslmode=require",
        "postgres://db.example/caretrack?user=me&password=verysecret&sslmode=require",
    ] {
        let printed = caretrack(folder.path(), &["config", "--database-url", url], &[])
            .await
            .ended_with(0)
            .out;
        // `secret` alone is in the name of a key.
        for password in ["verysecret", "very%40secret", "very@secret"] {
            assert!(!printed.contains(password), "{printed}");
        }
        let shown = value(&printed, "database", "url");
        assert!(
            shown.contains("db.example") && shown.contains("me"),
            "the rest is there: {shown}"
        );
    }
    let key = "ct_bootstrap-0123456789-0123456789-0123456789";
    let printed = caretrack(folder.path(), &["config"], &[("CARETRACK_BOOTSTRAP_KEY", key)])
        .await
        .ended_with(0);
    assert!(!format!("{printed:?}").contains(key));
    let secret = "0123456789abcdef0123456789abcdef";
    let environment = [("CARETRACK__AUTH__JWT__HS256_SECRET", secret)];
    let printed = caretrack(folder.path(), &["config"], &environment)
        .await
        .ended_with(0)
        .out;
    assert!(!printed.contains(secret), "{printed}");
    assert_eq!(value(&printed, "auth.jwt", "hs256_secret"), "***");
}

#[track_caller]
fn assert_one_line(ran: &Ran, named: &str) {
    assert_ne!(ran.code, Some(0), "{named}: it started");
    assert!(ran.out.is_empty(), "{ran:?}");
    assert_eq!(ran.err.trim_end().lines().count(), 1, "{ran:?}");
    assert!(ran.err.contains(named), "it does not name {named}: {ran:?}");
}

const COMMANDS: &[&str] = &["serve", "migrate", "config"];

/// "An unknown key ... stops the start with one line that names it."
async fn an_unknown_key_stops_the_start_with_one_line_that_names_it(_: Engine) {
    for command in COMMANDS {
        let folder = TempDir::new().unwrap();
        let of = async |arguments: &[&str], environment: &[(&str, &str)]| {
            caretrack(folder.path(), &[&[*command], arguments].concat(), environment).await
        };
        assert_one_line(&of(&["--set", "worker.leese=1s"], &[]).await, "worker.leese");
        assert_one_line(&of(&["--set", "nothing.at.all=1"], &[]).await, "nothing");
        assert_one_line(
            &of(&[], &[("CARETRACK__WORKER__LEESE", "1s")]).await,
            "worker.leese",
        );
        assert_one_line(&of(&[], &[("CARETRACK__WORKERS__LEASE", "1s")]).await, "workers");
        file(folder.path(), "typo.toml", "[tasks.retry]\nattemps = 3\n");
        assert_one_line(&of(&["--profile", "typo"], &[]).await, "tasks.retry.attemps");
        file(folder.path(), "default.toml", "colour = \"blue\"\n");
        assert_one_line(&of(&[], &[]).await, "colour");
        assert!(
            !folder.path().join("caretrack.db").exists(),
            "{command} made a store in spite of it"
        );
    }
}

/// "or a bad value stops the start with one line that names it."
async fn a_bad_value_stops_the_start_with_one_line_that_names_it(_: Engine) {
    let folder = TempDir::new().unwrap();
    for command in COMMANDS {
        for (setting, named) in [
            ("worker.lease=soon", "worker.lease"),
            ("worker.lease=0s", "worker.lease"),
            ("worker.concurrency=0", "worker.concurrency"),
            ("worker.concurrency=many", "worker.concurrency"),
            ("worker.concurrency=-1", "worker.concurrency"),
            ("server.listen=nowhere", "server.listen"),
            ("server.role=both", "server.role"),
            ("tasks.retention=7", "tasks.retention"),
            ("registry.open_profiles=maybe", "registry.open_profiles"),
            ("queue.url=carrier-pigeon", "queue.url"),
            ("database.url=mysql://host/db", "database.url"),
            ("database.url=", "database.url"),
            ("worker=5", "worker"),
        ] {
            let ran = caretrack(folder.path(), &[command, "--set", setting], &[]).await;
            assert_one_line(&ran, named);
        }
    }
    file(folder.path(), "broken.toml", "[worker\nlease = 1");
    let ran = caretrack(folder.path(), &["serve", "--profile", "broken"], &[]).await;
    assert_ne!(ran.code, Some(0));
    assert!(ran.err.contains("broken"), "it does not name the file: {ran:?}");
}

async fn a_start_that_fails_says_why_and_tells_no_secret(_: Engine) {
    let folder = TempDir::new().unwrap();
    let url = "postgres://me:verysecret@127.0.0.1:1/nowhere";
    for command in ["serve", "migrate"] {
        let ran = caretrack(folder.path(), &[command, "--database-url", url], &[]).await;
        assert_ne!(ran.code, Some(0), "{ran:?}");
        assert!(
            !ran.err.trim().is_empty() && !format!("{ran:?}").contains("secret"),
            "{ran:?}"
        );
    }
    let server = Launch::on(Data::fresh(Engine::Sqlite).await).start().await;
    let taken = server.api().authority().to_owned();
    let ran = caretrack(
        folder.path(),
        &["serve", "--listen", &taken, "--database-url", "memory:"],
        &[],
    )
    .await;
    assert_ne!(ran.code, Some(0), "{ran:?}");
    assert!(
        format!("{ran:?}").contains(&taken),
        "it does not name the address: {ran:?}"
    );
    let nowhere = format!("sqlite://{}/none/x.db", folder.path().display());
    let ran = caretrack(folder.path(), &["serve", "--database-url", &nowhere], &[]).await;
    assert_ne!(ran.code, Some(0), "{ran:?}");
}

/// design.md: "Applied at start under a lock; `caretrack migrate` for an init step."
async fn migrate_makes_the_schema_and_may_be_repeated(engine: Engine) {
    let data = Data::fresh(engine).await;
    let url = data.url().to_owned();
    for _ in 0..2 {
        caretrack(data.folder(), &["migrate", "--database-url", &url], &[])
            .await
            .ended_with(0);
    }
    let server = Launch::on(data).start().await;
    let path = "/sources/s/v1/resources/t/x";
    server.api().put(path, json!({"data": {"n": 1}})).await.is(201);
    caretrack(server.data().folder(), &["migrate", "--database-url", &url], &[])
        .await
        .ended_with(0);
    assert_eq!(
        server.api().get(path).await.is(200).json()["data"],
        json!({"n": 1}),
        "it takes nothing away"
    );
    server.stop(LONG).await;
}
