//! Counts what became of the resources and tells it at the end.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::fhir::Rejected;
use super::progress::rate;
use super::writer::StopCause;

/// Enough to work with; an import in which everything fails must not fill the memory.
const MOST_FAILURES: usize = 1000;
const MOST_REASONS: usize = 1000;
const SHOWN_REASONS: usize = 20;
const SHOWN_PLACES: usize = 5;

#[derive(Debug, Default)]
pub struct Tally {
    pub written: u64,
    pub unchanged: u64,
    pub deleted: u64,
    pub failed: u64,
    failures: Vec<Failure>,
    reasons: HashMap<String, Reason>,
}

#[derive(Debug, Serialize)]
struct Failure {
    place: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    id: Option<String>,
    reason: String,
}

#[derive(Debug, Default)]
struct Reason {
    count: u64,
    places: Vec<String>,
}

#[derive(Serialize)]
struct Summary<'a> {
    written: u64,
    unchanged: u64,
    deleted: u64,
    failed: u64,
    seconds: f64,
    /// Why the import ended before its input did; absent if it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<String>,
    failures: &'a [Failure],
}

impl Tally {
    pub fn fail(&mut self, rejected: Rejected) {
        self.failed += 1;
        let place = rejected.place.to_string();
        let known = self.reasons.len() < MOST_REASONS || self.reasons.contains_key(&rejected.reason);
        let name = if known {
            rejected.reason.as_str()
        } else {
            "other reasons"
        };
        let reason = self.reasons.entry(name.to_owned()).or_default();
        reason.count += 1;
        if reason.places.len() < SHOWN_PLACES {
            reason.places.push(place.clone());
        }
        if self.failures.len() < MOST_FAILURES {
            let Rejected { kind, id, reason, .. } = rejected;
            self.failures.push(Failure {
                place,
                kind,
                id,
                reason,
            });
        }
    }

    pub fn json(&self, elapsed: Duration, stop: Option<&StopCause>) -> serde_json::Result<String> {
        // Not the float of the duration itself: it has digits that nobody measured.
        let seconds = (elapsed.as_secs_f64() * 1000.0).round() / 1000.0;
        let Self {
            written,
            unchanged,
            deleted,
            failed,
            ..
        } = *self;
        let stopped = stop.map(describe);
        let failures = &self.failures;
        serde_json::to_string(&Summary {
            written,
            unchanged,
            deleted,
            failed,
            seconds,
            stopped,
            failures,
        })
    }

    pub fn text(&self, elapsed: Duration, stop: Option<&StopCause>) -> String {
        let done = self.written + self.unchanged + self.deleted + self.failed;
        let mut text = format!(
            "written    {}\nunchanged  {}\ndeleted    {}\nfailed     {}\n{done} resources in {:.1} s, {}/s",
            self.written,
            self.unchanged,
            self.deleted,
            self.failed,
            elapsed.as_secs_f64(),
            rate(done, elapsed)
        );
        if !self.reasons.is_empty() {
            text.push_str("\n\nFailures:");
        }
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by(|(a, one), (b, other)| other.count.cmp(&one.count).then(a.cmp(b)));
        for (name, reason) in reasons.iter().take(SHOWN_REASONS) {
            let more = if reason.count > SHOWN_PLACES as u64 {
                ", ..."
            } else {
                ""
            };
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "\n  {} x {name}\n      {}{more}",
                reason.count,
                reason.places.join(", ")
            );
        }
        if reasons.len() > SHOWN_REASONS {
            let _ = write!(
                text,
                "\n  and {} other reasons (see --json)",
                reasons.len() - SHOWN_REASONS
            );
        }
        if let Some(stop) = stop {
            let _ = write!(
                text,
                "\n\nThe import stopped before the end: {}.\nThe same command resumes it: what is there already is left as it is.",
                describe(stop)
            );
        }
        text
    }
}

fn describe(stop: &StopCause) -> String {
    match stop {
        StopCause::Interrupted => "interrupted".to_owned(),
        StopCause::Refused(reason) | StopCause::Unreachable(reason) | StopCause::Busy(reason) => {
            reason.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::import::fhir::Place;

    fn rejected(line: u64, reason: &str) -> Rejected {
        let place = Place {
            file: "a.ndjson".into(),
            line: Some(line),
            entry: None,
        };
        Rejected {
            place,
            kind: Some("Patient".to_owned()),
            id: None,
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn failures_are_grouped_by_reason_with_the_most_frequent_first() {
        let mut tally = Tally {
            written: 3,
            ..Tally::default()
        };
        tally.fail(rejected(1, "rare"));
        for line in 2..9 {
            tally.fail(rejected(line, "frequent"));
        }
        let text = tally.text(Duration::from_secs(2), None);
        assert!(
            text.contains("failed     8\n11 resources in 2.0 s, 5/s"),
            "{text}"
        );
        assert!(
            text.contains(
                "7 x frequent\n      a.ndjson:2, a.ndjson:3, a.ndjson:4, a.ndjson:5, a.ndjson:6, ..."
            ),
            "{text}"
        );
        assert!(text.find("frequent") < text.find("rare"));
        assert!(!text.contains("resumes"));
    }

    #[test]
    fn a_stopped_import_says_that_it_can_be_resumed() {
        let text = Tally::default().text(Duration::ZERO, Some(&StopCause::Interrupted));
        assert!(text.contains("interrupted") && text.contains("same command resumes"));
    }

    #[test]
    fn json_is_one_line_with_capped_failures() {
        let mut tally = Tally::default();
        for line in 0..1500 {
            tally.fail(rejected(line, &format!("reason {line}")));
        }
        let json = tally.json(Duration::from_millis(1234), None).expect("JSON");
        assert!(!json.contains('\n') && !json.contains("stopped"));
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(json["failed"], 1500);
        assert_eq!(json["seconds"].to_string(), "1.234");
        assert_eq!(json["failures"].as_array().map(Vec::len), Some(MOST_FAILURES));
        assert_eq!(json["failures"][0]["place"], "a.ndjson:0");
        assert_eq!(json["failures"][0]["type"], "Patient");
        assert!(tally.reasons.len() <= MOST_REASONS + 1);
    }
}
