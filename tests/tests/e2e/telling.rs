//! Telling others: server-sent events, webhooks, and the audit log that nobody rewrites unnoticed.

mod audit_chain;
mod events;
pub mod listener;
mod receiver;
mod webhooks;

use super::harness::Journey;

pub fn journeys() -> Vec<Journey> {
    [events::journeys(), webhooks::journeys(), audit_chain::journeys()]
        .into_iter()
        .flatten()
        .collect()
}
