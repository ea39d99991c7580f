//! The status history (section 7).

use super::clinic::{Clinic, UNKNOWN, World, claims, items};
use super::expect::{assert_legal, path};
use crate::e2e::harness::issuer::{SECRET, hmac};
use crate::e2e::harness::{Engine, Journey, Tenant, journey, tenant_journey};
use serde_json::{Value, json};

pub fn journeys() -> Vec<Journey> {
    vec![
        journey!(line_03_each_real_change_adds_one_entry),
        tenant_journey!(a_history_is_paged_as_all_of_ops),
        tenant_journey!(an_entry_tells_who_made_the_change),
        tenant_journey!(of_several_registrations_the_newest_is_shown),
    ]
}

/// "Each real change adds one history entry; the first is null to NEW; every `from` is the `to` before it; no entry has
/// `from` equal to `to`; none ever changes or goes."
async fn line_03_each_real_change_adds_one_entry(engine: Engine) {
    let world = World::manual(engine).await;
    let clinic = &world.clinic;
    let patient = clinic.register().await;
    let mut history = clinic.history(patient).await;
    assert_eq!(path(&history), [("NEW".to_owned(), None)]);
    let mut expected = vec!["NEW"];
    for (to, real) in [
        ("PRE", true),
        ("PRE", false),
        ("ACT", true),
        ("PRE", false),
        ("ACT", false),
        ("SUS", true),
        ("SUS", false),
        ("ACT", true),
        ("STP", true),
        ("STP", false),
        ("PRE", false),
        ("SUS", true),
        ("STP", true),
        ("ACT", true),
        ("STP", true),
    ] {
        world.advance("PT1S").await;
        if to == "PRE" && expected == ["NEW"] {
            clinic.searched(patient).await;
        } else {
            clinic.change(patient, to, (to == "STP").then_some("OTH")).await;
        }
        expected.extend(real.then_some(to));
        let grown = clinic.history(patient).await;
        assert_eq!(grown[..history.len()], history[..], "an entry has changed");
        assert_eq!(grown.len(), expected.len(), "{to}: {grown:?}");
        history = grown;
    }
    assert_legal(&history);
    let statuses: Vec<_> = path(&history).into_iter().map(|(status, _)| status).collect();
    assert_eq!(statuses, expected);
    // Not by updates, users or reading, and not by the end of all.
    clinic
        .put("/patients", json!({"wmdaId": patient, "weight": 60}))
        .await
        .is(409);
    world.advance("P190D").await;
    clinic.until_gone(patient).await;
    assert_eq!(
        clinic.history(patient).await,
        history,
        "it outlives anonymisation"
    );
}

/// "oldest first, paged as all of `/ops`": "`?limit=` (1 to 200, default 50) and `?cursor=`".
async fn a_history_is_paged_as_all_of_ops(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.in_status("ACT").await;
    for to in ["SUS", "ACT"].into_iter().cycle().take(52) {
        clinic.changed(patient, to).await;
    }
    let whole = clinic.history(patient).await;
    assert_eq!(whole.len(), 55);
    assert_legal(&whole);
    let page = |query: String| {
        clinic
            .ops
            .get(&format!("/ops/v1/patients/{patient}/status-history{query}"))
    };
    assert_eq!(
        items(&page(String::new()).await.is(200).json(), "items").len(),
        50
    );
    for limit in [1, 7, 54, 55, 200] {
        let mut found = Vec::new();
        let mut query = format!("?limit={limit}");
        loop {
            let shown = page(query).await.is(200).json();
            found.extend(items(&shown, "items"));
            let Some(next) = shown["next"].as_str() else { break };
            query = format!("?limit={limit}&cursor={next}");
        }
        assert_eq!(found, whole, "in pages of {limit}");
    }
    for bad in ["?limit=0", "?limit=201", "?limit=x", "?cursor=x"] {
        page(bad.to_owned()).await.problem(400);
    }
    let unknown = format!("/ops/v1/patients/{UNKNOWN}/status-history");
    clinic.ops.get(&unknown).await.problem(404);
    let of_other = Tenant::on(&tenant.root, json!({})).await;
    let path = format!("/ops/v1/patients/{patient}/status-history");
    of_other.api.get(&path).await.problem(404);
    let blind = tenant.limited(&["ops:write"]).await;
    blind.get(&path).await.problem(403);
    clinic.api.get(&path).await.problem(401);
}

/// "`by` is the token's `client_id`, else its `sub`, or `system`."
async fn an_entry_tells_who_made_the_change(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.register().await;
    let mut person = claims(&clinic.workspace, "patient:read patient:write");
    person.as_object_mut().unwrap().shift_remove("client_id");
    person["sub"] = json!("j.demo");
    let person = Clinic {
        api: clinic.api.with_token(&hmac(SECRET.as_bytes(), &person)),
        ..clinic.clone()
    };
    person.searched(patient).await;
    clinic.changed(patient, "ACT").await;
    person.changed(patient, "STP").await;
    let by = |entry: &Value| entry["by"].as_str().unwrap().to_owned();
    let history = clinic.history(patient).await;
    assert_eq!(
        history.iter().map(by).collect::<Vec<_>>(),
        ["hospital-17", "j.demo", "hospital-17", "j.demo"]
    );
}

/// "`{id}` the UUID (of several registrations the newest) or the `wmdaId`"; common.md: "a person registered again for a
/// donor search after a stop keeps the one record, the newest `wmdaId` is shown and the older ones listed".
async fn of_several_registrations_the_newest_is_shown(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let named = json!({"patientId": "98761234P", "legalTerms": true});
    let first = clinic.register_with(&named).await;
    clinic.changed(first, "STP").await;
    let second = clinic.register_with(&named).await;
    assert_ne!(first, second);
    let shown = |id: String| clinic.ops.get(&format!("/ops/v1/patients/{id}"));
    let person = shown(second.to_string()).await.is(200).json();
    let by_older = shown(first.to_string()).await.is(200).json();
    assert_eq!(person["id"], by_older["id"], "one record");
    assert_eq!(person["wmdaId"], second);
    assert!(person.to_string().contains(&first.to_string()), "{person}");
    let id = person["id"].as_str().unwrap();
    let path = format!("/ops/v1/patients/{id}/status-history");
    let newest = items(&clinic.ops.get(&path).await.is(200).json(), "items");
    assert_eq!(newest, clinic.history(second).await);
    assert_eq!(newest.len(), 1);
    assert_eq!(clinic.history(first).await.len(), 2);
    let page = clinic.ops.get("/ops/v1/patients?limit=200").await.is(200).json();
    assert_eq!(items(&page, "items").len(), 1, "one person: {page}");
}
