//! The match engine: the embedded one, and one outside (section 6, "Engine").

use super::clinic::{Clinic, World, a_while, delivery, items};
use crate::e2e::harness::server::run;
use crate::e2e::harness::{Engine, Journey, Tenant, journey, program, tenant_journey, until};
use crate::e2e::telling::listener::Listener;
use serde_json::{Value, json};
use tempfile::TempDir;

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(the_embedded_engine_finds_nobody),
        journey!(an_engine_outside_is_told_and_delivers),
        journey!(an_engine_that_is_silent_for_a_day_has_failed),
        journey!(another_engine_is_none).on(&[Engine::Sqlite]),
    ]
}

/// "`match.engine = "none"` (default, embedded) completes a search that nobody delivered to with zero results".
async fn the_embedded_engine_finds_nobody(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.register().await;
    let search = clinic.searched(patient).await;
    let shown = clinic.summary(search).await.is(200).json();
    assert_eq!(
        shown["summary"],
        json!({"summaryText": "0 donors, 0 cord blood units"})
    );
    assert_eq!(
        shown["statistics"],
        json!({"donors": 0, "cbus": 0, "adcu": 0, "registries": 0, "cbbs": 0})
    );
    let none = json!({"paging": {"limit": 100, "offset": 0, "totalCount": 0}, "searchResults": []});
    for kind in super::clinic::KINDS {
        assert_eq!(clinic.results(kind, search).await.is(200).json(), none);
    }
    until(
        "the run is a task that is done",
        super::clinic::PATIENCE,
        async || (clinic.done(patient, "search.run").await.len() == 1).then_some(()),
    )
    .await;
}

/// Those of `search.requested` that are about the search.
async fn requested(listener: &mut Listener, count: usize) -> Vec<Value> {
    let mut found = Vec::new();
    while found.len() < count {
        let heard = listener.take(1).await.remove(0);
        if heard.data["type"] == "search.requested" {
            found.push(heard.data);
        }
    }
    found
}

/// "`search.requested` events (`/ops/v1/events`, webhooks) tell the engine, which delivers".
async fn an_engine_outside_is_told_and_delivers(engine: Engine) {
    let world = World::with(engine, &["match.engine=external"]).await;
    let clinic = &world.clinic;
    let mut listener = Listener::open(&clinic.ops, "?types=search.requested", None).await;
    let patient = clinic.register().await;
    let (one, two) = (clinic.search(patient).await, clinic.search(patient).await);
    let told = requested(&mut listener, 2).await;
    for (told, search) in told.iter().zip([one, two]) {
        assert!(
            told.to_string().contains(&search.to_string()),
            "{told} names {search}"
        );
    }
    a_while().await;
    assert_eq!(clinic.summary(one).await.is(200).json()["status"], "STARTED");
    clinic
        .results("donors", one)
        .await
        .fault(409, "searchNotCompleted");
    clinic.deliver(one, delivery()).await.is(200);
    let shown = clinic.summary(one).await.is(200).json();
    assert_eq!(
        (&shown["status"], &shown["statistics"]["donors"]),
        (&json!("COMPLETED"), &json!(2))
    );
    // A refresh asks again, and leaves the status until it ends.
    let refresh = json!({"wmdaId": patient});
    clinic
        .post("/searches/refreshAllPatientSearches", refresh)
        .await
        .is(202);
    let told = requested(&mut listener, 1).await;
    assert!(told[0].to_string().contains(&one.to_string()) || told[0].to_string().contains(&two.to_string()));
    assert_eq!(clinic.summary(one).await.is(200).json()["status"], "COMPLETED");
    clinic
        .deliver(one, json!({"donors": [{"id": "D-2"}]}))
        .await
        .is(200);
    let read = clinic.results("donors", one).await.is(200).json();
    assert_eq!(
        items(&read, "searchResults").len(),
        2,
        "one of them is deleted: {read}"
    );
    // Nothing about the patient but numbers.
    assert!(!told[0].to_string().contains("01:01"), "{told:?}");
}

/// "nothing for 24 h ends the first run as FAILED, `error.code` `engineTimeout`."
async fn an_engine_that_is_silent_for_a_day_has_failed(engine: Engine) {
    let mut world = World::with(engine, &["match.engine=external"]).await;
    let clinic = world.clinic.clone();
    let patient = clinic.register().await;
    let (silent, answered, late) = (
        clinic.search(patient).await,
        clinic.search(patient).await,
        clinic.search(patient).await,
    );
    clinic.deliver(answered, delivery()).await.is(200);
    world.advance("PT23H58M").await;
    a_while().await;
    assert_eq!(clinic.summary(silent).await.is(200).json()["status"], "STARTED");
    world.server.kill().await;
    world.server.start_again().await;
    world.advance("PT3M").await;
    for search in [silent, late] {
        clinic.until_search(patient, search, "FAILED").await;
        let shown = clinic.summary(search).await.is(200).json();
        assert_eq!(shown["error"]["code"], "engineTimeout", "{shown}");
        assert!(shown["error"]["message"].is_string(), "{shown}");
        clinic
            .results("donors", search)
            .await
            .fault(409, "searchNotCompleted");
    }
    let shown = clinic.summary(answered).await.is(200).json();
    assert_eq!(
        (&shown["status"], &shown["error"]),
        (&json!("COMPLETED"), &Value::Null)
    );
    // Too late is better than never.
    clinic.deliver(late, delivery()).await.is(200);
    let shown = clinic.summary(late).await.is(200).json();
    assert_eq!(
        (&shown["status"], &shown["error"]),
        (&json!("COMPLETED"), &Value::Null)
    );
    // An engine that does not answer a refresh costs nothing.
    clinic.changed(patient, "ACT").await;
    for _ in 0..3 {
        world.advance("P1D").await;
        a_while().await;
    }
    let shown = clinic.summary(answered).await.is(200).json();
    assert_eq!(
        (&shown["status"], &shown["error"]),
        (&json!("COMPLETED"), &Value::Null)
    );
    clinic.results("donors", answered).await.is(200);
    assert_eq!(clinic.status(patient).await, "ACT");
}

async fn another_engine_is_none(_: Engine) {
    let folder = TempDir::new().unwrap();
    for (engine, code) in [("none", 0), ("external", 0), ("embedded", 2), ("", 2)] {
        let setting = format!("match.engine={engine}");
        let ran = run(program::command(folder.path(), &["config", "--set", &setting])).await;
        let ran = ran.ended_with(code);
        if code == 0 {
            assert!(ran.out.contains(&format!("engine = \"{engine}\"")), "{ran:?}");
        } else {
            assert!(
                ran.err.contains("match.engine") && ran.err.lines().count() == 1,
                "{ran:?}"
            );
        }
    }
}
