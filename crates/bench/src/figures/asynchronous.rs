//! Writes that are accepted, carried out in the background, and looked after until they are seen done.

use super::clients::{Follower, Ids};
use crate::Bench;
use crate::floors::Floors;
use crate::load::{Until, run};
use crate::numbers::{float, show};
use crate::report::{Goal, Row};
use crate::server::Server;
use anyhow::Result;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

pub async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let before = Floors::measure(bench).await?;
    let fresh = bench.engine.fresh().await?;
    let server = Server::start(bench, &fresh, "all").await?;
    let (ids, looks) = (Ids::default(), Rc::new(Cell::new(0)));
    let every = Duration::from_millis(bench.args.poll);
    let follower = || Follower::new(&ids, every, &looks);
    super::clients::first(&server, follower()).await?;
    let connections = bench.args.connections;
    let until = Until::Time(bench.args.seconds);
    let load = run(server.address, connections, until, |_| follower()).await?;
    server.stop().await?;
    bench.engine.remove(fresh).await?;
    let floors = before.and(Floors::measure(bench).await?);

    let (failed, name) = (load.failed(), format!("async, {connections} connections"));
    let looks = float(looks.get()) / float(ids.get().max(1));
    Ok(vec![
        Row::new(name, load.rate(), "/s")
            .against(floors.f1())
            .goal(Goal::RatioAtLeast(1.0))
            .failed(failed)
            .note([format!(
                "{} looks a task, {} ms apart",
                show(looks),
                bench.args.poll
            )])
            .note(floors.note())
            .note(load.notes()),
        Row::new("async, sent to seen done, p50", load.latencies.median(), "ms").failed(failed),
        Row::new(
            "async, sent to seen done, p99",
            load.latencies.percentile(99),
            "ms",
        )
        .failed(failed),
    ])
}
