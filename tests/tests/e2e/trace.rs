//! The answer follows the sync: what a system call trace shows and `kill -9`, which the page cache survives, cannot.

mod strace;

use super::harness::tenant::{ended, resource};
use super::harness::wait::LONG;
use super::harness::{Data, Engine, Journey, Launch, Need, Server, journey, until};
use futures::future::join_all;
use serde_json::json;
use strace::{Call, Trace};

pub fn journeys() -> Vec<Journey> {
    vec![
        journey!(each_answer_to_a_write_follows_a_sync_of_the_log)
            .on(&[Engine::Sqlite])
            .needs(&[Need::Strace])
            .alone(),
        journey!(writes_that_share_a_sync_are_answered_after_it)
            .on(&[Engine::Sqlite])
            .needs(&[Need::Strace])
            .alone(),
    ]
}

async fn traced() -> Server {
    let data = Data::fresh(Engine::Sqlite).await;
    let mut launch = Launch::on(data);
    launch.wrapper = strace::wrapper(&launch.data.folder().join("trace"));
    launch.start().await
}

async fn trace_of(server: &Server) -> Trace {
    server.stop(LONG).await;
    let file = server.data().folder().join("trace");
    let text = until("the tracer has ended", LONG, async || {
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        // The last line tells how the last thread ended.
        text.lines()
            .last()
            .is_some_and(|line| line.contains("+++ "))
            .then_some(text)
    });
    Trace::parse(&text.await)
}

fn is_log(call: &Call) -> bool {
    call.text.contains("e2e.db-wal>")
}

fn is_sync(call: &Call) -> bool {
    ["fdatasync", "fsync"].contains(&call.name.as_str()) && is_log(call) && call.text.contains("= 0")
}

/// What the trace shows of the request that has `mark` in its path.
struct Seen {
    /// When the server had read the request.
    read: usize,
    /// When the answer began to be sent.
    answered: usize,
    /// When the record was in the log, but perhaps in the page cache only; none for a read.
    logged: Option<usize>,
}

fn seen(trace: &Trace, mark: &str, answer: &str) -> Seen {
    let request = |call: &&Call| {
        ["read", "recvfrom", "recvmsg", "readv"].contains(&call.name.as_str())
            && call.text.contains(&format!("{mark} HTTP/1.1"))
    };
    let reply = |call: &&Call| {
        ["write", "writev", "sendto", "sendmsg"].contains(&call.name.as_str())
            && call.text.contains(answer)
            && call.text.contains(mark)
            && call.text.contains("TCP")
    };
    let log = |call: &&Call| {
        ["pwrite64", "write", "pwritev"].contains(&call.name.as_str())
            && is_log(call)
            && call.text.contains(mark)
    };
    let find = |what: &str, found: Option<&Call>| {
        found
            .cloned()
            .unwrap_or_else(|| panic!("no {what} of {mark} in the trace"))
    };
    Seen {
        read: find("request", trace.calls.iter().find(request)).ended,
        answered: find("answer", trace.calls.iter().find(reply)).began,
        logged: trace.calls.iter().find(log).map(|call| call.ended),
    }
}

/// The sync that made the write durable: of the log, after the record was in it, over before the answer began.
#[track_caller]
fn sync_of<'a>(trace: &'a Trace, mark: &str, answer: &str) -> &'a Call {
    let seen = seen(trace, mark, answer);
    let logged = seen.logged.unwrap_or_else(|| panic!("{mark} is not in the log"));
    assert!(
        seen.read < logged,
        "{mark} was in the log before it was asked for"
    );
    let sync = trace
        .calls
        .iter()
        .find(|call| is_sync(call) && call.began > logged && call.ended < seen.answered);
    sync.unwrap_or_else(|| {
        panic!(
            "{mark} was answered (line {}) before it was synced (logged in line {logged})",
            seen.answered
        )
    })
}

/// Issue 2, done when 3: "a trace (`strace -f`) shows the log's fdatasync between a write and the bytes of its answer";
/// common.md, promise 1: "A success answer to a write is durable. It is sent after the data is on disk".
async fn each_answer_to_a_write_follows_a_sync_of_the_log(_: Engine) {
    let server = traced().await;
    let api = server.api();
    for n in 0..10 {
        api.put(
            &resource(&format!("patient/single-{n}-put")),
            json!({"data": {"n": n}}),
        )
        .await
        .is(201);
        let later = api
            .put(
                &resource(&format!("patient/single-{n}-later")),
                json!({"data": {"n": n}}),
            )
            .later();
        let task = later
            .header("X-Request-ID", &format!("single-{n}-later"))
            .await
            .is(202)
            .task();
        ended(&api, &task).await;
        api.get(&resource(&format!("patient/single-{n}-put")))
            .header("X-Request-ID", &format!("single-{n}-get"))
            .await
            .is(200);
    }
    let trace = trace_of(&server).await;
    for n in 0..10 {
        sync_of(&trace, &format!("single-{n}-put"), "HTTP/1.1 201");
        sync_of(&trace, &format!("single-{n}-later"), "HTTP/1.1 202");
    }
    // What the check leans on: a read is not followed by a sync that happens to be there.
    let reads_with_sync = (0..10).filter(|n| {
        let asked = trace.calls.iter().find(|call| {
            call.text.contains(&format!("single-{n}-put HTTP/1.1")) && call.text.contains("GET ")
        });
        let told = trace.calls.iter().find(|call| {
            call.text.contains("HTTP/1.1 200") && call.text.contains(&format!("single-{n}-get"))
        });
        let (asked, told) = (
            asked.expect("the request is traced"),
            told.expect("the answer is traced"),
        );
        trace
            .calls
            .iter()
            .any(|call| is_sync(call) && call.began > asked.ended && call.ended < told.began)
    });
    assert!(
        reads_with_sync.count() <= 2,
        "syncs are everywhere, so they prove nothing"
    );
}

/// The same, "group commits included".
async fn writes_that_share_a_sync_are_answered_after_it(_: Engine) {
    const BURST: usize = 32;
    let server = traced().await;
    let api = server.api();
    api.put(&resource("patient/first"), json!({"data": {}}))
        .await
        .is(201);
    for burst in 0..3 {
        let writes = (0..BURST).map(|n| {
            let mark = format!("burst-{burst}-{n}-end");
            let call = api
                .put(&resource(&format!("patient/{mark}")), json!({"data": {"n": n}}))
                .header("X-Request-ID", &mark);
            if n % 4 == 0 { call.later() } else { call }.into_future()
        });
        for answer in join_all(writes).await {
            assert!([201, 202].contains(&answer.status), "{}", answer.text);
        }
    }
    let trace = trace_of(&server).await;
    let mut syncs = Vec::new();
    for burst in 0..3 {
        for n in 0..BURST {
            let answer = if n % 4 == 0 {
                "HTTP/1.1 202"
            } else {
                "HTTP/1.1 201"
            };
            syncs.push(sync_of(&trace, &format!("burst-{burst}-{n}-end"), answer).began);
        }
    }
    let answers = syncs.len();
    syncs.sort_unstable();
    syncs.dedup();
    assert!(
        syncs.len() < answers,
        "{answers} writes in bursts had {} syncs: none was shared",
        syncs.len()
    );
}
