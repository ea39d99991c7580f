//! Journeys as trials of libtest-mimic.

use super::data::{self, Engine};
use super::{program, server, tenant};
use futures::future::LocalBoxFuture;
use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

/// Where a machine must have everything, an absent service is a failure.
const REQUIRE_SERVICES: &str = "CARETRACK_REQUIRE_SERVICES";

/// No journey takes as long, by far, unless it hangs.
const PATIENCE: Duration = Duration::from_mins(2);

/// Held for reading by journeys that may have company, for writing by those that measure time or fill disks.
static COMPANY: RwLock<()> = RwLock::new(());

/// What a journey needs of this machine, beside its engine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Need {
    Strace,
    /// Small disks of its own.
    Tmpfs,
    /// A PostgreSQL that it may crash.
    OwnPostgres,
}

impl Need {
    fn unavailable(self) -> Option<&'static str> {
        match self {
            Self::Strace => (!succeeds("strace", &["-V"])).then_some("strace is not installed"),
            Self::Tmpfs => {
                let may = succeeds("unshare", &["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
                (!may).then_some("only root may mount a tmpfs")
            }
            Self::OwnPostgres => {
                let script = program::workspace().join("scripts/postgres");
                let found = succeeds(script.to_str().unwrap(), &["bindir"]);
                (!found).then_some("PostgreSQL is not installed")
            }
        }
    }
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

pub type Run = fn(Engine) -> LocalBoxFuture<'static, ()>;

pub struct Journey {
    name: String,
    run: Run,
    engines: &'static [Engine],
    needs: &'static [Need],
    alone: bool,
    patience: Duration,
}

impl Journey {
    pub fn new(module: &str, name: &str, run: Run) -> Self {
        let module = module.rsplit("e2e::").next().unwrap_or(module);
        Self {
            name: format!("{module}::{name}"),
            run,
            engines: Engine::ALL,
            needs: &[],
            alone: false,
            patience: PATIENCE,
        }
    }

    /// Takes so much longer than others, on purpose.
    pub fn lasting(self, time: Duration) -> Self {
        Self {
            patience: PATIENCE + time,
            ..self
        }
    }

    /// Only on these engines.
    pub fn on(self, engines: &'static [Engine]) -> Self {
        Self { engines, ..self }
    }

    pub fn needs(self, needs: &'static [Need]) -> Self {
        Self { needs, ..self }
    }

    /// Without any other journey beside it.
    pub fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    /// What it needs and this machine lacks.
    fn missing(&self, engine: Engine) -> Option<&'static str> {
        // A PostgreSQL of its own makes the shared one needless.
        let own = self.needs.contains(&Need::OwnPostgres);
        let engine = engine.unavailable().filter(|_| !own);
        engine.or_else(|| self.needs.iter().find_map(|need| need.unavailable()))
    }

    fn trials(self, ignored: &mut BTreeMap<&'static str, usize>, required: bool) -> Vec<Trial> {
        let trial = |engine: &Engine| {
            let (engine, run, alone, missing) = (*engine, self.run, self.alone, self.missing(*engine));
            let patience = self.patience;
            let ignore = missing.filter(|_| !required);
            if let Some(reason) = ignore {
                *ignored.entry(reason).or_default() += 1;
            }
            let name = format!("{}::{}", engine.name(), self.name);
            let trial = Trial::test(name, move || match missing {
                Some(reason) => Err(format!("required and not available: {reason}").into()),
                None => try_out(engine, run, alone, patience),
            });
            trial.with_ignored_flag(ignore.is_some())
        };
        self.engines.iter().map(trial).collect()
    }
}

fn try_out(engine: Engine, run: Run, alone: bool, patience: Duration) -> Result<(), Failed> {
    let (_together, _alone) = if alone {
        (
            None,
            Some(COMPANY.write().unwrap_or_else(PoisonError::into_inner)),
        )
    } else {
        (Some(COMPANY.read().unwrap_or_else(PoisonError::into_inner)), None)
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let trial =
        AssertUnwindSafe(|| runtime.block_on(async { tokio::time::timeout(patience, run(engine)).await }));
    match std::panic::catch_unwind(trial) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err("it hangs".into()),
        // Told by the panic's own message already.
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// A journey that brings its own server.
macro_rules! journey {
    ($name:ident) => {
        $crate::e2e::harness::Journey::new(module_path!(), stringify!($name), |engine| {
            Box::pin($name(engine))
        })
    };
}

/// A journey in a workspace of its own on the server that all of them share.
macro_rules! tenant_journey {
    ($name:ident) => {
        $crate::e2e::harness::Journey::new(module_path!(), stringify!($name), |engine| {
            Box::pin(async move {
                let tenant = $crate::e2e::harness::Tenant::of_shared_server(engine).await;
                $name(&tenant).await;
            })
        })
    };
}

pub(crate) use {journey, tenant_journey};

/// Runs the journeys; the arguments are those of any test binary.
pub fn run(journeys: Vec<Vec<Journey>>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each has a server and a client at work.
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let required = std::env::var(REQUIRE_SERVICES).is_ok_and(|required| required == "1");
    let mut ignored = BTreeMap::new();
    let journeys = journeys.into_iter().flatten();
    let trials = journeys
        .flat_map(|journey| journey.trials(&mut ignored, required))
        .collect();
    for (reason, journeys) in ignored {
        eprintln!("{journeys} journeys are ignored: {reason}");
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    if conclusion.has_failed() {
        tenant::show_logs();
    }
    server::stop_all();
    runtime.block_on(data::clean_up());
    conclusion.exit_code()
}
