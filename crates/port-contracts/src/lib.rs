//! What every adapter of the store and the queue must do, as one suite that each of them runs.
//!
//! A contract is a private async function that cites the promise it checks; each module lists its own in
//! `CONTRACTS`, and `run` collects them. One that is not listed is dead code and fails the build. To add one,
//! write the function, list it. To run the suite against an adapter, implement [`Fixture`] in its
//! `tests/contract.rs` (with `harness = false`) and hand it to [`run`].
//!
//! Every trial gets a fresh store and its own small runtime. Time is passed as values; nothing reads a clock
//! and nothing sleeps, except where the promise is about waiting.

mod backlog;
mod claims;
mod clock;
mod commits;
mod definitions;
mod endings;
mod exclusion;
mod facts_round_trips;
mod fixture;
mod idempotency;
mod interleavings;
mod isolation;
mod lanes;
mod leases;
mod listing;
mod names;
mod numbers;
mod offers;
mod pauses;
mod pruning;
mod records;
mod registrations;
mod round_trips;
mod samples;
mod searches;
mod settled;
mod snapshot;
mod waits;
mod webhooks;
mod world;

pub use fixture::{Backend, Fixture, run};
