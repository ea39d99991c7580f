//! What a change of status and a page of the list cost, with few registered patients and with many.
//!
//! One connection, one request at a time, and the two stores take turns, so that whatever else happens on the machine
//! happens to both.

use super::dialect::{Dialect, ask, change, register};
use crate::Bench;
use crate::client::Connection;
use crate::database::Fresh;
use crate::numbers::{Latencies, float, micros, show};
use crate::report::{Floor, Goal, Row};
use crate::server::Server;
use anyhow::{Result, anyhow};
use std::rc::Rc;
use std::time::Instant;

const FEW: u64 = 1_000;
/// Patients whose status is changed time and again.
const SAMPLE: usize = 500;
const FEWEST_ROUNDS: usize = 40;
const CHANGES: usize = 20;
const PAGES: usize = 5;
const GROWN: f64 = 1.5;

pub async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let dialect = Dialect::new()?;
    let few = FEW.min(bench.args.patients);
    let mut stores = Vec::new();
    for patients in [few, bench.args.patients] {
        stores.push(Store::filled(bench, &dialect, patients).await?);
    }
    bench.engine.settle().await?;
    for store in &mut stores {
        // What was opened before the other store was filled has been idle for too long.
        store.connection = Connection::open(store.server.address).await?;
    }
    let start = Instant::now();
    let mut round = 0;
    while round < FEWEST_ROUNDS || start.elapsed() < bench.args.seconds {
        for store in &mut stores {
            store.round(&dialect, round).await?;
        }
        round += 1;
    }
    let mut rows = Vec::new();
    let mut floors: Vec<Floor> = Vec::new();
    for (index, store) in stores.into_iter().enumerate() {
        for (n, (what, micros)) in store.costs.into_iter().enumerate() {
            let cost = Latencies::new(micros);
            let name = format!("{what}, {} patients", show(float(store.patients)));
            let row = Row::new(name, cost.median(), "ms").note([format!(
                "median of {}; p99 {} ms; registered at {} /s",
                cost.count(),
                show(cost.percentile(99)),
                show(store.rate)
            )]);
            if index == 0 {
                floors.push(Floor::new("few patients", cost.median()));
                rows.push(row);
            } else {
                rows.push(row.against(floors[n]).goal(Goal::RatioBelow(GROWN)));
            }
        }
        store.server.stop().await?;
        bench.engine.remove(store.fresh).await?;
    }
    Ok(rows)
}

struct Store {
    patients: u64,
    sample: Vec<u64>,
    fresh: Fresh,
    server: Server,
    connection: Connection,
    /// Patients a second while they were registered.
    rate: f64,
    /// In microseconds.
    costs: [(&'static str, Vec<u32>); 3],
}

const STATUSES: [&str; 2] = ["SUS", "ACT"];

impl Store {
    async fn filled(bench: &Bench, dialect: &Rc<Dialect>, count: u64) -> Result<Self> {
        let fresh = bench.engine.fresh().await?;
        let server = Server::start(bench, &fresh, "all").await?;
        let connections = bench.args.connections;
        let (patients, load) = register(&server, dialect, connections, count, false).await?;
        println!(
            "  {} patients registered, {} /s",
            show(float(count)),
            show(load.rate())
        );
        // Spread over all of them.
        let every = (patients.borrow().len() / SAMPLE).max(1);
        patients.replace_with(|all| all.iter().copied().step_by(every).take(SAMPLE).collect());
        let sampled = u64::try_from(patients.borrow().len())?;
        for to in ["STP", "ACT"] {
            change(&server, dialect, 8, (&patients, sampled), to).await?;
        }
        let connection = Connection::open(server.address).await?;
        Ok(Self {
            patients: count,
            sample: patients.take(),
            fresh,
            server,
            connection,
            rate: load.rate(),
            costs: ["change of status", "page of the list", "page of one status"]
                .map(|what| (what, Vec::new())),
        })
    }

    async fn round(&mut self, dialect: &Rc<Dialect>, round: usize) -> Result<()> {
        let mut requests = Vec::new();
        for n in 0..CHANGES {
            let at = round * CHANGES + n;
            // Every time through the sample it is the other one.
            let to = STATUSES[at / self.sample.len() % STATUSES.len()];
            requests.push((0, dialect.change(self.sample[at % self.sample.len()], to)));
        }
        for _ in 0..PAGES {
            requests.push((1, dialect.get("/patients/list?limit=100")));
            requests.push((2, dialect.get("/patients/list?limit=100&status=NEW")));
        }
        for (cost, request) in requests {
            let start = Instant::now();
            let asked = ask(&mut self.connection, &request).await.map(drop);
            let took = micros(start.elapsed());
            asked.map_err(|failed| anyhow!("{}: {}", failed.what, failed.example))?;
            // The first rounds find nothing prepared.
            if round >= FEWEST_ROUNDS / 10 {
                self.costs[cost].1.push(took);
            }
        }
        Ok(())
    }
}
