//! The registry dialect: sources, definitions and resources, written and read one at a time.

mod conditions;
mod contained;
mod definitions;
mod in_force;
mod limits;
mod lists;
mod meta;
mod paths;
mod refusals;
mod sources;
mod validation;
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
        definitions::journeys(),
        validation::journeys(),
        in_force::journeys(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
