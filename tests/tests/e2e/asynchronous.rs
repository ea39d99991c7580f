//! Writes that are carried out later: `Prefer: respond-async`, their tasks, receipts, order and cancellation.

mod accepting;
mod order;
mod outcomes;

use super::harness::Journey;

pub fn journeys() -> Vec<Journey> {
    [accepting::journeys(), outcomes::journeys(), order::journeys()]
        .into_iter()
        .flatten()
        .collect()
}
