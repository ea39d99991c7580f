//! End-to-end journeys against the real binary, each on SQLite and on PostgreSQL.
//!
//! A journey is a private async function that cites the sentence it proves; each module lists its own in
//! `journeys`, and one that is not listed is dead code and fails the build. Most journeys share one server of
//! their engine and have a workspace of their own there; those that stop, kill or starve a server start their
//! own. What a journey needs and this machine lacks makes it *visibly ignored*, and a failure where
//! `CARETRACK_REQUIRE_SERVICES=1`.
//!
//! The environment: `TEST_DATABASE_URL` (a PostgreSQL that may be given databases), `CARETRACK_BIN` (the
//! program under test; without it, it is built).
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

mod e2e {
    pub mod harness;

    pub mod access;
    pub mod asynchronous;
    pub mod clock;
    pub mod command_line;
    pub mod crash;
    pub mod disk;
    pub mod every_route;
    pub mod figures;
    pub mod health;
    pub mod idempotency;
    pub mod importing;
    pub mod isolation;
    pub mod latency;
    pub mod operators;
    pub mod overload;
    pub mod patient_status;
    pub mod postgres_restart;
    pub mod races;
    pub mod raw;
    pub mod registry;
    pub mod secrecy;
    pub mod stopping;
    pub mod telemetry;
    pub mod telling;
    pub mod trace;
    pub mod two_servers;
}

use e2e::harness;
use std::process::ExitCode;

fn main() -> ExitCode {
    harness::run(vec![
        e2e::crash::journeys(),
        e2e::two_servers::journeys(),
        e2e::trace::journeys(),
        e2e::disk::journeys(),
        e2e::postgres_restart::journeys(),
        e2e::stopping::journeys(),
        e2e::health::journeys(),
        e2e::telemetry::journeys(),
        e2e::telling::journeys(),
        e2e::command_line::journeys(),
        e2e::latency::journeys(),
        e2e::figures::journeys(),
        e2e::importing::journeys(),
        e2e::access::journeys(),
        e2e::asynchronous::journeys(),
        e2e::clock::journeys(),
        e2e::overload::journeys(),
        e2e::raw::journeys(),
        e2e::secrecy::journeys(),
        e2e::patient_status::journeys(),
        e2e::isolation::journeys(),
        e2e::idempotency::journeys(),
        e2e::every_route::journeys(),
        e2e::operators::journeys(),
        e2e::races::journeys(),
        e2e::registry::journeys(),
    ])
}
