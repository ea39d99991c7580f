//! Clients of the patient-status dialect.

use crate::client::{Answer, Connection};
use crate::load::{Client, Failed, Load, Until, run};
use crate::server::{SECRET, Server};
use anyhow::{Result, ensure};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use time::{Duration, OffsetDateTime};

/// Makes requests, with a token of the workspace `default`.
pub struct Dialect {
    token: String,
}

/// The numbers of patients.
pub type Patients = Rc<RefCell<Vec<u64>>>;

impl Dialect {
    #[expect(clippy::disallowed_methods, reason = "tokens end by the time of this machine")]
    pub fn new() -> Result<Rc<Self>> {
        let end = OffsetDateTime::now_utc() + Duration::days(2);
        let claims = json!({"sub": "bench", "client_id": "bench", "workspace": "default",
            "scope": "patient:read patient:write", "exp": end.unix_timestamp()});
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        let token = encode(&Header::default(), &claims, &key)?;
        Ok(Rc::new(Self { token }))
    }

    pub fn get(&self, path: &str) -> String {
        format!(
            "GET /api/v2{path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\n\r\n",
            self.token
        )
    }

    fn send(&self, method: &str, path: &str, body: &str) -> String {
        format!(
            "{method} /api/v2{path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        )
    }

    pub fn register(&self) -> String {
        let hla = json!({"a": {"field1": "01:01", "field2": "24:02"}, "b": {"field1": "08:01", "field2": "35:AFGH"},
            "c": {"field1": "07:01"}, "drb1": {"field1": "03:01", "field2": "15:01"}, "dqb1": {"field1": "02:01"}});
        let body = json!({"dateOfBirth": "1987-03-14", "sex": "F", "abo": "AB", "rhesus": "P", "weight": 62,
            "ethnicity": "CAEU", "diseasePhase": "C1", "poolCountryCode": "NL", "transplantCentreId": "TC X",
            "diagnosis": {"diagnosisCode": "ALL", "diagnosisDate": "2025-11-02"}, "hla": hla});
        self.send("POST", "/patients", &body.to_string())
    }

    pub fn search(&self, patient: u64) -> String {
        let body = format!(r#"{{"wmdaId":{patient},"matchEngine":2,"searchType":"DR"}}"#);
        self.send("POST", "/searches", &body)
    }

    pub fn change(&self, patient: u64, to: &str) -> String {
        let reason = if to == "STP" {
            r#","changeReason":"OTH""#
        } else {
            ""
        };
        let body = format!(r#"{{"wmdaId":{patient},"newStatus":"{to}"{reason}}}"#);
        self.send("PUT", "/patients/status", &body)
    }
}

/// One request whose answer must be a success.
pub async fn ask<'a>(connection: &'a mut Connection, request: &str) -> Result<Answer<'a>, Failed> {
    let answer = connection.request(request.as_bytes()).await?;
    if answer.is_success() {
        Ok(answer)
    } else {
        Err(Failed::answer(&answer))
    }
}

/// Registers one patient after the other, with a search if that is wanted.
struct Registrar {
    dialect: Rc<Dialect>,
    patients: Patients,
    with_search: bool,
}

impl Client for Registrar {
    async fn once(&mut self, connection: &mut Connection) -> Result<(), Failed> {
        let answer = ask(connection, &self.dialect.register()).await?;
        let body: serde_json::Value = serde_json::from_slice(answer.body).unwrap_or_default();
        let patient = body["wmdaId"].as_u64();
        let patient =
            patient.ok_or_else(|| Failed::because("a patient without a number", &answer.excerpt()))?;
        if self.with_search {
            ask(connection, &self.dialect.search(patient)).await?;
        }
        self.patients.borrow_mut().push(patient);
        Ok(())
    }
}

/// Changes the status of one patient after the other.
struct Changer {
    dialect: Rc<Dialect>,
    patients: Patients,
    next: Rc<Cell<usize>>,
    to: &'static str,
}

impl Client for Changer {
    async fn once(&mut self, connection: &mut Connection) -> Result<(), Failed> {
        let n = self.next.get();
        self.next.set(n + 1);
        let patient = self.patients.borrow()[n];
        ask(connection, &self.dialect.change(patient, self.to))
            .await
            .map(drop)
    }
}

/// Registers so many.
pub async fn register(
    server: &Server,
    dialect: &Rc<Dialect>,
    connections: usize,
    count: u64,
    with_search: bool,
) -> Result<(Patients, Load)> {
    let patients = Patients::default();
    let make = |_| Registrar {
        dialect: dialect.clone(),
        patients: patients.clone(),
        with_search,
    };
    let load = run(server.address, connections, Until::Count(count), make).await?;
    ensure!(load.failed() == 0, "not all were registered: {:?}", load.notes());
    Ok((patients, load))
}

/// Brings the first of them into that status.
pub async fn change(
    server: &Server,
    dialect: &Rc<Dialect>,
    connections: usize,
    (patients, count): (&Patients, u64),
    to: &'static str,
) -> Result<Load> {
    let next = Rc::new(Cell::new(0));
    let make = |_| Changer {
        dialect: dialect.clone(),
        patients: patients.clone(),
        next: next.clone(),
        to,
    };
    let load = run(server.address, connections, Until::Count(count), make).await?;
    ensure!(load.failed() == 0, "not all came to {to}: {:?}", load.notes());
    Ok(load)
}
