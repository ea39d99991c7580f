//! Real parallel clients on one patient (section 3, "Concurrency").

use super::clinic::{Clinic, KINDS, UNKNOWN, delivery};
use super::expect::{STOP_REASONS, assert_legal, path};
use crate::e2e::harness::{Answer, Journey, Tenant, tenant_journey};
use futures::future::{join, join_all};
use serde_json::json;
use std::collections::BTreeSet;

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(line_16_of_20_parallel_stops_one_makes_an_entry),
        tenant_journey!(line_16_parallel_changes_fit_a_serial_order),
        tenant_journey!(line_17_parallel_first_searches_give_one_change),
        tenant_journey!(line_17_a_search_racing_a_stop_is_refused_or_terminated),
        tenant_journey!(line_20_of_parallel_registrations_of_one_patient_id_one_succeeds),
        tenant_journey!(of_parallel_updates_to_one_patient_id_one_succeeds),
        tenant_journey!(a_delivery_racing_a_stop_leaves_nothing),
    ]
}

/// "of 20 parallel stops one makes an entry, all answer 200 with its reason."
async fn line_16_of_20_parallel_stops_one_makes_an_entry(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    for _ in 0..5 {
        let patient = clinic.in_status("ACT").await;
        let stops = (0..20).map(|n| {
            let reason = STOP_REASONS[n % STOP_REASONS.len()];
            clinic.change(patient, "STP", Some(reason)).into_future()
        });
        let answers = join_all(stops).await;
        let history = clinic.history(patient).await;
        assert_legal(&history);
        assert_eq!(history.len(), 4, "{history:?}");
        let reason = &history[3]["reason"];
        for answer in answers {
            let stopped = answer.is(200).json();
            let expected = json!({"wmdaId": patient, "status": "STP", "changeReason": reason});
            assert_eq!(stopped, expected);
        }
    }
}

/// "Of any number of parallel changes each answer fits a serial order: the history is a legal path, the final status is its
/// last entry".
async fn line_16_parallel_changes_fit_a_serial_order(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    for from in ["NEW", "PRE", "ACT", "SUS", "STP"] {
        let patient = clinic.in_status(from).await;
        let before = clinic.history(patient).await;
        // Every client has a reason of its own, by which its entry is known.
        let own = STOP_REASONS.iter().filter(|reason| **reason != "OTH");
        let asked: Vec<_> = own
            .zip(["STP", "ACT", "SUS", "PRE", "ACT", "SUS"].iter().cycle())
            .collect();
        let calls = asked
            .iter()
            .map(|(reason, to)| clinic.change(patient, to, Some(reason)).into_future());
        let answers = join_all(calls).await;
        let history = clinic.history(patient).await;
        assert_legal(&history);
        assert_eq!(history[..before.len()], before[..]);
        let last = path(&history).pop().expect("an entry").0;
        assert_eq!(clinic.status(patient).await, last);
        assert_fits(&answers, &asked, &path(&history[before.len() - 1..]));
    }
}

/// `steps` begins with the status before all of them.
#[track_caller]
fn assert_fits(answers: &[Answer], asked: &[(&&str, &&str)], steps: &[(String, Option<String>)]) {
    let visited: BTreeSet<_> = steps.iter().map(|(status, _)| status.as_str()).collect();
    let mut made = BTreeSet::new();
    for (answer, (own, to)) in answers.iter().zip(asked) {
        let told = answer.json();
        if answer.status == 409 {
            let current = told["currentStatus"].as_str().expect("a status");
            assert!(visited.contains(current), "{told} does not fit {steps:?}");
            let allowed = super::expect::accepted(current);
            assert!(!allowed.contains(*to), "{told}: {to} is allowed");
            continue;
        }
        assert_eq!((answer.status, &told["status"]), (200, &json!(to)), "{told}");
        let reason = told["changeReason"].as_str().map(str::to_owned);
        let at = steps
            .iter()
            .position(|step| *step == ((**to).to_owned(), reason.clone()));
        let at = at.unwrap_or_else(|| panic!("{told} does not fit {steps:?}"));
        if reason.as_deref() == Some(**own) && at > 0 {
            made.insert(at);
        }
    }
    assert_eq!(
        made.len(),
        steps.len() - 1,
        "every entry is somebody's: {steps:?}"
    );
}

/// "Parallel first searches give one NEW to PRE".
async fn line_17_parallel_first_searches_give_one_change(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    for _ in 0..5 {
        let patient = clinic.register().await;
        let made = join_all((0..12).map(|_| clinic.search(patient))).await;
        let different: BTreeSet<_> = made.iter().collect();
        assert_eq!(different.len(), 12);
        let statuses: Vec<_> = path(&clinic.history(patient).await)
            .into_iter()
            .map(|(to, _)| to)
            .collect();
        assert_eq!(statuses, ["NEW", "PRE"]);
        assert_eq!(clinic.searches(patient).await.len(), 12);
    }
}

/// "a search racing a stop is either refused or terminated."
async fn line_17_a_search_racing_a_stop_is_refused_or_terminated(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let (mut refused, mut terminated) = (0, 0);
    for round in 0..20 {
        let patient = if round % 2 == 0 {
            clinic.register().await
        } else {
            clinic.in_status("ACT").await
        };
        let before = clinic.searches(patient).await.len();
        let searches = join_all((0..4).map(|_| clinic.search_call(patient).into_future()));
        let stop = clinic.change(patient, "STP", Some("FND")).into_future();
        let (answers, stopped) = join(searches, stop).await;
        stopped.is(200);
        let mut made = before;
        for answer in answers {
            if answer.status == 409 {
                answer.refused_in("STP", "patientStopped");
                refused += 1;
            } else {
                answer.is(201);
                made += 1;
                terminated += 1;
            }
        }
        let searches = clinic.searches(patient).await;
        assert_eq!(searches.len(), made);
        assert!(
            searches.iter().all(|search| search["terminated"] == true),
            "{searches:?}"
        );
        for search in searches {
            let search = search["searchId"].as_i64().unwrap();
            clinic
                .results("donors", search)
                .await
                .fault(404, "resultsDeleted");
        }
        let history = clinic.history(patient).await;
        assert_legal(&history);
        assert_eq!(clinic.status(patient).await, "STP");
    }
    assert!(
        refused > 0 && terminated > 0,
        "it was no race: {refused} {terminated}"
    );
}

/// "Of parallel registrations with one `patientId` one succeeds; after that patient's stop the same `patientId` gets a new
/// `wmdaId`."
async fn line_20_of_parallel_registrations_of_one_patient_id_one_succeeds(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let mut earlier = BTreeSet::new();
    for _ in 0..5 {
        let body = json!({"hla": super::clinic::hla(), "patientId": "98761234P", "legalTerms": true});
        let posts = (0..16).map(|_| clinic.post("/patients", body.clone()).into_future());
        let (made, refused): (Vec<_>, Vec<_>) = join_all(posts)
            .await
            .into_iter()
            .partition(|answer| answer.status == 201);
        assert_eq!(made.len(), 1);
        for answer in refused {
            answer.fault(409, "patientIdInUse");
        }
        let patient = made[0].json()["wmdaId"].as_i64().unwrap();
        assert!(earlier.insert(patient), "{patient} was given before");
        clinic.changed(patient, "STP").await;
    }
    assert_eq!(clinic.list("").await["paging"]["totalCount"], 5);
    // "reactivation is never refused for it".
    for patient in &earlier {
        clinic.changed(*patient, "ACT").await;
    }
    let body = json!({"hla": super::clinic::hla(), "patientId": "98761234P", "legalTerms": true});
    clinic
        .post("/patients", body.clone())
        .await
        .fault(409, "patientIdInUse");
    // Another workspace's patients are nobody's business.
    let other = Clinic::of(&Tenant::on(&tenant.root, json!({})).await);
    other.post("/patients", body).await.is(201);
}

async fn of_parallel_updates_to_one_patient_id_one_succeeds(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    for round in 0..3 {
        let patients = join_all((0..8).map(|_| clinic.register())).await;
        let name = format!("9876000{round}P");
        let puts = patients.iter().map(|patient| {
            let body = json!({"wmdaId": patient, "patientId": name, "legalTerms": true});
            clinic.put("/patients", body).into_future()
        });
        let (made, refused): (Vec<_>, Vec<_>) = join_all(puts)
            .await
            .into_iter()
            .partition(|answer| answer.status == 204);
        assert_eq!(made.len(), 1);
        for answer in refused {
            answer.fault(409, "patientIdInUse");
        }
        let mut held = 0;
        for patient in patients {
            let shown = clinic.get(&format!("/patients/{patient}")).await.is(200).json();
            if shown["patientId"] == name.as_str() {
                held += 1;
            } else {
                assert_eq!(
                    shown["legalTerms"], false,
                    "a refused update has done something: {shown}"
                );
            }
        }
        assert_eq!(held, 1);
    }
    let unknown = json!({"wmdaId": UNKNOWN, "patientId": "98760000P", "legalTerms": true});
    clinic.put("/patients", unknown).await.fault(404, "notFound");
}

/// Line 7, with a delivery on its way.
async fn a_delivery_racing_a_stop_leaves_nothing(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    for _ in 0..12 {
        let patient = clinic.register().await;
        let search = clinic.search(patient).await;
        let deliveries = join_all((0..3).map(|_| clinic.deliver(search, delivery()).into_future()));
        let stop = clinic.change(patient, "STP", Some("FND")).into_future();
        let (answers, stopped) = join(deliveries, stop).await;
        stopped.is(200);
        for answer in answers {
            if answer.status != 200 {
                answer.fault(409, "searchTerminated");
            }
        }
        for kind in KINDS {
            clinic.results(kind, search).await.fault(404, "resultsDeleted");
        }
        assert_eq!(clinic.summary(search).await.is(200).json()["terminated"], true);
    }
}
