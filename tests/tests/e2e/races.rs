//! Real concurrency on one record (registry, 13.8, 13.9 and 13.20).

use super::harness::tenant::{ended, resource};
use super::harness::{Answer, Journey, Tenant, tenant_journey};
use futures::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(of_concurrent_posts_with_one_id_exactly_one_is_201),
        tenant_journey!(of_concurrent_puts_to_a_fresh_id_exactly_one_is_201_and_one_body_remains_whole),
        tenant_journey!(of_concurrent_writes_with_one_etag_exactly_one_succeeds),
        tenant_journey!(of_concurrent_deletes_exactly_one_succeeds),
        tenant_journey!(no_update_is_lost_where_everyone_names_the_version),
        tenant_journey!(of_concurrent_asynchronous_posts_exactly_one_succeeds),
    ]
}

const CLIENTS: usize = 32;
const ROUNDS: usize = 4;

/// A body of which every part tells which one it is.
fn body(n: usize) -> Value {
    let text = format!("{n}-{}", n.to_string().repeat(500));
    json!({"data": {"n": n, "text": text, "again": n},
        "meta": {"identifier": [{"system": "n", "value": n.to_string()}]},
        "contained": {"c": [{"id": n.to_string(), "type": "t", "data": {"n": n}}]}})
}

fn statuses(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.status).or_default() += 1;
    }
    counts
}

/// What is stored is one of the bodies, whole.
async fn assert_whole(tenant: &Tenant, path: &str) -> usize {
    let read = tenant.api.get(path).await.is(200).json();
    let n: usize = read["data"]["n"].to_string().parse().unwrap();
    let expected = body(n);
    assert_eq!(
        (&read["data"], &read["contained"]),
        (&expected["data"], &expected["contained"])
    );
    assert_eq!(read["meta"]["identifier"], expected["meta"]["identifier"]);
    n
}

/// 13.8: "Of concurrent POSTs with one id exactly one is 201, the others 409."
async fn of_concurrent_posts_with_one_id_exactly_one_is_201(tenant: &Tenant) {
    for round in 0..ROUNDS {
        let id = format!("round-{round}");
        let posts = (0..CLIENTS).map(|n| {
            let mut body = body(n);
            body["id"] = json!(id);
            tenant.api.post(&resource("patient"), body).into_future()
        });
        let answers = join_all(posts).await;
        assert_eq!(statuses(&answers), BTreeMap::from([(201, 1), (409, CLIENTS - 1)]));
        let won = assert_whole(tenant, &resource(&format!("patient/{id}"))).await;
        assert_eq!(answers[won].status, 201, "another one was told that it had won");
        for answer in answers.into_iter().filter(|answer| answer.status == 409) {
            answer.refused(409, "ALREADY_EXISTS", &[]);
        }
    }
}

/// 13.9: "Of concurrent PUTs to one fresh id exactly one is 201, and what remains is one of the bodies, whole."
async fn of_concurrent_puts_to_a_fresh_id_exactly_one_is_201_and_one_body_remains_whole(tenant: &Tenant) {
    for round in 0..ROUNDS {
        // In a fresh type of a fresh source, which all of them want to make.
        let path = format!("/sources/round-{round}/v1/resources/patient/x");
        let answers = join_all((0..CLIENTS).map(|n| tenant.api.put(&path, body(n)).into_future())).await;
        assert_eq!(statuses(&answers), BTreeMap::from([(200, CLIENTS - 1), (201, 1)]));
        let last = assert_whole(tenant, &path).await;
        let etags: Vec<_> = answers.iter().map(Answer::etag).collect();
        assert_eq!(tenant.api.get(&path).await.is(200).etag(), etags[last]);
        let mut different = etags.clone();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), CLIENTS, "two writes have one version: {etags:?}");
        let mut created: Vec<_> = answers
            .iter()
            .map(|a| a.json()["resource"]["meta"]["createdAt"].to_string())
            .collect();
        created.dedup();
        assert_eq!(created.len(), 1, "there was one creation");
    }
}

/// 13.20: "of concurrent writes with one ETag exactly one succeeds."
async fn of_concurrent_writes_with_one_etag_exactly_one_succeeds(tenant: &Tenant) {
    let path = resource("patient/x");
    let mut etag = tenant.api.put(&path, body(0)).await.is(201).etag();
    for _ in 0..ROUNDS {
        let writes = (0..CLIENTS).map(|n| {
            tenant
                .api
                .put(&path, body(n))
                .header("If-Match", &etag)
                .into_future()
        });
        let answers = join_all(writes).await;
        assert_eq!(statuses(&answers), BTreeMap::from([(200, 1), (412, CLIENTS - 1)]));
        let won = assert_whole(tenant, &path).await;
        assert_eq!(answers[won].status, 200);
        etag = answers[won].etag();
    }
    let deletes = (0..CLIENTS).map(|_| tenant.api.delete(&path).header("If-Match", &etag).into_future());
    let outcome = statuses(&join_all(deletes).await);
    assert_eq!(outcome, BTreeMap::from([(200, 1), (412, CLIENTS - 1)]));
    let fresh = (0..CLIENTS).map(|n| {
        tenant
            .api
            .put(&path, body(n))
            .header("If-None-Match", "*")
            .into_future()
    });
    let created = statuses(&join_all(fresh).await);
    assert_eq!(created, BTreeMap::from([(201, 1), (412, CLIENTS - 1)]));
}

/// Section 5: "missing: 404".
async fn of_concurrent_deletes_exactly_one_succeeds(tenant: &Tenant) {
    let path = resource("patient/x");
    for _ in 0..ROUNDS {
        tenant.api.put(&path, body(1)).await.is(201);
        let answers = join_all((0..CLIENTS).map(|_| tenant.api.delete(&path).into_future())).await;
        assert_eq!(statuses(&answers), BTreeMap::from([(200, 1), (404, CLIENTS - 1)]));
    }
}

/// 13.20, put to use: clients that read, add one and write back under `If-Match` lose nothing.
async fn no_update_is_lost_where_everyone_names_the_version(tenant: &Tenant) {
    const EACH: usize = 5;
    let path = resource("counter/x");
    tenant.api.put(&path, json!({"data": {"count": 0}})).await.is(201);
    let clients = (0..8).map(|_| async {
        for _ in 0..EACH {
            loop {
                let read = tenant.api.get(&path).await.is(200);
                let count: usize = read.json()["data"]["count"].to_string().parse().unwrap();
                let next = json!({"data": {"count": count + 1}});
                match tenant
                    .api
                    .put(&path, next)
                    .header("If-Match", &read.etag())
                    .await
                    .status
                {
                    200 => break,
                    412 => {}
                    other => panic!("{other}"),
                }
            }
        }
    });
    join_all(clients).await;
    assert_eq!(
        tenant.api.get(&path).await.is(200).json()["data"]["count"],
        8 * EACH
    );
}

/// 13.8 with 13.12: the same when they are carried out later.
async fn of_concurrent_asynchronous_posts_exactly_one_succeeds(tenant: &Tenant) {
    let posts = (0..CLIENTS).map(|n| {
        let mut body = body(n);
        body["id"] = json!("x0");
        tenant.api.post(&resource("patient"), body).later().into_future()
    });
    let mut outcomes = BTreeMap::<String, usize>::new();
    for accepted in join_all(posts).await {
        let task = ended(&tenant.api, &accepted.is(202).task()).await;
        let error = task["receipts"][0]["error"]["type"]
            .as_str()
            .unwrap_or("none")
            .to_owned();
        *outcomes.entry(error).or_default() += 1;
    }
    let expected = BTreeMap::from([("none".to_owned(), 1), ("ALREADY_EXISTS".to_owned(), CLIENTS - 1)]);
    assert_eq!(outcomes, expected);
    assert_whole(tenant, &resource("patient/x0")).await;
}
