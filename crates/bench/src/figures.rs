//! What is measured.

mod asynchronous;
mod claims;
mod clients;
mod connections;
mod day;
mod dialect;
mod drain;
mod patients;
mod size;
mod start;
mod task_get;
mod writes;

use crate::Bench;
use crate::floors::Floors;
use crate::report::Row;
use anyhow::Result;
use clap::ValueEnum;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Figure {
    /// What a bare loop writes: the measure of the others
    Floors,
    /// Writes a second that are done when they are answered, and how long each takes
    Writes,
    /// Asynchronous writes a second that are seen done
    Async,
    /// How long the idle server takes to start on a task
    Start,
    /// How fast a backlog is worked off
    Drain,
    /// Looking at a task, against an answer that costs nothing
    TaskGet,
    /// Memory, and the time to get ready, of an empty and of a full store
    Size,
    /// A well-behaved client beside ten thousand slow or idle connections
    Connections,
    /// What a claim costs in a small, a long and an old queue
    Claims,
    /// A change of status and a page of the list, with few patients and with many
    Patients,
    /// A day on which the searches of many patients are refreshed
    Day,
}

impl Figure {
    pub async fn measure(self, bench: &Bench) -> Result<Vec<Row>> {
        match self {
            Self::Floors => {
                let floors = Floors::measure(bench).await?;
                Ok(vec![
                    Row::new("F1: 1 row a transaction", floors.one, "/s"),
                    Row::new("F100: 100 rows a transaction", floors.hundred, "/s"),
                ])
            }
            Self::Writes => writes::measure(bench).await,
            Self::Async => asynchronous::measure(bench).await,
            Self::Start => start::measure(bench).await,
            Self::Drain => drain::measure(bench).await,
            Self::TaskGet => task_get::measure(bench).await,
            Self::Size => size::measure(bench).await,
            Self::Connections => connections::measure(bench).await,
            Self::Claims => claims::measure(bench).await,
            Self::Patients => patients::measure(bench).await,
            Self::Day => day::measure(bench).await,
        }
    }
}
