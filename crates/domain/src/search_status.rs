//! The search-status machine: where a registration for a donor search stands.
//!
//! Rows are states, columns are commands; a cell is the next state, a dot a refusal. A cell that is its own row
//! accepts without effect:
//!
//! ```text
#![doc = include_str!("search_status_transitions.txt")]
//! ```
//!
//! `ANO` is no status that anyone is shown: the patient is anonymised, and for the dialect no more there. Guards
//! stand before the machine: which reasons a client may give ([`StatusRequest`]), and whether time has come
//! ([`Registration::due`](crate::Registration::due)).

use crate::{ChangeReason, InvalidReason, PatientRefusal};
use serde::{Deserialize, Serialize};

/// The states.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "UPPERCASE")]
#[strum(serialize_all = "UPPERCASE")]
pub enum SearchStatus {
    /// Registered, nothing searched yet.
    New,
    /// A search was started.
    Pre,
    /// The searches are refreshed every day.
    Act,
    /// No more refreshed; results are kept.
    Sus,
    /// The search is over; results are gone.
    Stp,
    /// Anonymised.
    Ano,
}

/// What can be asked of the machine.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
)]
#[strum(serialize_all = "snake_case")]
pub enum StatusCommand {
    SetPre,
    SetAct,
    SetSus,
    SetStp,
    /// A search is started.
    StartSearch,
    /// Nothing was done for so long that it is over.
    Expire,
    /// It was over for so long that nobody needs to know who it was.
    Anonymise,
}

/// What else must happen in the commit of a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusEffect {
    WriteHistory,
    /// The counter of inactivity starts afresh.
    StartCounter,
    /// Searches are refreshed every day from the next slot on.
    StartRefresh,
    StopRefresh,
    /// Every search is terminated, its results are deleted.
    TerminateSearches,
    /// The time until it is anonymised starts.
    StartRetention,
    EndRetention,
    /// Who it was is forgotten.
    ForgetPerson,
}

/// Proof that a change of status was made by the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusTransition {
    from: SearchStatus,
    to: SearchStatus,
}

impl StatusTransition {
    pub fn from(self) -> SearchStatus {
        self.from
    }

    pub fn to(self) -> SearchStatus {
        self.to
    }

    pub fn is_change(self) -> bool {
        self.from != self.to
    }

    /// None without a change.
    pub fn effects(self) -> Vec<StatusEffect> {
        use SearchStatus::{Act, Ano, New, Pre, Stp, Sus};
        use StatusEffect as Effect;
        if !self.is_change() {
            return Vec::new();
        }
        let mut effects = match self.to {
            Ano => vec![Effect::ForgetPerson],
            Stp => vec![
                Effect::WriteHistory,
                Effect::TerminateSearches,
                Effect::StartRetention,
            ],
            New | Pre | Act | Sus => vec![Effect::WriteHistory, Effect::StartCounter],
        };
        match self.from {
            Act => effects.push(Effect::StopRefresh),
            Stp => effects.push(Effect::EndRetention),
            New | Pre | Sus | Ano => {}
        }
        if self.to == Act {
            effects.push(Effect::StartRefresh);
        }
        effects
    }
}

impl SearchStatus {
    /// Applies `command`; the only way to make a transition.
    pub fn apply(self, command: StatusCommand) -> Result<StatusTransition, PatientRefusal> {
        let to = match self {
            Self::New => Self::unsearched(command),
            Self::Pre => self.preliminary(command),
            Self::Act => self.active(command),
            Self::Sus => self.suspended(command),
            Self::Stp => self.stopped(command),
            Self::Ano => None,
        };
        match to {
            Some(to) => Ok(StatusTransition { from: self, to }),
            None => Err(self.refuse(command)),
        }
    }

    /// The states that a client may ask for now: each would be accepted.
    pub fn allowed(self) -> Vec<Self> {
        let asked = TargetStatus::ALL.map(StatusCommand::from);
        let accepted = asked.into_iter().filter_map(|command| self.apply(command).ok());
        accepted.map(StatusTransition::to).collect()
    }

    fn unsearched(command: StatusCommand) -> Option<Self> {
        match command {
            StatusCommand::StartSearch => Some(Self::Pre),
            StatusCommand::SetStp | StatusCommand::Expire => Some(Self::Stp),
            StatusCommand::SetPre
            | StatusCommand::SetAct
            | StatusCommand::SetSus
            | StatusCommand::Anonymise => None,
        }
    }

    fn preliminary(self, command: StatusCommand) -> Option<Self> {
        match command {
            StatusCommand::SetPre | StatusCommand::StartSearch => Some(self),
            StatusCommand::SetAct => Some(Self::Act),
            StatusCommand::SetSus => Some(Self::Sus),
            StatusCommand::SetStp | StatusCommand::Expire => Some(Self::Stp),
            StatusCommand::Anonymise => None,
        }
    }

    fn active(self, command: StatusCommand) -> Option<Self> {
        match command {
            StatusCommand::SetAct | StatusCommand::StartSearch => Some(self),
            StatusCommand::SetSus => Some(Self::Sus),
            StatusCommand::SetStp | StatusCommand::Expire => Some(Self::Stp),
            StatusCommand::SetPre | StatusCommand::Anonymise => None,
        }
    }

    fn suspended(self, command: StatusCommand) -> Option<Self> {
        match command {
            StatusCommand::SetSus | StatusCommand::StartSearch => Some(self),
            StatusCommand::SetAct => Some(Self::Act),
            StatusCommand::SetStp | StatusCommand::Expire => Some(Self::Stp),
            StatusCommand::SetPre | StatusCommand::Anonymise => None,
        }
    }

    fn stopped(self, command: StatusCommand) -> Option<Self> {
        match command {
            StatusCommand::SetAct => Some(Self::Act),
            StatusCommand::SetSus => Some(Self::Sus),
            StatusCommand::SetStp => Some(self),
            StatusCommand::Anonymise => Some(Self::Ano),
            StatusCommand::SetPre | StatusCommand::StartSearch | StatusCommand::Expire => None,
        }
    }

    fn refuse(self, command: StatusCommand) -> PatientRefusal {
        let refused = |to| PatientRefusal::TransitionRefused { from: self, to };
        match command {
            StatusCommand::SetPre => refused(Self::Pre),
            StatusCommand::SetAct => refused(Self::Act),
            StatusCommand::SetSus => refused(Self::Sus),
            StatusCommand::SetStp | StatusCommand::Expire => refused(Self::Stp),
            StatusCommand::Anonymise => refused(Self::Ano),
            StatusCommand::StartSearch => PatientRefusal::PatientStopped,
        }
    }
}

/// The states that a client can ask for at all.
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
pub enum TargetStatus {
    Pre,
    Act,
    Sus,
    Stp,
}

impl TargetStatus {
    pub const ALL: [Self; 4] = [Self::Pre, Self::Act, Self::Sus, Self::Stp];
}

impl From<TargetStatus> for StatusCommand {
    fn from(target: TargetStatus) -> Self {
        match target {
            TargetStatus::Pre => Self::SetPre,
            TargetStatus::Act => Self::SetAct,
            TargetStatus::Sus => Self::SetSus,
            TargetStatus::Stp => Self::SetStp,
        }
    }
}

/// A change of status as a client may ask for it: its reason is one that goes with the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusRequest {
    target: TargetStatus,
    reason: Option<ChangeReason>,
}

impl StatusRequest {
    pub fn new(target: TargetStatus, reason: Option<ChangeReason>) -> Result<Self, InvalidReason> {
        match (target, reason) {
            (_, Some(ChangeReason::Aut)) => Err(InvalidReason::OfTheSystem),
            (TargetStatus::Stp, None) => Err(InvalidReason::Missing),
            (TargetStatus::Stp, Some(reason)) if !reason.ends_a_search() => Err(InvalidReason::EndsNothing),
            (TargetStatus::Pre | TargetStatus::Act | TargetStatus::Sus | TargetStatus::Stp, reason) => {
                Ok(Self { target, reason })
            }
        }
    }

    pub fn target(self) -> TargetStatus {
        self.target
    }

    pub fn reason(self) -> Option<ChangeReason> {
        self.reason
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SearchStatus::{Act, Pre, Stp, Sus};
    use std::collections::BTreeMap;
    use std::str::FromStr;
    use strum::IntoEnumIterator;

    /// Every cell of the text table.
    fn cells() -> BTreeMap<(SearchStatus, StatusCommand), Option<SearchStatus>> {
        let table = include_str!("search_status_transitions.txt");
        let mut lines = table.lines().map(str::split_whitespace);
        let commands: Vec<_> = lines
            .next()
            .unwrap()
            .skip(1)
            .map(|word| StatusCommand::from_str(word).unwrap())
            .collect();
        assert_eq!(commands, StatusCommand::iter().collect::<Vec<_>>());
        let mut cells = BTreeMap::new();
        for mut row in lines {
            let from = SearchStatus::from_str(row.next().unwrap()).unwrap();
            for (command, cell) in commands.iter().zip(row) {
                let to = (cell != ".").then(|| SearchStatus::from_str(cell).unwrap());
                cells.insert((from, *command), to);
            }
        }
        assert_eq!(cells.len(), SearchStatus::iter().count() * commands.len());
        cells
    }

    #[test]
    fn the_machine_is_the_table() {
        for ((from, command), to) in cells() {
            let result = from.apply(command);
            assert_eq!(result.ok().map(StatusTransition::to), to, "{from} {command}");
            assert_eq!(
                result.is_ok_and(StatusTransition::is_change),
                to.is_some_and(|to| to != from)
            );
        }
    }

    #[test]
    fn a_refusal_names_where_it_stands_and_what_it_would_accept() {
        for ((from, command), to) in cells() {
            let target = TargetStatus::ALL
                .into_iter()
                .find(|target| command == (*target).into());
            if let (Some(target), None) = (target, to) {
                let refusal = from.apply(command).unwrap_err();
                let to = SearchStatus::from_str(target.into()).unwrap();
                assert_eq!(refusal, PatientRefusal::TransitionRefused { from, to });
                assert_eq!(refusal.current(), Some(from));
            }
        }
        assert_eq!(SearchStatus::New.allowed(), [Stp]);
        assert_eq!(Pre.allowed(), [Pre, Act, Sus, Stp]);
        assert_eq!(Act.allowed(), [Act, Sus, Stp]);
        assert_eq!(Sus.allowed(), [Act, Sus, Stp]);
        assert_eq!(Stp.allowed(), [Act, Sus, Stp]);
    }

    #[test]
    fn only_a_change_has_effects_and_only_a_stop_deletes() {
        for from in SearchStatus::iter() {
            for transition in StatusCommand::iter().filter_map(|command| from.apply(command).ok()) {
                let effects = transition.effects();
                let to = transition.to();
                let has = |effect| effects.contains(&effect);
                assert_eq!(effects.is_empty(), !transition.is_change());
                let stops = transition.is_change() && to == SearchStatus::Stp;
                assert_eq!(has(StatusEffect::TerminateSearches), stops, "{from} {to}");
                assert_eq!(has(StatusEffect::StartRetention), stops, "{from} {to}");
                assert_eq!(
                    has(StatusEffect::EndRetention),
                    from == SearchStatus::Stp && to != from
                );
                assert_eq!(
                    has(StatusEffect::StopRefresh),
                    from == SearchStatus::Act && to != from
                );
                assert_eq!(
                    has(StatusEffect::StartRefresh),
                    to == SearchStatus::Act && to != from
                );
                assert_eq!(
                    has(StatusEffect::WriteHistory),
                    transition.is_change() && to != SearchStatus::Ano
                );
            }
        }
    }

    #[test]
    fn nobody_is_stopped_without_a_reason_that_ends_a_search() {
        for reason in ChangeReason::iter() {
            for target in TargetStatus::ALL {
                let result = StatusRequest::new(target, Some(reason));
                let fits =
                    reason != ChangeReason::Aut && (target != TargetStatus::Stp || reason.ends_a_search());
                assert_eq!(result.is_ok(), fits, "{target} {reason}");
            }
        }
        assert_eq!(
            StatusRequest::new(TargetStatus::Stp, None),
            Err(InvalidReason::Missing)
        );
        assert!(StatusRequest::new(TargetStatus::Act, None).is_ok());
    }
}
