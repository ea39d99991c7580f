//! What the disk and the engine can do at all: the rows a bare loop gets written, durably.

use crate::Bench;
use crate::database::connect;
use crate::numbers::{float, show};
use crate::report::Floor;
use anyhow::Result;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement, Value};
use std::time::{Duration, Instant};

/// About what a resource has.
const ROW: usize = 1_000;
/// A floor that moved further than this between two readings says little.
const STEADY: f64 = 1.5;

/// Rows a second of one connection that does nothing else.
#[derive(Debug, Clone, Copy)]
pub struct Floors {
    /// One row a transaction: the commits a second.
    pub one: f64,
    /// A hundred rows a transaction, in one statement.
    pub hundred: f64,
    spread: f64,
}

impl Floors {
    pub async fn measure(bench: &Bench) -> Result<Self> {
        let fresh = bench.engine.fresh().await?;
        let db = connect(&fresh.url).await?;
        db.execute_unprepared("CREATE TABLE floor (id BIGINT NOT NULL PRIMARY KEY, data TEXT NOT NULL)")
            .await?;
        let mut next = 0;
        let one = rate(&db, 1, &mut next, bench.args.floor_seconds).await?;
        let hundred = rate(&db, 100, &mut next, bench.args.floor_seconds / 3).await?;
        db.close().await?;
        bench.engine.remove(fresh).await?;
        Ok(Self {
            one,
            hundred,
            spread: 1.0,
        })
    }

    /// This reading from before a figure and that one from after it, as one.
    pub fn and(self, after: Self) -> Self {
        let (low, high) = (self.one.min(after.one), self.one.max(after.one));
        Self {
            one: f64::midpoint(self.one, after.one),
            hundred: f64::midpoint(self.hundred, after.hundred),
            spread: self.spread.max(high / low),
        }
    }

    pub fn f1(&self) -> Floor {
        Floor::new("F1", self.one)
    }

    pub fn f100(&self) -> Floor {
        Floor::new("F100", self.hundred)
    }

    /// Says if the floor moved while the figure was measured.
    pub fn note(&self) -> Option<String> {
        (self.spread > STEADY).then(|| format!("F1 moved by a factor of {}", show(self.spread)))
    }
}

async fn rate(db: &DatabaseConnection, rows: u64, next: &mut i64, time: Duration) -> Result<f64> {
    let backend = db.get_database_backend();
    let data = "x".repeat(ROW);
    let tuples: Vec<String> = (0..rows)
        .map(|n| {
            if backend == DbBackend::Postgres {
                format!("(${}, ${})", 2 * n + 1, 2 * n + 2)
            } else {
                "(?, ?)".to_owned()
            }
        })
        .collect();
    let sql = format!("INSERT INTO floor (id, data) VALUES {}", tuples.join(", "));
    // A statement of its own is a transaction of its own.
    let mut insert = async || -> Result<()> {
        let mut values: Vec<Value> = Vec::with_capacity(tuples.len() * 2);
        for _ in 0..rows {
            *next += 1;
            values.extend([Value::from(*next), data.as_str().into()]);
        }
        let statement = Statement::from_sql_and_values(backend, sql.as_str(), values);
        db.execute_raw(statement).await?;
        Ok(())
    };
    let warm = Instant::now();
    while warm.elapsed() < time / 10 {
        insert().await?;
    }
    let start = Instant::now();
    let mut written = 0;
    while start.elapsed() < time {
        insert().await?;
        written += rows;
    }
    Ok(float(written) / start.elapsed().as_secs_f64())
}
