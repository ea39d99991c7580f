//! The key, the write and the answer are one commit: whatever is killed or delayed, there is all or nothing.

use super::{KEY, is_replayed, said};
use crate::e2e::harness::tenant::{ended, resource};
use crate::e2e::harness::{Answer, Api, Call, Data, Engine, Journey, Launch, Server, journey};
use futures::FutureExt;
use futures::future::{join_all, select};
use futures::stream::{FuturesUnordered, StreamExt};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

pub fn journeys() -> Vec<Journey> {
    vec![
        journey!(while_the_first_is_in_flight_the_second_is_told_so),
        journey!(what_a_killed_server_had_done_is_answered_by_the_next),
        journey!(of_a_race_at_two_servers_one_does_it).on(&[Engine::Postgres]),
    ]
}

/// Keeps every commit waiting, until it is dropped or told to go on.
pub struct Brake {
    connection: DatabaseConnection,
}

impl Brake {
    pub async fn on(server: &Server, engine: Engine) -> Self {
        let mut options = sea_orm::ConnectOptions::new(server.data().url());
        options.max_connections(1).sqlx_logging(false);
        let connection = Database::connect(options).await.unwrap();
        let hold = match engine {
            Engine::Sqlite => "BEGIN IMMEDIATE",
            // Reading goes on.
            Engine::Postgres => "BEGIN; LOCK TABLE audit IN EXCLUSIVE MODE",
        };
        connection.execute_unprepared(hold).await.unwrap();
        Self { connection }
    }

    pub async fn release(self) {
        self.connection.execute_unprepared("ROLLBACK").await.unwrap();
        self.connection.close().await.unwrap();
    }
}

/// "the first still in flight gives 409"
async fn while_the_first_is_in_flight_the_second_is_told_so(engine: Engine) {
    let server = Server::fresh(engine).await;
    let api = server.api();
    let path = resource("patient/x");
    // So that nothing is looked up for the first time while the store is held.
    api.put(&path, json!({"data": {"n": 0}})).await.is(201);
    let asks: [(&str, &dyn Fn() -> Call); 3] = [
        ("at-once", &|| api.put(&path, json!({"data": {"n": 1}}))),
        ("later", &|| api.put(&path, json!({"data": {"n": 2}})).later()),
        ("operator", &|| api.post("/ops/v1/patients", json!({}))),
    ];
    for (key, ask) in asks {
        let ask = || ask().header(KEY, key).into_future();
        let brake = Brake::on(&server, engine).await;
        // Whichever comes first cannot commit; the other one need not wait for that.
        let (told, waiting) = select(ask(), ask()).await.factor_first();
        let told = told.is(409);
        assert_eq!(told.header("retry-after"), "1");
        assert!(!is_replayed(&told));
        if key == "operator" {
            told.problem(409);
        } else {
            told.refused(409, "FAILED_PRECONDITION", &[]);
        }
        let mut waiting = waiting;
        assert!((&mut waiting).now_or_never().is_none(), "the store is held");
        brake.release().await;
        let first = waiting.await;
        assert!(
            (200..300).contains(&first.status),
            "{}: {}",
            first.status,
            first.text
        );
        assert!(!is_replayed(&first));
        let again = ask().await;
        assert!(is_replayed(&again));
        assert_eq!(said(&again), said(&first));
    }
}

const REQUESTS: usize = 60;

fn write(api: &Api, n: usize) -> Call {
    let body = json!({"data": {"n": n}});
    let key = format!("k-{n}");
    match n % 3 {
        0 => api.post(&resource("patient"), body).header(KEY, &key),
        1 => api
            .put(&resource(&format!("patient/{n}")), body)
            .later()
            .header(KEY, &key),
        _ => api
            .put(&resource(&format!("patient/{n}")), body)
            .header(KEY, &key),
    }
}

/// Issue 3: "a crash between write and stored answer must not lose the answer's task id".
async fn what_a_killed_server_had_done_is_answered_by_the_next(engine: Engine) {
    let launch = Launch::on(Data::fresh(engine).await).set("worker.lease=2s");
    let mut server = launch.start().await;
    let api = server.api();
    // How many are answered when it is killed; nobody knows what of the others was done.
    for (round, answered) in [1, 7, 23, 45].into_iter().enumerate() {
        let requests = round * REQUESTS..(round + 1) * REQUESTS;
        let mut calls: FuturesUnordered<_> = requests
            .clone()
            .map(|n| {
                let call = write(&api, n);
                async move { (n, call.attempt().await) }
            })
            .collect();
        let mut told: BTreeMap<usize, Answer> = BTreeMap::new();
        while let Some((n, answer)) = calls.next().await {
            let Ok(answer) = answer else { continue };
            assert!(matches!(answer.status, 201 | 202), "{}", answer.text);
            told.insert(n, answer);
            if told.len() == answered {
                server.kill().await;
            }
        }
        server.start_again().await;
        // What was answered is answered again; all else now is, once and for all.
        for n in requests {
            let again = write(&api, n).await;
            match told.get(&n) {
                Some(first) => {
                    assert!(is_replayed(&again), "{n} was answered and is not known");
                    assert_eq!(said(&again), said(first));
                }
                None => assert!(matches!(again.status, 201 | 202), "{}", again.text),
            }
            let third = write(&api, n).await;
            assert!(is_replayed(&third));
            assert_eq!(said(&third), said(&again));
            if n % 3 == 1 {
                assert_eq!(ended(&api, &again.task()).await["status"], "SUCCESS");
            }
        }
        let (mut tasks, mut next) = (0, String::new());
        loop {
            let page = api
                .get(&format!("/ops/v1/tasks?limit=200{next}"))
                .await
                .is(200)
                .json();
            tasks += page["items"].as_array().unwrap().len();
            let Some(cursor) = page["next"].as_str() else {
                break;
            };
            next = format!("&cursor={cursor}");
        }
        assert_eq!(tasks, (round + 1) * REQUESTS, "one task for each key");
    }
}

/// Between servers it is the commit that tells: of two that race, exactly one can have the key.
async fn of_a_race_at_two_servers_one_does_it(_: Engine) {
    let data = Arc::new(Data::fresh(Engine::Postgres).await);
    let (one, other) = futures::join!(Launch::beside(&data).start(), Launch::beside(&data).start());
    let (left, right) = (one.api(), other.api());
    for round in 0..20 {
        let key = format!("k-{round}");
        let ask = |n: usize| {
            let api = if n.is_multiple_of(2) { &left } else { &right };
            let body = json!({"data": {"round": round}});
            let call = match round % 3 {
                0 => api.post(&resource("patient"), body),
                1 => api.put(&resource(&format!("patient/{round}")), body).later(),
                _ => api.put(&resource(&format!("patient/{round}")), body),
            };
            call.header(KEY, &key).into_future()
        };
        let answers = join_all((0..8).map(ask)).await;
        let firsts = answers.iter().filter(|a| a.status != 409 && !is_replayed(a));
        assert_eq!(firsts.count(), 1, "{answers:?}");
        let last = ask(round).await;
        assert!(is_replayed(&last));
        for answer in answers.iter().filter(|answer| answer.status != 409) {
            assert_eq!(said(answer), said(&last));
        }
    }
    let tasks = left.get("/ops/v1/tasks?limit=200").await.is(200).json();
    assert_eq!(tasks["items"].as_array().unwrap().len(), 20);
}
