//! Many connections, each doing one thing after another, and what came of it.

use crate::client::{Answer, Connection};
use crate::numbers::{Latencies, micros, per_second};
use anyhow::{Context, Result};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep};

/// What one connection does, time and again.
pub trait Client {
    async fn once(&mut self, connection: &mut Connection) -> Result<(), Failed>;
}

/// Something that did not go as it should.
#[derive(Debug)]
pub struct Failed {
    /// What failures are counted by.
    pub what: String,
    pub example: String,
    /// Whether the connection is of no use any more.
    pub lost: bool,
}

impl Failed {
    pub fn answer(answer: &Answer<'_>) -> Self {
        Self {
            what: format!("status {}", answer.status),
            example: answer.excerpt(),
            lost: false,
        }
    }

    pub fn because(what: &str, example: &str) -> Self {
        Self {
            what: what.to_owned(),
            example: example.to_owned(),
            lost: false,
        }
    }
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Self {
            what: "no answer".to_owned(),
            example: format!("{error:#}"),
            lost: true,
        }
    }
}

/// When it is over.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// After so long; what was done in the first tenth of it does not count.
    Time(Duration),
    /// When so much was tried.
    Count(u64),
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Load {
    pub done: u64,
    pub time: Duration,
    pub latencies: Latencies,
    /// How many, and the first one's example.
    pub failures: BTreeMap<String, (u64, String)>,
}

impl Load {
    pub fn rate(&self) -> f64 {
        per_second(self.done, self.time)
    }

    pub fn failed(&self) -> u64 {
        self.failures.values().map(|(count, _)| count).sum()
    }

    pub fn notes(&self) -> Vec<String> {
        let note =
            |(what, (count, example)): (&String, &(u64, String))| format!("{count} × {what}: {example}");
        self.failures.iter().map(note).collect()
    }

    /// Takes over the other's failures.
    pub fn absorb_failures(&mut self, other: Self) {
        for (what, (count, example)) in other.failures {
            self.failures.entry(what).or_insert((0, example)).0 += count;
        }
    }
}

/// After a failure nothing is tried for so long: a server that is gone must not be stormed.
const PAUSE: Duration = Duration::from_millis(10);

struct Plan {
    address: SocketAddr,
    counted_from: Instant,
    until: Option<Instant>,
    left: Cell<u64>,
}

/// Lets `connections` clients loose on the server.
pub async fn run<C: Client + 'static>(
    address: SocketAddr,
    connections: usize,
    until: Until,
    make: impl Fn(usize) -> C,
) -> Result<Load> {
    // All are connected before the first one starts.
    let mut ready = Vec::with_capacity(connections);
    for n in 0..connections {
        let connection = Connection::open(address)
            .await
            .with_context(|| format!("connection {n} of {connections}"))?;
        ready.push((make(n), connection));
    }
    let start = Instant::now();
    let plan = Rc::new(match until {
        Until::Time(time) => Plan {
            address,
            counted_from: start + time / 10,
            until: Some(start + time / 10 + time),
            left: Cell::new(u64::MAX),
        },
        Until::Count(count) => Plan {
            address,
            counted_from: start,
            until: None,
            left: Cell::new(count),
        },
    });
    let local = LocalSet::new();
    let mut running = JoinSet::new();
    for (client, connection) in ready {
        running.spawn_local_on(drive(plan.clone(), client, connection), &local);
    }
    let results = local.run_until(running.join_all()).await;

    let mut load = Load {
        time: plan.until.unwrap_or_else(Instant::now) - plan.counted_from,
        ..Load::default()
    };
    let mut latencies = Vec::new();
    for result in results {
        latencies.extend(result.latencies);
        load.absorb_failures(Load {
            failures: result.failures,
            ..Load::default()
        });
    }
    load.done = u64::try_from(latencies.len()).unwrap_or(u64::MAX);
    load.latencies = Latencies::new(latencies);
    Ok(load)
}

#[derive(Default)]
struct Driven {
    latencies: Vec<u32>,
    failures: BTreeMap<String, (u64, String)>,
}

async fn drive(plan: Rc<Plan>, mut client: impl Client, mut connection: Connection) -> Driven {
    let mut driven = Driven::default();
    while plan.left.get() > 0 && plan.until.is_none_or(|until| Instant::now() < until) {
        plan.left.set(plan.left.get() - 1);
        let start = Instant::now();
        let result = client.once(&mut connection).await;
        let end = Instant::now();
        match result {
            Ok(()) if end >= plan.counted_from && plan.until.is_none_or(|until| end <= until) => {
                driven.latencies.push(micros(end - start));
            }
            Ok(()) => {}
            Err(failed) => {
                let lost = failed.lost;
                driven
                    .failures
                    .entry(failed.what)
                    .or_insert((0, failed.example))
                    .0 += 1;
                sleep(PAUSE).await;
                // If it cannot be opened again, the next request fails as well, and is counted.
                if lost && let Ok(opened) = Connection::open(plan.address).await {
                    connection = opened;
                }
            }
        }
    }
    driven
}
