//! Searches and the status (section 6, and what a stop does to them).

use super::clinic::{Clinic, KINDS, World, a_while, delivery, items};
use super::expect::path;
use crate::e2e::harness::{Engine, Journey, Tenant, instant, journey, members, tenant_journey, until};
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(line_06_starting_a_search_moves_new_to_pre),
        tenant_journey!(line_07_after_a_stop_no_result_is_read_ever),
        journey!(line_08_suspended_keeps_results_and_is_refreshed_by_hand_only),
        tenant_journey!(a_search_is_shown_with_its_patient),
        tenant_journey!(searches_of_a_patient_are_listed_newest_first),
    ]
}

/// "Starting a search in NEW moves to PRE in the same commit, whatever becomes of the search; in PRE, ACT, SUS the status
/// stays; in STP, and for an invalid request, nothing is made."
async fn line_06_starting_a_search_moves_new_to_pre(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    clinic.pause("search.run", true).await;
    let patient = clinic.register().await;
    for bad in [
        json!({"wmdaId": patient, "matchEngine": 1, "searchType": "DR"}),
        json!({"wmdaId": patient, "matchEngine": 2}),
        json!({"wmdaId": patient, "matchEngine": 2, "searchType": "DR", "overallMismatches": 8}),
    ] {
        clinic.post("/searches", bad).await.fault(400, "invalidRequest");
    }
    assert!(clinic.searches(patient).await.is_empty());
    assert_eq!(clinic.status(patient).await, "NEW");
    assert_eq!(clinic.history(patient).await.len(), 1);
    // It has not run and the status has changed.
    let search = clinic.search(patient).await;
    assert_eq!(clinic.searches(patient).await[0]["status"], "STARTED");
    assert_eq!(clinic.status(patient).await, "PRE");
    let history = clinic.history(patient).await;
    let step = |status: &str| (status.to_owned(), None);
    assert_eq!(path(&history), [step("NEW"), step("PRE")]);
    let failed = json!({"error": {"code": "noDonors", "message": "The files are being replaced."}});
    clinic.deliver(search, failed).await.is(200);
    clinic.until_search(patient, search, "FAILED").await;
    assert_eq!(
        clinic.status(patient).await,
        "PRE",
        "whatever becomes of the search"
    );
    clinic.pause("search.run", false).await;

    for status in ["PRE", "ACT", "SUS"] {
        let patient = clinic.in_status(status).await;
        let before = clinic.history(patient).await;
        clinic.searched(patient).await;
        assert_eq!(clinic.status(patient).await, status);
        assert_eq!(
            clinic.history(patient).await,
            before,
            "a further search of {status}"
        );
        assert_eq!(clinic.searches(patient).await.len(), 2);
    }
    let patient = clinic.in_status("STP").await;
    let refused = clinic.search_call(patient).await;
    refused.refused_in("STP", "patientStopped");
    assert_eq!(clinic.searches(patient).await.len(), 1);
}

#[track_caller]
fn assert_terminated(search: &Value, status: &str) {
    assert_eq!(
        (&search["terminated"], &search["status"]),
        (&json!(true), &json!(status)),
        "{search}"
    );
}

async fn assert_deleted(clinic: &Clinic, search: i64) {
    for kind in KINDS {
        clinic.results(kind, search).await.fault(404, "resultsDeleted");
    }
}

/// "When STP is answered, no result of that patient can be read by any call, and none ever comes back, not by
/// reactivation, late delivery or late refresh."
async fn line_07_after_a_stop_no_result_is_read_ever(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.register().await;
    let done = clinic.delivered(patient).await;
    clinic.pause("search.run", true).await;
    clinic.pause("search.refresh", true).await;
    let started = clinic.search(patient).await;
    for kind in KINDS {
        clinic.results(kind, done).await.is(200);
        clinic
            .results(kind, started)
            .await
            .fault(409, "searchNotCompleted");
    }
    let refresh = clinic.post("/searches/refreshAllPatientSearches", json!({"wmdaId": patient}));
    refresh.await.is(202);
    clinic.changed(patient, "STP").await;
    for search in [done, started] {
        assert_deleted(&clinic, search).await;
        clinic
            .deliver(search, delivery())
            .await
            .fault(409, "searchTerminated");
        let failed = json!({"error": {"code": "late", "message": "Too late."}});
        clinic
            .deliver(search, failed)
            .await
            .fault(409, "searchTerminated");
    }
    // The request and its counts stay.
    let summary = clinic.summary(done).await.is(200).json();
    assert_terminated(&summary, "COMPLETED");
    assert_eq!(
        summary["statistics"],
        json!({"donors": 2, "cbus": 1, "adcu": 1, "registries": 1, "cbbs": 3})
    );
    assert_eq!(summary["error"], Value::Null);
    let summary = clinic.summary(started).await.is(200).json();
    assert_terminated(&summary, "FAILED");
    assert_eq!(summary["error"]["code"], "terminated");
    // What had waited runs now, and brings nothing back.
    clinic.pause("search.run", false).await;
    clinic.pause("search.refresh", false).await;
    for reactivated in ["ACT", "SUS"] {
        clinic.changed(patient, reactivated).await;
        a_while().await;
        for search in [done, started] {
            assert_deleted(&clinic, search).await;
            clinic
                .deliver(search, delivery())
                .await
                .fault(409, "searchTerminated");
        }
    }
    let refreshed = clinic.post("/searches/refreshAllPatientSearches", json!({"wmdaId": patient}));
    let refreshed = refreshed.await.is(202).json();
    assert_eq!(refreshed, json!({"wmdaId": patient, "searchIds": []}));
    let new = clinic.delivered(patient).await;
    clinic.results("donors", new).await.is(200);
    assert_deleted(&clinic, done).await;
}

/// "SUS keeps results readable and stops automatic refresh; manual refresh still works."
async fn line_08_suspended_keeps_results_and_is_refreshed_by_hand_only(engine: Engine) {
    let world = World::manual(engine).await;
    let clinic = &world.clinic;
    let patient = clinic.register().await;
    let search = clinic.delivered(patient).await;
    clinic.changed(patient, "ACT").await;
    world.advance("P1D").await;
    until("the first refresh is done", super::clinic::PATIENCE, async || {
        (clinic.done(patient, "search.refresh.daily").await.len() == 1).then_some(())
    })
    .await;
    clinic.changed(patient, "SUS").await;
    let before = clinic.searches(patient).await;
    for _ in 0..3 {
        world.advance("P1D").await;
    }
    a_while().await;
    assert_eq!(clinic.searches(patient).await, before);
    assert_eq!(clinic.done(patient, "search.refresh.daily").await.len(), 1);
    for kind in KINDS {
        let read = clinic.results(kind, search).await.is(200).json();
        assert_eq!(
            read["paging"]["totalCount"],
            items(&delivery(), kind).len(),
            "{kind}"
        );
    }
    let refresh = json!({"wmdaId": patient});
    let asked = clinic.post("/searches/refreshAllPatientSearches", refresh).await;
    assert_eq!(
        asked.is(202).json(),
        json!({"wmdaId": patient, "searchIds": [search]})
    );
    until("the refresh is done", super::clinic::PATIENCE, async || {
        (clinic.done(patient, "search.refresh").await.len() == 1).then_some(())
    })
    .await;
    let after = clinic.searches(patient).await;
    assert!(
        instant(&after[0]["lastUpdated"]) > instant(&before[0]["lastUpdated"]),
        "{after:?}"
    );
    assert_eq!(clinic.status(patient).await, "SUS");
    clinic.results("donors", search).await.is(200);
}

/// Section 6: `patient` is the whole object of GET `/patients/{wmdaId}`.
async fn a_search_is_shown_with_its_patient(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.register().await;
    let ask = json!({
        "wmdaId": patient, "matchEngine": 3, "searchType": "CB", "overallMismatches": 2,
        "lociToBeConsidered": ["DRB1", "DPA1"], "isCbuAbLowDrb1HighResolution": true, "searchOnlyOwnIon": null,
    });
    let made = clinic.post("/searches", ask).await.is(201).json();
    assert_eq!(members(&made), ["searchId"]);
    let search = made["searchId"].as_i64().unwrap();
    clinic.until_search(patient, search, "COMPLETED").await;
    let mut shown = clinic.summary(search).await.is(200).json();
    let seen = clinic.get(&format!("/patients/{patient}")).await.is(200).json();
    assert_eq!(members(&shown["patient"]), members(&seen));
    for (name, value) in seen.as_object().unwrap() {
        let moves = ["lastUpdated", "lastViewed"].contains(&name.as_str());
        assert!(moves || shown["patient"][name] == *value, "{name}: {shown}");
    }
    instant(&shown["lastUpdated"]);
    for name in ["patient", "lastUpdated"] {
        shown.as_object_mut().unwrap().shift_remove(name);
    }
    assert_eq!(
        shown,
        json!({
            "searchId": search, "searchType": "CB", "matchEngine": 3, "overallMismatches": 2, "status": "COMPLETED",
            "summary": {"summaryText": "0 donors, 0 cord blood units"}, "inexplicable": null,
            "statistics": {"donors": 0, "cbus": 0, "adcu": 0, "registries": 0, "cbbs": 0},
            "error": null, "lociToBeConsidered": ["DRB1", "DPA1"], "terminated": false,
        })
    );
    // "default: the typed ones of A, B, C, DRB1, DQB1".
    let defaults = clinic.searched(patient).await;
    let shown = clinic.summary(defaults).await.is(200).json();
    assert_eq!(shown["lociToBeConsidered"], json!(["A", "B", "DRB1"]));
    assert_eq!(shown["overallMismatches"], 0);
    let typed = json!({"hla": {
        "a": {"field1": "01:01"}, "b": {"field1": "08:01"}, "c": {"field1": "07:01"}, "drb1": {"field1": "03:01"},
        "dqb1": {"field1": "02:01"}, "dpb1": {"field1": "04:01"},
    }});
    let typed = clinic.searched(clinic.register_with(&typed).await).await;
    let shown = clinic.summary(typed).await.is(200).json();
    assert_eq!(
        shown["lociToBeConsidered"],
        json!(["A", "B", "C", "DRB1", "DQB1"])
    );
}

/// "GET `/searches/patientSearches/{wmdaId}`: ... newest first".
async fn searches_of_a_patient_are_listed_newest_first(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.register().await;
    let mut made = Vec::new();
    for kind in ["DR", "CB", "DR"] {
        let ask =
            json!({"wmdaId": patient, "matchEngine": 2, "searchType": kind, "overallMismatches": made.len()});
        let search = clinic.post("/searches", ask).await.is(201).json()["searchId"].clone();
        made.insert(0, (search, kind));
    }
    for (search, _) in &made {
        clinic
            .until_search(patient, search.as_i64().unwrap(), "COMPLETED")
            .await;
    }
    let path = format!("/searches/patientSearches/{patient}");
    let mut shown = clinic.get(&path).await.is(200).json();
    for search in shown["searches"].as_array_mut().unwrap() {
        instant(&search["lastUpdated"]);
        search.as_object_mut().unwrap().shift_remove("lastUpdated");
    }
    let expected: Vec<_> = made
        .iter()
        .zip([2, 1, 0])
        .map(|((search, kind), mismatches)| {
            json!({"searchId": search, "searchType": kind, "matchEngine": 2, "overallMismatches": mismatches,
                "status": "COMPLETED", "terminated": false})
        })
        .collect();
    assert_eq!(shown, json!({"wmdaId": patient, "searches": expected}));
    let requests: Vec<_> = expected
        .iter()
        .map(|one| {
            json!({"searchId": one["searchId"], "searchType": one["searchType"], "matchEngine": 2,
                "status": "COMPLETED", "summary": {"summaryText": "0 donors, 0 cord blood units"}})
        })
        .collect();
    let entry = clinic.entry(patient).await.expect("the patient is listed");
    assert_eq!(entry["requests"], json!(requests));
}
