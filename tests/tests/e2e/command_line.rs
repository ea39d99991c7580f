//! The program from the outside: settings, first start, commands, what it tells and what it does not.

mod first_start;
mod health;
mod settings;
mod task;

use super::harness::Journey;

pub fn journeys() -> Vec<Journey> {
    [
        settings::journeys(),
        first_start::journeys(),
        task::journeys(),
        health::journeys(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
