//! What others may want to hear of a commit, and which of it they want to hear.

use crate::{PatientId, SearchId, TaskId, TaskKind, TaskStatus};
use std::str::FromStr;

/// A change, by ids and states only: never personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    Task {
        id: TaskId,
        kind: TaskKind,
        status: TaskStatus,
    },
    Patient {
        id: PatientId,
    },
    /// A match engine is asked to run a search, or to run it again.
    Search {
        id: SearchId,
    },
}

impl Event {
    /// What it is about: the first part of its name.
    pub fn subject(&self) -> &'static str {
        match self {
            Self::Task { .. } => TASK,
            Self::Patient { .. } => PATIENT,
            Self::Search { .. } => SEARCH,
        }
    }

    /// `task.succeeded`, `patient.changed`, ...
    pub fn name(&self) -> String {
        match self {
            Self::Task { status, .. } => format!("{TASK}.{status}"),
            Self::Patient { .. } => format!("{PATIENT}.{CHANGED}"),
            Self::Search { .. } => format!("{SEARCH}.{REQUESTED}"),
        }
    }
}

const TASK: &str = "task";
const PATIENT: &str = "patient";
const CHANGED: &str = "changed";
const SEARCH: &str = "search";
const REQUESTED: &str = "requested";

/// Which events somebody wants: by name (`task.failed`) or by subject (`task`); all, if no word is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter(Vec<String>);

impl EventFilter {
    /// The error is the first word that names no event.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut known = Vec::new();
        for word in words {
            if !is_word(word) {
                return Err(word.to_owned());
            }
            if !known.iter().any(|other| other == word) {
                known.push(word.to_owned());
            }
        }
        Ok(Self(known))
    }

    pub fn words(&self) -> &[String] {
        &self.0
    }

    pub fn takes(&self, event: &Event) -> bool {
        let name = event.name();
        self.0.is_empty() || self.0.iter().any(|word| *word == name || word == event.subject())
    }
}

fn is_word(word: &str) -> bool {
    match word.split_once('.') {
        None => [TASK, PATIENT, SEARCH].contains(&word),
        Some((TASK, status)) => TaskStatus::from_str(status).is_ok(),
        Some(words) => [(PATIENT, CHANGED), (SEARCH, REQUESTED)].contains(&words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::IntoEnumIterator;
    use uuid::Uuid;

    fn task(status: TaskStatus) -> Event {
        Event::Task {
            id: TaskId(Uuid::nil()),
            kind: TaskKind::RegistryWrite,
            status,
        }
    }

    #[test]
    fn every_event_can_be_asked_for_by_its_name_and_its_subject() {
        let patient = Event::Patient {
            id: PatientId(Uuid::nil()),
        };
        let search = Event::Search {
            id: SearchId::drawn(7),
        };
        for event in TaskStatus::iter().map(task).chain([patient, search]) {
            let name = event.name();
            for word in [name.as_str(), event.subject()] {
                assert!(EventFilter::parse([word]).unwrap().takes(&event), "{word}");
            }
            assert!(EventFilter::default().takes(&event));
        }
    }

    #[test]
    fn what_was_not_asked_for_is_not_taken() {
        let failed = EventFilter::parse(["task.failed", "patient", "task.failed"]).unwrap();
        assert_eq!(failed.words().len(), 2);
        assert!(failed.takes(&task(TaskStatus::Failed)) && !failed.takes(&task(TaskStatus::Queued)));
        for word in [
            "",
            "tasks",
            "task.",
            "task.done",
            "patient.failed",
            "*",
            "task.failed.x",
        ] {
            assert_eq!(EventFilter::parse(["task", word]), Err(word.to_owned()));
        }
    }
}
