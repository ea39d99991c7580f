//! What stands against a request about a donor-search patient or one of its searches.

use crate::{Refusal, RefusalKind, SearchStatus};
use serde::{Deserialize, Serialize};

/// Each dialect shows it by its own code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatientRefusal {
    TransitionRefused {
        from: SearchStatus,
        to: SearchStatus,
    },
    /// A stopped patient is neither changed nor searched for.
    PatientStopped,
    /// Another patient of the workspace has it, and is not stopped.
    PatientIdInUse,
    /// There is one already, and it is another.
    PatientIdAlreadySet,
    /// There are no results yet.
    SearchNotCompleted,
    /// There are no results any more.
    ResultsDeleted,
    /// It takes no more results.
    SearchTerminated,
}

impl PatientRefusal {
    /// The status that stands against it, if one does.
    pub fn current(self) -> Option<SearchStatus> {
        match self {
            Self::TransitionRefused { from, .. } => Some(from),
            Self::PatientStopped => Some(SearchStatus::Stp),
            Self::PatientIdInUse
            | Self::PatientIdAlreadySet
            | Self::SearchNotCompleted
            | Self::ResultsDeleted
            | Self::SearchTerminated => None,
        }
    }

    fn message(self) -> String {
        match self {
            Self::TransitionRefused { from, to } => {
                return format!("From {from} a patient cannot go to {to}.");
            }
            Self::PatientStopped => "The search for this patient is stopped.",
            Self::PatientIdInUse => "Another patient has this patientId.",
            Self::PatientIdAlreadySet => "The patient has another patientId already.",
            Self::SearchNotCompleted => "The search has not been completed yet.",
            Self::ResultsDeleted => "The results were deleted when the search for the patient was stopped.",
            Self::SearchTerminated => "The search is terminated.",
        }
        .to_owned()
    }
}

impl From<PatientRefusal> for Refusal {
    fn from(refusal: PatientRefusal) -> Self {
        Self::new(RefusalKind::Patient(refusal), refusal.message())
    }
}
