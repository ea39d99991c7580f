//! The dialect as one workspace sees it: a clinic with a token, its match engine, its operator; and the test clock.

use crate::e2e::harness::issuer::{SECRET, from_now, hmac};
use crate::e2e::harness::{Answer, Api, Call, Data, Engine, Launch, Server, Tenant, instant, until};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

pub const BASE: &str = "/api/v2";
/// A number that nobody was given.
pub const UNKNOWN: i64 = 2_147_483_646;
/// Longer than due work takes on a busy machine; that it takes 5 s at most is a journey of its own.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A token of `workspace`.
pub fn token(workspace: &str, scopes: &str) -> String {
    hmac(SECRET.as_bytes(), &claims(workspace, scopes))
}

pub fn claims(workspace: &str, scopes: &str) -> Value {
    json!({"sub": "user-1", "client_id": "hospital-17", "workspace": workspace, "scope": scopes, "exp": from_now(3_600)})
}

/// The least that a patient needs.
pub fn hla() -> Value {
    json!({
        "a": {"field1": "01:01", "field2": "24:02"},
        "b": {"field1": "08:01", "field2": "35:AFGH"},
        "drb1": {"field1": "03:01", "field2": null},
    })
}

/// The example of section 5, without its `patientId`.
pub fn everything() -> Value {
    json!({
        "dateOfBirth": "1987-03-14", "sex": "F", "abo": "AB", "rhesus": "P", "weight": 62, "ethnicity": "CAEU",
        "diseasePhase": "C1", "poolCountryCode": "NL", "transplantCentreId": "TC X", "idm": {"cmvStatus": "N"},
        "diagnosis": {"diagnosisCode": "ALL", "diagnosisText": null, "diagnosisDate": "2025-11-02"}, "hla": hla(),
    })
}

/// `base` with the members of `more` in place of its own.
pub fn with(mut base: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().expect("an object") {
        base[name] = value.clone();
    }
    base
}

/// A result of every kind.
pub fn delivery() -> Value {
    json!({
        "donors": [{"id": "D-1", "grid": "1234"}, {"id": "D-2"}], "cbus": [{"id": "C-1"}], "adcu": [{"id": "A-1"}],
        "registries": [{"id": "R-1"}], "cbbs": [{"id": "B-1"}, {"id": "B-2"}, {"id": "B-3"}],
        "summaryText": "2 donors, 1 cord blood unit", "inexplicable": 1,
    })
}

pub const KINDS: [&str; 5] = ["donors", "cbus", "adcu", "registries", "cbbs"];

#[derive(Clone)]
pub struct Clinic {
    /// May read and write patients.
    pub api: Api,
    /// The match engine: may deliver.
    pub engine: Api,
    /// An API key for `/ops`.
    pub ops: Api,
    pub workspace: String,
}

impl Clinic {
    pub fn of(tenant: &Tenant) -> Self {
        Self::new(&tenant.api, &tenant.workspace)
    }

    pub fn new(ops: &Api, workspace: &str) -> Self {
        Self {
            api: ops.with_token(&token(workspace, "patient:read patient:write")),
            engine: ops.with_token(&token(workspace, "search:deliver")),
            ops: ops.clone(),
            workspace: workspace.to_owned(),
        }
    }

    pub fn with_scopes(&self, scopes: &str) -> Api {
        self.api.with_token(&token(&self.workspace, scopes))
    }

    pub fn get(&self, path: &str) -> Call {
        self.api.get(&format!("{BASE}{path}"))
    }

    pub fn post(&self, path: &str, body: Value) -> Call {
        self.api.post(&format!("{BASE}{path}"), body)
    }

    pub fn put(&self, path: &str, body: Value) -> Call {
        self.api.put(&format!("{BASE}{path}"), body)
    }

    /// A new patient, of whom nothing but the tissue type is known.
    pub async fn register(&self) -> i64 {
        self.register_with(&json!({})).await
    }

    pub async fn register_with(&self, more: &Value) -> i64 {
        let body = with(json!({"hla": hla()}), more);
        let made = self.post("/patients", body).await.is(201).json();
        made["wmdaId"].as_i64().expect("a number")
    }

    pub fn change(&self, patient: i64, to: &str, reason: Option<&str>) -> Call {
        let body = json!({"wmdaId": patient, "newStatus": to, "changeReason": reason});
        self.put("/patients/status", body)
    }

    /// With the reason that a stop needs.
    pub async fn changed(&self, patient: i64, to: &str) -> Answer {
        let reason = (to == "STP").then_some("OTH");
        self.change(patient, to, reason).await.is(200)
    }

    /// A new patient who has come to this status; beyond NEW with a search that is completed.
    pub async fn in_status(&self, status: &str) -> i64 {
        let patient = self.register().await;
        if status != "NEW" {
            self.searched(patient).await;
        }
        if !["NEW", "PRE"].contains(&status) {
            self.changed(patient, status).await;
        }
        patient
    }

    pub fn search_call(&self, patient: i64) -> Call {
        self.post(
            "/searches",
            json!({"wmdaId": patient, "matchEngine": 2, "searchType": "DR"}),
        )
    }

    pub async fn search(&self, patient: i64) -> i64 {
        let made = self.search_call(patient).await.is(201).json();
        made["searchId"].as_i64().expect("a number")
    }

    /// A search that nobody delivers to and that the embedded engine has completed.
    pub async fn searched(&self, patient: i64) -> i64 {
        let search = self.search(patient).await;
        self.until_search(patient, search, "COMPLETED").await;
        search
    }

    /// A search with results.
    pub async fn delivered(&self, patient: i64) -> i64 {
        let search = self.search(patient).await;
        self.deliver(search, delivery()).await.is(200);
        search
    }

    pub fn deliver(&self, search: i64, results: Value) -> Call {
        self.engine
            .put(&format!("{BASE}/searches/{search}/results"), results)
    }

    /// Looks without being active.
    pub async fn until_search(&self, patient: i64, search: i64, status: &str) -> Value {
        until(&format!("{search} is {status}"), PATIENCE, async || {
            let searches = self.searches(patient).await;
            let mut found = searches.into_iter();
            found.find(|one| one["searchId"] == search && one["status"] == status)
        })
        .await
    }

    pub async fn searches(&self, patient: i64) -> Vec<Value> {
        let path = format!("/searches/patientSearches/{patient}");
        items(&self.get(&path).await.is(200).json(), "searches")
    }

    pub fn summary(&self, search: i64) -> Call {
        self.get(&format!("/searches/{search}"))
    }

    /// One of the five reads.
    pub fn results(&self, kind: &str, search: i64) -> Call {
        match kind {
            "donors" | "cbus" => self.post(
                &format!("/searches/searchResults/{kind}"),
                json!({"searchId": search}),
            ),
            _ => self.get(&format!("/searches/{search}/searchResults/{kind}")),
        }
    }

    pub async fn list(&self, query: &str) -> Value {
        self.get(&format!("/patients/list{query}")).await.is(200).json()
    }

    /// The patient's entry in the list, which nobody's reading changes.
    pub async fn entry(&self, patient: i64) -> Option<Value> {
        let mut offset = 0;
        loop {
            let page = self.list(&format!("?limit=1000&offset={offset}")).await;
            let patients = items(&page, "patients");
            if patients.is_empty() {
                return None;
            }
            offset += patients.len();
            let found = patients.into_iter().find(|one| one["wmdaId"] == patient);
            if found.is_some() {
                return found;
            }
        }
    }

    pub async fn status(&self, patient: i64) -> String {
        let entry = self.entry(patient).await.expect("the patient is listed");
        entry["status"].as_str().expect("a status").to_owned()
    }

    pub async fn until_status(&self, patient: i64, status: &str) {
        let what = format!("{patient} is in {status}");
        until(&what, PATIENCE, async || {
            (self.status(patient).await == status).then_some(())
        })
        .await;
    }

    pub async fn last_updated(&self, patient: i64) -> OffsetDateTime {
        instant(&self.entry(patient).await.expect("the patient is listed")["lastUpdated"])
    }

    pub async fn history(&self, patient: i64) -> Vec<Value> {
        let path = format!("/ops/v1/patients/{patient}/status-history?limit=200");
        items(&self.ops.get(&path).await.is(200).json(), "items")
    }

    /// The patient's tasks of that kind that have succeeded.
    pub async fn done(&self, patient: i64, kind: &str) -> Vec<String> {
        let path = format!("/ops/v1/tasks?patient={patient}&kind={kind}&state=succeeded&limit=200");
        let tasks = items(&self.ops.get(&path).await.is(200).json(), "items");
        let id = |task: &Value| task["id"].as_str().expect("an id").to_owned();
        tasks.iter().map(id).collect()
    }

    /// Workers stop, or start, taking tasks of that kind.
    pub async fn pause(&self, kind: &str, paused: bool) {
        let what = if paused { "pause" } else { "resume" };
        let path = format!("/ops/v1/queues/{kind}/{what}");
        self.ops.call(Method::POST, &path).await.is(200);
    }

    pub async fn is_gone(&self, patient: i64) -> bool {
        self.entry(patient).await.is_none()
    }

    pub async fn until_gone(&self, patient: i64) {
        let what = format!("{patient} is anonymised");
        until(&what, PATIENCE, async || {
            self.is_gone(patient).await.then_some(())
        })
        .await;
    }
}

#[track_caller]
pub fn items(page: &Value, name: &str) -> Vec<Value> {
    match page[name].as_array() {
        Some(items) => items.clone(),
        None => panic!("no {name} in {page}"),
    }
}

/// A server whose clock can be moved, and a clinic in its workspace `default`.
pub struct World {
    pub server: Server,
    pub clinic: Clinic,
}

impl World {
    pub async fn manual(engine: Engine) -> Self {
        Self::with(engine, &[]).await
    }

    pub async fn with(engine: Engine, settings: &[&str]) -> Self {
        let mut launch = Self::launch(&Arc::new(Data::fresh(engine).await));
        for setting in settings {
            launch = launch.set(setting);
        }
        Self::started(launch).await
    }

    pub fn launch(data: &Arc<Data>) -> Launch {
        Launch::beside(data).set("clock.mode=manual").accepting_tokens()
    }

    pub async fn started(launch: Launch) -> Self {
        let server = launch.start().await;
        let clinic = Clinic::new(&server.api(), "default");
        Self { server, clinic }
    }

    pub async fn now(&self) -> OffsetDateTime {
        instant(&self.clinic.ops.get("/ops/v1/clock").await.is(200).json()["now"])
    }

    pub async fn advance(&self, by: &str) -> OffsetDateTime {
        let moved = self.clinic.ops.post("/ops/v1/clock", json!({"advance": by}));
        instant(&moved.await.is(200).json()["now"])
    }

    pub async fn advance_to(&self, at: OffsetDateTime) -> OffsetDateTime {
        let left = (at - self.now().await).whole_seconds();
        assert!(left > 0, "{at} is over");
        self.advance(&format!("PT{left}S")).await
    }
}

/// Long enough for what must not happen to happen.
pub async fn a_while() {
    tokio::time::sleep(Duration::from_millis(1_500)).await;
}
