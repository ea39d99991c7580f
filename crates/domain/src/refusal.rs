//! What was wrong with a request, in words every dialect can render.

use crate::PatientRefusal;
use serde::{Deserialize, Serialize};

/// Which rule a member broke.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Rule {
    Required,
    Type,
    Min,
    Max,
    Enum,
    Pattern,
    Unknown,
    Cardinality,
    Duplicate,
    Reference,
    Immutable,
    Time,
    Syntax,
    Depth,
}

/// One thing wrong in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// JSONPath from the body, or `path.id`, `query.limit`, `header.if-match`.
    pub path: String,
    pub rule: Rule,
    pub message: String,
}

/// All that is wrong with one request, the first hundred in full.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub const MOST: usize = 100;

    pub fn add(&mut self, path: impl Into<String>, rule: Rule, message: impl Into<String>) {
        if self.0.len() < Self::MOST {
            self.0.push(Problem {
                path: path.into(),
                rule,
                message: message.into(),
            });
        }
    }

    /// What somebody else found, too.
    pub fn extend(&mut self, more: impl IntoIterator<Item = Problem>) {
        let room = Self::MOST.saturating_sub(self.0.len());
        self.0.extend(more.into_iter().take(room));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Nothing wrong, or the refusal that says what is.
    pub fn into_result(self) -> Result<(), Refusal> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(self.into())
        }
    }
}

/// Of what sort a refusal is; each dialect maps it to its own status and type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// Wrong whatever the state of the system.
    Invalid,
    /// A size or a number past its range.
    OutOfRange,
    /// Nothing is there.
    NotFound,
    /// The id or key is taken.
    AlreadyExists,
    /// The system is not in the state needed.
    FailedPrecondition,
    /// What is there, or how the server is run, stands against it.
    Conflict,
    /// `If-Match` or `If-None-Match` does not hold.
    ConditionFailed,
    /// A donor-search patient, or a search for one, is not in the state needed.
    Patient(PatientRefusal),
}

/// An expected failure, the caller's fault: never retried, told in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    pub kind: RefusalKind,
    pub message: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

impl Refusal {
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            problems: Vec::new(),
        }
    }

    pub fn problem(path: impl Into<String>, rule: Rule, message: impl Into<String>) -> Self {
        let mut problems = Problems::default();
        problems.add(path, rule, message);
        problems.into()
    }

    pub fn with_kind(self, kind: RefusalKind) -> Self {
        Self { kind, ..self }
    }

    /// What is wrong with two parts of one request.
    pub fn and(self, other: Self) -> Self {
        let mut problems = Problems(self.problems);
        for problem in other.problems {
            problems.add(problem.path, problem.rule, problem.message);
        }
        problems.into()
    }
}

impl From<Problems> for Refusal {
    fn from(problems: Problems) -> Self {
        let message = match problems.0.len() {
            1 => "The request has 1 problem.".to_owned(),
            n => format!("The request has {n} problems."),
        };
        Self {
            kind: RefusalKind::Invalid,
            message,
            problems: problems.0,
        }
    }
}
