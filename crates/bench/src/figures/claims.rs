//! What a claim costs, and giving back what was claimed, in queues of different size and age.
//!
//! In this process, through the store alone. The queues take turns round by round, so that whatever else
//! happens on the machine happens to all of them.

mod fill;

use crate::Bench;
use crate::database::Fresh;
use crate::numbers::{Latencies, float, micros, show};
use crate::report::{Floor, Goal, Row};
use anyhow::{Result, ensure};
use caretrack_adapters_seaorm::SeaStore;
use caretrack_domain::{Lease, LeaseToken, TaskCommand, TaskKind, WorkerId};
use caretrack_ports::{Admission, Changes, Claim, Store, TaskQueue};
use fill::{Filler, Shape};
use std::sync::Arc;
use std::time::Instant;
use time::Duration;

const AT_ONCE: usize = 64;
const FEWEST_ROUNDS: usize = 50;
const SMALL: u64 = 10_000;
/// A claim that costs so much more in a longer queue has grown with it.
const GROWN: f64 = 1.5;

pub async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let many = bench.args.tasks;
    let small = SMALL.min(many);
    let shapes = [
        Shape {
            waiting: small,
            behind_one_key: 0,
            finished: 0,
        },
        Shape {
            waiting: many,
            behind_one_key: many / 10,
            finished: 0,
        },
        Shape {
            waiting: small,
            behind_one_key: 0,
            finished: many,
        },
    ];
    let mut queues = Vec::new();
    for shape in shapes {
        queues.push(Queue::open(bench, shape).await?);
    }
    bench.engine.settle().await?;
    let start = Instant::now();
    let mut round = 0;
    while round < FEWEST_ROUNDS || start.elapsed() < bench.args.seconds {
        for queue in &mut queues {
            queue.round(round).await?;
        }
        round += 1;
    }

    let mut rows = Vec::new();
    let mut floor = None;
    for queue in queues {
        let (shape, filled) = (queue.shape, queue.fill_rate);
        let (total, claim) = (Latencies::new(queue.totals), Latencies::new(queue.claims));
        let row = Row::new(format!("claim {AT_ONCE}, {shape}"), total.median(), "ms").note([format!(
            "claim {} ms, giving back {} ms (medians of {round}); p99 of both {} ms; filled at {} /s",
            show(claim.median()),
            show(total.median() - claim.median()),
            show(total.percentile(99)),
            show(filled),
        )]);
        rows.push(match floor {
            None => {
                floor = Some(Floor::new("small queue", total.median()));
                row
            }
            Some(floor) => row.against(floor).goal(Goal::RatioBelow(GROWN)),
        });
        drop(queue.store);
        bench.engine.remove(queue.fresh).await?;
    }
    Ok(rows)
}

struct Queue {
    shape: Shape,
    fresh: Fresh,
    store: Arc<SeaStore>,
    filler: Filler,
    /// Tasks a second while it was filled.
    fill_rate: f64,
    /// In microseconds.
    claims: Vec<u32>,
    totals: Vec<u32>,
}

impl Queue {
    async fn open(bench: &Bench, shape: Shape) -> Result<Self> {
        let fresh = bench.engine.fresh().await?;
        let options = caretrack_adapters_seaorm::SeaOptions {
            disk_reserve: 0,
            ..caretrack_adapters_seaorm::SeaOptions::default()
        };
        let store = SeaStore::open(&fresh.url, options).await?;
        let filler = Filler::new()?;
        let start = Instant::now();
        filler.fill(&store, shape).await?;
        let fill_rate = float(shape.waiting + shape.finished) / start.elapsed().as_secs_f64();
        println!(
            "  {} filled with {shape}: {} tasks/s",
            bench.engine.kind.name(),
            show(fill_rate)
        );
        Ok(Self {
            shape,
            fresh,
            store,
            filler,
            fill_rate,
            claims: Vec::new(),
            totals: Vec::new(),
        })
    }

    async fn round(&mut self, round: usize) -> Result<()> {
        let now = self.filler.later();
        let token = LeaseToken(self.filler.id());
        let claim = Claim {
            kinds: [(TaskKind::RegistryWrite, usize::MAX)].into(),
            limit: AT_ONCE,
            now,
            lease: Lease {
                token,
                worker: WorkerId(self.filler.id()),
                until: now + Duration::seconds(30),
            },
        };
        let start = Instant::now();
        let claimed = self.store.claim(claim).await?;
        let claiming = start.elapsed();
        ensure!(
            claimed.tasks.len() == AT_ONCE,
            "{} tasks were claimed",
            claimed.tasks.len()
        );
        let mut changes = Changes::by(self.filler.author(), Admission::Continuing);
        for claimed in claimed.tasks {
            changes.record_task(claimed.task.apply(TaskCommand::GiveBack { token }, now)?);
        }
        self.store.commit(changes).await?;
        let total = start.elapsed();
        // The first rounds find nothing prepared.
        if round >= FEWEST_ROUNDS / 10 {
            self.claims.push(micros(claiming));
            self.totals.push(micros(total));
        }
        Ok(())
    }
}
