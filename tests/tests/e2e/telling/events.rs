//! `/ops/v1/events`: "server-sent events: task, process and patient changes of the workspace, with `Last-Event-ID`
//! resume" (common.md).

use super::listener::{Heard, Listener};
use crate::e2e::harness::tenant::{credential, ended, resource};
use crate::e2e::harness::wait::{LONG, within};
use crate::e2e::harness::{
    Api, Data, Engine, Journey, Launch, Server, Tenant, instant, journey, tenant_journey,
};
use futures::future::join_all;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use uuid::Uuid;

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(events_come_in_order_and_go_on_from_any_of_them),
        tenant_journey!(only_what_is_asked_for_comes),
        tenant_journey!(a_position_that_nobody_was_shown_is_reset),
        tenant_journey!(who_may_not_listen_does_not),
        tenant_journey!(a_revoked_key_hears_no_more),
        journey!(nothing_is_missed_across_kills),
        journey!(a_stop_ends_what_is_heard),
        journey!(listeners_are_bounded).on(&[Engine::Sqlite]),
        journey!(two_servers_tell_one_story).on(&[Engine::Postgres]),
    ]
}

/// The id that operators see of a task that a dialect shows.
fn uuid(task: &str) -> String {
    Uuid::parse_str(task.trim_start_matches("s_"))
        .unwrap()
        .to_string()
}

fn brief(heard: &[Heard]) -> Vec<(String, String)> {
    heard.iter().map(Heard::brief).collect()
}

async fn events_come_in_order_and_go_on_from_any_of_them(tenant: &Tenant) {
    let (api, other) = (&tenant.api, Tenant::on(&tenant.root, json!({})).await);
    let mut listener = Listener::open(api, "", None).await;
    let from_start = listener.last_id.clone().unwrap();

    let now = api
        .put(&resource("patient/a"), json!({"data": {}}))
        .await
        .is(201)
        .task();
    other
        .api
        .put(&resource("patient/a"), json!({"data": {}}))
        .await
        .is(201);
    let later = api
        .put(&resource("patient/b"), json!({"data": {}}))
        .later()
        .await
        .is(202)
        .task();
    ended(api, &later).await;
    let patient = api
        .post("/ops/v1/patients", json!({"patientId": "SECRET-7"}))
        .await
        .is(201)
        .json();
    let refused = api.delete(&resource("patient/none")).later().await.is(202).task();
    ended(api, &refused).await;

    let heard = listener.take(6).await;
    let expected = [
        (uuid(&now), "task.succeeded"),
        (uuid(&later), "task.queued"),
        (uuid(&later), "task.succeeded"),
        (patient["id"].as_str().unwrap().to_owned(), "patient.changed"),
        (uuid(&refused), "task.queued"),
        (uuid(&refused), "task.failed"),
    ]
    .map(|(id, what)| (id, what.to_owned()));
    assert_eq!(brief(&heard), expected);
    for heard in &heard {
        assert_eq!(
            heard.data["type"].as_str().unwrap().split('.').next(),
            Some(heard.event.as_str())
        );
        instant(&heard.data["at"]);
        assert!(!heard.data.to_string().contains("SECRET"), "{heard:?}");
        let opaque = heard.id.len() == 32 && heard.id.bytes().all(|b| b.is_ascii_hexdigit());
        assert!(opaque, "{heard:?}");
    }
    // From each of them, and from the start, by header and by query: the rest, without gap or duplicate.
    for after in 0..=heard.len() {
        let id = if after == 0 {
            &from_start
        } else {
            &heard[after - 1].id
        };
        let rest = Listener::open(api, "", Some(id))
            .await
            .take(heard.len() - after)
            .await;
        assert_eq!(rest, heard[after..], "after {after}");
    }
    let query = format!("?after={}", heard[3].id);
    assert_eq!(Listener::open(api, &query, None).await.take(2).await, heard[4..]);
    // A position is its workspace's own.
    let mut elsewhere = Listener::open(&other.api, "", Some(&heard[0].id)).await;
    assert_eq!(elsewhere.take(1).await[0].event, "reset");
}

async fn only_what_is_asked_for_comes(tenant: &Tenant) {
    let api = &tenant.api;
    let mut patients = Listener::open(api, "?types=patient", None).await;
    let mut ends = Listener::open(api, "?types=task.failed,task.succeeded", None).await;
    let task = api
        .put(&resource("patient/a"), json!({"data": {}}))
        .later()
        .await
        .is(202)
        .task();
    ended(api, &task).await;
    let patient = api.post("/ops/v1/patients", json!({})).await.is(201).json();
    assert_eq!(
        ends.take(1).await[0].brief(),
        (uuid(&task), "task.succeeded".to_owned())
    );
    assert_eq!(patients.take(1).await[0].data["id"], patient["id"]);
    for types in ["tasks", "task.done", "", "task,,patient", "*"] {
        api.get(&format!("/ops/v1/events?types={types}"))
            .await
            .problem(400);
    }
}

async fn a_position_that_nobody_was_shown_is_reset(tenant: &Tenant) {
    let api = &tenant.api;
    for id in ["0", "17", "x y", &"0".repeat(32)] {
        let mut listener = Listener::open(api, "", Some(id)).await;
        assert_eq!(listener.take(1).await[0].event, "reset", "{id}");
        // From there on it is as any other.
        let task = api.put(&resource("patient/a"), json!({"data": {}})).await.task();
        assert_eq!(listener.take(1).await[0].brief().0, uuid(&task));
    }
}

async fn who_may_not_listen_does_not(tenant: &Tenant) {
    tenant.api.with_key(None).get("/ops/v1/events").await.problem(401);
    let writer = tenant.limited(&["registry:write", "ops:write"]).await;
    writer.get("/ops/v1/events").await.problem(403);
}

async fn a_revoked_key_hears_no_more(tenant: &Tenant) {
    let made = credential(&tenant.root, &tenant.workspace, &["ops:read"]).await;
    let mut listener = Listener::open(&tenant.api.with_key(made["secret"].as_str()), "", None).await;
    let path = format!("/ops/v1/credentials/{}", made["id"].as_str().unwrap());
    tenant.api.delete(&path).await.is(204);
    let end = within("the stream ends", Duration::from_secs(4), listener.next()).await;
    assert_eq!(end, None);
}

/// Writes fresh records until told to stop; answers with the tasks of the writes that were answered.
async fn write(api: Api, writer: usize, over: Arc<AtomicBool>) -> Vec<String> {
    let mut tasks = Vec::new();
    for n in 0.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let call = api.put(&resource(&format!("patient/{writer}-{n}")), json!({"data": {}}));
        match call.attempt().await {
            Ok(answer) if answer.status == 201 => tasks.push(uuid(&answer.task())),
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    tasks
}

/// Listens until it has heard of all of `tasks`, going on with the last id whenever it is cut off.
async fn hear_all(api: &Api, first: &str, tasks: impl Fn() -> Option<BTreeSet<String>>) -> Vec<Heard> {
    let (mut heard, mut last_id) = (Vec::<Heard>::new(), first.to_owned());
    loop {
        // While it is down there is nobody to listen to.
        if api
            .get("/health/ready")
            .attempt()
            .await
            .is_ok_and(|answer| answer.status == 200)
        {
            let opened = tokio::spawn({
                let (api, id) = (api.clone(), last_id.clone());
                async move { Listener::open(&api, "", Some(&id)).await }
            });
            if let Ok(mut listener) = opened.await {
                while let Ok(Some(next)) = tokio::time::timeout(Duration::from_secs(1), listener.next()).await
                {
                    heard.push(next);
                }
                last_id = listener.last_id.unwrap_or(last_id);
            }
        }
        if let Some(tasks) = tasks() {
            let known: BTreeSet<_> = heard.iter().map(|heard| heard.brief().0).collect();
            if tasks.is_subset(&known) {
                return heard;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn nothing_is_missed_across_kills(engine: Engine) {
    let mut server = Server::fresh(engine).await;
    let api = server.api();
    let first = Listener::open(&api, "", None).await.last_id.unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..3)
        .map(|n| tokio::spawn(write(api.clone(), n, over.clone())))
        .collect();
    let answered = std::sync::Mutex::new(None);
    let killing = async {
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_millis(400)).await;
            server.kill().await;
            server.start_again().await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        over.store(true, Ordering::Relaxed);
        let tasks = join_all(writers)
            .await
            .into_iter()
            .flat_map(Result::unwrap)
            .collect();
        *answered.lock().unwrap() = Some(tasks);
    };
    let hearing = hear_all(&api, &first, || answered.lock().unwrap().clone());
    let ((), heard) = futures::join!(killing, hearing);
    let tasks = answered.lock().unwrap().clone().unwrap();
    assert!(tasks.len() > 20, "{}", tasks.len());
    let ids: BTreeSet<_> = heard.iter().map(|heard| heard.id.clone()).collect();
    assert_eq!(ids.len(), heard.len(), "no event came twice");
    assert!(heard.iter().all(|heard| heard.event != "reset"));
    // And all of it again, in the same order, for who comes late.
    let again = Listener::open(&api, "", Some(&first))
        .await
        .take(heard.len())
        .await;
    assert_eq!(again, heard);
}

async fn a_stop_ends_what_is_heard(engine: Engine) {
    let server = Server::fresh(engine).await;
    let api = server.api();
    let mut listeners = join_all((0..5).map(|_| Listener::open(&api, "", None))).await;
    let status = server.stop(Duration::from_secs(10)).await;
    assert_eq!(status.code(), Some(0), "{}", server.log());
    for listener in &mut listeners {
        assert_eq!(within("it ends", LONG, listener.next()).await, None);
    }
}

async fn listeners_are_bounded(engine: Engine) {
    let server = Launch::on(Data::fresh(engine).await)
        .set("limits.event_listeners=3")
        .start()
        .await;
    let api = server.api();
    let mut listeners = join_all((0..3).map(|_| Listener::open(&api, "", None))).await;
    let refused = api.get("/ops/v1/events").await.problem(503);
    assert!(refused.header("retry-after").parse::<u32>().is_ok());
    drop(listeners.pop());
    crate::e2e::harness::until("the place is free again", LONG, async || {
        let response = api.get("/ops/v1/events").begin().await;
        (response.status() == 200).then_some(())
    })
    .await;
}

/// Three listen while both are written to: one at each server, one that changes between them. All hear the same.
async fn two_servers_tell_one_story(_: Engine) {
    const EACH: usize = 150;
    let data = Arc::new(Data::fresh(Engine::Postgres).await);
    let (one, other) = futures::join!(Launch::beside(&data).start(), Launch::beside(&data).start());
    let apis = [one.api(), other.api()];
    let first = Listener::open(&apis[0], "", None).await.last_id.unwrap();
    let mut listeners = [
        Listener::open(&apis[0], "", Some(&first)).await,
        Listener::open(&apis[1], "", Some(&first)).await,
    ];
    let writing = async {
        let writers = (0..6).map(|writer| {
            let api = apis[writer % 2].clone();
            tokio::spawn(async move {
                for n in 0..EACH / 6 {
                    let path = resource(&format!("patient/{writer}-{n}"));
                    api.put(&path, json!({"data": {}})).await.is(201);
                    api.put(&path, json!({"data": {"n": n}})).later().await.is(202);
                }
            })
        });
        join_all(writers)
            .await
            .into_iter()
            .for_each(|writer| writer.unwrap());
    };
    let total = EACH * 3;
    let hopping = async {
        let (mut heard, mut last) = (Vec::new(), first.clone());
        while heard.len() < total {
            let api = &apis[(heard.len() / 15) % 2];
            let count = 15.min(total - heard.len());
            heard.extend(Listener::open(api, "", Some(&last)).await.take(count).await);
            last.clone_from(&heard.last().unwrap().id);
        }
        heard
    };
    let [left, right] = &mut listeners;
    let ((), left, right, hopped) = futures::join!(writing, left.take(total), right.take(total), hopping);
    assert_eq!(brief(&left), brief(&right));
    assert_eq!(left, right);
    assert_eq!(left, hopped);
    let distinct: BTreeSet<_> = brief(&left).into_iter().collect();
    assert_eq!(distinct.len(), total);
}
