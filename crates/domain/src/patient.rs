//! One person, known by three identifiers.

use crate::{Instant, PatientId, WorkspaceId};
use std::fmt;

/// The donor registry's number of a patient: made here, unique across all workspaces, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WmdaId(i64);

impl WmdaId {
    pub const LOWEST: i64 = 100_000;
    pub const HIGHEST: i64 = 2_147_483_647;

    pub fn parse(number: i64) -> Option<Self> {
        (Self::LOWEST..=Self::HIGHEST)
            .contains(&number)
            .then_some(Self(number))
    }

    /// Drawn over the whole range, so that a number tells nothing about its neighbours.
    /// `random` is uniform over `0..=u32::MAX`.
    pub fn drawn(random: u32) -> Self {
        let span = u64::try_from(Self::HIGHEST - Self::LOWEST + 1).unwrap_or(1);
        let offset = (u64::from(random) * span) >> 32;
        Self(Self::LOWEST + i64::try_from(offset).unwrap_or(0))
    }

    pub fn number(self) -> i64 {
        self.0
    }
}

/// The organisation's own identifier of a patient. Personal data: never printed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalPatientId(String);

impl LocalPatientId {
    pub const LONGEST: usize = 64;

    /// Visible ASCII, 1 to 64 characters.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=Self::LONGEST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LocalPatientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patient {
    pub id: PatientId,
    pub workspace: WorkspaceId,
    pub wmda_id: WmdaId,
    pub local_id: Option<LocalPatientId>,
    pub active: bool,
    /// Whether another dialect than that of donor searches holds it too: then it outlives its registrations.
    pub known_elsewhere: bool,
    pub created_at: Instant,
    /// Counted up by every change; the fence of the next one.
    pub revision: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_drawn_within_their_range() {
        assert_eq!(WmdaId::drawn(0).number(), WmdaId::LOWEST);
        assert_eq!(WmdaId::drawn(u32::MAX).number(), WmdaId::HIGHEST);
        assert!(WmdaId::parse(99_999).is_none());
    }

    #[test]
    fn a_local_id_never_prints() {
        let id = LocalPatientId::parse("98761234P").unwrap();
        assert_eq!(format!("{id:?}"), "…");
    }
}
