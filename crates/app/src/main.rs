//! `caretrack`: the server with its workers, and the commands that talk to it.

mod bootstrap;
mod cli;
mod http;
mod metrics;
mod outgoing;
mod settings;
mod system;
mod telemetry;
mod traces;
mod wiring;

use clap::Parser;
use cli::{Cli, Command, Exit};
use settings::Settings;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { command, settings } = Cli::parse();
    let load = || Settings::load(&settings);
    let done = match command.unwrap_or(Command::Serve) {
        Command::Serve => match load() {
            Ok(settings) => wiring::serve(settings).await.map(|()| Exit::Done.into()),
            Err(error) => return wrong(&error),
        },
        Command::Migrate => match load() {
            Ok(settings) => wiring::migrate(&settings).await.map(|()| Exit::Done.into()),
            Err(error) => return wrong(&error),
        },
        Command::Config => match load() {
            Ok(settings) => {
                print!("{}", settings::print(&settings));
                Ok(Exit::Done.into())
            }
            Err(error) => return wrong(&error),
        },
        Command::Openapi(args) => cli::print(openapi(&args.version)).map(|()| Exit::Done.into()),
        Command::Audit(args) => match load() {
            Ok(settings) => cli::audit::run(args, &settings.database.url).await,
            Err(error) => return wrong(&error),
        },
        Command::Import(args) => cli::import::run(args).await,
        Command::Task(args) => cli::task::run(args).await,
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        Exit::Failed.into()
    })
}

fn openapi(version: &str) -> &'static str {
    let documents = &http::openapi::DOCUMENTS;
    if version == "3.0" {
        &documents.older
    } else {
        &documents.newer
    }
}

/// One line that names what is wrong with the settings.
fn wrong(error: &settings::SettingsError) -> ExitCode {
    eprintln!("error: {error}");
    Exit::Usage.into()
}
