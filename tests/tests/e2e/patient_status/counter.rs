//! The counter of 42 days, and the automatic stop at its end (section 4).

use super::clinic::{BASE, Clinic, KINDS, UNKNOWN, World, a_while};
use super::expect::assert_legal;
use crate::e2e::harness::{Answer, Engine, Journey, instant, journey};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

pub fn journeys() -> Vec<Journey> {
    vec![
        journey!(line_09_after_42_days_without_activity_all_are_stopped),
        journey!(line_10_three_activities_give_42_days_and_nothing_else_does),
        journey!(line_11_reactivation_starts_42_days),
        journey!(what_shows_the_counter_shows_it_as_this_call_has_set_it),
    ]
}

const WEEKS_6: Duration = Duration::days(42);

/// "NEW, PRE, ACT and SUS all go to STP with `AUT`, by `system`, after 42 x 24 h without activity, not before; results are
/// gone then." "The stop happens at that moment or up to 60 s after it".
async fn line_09_after_42_days_without_activity_all_are_stopped(engine: Engine) {
    let world = World::manual(engine).await;
    let clinic = &world.clinic;
    let mut patients = Vec::new();
    for status in ["NEW", "PRE", "ACT", "SUS"] {
        let patient = clinic.register().await;
        let search = if status == "NEW" {
            None
        } else {
            Some(clinic.delivered(patient).await)
        };
        if !["NEW", "PRE"].contains(&status) {
            clinic.changed(patient, status).await;
        }
        patients.push((status, patient, search, clinic.last_updated(patient).await));
    }
    let first = patients.iter().map(|(.., at)| *at).min().expect("there are four");
    world.advance_to(first + WEEKS_6 - Duration::seconds(30)).await;
    a_while().await;
    for (status, patient, ..) in &patients {
        assert_eq!(clinic.status(*patient).await, *status, "stopped too early");
    }
    let last = patients.iter().map(|(.., at)| *at).max().expect("there are four");
    world.advance_to(last + WEEKS_6 + Duration::seconds(2)).await;
    for (status, patient, search, counted_from) in patients {
        clinic.until_status(patient, "STP").await;
        let history = clinic.history(patient).await;
        assert_legal(&history);
        let stop = history.last().expect("there is an entry");
        assert_eq!(
            (&stop["from"], &stop["reason"], &stop["by"]),
            (&json!(status), &json!("AUT"), &json!("system"))
        );
        let late = instant(&stop["at"]) - (counted_from + WEEKS_6);
        assert!(
            !late.is_negative() && late <= Duration::seconds(60 + 30),
            "{late}: {stop}"
        );
        let shown = clinic.last_updated(patient).await;
        assert_eq!(shown, instant(&stop["at"]), "in STP it is the moment of the stop");
        // The answer to a further stop tells the stored reason.
        let again = clinic.change(patient, "STP", Some("FND")).await.is(200).json();
        assert_eq!(again["changeReason"], "AUT");
        let Some(search) = search else { continue };
        for kind in KINDS {
            clinic.results(kind, search).await.fault(404, "resultsDeleted");
        }
        assert_eq!(clinic.searches(patient).await[0]["terminated"], true);
        assert_eq!(clinic.history(patient).await.len(), history.len());
    }
}

/// A patient, what was tried, and whether it is an activity.
struct Tried {
    what: String,
    patient: i64,
    active: bool,
    before: OffsetDateTime,
}

/// "Update, retrieval of the patient, retrieval of results each give a full 42 days; none of the calls that section 4
/// excludes does."
async fn line_10_three_activities_give_42_days_and_nothing_else_does(engine: Engine) {
    let world = World::manual(engine).await;
    let clinic = &world.clinic;
    // Each has a patient of its own in ACT, with a search that has results; some are others.
    let mut ready = Vec::new();
    for name in activities().into_iter().chain(no_activities()) {
        let patient = clinic.register().await;
        let mut search = 0;
        if name != "first search" {
            search = clinic.delivered(patient).await;
            if name != "status" {
                clinic.changed(patient, "ACT").await;
            }
        }
        ready.push((name, patient, search));
    }
    world.advance("P30D").await;
    let mut tried = Vec::new();
    for (what, patient, search) in ready {
        let before = clinic.last_updated(patient).await;
        try_out(clinic, &what, patient, search).await;
        let active = activities().contains(&what);
        let after = clinic.last_updated(patient).await;
        assert_eq!(after > before, active, "{what}: {before} {after}");
        if active {
            let off = world.now().await - after;
            assert!(off < Duration::minutes(2), "{what}: not a full 42 days: {after}");
        }
        tried.push(Tried {
            what,
            patient,
            active,
            before,
        });
    }
    // 42 days after the registrations those who were active are alive, 42 days after their activity they are not.
    let due = tried.iter().map(|one| one.before).max().expect("some") + WEEKS_6;
    world.advance_to(due + Duration::seconds(5)).await;
    for one in tried.iter().filter(|one| !one.active) {
        clinic.until_status(one.patient, "STP").await;
    }
    for one in tried.iter().filter(|one| one.active) {
        assert_ne!(clinic.status(one.patient).await, "STP", "{}", one.what);
    }
    world.advance("P29D").await;
    a_while().await;
    for one in tried.iter().filter(|one| one.active) {
        assert_ne!(clinic.status(one.patient).await, "STP", "{}", one.what);
    }
    world.advance("P1DT5M").await;
    for one in &tried {
        clinic.until_status(one.patient, "STP").await;
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn activities() -> Vec<String> {
    let mut all = names(&["update", "status", "first search", "retrieval", "search"]);
    all.extend(KINDS.map(str::to_owned));
    all
}

fn no_activities() -> Vec<String> {
    names(&[
        "nothing",
        "list",
        "searches",
        "user",
        "further search",
        "refresh",
        "no effect",
        "refused change",
        "invalid change",
        "invalid update",
        "refused results",
        "ops",
        "engine's retrieval",
        "engine's summary",
        "engine's results",
        "engine's update",
        "delivery",
        "without scope",
    ])
}

async fn try_out(clinic: &Clinic, what: &str, patient: i64, search: i64) {
    let both = clinic.with_scopes("patient:read patient:write search:deliver");
    let path = |rest: &str| format!("{BASE}{rest}");
    let update = json!({"wmdaId": patient, "weight": 70});
    let is = |answer: Answer, status: u16| drop(answer.is(status));
    match what {
        "nothing" => {}
        "update" => is(clinic.put("/patients", update).await, 204),
        "status" => drop(clinic.changed(patient, "SUS").await),
        "first search" | "further search" => drop(clinic.searched(patient).await),
        "retrieval" => is(clinic.get(&format!("/patients/{patient}")).await, 200),
        "search" => is(clinic.summary(search).await, 200),
        "list" => {
            clinic.list("?limit=1000").await;
            is(clinic.post("/patients/list", json!({})).await, 200);
            is(clinic.get("/patients").await, 200);
        }
        "searches" => drop(clinic.searches(patient).await),
        "user" => {
            let body = json!({"wmdaId": patient, "userName": "j.demo"});
            is(clinic.put("/patients/user", body).await, 200);
        }
        "refresh" => {
            let body = json!({"wmdaId": patient});
            is(
                clinic.post("/searches/refreshAllPatientSearches", body).await,
                202,
            );
        }
        "no effect" => drop(clinic.changed(patient, "ACT").await),
        "refused change" => is(clinic.change(patient, "PRE", None).await, 409),
        "invalid change" => is(clinic.change(patient, "STP", None).await, 400),
        "invalid update" => {
            let body = json!({"wmdaId": patient, "weight": 0});
            is(clinic.put("/patients", body).await, 400);
        }
        "refused results" => {
            let body = json!({"searchId": search, "sortBy": "?"});
            is(clinic.post("/searches/searchResults/donors", body).await, 400);
            is(
                clinic
                    .get(&format!("/searches/{search}/searchResults/adcu?limit=0"))
                    .await,
                400,
            );
            is(clinic.results("donors", UNKNOWN).await, 404);
        }
        "ops" => {
            let seen = clinic.ops.get(&format!("/ops/v1/patients/{patient}")).await;
            is(seen, 200);
            clinic.history(patient).await;
            clinic.done(patient, "search.run").await;
        }
        "engine's retrieval" => is(both.get(&path(&format!("/patients/{patient}"))).await, 200),
        "engine's summary" => is(both.get(&path(&format!("/searches/{search}"))).await, 200),
        "engine's results" => {
            let body = json!({"searchId": search});
            is(
                both.post(&path("/searches/searchResults/donors"), body).await,
                200,
            );
            let adcu = path(&format!("/searches/{search}/searchResults/adcu"));
            is(both.get(&adcu).await, 200);
        }
        "engine's update" => is(both.put(&path("/patients"), update).await, 204),
        "delivery" => is(clinic.deliver(search, super::clinic::delivery()).await, 200),
        "without scope" => {
            let reader = clinic.with_scopes("patient:read");
            is(reader.put(&path("/patients"), update).await, 403);
            let writer = clinic.with_scopes("patient:write");
            is(writer.get(&path(&format!("/patients/{patient}"))).await, 403);
        }
        kind => is(clinic.results(kind, search).await, 200),
    }
}

/// "STP to ACT or SUS starts a full 42 days, also for a patient stopped in NEW; old searches stay terminated."
async fn line_11_reactivation_starts_42_days(engine: Engine) {
    let world = World::manual(engine).await;
    let clinic = &world.clinic;
    let mut patients = Vec::new();
    for (from, to) in [("NEW", "ACT"), ("NEW", "SUS"), ("ACT", "ACT"), ("PRE", "SUS")] {
        patients.push((clinic.in_status(from).await, to));
    }
    world.advance("P30D").await;
    for (patient, _) in &patients {
        clinic.changed(*patient, "STP").await;
    }
    world.advance("P20D").await;
    for (patient, to) in &patients {
        clinic.changed(*patient, to).await;
        let off = world.now().await - clinic.last_updated(*patient).await;
        assert!(off < Duration::minutes(1), "not a full 42 days");
        let searches = clinic.searches(*patient).await;
        assert!(
            searches.iter().all(|search| search["terminated"] == true),
            "{searches:?}"
        );
    }
    world.advance("P41DT23H50M").await;
    a_while().await;
    for (patient, to) in &patients {
        assert_eq!(clinic.status(*patient).await, *to, "stopped too early");
    }
    world.advance("PT15M").await;
    for (patient, to) in &patients {
        clinic.until_status(*patient, "STP").await;
        let stop = clinic.history(*patient).await.pop().expect("an entry");
        assert_eq!((&stop["from"], &stop["reason"]), (&json!(to), &json!("AUT")));
        for search in clinic.searches(*patient).await {
            assert_eq!(search["terminated"], true);
            let search = search["searchId"].as_i64().unwrap();
            clinic
                .results("donors", search)
                .await
                .fault(404, "resultsDeleted");
        }
    }
}

/// "Retrieving one patient shows both values as this very call has set them"; "`lastViewed` ... Moves in STP too";
/// "`lastUpdated` ... In STP it is the moment of the stop".
async fn what_shows_the_counter_shows_it_as_this_call_has_set_it(engine: Engine) {
    let world = World::manual(engine).await;
    let clinic = &world.clinic;
    let patient = clinic.register().await;
    let made = clinic.entry(patient).await.expect("listed");
    assert_eq!(
        made["lastUpdated"], made["lastViewed"],
        "both are the registration: {made}"
    );
    let search = clinic.delivered(patient).await;
    let times = |shown: &Value| (instant(&shown["lastUpdated"]), instant(&shown["lastViewed"]));
    // An update starts the counter and is no viewing.
    world.advance("PT1H").await;
    clinic
        .put("/patients", json!({"wmdaId": patient, "weight": 61}))
        .await
        .is(204);
    let entry = clinic.entry(patient).await.expect("listed");
    assert_eq!(entry["lastViewed"], made["lastViewed"]);
    assert!(times(&entry).0 >= times(&made).0 + Duration::HOUR, "{entry}");
    let moved = world.advance("PT1H").await;
    let seen = clinic.get(&format!("/patients/{patient}")).await.is(200).json();
    assert_eq!(seen["lastUpdated"], seen["lastViewed"], "{seen}");
    assert!(times(&seen).0 >= moved, "{seen}");
    let entry = clinic.entry(patient).await.expect("listed");
    assert_eq!(times(&entry), times(&seen));
    for kind in KINDS {
        let moved = world.advance("PT1H").await;
        clinic.results(kind, search).await.is(200);
        let entry = clinic.entry(patient).await.expect("listed");
        assert!(
            times(&entry).0 >= moved && times(&entry).1 >= moved,
            "{kind}: {entry}"
        );
    }
    let moved = world.advance("PT1H").await;
    let shown = clinic.summary(search).await.is(200).json();
    assert!(times(&shown["patient"]).0 >= moved, "{shown}");
    // In STP only the viewing moves.
    clinic.changed(patient, "STP").await;
    let stopped = clinic.entry(patient).await.expect("listed");
    let stop = clinic.history(patient).await.pop().expect("an entry");
    assert_eq!(stopped["lastUpdated"], stop["at"]);
    let moved = world.advance("P10D").await;
    let seen = clinic.get(&format!("/patients/{patient}")).await.is(200).json();
    assert_eq!(seen["lastUpdated"], stop["at"]);
    assert!(times(&seen).1 >= moved, "{seen}");
}
