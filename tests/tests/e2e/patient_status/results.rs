//! Reading the results of a search (section 6, "Results").

use super::clinic::{BASE, Clinic, KINDS, UNKNOWN, World, items};
use crate::e2e::harness::{
    Call, Engine, Journey, Tenant, instant, journey, members, rfc3339, tenant_journey,
};
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(results_are_read_in_pages),
        journey!(results_are_sorted_and_filtered_by_their_time),
        tenant_journey!(bad_reads_of_results_are_refused),
        tenant_journey!(unfinished_and_unknown_searches_have_no_results),
    ]
}

async fn with_records(clinic: &Clinic, count: usize) -> (i64, i64) {
    let patient = clinic.register().await;
    let search = clinic.search(patient).await;
    let records: Vec<_> = (0..count)
        .map(|n| json!({"id": format!("{:03}", (n * 37) % count), "n": n}))
        .collect();
    let mut lists = json!({});
    for kind in KINDS {
        lists[kind] = json!(records);
    }
    clinic.deliver(search, lists).await.is(200);
    (patient, search)
}

fn page(clinic: &Clinic, kind: &str, search: i64, limit: usize, offset: usize) -> Call {
    match kind {
        "donors" | "cbus" => clinic.post(
            &format!("/searches/searchResults/{kind}"),
            json!({"searchId": search, "pagination": {"limit": limit, "offset": offset}}),
        ),
        _ => clinic.get(&format!(
            "/searches/{search}/searchResults/{kind}?limit={limit}&offset={offset}"
        )),
    }
}

/// "All five answer `{ "paging": { "limit", "offset", "totalCount" }, "searchResults": [...] }`; limits as for the list";
/// "`standard` (the engine's order)".
async fn results_are_read_in_pages(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let (_, search) = with_records(&clinic, 120).await;
    for kind in KINDS {
        let first = clinic.results(kind, search).await.is(200).json();
        assert_eq!(members(&first), ["paging", "searchResults"]);
        assert_eq!(
            first["paging"],
            json!({"limit": 100, "offset": 0, "totalCount": 120}),
            "{kind}"
        );
        assert_eq!(items(&first, "searchResults").len(), 100);
        for limit in [1000, 120, 50, 7] {
            let mut seen = Vec::new();
            for offset in (0..120).step_by(limit) {
                let shown = page(&clinic, kind, search, limit, offset).await.is(200).json();
                let paging = json!({"limit": limit, "offset": offset, "totalCount": 120});
                assert_eq!(shown["paging"], paging, "{kind}");
                seen.extend(items(&shown, "searchResults"));
            }
            let order: Vec<_> = seen.iter().map(|record| record["n"].as_u64().unwrap()).collect();
            assert_eq!(order, (0..120).collect::<Vec<_>>(), "{kind}: the engine's order");
        }
        let beyond = page(&clinic, kind, search, 10, 500).await.is(200).json();
        assert_eq!(beyond["paging"]["totalCount"], 120);
        assert_eq!(beyond["searchResults"], json!([]));
    }
    // The other orders are checked, and left to the engine.
    for (by, second) in [
        ("resolutionScore", "tncCount"),
        ("tncCount", "resolutionScore"),
        ("none", "tncCount"),
    ] {
        let ask = json!({"searchId": search, "sortBy": "standard", "threeFourMismatchSortBy": by, "secondarySortBy": second});
        let shown = clinic
            .post("/searches/searchResults/cbus", ask)
            .await
            .is(200)
            .json();
        assert_eq!(shown["searchResults"][1]["n"], 1);
    }
}

/// "`sortBy`: `standard` (the engine's order) or `lastUpdated`"; `filters.recordLastUpdatedFrom`.
async fn results_are_sorted_and_filtered_by_their_time(engine: Engine) {
    let world = World::manual(engine).await;
    let clinic = &world.clinic;
    let patient = clinic.register().await;
    let search = clinic.search(patient).await;
    let record = |n: usize, v: usize| json!({"id": n.to_string(), "v": v});
    let all = |values: [usize; 4]| {
        let records: Vec<_> = values.iter().enumerate().map(|(n, v)| record(n, *v)).collect();
        json!({"donors": records, "cbus": records})
    };
    clinic.deliver(search, all([0, 0, 0, 0])).await.is(200);
    let second = world.advance("PT1H").await;
    clinic.deliver(search, all([0, 1, 0, 0])).await.is(200);
    world.advance("PT1H").await;
    clinic.deliver(search, all([0, 1, 0, 1])).await.is(200);
    for kind in ["donors", "cbus"] {
        let read = async |more: Value| {
            let ask = super::clinic::with(json!({"searchId": search}), &more);
            let path = format!("/searches/searchResults/{kind}");
            clinic.post(&path, ask).await.is(200).json()
        };
        let ids = |page: &Value| -> Vec<String> {
            let shown = items(page, "searchResults");
            shown
                .iter()
                .map(|one| one["id"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(
            ids(&read(json!({"sortBy": "standard"})).await),
            ["0", "1", "2", "3"]
        );
        let sorted = read(json!({"sortBy": "lastUpdated"})).await;
        let times: Vec<_> = items(&sorted, "searchResults")
            .iter()
            .map(|one| instant(&one["recordLastUpdated"]))
            .collect();
        assert_eq!(times.len(), 4);
        assert!(times.is_sorted() || times.iter().rev().is_sorted(), "{sorted}");
        for (from, expected) in [
            (rfc3339(second), vec!["1", "3"]),
            (rfc3339(second + time::Duration::minutes(30)), vec!["3"]),
            (rfc3339(second + time::Duration::days(1)), vec![]),
        ] {
            let filtered = read(json!({"filters": {"recordLastUpdatedFrom": from}})).await;
            assert_eq!(ids(&filtered), expected, "from {from}");
            assert_eq!(filtered["paging"]["totalCount"], expected.len());
        }
        let null = read(json!({"filters": {"recordLastUpdatedFrom": null}})).await;
        assert_eq!(null["paging"]["totalCount"], 4);
        assert_eq!(
            read(json!({"filters": null, "pagination": null})).await["paging"]["totalCount"],
            4
        );
    }
}

async fn bad_reads_of_results_are_refused(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let (_, search) = with_records(&clinic, 3).await;
    for kind in ["donors", "cbus"] {
        let path = format!("/searches/searchResults/{kind}");
        for (more, field) in [
            (json!({"searchId": null}), "$.searchId"),
            (json!({"searchId": "7"}), "$.searchId"),
            (json!({"searchId": 1.5}), "$.searchId"),
            (json!({"pagination": {"limit": 0}}), "$.pagination.limit"),
            (json!({"pagination": {"limit": 1001}}), "$.pagination.limit"),
            (json!({"pagination": {"limit": "9"}}), "$.pagination.limit"),
            (json!({"pagination": {"offset": -1}}), "$.pagination.offset"),
            (json!({"pagination": 5}), "$.pagination"),
            (json!({"filters": []}), "$.filters"),
            (
                json!({"filters": {"recordLastUpdatedFrom": "yesterday"}}),
                "$.filters.recordLastUpdatedFrom",
            ),
            (json!({"sortBy": "LastUpdated"}), "$.sortBy"),
            (json!({"sortBy": "id"}), "$.sortBy"),
        ] {
            let ask = super::clinic::with(json!({"searchId": search}), &more);
            clinic.post(&path, ask).await.invalid(&[field]);
        }
        clinic.post(&path, json!({})).await.invalid(&["$.searchId"]);
    }
    for (more, field) in [
        (
            json!({"threeFourMismatchSortBy": "best"}),
            "$.threeFourMismatchSortBy",
        ),
        (json!({"secondarySortBy": "none"}), "$.secondarySortBy"),
    ] {
        let ask = super::clinic::with(json!({"searchId": search}), &more);
        clinic
            .post("/searches/searchResults/cbus", ask)
            .await
            .invalid(&[field]);
    }
    for kind in ["adcu", "registries", "cbbs"] {
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("limit=abc", "limit"),
            ("offset=-1", "offset"),
        ] {
            let path = format!("/searches/{search}/searchResults/{kind}?{query}");
            clinic.get(&path).await.invalid(&[field]);
        }
    }
}

/// "Not completed yet, or FAILED and never completed: 409 `searchNotCompleted`."
async fn unfinished_and_unknown_searches_have_no_results(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    clinic.pause("search.run", true).await;
    let patient = clinic.register().await;
    let search = clinic.search(patient).await;
    let asked = async |search: i64, status: u16, code: &str| {
        for kind in KINDS {
            clinic.results(kind, search).await.fault(status, code);
        }
    };
    asked(search, 409, "searchNotCompleted").await;
    let failed = json!({"error": {"code": "down", "message": "Not today."}});
    clinic.deliver(search, failed).await.is(200);
    asked(search, 409, "searchNotCompleted").await;
    clinic.pause("search.run", false).await;
    asked(UNKNOWN, 404, "notFound").await;
    clinic.summary(UNKNOWN).await.fault(404, "notFound");
    let donors = clinic.get(&format!("/searches/{UNKNOWN}/searchResults/adcu"));
    let unknown = donors.await.fault(404, "notFound").text;
    for path in [
        "/searches/0",
        "/searches/-1",
        "/searches/abc",
        "/searches/99999999999999999999",
    ] {
        assert_eq!(
            clinic.get(path).await.fault(404, "notFound").text,
            unknown,
            "{path}"
        );
    }
    // "The published `/searches/searchResultsRefresh` and `/searches/selected/donors` are not offered: 404".
    for base in [BASE, ""] {
        for path in ["/searches/searchResultsRefresh", "/searches/selected/donors"] {
            let path = format!("{base}{path}");
            for call in [
                clinic.api.get(&path),
                clinic.api.post(&path, json!({"searchId": search})),
                clinic.api.put(&path, json!({"searchId": search})),
            ] {
                assert_eq!(call.begin().await.status(), 404, "{path}");
            }
        }
    }
}
