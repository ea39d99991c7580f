//! Refreshes: by themselves for patients in ACT, after updates, and by hand (sections 2 and 4).

use super::clinic::{Clinic, PATIENCE, World, a_while, hla, items};
use crate::e2e::harness::{Engine, Journey, Server, Tenant, instant, journey, tenant_journey, until};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;

pub fn journeys() -> Vec<Journey> {
    vec![
        journey!(line_14_an_active_patient_is_refreshed_once_a_day_by_one_task),
        journey!(slots_of_the_day_are_spread_and_fixed),
        journey!(a_stop_that_is_due_goes_first),
        journey!(a_paused_refresh_delays_no_stop),
        tenant_journey!(line_15_what_changes_the_tissue_type_refreshes),
        tenant_journey!(refreshing_by_hand_names_the_searches),
    ]
}

const DAILY: &str = "search.refresh.daily";

/// Refreshes of each patient that were not seen before.
struct Refreshes {
    seen: BTreeMap<i64, BTreeSet<String>>,
}

impl Refreshes {
    async fn new_ones(&mut self, clinic: &Clinic, patient: i64) -> usize {
        let done = clinic.done(patient, DAILY).await;
        let seen = self.seen.entry(patient).or_default();
        done.into_iter().filter(|task| seen.insert(task.clone())).count()
    }

    async fn until_one(&mut self, clinic: &Clinic, patient: i64) {
        until("it is refreshed", PATIENCE, async || {
            let more = self.new_ones(clinic, patient).await;
            assert!(more <= 1, "refreshed more than once");
            (more == 1).then_some(())
        })
        .await;
    }
}

async fn last_refreshed(clinic: &Clinic, patient: i64) -> Vec<OffsetDateTime> {
    let searches = clinic.searches(patient).await;
    searches
        .iter()
        .map(|search| instant(&search["lastUpdated"]))
        .collect()
}

/// "An ACT patient's searches are refreshed once per 24 h, by one task; those of PRE, SUS, STP never automatically; after a
/// gap of several days once." However many workers or restarts there are.
async fn line_14_an_active_patient_is_refreshed_once_a_day_by_one_task(engine: Engine) {
    let mut world = World::manual(engine).await;
    let beside: Server = World::launch(world.server.data()).start().await;
    let clinic = world.clinic.clone();
    let mut active = Vec::new();
    for _ in 0..4 {
        let patient = clinic.register().await;
        clinic.searched(patient).await;
        clinic.searched(patient).await;
        clinic.changed(patient, "ACT").await;
        active.push(patient);
    }
    let mut passive = Vec::new();
    for status in ["PRE", "SUS", "STP"] {
        passive.push(clinic.in_status(status).await);
    }
    let suspended_later = clinic.in_status("ACT").await;
    clinic.changed(suspended_later, "SUS").await;
    passive.push(suspended_later);
    let mut untouched = Vec::new();
    for patient in &passive {
        untouched.push(last_refreshed(&clinic, *patient).await);
    }
    let mut refreshes = Refreshes {
        seen: BTreeMap::new(),
    };
    for day in 0..5 {
        let (before, by) = (world.now().await, if day == 3 { "P4D" } else { "P1D" });
        if day == 2 {
            world.server.kill().await;
            world.server.start_again().await;
        }
        world.advance(by).await;
        for patient in &active {
            refreshes.until_one(&clinic, *patient).await;
            let times = last_refreshed(&clinic, *patient).await;
            assert_eq!(times.len(), 2, "one task covers all its searches");
            assert!(times.iter().all(|at| *at > before), "day {day}: {times:?}");
        }
        a_while().await;
        for patient in &active {
            let more = refreshes.new_ones(&clinic, *patient).await;
            assert_eq!(more, 0, "day {day}: refreshed more than once");
        }
    }
    for (patient, before) in passive.into_iter().zip(untouched) {
        assert_eq!(clinic.done(patient, DAILY).await, Vec::<String>::new());
        assert_eq!(last_refreshed(&clinic, patient).await, before);
    }
    drop(beside);
}

/// "each patient has a fixed slot of the day derived from its id, so that the load is spread; the first refresh is at the
/// next slot after becoming ACT".
const STEPS: usize = 8;

async fn slots_of_the_day_are_spread_and_fixed(engine: Engine) {
    let world = World::manual(engine).await;
    let clinic = &world.clinic;
    let mut patients = Vec::new();
    for _ in 0..24 {
        patients.push(clinic.in_status("ACT").await);
    }
    // Three hours at a time: in which of the eight each has its slot, on two days.
    let mut slots: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    let mut refreshes = Refreshes {
        seen: BTreeMap::new(),
    };
    for step in 0..2 * STEPS {
        world.advance("PT3H").await;
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        for patient in &patients {
            for _ in 0..refreshes.new_ones(clinic, *patient).await {
                slots.entry(*patient).or_default().push(step % STEPS);
            }
        }
    }
    assert_eq!(slots.len(), patients.len(), "{slots:?}");
    for (patient, steps) in &slots {
        assert_eq!(steps.len(), 2, "{patient}: {slots:?}");
        let apart = steps[0].abs_diff(steps[1]);
        // What ran a little late may be seen one step later.
        assert!(
            [0, 1, STEPS - 1].contains(&apart),
            "{patient} has no fixed slot: {slots:?}"
        );
    }
    let steps: BTreeSet<_> = slots.values().map(|steps| steps[0]).collect();
    assert!(
        steps.len() >= 5,
        "24 patients are refreshed in {steps:?} of {STEPS}"
    );
}

/// "a stop that is due goes first".
async fn a_stop_that_is_due_goes_first(engine: Engine) {
    let world = World::manual(engine).await;
    let clinic = &world.clinic;
    let mut patients = Vec::new();
    for _ in 0..10 {
        let patient = clinic.register().await;
        let search = clinic.searched(patient).await;
        clinic.changed(patient, "ACT").await;
        patients.push((patient, search, clinic.searches(patient).await));
    }
    world.advance("P43D").await;
    for (patient, search, before) in patients {
        clinic.until_status(patient, "STP").await;
        let after = clinic.searches(patient).await;
        assert_eq!(
            after[0]["lastUpdated"], before[0]["lastUpdated"],
            "refreshed before the stop"
        );
        clinic
            .results("donors", search)
            .await
            .fault(404, "resultsDeleted");
    }
}

/// "The stop happens at that moment or up to 60 s after it": whatever else of the patient waits.
async fn a_paused_refresh_delays_no_stop(engine: Engine) {
    let world = World::manual(engine).await;
    let clinic = &world.clinic;
    clinic.pause(DAILY, true).await;
    let patient = clinic.in_status("ACT").await;
    let counted_from = clinic.last_updated(patient).await;
    world.advance("P41DT12H").await;
    a_while().await;
    world.advance("PT12H1S").await;
    clinic.until_status(patient, "STP").await;
    let late = clinic.last_updated(patient).await - (counted_from + time::Duration::days(42));
    assert!(late < time::Duration::seconds(60), "{late}");
    clinic.pause(DAILY, false).await;
    a_while().await;
    assert_eq!(clinic.history(patient).await.len(), 4);
}

/// "PUT `/patients` that changes `hla`, `ethnicity` or `poolCountryCode` refreshes the searches; one that changes none of
/// these does not." From PRE, ACT and SUS.
async fn line_15_what_changes_the_tissue_type_refreshes(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let other_hla = {
        let mut hla = hla();
        hla["c"] = json!({"field1": "07:01", "field2": null});
        hla
    };
    for status in ["PRE", "ACT", "SUS"] {
        let patient = clinic
            .register_with(&json!({"ethnicity": "CAEU", "poolCountryCode": "NL", "weight": 60}))
            .await;
        clinic.searched(patient).await;
        clinic.searched(patient).await;
        if status != "PRE" {
            clinic.changed(patient, status).await;
        }
        for (change, refreshes) in [
            (json!({"hla": other_hla}), true),
            (json!({"hla": other_hla}), false),
            (json!({"ethnicity": "AF"}), true),
            (
                json!({"ethnicity": "AF", "poolCountryCode": "NL", "hla": other_hla}),
                false,
            ),
            (json!({"ethnicity": null}), true),
            (json!({"poolCountryCode": "DE"}), true),
            (json!({"poolCountryCode": "DE"}), false),
            (json!({}), false),
            (
                json!({"weight": 61, "sex": "M", "abo": "A", "rhesus": "N", "diseasePhase": "C2"}),
                false,
            ),
            (
                json!({"dateOfBirth": "1990-01-01", "transplantCentreId": "TC 1"}),
                false,
            ),
            (
                json!({"diagnosis": {"diagnosisCode": "AML"}, "idm": {"cmvStatus": "P"}}),
                false,
            ),
        ] {
            let before = last_refreshed(&clinic, patient).await;
            let tasks = clinic.done(patient, "search.refresh").await;
            let body = super::clinic::with(json!({"wmdaId": patient}), &change);
            clinic.put("/patients", body).await.is(204);
            if refreshes {
                until("its searches are refreshed", PATIENCE, async || {
                    let after = last_refreshed(&clinic, patient).await;
                    let moved = after.iter().zip(&before).all(|(after, before)| after > before);
                    let more = clinic.done(patient, "search.refresh").await.len() > tasks.len();
                    (moved && more).then_some(())
                })
                .await;
            } else {
                tokio::time::sleep(std::time::Duration::from_millis(300)).await;
                assert_eq!(
                    last_refreshed(&clinic, patient).await,
                    before,
                    "{status}: {change}"
                );
                assert_eq!(clinic.done(patient, "search.refresh").await.len(), tasks.len());
            }
            assert_eq!(clinic.status(patient).await, status);
        }
    }
    let patient = clinic.register().await;
    let body = json!({"wmdaId": patient, "hla": other_hla});
    clinic.put("/patients", body).await.is(204);
    assert_eq!(clinic.status(patient).await, "NEW");
    assert!(clinic.searches(patient).await.is_empty());
}

/// "202 `{ "wmdaId", "searchIds": [...] }`, the searches not terminated, perhaps none; in SUS too ...; 409 in STP".
async fn refreshing_by_hand_names_the_searches(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let ask = |patient: i64| clinic.post("/searches/refreshAllPatientSearches", json!({"wmdaId": patient}));
    let patient = clinic.register().await;
    assert_eq!(
        ask(patient).await.is(202).json(),
        json!({"wmdaId": patient, "searchIds": []})
    );
    assert_eq!(clinic.status(patient).await, "NEW");
    let mut made = BTreeSet::new();
    for _ in 0..3 {
        made.insert(clinic.searched(patient).await);
    }
    for status in ["PRE", "ACT", "SUS"] {
        if status != "PRE" {
            clinic.changed(patient, status).await;
        }
        let answer = ask(patient).await.is(202);
        answer
            .header("retry-after")
            .parse::<u32>()
            .expect("whole seconds");
        let named: BTreeSet<_> = items(&answer.json(), "searchIds")
            .iter()
            .map(|id| id.as_i64().unwrap())
            .collect();
        assert_eq!(named, made, "{status}");
    }
    clinic.changed(patient, "STP").await;
    ask(patient).await.refused_in("STP", "patientStopped");
    clinic.changed(patient, "ACT").await;
    let answer = ask(patient).await.is(202).json();
    assert_eq!(answer["searchIds"], json!([]), "{answer}");
    let new = clinic.searched(patient).await;
    assert_eq!(ask(patient).await.is(202).json()["searchIds"], json!([new]));
    for (bad, field) in [
        (json!({}), "$.wmdaId"),
        (json!({"wmdaId": null}), "$.wmdaId"),
        (json!({"wmdaId": "7"}), "$.wmdaId"),
    ] {
        let bad: Value = bad;
        clinic
            .post("/searches/refreshAllPatientSearches", bad)
            .await
            .invalid(&[field]);
    }
}
