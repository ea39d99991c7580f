//! Memory and start of the server, on an empty store and on a full one.
//!
//! The store's files are in the system's cache when the server starts again: what is cold is the process.

use super::clients::{Ids, Writer};
use crate::Bench;
use crate::database::Fresh;
use crate::load::{Until, run};
use crate::numbers::{Latencies, float, micros, show};
use crate::report::{Goal, Row};
use crate::server::Server;
use anyhow::Result;
use std::time::Duration;
use tokio::time::sleep;

const STARTS: usize = 5;
/// Until what a start or a load needed is given back, if it is.
const SETTLE: Duration = Duration::from_secs(3);
const START_GOAL: f64 = 300.0;

pub async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let mut starts = Vec::new();
    for _ in 1..STARTS {
        let fresh = bench.engine.fresh().await?;
        let server = Server::start(bench, &fresh, "all").await?;
        starts.push(micros(server.ready_after));
        server.stop().await?;
        bench.engine.remove(fresh).await?;
    }
    let fresh = bench.engine.fresh().await?;
    let server = Server::start(bench, &fresh, "all").await?;
    starts.push(micros(server.ready_after));
    sleep(SETTLE).await;
    let idle = server.memory()?;

    let ids = Ids::default();
    super::clients::first(&server, Writer::synchronous(&ids)).await?;
    let until = Until::Count(bench.args.tasks);
    let writer = |_| Writer::synchronous(&ids);
    let load = run(server.address, bench.args.connections, until, writer).await?;
    sleep(SETTLE).await;
    let full = server.memory()?;
    server.stop().await?;
    let restarted = restart(bench, &fresh).await?;
    bench.engine.remove(fresh).await?;

    let tasks = show(float(load.done));
    Ok(vec![
        Row::new("memory, empty store", idle.now, "MiB").goal(Goal::ValueBelow(40.0)),
        Row::new(format!("memory, {tasks} tasks"), full.now, "MiB")
            .goal(Goal::ValueBelow(150.0))
            .failed(load.failed())
            .note([format!(
                "{} MiB at most while they were written, at {} /s; {} MiB after a restart",
                show(full.peak),
                show(load.rate()),
                show(restarted.memory)
            )])
            .note(load.notes()),
        Row::new("start, empty store", Latencies::new(starts).median(), "ms")
            .goal(Goal::ValueBelow(START_GOAL))
            .note([format!("median of {STARTS}, the schema made in each")]),
        Row::new(format!("start, {tasks} tasks"), restarted.median, "ms").goal(Goal::ValueBelow(START_GOAL)),
    ])
}

struct Restarted {
    median: f64,
    memory: f64,
}

async fn restart(bench: &Bench, fresh: &Fresh) -> Result<Restarted> {
    let mut starts = Vec::new();
    loop {
        let server = Server::start(bench, fresh, "all").await?;
        starts.push(micros(server.ready_after));
        if starts.len() < STARTS {
            server.stop().await?;
            continue;
        }
        sleep(SETTLE).await;
        let memory = server.memory()?.now;
        server.stop().await?;
        return Ok(Restarted {
            median: Latencies::new(starts).median(),
            memory,
        });
    }
}
