//! Random histories, applied to the store under contract and to the model: same answers, same state.
//!
//! The model is the memory adapter, which says the promises in the plainest way; against itself the suite
//! checks only that it can run, and the rules of the lanes, which are checked by counting. Histories are
//! drawn from fixed seeds, so that what fails once fails again.

mod draw;
mod twins;

use crate::fixture::{Contract, Outcome};
use crate::world::World;
use draw::Random;
use twins::Twins;

pub(crate) const CONTRACTS: &[Contract] = &[
    ("random_histories_go_as_in_the_model_1", |w| {
        Box::pin(histories(w, 1))
    }),
    ("random_histories_go_as_in_the_model_2", |w| {
        Box::pin(histories(w, 2))
    }),
    ("random_histories_go_as_in_the_model_3", |w| {
        Box::pin(histories(w, 3))
    }),
    ("random_histories_go_as_in_the_model_4", |w| {
        Box::pin(histories(w, 4))
    }),
];

/// Of each history; ten thousand in all.
const STEPS: u32 = 2_500;
/// After how many the stores are emptied of what can be claimed, and compared as a whole.
const CHAPTER: u32 = 250;

/// Whatever is done, in whatever order, every adapter answers and ends as the model does.
async fn histories(world: World, seed: u64) -> Outcome {
    let mut twins = Twins::new(world);
    let mut random = Random::new(seed);
    for n in 1..=STEPS {
        twins.pass(random.below(3));
        match random.below(100) {
            0..22 => twins.accept(&mut random).await?,
            22..36 => twins.claim(&mut random).await?,
            36..72 => twins.command(&mut random).await?,
            72..82 => twins.write_record(&mut random).await?,
            82..86 => twins.delete_record(&mut random).await?,
            86..90 => twins.pause_or_resume(&mut random).await?,
            90..94 => twins.renew(&mut random).await?,
            94..97 => twins.rescue(&mut random).await?,
            97..99 => twins.pass(40),
            _ => twins.prune().await?,
        }
        if n % CHAPTER == 0 {
            twins.drain().await?;
            twins.compare().await?;
        }
    }
    Ok(())
}
