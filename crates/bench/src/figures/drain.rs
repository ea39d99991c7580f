//! How fast a backlog is worked off: stored while no worker runs, then the time of one server until none is left,
//! its start included.

use super::clients::{Ids, Writer};
use crate::Bench;
use crate::floors::Floors;
use crate::load::{Until, run};
use crate::numbers::{float, per_second};
use crate::report::{Goal, Row};
use crate::server::{Server, get};
use anyhow::{Result, bail};
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::time::sleep;

const GOAL: f64 = 15_000.0;
/// Without any task ended for so long, it is not going to end.
const STUCK: Duration = Duration::from_mins(1);

pub async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let before = Floors::measure(bench).await?;
    let fresh = bench.engine.fresh().await?;
    let server = Server::start(bench, &fresh, "api").await?;
    let ids = Ids::default();
    super::clients::first(&server, Writer::asynchronous(&ids)).await?;
    let until = Until::Count(bench.args.backlog);
    let connections = bench.args.connections;
    let load = run(server.address, connections, until, |_| Writer::asynchronous(&ids)).await?;
    let stored = Queue::of(&server).await?.unfinished;
    server.stop().await?;
    if stored < load.done {
        bail!("{} tasks were accepted, {stored} are stored", load.done);
    }
    bench.engine.settle().await?;

    let start = Instant::now();
    let server = Server::start(bench, &fresh, "all").await?;
    let ended = drain(&server, start, stored).await?;
    let time = start.elapsed();
    let ready_after = server.ready_after;
    server.stop().await?;
    bench.engine.remove(fresh).await?;
    let floors = before.and(Floors::measure(bench).await?);

    let drained = Row::new(
        format!("drain, backlog of {stored}"),
        per_second(stored, time),
        "/s",
    )
    .against(floors.f100())
    .failed(ended.failed)
    .note([format!(
        "{:.2} s, of them {:.2} s until ready",
        time.as_secs_f64(),
        ready_after.as_secs_f64()
    )])
    .note(floors.note());
    let drained = match bench.engine.kind {
        crate::args::EngineKind::Sqlite => drained.goal(Goal::ValueAtLeast(GOAL)),
        crate::args::EngineKind::Postgres => drained,
    };
    Ok(vec![
        Row::new("accepting only", load.rate(), "/s")
            .against(floors.f1())
            .failed(load.failed())
            .note(load.notes()),
        drained,
    ])
}

async fn drain(server: &Server, start: Instant, stored: u64) -> Result<Queue> {
    let mut least = stored;
    let mut moved = Instant::now();
    loop {
        let queue = Queue::of(server).await?;
        if queue.unfinished == 0 {
            return Ok(queue);
        }
        if queue.unfinished < least {
            least = queue.unfinished;
            moved = Instant::now();
        } else if moved.elapsed() > STUCK {
            bail!("{least} of {stored} tasks are left and none ends");
        }
        // Looking costs the server something: seldom at first, then often, to be there when it is over.
        let done = float(stored - least).max(1.0);
        let left = start.elapsed().mul_f64(float(least) / done / 2.0);
        sleep(left.clamp(Duration::from_millis(15), Duration::from_millis(500))).await;
    }
}

/// What `/ops/v1/queues` says of all kinds together.
struct Queue {
    unfinished: u64,
    failed: u64,
}

impl Queue {
    async fn of(server: &Server) -> Result<Self> {
        server
            .ask(&get("/ops/v1/queues"), |answer| {
                let queues: Value = serde_json::from_slice(answer.body)?;
                let waiting = ["queued", "running", "held", "retrying"];
                Ok(Self {
                    unfinished: waiting.iter().map(|name| sum(&queues, name)).sum(),
                    failed: sum(&queues, "failed") + sum(&queues, "failures"),
                })
            })
            .await
    }
}

/// All numbers of that name.
fn sum(value: &Value, name: &str) -> u64 {
    match value {
        Value::Array(items) => items.iter().map(|item| sum(item, name)).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(key, member)| {
                if key == name {
                    member.as_u64().unwrap_or(0)
                } else {
                    sum(member, name)
                }
            })
            .sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}
