//! Who else uses the machine: a figure measured beside somebody's build means nothing.

use crate::numbers::float;
use anyhow::{Context, Result};
use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::time::Duration;
use tokio::time::sleep;

/// Others may have this share of the processors, in percent.
const QUIET: f64 = 10.0;
const LOOK: Duration = Duration::from_secs(2);

/// What others took of the processors, in percent of all of them.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct Others {
    pub before: f64,
    pub during: f64,
    pub after: f64,
    /// What this program took itself meanwhile: the load's own cost.
    pub load: f64,
}

/// What was taken of the processors, in percent of all of them.
#[derive(Debug, Clone, Copy)]
pub struct Shares {
    pub others: f64,
    pub load: f64,
}

impl Others {
    pub fn were_quiet(self) -> bool {
        is_quiet(self.before) && is_quiet(self.during)
    }
}

impl fmt::Display for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let yes = if is_quiet(self.before) { "yes" } else { "no" };
        write!(
            f,
            "idle before: {yes} ({:.0} % busy), others during: {:.0} %, after: {:.0} %; the load itself took {:.0} %",
            self.before, self.during, self.after, self.load
        )
    }
}

pub fn is_quiet(share: f64) -> bool {
    share < QUIET
}

/// Looks for two seconds at what others take.
pub async fn look(ours: &Ours) -> Result<f64> {
    let watch = Watch::start(ours)?;
    sleep(LOOK).await;
    Ok(watch.finish(ours)?.others)
}

/// The processes that belong to the measurement: this one, the servers it starts, the database's.
#[derive(Debug, Clone)]
pub struct Ours {
    roots: HashSet<u32>,
}

impl Ours {
    pub fn new() -> Self {
        Self {
            roots: HashSet::from([std::process::id()]),
        }
    }

    /// Adds the database server that has this backend, if it is on this machine.
    pub fn add_postgres(&mut self, backend: u32) {
        let server = read_process(backend).filter(|process| process.name.starts_with("postgres"));
        if let Some(process) = server {
            self.roots.insert(process.parent);
        }
    }
}

/// A reading of the clocks, in the kernel's ticks.
pub struct Watch {
    all: u64,
    others: u64,
    load: u64,
}

impl Watch {
    pub fn start(ours: &Ours) -> Result<Self> {
        let (all, busy) = processors()?;
        let this = read_process(std::process::id());
        Ok(Self {
            all,
            others: busy.saturating_sub(ours_and_the_kernels(ours)?),
            load: this.map_or(0, |process| process.own_ticks),
        })
    }

    /// The shares since the start.
    pub fn finish(self, ours: &Ours) -> Result<Shares> {
        let now = Self::start(ours)?;
        let all = float(now.all.saturating_sub(self.all).max(1));
        let share = |before, now: u64| float(now.saturating_sub(before)) * 100.0 / all;
        Ok(Shares {
            others: share(self.others, now.others),
            load: share(self.load, now.load),
        })
    }
}

/// All ticks there were, and those in which a program ran (or another machine on the same host).
fn processors() -> Result<(u64, u64)> {
    let stat = fs::read_to_string("/proc/stat").context("/proc/stat")?;
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line
        .split_ascii_whitespace()
        .skip(1)
        .filter_map(|number| number.parse().ok())
        .collect();
    let [user, nice, system, idle, wait, hard, soft, steal, ..] = ticks[..] else {
        anyhow::bail!("/proc/stat has another form");
    };
    let busy = user + nice + system + steal;
    Ok((busy + idle + wait + hard + soft, busy))
}

struct Process {
    id: u32,
    parent: u32,
    name: String,
    of_kernel: bool,
    own_ticks: u64,
    /// Its own, and those of the children it has waited for.
    ticks: u64,
}

fn read_process(id: u32) -> Option<Process> {
    const OF_KERNEL: u64 = 0x0020_0000;
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name may hold anything, brackets too.
    let (head, rest) = stat.rsplit_once(')')?;
    let name = head.split_once('(')?.1.to_owned();
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |at: usize| -> Option<u64> { fields.get(at)?.parse().ok() };
    let own_ticks = number(11)? + number(12)?;
    Some(Process {
        id,
        parent: u32::try_from(number(1)?).ok()?,
        name,
        of_kernel: number(6)? & OF_KERNEL != 0,
        own_ticks,
        ticks: own_ticks + number(13)? + number(14)?,
    })
}

/// What our processes have used up so far, and the kernel's own, who write what we wrote.
fn ours_and_the_kernels(ours: &Ours) -> Result<u64> {
    let mut processes: Vec<Process> = fs::read_dir("/proc")
        .context("/proc")?
        .filter_map(|entry| read_process(entry.ok()?.file_name().to_str()?.parse().ok()?))
        .collect();
    // Parents are older and usually have the lower number; should numbers have started again, a few ticks are
    // counted as others'.
    processes.sort_unstable_by_key(|process| process.id);
    let mut family = ours.roots.clone();
    let mut ticks = 0;
    for process in processes {
        if process.of_kernel {
            ticks += process.ticks;
        } else if family.contains(&process.id) || family.contains(&process.parent) {
            family.insert(process.id);
            ticks += process.ticks;
        }
    }
    Ok(ticks)
}
