//! SIGTERM: "no new connections, running requests finish, leases are given back, exit within the grace time" (common.md).

use super::harness::tenant::{ended, pause, resource};
use super::harness::wait::{LONG, until, within};
use super::harness::{Api, Data, Engine, Journey, Launch, Server, journey};
use futures::future::join_all;
use futures::stream::{self, StreamExt};
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub fn journeys() -> Vec<Journey> {
    vec![
        journey!(a_stop_while_idle_is_quick_and_clean),
        journey!(a_running_request_is_answered_while_it_stops),
        journey!(a_stop_in_the_middle_of_work_leaves_no_lease_and_counts_no_attempt),
        journey!(a_stop_under_load_loses_no_answered_write),
        journey!(a_client_that_never_ends_its_request_does_not_hold_up_the_stop),
    ]
}

const GRACE: Duration = Duration::from_secs(25);

async fn a_stop_while_idle_is_quick_and_clean(engine: Engine) {
    let mut server = Server::fresh(engine).await;
    // With an idle connection that the client keeps.
    let api = server.api();
    let task = api
        .put(&resource("patient/x"), json!({"data": {}}))
        .await
        .is(201)
        .task();
    let status = server.stop(Duration::from_secs(10)).await;
    assert_eq!(status.code(), Some(0), "{}", server.log());
    api.get("/health/live")
        .attempt()
        .await
        .expect_err("nobody listens");
    server.start_again().await;
    assert_eq!(ended(&server.api(), &task).await["status"], "SUCCESS");
    // An interrupt (Ctrl-C) is the same.
    server.signal(Signal::INT);
    assert_eq!(
        server.until_ended(Duration::from_secs(10)).await.code(),
        Some(0),
        "{}",
        server.log()
    );
}

/// "no new connections, running requests finish".
async fn a_running_request_is_answered_while_it_stops(engine: Engine) {
    let mut server = Server::fresh(engine).await;
    let mut running = Vec::new();
    for n in 0..6 {
        running.push(Begun::new(&server.api(), &resource(&format!("patient/{n}")), n % 2 == 0).await);
    }
    server.signal(Signal::TERM);
    let authority = server.api().authority().to_owned();
    until("no new connections are taken", LONG, async || {
        TcpStream::connect(&authority).await.is_err().then_some(())
    })
    .await;
    assert!(server.ended().is_none(), "it did not wait for running requests");
    let answers = join_all(running.into_iter().map(Begun::finish)).await;
    for (n, answer) in answers.iter().enumerate() {
        let expected = if n % 2 == 0 {
            "HTTP/1.1 202 "
        } else {
            "HTTP/1.1 201 "
        };
        assert!(answer.starts_with(expected), "number {n}: {answer:?}");
    }
    assert_eq!(
        server.until_ended(GRACE).await.code(),
        Some(0),
        "{}",
        server.log()
    );
    server.start_again().await;
    for n in 0..6 {
        let path = resource(&format!("patient/{n}"));
        let api = server.api();
        until("what was answered is there", LONG, async || {
            (api.get(&path).await.status == 200).then_some(())
        })
        .await;
    }
}

const BODY: &str = r#"{"data":{"half":"sent before","other":"half after"}}"#;

/// A request of which the server has the head and half of the body.
struct Begun(TcpStream);

impl Begun {
    async fn new(api: &Api, path: &str, later: bool) -> Self {
        let mut stream = TcpStream::connect(api.authority()).await.unwrap();
        let prefer = if later { "Prefer: respond-async\r\n" } else { "" };
        let head = format!(
            "PUT {path} HTTP/1.1\r\nHost: x\r\nX-Clinia-API-Key: {}\r\nContent-Type: application/json\r\n\
             {prefer}Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
            api.key(),
            BODY.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // It says that it wants the body: the request is running.
        let mut told = [0; 25];
        within("100 Continue", LONG, stream.read_exact(&mut told))
            .await
            .unwrap();
        assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(&BODY.as_bytes()[..20]).await.unwrap();
        Self(stream)
    }

    async fn finish(mut self) -> String {
        self.0.write_all(&BODY.as_bytes()[20..]).await.unwrap();
        let mut answer = Vec::new();
        within("the answer", LONG, self.0.read_to_end(&mut answer))
            .await
            .expect("the answer is whole");
        String::from_utf8(answer).unwrap()
    }
}

/// "leases are given back"; design.md, traps: "graceful stop counts as a failed attempt".
async fn a_stop_in_the_middle_of_work_leaves_no_lease_and_counts_no_attempt(engine: Engine) {
    // More than are done before the stop is noticed.
    const TASKS: usize = 5000;
    let mut server = Launch::on(Data::fresh(engine).await)
        .set("worker.concurrency=1")
        .start()
        .await;
    let api = server.api();
    pause(&api, true).await;
    let writes = (0..TASKS).map(|n| {
        api.put(&resource(&format!("patient/{n}")), json!({"data": {"n": n}}))
            .later()
            .into_future()
    });
    let tasks: Vec<_> = stream::iter(writes)
        .buffered(500)
        .map(|answer| answer.is(202).task())
        .collect()
        .await;
    pause(&api, false).await;
    let first = resource("patient/0");
    until("work has begun", LONG, async || {
        (api.get(&first).await.status == 200).then_some(())
    })
    .await;
    assert_eq!(server.stop(GRACE).await.code(), Some(0), "{}", server.log());

    // Without a worker, so that it stays as it was left.
    let mut idle = server.launch().clone();
    idle.settings.push("server.role=api".to_owned());
    server.start_again_as(idle.clone()).await;
    let api = server.api();
    let queue = api.get("/ops/v1/queues").await.is(200).json()["items"][0].clone();
    assert_eq!(
        (&queue["running"], &queue["retrying"]),
        (&json!(0), &json!(0)),
        "{queue}"
    );
    let left = api
        .get("/ops/v1/tasks?state=queued&limit=200")
        .await
        .is(200)
        .json();
    let left = left["items"].as_array().unwrap();
    assert!(!left.is_empty(), "it was not in the middle of work");
    for task in left {
        assert!(task.get("error").is_none(), "{task}");
    }
    server.stop(GRACE).await;
    idle.settings.pop();
    server.start_again_as(idle).await;
    let api = server.api();
    for task in &tasks {
        assert_eq!(ended(&api, task).await["status"], "SUCCESS");
    }
    for task in tasks.iter().step_by(7) {
        let seen: Value = api.get(&format!("/ops/v1/tasks/{task}")).await.is(200).json();
        let attempts = seen["attempts"].as_array().unwrap();
        assert!(
            attempts.iter().all(|attempt| attempt.get("error").is_none()),
            "{seen}"
        );
        assert_eq!(
            attempts.len(),
            1,
            "an attempt that was given back is not counted: {seen}"
        );
    }
}

/// A write answered during the stop is as durable as any other; others are told, not left hanging.
async fn a_stop_under_load_loses_no_answered_write(engine: Engine) {
    let mut server = Server::fresh(engine).await;
    let api = server.api();
    api.put(&resource("patient/first"), json!({"data": {}}))
        .await
        .is(201);
    let clients = (0..16).map(|client| {
        let api = api.clone();
        async move {
            let mut answered = Vec::new();
            for n in 0.. {
                let id = format!("{client}-{n}");
                let call = api.put(&resource(&format!("patient/{id}")), json!({"data": {"id": id}}));
                match call.attempt().await {
                    Ok(answer) if answer.status == 201 => answered.push(id),
                    Ok(answer) => assert_eq!(answer.status, 503, "{}", answer.text),
                    Err(_) => break,
                }
            }
            answered
        }
    });
    let stopping = async {
        let path = resource("patient/3-20");
        until("there is load", LONG, async || {
            (api.get(&path).await.status == 200).then_some(())
        })
        .await;
        server.stop(GRACE).await
    };
    let (answered, status) = futures::join!(join_all(clients), stopping);
    assert_eq!(status.code(), Some(0), "{}", server.log());
    server.start_again().await;
    let api = server.api();
    for id in answered.into_iter().flatten() {
        assert_eq!(
            api.get(&resource(&format!("patient/{id}"))).await.is(200).json()["data"]["id"],
            json!(id)
        );
    }
}

/// "exit within the grace time", whoever holds on to a connection.
async fn a_client_that_never_ends_its_request_does_not_hold_up_the_stop(engine: Engine) {
    let server = Launch::on(Data::fresh(engine).await)
        .set("server.grace=4s")
        .start()
        .await;
    let held = Begun::new(&server.api(), &resource("patient/x"), false).await;
    let idle = TcpStream::connect(server.api().authority()).await.unwrap();
    server.api().call(Method::GET, "/health/live").await.is(200);
    server.stop(Duration::from_secs(6)).await;
    drop((held, idle));
}
