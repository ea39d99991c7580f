//! What a match engine delivers (section 6, "Delivery").

use super::clinic::{BASE, Clinic, KINDS, UNKNOWN, World, a_while, delivery, items};
use crate::e2e::harness::{Engine, Journey, Tenant, instant, journey, members, tenant_journey};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use time::OffsetDateTime;

pub fn journeys() -> Vec<Journey> {
    vec![
        journey!(flags_compare_a_delivery_with_the_last_one),
        tenant_journey!(records_are_kept_as_sent),
        tenant_journey!(statistics_count_what_was_delivered),
        tenant_journey!(an_error_ends_a_first_run_only),
        tenant_journey!(bad_deliveries_store_nothing),
        tenant_journey!(a_large_delivery_is_taken_and_one_too_large_is_not),
        tenant_journey!(only_an_engine_delivers),
        tenant_journey!(refreshes_of_the_embedded_engine_leave_results_alone),
    ]
}

/// Flag and time of each record.
async fn flags(clinic: &Clinic, kind: &str, search: i64) -> BTreeMap<String, (Value, OffsetDateTime)> {
    let read = clinic.results(kind, search).await.is(200).json();
    let flag = |record: &Value| {
        let id = record["id"].as_str().unwrap().to_owned();
        (
            id,
            (
                record["recordFlag"].clone(),
                instant(&record["recordLastUpdated"]),
            ),
        )
    };
    items(&read, "searchResults").iter().map(flag).collect()
}

/// "`recordFlag` (`NEW` first seen, `UPDATED` content differs from the last delivery, `DELETED` no longer delivered, kept
/// and shown until the next delivery, else null) and `recordLastUpdated` (last time the flag was not null)".
async fn flags_compare_a_delivery_with_the_last_one(engine: Engine) {
    let world = World::manual(engine).await;
    let clinic = &world.clinic;
    let patient = clinic.register().await;
    let search = clinic.search(patient).await;
    let deliver = async |records: Value| {
        world.advance("PT1H").await;
        let mut lists = json!({});
        for kind in KINDS {
            lists[kind] = records.clone();
        }
        let answer = clinic.deliver(search, lists).await.is(200).json();
        assert_eq!(answer, json!({"searchId": search, "status": "COMPLETED"}));
        world.now().await
    };
    let check = async |expected: &[(&str, Value, OffsetDateTime)]| {
        for kind in KINDS {
            let found = flags(clinic, kind, search).await;
            assert_eq!(found.len(), expected.len(), "{kind}: {found:?}");
            for (id, flag, at) in expected {
                let (found, found_at) = &found[*id];
                assert_eq!(found, flag, "{kind} {id}");
                let off = (*found_at - *at).abs();
                assert!(
                    off < time::Duration::minutes(1),
                    "{kind} {id}: {found_at}, not {at}"
                );
            }
        }
    };
    let (new, updated, deleted, same) = (json!("NEW"), json!("UPDATED"), json!("DELETED"), Value::Null);
    let first = deliver(json!([{"id": "a", "v": 1}, {"id": "b", "v": 1}])).await;
    check(&[("a", new.clone(), first), ("b", new.clone(), first)]).await;
    let second = deliver(json!([{"id": "a", "v": 2}, {"id": "b", "v": 1}, {"id": "c"}])).await;
    check(&[
        ("a", updated, second),
        ("b", same.clone(), first),
        ("c", new, second),
    ])
    .await;
    let third = deliver(json!([{"id": "a", "v": 2}, {"id": "c"}])).await;
    check(&[
        ("a", same.clone(), second),
        ("b", deleted.clone(), third),
        ("c", same.clone(), second),
    ])
    .await;
    let shown = clinic.summary(search).await.is(200).json();
    assert_eq!(shown["statistics"]["donors"], 2, "deleted ones are not counted");
    deliver(json!([{"id": "a", "v": 2}, {"id": "c"}])).await;
    check(&[("a", same.clone(), second), ("c", same, second)]).await;
    let fifth = deliver(json!([])).await;
    check(&[("a", deleted.clone(), fifth), ("c", deleted, fifth)]).await;
    let shown = clinic.summary(search).await.is(200).json();
    assert_eq!(shown["statistics"]["donors"], 0);
    deliver(json!([])).await;
    check(&[]).await;
}

/// "any other members, kept as sent".
async fn records_are_kept_as_sent(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.register().await;
    let search = clinic.search(patient).await;
    let sent =
        r#""z":1.50,"a":{"y":[1e3,null,true],"x":"é\"\\ \u0001"},"big":123456789012345678901234567890"#;
    let lists: Vec<_> = KINDS
        .iter()
        .map(|kind| format!(r#""{kind}":[{{"id":"only",{sent}}}]"#))
        .collect();
    let path = format!("{BASE}/searches/{search}/results");
    let body = format!("{{{}}}", lists.join(","));
    clinic.engine.put(&path, body).await.is(200);
    for kind in KINDS {
        let read = clinic.results(kind, search).await.is(200);
        assert!(read.text.contains(r#""z":1.50"#), "{}", read.text);
        assert!(
            read.text.contains("123456789012345678901234567890"),
            "{}",
            read.text
        );
        let record = items(&read.json(), "searchResults").pop().unwrap();
        assert_eq!(
            members(&record),
            ["a", "big", "id", "recordFlag", "recordLastUpdated", "z"]
        );
        let whole: Value = serde_json::from_str(&format!("{{{sent}}}")).unwrap();
        assert_eq!(record["a"], whole["a"]);
    }
}

async fn statistics_count_what_was_delivered(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.register().await;
    let search = clinic.delivered(patient).await;
    let shown = clinic.summary(search).await.is(200).json();
    assert_eq!(
        shown["statistics"],
        json!({"donors": 2, "cbus": 1, "adcu": 1, "registries": 1, "cbbs": 3})
    );
    assert_eq!(
        shown["summary"],
        json!({"summaryText": "2 donors, 1 cord blood unit"})
    );
    assert_eq!(
        (&shown["inexplicable"], &shown["status"]),
        (&json!(1), &json!("COMPLETED"))
    );
    // "Each delivery is the whole result; absent lists are empty."
    clinic
        .deliver(search, json!({"cbus": [{"id": "C-1"}]}))
        .await
        .is(200);
    let shown = clinic.summary(search).await.is(200).json();
    assert_eq!(
        shown["statistics"],
        json!({"donors": 0, "cbus": 1, "adcu": 0, "registries": 0, "cbbs": 0})
    );
    assert_eq!(flags(&clinic, "donors", search).await["D-1"].0, "DELETED");
    assert_eq!(flags(&clinic, "cbus", search).await["C-1"].0, Value::Null);
}

/// "`{ "error": { "code", "message" } }` alone ends a first run as FAILED and leaves earlier results alone."
async fn an_error_ends_a_first_run_only(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    clinic.pause("search.run", true).await;
    let patient = clinic.register().await;
    let search = clinic.search(patient).await;
    let failed = json!({"error": {"code": "filesMissing", "message": "The files are being replaced."}});
    let answer = clinic.deliver(search, failed.clone()).await.is(200).json();
    assert_eq!(answer["searchId"], search);
    let shown = clinic.summary(search).await.is(200).json();
    assert_eq!(
        (&shown["status"], &shown["error"]),
        (&json!("FAILED"), &failed["error"])
    );
    clinic.pause("search.run", false).await;
    a_while().await;
    let shown = clinic.summary(search).await.is(200).json();
    assert_eq!(shown["status"], "FAILED", "the embedded engine came too late");
    // The engine may do better later, and what it has then stays.
    clinic.deliver(search, delivery()).await.is(200);
    let shown = clinic.summary(search).await.is(200).json();
    assert_eq!(
        (&shown["status"], &shown["error"]),
        (&json!("COMPLETED"), &Value::Null)
    );
    // Whether the search is called FAILED then is the engine's matter; its results are there.
    clinic.deliver(search, failed).await.is(200);
    let shown = clinic.summary(search).await.is(200).json();
    assert_eq!(shown["statistics"]["donors"], 2, "{shown}");
    assert_eq!(flags(&clinic, "donors", search).await.len(), 2);
}

async fn bad_deliveries_store_nothing(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.register().await;
    let search = clinic.delivered(patient).await;
    let long = "x".repeat(65);
    let before = clinic.results("donors", search).await.is(200).text;
    for (bad, field) in [
        (json!({"donors": {}}), "$.donors"),
        (json!({"cbus": "none"}), "$.cbus"),
        (json!({"donors": [{"id": "a"}, 5]}), "$.donors[1]"),
        (json!({"donors": [{"id": "a"}, {}]}), "$.donors[1].id"),
        (json!({"adcu": [{"id": null}]}), "$.adcu[0].id"),
        (json!({"registries": [{"id": 5}]}), "$.registries[0].id"),
        (json!({"cbbs": [{"id": ""}]}), "$.cbbs[0].id"),
        (json!({"donors": [{"id": long}]}), "$.donors[0].id"),
        (
            json!({"donors": [{"id": "a"}, {"id": "b"}, {"id": "a"}]}),
            "$.donors[2].id",
        ),
        (json!({"summaryText": 5}), "$.summaryText"),
        (json!({"inexplicable": "1"}), "$.inexplicable"),
        (json!({"error": "no"}), "$.error"),
        (json!({"error": {"message": "m"}}), "$.error.code"),
        (json!({"error": {"code": "c"}}), "$.error.message"),
    ] {
        clinic.deliver(search, bad).await.invalid(&[field]);
    }
    let both = json!({"error": {"code": "c", "message": "m"}, "donors": []});
    clinic.deliver(search, both).await.fault(400, "invalidRequest");
    let path = format!("{BASE}/searches/{search}/results");
    for bad in ["", "{", "[]", "null"] {
        clinic.engine.put(&path, bad).await.invalid(&["$"]);
    }
    let twice = clinic.engine.put(&path, r#"{"donors":[],"donors":[]}"#).await;
    twice.fault(400, "invalidRequest");
    assert_eq!(clinic.results("donors", search).await.is(200).text, before);
    let longest = "y".repeat(64);
    clinic
        .deliver(search, json!({"donors": [{"id": longest}]}))
        .await
        .is(200);
    for unknown in [UNKNOWN, 0] {
        clinic.deliver(unknown, delivery()).await.fault(404, "notFound");
    }
}

/// "at most 10 MiB".
async fn a_large_delivery_is_taken_and_one_too_large_is_not(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.register().await;
    let search = clinic.search(patient).await;
    let donors = |count: usize| -> Vec<Value> {
        let record = |n| json!({"id": format!("D-{n}"), "note": "x".repeat(1_000)});
        (0..count).map(record).collect()
    };
    let too_large = clinic.deliver(search, json!({"donors": donors(10_800)})).await;
    too_large.fault(413, "payloadTooLarge");
    clinic
        .deliver(search, json!({"donors": donors(9_000)}))
        .await
        .is(200);
    let ask = json!({"searchId": search, "pagination": {"limit": 1, "offset": 8_999}});
    let last = clinic
        .post("/searches/searchResults/donors", ask)
        .await
        .is(200)
        .json();
    assert_eq!(last["paging"]["totalCount"], 9_000);
    assert_eq!(last["searchResults"][0]["id"], "D-8999");
    // Other bodies have the limit of all: 1 MiB.
    let large = json!({"wmdaId": patient, "newStatus": "ACT", "more": "x".repeat(1 << 20)});
    clinic
        .put("/patients/status", large)
        .await
        .fault(413, "payloadTooLarge");
}

/// Scope `search:deliver`.
async fn only_an_engine_delivers(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.register().await;
    let search = clinic.search(patient).await;
    let path = format!("{BASE}/searches/{search}/results");
    clinic.api.put(&path, delivery()).await.fault(403, "forbidden");
    clinic
        .ops
        .put(&path, delivery())
        .await
        .fault(401, "unauthenticated");
    let path = format!("{BASE}/patients/{patient}");
    clinic.engine.get(&path).await.fault(403, "forbidden");
    let other = Clinic::of(&Tenant::on(&tenant.root, json!({})).await);
    let foreign = other.deliver(search, delivery()).await.fault(404, "notFound");
    let unknown = clinic.deliver(UNKNOWN, delivery()).await.fault(404, "notFound");
    assert_eq!(foreign.text, unknown.text);
    for status in ["PRE", "ACT", "SUS"] {
        let patient = clinic.in_status(status).await;
        let search = clinic.searches(patient).await[0]["searchId"].as_i64().unwrap();
        clinic.deliver(search, delivery()).await.is(200);
    }
}

/// "`match.engine = "none"` ... never touches delivered ones; a refresh by it only moves `lastUpdated`".
async fn refreshes_of_the_embedded_engine_leave_results_alone(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.register().await;
    let search = clinic.delivered(patient).await;
    a_while().await;
    let (summary, before) = (
        clinic.summary(search).await.is(200).json(),
        flags(&clinic, "donors", search).await,
    );
    assert_eq!(before["D-1"].0, "NEW", "its first run touched them");
    assert_eq!(summary["statistics"]["donors"], 2);
    let refresh = json!({"wmdaId": patient});
    clinic
        .post("/searches/refreshAllPatientSearches", refresh)
        .await
        .is(202);
    let moved = crate::e2e::harness::until("the refresh is done", super::clinic::PATIENCE, async || {
        let shown = clinic.searches(patient).await.remove(0);
        (instant(&shown["lastUpdated"]) > instant(&summary["lastUpdated"])).then_some(shown)
    })
    .await;
    assert_eq!(moved["status"], "COMPLETED");
    assert_eq!(flags(&clinic, "donors", search).await, before);
}
