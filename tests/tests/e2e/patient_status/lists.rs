//! The list of patients (section 5, "List").

use super::clinic::{Clinic, World, claims, items};
use crate::e2e::harness::issuer::{SECRET, hmac};
use crate::e2e::harness::{Engine, Journey, Tenant, journey, members, tenant_journey};
use futures::future::join_all;
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(line_23_pages_neither_overlap_nor_miss_a_patient),
        journey!(the_order_is_by_the_last_viewing),
        tenant_journey!(statuses_filter_in_every_spelling_of_a_list),
        tenant_journey!(my_patients_are_those_of_my_user_name),
        tenant_journey!(names_and_booleans_come_in_any_case),
        tenant_journey!(bad_parameters_of_the_list_are_refused),
    ]
}

fn ids(page: &Value) -> Vec<i64> {
    let patients = items(page, "patients");
    patients
        .iter()
        .map(|one| one["wmdaId"].as_i64().unwrap())
        .collect()
}

/// Order: "`lastViewed` newest first, then `wmdaId` highest first".
#[track_caller]
fn assert_ordered(page: &Value) {
    let key = |one: &Value| {
        (
            one["lastViewed"].as_str().unwrap().to_owned(),
            one["wmdaId"].as_i64().unwrap(),
        )
    };
    let keys: Vec<_> = items(page, "patients").iter().map(key).collect();
    assert!(keys.windows(2).all(|pair| pair[0] > pair[1]), "{keys:?}");
}

/// "Pages of the list neither overlap nor miss a patient while nothing changes; `totalCount` follows the filter, not the
/// page."
async fn line_23_pages_neither_overlap_nor_miss_a_patient(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let made: Vec<i64> = join_all((0..37).map(|_| clinic.register())).await;
    let stopped = &made[..9];
    for patient in stopped {
        clinic.changed(*patient, "STP").await;
    }
    clinic.get(&format!("/patients/{}", made[20])).await.is(200);
    for (filter, expected) in [
        ("", 37),
        ("&status=STP", 9),
        ("&status=NEW", 28),
        ("&status=ACT", 0),
    ] {
        for limit in [1000, 37, 10, 1] {
            let mut seen = Vec::new();
            for offset in (0..40).step_by(limit.min(40)) {
                let page = clinic
                    .list(&format!("?limit={limit}&offset={offset}{filter}"))
                    .await;
                let paging = json!({"limit": limit, "offset": offset, "totalCount": expected});
                assert_eq!(page["paging"], paging, "{filter}");
                assert!(items(&page, "patients").len() <= limit);
                assert_ordered(&page);
                seen.extend(ids(&page));
            }
            let whole = ids(&clinic.list(&format!("?limit=1000{filter}")).await);
            assert_eq!(seen, whole, "in pages of {limit}{filter}");
            assert_eq!(seen.len(), expected);
            let mut different = seen.clone();
            different.sort_unstable();
            different.dedup();
            assert_eq!(different.len(), expected, "{filter}");
        }
    }
    let whole = ids(&clinic.list("?limit=1000").await);
    assert_eq!(whole[0], made[20], "seen last");
    let default = clinic.list("").await;
    assert_eq!(members(&default), ["paging", "patients"]);
    assert_eq!(
        default["paging"],
        json!({"limit": 100, "offset": 0, "totalCount": 37})
    );
    let beyond = clinic.list("?offset=1000").await;
    assert_eq!(
        (&beyond["paging"]["totalCount"], &beyond["patients"]),
        (&json!(37), &json!([]))
    );
}

async fn the_order_is_by_the_last_viewing(engine: Engine) {
    let world = World::manual(engine).await;
    let clinic = &world.clinic;
    let mut made = Vec::new();
    for _ in 0..6 {
        world.advance("PT1M").await;
        made.insert(0, clinic.register().await);
    }
    assert_eq!(ids(&clinic.list("").await), made);
    // Retrieval of the patient and of results moves it to the front; changes and updates do not.
    let stopped = made[5];
    clinic.changed(stopped, "STP").await;
    clinic
        .put("/patients", json!({"wmdaId": made[4], "weight": 50}))
        .await
        .is(204);
    assert_eq!(ids(&clinic.list("").await), made);
    world.advance("PT1M").await;
    clinic.get(&format!("/patients/{stopped}")).await.is(200);
    made.rotate_right(1);
    assert_eq!(ids(&clinic.list("").await), made, "also in STP");
    let search = clinic.delivered(made[3]).await;
    assert_eq!(ids(&clinic.list("").await), made);
    world.advance("PT1M").await;
    clinic.results("registries", search).await.is(200);
    made[..4].rotate_right(1);
    assert_eq!(ids(&clinic.list("").await), made);
}

/// "statuses joined by a bar, `ACT|NEW`; also repeated, or an array in the body; default null: all"; "body, which wins".
async fn statuses_filter_in_every_spelling_of_a_list(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let mut by_status = std::collections::BTreeMap::new();
    for status in ["NEW", "PRE", "ACT", "SUS", "STP"] {
        by_status.insert(status, clinic.in_status(status).await);
    }
    let sorted = |mut ids: Vec<i64>| {
        ids.sort_unstable();
        ids
    };
    let of = |statuses: &[&str]| sorted(statuses.iter().map(|status| by_status[status]).collect());
    for (query, expected) in [
        ("?status=ACT", vec!["ACT"]),
        ("?status=ACT|NEW", vec!["ACT", "NEW"]),
        ("?status=ACT%7CNEW%7CSTP", vec!["ACT", "NEW", "STP"]),
        ("?status=ACT&status=SUS", vec!["ACT", "SUS"]),
        ("?status=ACT|PRE&status=SUS", vec!["ACT", "PRE", "SUS"]),
        ("?status=ACT|ACT", vec!["ACT"]),
        ("?STATUS=PRE", vec!["PRE"]),
        ("", vec!["NEW", "PRE", "ACT", "SUS", "STP"]),
    ] {
        for path in ["/patients/list", "/patients"] {
            let page = clinic.get(&format!("{path}{query}")).await.is(200).json();
            assert_eq!(sorted(ids(&page)), of(&expected), "{path}{query}");
            assert_eq!(page["paging"]["totalCount"], expected.len());
        }
        let page = clinic
            .api
            .call(reqwest::Method::POST, &format!("/api/v2/patients/list{query}"));
        assert_eq!(
            sorted(ids(&page.await.is(200).json())),
            of(&expected),
            "POST without a body{query}"
        );
    }
    for (body, expected) in [
        (json!({"status": "SUS|STP"}), vec!["SUS", "STP"]),
        (json!({"status": ["SUS", "STP"]}), vec!["SUS", "STP"]),
        (json!({"Status": ["NEW"]}), vec!["NEW"]),
        (json!({}), vec!["ACT"]),
    ] {
        // The query names ACT; the body wins.
        let page = clinic
            .post("/patients/list?status=ACT", body.clone())
            .await
            .is(200)
            .json();
        assert_eq!(sorted(ids(&page)), of(&expected), "{body}");
    }
    let page = clinic
        .post("/patients/list?limit=2&offset=1", json!({"limit": 3}))
        .await
        .is(200)
        .json();
    assert_eq!(page["paging"], json!({"limit": 3, "offset": 1, "totalCount": 5}));
}

/// "only patients whose `assignedUserName` is the token's `username` claim; without that claim it has no effect".
async fn my_patients_are_those_of_my_user_name(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let mut mine = Vec::new();
    for n in 0..6 {
        let patient = clinic.register().await;
        let user = if n % 2 == 0 {
            "j.demo@example.org"
        } else {
            "somebody.else"
        };
        if n < 5 {
            clinic
                .put("/patients/user", json!({"wmdaId": patient, "userName": user}))
                .await
                .is(200);
        }
        if n < 5 && n % 2 == 0 {
            mine.insert(0, patient);
        }
    }
    let mut claims = claims(&clinic.workspace, "patient:read");
    claims["username"] = json!("j.demo@example.org");
    let me = clinic.api.with_token(&hmac(SECRET.as_bytes(), &claims));
    let list = |query: &str| me.get(&format!("/api/v2/patients/list{query}"));
    for query in [
        "?onlyMyPatients=true",
        "?OnlyMyPatients=True",
        "?ONLYMYPATIENTS=TRUE",
    ] {
        let page = list(query).await.is(200).json();
        assert_eq!(
            (ids(&page), &page["paging"]["totalCount"]),
            (mine.clone(), &json!(3)),
            "{query}"
        );
    }
    let page = me
        .post("/api/v2/patients/list", json!({"onlyMyPatients": true}))
        .await;
    assert_eq!(ids(&page.is(200).json()), mine);
    for query in ["", "?onlyMyPatients=false", "?onlyMyPatients=False"] {
        assert_eq!(
            list(query).await.is(200).json()["paging"]["totalCount"],
            6,
            "{query}"
        );
    }
    let machine = clinic.list("?onlyMyPatients=true").await;
    assert_eq!(machine["paging"]["totalCount"], 6);
    let page = list("?onlyMyPatients=true&status=STP|ACT").await.is(200).json();
    assert_eq!(page["paging"]["totalCount"], 0);
}

/// "Names in any case (`Limit`, `OnlyMyPatients`), booleans in any case (`True`), unknown parameters ignored, no body
/// needed".
async fn names_and_booleans_come_in_any_case(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    for _ in 0..3 {
        clinic.register().await;
    }
    for query in ["?Limit=2&OFFSET=1", "?LIMIT=2&offset=1&unknown=x&sort=no"] {
        let page = clinic.list(query).await;
        assert_eq!(
            page["paging"],
            json!({"limit": 2, "offset": 1, "totalCount": 3}),
            "{query}"
        );
        assert_eq!(ids(&page).len(), 2);
    }
    for body in [
        json!({"Limit": 2, "OFFSET": 1}),
        json!({"limit": 2, "offset": 1, "unknown": [1]}),
    ] {
        let page = clinic.post("/patients/list", body.clone()).await.is(200).json();
        assert_eq!(
            page["paging"],
            json!({"limit": 2, "offset": 1, "totalCount": 3}),
            "{body}"
        );
    }
    let nulls = json!({"limit": null, "offset": null, "status": null, "onlyMyPatients": null});
    let page = clinic.post("/patients/list", nulls).await.is(200).json();
    assert_eq!(
        page["paging"],
        json!({"limit": 100, "offset": 0, "totalCount": 3})
    );
}

/// Section 9: "list: `limit` 0, 1001 or `abc`, `offset` -1, unknown status".
async fn bad_parameters_of_the_list_are_refused(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    for (query, fields) in [
        ("limit=0", vec!["limit"]),
        ("limit=1001", vec!["limit"]),
        ("limit=abc", vec!["limit"]),
        ("limit=1.5", vec!["limit"]),
        ("offset=-1", vec!["offset"]),
        ("offset=x", vec!["offset"]),
        ("status=act", vec!["status"]),
        ("status=ACT|ANO", vec!["status"]),
        ("status=ACT&status=x", vec!["status"]),
        ("onlyMyPatients=yes", vec!["onlyMyPatients"]),
        ("limit=0&offset=-1&status=x", vec!["limit", "offset", "status"]),
    ] {
        for path in ["/patients/list", "/patients"] {
            clinic.get(&format!("{path}?{query}")).await.invalid(&fields);
        }
        clinic
            .api
            .call(reqwest::Method::POST, &format!("/api/v2/patients/list?{query}"))
            .await
            .invalid(&fields);
    }
    for (body, field) in [
        (json!({"limit": 0}), "$.limit"),
        (json!({"limit": "10"}), "$.limit"),
        (json!({"offset": -1}), "$.offset"),
        (json!({"status": "x"}), "$.status"),
        (json!({"status": 5}), "$.status"),
        (json!({"onlyMyPatients": "maybe"}), "$.onlyMyPatients"),
    ] {
        clinic.post("/patients/list", body).await.invalid(&[field]);
    }
    for bad in ["[]", "5", "{"] {
        clinic
            .api
            .post("/api/v2/patients/list", bad)
            .await
            .invalid(&["$"]);
    }
}
