//! Why a search status was changed: the codes of the EMDIS field REASON_CHNG, and one of the system's own.

use serde::{Deserialize, Serialize};

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
pub enum ChangeReason {
    /// Autologous transplant.
    Atx,
    /// Marrow transplant, unrelated donor.
    Umt,
    /// Cord blood transplant, unrelated unit.
    Uct,
    /// Peripheral blood stem cells, unrelated donor.
    Upt,
    /// Condition worse, e.g. relapse.
    Bcc,
    /// Responds to another therapy.
    Pat,
    /// Indication changed, e.g. wrong diagnosis.
    Ich,
    /// No suitable donor found.
    Ndf,
    /// Send a new match list.
    Nml,
    Oth,
    /// Marrow transplant, related donor.
    Rmt,
    /// Cord blood transplant, related unit.
    Rct,
    /// Peripheral blood stem cells, related donor.
    Rpt,
    /// Condition good, e.g. remission.
    Gcc,
    /// Died before transplant.
    Pdc,
    /// Withdrew for personal reasons.
    Ppr,
    /// Another or better donor found.
    Fnd,
    /// Send a new phenotype list.
    Nph,
    /// Send new phenotype and match lists.
    Rcm,
    Unk,
    /// Stopped automatically after 42 days without activity: set by the system only.
    Aut,
}

impl ChangeReason {
    /// Whether a client may stop a search for it. Those that ask a partner for lists say nothing about why a search
    /// ended.
    pub fn ends_a_search(self) -> bool {
        match self {
            Self::Nph | Self::Nml | Self::Rcm | Self::Aut => false,
            Self::Atx
            | Self::Umt
            | Self::Uct
            | Self::Upt
            | Self::Bcc
            | Self::Pat
            | Self::Ich
            | Self::Ndf
            | Self::Oth
            | Self::Rmt
            | Self::Rct
            | Self::Rpt
            | Self::Gcc
            | Self::Pdc
            | Self::Ppr
            | Self::Fnd
            | Self::Unk => true,
        }
    }
}

/// Why a client's reason does not go with what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReason {
    #[error("is required with STP")]
    Missing,
    #[error("does not say why a search ended")]
    EndsNothing,
    #[error("is set by the system only")]
    OfTheSystem,
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::IntoEnumIterator;

    #[test]
    fn there_are_21_codes_of_3_letters_and_17_that_end_a_search() {
        let codes: Vec<String> = ChangeReason::iter().map(|reason| reason.to_string()).collect();
        assert!(
            codes
                .iter()
                .all(|code| code.len() == 3 && *code == code.to_uppercase())
        );
        assert_eq!(codes.len(), 21);
        assert_eq!(
            ChangeReason::iter()
                .filter(|reason| reason.ends_a_search())
                .count(),
            17
        );
        assert!("fnd".parse::<ChangeReason>().is_err());
    }
}
