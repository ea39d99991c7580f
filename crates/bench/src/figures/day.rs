//! A day on which the searches of many patients are refreshed, by the manual clock.
//!
//! First quiet, with the patients there and none of them in ACT; then beside the refreshes, while the clock is pushed on
//! so that they come faster than in life; then hour by hour to the end of a day, to see how evenly they are spread.

use super::dialect::{Dialect, Patients, ask, change, register};
use crate::Bench;
use crate::client::Connection;
use crate::load::{Client, Failed, Load, Until, run};
use crate::numbers::{float, show};
use crate::report::{Floor, Goal, Row};
use crate::server::{Server, get, post};
use anyhow::{Context, Result, bail};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval, sleep};

const CONNECTIONS: usize = 8;
/// Patients that the load of the figure is about, beside those in ACT.
const SAMPLE: u64 = 800;
/// So much faster than in life does the day pass beside the load.
const FASTER: u64 = 10;
const HOURS: usize = 24;
/// An hour's refreshes that take longer have failed.
const LONGEST_HOUR: Duration = Duration::from_mins(10);
const KIND: &str = "search.refresh.daily";

pub async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let dialect = Dialect::new()?;
    let fresh = bench.engine.fresh().await?;
    let server = Server::start_with(bench, &fresh, "all", &["clock.mode=manual"]).await?;
    let connections = bench.args.connections;
    let (sample, _) = register(&server, &dialect, connections, SAMPLE, true).await?;
    let active = bench.args.active;
    let (patients, filled) = register(&server, &dialect, connections, active, true).await?;
    println!(
        "  {} patients with a search, {} /s",
        show(float(active)),
        show(filled.rate())
    );
    until_idle(&server).await?;
    bench.engine.settle().await?;
    let mut quiet = mixed(bench, &server, &dialect, &sample).await?;

    change(&server, &dialect, connections, (&patients, active), "ACT").await?;
    bench.engine.settle().await?;
    let before = refreshed(&server).await?;
    let mut beside = tokio::select! {
        load = mixed(bench, &server, &dialect, &sample) => load?,
        pushed = push(&server) => return pushed.and_then(|()| bail!("the clock stands still")),
    };
    let during = refreshed(&server).await? - before;

    let hours = hour_by_hour(&server).await?;
    server.stop().await?;
    bench.engine.remove(fresh).await?;

    let floor = Floor::new("quiet", quiet.latencies.percentile(99));
    let (p99, time) = (beside.latencies.percentile(99), beside.time);
    beside.absorb_failures(std::mem::take(&mut quiet));
    let total: u64 = hours.iter().sum();
    let most = hours.iter().copied().max().unwrap_or(0);
    let mean = float(total) / float(u64::try_from(HOURS)?);
    // Five times what chance alone would bring.
    let even = 1.0 + 5.0 / mean.sqrt().max(1.0);
    Ok(vec![
        Row::new(
            format!(
                "p99 beside the refreshes of {} patients, {FASTER} x life",
                show(float(active))
            ),
            p99,
            "ms",
        )
        .against(floor)
        .goal(Goal::RatioBelow(2.0))
        .failed(beside.failed())
        .note([format!(
            "{} refreshes a second meanwhile",
            show(float(during) / time.as_secs_f64())
        )])
        .note(beside.notes()),
        Row::new("the hour with most refreshes", float(most), "")
            .against(Floor::new("mean hour", mean))
            .goal(Goal::RatioBelow(even))
            .failed(active.saturating_sub(total))
            .note([format!(
                "{} of {} were refreshed in {HOURS} hours",
                show(float(total)),
                show(float(active))
            )]),
    ])
}

/// What clients do all day: look at a patient, at a page of the list, change a status.
struct Mixed {
    dialect: Rc<Dialect>,
    patients: Vec<u64>,
    turn: usize,
}

impl Client for Mixed {
    async fn once(&mut self, connection: &mut Connection) -> Result<(), Failed> {
        self.turn += 1;
        let patient = self.patients[self.turn / 3 % self.patients.len()];
        let to = ["SUS", "ACT"][self.turn / 3 / self.patients.len() % 2];
        let request = match self.turn % 3 {
            0 => self.dialect.get(&format!("/patients/{patient}")),
            1 => self.dialect.get("/patients/list?limit=20"),
            _ => self.dialect.change(patient, to),
        };
        ask(connection, &request).await.map(drop)
    }
}

async fn mixed(bench: &Bench, server: &Server, dialect: &Rc<Dialect>, sample: &Patients) -> Result<Load> {
    let make = |n| Mixed {
        dialect: dialect.clone(),
        patients: sample
            .borrow()
            .iter()
            .copied()
            .skip(n)
            .step_by(CONNECTIONS)
            .collect(),
        turn: 0,
    };
    run(server.address, CONNECTIONS, Until::Time(bench.args.seconds), make).await
}

async fn advance(server: &Server, seconds: u64) -> Result<()> {
    let body = format!(r#"{{"advance":"PT{seconds}S"}}"#);
    server.ask(&post("/ops/v1/clock", &body), |_| Ok(())).await
}

/// Ever on; ends with an error only.
async fn push(server: &Server) -> Result<()> {
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        seconds.tick().await;
        advance(server, FASTER - 1).await?;
    }
}

/// How many were refreshed in each hour of a day.
async fn hour_by_hour(server: &Server) -> Result<Vec<u64>> {
    let mut hours = Vec::new();
    // To begin with nothing waits.
    until_idle(server).await?;
    let mut before = refreshed(server).await?;
    for _ in 0..HOURS {
        advance(server, 3_600).await?;
        until_idle(server).await?;
        let after = refreshed(server).await?;
        hours.push(after - before);
        before = after;
    }
    Ok(hours)
}

/// Until no task has ended for a while.
async fn until_idle(server: &Server) -> Result<()> {
    let start = Instant::now();
    let mut last = ended(server, "").await?;
    let mut still = 0;
    while still < 4 {
        sleep(Duration::from_millis(500)).await;
        let now = ended(server, "").await?;
        still = if now == last { still + 1 } else { 0 };
        last = now;
        if start.elapsed() > LONGEST_HOUR {
            bail!("tasks go on ending, {last} so far");
        }
    }
    Ok(())
}

async fn refreshed(server: &Server) -> Result<u64> {
    ended(server, KIND).await
}

/// Tasks that have succeeded since the start, of that kind or of all.
async fn ended(server: &Server, kind: &str) -> Result<u64> {
    server
        .ask(&get("/metrics"), |answer| {
            let text = std::str::from_utf8(answer.body)?;
            let wanted = |line: &&str| {
                line.starts_with("caretrack_tasks_ended_total{")
                    && line.contains("succeeded")
                    && (kind.is_empty() || line.contains(&format!("\"{kind}\"")))
            };
            let mut total = 0;
            for line in text.lines().filter(wanted) {
                let number = line.rsplit(' ').next().context("a number")?;
                total += number.parse::<u64>()?;
            }
            Ok(total)
        })
        .await
}
