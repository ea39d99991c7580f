//! `/health/ready` (issue 3: "checks store, migrations and worker heartbeat") when something is not as it should be,
//! and the listener of a process that only works.

use super::harness::data::OwnPostgres;
use super::harness::tenant::resource;
use super::harness::wait::LONG;
use super::harness::{Answer, Api, Data, Engine, Journey, Launch, Need, Server, journey, until};
use futures::future::join_all;
use sea_orm::{ConnectionTrait, Database};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::time::{Duration, Instant};

pub fn journeys() -> Vec<Journey> {
    const POSTGRES: &[Engine] = &[Engine::Postgres];
    vec![
        journey!(a_database_that_goes_away_is_named_until_it_is_back)
            .on(POSTGRES)
            .needs(&[Need::OwnPostgres]),
        journey!(a_store_that_hangs_is_told_of_at_once).on(POSTGRES),
        journey!(a_worker_that_stalls_is_named).on(POSTGRES),
        journey!(a_worker_is_asked_at_a_listener_of_its_own),
    ]
}

/// Long enough on a busy machine, and short enough for whoever asks every few seconds.
const SOON: Duration = Duration::from_secs(4);

async fn ready(api: &Api) -> Answer {
    let began = Instant::now();
    let answer = api.get("/health/ready").await;
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    answer
}

fn good() -> Value {
    let passed = json!({"status": "passed"});
    json!({"status": "ready", "checks": {"store": passed, "migrations": passed, "worker": passed}})
}

async fn until_good(api: &Api) {
    until("it is ready again", LONG, async || {
        let answer = ready(api).await;
        (answer.status == 200).then(|| assert_eq!(answer.json(), good()))
    })
    .await;
}

async fn a_database_that_goes_away_is_named_until_it_is_back(_: Engine) {
    let postgres = OwnPostgres::start().await;
    let server = Launch::on(Data::at(postgres.url().to_owned())).start().await;
    let api = server.api();
    until_good(&api).await;
    for _ in 0..2 {
        postgres.stop().await;
        let answer = until("its absence is noticed", LONG, async || {
            let answer = ready(&api).await;
            (answer.status == 503).then_some(answer)
        })
        .await;
        let seen = answer.json();
        assert_eq!(
            (&seen["status"], &seen["checks"]["store"]["status"]),
            (&json!("failing"), &json!("failed"))
        );
        assert_eq!(seen["checks"]["migrations"], json!({"status": "unknown"}));
        api.get("/health/live").await.is(200);
        postgres.start_again().await;
        until_good(&api).await;
    }
    // The connection that writes may find out only now that it was lost.
    until("writes are done again", LONG, async || {
        let answer = api.put(&resource("patient/x"), json!({"data": {}})).await;
        matches!(answer.status, 200 | 201).then_some(())
    })
    .await;
}

/// Holds a table, so that whoever wants to read it waits.
async fn held(server: &Server, table: &str) -> sea_orm::DatabaseConnection {
    let mut options = sea_orm::ConnectOptions::new(server.data().url());
    options.max_connections(1).sqlx_logging(false);
    let connection = Database::connect(options).await.unwrap();
    let hold = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
    connection.execute_unprepared(&hold).await.unwrap();
    connection
}

async fn a_store_that_hangs_is_told_of_at_once(engine: Engine) {
    let server = Server::fresh(engine).await;
    let api = server.api();
    let held = held(&server, "seaql_migrations").await;
    for _ in 0..2 {
        for answer in join_all((0..50).map(|_| ready(&api))).await {
            let seen = answer.is(503).json();
            assert_eq!(seen["checks"]["store"]["status"], "failed");
        }
    }
    // All of them left the other connections alone.
    api.put(&resource("patient/x"), json!({"data": {}})).await.is(201);
    api.get(&resource("patient/x")).await.is(200);
    held.close().await.unwrap();
    until_good(&api).await;
}

async fn a_worker_that_stalls_is_named(engine: Engine) {
    let launch = Launch::on(Data::fresh(engine).await).set("worker.lease=1s");
    let server = launch.start().await;
    let api = server.api();
    until_good(&api).await;
    let held = held(&server, "tasks").await;
    let answer = until("its silence is noticed", LONG, async || {
        let answer = ready(&api).await;
        (answer.status == 503).then_some(answer)
    })
    .await;
    let checks = answer.json()["checks"].clone();
    assert_eq!(checks["store"], json!({"status": "passed"}));
    assert_eq!(checks["worker"]["status"], "failed");
    held.close().await.unwrap();
    until_good(&api).await;
}

async fn a_worker_is_asked_at_a_listener_of_its_own(engine: Engine) {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let launch = Launch::on(Data::fresh(engine).await);
    let mut server = launch.clone().start().await;
    let seen = ready(&server.api()).await.is(200).json();
    assert_eq!(seen, good());
    assert!(server.stop(LONG).await.success());

    let worker = launch.clone().set("server.role=worker");
    let worker = worker
        .set(&format!("server.health_listen=127.0.0.1:{port}"))
        .spawn();
    let api = Api::new(&format!("http://127.0.0.1:{port}"), None);
    until("the worker is ready", LONG, async || {
        let answer = api.get("/health/ready").attempt().await.ok()?;
        (answer.status == 200).then(|| assert_eq!(answer.json(), good()))
    })
    .await;
    api.get("/health/live").await.is(200);
    let metrics = api.get("/metrics").await.is(200).text;
    assert!(metrics.contains("caretrack_leases_lost_total"), "{metrics}");
    // Nothing else is there, with whatever key; nor at the address for clients.
    let http = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .unwrap();
    for path in ["/openapi.json", "/docs/", "/ops/v1/tasks", &resource("patient/x")] {
        let request = http.get(format!("http://127.0.0.1:{port}{path}"));
        let answer = request
            .header("X-Clinia-API-Key", server.api().key())
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 404, "{path}");
    }
    assert!(http.get(worker.address()).send().await.is_err());
    assert!(worker.stop(LONG).await.success());

    // Whoever only answers has no worker to be asked about.
    server.start_again_as(launch.set("server.role=api")).await;
    let seen = ready(&server.api()).await.is(200).json();
    assert!(seen["checks"].get("worker").is_none(), "{seen}");
}
