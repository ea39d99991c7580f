//! Patients: one record, known by each of its identifiers.

use crate::e2e::harness::{Journey, Tenant, assert_made_id, instant, tenant_journey};
use futures::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(a_patient_is_found_by_either_identifier),
        tenant_journey!(a_patient_is_switched_off_and_on),
        tenant_journey!(a_local_identifier_is_one_patients),
        tenant_journey!(patients_are_listed_in_pages),
        tenant_journey!(bad_patients_are_refused),
    ]
}

fn by_id(patient: &Value) -> String {
    format!("/ops/v1/patients/{}", patient["id"].as_str().unwrap())
}

fn by_number(patient: &Value) -> String {
    format!("/ops/v1/patients/{}", patient["wmdaId"])
}

/// "POST `/patients`, GET `/patients/{id}`: a patient with all identifiers (`{id}` is the UUID or the `wmdaId`)".
async fn a_patient_is_found_by_either_identifier(tenant: &Tenant) {
    let api = &tenant.api;
    let made = api
        .post("/ops/v1/patients", json!({"patientId": "98761234P"}))
        .await
        .is(201);
    let patient = made.json();
    assert_eq!(made.header("location"), by_id(&patient));
    assert_made_id(patient["id"].as_str().unwrap());
    let number = patient["wmdaId"].as_i64().unwrap();
    assert!((1..=2_147_483_647).contains(&number), "{patient}");
    assert_eq!(
        (&patient["patientId"], &patient["active"]),
        (&json!("98761234P"), &json!(true))
    );
    instant(&patient["createdAt"]);
    let seen = api.get(&by_id(&patient)).await.is(200).json();
    assert_eq!(api.get(&by_number(&patient)).await.is(200).json(), seen);
    for name in ["id", "wmdaId", "patientId", "active", "createdAt"] {
        assert_eq!(seen[name], patient[name], "{name}");
    }
    assert_eq!(seen["recentTasks"], json!([]));
    let nameless = api.post("/ops/v1/patients", json!({})).await.is(201).json();
    assert!(nameless.get("patientId").is_none(), "{nameless}");
    for missing in [
        "0197a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
        "100001",
        "98761234P",
        "0",
        "99999999999",
    ] {
        api.get(&format!("/ops/v1/patients/{missing}")).await.problem(404);
    }
}

/// "PATCH `{active}`".
async fn a_patient_is_switched_off_and_on(tenant: &Tenant) {
    let api = &tenant.api;
    let patient = api
        .post("/ops/v1/patients", json!({"patientId": "P"}))
        .await
        .is(201)
        .json();
    for (path, active) in [
        (by_id(&patient), false),
        (by_number(&patient), true),
        (by_number(&patient), true),
        (by_id(&patient), false),
    ] {
        let changed = api.patch(&path, json!({"active": active})).await.is(200).json();
        let mut expected = patient.clone();
        expected["active"] = json!(active);
        assert_eq!(changed, expected);
        assert_eq!(api.get(&by_id(&patient)).await.is(200).json()["active"], active);
    }
    for bad in [
        "{}",
        r#"{"active":"yes"}"#,
        r#"{"active":true,"wmdaId":5}"#,
        "[]",
        "{",
        r#"{"active":null}"#,
    ] {
        api.patch(&by_id(&patient), bad).await.problem(400);
    }
    api.patch("/ops/v1/patients/100001", json!({"active": true}))
        .await
        .problem(404);
    assert_eq!(api.get(&by_id(&patient)).await.is(200).json()["active"], false);
}

/// "one record, three identifiers": a local identifier that is taken is not given twice.
async fn a_local_identifier_is_one_patients(tenant: &Tenant) {
    let api = &tenant.api;
    let posts = (0..16).map(|_| {
        api.post("/ops/v1/patients", json!({"patientId": "P-1"}))
            .into_future()
    });
    let answers = join_all(posts).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 1);
    for answer in answers.into_iter().filter(|answer| answer.status != 201) {
        answer.problem(409);
    }
    api.post("/ops/v1/patients", json!({"patientId": "p-1"}))
        .await
        .is(201);
    assert_eq!(
        api.get("/ops/v1/patients").await.is(200).json()["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

async fn patients_are_listed_in_pages(tenant: &Tenant) {
    let api = &tenant.api;
    let mut made = Vec::new();
    for n in 0..7 {
        made.push(
            api.post("/ops/v1/patients", json!({"patientId": format!("P{n}")}))
                .await
                .is(201)
                .json(),
        );
    }
    let numbers: BTreeSet<_> = made
        .iter()
        .map(|patient| patient["wmdaId"].as_i64().unwrap())
        .collect();
    assert_eq!(numbers.len(), made.len(), "a number is never given twice");
    made.sort_by_key(|patient| patient["id"].as_str().unwrap().to_owned());
    for limit in [1, 3, 7, 200] {
        let (mut found, mut path) = (Vec::new(), format!("/ops/v1/patients?limit={limit}"));
        loop {
            let page = api.get(&path).await.is(200).json();
            found.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/ops/v1/patients?limit={limit}&cursor={next}");
        }
        found.sort_by_key(|patient| patient["id"].as_str().unwrap().to_owned());
        assert_eq!(found, made, "limit {limit}");
    }
}

async fn bad_patients_are_refused(tenant: &Tenant) {
    let long = format!(r#"{{"patientId":"{}"}}"#, "x".repeat(65));
    for bad in [
        "{",
        "[]",
        r#"{"patientId":5}"#,
        r#"{"patientId":""}"#,
        r#"{"patientId":"a b"}"#,
        r#"{"patientId":"é"}"#,
        r#"{"name":"Ada"}"#,
        &long,
    ] {
        let problem = tenant.api.post("/ops/v1/patients", bad).await.problem(400);
        assert!(
            !problem.text.contains("Ada"),
            "what was sent is not repeated: {}",
            problem.text
        );
    }
    let text = tenant
        .api
        .call(reqwest::Method::POST, "/ops/v1/patients")
        .body("text/plain", "{}");
    text.await.problem(415);
    let large = format!(r#"{{"patientId":"{}"}}"#, "x".repeat(1 << 20));
    tenant.api.post("/ops/v1/patients", large).await.problem(413);
    assert_eq!(
        tenant.api.get("/ops/v1/patients").await.is(200).json(),
        json!({"items": []})
    );
}
