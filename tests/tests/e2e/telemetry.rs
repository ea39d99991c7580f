//! Traces (issue 3, "Observability"): "`traceparent` taken over and stored with the task so that the worker's span
//! continues the request's".

pub mod collector;

use super::harness::tenant::{ended, pause, resource};
use super::harness::wait::{LONG, within};
use super::harness::{Api, Call, Data, Engine, Journey, Launch, Server, journey, until};
use collector::{Collector, Seen};
use futures::future::join_all;
use serde_json::json;
use std::time::Duration;

pub fn journeys() -> Vec<Journey> {
    vec![
        journey!(one_trace_shows_request_attempt_and_commit),
        journey!(what_is_no_traceparent_is_ignored).on(&[Engine::Sqlite]),
        journey!(what_others_do_not_record_is_not_recorded).on(&[Engine::Sqlite]),
        journey!(an_attempt_after_a_kill_is_in_the_trace_of_its_request),
        journey!(a_collector_that_hangs_holds_nobody_up).on(&[Engine::Sqlite]),
    ]
}

const SPAN: &str = "b7ad6b7169203331";
const SERVER: i32 = 2;
const CONSUMER: i32 = 5;

fn trace(n: usize) -> String {
    format!("{:032x}", 0x0af7_0000 + n)
}

fn traceparent(n: usize) -> String {
    format!("00-{}-{SPAN}-01", trace(n))
}

async fn traced(engine: Engine, collector: &Collector) -> Server {
    let launch = Launch::on(Data::fresh(engine).await).set(&collector.setting());
    launch.start().await
}

fn put(api: &Api, id: &str) -> Call {
    api.put(&resource(id), json!({"data": {"name": "Body-Marker"}}))
}

#[track_caller]
fn one<'a>(spans: &'a [Seen], what: &str, is: impl Fn(&Seen) -> bool) -> &'a Seen {
    let found: Vec<_> = spans.iter().filter(|span| is(span)).collect();
    assert_eq!(found.len(), 1, "{what} in {spans:#?}");
    found[0]
}

/// "One trace shows request, attempt, commit"; and the last spans are sent when the server stops.
async fn one_trace_shows_request_attempt_and_commit(engine: Engine) {
    let collector = Collector::start().await;
    let server = traced(engine, &collector).await;
    let api = server.api();
    let task = put(&api, "patient/secret-id")
        .later()
        .header("traceparent", &traceparent(1))
        .header("X-Request-ID", "request-1")
        .await
        .is(202)
        .task();
    ended(&api, &task).await;
    put(&api, "patient/secret-id")
        .header("traceparent", &traceparent(2))
        .await
        .is(200);
    assert!(server.stop(LONG).await.success());

    let spans = collector.of_trace(&trace(1));
    let request = one(&spans, "the request", |span| span.kind == SERVER);
    let route = "/sources/{sourceKey}/v1/resources/{resourceType}/{id}";
    assert_eq!(
        (request.parent.as_str(), request.name.as_str()),
        (SPAN, format!("PUT {route}").as_str())
    );
    let attempt = one(&spans, "the attempt", |span| span.kind == CONSUMER);
    assert_eq!((&attempt.parent, attempt.name.as_str()), (&request.id, "task"));
    for (what, of) in [("the acceptance", request), ("the ending", attempt)] {
        one(&spans, what, |span| span.name == "commit" && span.parent == of.id);
    }
    assert_eq!(spans.len(), 4, "{spans:#?}");
    assert!(!spans.iter().any(|span| span.failed), "{spans:#?}");
    let id = uuid::Uuid::parse_str(task.trim_start_matches("s_")).unwrap();
    let shown: Vec<_> = attempt
        .attributes
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            ("request.id", "request-1"),
            ("task.attempt", "Some(IntValue(1))"),
            ("task.id", id.to_string().as_str()),
            ("task.kind", "registry.write"),
        ]
    );
    let shown: Vec<_> = request
        .attributes
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            ("caretrack.dialect", "registry"),
            ("http.request.method", "PUT"),
            ("http.response.status_code", "Some(IntValue(202))"),
            ("http.route", route),
            ("request.id", "request-1"),
        ]
    );
    // Done at once: no attempt, but a request and its commit.
    let spans = collector.of_trace(&trace(2));
    let request = one(&spans, "the request", |span| span.kind == SERVER);
    one(&spans, "its commit", |span| {
        span.name == "commit" && span.parent == request.id
    });
    assert_eq!(spans.len(), 2, "{spans:#?}");
    for told in ["Body-Marker", "secret-id", "northclinic", api.key()] {
        assert!(!collector.raw().contains(told), "{told} is in the traces");
    }
}

/// A trace of its own begins, and the task is in that.
async fn what_is_no_traceparent_is_ignored(engine: Engine) {
    let collector = Collector::start().await;
    let server = traced(engine, &collector).await;
    let api = server.api();
    let good = traceparent(1);
    let bad = [
        good[..54].to_owned(),
        good.replace("0af7", "0AF7"),
        good.replace("00-0", "ff-0"),
        good.replace(SPAN, "0000000000000000"),
        format!("{good}-"),
        "Header-Marker".to_owned(),
    ];
    for (n, bad) in bad.iter().enumerate() {
        let call = put(&api, &format!("patient/{n}")).header("X-Request-ID", &format!("bad-{n}"));
        let task = call.header("traceparent", bad).later().await.is(202).task();
        ended(&api, &task).await;
    }
    let twice = put(&api, "patient/twice").header("X-Request-ID", "bad-6");
    let twice = twice.header("traceparent", &good).header("traceparent", &good);
    let task = twice.later().await.is(202).task();
    ended(&api, &task).await;
    assert!(server.stop(LONG).await.success());
    assert!(collector.of_trace(&trace(1)).is_empty());
    assert!(!collector.raw().contains("Header-Marker"));
    let spans = collector.spans();
    for n in 0..=bad.len() {
        let id = format!("bad-{n}");
        let of = |kind| {
            let is = |span: &Seen| span.kind == kind && span.attributes.get("request.id") == Some(&id);
            one(&spans, &id, is)
        };
        let (request, attempt) = (of(SERVER), of(CONSUMER));
        assert_eq!(request.parent, "", "{id}");
        assert_eq!(
            (&attempt.trace, &attempt.parent),
            (&request.trace, &request.id),
            "{id}"
        );
    }
}

/// Neither the request nor, later, the attempt; nor anything, where the share is nought.
async fn what_others_do_not_record_is_not_recorded(engine: Engine) {
    let collector = Collector::start().await;
    let launch = Launch::on(Data::fresh(engine).await).set(&collector.setting());
    let server = launch.set("telemetry.sample_ratio=0").start().await;
    let api = server.api();
    let not_recorded = traceparent(1).replace("-01", "-00");
    for (n, parent) in [Some(not_recorded), None, Some(traceparent(2))]
        .iter()
        .enumerate()
    {
        let mut call = put(&api, &format!("patient/{n}")).later();
        if let Some(parent) = parent {
            call = call.header("traceparent", parent);
        }
        let task = call.await.is(202).task();
        ended(&api, &task).await;
    }
    assert!(server.stop(LONG).await.success());
    let (all, recorded) = (collector.spans(), collector.of_trace(&trace(2)));
    assert_eq!((all.len(), recorded.len()), (4, 4), "{all:#?}");
}

async fn attempts(api: &Api, task: &str) -> usize {
    let seen = api.get(&format!("/ops/v1/tasks/{task}")).await.is(200).json();
    seen["attempts"].as_array().unwrap().len()
}

/// Whatever was killed in between: what is stored with the task is enough, and it is stored where nobody traces too.
async fn an_attempt_after_a_kill_is_in_the_trace_of_its_request(engine: Engine) {
    const CROWD: usize = 40;
    let collector = Collector::start().await;
    let launch = Launch::on(Data::fresh(engine).await).set("worker.lease=1s");
    let mut server = launch.clone().start().await;
    pause(&server.api(), true).await;
    let waiting = put(&server.api(), "patient/x").header("traceparent", &traceparent(1));
    let waiting = waiting.later().await.is(202).task();
    let seen = server
        .api()
        .get(&format!("/ops/v1/tasks/{waiting}"))
        .await
        .is(200);
    assert_eq!(seen.json()["traceparent"], traceparent(1));
    server.kill().await;
    server.start_again_as(launch.set(&collector.setting())).await;
    let api = server.api();
    pause(&api, false).await;
    ended(&api, &waiting).await;
    until("the attempt is told", LONG, async || {
        let spans = collector.of_trace(&trace(1));
        let attempt = spans.iter().find(|span| span.kind == CONSUMER)?.clone();
        assert_eq!(attempt.parent, SPAN);
        Some(())
    })
    .await;

    // Killed while attempts are under way, as often as it takes to hit one.
    for round in 1_usize.. {
        assert!(round < 20, "no attempt was ever hit");
        let api = server.api();
        let calls = (0..CROWD).map(|n| {
            put(&api, &format!("patient/{n}"))
                .later()
                .header("traceparent", &traceparent(round * 1000 + n))
                .into_future()
        });
        let tasks: Vec<String> = join_all(calls)
            .await
            .into_iter()
            .map(|a| a.is(202).task())
            .collect();
        server.kill().await;
        server.start_again().await;
        let api = server.api();
        let mut again = Vec::new();
        for (n, task) in tasks.iter().enumerate() {
            ended(&api, task).await;
            if attempts(&api, task).await > 1 {
                again.push(round * 1000 + n);
            }
        }
        for n in &again {
            until("the second attempt is told", LONG, async || {
                let spans = collector.of_trace(&trace(*n));
                let second = |span: &&Seen| {
                    span.attributes
                        .get("task.attempt")
                        .is_some_and(|n| n == "Some(IntValue(2))")
                };
                let attempt = spans.iter().find(second)?;
                // The span of the killed server's request may never have been sent, but its id is known.
                assert_eq!(attempt.kind, CONSUMER);
                assert!(
                    !attempt.parent.is_empty() && attempt.parent != SPAN,
                    "{attempt:#?}"
                );
                let first = spans.iter().find(|span| span.kind == SERVER);
                first
                    .is_none_or(|request| request.id == attempt.parent)
                    .then_some(())
            })
            .await;
        }
        if !again.is_empty() {
            return;
        }
    }
}

/// "Bounded buffer, never blocks": more than it holds, and the end of the server, in their usual time.
async fn a_collector_that_hangs_holds_nobody_up(engine: Engine) {
    let collector = Collector::silent().await;
    let server = traced(engine, &collector).await;
    let api = server.api();
    for n in 0..20 {
        let live = (0..500).map(|_| api.get("/health/live").into_future());
        within("requests are answered", LONG, join_all(live)).await;
        put(&api, &format!("patient/{n}")).await.is(201);
    }
    let began = std::time::Instant::now();
    assert!(server.stop(LONG).await.success());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
