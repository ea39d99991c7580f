//! Lists and walks through them (section 5).

use crate::e2e::harness::tenant::resource;
use crate::e2e::harness::{Api, Journey, Tenant, members, tenant_journey};
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(a_list_has_whole_resources_by_ascending_id),
        tenant_journey!(a_walk_meets_everything_exactly_once),
        tenant_journey!(a_walk_meets_what_stays_whatever_comes_and_goes),
        tenant_journey!(a_page_has_a_hundred_items_unless_told_otherwise),
        tenant_journey!(limits_and_cursors_out_of_order_are_refused),
    ]
}

/// All pages of a list, each with as many items as asked for.
async fn walk(api: &Api, path: &str, limit: usize) -> Vec<Value> {
    let mut found = Vec::new();
    let mut next = None::<String>;
    loop {
        let cursor = next
            .as_deref()
            .map(|next| format!("&cursor={next}"))
            .unwrap_or_default();
        let page = api
            .get(&format!("{path}?limit={limit}{cursor}"))
            .await
            .is(200)
            .json();
        let items = page["items"].as_array().unwrap().clone();
        assert!(items.len() <= limit);
        found.extend(items.iter().cloned());
        match page.get("next") {
            None => {
                assert_eq!(members(&page), ["items"]);
                return found;
            }
            Some(given) => {
                assert_eq!(members(&page), ["items", "next"]);
                assert_eq!(items.len(), limit, "a page that is not the last is full");
                next = Some(given.as_str().unwrap().to_owned());
            }
        }
    }
}

fn ids(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["id"].as_str().unwrap()).collect()
}

/// "GET of the collection: `{"items": [resource, ...], "next"?}`, ascending id (byte order)".
async fn a_list_has_whole_resources_by_ascending_id(tenant: &Tenant) {
    for id in ["b", "B", "a-", "a_", "a0", "-z", "10", "9", "aa", "Z"] {
        let body = json!({"data": {"id": id}, "contained": {"c": [{"id": "1", "type": "t", "data": {}}]},
            "meta": {"identifier": [{"system": "s", "value": id}]}});
        tenant
            .api
            .put(&resource(&format!("patient/{id}")), body)
            .await
            .is(201);
    }
    tenant
        .api
        .put(&resource("other/aaa"), json!({"data": {}}))
        .await
        .is(201);
    let list = tenant.api.get(&resource("patient")).await.is(200);
    assert!(
        list.headers.get("etag").is_none(),
        "only one-record answers have an ETag"
    );
    let items = list.json()["items"].as_array().unwrap().clone();
    assert_eq!(
        ids(&items),
        ["-z", "10", "9", "B", "Z", "a-", "a0", "a_", "aa", "b"]
    );
    for item in &items {
        let id = item["id"].as_str().unwrap();
        assert_eq!(
            *item,
            tenant
                .api
                .get(&resource(&format!("patient/{id}")))
                .await
                .is(200)
                .json()
        );
    }
}

/// 13.22: "A walk through a list meets every record that was there throughout exactly once."
async fn a_walk_meets_everything_exactly_once(tenant: &Tenant) {
    let mut expected = Vec::new();
    for n in 0..23 {
        expected.push(
            tenant
                .api
                .post(&resource("patient"), json!({"data": {"n": n}}))
                .await
                .is(201)
                .json()["resource"]
                .clone(),
        );
    }
    expected.sort_by_key(|item| item["id"].as_str().unwrap().to_owned());
    for limit in [1, 5, 22, 23, 24, 1000] {
        assert_eq!(
            walk(&tenant.api, &resource("patient"), limit).await,
            expected,
            "limit {limit}"
        );
    }
}

/// The same, while others are deleted, added and replaced.
async fn a_walk_meets_what_stays_whatever_comes_and_goes(tenant: &Tenant) {
    let put = async |id: String| {
        let path = resource(&format!("patient/{id}"));
        tenant.api.put(&path, json!({"data": {}})).await.status
    };
    for n in 0..20 {
        put(format!("stays-{n:02}")).await;
        put(format!("stays-{n:02}x")).await;
    }
    let mut found = Vec::new();
    let mut path = format!("{}?limit=3", resource("patient"));
    for n in 0..20 {
        let page = tenant.api.get(&path).await.is(200).json();
        found.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        path = format!("{}?limit=3&cursor={next}", resource("patient"));
        // The last one seen goes away, new ones come behind and ahead, one that was seen is replaced.
        let last = found[found.len() - 1].clone();
        if last.ends_with('x') {
            tenant
                .api
                .delete(&resource(&format!("patient/{last}")))
                .await
                .is(200);
        }
        put(format!("a-new-{n}")).await;
        put(format!("z-new-{n}")).await;
        put("stays-00".to_owned()).await;
    }
    for n in 0..20 {
        let id = format!("stays-{n:02}");
        assert_eq!(
            found.iter().filter(|seen| **seen == id).count(),
            1,
            "{id} in {found:?}"
        );
    }
    let mut once = found.clone();
    once.dedup();
    assert_eq!(once.len(), found.len());
}

/// "`limit` 1 to 1,000, default 100".
async fn a_page_has_a_hundred_items_unless_told_otherwise(tenant: &Tenant) {
    let writes = (0..101).map(|n| {
        tenant
            .api
            .put(&resource(&format!("patient/{n:03}")), json!({"data": {}}))
            .into_future()
    });
    for answer in futures::future::join_all(writes).await {
        answer.is(201);
    }
    let page = tenant.api.get(&resource("patient")).await.is(200).json();
    assert_eq!(page["items"].as_array().unwrap().len(), 100);
    let rest = format!(
        "{}?cursor={}",
        resource("patient"),
        page["next"].as_str().unwrap()
    );
    let rest = tenant.api.get(&rest).await.is(200).json();
    assert_eq!(ids(rest["items"].as_array().unwrap()), ["100"]);
    assert_eq!(members(&rest), ["items"]);
}

/// Section 12: "`limit` out of range / not a number; bad `cursor`: 400 `OUT_OF_RANGE` / `INVALID_ARGUMENT`".
async fn limits_and_cursors_out_of_order_are_refused(tenant: &Tenant) {
    tenant
        .api
        .put(&resource("patient/x"), json!({"data": {}}))
        .await
        .is(201);
    let refused = async |query: &str, kind: &str, path: &str| {
        for list in [resource("patient"), "/catalog/v1/sources".to_owned()] {
            let answer = tenant.api.get(&format!("{list}?{query}")).await.error(400, kind);
            assert_eq!(answer.json()["details"][0]["path"], path, "{}", answer.text);
        }
    };
    for limit in ["0", "1001", "-1", "99999999999999999999"] {
        refused(&format!("limit={limit}"), "OUT_OF_RANGE", "query.limit").await;
    }
    for limit in ["", "ten", "1.5", "0x10", "1e2"] {
        refused(&format!("limit={limit}"), "INVALID_ARGUMENT", "query.limit").await;
    }
    for cursor in ["", "a.b", "%00", "%C3%A9", "!!!!", &"x".repeat(500)] {
        refused(&format!("cursor={cursor}"), "INVALID_ARGUMENT", "query.cursor").await;
    }
    tenant
        .api
        .get(&format!("{}?limit=1000", resource("patient")))
        .await
        .is(200);
    tenant
        .api
        .get(&resource("nothing"))
        .await
        .refused(404, "NOT_FOUND", &[]);
    tenant
        .api
        .get("/sources/nowhere/v1/resources/patient")
        .await
        .refused(404, "NOT_FOUND", &[]);
}
