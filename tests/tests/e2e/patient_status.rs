//! The patient-status dialect (patient-status.md): every line of its section 10 is a journey that has its number, and
//! the rules of sections 3 to 9 beside them. Journeys that need time to pass have a server with the manual clock.

mod access;
mod bad_input;
mod clinic;
mod counter;
mod crash;
mod deliveries;
mod engine;
mod expect;
mod fields;
mod histories;
mod identifiers;
mod legal_terms;
mod lists;
mod model;
mod parallel;
mod patients;
mod raw;
mod refresh;
mod requests;
mod results;
mod retention;
mod searches;
mod status;
mod tissue_types;
mod walk;

use super::harness::Journey;

pub fn journeys() -> Vec<Journey> {
    [
        access::journeys(),
        bad_input::journeys(),
        counter::journeys(),
        crash::journeys(),
        deliveries::journeys(),
        engine::journeys(),
        fields::journeys(),
        histories::journeys(),
        identifiers::journeys(),
        legal_terms::journeys(),
        lists::journeys(),
        parallel::journeys(),
        patients::journeys(),
        refresh::journeys(),
        requests::journeys(),
        results::journeys(),
        retention::journeys(),
        searches::journeys(),
        status::journeys(),
        tissue_types::journeys(),
        walk::journeys(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
