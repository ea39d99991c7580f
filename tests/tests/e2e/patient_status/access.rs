//! Who may ask for what, and what is told to those who may not.

use super::clinic::{
    BASE, Clinic, KINDS, PATIENCE, UNKNOWN, World, claims, delivery, everything, items, token,
};
use super::expect::path;
use crate::e2e::harness::issuer::{SECRET, from_now, hmac};
use crate::e2e::harness::server::run;
use crate::e2e::harness::{Api, Call, Engine, Journey, Tenant, journey, program, tenant_journey, until};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub fn journeys() -> Vec<Journey> {
    vec![
        tenant_journey!(line_25_what_is_in_another_workspace_does_not_exist),
        tenant_journey!(line_26_without_a_good_token_nothing_is_told),
        journey!(line_30_with_the_manual_clock_a_life_passes_in_seconds),
        journey!(line_30_tokens_are_judged_by_the_systems_time),
        journey!(line_30_off_loopback_there_is_no_manual_clock).on(&[Engine::Sqlite]),
    ]
}

/// Method, path below the prefix, a body that is good, the scope.
fn every_call(patient: i64, search: i64) -> Vec<(&'static str, String, Option<Value>, &'static str)> {
    let own = |path: &str| path.to_owned();
    let (read, write) = ("patient:read", "patient:write");
    let mut calls = vec![
        (
            "PUT",
            own("/patients"),
            Some(json!({"wmdaId": patient, "weight": 60})),
            write,
        ),
        ("GET", format!("/patients/{patient}"), None, read),
        (
            "PUT",
            own("/patients/status"),
            Some(json!({"wmdaId": patient, "newStatus": "SUS"})),
            write,
        ),
        (
            "PUT",
            own("/patients/user"),
            Some(json!({"wmdaId": patient, "userName": "j.demo"})),
            write,
        ),
        (
            "POST",
            own("/searches"),
            Some(json!({"wmdaId": patient, "matchEngine": 2, "searchType": "DR"})),
            write,
        ),
        ("GET", format!("/searches/{search}"), None, read),
        ("GET", format!("/searches/patientSearches/{patient}"), None, read),
        (
            "POST",
            own("/searches/refreshAllPatientSearches"),
            Some(json!({"wmdaId": patient})),
            write,
        ),
        (
            "PUT",
            format!("/searches/{search}/results"),
            Some(delivery()),
            "search:deliver",
        ),
    ];
    for kind in KINDS {
        calls.push(match kind {
            "donors" | "cbus" => (
                "POST",
                format!("/searches/searchResults/{kind}"),
                Some(json!({"searchId": search})),
                read,
            ),
            _ => (
                "GET",
                format!("/searches/{search}/searchResults/{kind}"),
                None,
                read,
            ),
        });
    }
    calls
}

/// Those that name no record.
fn further_calls() -> Vec<(&'static str, String, Option<Value>, &'static str)> {
    let own = |path: &str| path.to_owned();
    vec![
        ("POST", own("/patients"), Some(everything()), "patient:write"),
        ("GET", own("/patients"), None, "patient:read"),
        ("GET", own("/patients/list"), None, "patient:read"),
        ("POST", own("/patients/list"), Some(json!({})), "patient:read"),
    ]
}

fn call(api: &Api, method: &str, path: &str, body: Option<&Value>) -> Call {
    let call = api.call(Method::from_bytes(method.as_bytes()).unwrap(), path);
    match body {
        Some(body) => call.json(body),
        None => call,
    }
}

/// "Records of another workspace give 404 with the same body as unknown ones, in every call, and never show up in lists."
async fn line_25_what_is_in_another_workspace_does_not_exist(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.register_with(&everything()).await;
    let search = clinic.delivered(patient).await;
    clinic.changed(patient, "ACT").await;
    super::clinic::a_while().await;
    let (before, history) = (clinic.entry(patient).await, clinic.history(patient).await);
    let other = Tenant::on(&tenant.root, json!({})).await;
    let other = Clinic::of(&other);
    let all = other.with_scopes("patient:read patient:write search:deliver");
    let foreign = every_call(patient, search).into_iter();
    for ((method, path, body, _), (_, unknown_path, unknown_body, _)) in
        foreign.zip(every_call(UNKNOWN, UNKNOWN))
    {
        for base in [BASE, ""] {
            let foreign = call(&all, method, &format!("{base}{path}"), body.as_ref()).await;
            let unknown = call(
                &all,
                method,
                &format!("{base}{unknown_path}"),
                unknown_body.as_ref(),
            )
            .await;
            let foreign = foreign.fault(404, "notFound");
            assert_eq!(
                foreign.text,
                unknown.fault(404, "notFound").text,
                "{method} {path}"
            );
        }
    }
    let stop = json!({"wmdaId": patient, "newStatus": "STP", "changeReason": "FND"});
    all.put(&format!("{BASE}/patients/status"), stop)
        .await
        .fault(404, "notFound");
    assert_eq!(other.list("?limit=1000").await["paging"]["totalCount"], 0);
    for path in [
        format!("/ops/v1/patients/{patient}"),
        format!("/ops/v1/patients/{patient}/status-history"),
    ] {
        other.ops.get(&path).await.problem(404);
    }
    let tasks = other
        .ops
        .get(&format!("/ops/v1/tasks?patient={patient}"))
        .await
        .is(200)
        .json();
    assert_eq!(items(&tasks, "items").len(), 0);
    assert_eq!(
        (clinic.entry(patient).await, clinic.history(patient).await),
        (before, history)
    );
}

/// "No or bad token 401, missing scope 403, before anything about the record is told; every error has the shape of section
/// 9." An API key is no credential here.
async fn line_26_without_a_good_token_nothing_is_told(tenant: &Tenant) {
    let clinic = Clinic::of(tenant);
    let patient = clinic.register().await;
    let search = clinic.searched(patient).await;
    let good = claims(&clinic.workspace, "patient:read patient:write search:deliver");
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        hmac(SECRET.as_bytes(), &claims)
    };
    let mut without_end = good.clone();
    without_end.as_object_mut().unwrap().shift_remove("exp");
    let signed = hmac(SECRET.as_bytes(), &good);
    let parts: Vec<&str> = signed.split('.').collect();
    let bad_tokens = [
        "x".to_owned(),
        "a.b.c".to_owned(),
        // {"alg":"none"}
        format!("eyJhbGciOiJub25lIn0.{}.", parts[1]),
        hmac(b"another-secret-another-secret-another", &good),
        hmac(SECRET.as_bytes(), &without_end),
        with("exp", json!(from_now(-10))),
        with("nbf", json!(from_now(600))),
        with("workspace", json!("nowhere")),
        clinic.ops.key().to_owned(),
    ];
    let mut nobodies: Vec<Api> = bad_tokens.iter().map(|bad| clinic.api.with_token(bad)).collect();
    nobodies.push(clinic.ops.with_key(None));
    nobodies.push(clinic.ops.clone());
    let calls: Vec<_> = every_call(patient, search)
        .into_iter()
        .chain(further_calls())
        .collect();
    for (method, path, body, scope) in &calls {
        // A bad body and an unknown record must not tell more than a good one.
        for base in [BASE, ""] {
            let path = format!("{base}{path}");
            let mut texts = std::collections::BTreeSet::new();
            for nobody in &nobodies {
                let answer = call(nobody, method, &path, body.as_ref())
                    .await
                    .fault(401, "unauthenticated");
                assert!(
                    answer.header("www-authenticate").starts_with("Bearer"),
                    "{method} {path}"
                );
                texts.insert(answer.text);
            }
            assert_eq!(
                texts.len(),
                1,
                "{method} {path} tells bad tokens apart: {texts:?}"
            );
            let others: Vec<_> = [
                "patient:read",
                "patient:write",
                "search:deliver",
                "registry:read",
                "ops:read",
            ]
            .into_iter()
            .filter(|other| other != scope)
            .collect();
            let blind = clinic.with_scopes(&others.join(" "));
            let forbidden = call(&blind, method, &path, body.as_ref())
                .await
                .fault(403, "forbidden");
            if body.is_some() {
                for bad in ["{", "[]", r#"{"wmdaId":"x"}"#] {
                    let verb = Method::from_bytes(method.as_bytes()).unwrap();
                    clinic
                        .api
                        .with_token("x")
                        .call(verb.clone(), &path)
                        .json(bad)
                        .await
                        .fault(401, "unauthenticated");
                    let answer = blind.call(verb, &path).json(bad).await.fault(403, "forbidden");
                    assert_eq!(answer.text, forbidden.text, "{method} {path}");
                }
            }
        }
    }
    for (method, path, body, scope) in every_call(UNKNOWN, UNKNOWN) {
        let path = format!("{BASE}{path}");
        call(&clinic.api.with_token("x"), method, &path, body.as_ref())
            .await
            .fault(401, "unauthenticated");
        let other = if scope == "patient:read" {
            "patient:write"
        } else {
            "patient:read"
        };
        call(&clinic.with_scopes(other), method, &path, body.as_ref())
            .await
            .fault(403, "forbidden");
    }
    assert_eq!(clinic.list("").await["paging"]["totalCount"], 1);
    assert_eq!(clinic.history(patient).await.len(), 2);
}

/// "With the manual clock all of 9 to 14 can be seen end to end": one life, from the registration to the end. "All scheduled
/// work due by the new time has run before the answer or within 5 s after it."
async fn line_30_with_the_manual_clock_a_life_passes_in_seconds(engine: Engine) {
    const SOON: Duration = Duration::from_secs(5);
    let world = World::manual(engine).await;
    let clinic = &world.clinic;
    let patient = clinic.register().await;
    let search = clinic.delivered(patient).await;
    clinic.changed(patient, "ACT").await;
    let soon = async |what: &str, status: &str| {
        let began = Instant::now();
        clinic.until_status(patient, status).await;
        assert!(began.elapsed() < SOON, "{what} took {:?}", began.elapsed());
    };
    world.advance("P1D").await;
    let began = Instant::now();
    until("a refresh", PATIENCE, async || {
        (!clinic.done(patient, "search.refresh.daily").await.is_empty()).then_some(())
    })
    .await;
    assert!(began.elapsed() < SOON, "the refresh took {:?}", began.elapsed());
    world.advance("P30D").await;
    clinic.results("donors", search).await.is(200);
    world.advance("P41D").await;
    assert_eq!(clinic.status(patient).await, "ACT");
    world.advance("P1DT1S").await;
    soon("the stop", "STP").await;
    clinic
        .results("donors", search)
        .await
        .fault(404, "resultsDeleted");
    world.advance("P150D").await;
    clinic.changed(patient, "SUS").await;
    world.advance("P42DT1S").await;
    soon("the second stop", "STP").await;
    world.advance("P180D").await;
    clinic.get(&format!("/patients/{patient}")).await.is(200);
    world.advance("P5D").await;
    let began = Instant::now();
    clinic.until_gone(patient).await;
    assert!(began.elapsed() < SOON, "the end took {:?}", began.elapsed());
    let steps: Vec<_> = path(&clinic.history(patient).await)
        .into_iter()
        .map(|(status, reason)| format!("{status} {}", reason.unwrap_or_default()))
        .collect();
    assert_eq!(steps, ["NEW ", "PRE ", "ACT ", "STP AUT", "SUS ", "STP AUT"]);
}

/// "tokens are judged by system time".
async fn line_30_tokens_are_judged_by_the_systems_time(engine: Engine) {
    let world = World::manual(engine).await;
    let mut early = claims("default", "patient:read");
    early["nbf"] = json!(from_now(3_000));
    let early = world.clinic.api.with_token(&hmac(SECRET.as_bytes(), &early));
    let valid = world.clinic.api.with_token(&token("default", "patient:read"));
    for _ in 0..2 {
        valid.get("/api/v2/patients").await.is(200);
        early.get("/api/v2/patients").await.fault(401, "unauthenticated");
        world.advance("P400D").await;
    }
}

/// "off loopback the server does not start in manual mode."
async fn line_30_off_loopback_there_is_no_manual_clock(_: Engine) {
    let folder = TempDir::new().unwrap();
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let arguments = ["serve", "--listen", listen, "--set", "clock.mode=manual"];
        let ran = run(program::command(folder.path(), &arguments))
            .await
            .ended_with(2);
        assert!(
            ran.err.contains("clock.mode") && ran.err.lines().count() == 1,
            "{ran:?}"
        );
    }
}
