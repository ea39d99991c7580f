//! What becomes of a stopped patient after six months (section 4).

use super::clinic::{BASE, Clinic, KINDS, UNKNOWN, World, a_while, delivery, everything, items, with};
use super::raw;
use crate::e2e::harness::{Api, Call, Engine, Journey, instant, journey};
use serde_json::{Value, json};
use time::{Duration, Month, OffsetDateTime};

pub fn journeys() -> Vec<Journey> {
    vec![
        journey!(line_12_after_six_months_in_stp_a_patient_is_anonymised),
        journey!(six_months_end_with_the_month_where_the_day_is_missing),
        journey!(line_13_an_anonymised_patient_never_was),
        journey!(anonymisation_leaves_what_other_dialects_hold),
    ]
}

/// "6 calendar months, same day and time, the month's last day where that day is missing".
fn six_months_after(at: OffsetDateTime) -> OffsetDateTime {
    let months = at.year() * 12 + i32::from(u8::from(at.month())) - 1 + 6;
    let month = Month::try_from(u8::try_from(months % 12 + 1).unwrap()).unwrap();
    let year = months / 12;
    let day = at.day().min(month.length(year));
    at.replace_date(time::Date::from_calendar_date(year, month, day).unwrap())
}

async fn stopped_at(clinic: &Clinic, patient: i64) -> OffsetDateTime {
    let last = clinic.history(patient).await.pop().expect("an entry");
    assert_eq!(last["to"], "STP");
    instant(&last["at"])
}

/// "6 calendar months after the stop, not before, the patient is anonymised; reading or repeating STP does not delay it;
/// reactivation before then prevents it."
async fn line_12_after_six_months_in_stp_a_patient_is_anonymised(engine: Engine) {
    let world = World::manual(engine).await;
    let clinic = &world.clinic;
    let mut patients = Vec::new();
    for from in ["NEW", "PRE", "ACT", "SUS"] {
        let patient = clinic.in_status(from).await;
        clinic.changed(patient, "STP").await;
        patients.push(patient);
    }
    let reactivated = clinic.in_status("STP").await;
    let twice = clinic.in_status("STP").await;
    world.advance("P100D").await;
    for patient in &patients {
        clinic.get(&format!("/patients/{patient}")).await.is(200);
        clinic.change(*patient, "STP", Some("FND")).await.is(200);
    }
    clinic.changed(reactivated, "SUS").await;
    clinic.changed(twice, "ACT").await;
    clinic.changed(twice, "STP").await;
    let due = six_months_after(stopped_at(clinic, patients[0]).await);
    // A counter's 42 days later the system stops the reactivated one, whose own six months begin.
    world.advance_to(due - Duration::seconds(30)).await;
    a_while().await;
    for patient in &patients {
        clinic.get(&format!("/patients/{patient}")).await.is(200);
        clinic.change(*patient, "STP", Some("FND")).await.is(200);
    }
    let last = six_months_after(stopped_at(clinic, patients[3]).await);
    world.advance_to(last + Duration::seconds(2)).await;
    for patient in patients {
        clinic.until_gone(patient).await;
        clinic
            .get(&format!("/patients/{patient}"))
            .await
            .fault(404, "notFound");
    }
    for (patient, entries) in [(reactivated, 5), (twice, 5)] {
        clinic.get(&format!("/patients/{patient}")).await.is(200);
        assert_eq!(clinic.history(patient).await.len(), entries);
    }
    let due = six_months_after(stopped_at(clinic, twice).await);
    world.advance_to(due + Duration::seconds(2)).await;
    clinic.until_gone(twice).await;
    assert!(!clinic.is_gone(reactivated).await, "its second stop is newer");
    let due = six_months_after(stopped_at(clinic, reactivated).await);
    world.advance_to(due + Duration::seconds(2)).await;
    clinic.until_gone(reactivated).await;
}

async fn six_months_end_with_the_month_where_the_day_is_missing(engine: Engine) {
    let world = World::manual(engine).await;
    let clinic = &world.clinic;
    let now = world.now().await;
    let year = now.year() + i32::from(now.month() >= Month::August);
    let end_of_august = time::Date::from_calendar_date(year, Month::August, 31).unwrap();
    world
        .advance_to(end_of_august.with_hms(12, 0, 0).unwrap().assume_utc())
        .await;
    let patient = clinic.in_status("STP").await;
    let due = six_months_after(stopped_at(clinic, patient).await);
    assert_eq!(due.month(), Month::February);
    world.advance_to(due - Duration::minutes(1)).await;
    a_while().await;
    assert!(!clinic.is_gone(patient).await, "too early");
    world.advance_to(due + Duration::seconds(2)).await;
    clinic.until_gone(patient).await;
}

const PATIENT_ID: &str = "7391ZQKXVW";
const BORN: &str = "1949-07-23";
const USER: &str = "q.zephyrine@example.org";
const CENTRE: &str = "TC QZXWV";
const TEXT: &str = "Quixotic leukaemia of Zanzibar";
/// Nothing of this may be left.
const SECRETS: [&str; 5] = [PATIENT_ID, BORN, USER, CENTRE, TEXT];

fn person() -> Value {
    let own = json!({
        "patientId": PATIENT_ID, "legalTerms": true, "dateOfBirth": BORN, "transplantCentreId": CENTRE,
        "diagnosis": {"diagnosisCode": "ALL", "diagnosisText": TEXT, "diagnosisDate": null},
    });
    with(everything(), &own)
}

/// Every call of the dialect that names a patient or a search.
fn calls(clinic: &Clinic, patient: i64, search: i64) -> Vec<Call> {
    let mut calls = vec![
        clinic.get(&format!("/patients/{patient}")),
        clinic.put("/patients", json!({"wmdaId": patient, "weight": 60})),
        clinic.change(patient, "NEW", None),
        clinic.change(patient, "PRE", None),
        clinic.change(patient, "ACT", None),
        clinic.change(patient, "SUS", None),
        clinic.change(patient, "STP", Some("FND")),
        clinic.put("/patients/user", json!({"wmdaId": patient, "userName": "j.demo"})),
        clinic.search_call(patient),
        clinic.get(&format!("/searches/patientSearches/{patient}")),
        clinic.post("/searches/refreshAllPatientSearches", json!({"wmdaId": patient})),
        clinic.summary(search),
        clinic.deliver(search, delivery()),
    ];
    calls.extend(KINDS.map(|kind| clinic.results(kind, search)));
    calls
}

/// "An anonymised patient is, in every call of this dialect, indistinguishable from one that never existed; the old
/// `patientId` and full date of birth are nowhere left, `/ops` included."
async fn line_13_an_anonymised_patient_never_was(engine: Engine) {
    let world = World::manual(engine).await;
    let clinic = &world.clinic;
    let keyed = clinic
        .post("/patients", person())
        .header("Idempotency-Key", "k-1");
    let patient = keyed.await.is(201).json()["wmdaId"].as_i64().unwrap();
    let user = json!({"wmdaId": patient, "userName": USER});
    clinic
        .put("/patients/user", user)
        .header("Idempotency-Key", "k-2")
        .await
        .is(200);
    let again = with(person(), &json!({"wmdaId": patient, "weight": 63}));
    clinic
        .put("/patients", again)
        .header("Idempotency-Key", "k-3")
        .await
        .is(204);
    let search = clinic.delivered(patient).await;
    clinic.changed(patient, "ACT").await;
    world.advance("P2D").await;
    // Somebody else of that name and day would be left.
    let refused = with(person(), &json!({"weight": 0}));
    clinic.post("/patients", refused).await.is(400);
    clinic
        .post("/patients", person())
        .await
        .fault(409, "patientIdInUse");
    assert!(
        !raw::found(world.server.data(), &[PATIENT_ID, BORN])
            .await
            .is_empty(),
        "it can be found"
    );
    clinic.changed(patient, "STP").await;
    let before = clinic.history(patient).await;
    world.advance("P190D").await;
    clinic.until_gone(patient).await;

    let gone = calls(clinic, patient, search).into_iter();
    for (gone, never) in gone.zip(calls(clinic, UNKNOWN, UNKNOWN)) {
        let (gone, never) = (gone.await, never.await);
        assert_eq!(
            (gone.status, &gone.text),
            (never.status, &never.text),
            "{}",
            gone.what()
        );
        assert!(
            [400, 404].contains(&gone.status),
            "{}: {}",
            gone.what(),
            gone.status
        );
    }
    let list = clinic.list("?limit=1000").await;
    assert_eq!(list["paging"]["totalCount"], 0, "{list}");
    // Operators read the record and its history, without what was deleted.
    let shown = clinic
        .ops
        .get(&format!("/ops/v1/patients/{patient}"))
        .await
        .is(200);
    assert_eq!(clinic.history(patient).await, before);
    let id = shown.json()["id"].as_str().unwrap().to_owned();
    let mut seen = vec![shown.text];
    for path in [
        format!("/ops/v1/patients/{id}"),
        "/ops/v1/patients?limit=200".to_owned(),
        "/ops/v1/tasks?limit=200".to_owned(),
        "/ops/v1/audit?limit=200".to_owned(),
    ] {
        seen.push(clinic.ops.get(&path).await.is(200).text);
    }
    for task in items(&clinic.ops.get("/ops/v1/tasks?limit=200").await.json(), "items") {
        let path = format!("/ops/v1/tasks/{}", task["id"].as_str().unwrap());
        seen.push(clinic.ops.get(&path).await.text);
    }
    for (text, secret) in seen.iter().flat_map(|text| SECRETS.map(|secret| (text, secret))) {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    // The number is free again, and the number of the dialect is not given twice.
    let fresh = clinic
        .register_with(&json!({"patientId": "1111FRESH", "legalTerms": true}))
        .await;
    assert_ne!(fresh, patient);
    raw::assert_nowhere(&world.server, &SECRETS).await;
}

/// "anonymisation cuts the link and leaves what other dialects hold."
async fn anonymisation_leaves_what_other_dialects_hold(engine: Engine) {
    let world = World::manual(engine).await;
    let clinic = &world.clinic;
    let ops: &Api = &clinic.ops;
    let known = ops
        .post("/ops/v1/patients", json!({"patientId": "5555JOINED"}))
        .await;
    let known = known.is(201).json();
    let named = json!({"patientId": "5555JOINED", "legalTerms": true});
    let patient = clinic.register_with(&named).await;
    let by_number = async |number: i64| ops.get(&format!("/ops/v1/patients/{number}")).await;
    assert_eq!(
        by_number(patient).await.is(200).json()["id"],
        known["id"],
        "it joins the record"
    );
    clinic.changed(patient, "STP").await;
    world.advance("P190D").await;
    clinic.until_gone(patient).await;
    let id = known["id"].as_str().unwrap();
    let person = ops.get(&format!("/ops/v1/patients/{id}")).await.is(200).json();
    assert_eq!(person["patientId"], "5555JOINED", "{person}");
    assert!(
        !person.to_string().contains(&patient.to_string()),
        "the link is cut: {person}"
    );
    let cut = by_number(patient).await.is(200).json();
    assert_ne!(cut["id"], known["id"], "{cut}");
    assert!(!cut.to_string().contains("5555JOINED"), "{cut}");
    clinic
        .api
        .get(&format!("{BASE}/patients/{patient}"))
        .await
        .fault(404, "notFound");
    // The same person registers again, and joins again.
    let again = clinic.register_with(&named).await;
    assert_eq!(by_number(again).await.is(200).json()["id"], known["id"]);
}
