//! The registry dialect: sources and resources, written and read one at a time.

mod conditions;
mod contained;
mod limits;
mod lists;
mod meta;
mod paths;
mod refusals;
mod sources;
mod writing;

use super::harness::Journey;

pub fn journeys() -> Vec<Journey> {
    [
        writing::journeys(),
        contained::journeys(),
        conditions::journeys(),
        meta::journeys(),
        refusals::journeys(),
        paths::journeys(),
        limits::journeys(),
        lists::journeys(),
        sources::journeys(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
