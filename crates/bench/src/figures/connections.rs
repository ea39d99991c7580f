//! A well-behaved client beside ten thousand connections that are slow or do nothing.

use super::clients::{Ids, Writer, first};
use crate::Bench;
use crate::load::{Load, Until, run};
use crate::report::{Floor, Goal, Row};
use crate::server::{Server, get, put};
use anyhow::{Context, Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

const CONNECTIONS: usize = 10_000;
/// Those of the client that is measured.
const WELL_BEHAVED: usize = 8;
/// How long what the connections took may take to be given back.
const LONGEST_RETURN: Duration = Duration::from_secs(30);
/// In MiB: what an allocator keeps for the next crowd.
const KEPT: f64 = 64.0;

pub async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    allow_open_files()?;
    let fresh = bench.engine.fresh().await?;
    let server = Server::start(bench, &fresh, "all").await?;
    let ids = Ids::default();
    first(&server, Writer::synchronous(&ids)).await?;
    let quiet = writes(bench, &server, &ids).await?;
    let before = server.memory()?.now;

    let mut others = Vec::with_capacity(CONNECTIONS);
    for n in 0..CONNECTIONS {
        others.push(
            misbehave(&server, n)
                .await
                .with_context(|| format!("connection {n}"))?,
        );
    }
    let during = server.memory()?.now;
    let mut beside = writes(bench, &server, &ids).await?;
    let still_there = others.iter().filter(|stream| is_open(stream)).count();
    drop(others);
    let after = returned(&server, before + KEPT).await?;
    server.stop().await?;
    bench.engine.remove(fresh).await?;

    let p99 = |load: &Load| load.latencies.percentile(99);
    let floor = Floor::new("the same, alone", p99(&quiet));
    let value = p99(&beside);
    beside.absorb_failures(quiet);
    Ok(vec![
        Row::new(
            format!("p99 of a write beside {CONNECTIONS} connections"),
            value,
            "ms",
        )
        .against(floor)
        .goal(Goal::RatioBelow(5.0))
        .failed(beside.failed())
        .note(beside.notes())
        .note([format!("{still_there} of them were still open at the end")]),
        Row::new(format!("memory with {CONNECTIONS} connections"), during, "MiB"),
        Row::new("memory when they are gone", after, "MiB")
            .against(Floor::new("before they came", before))
            .goal(Goal::ValueBelow(before + KEPT)),
    ])
}

async fn writes(bench: &Bench, server: &Server, ids: &Ids) -> Result<Load> {
    let until = Until::Time(bench.args.seconds / 2);
    run(server.address, WELL_BEHAVED, until, |_| Writer::synchronous(ids)).await
}

/// Half of them have had an answer and say nothing more, the others stop in the middle of a body.
async fn misbehave(server: &Server, n: usize) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(server.address).await?;
    if n.is_multiple_of(2) {
        stream.write_all(get("/health/live").as_bytes()).await?;
        let mut answer = [0; 1024];
        if stream.read(&mut answer).await? == 0 {
            bail!("the server does not answer");
        }
    } else {
        let request = put(false);
        stream.write_all(&request.as_bytes()[..request.len() / 2]).await?;
    }
    Ok(stream)
}

fn is_open(stream: &TcpStream) -> bool {
    let mut nothing = [0; 1];
    let read = stream.try_read(&mut nothing);
    read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

/// What the server has when it is below `wanted`, or when it has had time enough.
async fn returned(server: &Server, wanted: f64) -> Result<f64> {
    let start = Instant::now();
    loop {
        let now = server.memory()?.now;
        if now < wanted || start.elapsed() > LONGEST_RETURN {
            return Ok(now);
        }
        sleep(Duration::from_millis(200)).await;
    }
}

fn allow_open_files() -> Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    )?;
    let needed = u64::try_from(CONNECTIONS + 500)?;
    if maximum.is_some_and(|maximum| maximum < needed) {
        bail!("this needs {needed} open files, see `ulimit -Hn`");
    }
    Ok(())
}
