//! Requests that leave nothing, and requests that are sent again.

use super::clinic::{BASE, Clinic, UNKNOWN, everything, hla, items};
use crate::e2e::harness::{Answer, Api, Call, Journey, Tenant, tenant_journey};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(line_27_nothing_that_was_refused_is_stored),
        tenant_journey!(line_28_a_repeated_post_makes_one_patient_or_search),
        tenant_journey!(every_write_is_answered_again_under_its_key),
        tenant_journey!(a_search_takes_what_the_table_says),
    ]
}

/// Everything of the workspace that a request could have touched.
async fn everything_stored(clinic: &Clinic, patients: &[i64]) -> Vec<Value> {
    let mut seen = vec![clinic.list("?limit=1000").await];
    for path in ["/ops/v1/patients?limit=200", "/ops/v1/tasks?limit=200"] {
        seen.push(clinic.ops.get(path).await.is(200).json());
    }
    for patient in patients {
        seen.push(json!(clinic.history(*patient).await));
        seen.push(json!(clinic.searches(*patient).await));
    }
    seen
}

/// What is refused, and how.
fn refused_writes(clinic: &Clinic, [live, stopped, new]: [i64; 3]) -> Vec<(Call, u16)> {
    vec![
        (clinic.post("/patients", json!({"hla": hla(), "weight": 0})), 400),
        (clinic.post("/patients", json!({"weight": 60})), 400),
        (
            clinic.post(
                "/patients",
                json!({"hla": hla(), "patientId": "98761234P", "legalTerms": true}),
            ),
            409,
        ),
        (
            clinic.put("/patients", json!({"wmdaId": live, "weight": 63, "sex": "?"})),
            400,
        ),
        (
            clinic.put(
                "/patients",
                json!({"wmdaId": live, "weight": 63, "patientId": "other"}),
            ),
            409,
        ),
        (
            clinic.put(
                "/patients",
                json!({"wmdaId": new, "weight": 63, "patientId": "98761234P", "legalTerms": true}),
            ),
            409,
        ),
        (
            clinic.put("/patients", json!({"wmdaId": stopped, "weight": 63})),
            409,
        ),
        (
            clinic.put("/patients", json!({"wmdaId": UNKNOWN, "weight": 63})),
            404,
        ),
        (clinic.change(live, "PRE", None), 409),
        (clinic.change(live, "STP", None), 400),
        (clinic.change(new, "ACT", Some("GCC")), 409),
        (
            clinic.put("/patients/user", json!({"wmdaId": live, "userName": "abc"})),
            400,
        ),
        (
            clinic.post(
                "/searches",
                json!({"wmdaId": new, "matchEngine": 9, "searchType": "DR"}),
            ),
            400,
        ),
        (clinic.search_call(stopped), 409),
        (clinic.search_call(UNKNOWN), 404),
        (
            clinic.post("/searches/refreshAllPatientSearches", json!({"wmdaId": stopped})),
            409,
        ),
    ]
}

fn refused_elsewhere(clinic: &Clinic, other: &Clinic, live: i64, search: i64) -> Vec<(Call, u16)> {
    vec![
        (other.put("/patients", json!({"wmdaId": live, "weight": 63})), 404),
        (other.change(live, "STP", Some("FND")), 404),
        (
            other.put("/patients/user", json!({"wmdaId": live, "userName": "abcd"})),
            404,
        ),
        (other.search_call(live), 404),
        (
            other.post("/searches/refreshAllPatientSearches", json!({"wmdaId": live})),
            404,
        ),
        (
            clinic.deliver(search, json!({"donors": [{"id": "new"}, {}]})),
            400,
        ),
        (other.deliver(search, json!({"donors": []})), 404),
        (
            clinic
                .api
                .call(Method::POST, &format!("{BASE}/patients"))
                .body("text/plain", "x"),
            415,
        ),
        (
            clinic
                .with_scopes("patient:read")
                .post(&format!("{BASE}/patients"), everything()),
            403,
        ),
        (other.get(&format!("/patients/{live}")), 404),
        (other.results("donors", search), 404),
    ]
}

/// "Nothing that a 4xx answered is stored, in whole or in part."
async fn line_27_nothing_that_was_refused_is_stored(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let named = json!({"patientId": "98761234P", "legalTerms": true, "weight": 62});
    let live = clinic.register_with(&named).await;
    let search = clinic.delivered(live).await;
    clinic.changed(live, "ACT").await;
    let stopped = clinic.in_status("STP").await;
    let new = clinic.register().await;
    let patients = [live, stopped, new];
    super::clinic::a_while().await;
    let before = everything_stored(&clinic, &patients).await;
    let other = Clinic::of(&Tenant::on(&tenant.root, json!({})).await);
    let refused = refused_writes(&clinic, [live, stopped, new]).into_iter();
    let refused = refused.chain(refused_elsewhere(&clinic, &other, live, search));
    for (n, (call, status)) in refused.enumerate() {
        let answer = call.header("Idempotency-Key", &format!("refused-{n}")).await;
        assert_eq!(answer.status, status, "{n}: {} {}", answer.what(), answer.text);
    }
    assert_eq!(everything_stored(&clinic, &patients).await, before);
    let read = clinic.results("donors", search).await.is(200).json();
    assert_eq!(read["paging"]["totalCount"], 2);
    let shown = clinic.get(&format!("/patients/{live}")).await.is(200).json();
    assert_eq!((&shown["weight"], &shown["sex"]), (&json!(62), &Value::Null));
    assert_eq!(other.list("").await["paging"]["totalCount"], 0);
}

fn is_replayed(answer: &Answer) -> bool {
    answer
        .headers
        .get("idempotency-replayed")
        .is_some_and(|value| value == "true")
}

/// "A repeated POST with the same `Idempotency-Key` makes one patient or search."
async fn line_28_a_repeated_post_makes_one_patient_or_search(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let register = || {
        clinic
            .post("/patients", everything())
            .header("Idempotency-Key", "p-1")
    };
    let first = register().await.is(201);
    let patient = first.json()["wmdaId"].as_i64().unwrap();
    for _ in 0..3 {
        let again = register().await.is(201);
        assert!(is_replayed(&again) && !is_replayed(&first));
        assert_eq!(again.text, first.text);
    }
    assert_eq!(clinic.list("").await["paging"]["totalCount"], 1);
    let start = || clinic.search_call(patient).header("Idempotency-Key", "s-1");
    // A crowd of them, of whom those that come while it is made are told so.
    let crowd = join_all((0..20).map(|_| start().into_future())).await;
    let made = start().await.is(201);
    for answer in crowd {
        if answer.status == 409 {
            answer.fault(409, "idempotencyInFlight");
        } else {
            assert_eq!(answer.is(201).text, made.text);
        }
    }
    assert_eq!(clinic.searches(patient).await.len(), 1);
    assert_eq!(clinic.history(patient).await.len(), 2);
    // Without a key each is one more.
    clinic.search(patient).await;
    assert_eq!(clinic.searches(patient).await.len(), 2);
    let other = json!({"hla": hla(), "weight": 61});
    let mismatch = clinic
        .post("/patients", other)
        .header("Idempotency-Key", "p-1")
        .await;
    mismatch.fault(422, "idempotencyMismatch");
}

type Again<'a> = Box<dyn Fn() -> Call + Send + Sync + 'a>;

/// common.md: "`Idempotency-Key` is honoured on every POST, PUT, PATCH and DELETE of every dialect".
async fn every_write_is_answered_again_under_its_key(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.register().await;
    let search = clinic.searched(patient).await;
    let calls: Vec<(&str, Again<'_>, u16)> = vec![
        (
            "status",
            Box::new(|| clinic.change(patient, "ACT", Some("GCC"))),
            200,
        ),
        (
            "update",
            Box::new(|| clinic.put("/patients", json!({"wmdaId": patient, "weight": 60}))),
            204,
        ),
        (
            "user",
            Box::new(|| clinic.put("/patients/user", json!({"wmdaId": patient, "userName": "j.demo"}))),
            200,
        ),
        (
            "refresh",
            Box::new(|| clinic.post("/searches/refreshAllPatientSearches", json!({"wmdaId": patient}))),
            202,
        ),
        (
            "delivery",
            Box::new(|| clinic.deliver(search, super::clinic::delivery())),
            200,
        ),
    ];
    let mut firsts = Vec::new();
    for (key, call, status) in &calls {
        let first = call().header("Idempotency-Key", key).await.is(*status);
        assert!(!is_replayed(&first));
        firsts.push(first);
    }
    // Whatever becomes of the patient, the answer stays.
    clinic.changed(patient, "STP").await;
    let before = everything_stored(&clinic, &[patient]).await;
    for ((key, call, status), first) in calls.iter().zip(firsts) {
        let again = call().header("Idempotency-Key", key).await.is(*status);
        assert!(is_replayed(&again), "{key}");
        assert_eq!(again.text, first.text, "{key}");
    }
    assert_eq!(everything_stored(&clinic, &[patient]).await, before);
    let ops: &Api = &clinic.ops;
    let tasks = ops.get("/ops/v1/tasks?limit=200").await.is(200).json();
    assert!(items(&tasks, "items").len() < 20, "{tasks}");
}

/// Section 6: the members of POST `/searches`.
async fn a_search_takes_what_the_table_says(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.register().await;
    let ask = |more: &Value| {
        let body = json!({"wmdaId": patient, "matchEngine": 2, "searchType": "DR"});
        clinic.post("/searches", super::clinic::with(body, more))
    };
    for (name, values) in [
        ("matchEngine", vec![json!(2), json!(3)]),
        ("searchType", vec![json!("DR"), json!("CB")]),
        ("overallMismatches", (0..=7).map(|n| json!(n)).collect()),
        (
            "lociToBeConsidered",
            vec![
                json!(["A"]),
                json!([
                    "DRB3", "DRB4", "DRB5", "DQA1", "DPA1", "DPB1", "A", "B", "C", "DRB1", "DQB1"
                ]),
            ],
        ),
    ] {
        for value in values {
            let made = ask(&json!({name: value})).await.is(201).json();
            let search = made["searchId"].as_i64().unwrap();
            let shown = clinic.summary(search).await.is(200).json();
            assert_eq!(shown[name], value, "{name}");
        }
    }
    for nullable in [
        json!({"lociToBeConsidered": null, "isCbuAbLowDrb1HighResolution": null, "searchOnlyOwnIon": null}),
        json!({"isCbuAbLowDrb1HighResolution": true, "searchOnlyOwnIon": false}),
    ] {
        ask(&nullable).await.is(201);
    }
    let count = clinic.searches(patient).await.len();
    for (name, values) in [
        ("wmdaId", vec![json!(null), json!("5"), json!(1.5), json!(true)]),
        (
            "matchEngine",
            vec![json!(null), json!(1), json!(4), json!("2"), json!(2.5)],
        ),
        (
            "searchType",
            vec![json!(null), json!("dr"), json!("XX"), json!(1)],
        ),
        (
            "overallMismatches",
            vec![json!(-1), json!(8), json!("0"), json!(0.5)],
        ),
        (
            "lociToBeConsidered",
            vec![json!([]), json!("A"), json!({}), json!(["A", "B", "A"])],
        ),
        ("isCbuAbLowDrb1HighResolution", vec![json!("true"), json!(1)]),
        ("searchOnlyOwnIon", vec![json!("false"), json!(0)]),
    ] {
        for value in values {
            let answer = ask(&json!({name: value})).await.fault(400, "invalidRequest");
            let fields: Vec<_> = items(&answer.json(), "errors");
            let named = fields.iter().all(|fault| {
                let field = fault["field"].as_str().unwrap_or_default();
                field.starts_with(&format!("$.{name}"))
            });
            assert!(named && fields.len() == 1, "{name} {value}: {}", answer.text);
        }
    }
    for wrong in [json!(["a"]), json!(["A", "DRB2"]), json!(["A", 5]), json!([null])] {
        let answer = ask(&json!({"lociToBeConsidered": wrong}))
            .await
            .fault(400, "invalidRequest");
        let field = answer.json()["errors"][0]["field"].as_str().unwrap().to_owned();
        assert!(field.starts_with("$.lociToBeConsidered"), "{field}");
    }
    assert_eq!(clinic.searches(patient).await.len(), count);
}
