//! Writes that are done, and on disk, when they are answered.

use super::clients::{Ids, Writer};
use crate::Bench;
use crate::floors::Floors;
use crate::load::{Until, run};
use crate::report::{Goal, Row};
use crate::server::Server;
use anyhow::Result;

pub async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let before = Floors::measure(bench).await?;
    let fresh = bench.engine.fresh().await?;
    let server = Server::start(bench, &fresh, "all").await?;
    let ids = Ids::default();
    super::clients::first(&server, Writer::synchronous(&ids)).await?;
    let connections = bench.args.connections;
    let until = Until::Time(bench.args.seconds);
    let load = run(server.address, connections, until, |_| Writer::synchronous(&ids)).await?;
    server.stop().await?;
    bench.engine.remove(fresh).await?;
    let floors = before.and(Floors::measure(bench).await?);

    let (failed, name) = (load.failed(), format!("writes, {connections} connections"));
    Ok(vec![
        Row::new(name, load.rate(), "/s")
            .against(floors.f1())
            .goal(Goal::RatioAtLeast(1.5))
            .failed(failed)
            .note(floors.note())
            .note(load.notes()),
        Row::new("writes, p50", load.latencies.median(), "ms").failed(failed),
        Row::new("writes, p99", load.latencies.percentile(99), "ms")
            .goal(Goal::ValueBelow(25.0))
            .failed(failed),
    ])
}
