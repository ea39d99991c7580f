//! The forms of the dialect: its errors, its histories.

use crate::e2e::harness::{Answer, instant, members};
use serde_json::{Value, json};

/// Section 2: from, and the targets that are accepted without effect (`=`) or allowed.
pub const ACCEPTED: [(&str, &[&str]); 5] = [
    ("NEW", &["STP"]),
    ("PRE", &["PRE", "ACT", "SUS", "STP"]),
    ("ACT", &["ACT", "SUS", "STP"]),
    ("SUS", &["ACT", "SUS", "STP"]),
    ("STP", &["ACT", "SUS", "STP"]),
];

pub fn accepted(from: &str) -> &'static [&'static str] {
    let row = ACCEPTED.iter().find(|(status, _)| *status == from);
    row.unwrap_or_else(|| panic!("{from} is no status")).1
}

/// Those with which a client may stop a patient.
pub const STOP_REASONS: [&str; 17] = [
    "ATX", "UMT", "UCT", "UPT", "BCC", "PAT", "ICH", "NDF", "OTH", "RMT", "RCT", "RPT", "GCC", "PDC", "PPR",
    "FND", "UNK",
];
/// Those that say nothing about an end.
pub const LIST_REASONS: [&str; 3] = ["NPH", "NML", "RCM"];

const OF_THE_STATUS: [&str; 2] = ["transitionRefused", "patientStopped"];

impl Answer {
    /// The error document of section 9.
    #[track_caller]
    pub fn fault(self, status: u16, code: &str) -> Self {
        let answer = self.is(status);
        let error = answer.json();
        let shown = format!("{}: {error}", answer.what());
        let mut expected = vec!["code", "errors", "message"];
        if OF_THE_STATUS.contains(&code) {
            expected = vec!["allowedStatuses", "code", "currentStatus", "errors", "message"];
        }
        assert_eq!(answer.header("content-type"), "application/json", "{shown}");
        assert_eq!(members(&error), expected, "{shown}");
        assert_eq!(error["code"], code, "{shown}");
        assert!(
            error["message"].as_str().is_some_and(|text| !text.is_empty()),
            "{shown}"
        );
        for fault in error["errors"].as_array().expect("errors are a list") {
            assert_eq!(members(fault), ["field", "message"], "{shown}");
            assert!(
                fault["field"].is_string() && fault["message"].is_string(),
                "{shown}"
            );
        }
        for inner in [
            "SELECT", "INSERT", "sqlite", "postgres", "panicked", ".rs:", "src/",
        ] {
            assert!(!answer.text.contains(inner), "{shown} shows internals");
        }
        answer
    }

    /// Refused by the status, which is named with the targets that would be accepted.
    #[track_caller]
    pub fn refused_in(self, current: &str, code: &str) -> Self {
        let answer = self.fault(409, code);
        let error = answer.json();
        assert_eq!(error["currentStatus"], current, "{}: {error}", answer.what());
        assert_eq!(
            error["allowedStatuses"],
            json!(accepted(current)),
            "{}: {error}",
            answer.what()
        );
        answer
    }

    /// 400 with exactly these fields at fault.
    #[track_caller]
    pub fn invalid(self, fields: &[&str]) -> Self {
        let answer = self.fault(400, "invalidRequest");
        let error = answer.json();
        let field = |fault: &Value| fault["field"].as_str().expect("a field").to_owned();
        let mut found: Vec<_> = error["errors"].as_array().unwrap().iter().map(field).collect();
        let mut expected = fields.to_vec();
        found.sort();
        expected.sort_unstable();
        assert_eq!(found, expected, "{}: {error}", answer.what());
        answer
    }
}

/// Line 3, and section 7.
#[track_caller]
pub fn assert_legal(history: &[Value]) {
    let mut before: Option<&Value> = None;
    for entry in history {
        assert_eq!(members(entry), ["at", "by", "from", "reason", "to"], "{entry}");
        let (from, to) = (&entry["from"], entry["to"].as_str().expect("a status"));
        match before {
            None => assert_eq!((from, to), (&Value::Null, "NEW"), "{history:?}"),
            Some(before) => {
                assert_eq!(from, &before["to"], "{history:?}");
                assert_ne!(from, to, "{history:?}");
                let search = from == "NEW" && to == "PRE";
                assert!(
                    search || accepted(from.as_str().unwrap()).contains(&to),
                    "{history:?}"
                );
                assert!(instant(&entry["at"]) >= instant(&before["at"]), "{history:?}");
            }
        }
        let reason = entry["reason"].as_str();
        let by_system = entry["by"] == "system";
        assert_eq!(reason == Some("AUT"), by_system, "{entry}");
        if to == "STP" {
            let known = reason.is_some_and(|reason| by_system || STOP_REASONS.contains(&reason));
            assert!(known, "stopped without a reason: {entry}");
        }
        assert!(entry["by"].as_str().is_some_and(|by| !by.is_empty()), "{entry}");
        before = Some(entry);
    }
    assert!(before.is_some(), "a history begins with the registration");
}

/// The statuses that a history tells of, and with which reasons.
pub fn path(history: &[Value]) -> Vec<(String, Option<String>)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let step = |entry: &Value| (text(&entry["to"]).expect("a status"), text(&entry["reason"]));
    history.iter().map(step).collect()
}
