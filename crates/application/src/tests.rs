//! Journeys through the use cases, against the store in memory.

mod access;
mod administration;
mod clock;
mod definitions;
mod idempotency;
mod later;
mod losing;
mod meddling;
pub(crate) mod support;
mod telling;
mod working;
mod writing;
