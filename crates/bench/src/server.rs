//! The real program, as a child process.

use crate::Bench;
use crate::client::{Answer, Connection, NUMBER};
use crate::database::Fresh;
use anyhow::{Context, Result, bail};
use std::fs::{self, File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

const KEY: &str = "ct_bench0123456789bench0123456789bench";
/// What tokens are signed with.
pub const SECRET: &str = "bench-hs256-secret-0123456789-0123456789";
const LONGEST_START: Duration = Duration::from_mins(1);
const LONGEST_STOP: Duration = Duration::from_secs(40);

/// A server that runs; it is killed with the value.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// From the start of the process to the first 200 of `/health/ready`.
    pub ready_after: Duration,
}

/// What a process has in memory, in MiB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    pub now: f64,
    pub peak: f64,
}

impl Server {
    pub async fn start(bench: &Bench, fresh: &Fresh, role: &str) -> Result<Self> {
        Self::start_with(bench, fresh, role, &[]).await
    }

    /// With settings of the figure's own.
    pub async fn start_with(bench: &Bench, fresh: &Fresh, role: &str, own: &[&str]) -> Result<Self> {
        // Free now; should somebody else take it, the server says so and the figure fails.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let log_path = bench.folder.path().join("server.log");
        let log = OpenOptions::new().create(true).append(true).open(&log_path)?;
        let mut command = Command::new(&bench.server);
        command
            .args(["serve", "--listen", &address.to_string(), "--role", role])
            .args(["--database-url", &fresh.url])
            .args(own.iter().flat_map(|setting| ["--set", setting]))
            .args(bench.args.settings.iter().flat_map(|setting| ["--set", setting]))
            .current_dir(bench.folder.path())
            .env("CARETRACK_BOOTSTRAP_KEY", KEY)
            .env("CARETRACK__AUTH__JWT__HS256_SECRET", SECRET)
            .env_remove("CARETRACK_PROFILE")
            .stdin(Stdio::null())
            .stdout(Stdio::from(File::try_clone(&log)?))
            .stderr(Stdio::from(log))
            .kill_on_drop(true);
        let start = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", bench.server.display()))?;
        let mut server = Self {
            child,
            address,
            ready_after: Duration::ZERO,
        };
        while !server.is_ready().await {
            if let Some(status) = server.child.try_wait()? {
                bail!("the server ended with {status}:\n{}", tail(&log_path));
            }
            if start.elapsed() > LONGEST_START {
                bail!("the server does not become ready:\n{}", tail(&log_path));
            }
            sleep(Duration::from_millis(1)).await;
        }
        server.ready_after = start.elapsed();
        Ok(server)
    }

    async fn is_ready(&self) -> bool {
        let Ok(mut connection) = Connection::open(self.address).await else {
            return false;
        };
        let answer = connection.request(get("/health/ready").as_bytes()).await;
        answer.is_ok_and(|answer| answer.status == 200)
    }

    /// One request on a connection of its own, which must be answered with a success.
    pub async fn ask<T>(&self, request: &str, read: impl FnOnce(&Answer<'_>) -> Result<T>) -> Result<T> {
        let mut connection = Connection::open(self.address).await?;
        let answer = connection.request(request.as_bytes()).await?;
        let line = request.lines().next().unwrap_or_default();
        if !answer.is_success() {
            bail!("{line}: {} {}", answer.status, answer.excerpt());
        }
        read(&answer).with_context(|| line.to_owned())
    }

    pub fn memory(&self) -> Result<Memory> {
        let id = self.child.id().context("the server has ended")?;
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let mebibytes = |name: &str| -> Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kibibytes: f64 = line
                .and_then(|line| line.split_ascii_whitespace().next()?.parse().ok())
                .with_context(|| format!("no {name} of the server"))?;
            Ok(kibibytes / 1024.0)
        };
        Ok(Memory {
            now: mebibytes("VmRSS:")?,
            peak: mebibytes("VmHWM:")?,
        })
    }

    /// Asks it to stop and waits until it has.
    pub async fn stop(mut self) -> Result<()> {
        let id = self.child.id().context("the server has ended by itself")?;
        let id = rustix::process::Pid::from_raw(i32::try_from(id)?).context("no process")?;
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        match timeout(LONGEST_STOP, self.child.wait()).await {
            Ok(status) => {
                let status = status?;
                if !status.success() {
                    bail!("the server stopped with {status}");
                }
                Ok(())
            }
            Err(_) => bail!("the server does not stop"),
        }
    }
}

fn tail(log: &PathBuf) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: bench\r\nX-Clinia-API-Key: {KEY}\r\n\r\n")
}

/// An operator's request with a body.
pub fn post(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: bench\r\nX-Clinia-API-Key: {KEY}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A write of one patient, about 1 KB; the number is to be filled in.
pub fn put(asynchronous: bool) -> String {
    let prefer = if asynchronous {
        "Prefer: respond-async\r\n"
    } else {
        ""
    };
    let body = body();
    format!(
        "PUT /sources/bench/v1/resources/patient/pt-{NUMBER} HTTP/1.1\r\nHost: bench\r\nX-Clinia-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\n{prefer}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn body() -> String {
    const SIZE: usize = 1_024;
    let start = format!(
        r#"{{"data":{{"mrn":"{NUMBER}","active":true,"name":[{{"use":"official","family":"Exampleton","given":["Ada","Grace"]}}],"birthDate":"1975-03-02","address":[{{"use":"home","line":["17 Example Street"],"city":"Sampleville","postalCode":"00100","country":"CA"}}],"note":""#
    );
    let end = r#""}}"#;
    let words = "seen at the clinic, no complaints, to be called again in spring; ";
    let note: String = words
        .chars()
        .cycle()
        .take(SIZE - start.len() - end.len())
        .collect();
    format!("{start}{note}{end}")
}
