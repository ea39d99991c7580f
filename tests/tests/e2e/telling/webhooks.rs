//! Webhooks: "completion notices signed by the Standard Webhooks scheme, retried with backoff, never to private
//! addresses unless allowed" (common.md).

use super::receiver::{Received, Receiver};
use crate::e2e::harness::issuer::{claims, from_now, hmac};
use crate::e2e::harness::tenant::{ended, resource};
use crate::e2e::harness::wait::LONG;
use crate::e2e::harness::{
    Api, Data, Engine, Journey, Launch, Server, Tenant, instant, journey, tenant_journey, until,
};
use futures::future::join_all;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(private_addresses_are_refused),
        tenant_journey!(a_secret_is_shown_once),
        journey!(notices_are_signed_and_tell_ids_only),
        journey!(signatures_and_tokens_go_by_the_systems_time),
        journey!(a_notice_is_sent_until_it_is_taken),
        journey!(a_receiver_that_is_gone_is_left_alone),
        journey!(no_notice_is_lost_when_the_server_is_killed),
        journey!(two_servers_tell_it_once).on(&[Engine::Postgres]),
    ]
}

const QUICK: [&str; 3] = [
    "webhooks.allow_private=true",
    "webhooks.retry.base=200ms",
    "webhooks.timeout=2s",
];

fn quick(launch: Launch) -> Launch {
    QUICK.iter().fold(launch, |launch, setting| launch.set(setting))
}

async fn add(api: &Api, url: &str, types: Value) -> Value {
    api.post("/ops/v1/webhooks", json!({"url": url, "types": types}))
        .await
        .is(201)
        .json()
}

async fn until_received(hook: &Receiver, count: usize) -> Vec<Received> {
    until(&format!("{count} notices have come"), LONG, async || {
        let received = hook.received();
        (received.len() >= count).then_some(received)
    })
    .await
}

fn uuid(task: &str) -> String {
    Uuid::parse_str(task.trim_start_matches("s_"))
        .unwrap()
        .to_string()
}

/// As a hook would: with a library of the scheme.
#[track_caller]
fn verify(secret: &Value, received: &Received) {
    let webhook = standardwebhooks::Webhook::new(secret.as_str().unwrap()).unwrap();
    webhook
        .verify(received.body.as_bytes(), &received.headers)
        .unwrap();
    let mut other = received.body.clone();
    other.push(' ');
    assert!(webhook.verify(other.as_bytes(), &received.headers).is_err());
}

/// ADR 10: what others judge by their clocks goes by the system's, however far ours was moved.
async fn signatures_and_tokens_go_by_the_systems_time(engine: Engine) {
    const SECRET: &str = "e2e-hs256-secret-0123456789-0123456789";
    let hook = Receiver::start(|_| Some(204)).await;
    let mut launch = quick(Launch::on(Data::fresh(engine).await)).set("clock.mode=manual");
    let secret = ("CARETRACK__AUTH__JWT__HS256_SECRET", SECRET.to_owned());
    launch.environment.push(secret);
    let server = launch.start().await;
    let api = server.api();
    let made = add(&api, &hook.url(), json!(["patient"])).await;
    // Good for a minute, as are signatures for some minutes.
    let mut good = claims("default");
    good["exp"] = from_now(60).into();
    let mut early = good.clone();
    early["nbf"] = from_now(3600).into();
    let nobody = api.with_key(None);
    for by in ["PT0S", "P42D", "P365D"] {
        if by != "PT0S" {
            api.post("/ops/v1/clock", json!({"advance": by})).await.is(200);
        }
        let asked = hook.received().len();
        api.post("/ops/v1/patients", json!({})).await.is(201);
        for received in &until_received(&hook, asked + 1).await[asked..] {
            verify(&made["secret"], received);
            let sent: i64 = received.header("webhook-timestamp").parse().unwrap();
            assert!((sent - from_now(0)).abs() < 60, "{by}");
        }
        for (claims, status) in [(&good, 200), (&early, 401)] {
            let bearer = format!("Bearer {}", hmac(SECRET.as_bytes(), claims));
            let whoami = nobody.get("/ops/v1/whoami").header("Authorization", &bearer);
            whoami.await.is(status);
        }
    }
}

async fn private_addresses_are_refused(tenant: &Tenant) {
    let api = &tenant.api;
    for url in [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest",
        "https://0x7f000001/",
        "https://[::ffff:127.0.0.1]/",
        "ftp://example.com/",
        "not a url",
        "https://me:pw@example.com/",
    ] {
        let refused = api
            .post("/ops/v1/webhooks", json!({"url": url}))
            .await
            .problem(400);
        assert_eq!(refused.json()["errors"][0]["path"], "$.url", "{url}");
    }
    for body in [
        json!({}),
        json!({"url": "https://example.com/", "types": ["task.done"]}),
        json!({"url": "https://example.com/", "types": "task"}),
        json!({"url": "https://example.com/", "x": 1}),
    ] {
        api.post("/ops/v1/webhooks", body).await.problem(400);
    }
    assert_eq!(
        api.get("/ops/v1/webhooks").await.is(200).json()["items"],
        json!([])
    );
}

async fn a_secret_is_shown_once(tenant: &Tenant) {
    let api = &tenant.api;
    let made = add(api, "https://example.com/hook", json!(["patient"])).await;
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
    let listed = api.get("/ops/v1/webhooks").await.is(200).json();
    let mut shown = made.clone();
    shown.as_object_mut().unwrap().remove("secret");
    assert_eq!(listed["items"], json!([shown]));
    let path = format!("/ops/v1/webhooks/{}", made["id"].as_str().unwrap());
    // Another workspace has nothing of it.
    let other = Tenant::on(&tenant.root, json!({})).await;
    assert_eq!(
        other.api.get("/ops/v1/webhooks").await.is(200).json()["items"],
        json!([])
    );
    other.api.delete(&path).await.problem(404);
    tenant
        .limited(&["ops:read"])
        .await
        .delete(&path)
        .await
        .problem(403);
    api.delete(&path).await.is(204);
    api.delete(&path).await.problem(404);
    let log = api.get("/ops/v1/audit?limit=200").await.is(200).text;
    assert!(log.contains("webhook.add") && log.contains("webhook.remove") && !log.contains(secret));
    for n in 0..16 {
        add(api, &format!("https://example.com/{n}"), json!([])).await;
    }
    api.post("/ops/v1/webhooks", json!({"url": "https://example.com/17"}))
        .await
        .problem(422);
}

async fn notices_are_signed_and_tell_ids_only(engine: Engine) {
    let server = quick(Launch::on(Data::fresh(engine).await)).start().await;
    let (api, hook) = (server.api(), Receiver::start(|_| Some(204)).await);
    // What was before is not told of.
    api.put(&resource("patient/before"), json!({"data": {}}))
        .await
        .is(201);
    let made = add(&api, &hook.url(), json!(["task.succeeded", "patient"])).await;
    let task = api
        .put(&resource("patient/a"), json!({"data": {"name": "SECRET"}}))
        .later()
        .await
        .is(202)
        .task();
    ended(&api, &task).await;
    let patient = api
        .post("/ops/v1/patients", json!({"patientId": "SECRET-1"}))
        .await
        .is(201)
        .json();
    let received = until_received(&hook, 2).await;
    let mut types = BTreeMap::new();
    for received in &received {
        verify(&made["secret"], received);
        assert!(
            received
                .header("content-type")
                .starts_with("application/cloudevents+json")
        );
        let event = received.json();
        assert_eq!(
            (&event["specversion"], &event["id"]),
            (&json!("1.0"), &json!(received.id()))
        );
        assert!(
            event["source"].as_str().unwrap().starts_with("urn:uuid:"),
            "{event}"
        );
        assert!(!received.body.contains("SECRET"), "{event}");
        let time = event["time"].as_str().unwrap();
        assert!(time.ends_with('Z'), "{event}");
        types.insert(event["type"].as_str().unwrap().to_owned(), event["data"].clone());
    }
    let told = json!({"id": uuid(&task), "kind": "registry.write", "state": "succeeded"});
    assert_eq!(types["caretrack.task.succeeded"], told);
    assert_eq!(types["caretrack.patient.changed"], json!({"id": patient["id"]}));
    // A notice is a task, with its own place to look at; and there are no notices of notices.
    let tasks = async || api.get("/ops/v1/tasks?kind=webhook.deliver").await.is(200).json()["items"].clone();
    let all_ended = until("the deliveries have ended", LONG, async || {
        let tasks = tasks().await;
        let ended = tasks
            .as_array()
            .unwrap()
            .iter()
            .all(|task| task["state"] == "succeeded");
        ended.then_some(tasks)
    });
    assert_eq!(all_ended.await.as_array().unwrap().len(), 2);
    api.delete(&format!("/ops/v1/webhooks/{}", made["id"].as_str().unwrap()))
        .await
        .is(204);
    api.post("/ops/v1/patients", json!({})).await.is(201);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(hook.received().len(), 2);
}

async fn a_notice_is_sent_until_it_is_taken(engine: Engine) {
    let server = quick(Launch::on(Data::fresh(engine).await)).start().await;
    let api = server.api();
    // An error, a redirect, silence: none of them takes it.
    let hook = Receiver::start(|n| [Some(500), Some(302), None, Some(200)][(n - 1).min(3)]).await;
    let made = add(&api, &hook.url(), json!([])).await;
    api.post("/ops/v1/patients", json!({})).await.is(201);
    let received = until_received(&hook, 4).await;
    for received in &received[..4] {
        verify(&made["secret"], received);
        assert_eq!(received.id(), hook.received()[0].id());
        assert_eq!(received.body, hook.received()[0].body);
    }
    let task = until("it is delivered", LONG, async || {
        let tasks = api.get("/ops/v1/tasks?kind=webhook.deliver").await.is(200).json();
        let task = tasks["items"][0].clone();
        (task["state"] == "succeeded").then_some(task)
    })
    .await;
    let path = format!("/ops/v1/tasks/{}", task["id"].as_str().unwrap());
    let seen = api.get(&path).await.is(200).json();
    let errors: Vec<_> = seen["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["error"].clone())
        .collect();
    assert_eq!(
        errors[..2],
        [
            json!("the receiver answered 500"),
            json!("the receiver answered 302")
        ]
    );
    assert_eq!(errors.len(), 4);
    instant(&seen["attempts"][3]["startedAt"]);
    assert!(!seen.to_string().contains("token=1"), "{seen}");
}

async fn a_receiver_that_is_gone_is_left_alone(engine: Engine) {
    let server = quick(Launch::on(Data::fresh(engine).await)).start().await;
    let (api, hook) = (server.api(), Receiver::start(|_| Some(410)).await);
    add(&api, &hook.url(), json!([])).await;
    api.post("/ops/v1/patients", json!({})).await.is(201);
    let disabled = until("the webhook is disabled", LONG, async || {
        let listed = api.get("/ops/v1/webhooks").await.is(200).json();
        listed["items"][0]["disabledAt"]
            .is_string()
            .then_some(listed["items"][0].clone())
    })
    .await;
    instant(&disabled["disabledAt"]);
    api.post("/ops/v1/patients", json!({})).await.is(201);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(hook.received().len(), 1);
    let log = api.get("/ops/v1/audit?limit=200").await.is(200).text;
    assert!(log.contains("webhook.disable"), "{log}");
}

/// "at least once, with a stable `webhook-id`": the server is killed while notices wait, hang, and are made.
async fn no_notice_is_lost_when_the_server_is_killed(engine: Engine) {
    let launch = quick(Launch::on(Data::fresh(engine).await)).set("worker.lease=1s");
    let mut server: Server = launch.start().await;
    let api = server.api();
    // Every third is left hanging, so that there always is one on its way.
    let hook = Receiver::start(|n| if n % 3 == 0 { None } else { Some(200) }).await;
    let made = add(&api, &hook.url(), json!(["task.succeeded"])).await;
    let mut tasks = BTreeSet::new();
    for round in 0..3 {
        let writes = (0..12).map(|n| {
            api.put(&resource(&format!("patient/{round}-{n}")), json!({"data": {}}))
                .into_future()
        });
        tasks.extend(
            join_all(writes)
                .await
                .into_iter()
                .map(|answer| uuid(&answer.is(201).task())),
        );
        let before = hook.received().len();
        until_received(&hook, before + 2).await;
        server.kill().await;
        server.start_again().await;
    }
    let told = |received: &[Received]| -> BTreeMap<String, BTreeSet<String>> {
        let mut ids = BTreeMap::<_, BTreeSet<_>>::new();
        for received in received {
            let task = received.json()["data"]["id"].as_str().unwrap().to_owned();
            ids.entry(task).or_default().insert(received.id());
        }
        ids
    };
    let received = until("all are told", Duration::from_mins(1), async || {
        let received = hook.received();
        tasks
            .iter()
            .all(|task| told(&received).contains_key(task))
            .then_some(received)
    })
    .await;
    for (task, ids) in told(&received) {
        assert!(tasks.contains(&task), "{task}");
        assert_eq!(ids.len(), 1, "however often it was sent, it has one id: {ids:?}");
    }
    for received in &received {
        verify(&made["secret"], received);
    }
    until(
        "all deliveries have ended well",
        Duration::from_mins(1),
        async || {
            let mut path = "/ops/v1/tasks?kind=webhook.deliver&limit=200".to_owned();
            path.push_str("&state=succeeded");
            let ended = api.get(&path).await.is(200).json()["items"]
                .as_array()
                .unwrap()
                .len();
            (ended == tasks.len()).then_some(())
        },
    )
    .await;
}

/// Both servers make notices, and send them; there is one of each.
async fn two_servers_tell_it_once(_: Engine) {
    let data = Arc::new(Data::fresh(Engine::Postgres).await);
    let start = || quick(Launch::beside(&data)).start();
    let (one, other) = futures::join!(start(), start());
    let (left, right) = (one.api(), other.api());
    let hook = Receiver::start(|_| Some(200)).await;
    add(&left, &hook.url(), json!(["task.succeeded"])).await;
    let writes = (0..200).map(|n| {
        let api = if n % 2 == 0 { &left } else { &right };
        api.put(&resource(&format!("patient/{n}")), json!({"data": {}}))
            .into_future()
    });
    let tasks: BTreeSet<_> = join_all(writes)
        .await
        .into_iter()
        .map(|a| uuid(&a.is(201).task()))
        .collect();
    until_received(&hook, tasks.len()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let received = hook.received();
    let told: BTreeSet<_> = received
        .iter()
        .map(|r| r.json()["data"]["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(told, tasks);
    assert_eq!(received.len(), tasks.len(), "nobody died, so nothing came twice");
}
