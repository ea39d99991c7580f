//! `/ops/v1`: what operators see and do (common.md).

mod audit;
mod broken;
mod credentials;
mod lists;
mod patients;
mod queues;
mod tasks;

use super::harness::Journey;

pub fn journeys() -> Vec<Journey> {
    [
        tasks::journeys(),
        broken::journeys(),
        queues::journeys(),
        audit::journeys(),
        patients::journeys(),
        credentials::journeys(),
        lists::journeys(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
