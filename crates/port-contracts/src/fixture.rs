//! How an adapter shows itself to the suite, and how the suite is run.

use crate::world::World;
use async_trait::async_trait;
use caretrack_ports::{Store, StoreError, TaskQueue};
use futures::future::BoxFuture;
use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Everything under contract, in one object.
pub trait Backend: Store + TaskQueue {}

impl<T: Store + TaskQueue> Backend for T {}

/// An adapter under contract.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// What the names of its trials begin with.
    fn name(&self) -> &str;

    /// Why it cannot be tried here; its trials are then shown as ignored.
    fn unavailable(&self) -> Option<String> {
        None
    }

    /// A fresh, empty store, ready to use. Called once for each trial, within the trial's own runtime.
    async fn open(&self) -> Arc<dyn Backend>;
}

/// Where a machine must have every engine, an absent one is a failure.
const REQUIRE_SERVICES: &str = "CARETRACK_REQUIRE_SERVICES";

/// No contract takes as long, by far, unless it hangs.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) type Outcome = Result<(), StoreError>;
pub(crate) type Contract = (&'static str, fn(World) -> BoxFuture<'static, Outcome>);

const ALL: &[&[Contract]] = &[
    // The long ones first, so that the last thread to finish does not work alone.
    crate::interleavings::CONTRACTS,
    crate::exclusion::CONTRACTS,
    crate::commits::CONTRACTS,
    crate::names::CONTRACTS,
    crate::idempotency::CONTRACTS,
    crate::numbers::CONTRACTS,
    crate::isolation::CONTRACTS,
    crate::listing::CONTRACTS,
    crate::claims::CONTRACTS,
    crate::leases::CONTRACTS,
    crate::lanes::CONTRACTS,
    crate::pauses::CONTRACTS,
    crate::clock::CONTRACTS,
    crate::offers::CONTRACTS,
    crate::backlog::CONTRACTS,
    crate::waits::CONTRACTS,
    crate::records::CONTRACTS,
    crate::round_trips::CONTRACTS,
    crate::facts_round_trips::CONTRACTS,
    crate::endings::CONTRACTS,
    crate::pruning::CONTRACTS,
    crate::settled::CONTRACTS,
    crate::webhooks::CONTRACTS,
    crate::registrations::CONTRACTS,
    crate::searches::CONTRACTS,
    crate::definitions::CONTRACTS,
];

/// Runs every contract against every fixture, and what an adapter has to prove beside; the arguments are those of
/// any test binary.
pub fn run(fixtures: Vec<Arc<dyn Fixture>>, beside: Vec<Trial>) -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = fixtures
        .into_iter()
        .flat_map(|fixture| trials(&fixture))
        .chain(beside)
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials(fixture: &Arc<dyn Fixture>) -> Vec<Trial> {
    let unavailable = fixture.unavailable();
    if let Some(reason) = &unavailable {
        let name = fixture.name();
        if std::env::var(REQUIRE_SERVICES).is_ok_and(|required| required == "1") {
            let reason = format!("{name} is required and not available: {reason}");
            return vec![Trial::test(format!("{name}::is_available"), move || {
                Err(reason.into())
            })];
        }
        eprintln!("{name} is not available, its contracts are ignored: {reason}");
    }
    let contracts = ALL.iter().copied().flatten();
    contracts
        .map(|(name, contract)| {
            let fixture = Arc::clone(fixture);
            Trial::test(format!("{}::{name}", fixture.name()), move || {
                try_out(fixture.as_ref(), *contract)
            })
            .with_ignored_flag(unavailable.is_some())
        })
        .collect()
}

fn try_out(fixture: &dyn Fixture, contract: fn(World) -> BoxFuture<'static, Outcome>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let trial = async {
        let world = World::new(fixture.open().await);
        contract(world).await
    };
    let outcome = runtime.block_on(async { tokio::time::timeout(PATIENCE, trial).await });
    Ok(outcome??)
}
