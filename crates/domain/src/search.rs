//! One search for a patient: its request, how it stands, and what it found in numbers.

use crate::search_results::{Delivered, ResultList};
use crate::{Instant, Locus, PatientRefusal, WmdaId, WorkspaceId};
use serde::{Deserialize, Serialize};
use std::ops::{Index, IndexMut};

/// The number of a search: made here, unique across all workspaces, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SearchId(i64);

impl SearchId {
    pub const LOWEST: i64 = 1;
    pub const HIGHEST: i64 = 2_147_483_647;

    pub fn parse(number: i64) -> Option<Self> {
        (Self::LOWEST..=Self::HIGHEST)
            .contains(&number)
            .then_some(Self(number))
    }

    /// Drawn over the whole range. `random` is uniform over `0..=u32::MAX`.
    pub fn drawn(random: u32) -> Self {
        Self((i64::from(random) >> 1).max(Self::LOWEST))
    }

    pub fn number(self) -> i64 {
        self.0
    }
}

/// The engines that the dialect knows, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::EnumIter)]
#[serde(rename_all = "snake_case")]
pub enum SearchEngine {
    HapE,
    Atlas,
}

impl SearchEngine {
    pub fn parse(number: i64) -> Option<Self> {
        <Self as strum::IntoEnumIterator>::iter().find(|engine| engine.number() == number)
    }

    pub fn number(self) -> i64 {
        match self {
            Self::HapE => 2,
            Self::Atlas => 3,
        }
    }
}

/// What is searched for.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
)]
pub enum SearchType {
    /// Donors.
    DR,
    /// Cord blood.
    CB,
}

/// What is asked of the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchRequest {
    pub engine: SearchEngine,
    pub kind: SearchType,
    pub overall_mismatches: u8,
    pub loci: Vec<Locus>,
    pub is_cbu_ab_low_drb1_high_resolution: bool,
    pub search_only_own_ion: bool,
}

impl SearchRequest {
    pub const MOST_MISMATCHES: u8 = 7;
}

/// A search as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSearch {
    pub wmda_id: WmdaId,
    pub engine: SearchEngine,
    pub kind: SearchType,
    pub overall_mismatches: u8,
    /// Unless told, the usual ones that are typed.
    pub loci: Option<Vec<Locus>>,
    pub is_cbu_ab_low_drb1_high_resolution: bool,
    pub search_only_own_ion: bool,
}

#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "UPPERCASE")]
pub enum RunStatus {
    Started,
    Completed,
    Failed,
}

/// Why a run came to nothing; an engine's own words, or ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchError {
    pub code: String,
    pub message: String,
}

impl SearchError {
    fn ours(code: &str, message: &str) -> Self {
        Self {
            code: code.to_owned(),
            message: message.to_owned(),
        }
    }

    fn terminated() -> Self {
        Self::ours("terminated", "The search for the patient was stopped.")
    }

    fn engine_timeout() -> Self {
        Self::ours("engineTimeout", "The match engine did not answer in time.")
    }
}

/// How many there are, by list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts([u32; ResultList::COUNT]);

impl Index<ResultList> for Counts {
    type Output = u32;

    fn index(&self, list: ResultList) -> &u32 {
        &self.0[list as usize]
    }
}

impl IndexMut<ResultList> for Counts {
    fn index_mut(&mut self, list: ResultList) -> &mut u32 {
        &mut self.0[list as usize]
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    pub id: SearchId,
    pub workspace: WorkspaceId,
    pub wmda_id: WmdaId,
    /// Gone once the patient is anonymised.
    pub request: Option<SearchRequest>,
    pub status: RunStatus,
    /// Why it failed, if it did.
    pub error: Option<SearchError>,
    /// Whether it was ever completed: whether there are results, or were until it was terminated.
    pub completed: bool,
    /// No later run, refresh or delivery.
    pub terminated: bool,
    /// Without those that are no longer found; they outlive the results.
    pub statistics: Counts,
    /// With those.
    pub listed: Counts,
    /// The engine's own words.
    pub summary_text: Option<String>,
    pub inexplicable: Option<i64>,
    pub started_at: Instant,
    /// The end of the last run or refresh, else the start.
    pub last_updated: Instant,
    /// Counted up by every change; the fence of the next one.
    pub revision: i64,
}

impl Search {
    /// How long an engine may take for a first run.
    pub const PATIENCE: time::Duration = time::Duration::hours(24);

    pub fn started(
        id: SearchId,
        workspace: WorkspaceId,
        wmda_id: WmdaId,
        request: SearchRequest,
        now: Instant,
    ) -> Self {
        Self {
            id,
            workspace,
            wmda_id,
            request: Some(request),
            status: RunStatus::Started,
            error: None,
            completed: false,
            terminated: false,
            statistics: Counts::default(),
            listed: Counts::default(),
            summary_text: None,
            inexplicable: None,
            started_at: now,
            last_updated: now,
            revision: 0,
        }
    }

    /// What the summary says: the engine's words, else the numbers; nothing before there are any.
    pub fn summary(&self) -> Option<String> {
        let numbers = || {
            let donors = self.statistics[ResultList::Donors];
            let units = self.statistics[ResultList::Cbus];
            let s = |n: u32| if n == 1 { "" } else { "s" };
            format!("{donors} donor{}, {units} cord blood unit{}", s(donors), s(units))
        };
        self.completed
            .then(|| self.summary_text.clone().unwrap_or_else(numbers))
    }

    /// Whether there are results to be read.
    pub fn readable(&self) -> Result<(), PatientRefusal> {
        if self.terminated {
            Err(PatientRefusal::ResultsDeleted)
        } else if self.completed {
            Ok(())
        } else {
            Err(PatientRefusal::SearchNotCompleted)
        }
    }

    /// An engine delivered; `statistics` and `listed` are those of the results as they are then.
    pub fn delivered(
        &self,
        delivered: &Delivered,
        (statistics, listed): (Counts, Counts),
        now: Instant,
    ) -> Result<Self, PatientRefusal> {
        Ok(Self {
            status: RunStatus::Completed,
            error: None,
            completed: true,
            statistics,
            listed,
            summary_text: delivered.summary_text.clone(),
            inexplicable: delivered.inexplicable,
            last_updated: now.max(self.last_updated),
            ..self.open()?
        })
    }

    /// An engine failed: earlier results stay.
    pub fn failed(&self, error: SearchError, now: Instant) -> Result<Self, PatientRefusal> {
        Ok(Self {
            status: RunStatus::Failed,
            error: Some(error),
            last_updated: now.max(self.last_updated),
            ..self.open()?
        })
    }

    /// There is no engine: nothing is found by a run, and nothing else by a refresh.
    pub fn run_without_engine(&self, now: Instant) -> Option<Self> {
        let open = self.open().ok()?;
        let (status, completed) = match self.status {
            RunStatus::Started => (RunStatus::Completed, true),
            RunStatus::Completed | RunStatus::Failed => return None,
        };
        Some(Self {
            status,
            completed,
            last_updated: now.max(self.last_updated),
            ..open
        })
    }

    pub fn refreshed_without_engine(&self, now: Instant) -> Option<Self> {
        let open = self.open().ok()?;
        Some(Self {
            last_updated: now.max(self.last_updated),
            ..open
        })
    }

    /// The first run took too long, unless it has ended.
    pub fn timed_out(&self, now: Instant) -> Option<Self> {
        match self.status {
            RunStatus::Started => self.failed(SearchError::engine_timeout(), now).ok(),
            RunStatus::Completed | RunStatus::Failed => None,
        }
    }

    /// The search for the patient was stopped. None if it was before.
    pub fn terminate(&self, now: Instant) -> Option<Self> {
        let open = self.open().ok()?;
        let after = match self.status {
            RunStatus::Started => Self {
                status: RunStatus::Failed,
                error: Some(SearchError::terminated()),
                last_updated: now.max(self.last_updated),
                ..open
            },
            RunStatus::Completed | RunStatus::Failed => open,
        };
        Some(Self {
            terminated: true,
            listed: Counts::default(),
            ..after
        })
    }

    /// Bare counts are left.
    pub fn anonymised(&self) -> Self {
        Self {
            request: None,
            error: None,
            summary_text: None,
            inexplicable: None,
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    /// About to be changed.
    fn open(&self) -> Result<Self, PatientRefusal> {
        if self.terminated {
            return Err(PatientRefusal::SearchTerminated);
        }
        Ok(Self {
            revision: self.revision + 1,
            ..self.clone()
        })
    }
}

#[cfg(test)]
#[path = "search/tests.rs"]
mod tests;
