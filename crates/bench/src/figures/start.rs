//! How long an idle server takes to start on a task: one at a time, with a pause before each.
//!
//! Acceptance and ending are read from the store afterwards, to the microsecond; the API shows milliseconds. What
//! is shown is until the worker has decided, which is after the claim is on disk and the work was begun: the start
//! that the store notes is the moment of the claim, and would flatter.

use super::clients::{Follower, Ids};
use crate::Bench;
use crate::client::Connection;
use crate::floors::Floors;
use crate::load::Failed;
use crate::numbers::{Latencies, micros};
use crate::report::{Goal, Row};
use crate::server::Server;
use anyhow::{Context, Result};
use caretrack_adapters_seaorm::{SeaOptions, SeaStore};
use caretrack_domain::{Key, TaskId};
use caretrack_ports::{TaskRepository, WorkspaceRepository};
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::time::sleep;
use uuid::Uuid;

const WARM_UP: u64 = 20;
const PAUSE: Duration = Duration::from_millis(25);
const LOOK: Duration = Duration::from_millis(1);

pub async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let floors = Floors::measure(bench).await?;
    let fresh = bench.engine.fresh().await?;
    let server = Server::start(bench, &fresh, "all").await?;
    let mut follower = Follower::new(&Ids::default(), LOOK, &Rc::new(Cell::new(0)));
    let mut connection = Connection::open(server.address).await?;
    let (mut tasks, mut seen_done, mut failures) = (Vec::new(), Vec::new(), Vec::<Failed>::new());
    for n in 0..WARM_UP + bench.args.samples {
        sleep(PAUSE).await;
        let start = Instant::now();
        match follower.follow(&mut connection).await {
            Ok(task) if n >= WARM_UP => {
                seen_done.push(micros(start.elapsed()));
                tasks.push(task);
            }
            Ok(_) => {}
            Err(failed) => {
                if failed.lost {
                    connection = Connection::open(server.address).await?;
                }
                failures.push(failed);
            }
        }
    }
    server.stop().await?;
    let started = Latencies::new(started(&fresh.url, &tasks).await?);
    bench.engine.remove(fresh).await?;

    let failed = u64::try_from(failures.len()).unwrap_or(u64::MAX);
    let example = failures
        .pop()
        .map(|failed| format!("{}: {}", failed.what, failed.example));
    let seen_done = Latencies::new(seen_done);
    let commit = format!("one bare commit takes {:.2} ms", 1_000.0 / floors.one);
    Ok(vec![
        Row::new("idle: accepted to under way, p50", started.median(), "ms")
            .goal(Goal::ValueBelow(2.0))
            .failed(failed)
            .note([commit])
            .note(example),
        Row::new("idle: accepted to under way, p99", started.percentile(99), "ms")
            .goal(Goal::ValueBelow(10.0))
            .failed(failed),
        Row::new("idle: sent to seen done, p50", seen_done.median(), "ms"),
        Row::new("idle: sent to seen done, p99", seen_done.percentile(99), "ms"),
    ])
}

/// From acceptance until the work was under way and decided, in microseconds, of each task.
async fn started(url: &str, tasks: &[String]) -> Result<Vec<u32>> {
    let options = SeaOptions {
        disk_reserve: 0,
        ..SeaOptions::default()
    };
    let store = SeaStore::open(url, options).await?;
    let workspace = store.find_workspace_by_key(&Key::parse("default")?).await?;
    let workspace = workspace.context("no workspace `default`")?.id;
    let mut micros = Vec::with_capacity(tasks.len());
    for name in tasks {
        let id = name.strip_prefix("s_").unwrap_or(name);
        let task = store.find_task(workspace, TaskId(Uuid::parse_str(id)?)).await?;
        let task = task.with_context(|| format!("{name} is not in the store"))?;
        let finished_at = task
            .finished_at()
            .with_context(|| format!("{name} has not ended"))?;
        let waited = (finished_at - task.facts().accepted_at).whole_microseconds();
        // An end before its acceptance would be a fault of the server's clock: shown as none at all.
        micros.push(u32::try_from(waited).unwrap_or(0));
    }
    Ok(micros)
}
