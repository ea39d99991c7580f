//! More than there is room for, and clients that take their time (common.md, "The server"; issue 3, "Overload").

use super::harness::tenant::{ended, pause, resource};
use super::harness::wait::{LONG, within};
use super::harness::{Api, Data, Engine, Journey, Launch, Server, journey, until};
use super::idempotency::Brake;
use futures::stream::{FuturesUnordered, StreamExt};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

pub fn journeys() -> Vec<Journey> {
    const ONE: &[Engine] = &[Engine::Sqlite];
    vec![
        journey!(when_the_store_lags_what_does_not_fit_is_turned_away_at_once),
        journey!(when_too_much_waits_only_new_work_is_turned_away),
        journey!(a_head_that_does_not_come_is_not_waited_for).on(ONE),
        journey!(a_head_without_end_is_cut_off).on(ONE),
        journey!(a_body_that_does_not_come_is_not_waited_for).on(ONE),
        journey!(a_body_without_end_is_cut_off).on(ONE),
        journey!(who_does_not_take_the_answer_is_not_waited_for).on(ONE),
        journey!(a_thousand_connections_that_do_nothing_harm_nobody).on(ONE),
        journey!(connections_beyond_the_limit_wait_until_one_ends).on(ONE),
    ]
}

async fn start(settings: &[&str]) -> Server {
    let launch = Launch::on(Data::fresh(Engine::Sqlite).await);
    let launch = settings
        .iter()
        .fold(launch, |launch, setting| launch.set(setting));
    launch.start().await
}

/// "A full queue or an overloaded store answers 503 at once rather than queueing without bound."
async fn when_the_store_lags_what_does_not_fit_is_turned_away_at_once(engine: Engine) {
    const ROOM: usize = 16;
    const CROWD: usize = 64;
    let launch = Launch::on(Data::fresh(engine).await).set(&format!("limits.waiting={ROOM}"));
    let server = launch.start().await;
    let api = server.api();
    let write = |n: usize| api.put(&resource(&format!("patient/{n}")), json!({"data": {"n": n}}));
    // So that nothing is looked up for the first time while the store is held.
    write(CROWD).await.is(201);
    let brake = Brake::on(&server, engine).await;
    let mut writes: FuturesUnordered<_> = (0..CROWD).map(|n| write(n).into_future()).collect();
    // Whoever does not fit hears of it while the store is held, however long that may be.
    for _ in 0..CROWD - ROOM {
        let answer = within("somebody is turned away", LONG, writes.next()).await;
        let answer = answer.expect("there are more").error(503, "INTERNAL");
        assert_eq!(answer.header("retry-after"), "1");
    }
    brake.release().await;
    let waited: Vec<_> = writes.collect().await;
    for answer in waited {
        // SQLite itself waits five seconds for its lock and no longer.
        assert!(
            matches!(answer.status, 201 | 503),
            "{}: {}",
            answer.status,
            answer.text
        );
    }
    // What was turned away has left nothing, and the store is its old self.
    for n in 0..CROWD {
        let again = write(n).await;
        assert!(matches!(again.status, 200 | 201), "{}", again.text);
    }
}

/// "A full queue ... answers 503 at once"; cancelling, finishing and what is done at once go on.
async fn when_too_much_waits_only_new_work_is_turned_away(engine: Engine) {
    const DEPTH: usize = 10;
    let launch = Launch::on(Data::fresh(engine).await).set(&format!("limits.queue_depth={DEPTH}"));
    let mut server = launch.start().await;
    let api = server.api();
    pause(&api, true).await;
    let later = |api: &Api, id: &str| api.put(&resource(id), json!({"data": {}})).later();
    let crowd = (0..40).map(|n| later(&api, &format!("patient/{n}")).into_future());
    let answers = futures::future::join_all(crowd).await;
    let (taken, turned_away): (Vec<_>, Vec<_>) = answers.into_iter().partition(|a| a.status == 202);
    assert_eq!(taken.len(), DEPTH);
    for answer in turned_away {
        let answer = answer.error(503, "INTERNAL");
        assert_eq!(answer.header("retry-after"), "1");
    }
    // Nor under a key; and that is not remembered as the key's answer.
    let keyed = |api: &Api| later(api, "patient/keyed").header("Idempotency-Key", "k");
    keyed(&api).await.error(503, "INTERNAL");
    api.put(&resource("patient/now"), json!({"data": {}}))
        .await
        .is(201);
    api.delete(&resource("patient/now"))
        .later()
        .await
        .error(503, "INTERNAL");
    api.delete(&resource("patient/now")).await.is(200);
    let cancel = format!("/ops/v1/tasks/{}/cancel", taken[0].task());
    api.call(reqwest::Method::POST, &cancel).await.is(200);
    later(&api, "patient/instead").await.is(202);
    later(&api, "patient/more").await.error(503, "INTERNAL");

    // Whoever starts finds what waits.
    server.kill().await;
    server.start_again().await;
    let api = server.api();
    let mut found = 0;
    until("what waits is counted", LONG, async || {
        let answer = later(&api, &format!("patient/after-{found}")).await;
        found += 1;
        (answer.status == 503).then_some(())
    })
    .await;
    pause(&api, false).await;
    for answer in &taken[1..] {
        let status = ended(&api, &answer.task()).await["status"].clone();
        assert_eq!(status, "SUCCESS");
    }
    until("there is room again", LONG, async || {
        (keyed(&api).await.status == 202).then_some(())
    })
    .await;
}

async fn open(server: &Server) -> TcpStream {
    TcpStream::connect(server.api().authority()).await.unwrap()
}

/// What the server says until it closes the connection, which it has to within `longest`.
async fn until_closed(mut stream: TcpStream, longest: Duration) -> String {
    let mut said = Vec::new();
    let closed = timeout(longest, stream.read_to_end(&mut said)).await;
    // A reset is an end, too.
    drop(closed.expect("the server closes the connection"));
    String::from_utf8_lossy(&said).into_owned()
}

const SOON: Duration = Duration::from_secs(8);

async fn a_head_that_does_not_come_is_not_waited_for(_: Engine) {
    let server = start(&["limits.head_time=1s", "limits.idle_time=1s"]).await;
    let silent = open(&server).await;
    let mut slow = open(&server).await;
    slow.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow")
        .await
        .unwrap();
    let mut idle = open(&server).await;
    idle.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let said = futures::join!(
        until_closed(silent, SOON),
        until_closed(slow, SOON),
        until_closed(idle, SOON)
    );
    for said in [&said.0, &said.1] {
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    }
    assert!(said.2.starts_with("HTTP/1.1 200"), "{}", said.2);
    server.api().get("/health/live").await.is(200);
}

/// Sends the same again and again until the server has had enough; answers how much it took and what it said.
async fn flood(mut stream: TcpStream, start: &str, piece: &[u8], most: usize) -> (usize, String) {
    stream.write_all(start.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let mut said = Vec::new();
    let mut sent = 0;
    let writing = async {
        while sent < most {
            if writer.write_all(piece).await.is_err() {
                return;
            }
            sent += piece.len();
        }
    };
    let reading = async {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = reader.read(&mut buffer).await {
            said.extend_from_slice(&buffer[..n]);
        }
    };
    let both = futures::future::join(writing, reading);
    timeout(SOON, both).await.expect("the server ends it");
    (sent, String::from_utf8_lossy(&said).into_owned())
}

const MANY: usize = 1 << 40;

async fn a_head_without_end_is_cut_off(_: Engine) {
    let server = start(&[]).await;
    let header = format!("X-More: {}\r\n", "x".repeat(1000));
    for piece in [header.as_bytes(), &b"x".repeat(4096)] {
        let (_, said) = flood(open(&server).await, "GET / HTTP/1.1\r\nX-Long: ", piece, MANY).await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
    }
    server.api().get("/health/live").await.is(200);
}

fn request(api: &Api, method: &str, path: &str, more: &str) -> String {
    let key = api.key();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nX-Clinia-API-Key: {key}\r\nContent-Type: application/json\r\n{more}\r\n\r\n"
    )
}

async fn a_body_that_does_not_come_is_not_waited_for(_: Engine) {
    let server = start(&["limits.body_time=1s"]).await;
    let api = server.api();
    for more in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let mut stream = open(&server).await;
        let head = request(&api, "PUT", &resource("patient/x"), more);
        stream.write_all(head.as_bytes()).await.unwrap();
        // A little now and then is not enough.
        let (reader, mut writer) = stream.into_split();
        let dripping = tokio::spawn(async move {
            while writer
                .write_all(if more.starts_with('C') {
                    b" "
                } else {
                    b"1\r\n \r\n"
                })
                .await
                .is_ok()
            {
                sleep(Duration::from_millis(50)).await;
            }
        });
        let mut said = Vec::new();
        let mut reader = reader;
        let ended = timeout(SOON, reader.read_to_end(&mut said)).await;
        drop(ended.expect("the server ends it"));
        let said = String::from_utf8_lossy(&said);
        assert!(said.starts_with("HTTP/1.1 408"), "{said}");
        assert!(said.contains(r#""code":408"#), "in the dialect's shape: {said}");
        dripping.abort();
    }
    api.get(&resource("patient/x")).await.is(404);
}

async fn a_body_without_end_is_cut_off(_: Engine) {
    let server = start(&[]).await;
    let (api, nobody) = (server.api(), server.api().with_key(None));
    let before = memory(&server);
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let path = resource("patient/x");
    for (status, head) in [
        ("413", request(&api, "PUT", &path, "Transfer-Encoding: chunked")),
        ("413", request(&api, "PUT", &path, "Content-Length: 99999999999")),
        (
            "401",
            request(&nobody, "PUT", &path, "Transfer-Encoding: chunked"),
        ),
        (
            "401",
            request(&nobody, "PUT", &path, "Content-Length: 99999999999"),
        ),
        (
            "404",
            request(&api, "DELETE", &path, "Transfer-Encoding: chunked"),
        ),
        ("404", request(&api, "GET", &path, "Transfer-Encoding: chunked")),
    ] {
        let (_, said) = flood(open(&server).await, &head, chunk.as_bytes(), MANY).await;
        // Whoever never stops talking may not hear the answer.
        assert!(
            said.is_empty() || said.starts_with(&format!("HTTP/1.1 {status}")),
            "{said}"
        );
    }
    let after = memory(&server);
    assert!(after < before + 64, "{before} MiB before, {after} MiB after");
}

/// MiB that the server has in memory.
fn memory(server: &Server) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.split_whitespace().next().unwrap().parse::<usize>().unwrap() / 1024
}

/// Not its files: the store opens more of them when there is more to read.
fn sockets(server: &Server) -> usize {
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    let targets = open.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    targets
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count()
}

async fn who_does_not_take_the_answer_is_not_waited_for(_: Engine) {
    const LARGE: usize = 900_000;
    let server = start(&["limits.stall_time=2s"]).await;
    let api = server.api();
    for n in 0..8 {
        let data = json!({"data": {"text": "x".repeat(LARGE)}});
        api.put(&resource(&format!("patient/{n}")), data).await.is(201);
    }
    let before = sockets(&server);
    let mut stalled = Vec::new();
    for _ in 0..8 {
        // What is in no buffer of the system waits in the server.
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let address = server.api().authority().parse().unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        let head = request(&api, "GET", &resource("patient"), "Accept: */*");
        stream.write_all(head.as_bytes()).await.unwrap();
        stalled.push(stream);
    }
    until("they are all being answered", LONG, async || {
        (sockets(&server) >= before + stalled.len()).then_some(())
    })
    .await;
    until("they are given up", LONG, async || {
        (sockets(&server) <= before + 1).then_some(())
    })
    .await;
    api.get("/health/live").await.is(200);
    drop(stalled);
}

/// Issue 3: "nothing grows without bound under 10,000 idle connections"; here a tenth of them, at every run.
async fn a_thousand_connections_that_do_nothing_harm_nobody(_: Engine) {
    const IDLE: usize = 1000;
    let server = start(&[]).await;
    let api = server.api();
    api.put(&resource("patient/x"), json!({"data": {}})).await.is(201);
    let (before, others) = (memory(&server), sockets(&server));
    let mut connections = Vec::new();
    for n in 0..IDLE {
        let mut stream = open(&server).await;
        // Nothing, half a head, half a body, or nothing after an answer.
        let said = match n % 4 {
            0 => String::new(),
            1 => "GET /health/live HTTP/1.1\r\nHost".to_owned(),
            2 => request(&api, "PUT", &resource("patient/y"), "Content-Length: 100") + "{",
            _ => "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        };
        stream.write_all(said.as_bytes()).await.unwrap();
        connections.push(stream);
    }
    until("all are accepted", LONG, async || {
        (sockets(&server) >= others + IDLE).then_some(())
    })
    .await;
    for n in 0..50 {
        api.put(&resource("patient/x"), json!({"data": {"n": n}}))
            .await
            .is(200);
        api.get(&resource("patient/x")).await.is(200);
    }
    let during = memory(&server);
    assert!(
        during < before + 128,
        "{before} MiB before, {during} MiB with {IDLE} connections"
    );
    drop(connections);
    until("they are gone", LONG, async || {
        (sockets(&server) < others + 20).then_some(())
    })
    .await;
    until("memory returns", LONG, async || {
        (memory(&server) < before + 48).then_some(())
    })
    .await;
    api.put(&resource("patient/x"), json!({"data": {}})).await.is(200);
}

async fn connections_beyond_the_limit_wait_until_one_ends(_: Engine) {
    let server = start(&["limits.connections=8", "limits.head_time=2s"]).await;
    let others = sockets(&server);
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(open(&server).await);
    }
    // The silent ones are shown out in turn, so everybody gets in at last.
    let api = server.api();
    let mut most = BTreeMap::new();
    let answer = api.get("/health/live").into_future();
    let mut answer = std::pin::pin!(answer);
    let answer = loop {
        tokio::select! {
            answer = &mut answer => break answer,
            () = sleep(Duration::from_millis(20)) => {
                *most.entry(sockets(&server).saturating_sub(others)).or_insert(0) += 1;
            }
        }
    };
    answer.is(200);
    let most = most.keys().max().copied().unwrap_or(0);
    assert!(most <= 8 + 4, "{most} at once");
    drop(silent);
}
