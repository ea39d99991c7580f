//! `wmdaId` and `searchId` (section 5, "Identifiers").

use super::clinic::{BASE, Clinic, UNKNOWN, hla};
use crate::e2e::harness::{Journey, Tenant, members, tenant_journey};
use futures::future::join_all;
use serde_json::json;
use std::collections::BTreeSet;

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(line_18_numbers_are_unique_and_no_running_count),
        tenant_journey!(line_24_both_prefixes_reach_the_same),
        tenant_journey!(a_path_without_a_number_is_nobodys),
    ]
}

/// A running count goes up nearly always, and neighbours in time are neighbours in number.
#[track_caller]
fn assert_no_count(numbers: &[i64]) {
    let ups = numbers.windows(2).filter(|pair| pair[1] > pair[0]).count();
    let share = ups * 100 / (numbers.len() - 1);
    assert!((25..=75).contains(&share), "{share} of 100 go up: {numbers:?}");
    let near = numbers
        .windows(2)
        .filter(|pair| pair[1].abs_diff(pair[0]) < 1_000)
        .count();
    assert!(
        near * 10 < numbers.len(),
        "{near} are near the one before: {numbers:?}"
    );
}

/// "`wmdaId` and `searchId` are positive, unique on the server, never reused, no running count; `wmdaId` has 6 digits or
/// more."
async fn line_18_numbers_are_unique_and_no_running_count(tenant: &Tenant) {
    let other = Tenant::on(&tenant.root, json!({})).await;
    let clinics = [Clinic::of(tenant), Clinic::of(&other)];
    let (mut patients, mut searches) = (Vec::new(), Vec::new());
    for round in 0..40 {
        let patient = clinics[round % 2].register().await;
        patients.push(patient);
        searches.push(clinics[round % 2].search(patient).await);
    }
    for round in 0..5 {
        let clinic = &clinics[round % 2];
        patients.extend(join_all((0..16).map(|_| clinic.register())).await);
    }
    for patient in &patients {
        assert!((100_000..=2_147_483_647).contains(patient), "{patient}");
    }
    for search in &searches {
        assert!((1..=2_147_483_647).contains(search), "{search}");
    }
    assert_eq!(patients.iter().collect::<BTreeSet<_>>().len(), patients.len());
    assert_eq!(searches.iter().collect::<BTreeSet<_>>().len(), searches.len());
    assert_no_count(&patients);
    assert_no_count(&searches);
}

/// "Both prefixes reach the same records with the same answers."
async fn line_24_both_prefixes_reach_the_same(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let api = &clinic.api;
    let bare = api.post("/patients", json!({"hla": hla()})).await.is(201);
    assert_eq!(members(&bare.json()), ["wmdaId"]);
    let patient = bare.json()["wmdaId"].as_i64().unwrap();
    let search = json!({"wmdaId": patient, "matchEngine": 2, "searchType": "DR"});
    let made = api.post("/searches", search).await.is(201).json();
    assert_eq!(members(&made), ["searchId"]);
    let search = made["searchId"].as_i64().unwrap();
    clinic.until_search(patient, search, "COMPLETED").await;
    let path = format!("/searches/{search}/results");
    clinic.engine.put(&path, super::clinic::delivery()).await.is(200);
    // Whatever moves is moved once before, and then compared within a moment: the times are left out.
    let same = async |method: &str, path: &str, body: Option<serde_json::Value>| {
        let mut answers = Vec::new();
        for base in [BASE, ""] {
            let path = format!("{base}{path}");
            let call = api.call(method.parse().unwrap(), &path);
            let answer = match &body {
                Some(body) => call.json(body).await,
                None => call.await,
            };
            let mut shown: serde_json::Value = serde_json::from_str(&answer.text).unwrap_or_default();
            without_times(&mut shown);
            let kind = answer.headers.get("content-type").cloned();
            answers.push((answer.status, kind, shown));
        }
        assert_eq!(answers[0], answers[1], "{method} {path}");
        answers[0].0
    };
    let named = json!({"wmdaId": patient});
    let status = json!({"wmdaId": patient, "newStatus": "ACT"});
    let results = json!({"searchId": search});
    for (method, path, body, status) in [
        ("GET", format!("/patients/{patient}"), None, 200),
        (
            "PUT",
            "/patients".to_owned(),
            Some(json!({"wmdaId": patient, "weight": 70})),
            204,
        ),
        ("GET", "/patients/list".to_owned(), None, 200),
        (
            "POST",
            "/patients/list".to_owned(),
            Some(json!({"limit": 1})),
            200,
        ),
        ("GET", "/patients".to_owned(), None, 200),
        ("PUT", "/patients/status".to_owned(), Some(status), 200),
        (
            "PUT",
            "/patients/user".to_owned(),
            Some(json!({"wmdaId": patient, "userName": "j.demo"})),
            200,
        ),
        ("GET", format!("/searches/{search}"), None, 200),
        ("GET", format!("/searches/patientSearches/{patient}"), None, 200),
        (
            "POST",
            "/searches/searchResults/donors".to_owned(),
            Some(results.clone()),
            200,
        ),
        (
            "POST",
            "/searches/searchResults/cbus".to_owned(),
            Some(results),
            200,
        ),
        ("GET", format!("/searches/{search}/searchResults/adcu"), None, 200),
        (
            "GET",
            format!("/searches/{search}/searchResults/registries"),
            None,
            200,
        ),
        ("GET", format!("/searches/{search}/searchResults/cbbs"), None, 200),
        (
            "POST",
            "/searches/refreshAllPatientSearches".to_owned(),
            Some(named),
            202,
        ),
        ("POST", "/patients".to_owned(), Some(json!({})), 400),
        ("GET", format!("/patients/{UNKNOWN}"), None, 404),
        ("DELETE", "/patients".to_owned(), None, 405),
        (
            "PUT",
            "/patients/status".to_owned(),
            Some(json!({"wmdaId": patient, "newStatus": "PRE"})),
            409,
        ),
    ] {
        assert_eq!(same(method, &path, body).await, status, "{method} {path}");
    }
    let deprecated = clinic.get("/patients?limit=7").await.is(200).json();
    assert_eq!(deprecated, clinic.list("?limit=7").await);
}

/// Sets every time to null.
fn without_times(shown: &mut serde_json::Value) {
    match shown {
        serde_json::Value::Object(members) => {
            for (name, member) in members {
                if ["lastUpdated", "lastViewed", "recordLastUpdated"].contains(&name.as_str()) {
                    *member = serde_json::Value::Null;
                } else {
                    without_times(member);
                }
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(without_times),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}

/// "A path segment that is no positive integer: 404".
async fn a_path_without_a_number_is_nobodys(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let unknown = clinic
        .get(&format!("/patients/{UNKNOWN}"))
        .await
        .fault(404, "notFound");
    for segment in [
        "0",
        "-1",
        "abc",
        "1.5",
        "1e6",
        "99999999999999999999999",
        "%20",
        "0x10",
        "2147483648",
    ] {
        let answer = clinic
            .get(&format!("/patients/{segment}"))
            .await
            .fault(404, "notFound");
        assert_eq!(answer.text, unknown.text, "{segment}");
        let path = format!("/searches/patientSearches/{segment}");
        assert_eq!(
            clinic.get(&path).await.fault(404, "notFound").text,
            unknown.text,
            "{path}"
        );
    }
}
