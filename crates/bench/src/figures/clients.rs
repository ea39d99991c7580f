//! What the connections of the figures do.

use crate::client::{Connection, Template};
use crate::load::{Client, Failed};
use crate::server::{get, put};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Ids that were not used yet, for all connections together.
pub type Ids = Rc<Cell<u64>>;

fn next(ids: &Ids) -> u64 {
    ids.set(ids.get() + 1);
    ids.get()
}

/// Writes one record after another.
pub struct Writer {
    request: Template,
    expected: &'static [u16],
    ids: Ids,
    /// Where the tasks' ids are kept, if they are wanted.
    tasks: Option<Rc<RefCell<Vec<String>>>>,
}

impl Writer {
    pub fn synchronous(ids: &Ids) -> Self {
        Self {
            request: Template::new(&put(false)),
            expected: &[200, 201],
            ids: ids.clone(),
            tasks: None,
        }
    }

    pub fn asynchronous(ids: &Ids) -> Self {
        Self {
            request: Template::new(&put(true)),
            expected: &[202],
            ids: ids.clone(),
            tasks: None,
        }
    }

    pub fn keeping(self, tasks: &Rc<RefCell<Vec<String>>>) -> Self {
        Self {
            tasks: Some(tasks.clone()),
            ..self
        }
    }

    /// Writes one; gives the task's id.
    async fn write<'a>(&mut self, connection: &'a mut Connection) -> Result<&'a str, Failed> {
        let answer = connection.request(self.request.fill(next(&self.ids))).await?;
        if !self.expected.contains(&answer.status) {
            return Err(Failed::answer(&answer));
        }
        // What the answer holds is looked at in full only where it is wanted.
        let text = std::str::from_utf8(answer.body).unwrap_or_default();
        crate::client::member(text, "taskId").ok_or_else(|| {
            Failed::because(
                "a write without a task",
                &text.chars().take(200).collect::<String>(),
            )
        })
    }
}

impl Client for Writer {
    async fn once(&mut self, connection: &mut Connection) -> Result<(), Failed> {
        let task = self.write(connection).await?.to_owned();
        if let Some(tasks) = &self.tasks {
            tasks.borrow_mut().push(task);
        }
        Ok(())
    }
}

/// Has one record after another written, and looks until each is done.
pub struct Follower {
    writer: Writer,
    every: Duration,
    looks: Rc<Cell<u64>>,
}

/// A task that takes longer has failed.
const LONGEST: Duration = Duration::from_mins(1);

impl Follower {
    pub fn new(ids: &Ids, every: Duration, looks: &Rc<Cell<u64>>) -> Self {
        Self {
            writer: Writer::asynchronous(ids),
            every,
            looks: looks.clone(),
        }
    }

    /// Gives the id of the task that was seen done.
    pub async fn follow(&mut self, connection: &mut Connection) -> Result<String, Failed> {
        let task = self.writer.write(connection).await?.to_owned();
        let request = get(&task_path(&task));
        let start = Instant::now();
        loop {
            sleep(self.every).await;
            self.looks.set(self.looks.get() + 1);
            let answer = connection.request(request.as_bytes()).await?;
            match (answer.status, answer.member("status")) {
                (200, Some("SUCCESS")) => return Ok(task),
                (200, Some("PENDING")) if start.elapsed() < LONGEST => {}
                (200, _) => return Err(Failed::because("a task that did not succeed", &answer.excerpt())),
                _ => return Err(Failed::answer(&answer)),
            }
        }
    }
}

impl Client for Follower {
    async fn once(&mut self, connection: &mut Connection) -> Result<(), Failed> {
        self.follow(connection).await.map(drop)
    }
}

/// Asks for one thing after another, in turn.
pub struct Reader {
    requests: Rc<[String]>,
    next: usize,
}

impl Reader {
    /// Connections start at different places.
    pub fn new(requests: &Rc<[String]>, connection: usize) -> Self {
        Self {
            requests: requests.clone(),
            next: connection * 97,
        }
    }
}

impl Client for Reader {
    async fn once(&mut self, connection: &mut Connection) -> Result<(), Failed> {
        self.next += 1;
        let request = &self.requests[self.next % self.requests.len()];
        let answer = connection.request(request.as_bytes()).await?;
        if answer.status == 200 {
            Ok(())
        } else {
            Err(Failed::answer(&answer))
        }
    }
}

pub fn task_path(task: &str) -> String {
    format!("/sources/bench/v1/tasks/{task}")
}

/// Does it once, before there are many: makes the source and the type, and shows what is wrong if it is.
pub async fn first(server: &crate::server::Server, mut client: impl Client) -> anyhow::Result<()> {
    let mut connection = Connection::open(server.address).await?;
    let result = client.once(&mut connection).await;
    result.map_err(|failed| anyhow::anyhow!("the first request failed, {}: {}", failed.what, failed.example))
}
