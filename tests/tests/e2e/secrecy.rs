//! What is never told (common.md: "Secrets are ... never logged"; design: "never personal data"): everything a client
//! can send is marked, everything that can go wrong does, and then the whole log of a server that says all it can is
//! searched, its metrics and its traces as well.

use super::harness::data::tell;
use super::harness::issuer::{claims, hmac};
use super::harness::tenant::{ended, pause, resource};
use super::harness::wait::{LONG, within};
use super::harness::{Api, Data, Engine, Journey, Launch, Server, journey, until};
use super::telemetry::collector::Collector;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub fn journeys() -> Vec<Journey> {
    vec![journey!(nothing_that_is_sent_is_told_whatever_goes_wrong)]
}

/// Every marker has it, and nothing of ours does.
const MARK: &str = "zq7xk";

/// Something unique to send, and to search for.
fn mark(what: &str) -> String {
    format!("{MARK}-{what}")
}

struct World {
    server: Server,
    collector: Collector,
    hook: String,
    called: Arc<AtomicUsize>,
    /// What the server made itself, and told once.
    secrets: Vec<String>,
}

impl World {
    async fn new(engine: Engine) -> Self {
        let collector = Collector::start().await;
        let (hook, called) = failing_hook().await;
        let mut launch = Launch::on(Data::fresh(engine).await)
            .set("log.level=trace")
            .set("webhooks.allow_private=true")
            .set("webhooks.retry.base=100ms")
            .set("limits.failed_logins_per_minute=0")
            .set("jobs.partner_key_workspaces=default")
            .set(&collector.setting());
        let secret = mark("jwt-secret-0123456789-0123456789");
        launch
            .environment
            .push(("CARETRACK__AUTH__JWT__HS256_SECRET", secret));
        launch.key = Some(format!("ct_{}", mark("bootstrap-0123456789-0123456789")));
        Self {
            server: launch.start().await,
            collector,
            hook,
            called,
            secrets: Vec::new(),
        }
    }

    fn api(&self) -> Api {
        self.server.api()
    }

    async fn made(&mut self, kind: &str) -> Value {
        let draft = json!({"kind": kind, "name": mark("name"), "scopes": ["tracker:internal"]});
        let made = self.api().post("/ops/v1/credentials", draft).await.is(201).json();
        for secret in ["secret", "password"] {
            self.secrets.extend(made[secret].as_str().map(str::to_owned));
        }
        made
    }
}

/// Whoever calls is told that something is broken. The URL is a secret as well: it has a token in it.
async fn failing_hook() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://127.0.0.1:{}/{}?token={}",
        listener.local_addr().unwrap().port(),
        mark("hook-path"),
        mark("hook-token")
    );
    let called = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&called);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 8192];
            let _ = stream.read(&mut head).await;
            let said = mark("hook-answer");
            let answer = format!(
                "HTTP/1.1 500 {said}\r\nx-said: {said}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{said}",
                said.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    (url, called)
}

/// Good and bad bodies; what is refused at once, later, and by whom.
async fn bodies(api: &Api) {
    let body = json!({
        "data": {"name": mark("data"), mark("member"): 1},
        "meta": {"identifier": [{"value": mark("identifier")}]},
    });
    api.put(&resource("patient/x"), &body).await.is(201);
    api.get(&resource("patient/x")).await.is(200);
    let later = async |call: super::harness::Call| {
        let task = call.later().await.is(202).task();
        ended(api, &task).await
    };
    later(api.put(&resource("patient/x"), &body)).await;
    // Refused when its turn comes.
    let refused = api
        .put(&resource("patient/x"), &body)
        .header("If-Match", &format!("\"{}\"", mark("etag")));
    assert_eq!(later(refused).await["status"], "FAILURE");
    for text in [
        format!(r#"{{"data":{{"name":"{}""#, mark("malformed")),
        format!(r#"{{"data":"{}"}}"#, mark("wrong-type")),
        format!(r#"{{"{}":1}}"#, mark("unknown-member")),
        mark("no-json"),
    ] {
        let answer = api.put(&resource("patient/y"), text).await;
        assert!((400..500).contains(&answer.status), "{}", answer.text);
    }
    let kind = format!("text/{MARK}");
    api.call(Method::PUT, &resource("patient/y"))
        .body(&kind, mark("kind"))
        .await
        .is(415);
    let large = format!("\"{}{}\"", mark("large"), "x".repeat(2 << 20));
    let large = api.put(&resource("patient/y"), large).attempt().await;
    assert!(large.is_err() || large.unwrap().status == 413);
    let patient = json!({"patientId": mark("patient")});
    api.post("/ops/v1/patients", &patient).await.is(201);
    api.post("/ops/v1/patients", &patient).await.problem(409);
    for path in [
        format!("/ops/v1/tasks?cursor={}", mark("cursor")),
        format!("/ops/v1/tasks?{}=1", mark("query")),
    ] {
        api.get(&path).await;
    }
    // A key of one's own, asked twice, and for something else.
    let keyed = || {
        api.put(&resource("patient/k"), &body)
            .header("Idempotency-Key", &mark("idempotency"))
    };
    keyed().await.is(201);
    keyed().await.is(201);
    let other = api.put(&resource("patient/l"), &body);
    other
        .header("Idempotency-Key", &mark("idempotency"))
        .await
        .is(422);
}

async fn credentials(world: &mut World) {
    const WHOAMI: &str = "/ops/v1/whoami";
    let api = world.api();
    let nobody = api.with_key(None);
    let (key, client, partner) = (
        world.made("api_key").await,
        world.made("client").await,
        world.made("partner_key").await,
    );
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    api.with_key(key["secret"].as_str()).get(WHOAMI).await.is(200);
    let (name, password) = (text(&client["username"]), text(&client["password"]));
    let by_password = |name: &str, password: &str| {
        nobody
            .get(WHOAMI)
            .header("username", name)
            .header("password", password)
    };
    by_password(&name, &password).await.is(200);
    by_password(&name, &mark("password")).await.is(401);
    by_password(&mark("username"), &mark("password")).await.is(401);
    let secret = mark("jwt-secret-0123456789-0123456789");
    let mut claimed = claims("default");
    claimed["sub"] = mark("subject").into();
    claimed["username"] = mark("token-username").into();
    claimed["patientId"] = mark("token-patient").into();
    let good = hmac(secret.as_bytes(), &claimed);
    claimed["exp"] = 1.into();
    let expired = hmac(secret.as_bytes(), &claimed);
    let bearer = |token: &str| {
        nobody
            .get(WHOAMI)
            .header("Authorization", &format!("Bearer {token}"))
    };
    let partner_key = text(&partner["secret"]);
    bearer(&good).header("api-key", &partner_key).await.is(200);
    for token in [
        expired.as_str(),
        &good[..good.len() - 2],
        &mark("token"),
        &format!("ct_{}", mark("key")),
    ] {
        bearer(token).await.is(401);
    }
    let basic = format!("Basic {}", mark("basic"));
    nobody.get(WHOAMI).header("Authorization", &basic).await.is(401);
    let call = bearer(&good)
        .header("api-key", &mark("partner"))
        .header("Cookie", &mark("cookie"));
    call.header("X-Forwarded-For", &mark("forwarded"))
        .header("traceparent", &mark("traceparent"))
        .await;
    let parts = good.split('.').chain(expired.split('.').skip(1));
    world.secrets.extend(parts.skip(1).map(str::to_owned));
}

/// What the HTTP library refuses by itself.
async fn no_http(server: &Server) {
    let key = mark("raw-key");
    for text in [
        format!("{}\r\n\r\n", mark("request-line")),
        format!("GET /{} HTTP/9.9\r\n\r\n", mark("version")),
        format!(
            "GET / HTTP/1.1\r\nX-Clinia-API-Key: {key}\r\nbad header {}\r\n\r\n",
            mark("header")
        ),
        format!(
            "PUT {} HTTP/1.1\r\nHost: x\r\nX-Clinia-API-Key: {key}\r\nTransfer-Encoding: chunked\r\n\r\n{}\r\n",
            resource("patient/z"),
            mark("chunk")
        ),
        format!("GET / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", mark("length")),
        // And one that leaves in the middle of a body.
        format!(
            "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{}",
            mark("half")
        ),
    ] {
        let mut stream = TcpStream::connect(server.api().authority()).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut said = [0; 1024];
        let _ = tokio::time::timeout(Duration::from_millis(300), stream.read(&mut said)).await;
    }
}

/// Faults of ours: a task that cannot be decoded, a database that refuses and shows the row in its refusal.
async fn faults(world: &World, engine: Engine) {
    let api = world.api();
    let url = world.server.data().url();
    pause(&api, true).await;
    let broken = api
        .put(&resource("patient/b"), json!({"data": {"x": mark("broken")}}))
        .later();
    let broken = broken.await.is(202).task();
    tell(
        url,
        &format!("UPDATE operations SET payload = '{}'", mark("payload")),
    )
    .await;
    pause(&api, false).await;
    ended(&api, &broken).await;

    let refuse = match engine {
        Engine::Postgres => format!(
            "ALTER TABLE resources ADD CONSTRAINT no CHECK (data IS NULL OR data NOT LIKE '%{}%')",
            mark("database")
        ),
        Engine::Sqlite => format!(
            "CREATE TRIGGER no BEFORE INSERT ON resources WHEN NEW.data LIKE '%{}%' \
             BEGIN SELECT RAISE(ABORT, 'no'); END",
            mark("database")
        ),
    };
    tell(url, &refuse).await;
    let answer = api
        .put(&resource("patient/d"), json!({"data": {"x": mark("database")}}))
        .await;
    answer.error(503, "INTERNAL");
    let webhook = json!({"url": world.hook, "types": ["task"]});
    api.post("/ops/v1/webhooks", webhook).await.is(201);
    api.put(&resource("patient/w"), json!({"data": {}})).await.is(201);
    until("the hook is called again", LONG, async || {
        (world.called.load(Ordering::Relaxed) > 1).then_some(())
    })
    .await;
    // Nobody is there at all, and a name that leads nowhere.
    for url in [
        format!("http://127.0.0.1:1/{}", mark("closed-port")),
        format!("http://no-such-host.invalid/{}", mark("no-name")),
    ] {
        api.post("/ops/v1/webhooks", json!({"url": url, "types": ["task"]}))
            .await
            .is(201);
    }
    api.put(&resource("patient/w"), json!({"data": {"n": 2}}))
        .await
        .is(200);
    tokio::time::sleep(Duration::from_secs(1)).await;
}

async fn nothing_that_is_sent_is_told_whatever_goes_wrong(engine: Engine) {
    let mut world = World::new(engine).await;
    let api = world.api();
    bodies(&api).await;
    credentials(&mut world).await;
    no_http(&world.server).await;
    faults(&world, engine).await;
    let metrics = api.get("/metrics").await.is(200).text;
    within("it stops", LONG, world.server.stop(LONG)).await;

    let traces = world.collector.raw();
    assert!(
        world.collector.spans().iter().any(|span| span.failed),
        "the 503 is seen"
    );
    let log = world.server.log();
    for level in ["TRACE", "DEBUG", "WARN", "ERROR"] {
        assert!(log.contains(level), "there is much to search: no {level}");
    }
    let mut told = world.secrets.clone();
    told.push(MARK.to_owned());
    if let Some((_, rest)) = world.server.data().url().split_once("://caretrack:") {
        told.push(rest.split('@').next().unwrap().to_owned());
    }
    // As a list of bytes, too.
    let bytes = format!("{:?}", MARK.as_bytes());
    told.push(bytes.trim_matches(['[', ']']).to_owned());
    let mut found = Vec::new();
    for (where_, text) in [("log", &log), ("metrics", &metrics), ("traces", &traces)] {
        for told in &told {
            assert!(told.len() >= MARK.len(), "{told:?} says nothing");
            let lines = text.lines().filter(|line| line.contains(told.as_str()));
            found.extend(lines.map(|line| format!("{where_}: {told}: {line:.600}")));
        }
    }
    assert!(found.is_empty(), "{} lines:\n{}", found.len(), found.join("\n"));
}
