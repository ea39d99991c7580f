//! The command line of `caretrack`.
//!
//! What it is: the arguments of the one binary, and the commands that talk to a running server (`import`, `task`).
//! `serve`, `migrate` and `config` are only parsed here; `main.rs` carries them out, because they need the settings and
//! the wiring.
//!
//! What it promises: every failure ends in one of the exit codes of [`Exit`], which the help text lists, so that scripts
//! can tell "not reachable, try later" from "refused, do not".
//!
//! How to add a command: a variant of [`Command`] with a doc comment (it becomes the help text), and, if it talks to the
//! server, [`client::ClientArgs`] flattened into its arguments and a module with `run(args) -> anyhow::Result<ExitCode>`.

pub mod audit;
pub mod client;
pub mod import;
pub mod task;
#[cfg(test)]
mod testing;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// The part of the help text that scripts rely on.
const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  something failed (some resources were not imported, the task failed)
  2  wrong usage (unknown option, missing file or key)
  3  the server cannot be reached
  4  time ran out (task wait)
  5  the server refused (401, 403, 404 or 409)";

/// Caretrack: accepts clinical writes over HTTP and carries them out as durable tasks.
///
/// Without a command it serves. The first start makes an empty store, a workspace and an administrator API key, which is
/// shown once and kept in a file.
#[derive(Debug, Parser)]
#[command(
    name = "caretrack",
    version,
    after_help = "\
Examples:
  caretrack                                  start the server on http://127.0.0.1:8080
  caretrack --listen 0.0.0.0:8080 serve      let other machines in
  caretrack import patients.ndjson           load FHIR resources into the running server
  caretrack task wait s_0197a1b2c3d47e5f8a9b0c1d2e3f4a5b

Every command explains itself: caretrack import --help"
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub settings: SettingsArgs,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server: HTTP and the workers that carry out tasks (this is the default)
    #[command(after_help = "\
Examples:
  caretrack serve
  caretrack serve --listen 0.0.0.0:8080 --database-url postgres://caretrack@db/caretrack
  caretrack serve --role worker              carry out tasks only, beside other machines
  caretrack serve --set worker.concurrency=8")]
    Serve,
    /// Bring the database schema up to date and exit
    ///
    /// `serve` does this by itself at start. Use it as a step of its own where the server must not change the schema.
    Migrate,
    /// Print the configuration in effect, secrets masked, and exit
    ///
    /// Later wins: built-in defaults, default.toml and PROFILE.toml in the configuration folder, environment variables
    /// (CARETRACK__SECTION__KEY), options of the command line.
    Config,
    /// Print the OpenAPI document and exit
    ///
    /// What a server answers at /openapi.json and /openapi-3.0.json; none is started for it.
    #[command(args = hidden_settings())]
    Openapi(OpenapiArgs),
    Audit(audit::AuditArgs),
    #[command(args = hidden_settings())]
    Import(import::ImportArgs),
    #[command(args = hidden_settings())]
    Task(task::TaskArgs),
}

#[derive(Debug, Args)]
pub struct OpenapiArgs {
    /// The version of OpenAPI; 3.0 is for generators that know no newer one
    #[arg(long, value_name = "VERSION", default_value = "3.1", value_parser = ["3.1", "3.0"])]
    pub version: String,
}

/// Options that override the configuration.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Settings (serve, migrate, config, audit)")]
pub struct SettingsArgs {
    /// Address to listen on, instead of `server.listen`
    #[arg(long, global = true, value_name = "ADDR")]
    pub listen: Option<String>,
    /// What this process does: answer HTTP, carry out tasks, or both
    #[arg(long, global = true, value_parser = ["api", "worker", "all"])]
    pub role: Option<String>,
    /// Where data is kept: sqlite://PATH, postgres://..., or memory: (nothing is kept)
    #[arg(long, global = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// Name of the file in the configuration folder that is read after default.toml
    #[arg(long, global = true, value_name = "NAME", env = "CARETRACK_PROFILE")]
    pub profile: Option<String>,
    /// The configuration folder
    #[arg(long, global = true, value_name = "DIR", default_value = "config")]
    pub config_dir: PathBuf,
    /// Override any key, such as worker.lease=45s; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = parse_setting)]
    pub set: Vec<(String, String)>,
}

/// The settings are global so that they may stand before or after the command. In the help of the commands that do not
/// use them they would only be in the way.
fn hidden_settings() -> Vec<clap::Arg> {
    let settings = SettingsArgs::augment_args(clap::Command::new(""));
    settings
        .get_arguments()
        .map(|setting| setting.clone().hide(true))
        .collect()
}

impl SettingsArgs {
    /// The overrides as dotted keys and values, to be applied in this order: an option of its own is more particular
    /// than `--set` and comes last.
    pub fn overrides(&self) -> Vec<(String, String)> {
        let named = [
            ("server.listen", &self.listen),
            ("server.role", &self.role),
            ("database.url", &self.database_url),
        ];
        let named = named
            .into_iter()
            .filter_map(|(key, value)| value.clone().map(|value| (key.to_owned(), value)));
        self.set.iter().cloned().chain(named).collect()
    }
}

/// How a command ends. The numbers are part of the interface; see [`EXIT_CODES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Unreachable = 3,
    TimedOut = 4,
    Refused = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    let well_formed = key.split('.').all(|part| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    });
    if well_formed {
        Ok((key.to_owned(), value.to_owned()))
    } else {
        Err(format!("`{key}` is not a key such as server.listen"))
    }
}

/// Durations are written as in the configuration: `500ms`, `60s`, `2m`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime_serde::re::humantime::parse_duration(text)
        .map_err(|_| "expected a duration such as 500ms, 60s or 2m".to_owned())
}

/// Writes to standard output; unlike `println!` it does not panic when the reader has gone away.
pub fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_command_means_serve_and_takes_settings() {
        let cli = Cli::try_parse_from(["caretrack", "--listen", "0.0.0.0:1"]).expect("parses");
        assert!(cli.command.is_none());
        assert_eq!(cli.settings.listen.as_deref(), Some("0.0.0.0:1"));
        assert_eq!(cli.settings.config_dir, PathBuf::from("config"));
    }

    #[test]
    fn settings_may_stand_after_the_command() {
        let cli = Cli::try_parse_from([
            "caretrack",
            "serve",
            "--set",
            "a.b=1=2",
            "--role",
            "api",
            "--set",
            "c=",
        ])
        .expect("parses");
        assert!(matches!(cli.command, Some(Command::Serve)));
        let expected = [("a.b", "1=2"), ("c", ""), ("server.role", "api")];
        assert_eq!(
            cli.settings.overrides(),
            expected.map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn a_setting_without_key_or_equals_sign_is_refused() {
        for bad in ["listen", "=1", "a..b=1", "a b=1"] {
            assert!(parse_setting(bad).is_err(), "{bad}");
        }
        assert!(Cli::try_parse_from(["caretrack", "--role", "both"]).is_err());
    }

    #[test]
    fn every_help_text_can_be_rendered() {
        for words in [
            vec!["--help"],
            vec!["serve", "--help"],
            vec!["import", "--help"],
            vec!["task", "wait", "--help"],
        ] {
            let error = Cli::try_parse_from(std::iter::once("caretrack").chain(words)).expect_err("help");
            assert_eq!(error.exit_code(), 0);
            let text = error.to_string();
            assert!(text.contains("Usage:"));
            assert_eq!(text.contains("--config-dir"), text.contains("Settings"));
            assert_eq!(text.contains("--config-dir"), !text.contains("--server"));
        }
    }
}
