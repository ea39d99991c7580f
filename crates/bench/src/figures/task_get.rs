//! Looking at a task, against an answer of the same server that costs next to nothing.

use super::clients::{Ids, Reader, Writer, task_path};
use crate::Bench;
use crate::load::{Load, Until, run};
use crate::report::{Floor, Goal, Row};
use crate::server::{Server, get};
use anyhow::Result;
use std::cell::RefCell;
use std::rc::Rc;

/// Tasks that are looked at in turn.
const TASKS: u64 = 1_000;

pub async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let fresh = bench.engine.fresh().await?;
    let server = Server::start(bench, &fresh, "all").await?;
    let (ids, tasks) = (Ids::default(), Rc::new(RefCell::new(Vec::new())));
    super::clients::first(&server, Writer::synchronous(&ids)).await?;
    let writer = |_| Writer::synchronous(&ids).keeping(&tasks);
    let written = run(server.address, bench.args.readers, Until::Count(TASKS), writer).await?;

    let live: Rc<[String]> = Rc::new([get("/health/live")]);
    let looks: Rc<[String]> = tasks.borrow().iter().map(|task| get(&task_path(task))).collect();
    let before = read(bench, &server, &live).await?;
    let mut load = read(bench, &server, &looks).await?;
    let after = read(bench, &server, &live).await?;
    server.stop().await?;
    bench.engine.remove(fresh).await?;

    let floor = Floor::new("GET /health/live", f64::midpoint(before.rate(), after.rate()));
    for other in [written, before, after] {
        load.absorb_failures(other);
    }
    let name = format!("GET of a task, {} connections", bench.args.readers);
    Ok(vec![
        Row::new(name, load.rate(), "/s")
            .against(floor)
            .goal(Goal::RatioAtLeast(0.5))
            .failed(load.failed())
            .note(load.notes()),
        Row::new("GET of a task, p99", load.latencies.percentile(99), "ms"),
    ])
}

async fn read(bench: &Bench, server: &Server, requests: &Rc<[String]>) -> Result<Load> {
    let until = Until::Time(bench.args.seconds / 2);
    run(server.address, bench.args.readers, until, |n| {
        Reader::new(requests, n)
    })
    .await
}
