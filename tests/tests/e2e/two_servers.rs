//! Several processes on one PostgreSQL: they share the work, and one that dies loses nothing.

use super::harness::tenant::{ended, pause, resource};
use super::harness::wait::LONG;
use super::harness::{Answer, Api, Data, Engine, Journey, Launch, Server, instant, journey, until};
use futures::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

pub fn journeys() -> Vec<Journey> {
    vec![
        journey!(two_servers_share_the_work).on(&[Engine::Postgres]),
        journey!(what_a_killed_server_held_goes_on_within_one_lease)
            .on(&[Engine::Postgres])
            .alone(),
        journey!(one_answers_and_another_works).on(&[Engine::Postgres]),
        journey!(what_one_changes_the_other_sees).on(&[Engine::Postgres]),
        journey!(line_18_a_definition_put_at_one_binds_the_other).on(&[Engine::Postgres]),
    ]
}

async fn two(settings: &[&str]) -> [Server; 2] {
    let data = Arc::new(Data::fresh(Engine::Postgres).await);
    let launch = || {
        settings
            .iter()
            .fold(Launch::beside(&data), |launch, setting| launch.set(setting))
    };
    // At once, so that both find an empty store and one of them makes the schema.
    let (one, other) = futures::join!(launch().start(), launch().start());
    [one, other]
}

async fn accept(api: &Api, records: impl Iterator<Item = String>) -> Vec<String> {
    let writes = records.map(|record| {
        api.put(&resource(&record), json!({"data": {"of": record}}))
            .later()
            .into_future()
    });
    join_all(writes)
        .await
        .into_iter()
        .map(|answer| answer.is(202).task())
        .collect()
}

async fn attempts(api: &Api, task: &str) -> Vec<Value> {
    let seen = api.get(&format!("/ops/v1/tasks/{task}")).await.is(200).json();
    seen["attempts"].as_array().unwrap().clone()
}

/// Issue 2, done when 5: "Two servers on one PostgreSQL share the work".
async fn two_servers_share_the_work(_: Engine) {
    let [one, other] = two(&[]).await;
    let (left, right) = (one.api(), other.api());
    let mut workers = BTreeMap::<String, usize>::new();
    let mut round = 0;
    // As often as it takes: one of them may be quick enough to do all of a round.
    while workers.len() < 2 || workers.values().any(|tasks| *tasks < 10) {
        assert!(round < 40, "after {round} rounds: {workers:?}");
        let (lefts, rights) = futures::join!(
            accept(&left, (0..40).map(|n| format!("patient/a-{round}-{n}"))),
            accept(&right, (0..40).map(|n| format!("patient/b-{round}-{n}"))),
        );
        // Each shows what the other accepted.
        for (tasks, api) in [(lefts, &right), (rights, &left)] {
            for task in tasks {
                assert_eq!(ended(api, &task).await["status"], "SUCCESS");
                let attempts = attempts(api, &task).await;
                assert_eq!(attempts.len(), 1, "no task is taken twice: {attempts:?}");
                *workers
                    .entry(attempts[0]["worker"].as_str().unwrap().to_owned())
                    .or_default() += 1;
            }
        }
        round += 1;
    }
    assert_eq!(workers.len(), 2, "there are two workers: {workers:?}");
}

const LEASE: Duration = Duration::from_secs(3);
/// The pause before the next attempt (common.md: base 1 s, full jitter), and a busy machine.
const TOLERANCE: Duration = Duration::from_secs(2);

async fn now(api: &Api) -> OffsetDateTime {
    let probe = api.put(&resource("probe/x"), json!({"data": {}})).await.json();
    instant(&probe["resource"]["meta"]["updatedAt"])
}

/// Issue 2, done when 5: "killing one loses nothing and its tasks go on within one lease."
async fn what_a_killed_server_held_goes_on_within_one_lease(_: Engine) {
    let [one, mut other] = two(&["worker.lease=3s"]).await;
    let api = one.api();
    let (mut all, mut taken_over) = (Vec::new(), 0);
    // As often as it takes to kill it with work in its hands.
    for round in 0..20 {
        let first = resource(&format!("patient/{round}-0"));
        let killing = async {
            until("work has begun", LONG, async || {
                (api.get(&first).await.status == 200).then_some(())
            })
            .await;
            other.kill().await;
            now(&api).await
        };
        let accepting = accept(&api, (0..300).map(|n| format!("patient/{round}-{n}")));
        let (tasks, killed_at) = futures::join!(accepting, killing);
        for task in &tasks {
            let seen = ended(&api, task).await;
            assert_eq!(seen["status"], "SUCCESS", "{seen}");
            let attempts = attempts(&api, task).await;
            let last = instant(&attempts.last().expect("there was an attempt")["startedAt"]);
            if attempts.len() > 1 {
                taken_over += 1;
                assert!(
                    last <= killed_at + LEASE + TOLERANCE,
                    "killed at {killed_at}, too late: {attempts:?}"
                );
                assert!(
                    attempts[0]["error"].is_string(),
                    "the lost one is told: {attempts:?}"
                );
            }
            assert!(attempts.len() <= 2, "{attempts:?}");
        }
        all.extend(tasks);
        if taken_over > 0 {
            break;
        }
        other.start_again().await;
    }
    assert!(taken_over > 0, "the killed server never had a task in its hands");
    assert_each_done_once(&api, &all).await;
}

/// The audit entry commits with the effect, so there is one for each.
async fn assert_each_done_once(api: &Api, tasks: &[String]) {
    let (mut done, mut path) = (
        BTreeMap::<String, usize>::new(),
        "/ops/v1/audit?limit=200".to_owned(),
    );
    loop {
        let page = api.get(&path).await.is(200).json();
        for entry in page["items"].as_array().unwrap() {
            let target = entry["target"].as_str().unwrap();
            if entry["outcome"] == "done" && target.starts_with("northclinic/patient/") {
                *done.entry(target.to_owned()).or_default() += 1;
            }
        }
        match page["next"].as_str() {
            Some(next) => path = format!("/ops/v1/audit?limit=200&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(done.len(), tasks.len());
    let twice: Vec<_> = done.iter().filter(|(_, count)| **count != 1).collect();
    assert!(twice.is_empty(), "done more than once: {twice:?}");
}

/// common.md: "`--role api|worker|all`".
async fn one_answers_and_another_works(_: Engine) {
    let data = Arc::new(Data::fresh(Engine::Postgres).await);
    let front = Launch::beside(&data).set("server.role=api").start().await;
    let api = front.api();
    let first = accept(&api, (0..20).map(|n| format!("patient/{n}"))).await;
    let queued = api.get("/ops/v1/queues").await.is(200).json()["items"][0]["queued"].clone();
    assert_eq!(queued, 20, "nobody is there to work");
    let back = Launch::beside(&data).set("server.role=worker").spawn();
    for task in &first {
        assert_eq!(ended(&api, task).await["status"], "SUCCESS");
    }
    assert!(
        back.api().get("/health/live").attempt().await.is_err(),
        "a worker does not listen"
    );
    // It hears of new work at once, not only when it looks.
    let mut waits = Vec::new();
    for n in 0..20 {
        let task = accept(&api, std::iter::once(format!("visit/{n}")))
            .await
            .remove(0);
        ended(&api, &task).await;
        let seen = api.get(&format!("/ops/v1/tasks/{task}")).await.is(200).json();
        waits.push(instant(&seen["attempts"][0]["startedAt"]) - instant(&seen["acceptedAt"]));
    }
    waits.sort();
    assert!(waits[waits.len() / 2] < Duration::from_millis(100), "{waits:?}");
    assert_eq!(back.stop(LONG).await.code(), Some(0), "{}", back.log());
}

/// One of them is answered 201, all others `others`.
#[track_caller]
fn assert_one_is_created(answers: Vec<Answer>, others: u16) {
    let mut statuses: Vec<_> = answers.into_iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    let created = statuses
        .iter()
        .position(|status| *status == 201)
        .expect("one is created");
    statuses.remove(created);
    assert!(statuses.iter().all(|status| *status == others), "{statuses:?}");
}

/// common.md, promise 5: "Reads see committed data", whoever committed them.
async fn what_one_changes_the_other_sees(_: Engine) {
    let [one, other] = two(&[]).await;
    let (left, right) = (one.api(), other.api());
    let path = resource("patient/x");
    let etag = left.put(&path, json!({"data": {"n": 1}})).await.is(201).etag();
    assert_eq!(right.get(&path).await.is(200).etag(), etag);
    right
        .put(&path, json!({"data": {"n": 2}}))
        .header("If-Match", &etag)
        .await
        .is(200);
    left.put(&path, json!({"data": {"n": 3}}))
        .header("If-Match", &etag)
        .await
        .is(412);

    // Races across servers end as races within one.
    for round in 0..4 {
        let id = format!("round-{round}");
        let posts = (0..16).map(|n| {
            let api = if n % 2 == 0 { &left } else { &right };
            api.post(&resource("patient"), json!({"id": id, "data": {"n": n}}))
                .into_future()
        });
        assert_one_is_created(join_all(posts).await, 409);
        let puts = (0..16).map(|n| {
            let api = if n % 2 == 0 { &left } else { &right };
            api.put(&resource(&format!("visit/{id}")), json!({"data": {"n": n}}))
                .into_future()
        });
        assert_one_is_created(join_all(puts).await, 200);
    }
    // A pause holds for both.
    pause(&left, true).await;
    let task = accept(&right, std::iter::once("patient/paused".to_owned()))
        .await
        .remove(0);
    pause(&right, false).await;
    assert_eq!(ended(&left, &task).await["status"], "SUCCESS");

    // A key revoked at one is refused by the other soon.
    let draft = json!({"kind": "api_key", "name": "x", "scopes": ["registry:read"]});
    let made = left.post("/ops/v1/credentials", draft).await.is(201).json();
    let revoked = right.with_key(made["secret"].as_str());
    revoked.get(&path).await.is(200);
    left.delete(&format!("/ops/v1/credentials/{}", made["id"].as_str().unwrap()))
        .await
        .is(204);
    until(
        "the other server refuses the revoked key",
        Duration::from_secs(3),
        async || (revoked.get(&path).await.status == 401).then_some(()),
    )
    .await;
}

/// Registry, 18: "A stored record satisfied the definition in force when it was last written", whichever server put it and
/// whatever the other one remembers.
async fn line_18_a_definition_put_at_one_binds_the_other(_: Engine) {
    let [one, other] = two(&[]).await;
    let (left, right) = (one.api(), other.api());
    let profile = "/sources/northclinic/v1/profiles/patient";
    let of = |round: u32| {
        let rules = json!([{"min": round}, {"max": round}]);
        json!({"type": "ROOT", "properties": {"round": {"type": "integer", "rules": rules}}})
    };
    left.put(profile, of(0)).await.is(201);
    let write = async |api: &Api, id: String, round: u32| {
        let body = json!({"data": {"round": round}});
        api.put(&resource(&format!("patient/{id}")), body).await.status
    };
    for round in 1..=20 {
        // Both remember the last one.
        assert_eq!(write(&left, format!("l-{round}"), round - 1).await, 201);
        assert_eq!(write(&right, format!("r-{round}"), round - 1).await, 201);
        let old = (0..8).map(|n| write(&right, format!("o-{round}-{n}"), round - 1));
        let (put, raced) = futures::join!(left.put(profile, of(round)).into_future(), join_all(old));
        put.is(200);
        assert!(
            raced.iter().all(|status| matches!(status, 201 | 400)),
            "{raced:?}"
        );
        assert_eq!(write(&right, format!("x-{round}"), round - 1).await, 400);
        assert_eq!(write(&right, format!("y-{round}"), round).await, 201);
    }
}
