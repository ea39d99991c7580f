//! A server under test: the real binary as a process of its own.

use super::issuer::SECRET;
use super::wait::{LONG, until, within};
use super::{Api, Data, program};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The administrator's key of every server that is not told otherwise.
pub const KEY: &str = "ct_e2e-0123456789-0123456789-0123456789";

/// How to start a server.
#[derive(Clone)]
pub struct Launch {
    pub data: Arc<Data>,
    /// `key=value`
    pub settings: Vec<String>,
    pub environment: Vec<(&'static str, String)>,
    /// A program to run it in, such as a tracer, with its arguments.
    pub wrapper: Vec<String>,
    /// The bootstrap key.
    pub key: Option<String>,
    pub port: u16,
}

impl Launch {
    pub fn on(data: Data) -> Self {
        Self::beside(&Arc::new(data))
    }

    /// One more server on the same data.
    pub fn beside(data: &Arc<Data>) -> Self {
        Self {
            data: Arc::clone(data),
            settings: Vec::new(),
            environment: Vec::new(),
            wrapper: Vec::new(),
            key: Some(KEY.to_owned()),
            port: free_port(),
        }
    }

    pub fn set(mut self, setting: &str) -> Self {
        self.settings.push(setting.to_owned());
        self
    }

    /// Accepts tokens that are signed with [`SECRET`].
    pub fn accepting_tokens(mut self) -> Self {
        let secret = ("CARETRACK__AUTH__JWT__HS256_SECRET", SECRET.to_owned());
        self.environment.push(secret);
        self
    }

    pub async fn start(self) -> Server {
        let server = self.spawn();
        server.until_ready().await;
        server
    }

    /// Without waiting until it is ready.
    pub fn spawn(self) -> Server {
        let log = self.data.folder().join(format!("server-{}.log", self.port));
        let listen = format!("127.0.0.1:{}", self.port);
        let mut arguments = vec!["serve", "--listen", &listen, "--database-url", self.data.url()];
        for setting in &self.settings {
            arguments.extend(["--set", setting]);
        }
        let mut command = program::wrapped(self.data.folder(), &self.wrapper, &arguments);
        let file = File::options().create(true).append(true).open(&log).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file);
        command.envs(self.environment.iter().map(|(name, value)| (*name, value)));
        if let Some(key) = &self.key {
            command.env("CARETRACK_BOOTSTRAP_KEY", key);
        }
        let child = command.spawn().expect("the program under test starts");
        Server {
            launch: self,
            child: Mutex::new(child),
            log,
        }
    }
}

/// A port nobody uses. The range is below the one that the system hands out to clients, so that a server that
/// is started again does not find its port taken by one of them.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = u16::try_from(std::process::id() % 97 * 100).unwrap_or(0);
    loop {
        let port = 10_000 + (offset + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Servers that live until the end, whoever uses them.
static KEPT: Mutex<Vec<Server>> = Mutex::new(Vec::new());

pub fn keep(server: Server) {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).push(server);
}

pub fn stop_all() {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

pub struct Server {
    launch: Launch,
    child: Mutex<Child>,
    log: PathBuf,
}

impl Server {
    /// On fresh data and with default settings.
    pub async fn fresh(engine: super::Engine) -> Self {
        Launch::on(Data::fresh(engine).await).start().await
    }

    pub fn launch(&self) -> &Launch {
        &self.launch
    }

    pub fn data(&self) -> &Arc<Data> {
        &self.launch.data
    }

    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.launch.port)
    }

    /// A client with the administrator's key.
    pub fn api(&self) -> Api {
        Api::new(&self.address(), self.launch.key.as_deref())
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn log_file(&self) -> &PathBuf {
        &self.log
    }

    pub fn pid(&self) -> u32 {
        self.child().id()
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.child().try_wait().expect("it is our child")
    }

    pub async fn until_ready(&self) {
        let api = self.api();
        until("the server is ready", LONG, async || {
            if let Some(status) = self.ended() {
                panic!(
                    "the server ended with {status} instead of getting ready:\n{}",
                    self.log()
                );
            }
            let answer = api.get("/health/ready").attempt().await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
    }

    /// SIGKILL: as if the power went, as far as the process can tell.
    pub async fn kill(&self) {
        self.signal(Signal::KILL);
        self.until_ended(LONG).await;
    }

    /// SIGTERM, and how it ended.
    pub async fn stop(&self, longest: Duration) -> ExitStatus {
        self.signal(Signal::TERM);
        self.until_ended(longest).await
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a process has an id");
        kill_process(pid, signal).expect("it is our child and not waited for yet");
    }

    pub async fn until_ended(&self, longest: Duration) -> ExitStatus {
        until("the server has ended", longest, async || self.ended()).await
    }

    /// The same server again, once it has ended.
    pub async fn start_again(&mut self) {
        self.start_again_as(self.launch.clone()).await;
    }

    pub async fn start_again_as(&mut self, launch: Launch) {
        assert!(self.ended().is_some(), "it is still running");
        *self = launch.spawn();
        self.until_ready().await;
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
        if std::thread::panicking() {
            show_end(&self.log);
        }
    }
}

/// The last lines of a log.
pub fn show_end(log: &PathBuf) {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(40);
    eprintln!(
        "--- {} ({} lines, the last ones)\n{}\n---",
        log.display(),
        lines.len(),
        lines[from..].join("\n")
    );
}

/// Runs a command of the program to its end.
pub async fn run(command: std::process::Command) -> Ran {
    let mut command = tokio::process::Command::from(command);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = within("the command ends", Duration::from_mins(4), command.output()).await;
    let output = output.expect("the program under test starts");
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("output is text"),
        err: String::from_utf8(output.stderr).expect("output is text"),
    }
}

/// What a command said, and its exit code.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    #[track_caller]
    pub fn ended_with(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "standard output:\n{}\nstandard error:\n{}",
            self.out,
            self.err
        );
        self
    }
}
