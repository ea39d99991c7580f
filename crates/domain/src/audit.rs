//! Who did what, when, in which request, and how it ended; and the seals that keep it as it was written.
//!
//! Entries are written in the commit they tell of. Later, and in batches, they are *sealed*: a seal holds the
//! hash over the seal before it and over every entry since then, in order, so that changing, removing,
//! inserting or reordering any of them changes every hash from there on.

use crate::{Actor, Instant, RequestId, WorkspaceId};
use sha2::{Digest, Sha256};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    pub at: Instant,
    /// Absent when the caller could not be told.
    pub workspace: Option<WorkspaceId>,
    pub actor: Option<Actor>,
    pub request_id: RequestId,
    /// `resource.put`, `credential.revoke`, ...: an aggregate and a verb.
    pub action: String,
    /// What it was done to; ids only, never personal data.
    pub target: String,
    pub outcome: AuditOutcome,
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
#[strum(serialize_all = "snake_case")]
pub enum AuditOutcome {
    /// Taken on, to be carried out later.
    Accepted,
    Done,
    /// Expected, the caller's fault.
    Refused,
    Cancelled,
    /// A system fault that outlived the retries.
    Broken,
}

/// A link of the chain: nothing up to its last entry can change any more without being noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSeal {
    /// 1, 2, 3, ... without a gap.
    pub number: i64,
    /// The number of the last entry sealed.
    pub upto: i64,
    /// How many entries it seals.
    pub entries: i64,
    pub hash: [u8; 32],
    pub sealed_at: Instant,
}

/// A seal in the making.
#[derive(Debug, Clone)]
pub struct Sealing {
    number: i64,
    upto: i64,
    entries: i64,
    hash: Sha256,
}

impl Sealing {
    /// The next one after `previous`; the first one without.
    pub fn after(previous: Option<&AuditSeal>) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"caretrack audit 1\n");
        hash.update(previous.map_or([0; 32], |seal| seal.hash));
        Self {
            number: previous.map_or(1, |seal| seal.number + 1),
            upto: previous.map_or(0, |seal| seal.upto),
            entries: 0,
            hash,
        }
    }

    pub fn entries(&self) -> i64 {
        self.entries
    }

    /// Adds the entry with that number, the next one in their order.
    pub fn add(&mut self, number: i64, entry: &AuditEntry) {
        self.hash.update(number.to_be_bytes());
        self.hash.update(entry.at.unix_timestamp_nanos().to_be_bytes());
        let workspace = entry.workspace.map(|id| id.0.to_string());
        let (actor, client) = match &entry.actor {
            None => (None, None),
            Some(Actor::Credential(id)) => (Some(id.0.to_string()), None),
            Some(Actor::Token(subject)) => {
                (Some(format!("token {}", subject.sub)), subject.client_id.clone())
            }
        };
        let texts = [
            workspace.as_deref(),
            actor.as_deref(),
            client.as_deref(),
            Some(entry.request_id.as_str()),
            Some(&entry.action),
            Some(&entry.target),
            Some(entry.outcome.into()),
        ];
        for text in texts {
            // No text is as long as one that is not there.
            let length = text.map_or(u64::MAX, |text| text.len() as u64);
            self.hash.update(length.to_be_bytes());
            self.hash.update(text.unwrap_or_default());
        }
        self.upto = number;
        self.entries += 1;
    }

    pub fn finish(mut self, sealed_at: Instant) -> AuditSeal {
        let Self {
            number,
            upto,
            entries,
            ..
        } = self;
        self.hash.update(b"\nseal");
        for figure in [number, upto, entries] {
            self.hash.update(figure.to_be_bytes());
        }
        self.hash.update(sealed_at.unix_timestamp_nanos().to_be_bytes());
        AuditSeal {
            number,
            upto,
            entries,
            hash: self.hash.finalize().into(),
            sealed_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CredentialId;
    use time::macros::datetime;
    use uuid::Uuid;

    type Log = Vec<(i64, AuditEntry)>;

    const NOW: Instant = datetime!(2026-03-02 09:15 UTC);

    fn entry(target: &str) -> AuditEntry {
        AuditEntry {
            at: NOW,
            workspace: Some(WorkspaceId(Uuid::from_u128(1))),
            actor: None,
            request_id: RequestId::generated(Uuid::from_u128(2)),
            action: "resource.upsert".to_owned(),
            target: target.to_owned(),
            outcome: AuditOutcome::Done,
        }
    }

    fn seal(previous: Option<&AuditSeal>, entries: &[(i64, AuditEntry)]) -> AuditSeal {
        let mut sealing = Sealing::after(previous);
        for (number, entry) in entries {
            sealing.add(*number, entry);
        }
        sealing.finish(NOW)
    }

    #[test]
    fn every_member_and_the_order_count() {
        let written = vec![(1, entry("a")), (2, entry("b")), (4, entry("c"))];
        let sealed = seal(None, &written);
        assert_eq!((sealed.number, sealed.upto, sealed.entries), (1, 4, 3));
        assert_eq!(seal(None, &written), sealed);
        let changes: [fn(&mut Log); 11] = [
            |log| log.swap(0, 1),
            |log| drop(log.remove(1)),
            |log| log.insert(2, (3, entry("x"))),
            |log| log[0].0 = 0,
            |log| log[0].1.at += time::Duration::MICROSECOND,
            |log| log[0].1.workspace = None,
            |log| log[0].1.actor = Some(Actor::Credential(CredentialId(Uuid::from_u128(3)))),
            |log| log[0].1.request_id = RequestId::generated(Uuid::from_u128(4)),
            |log| log[0].1.action = "resource.delete".to_owned(),
            |log| log[0].1.target = String::new(),
            |log| log[0].1.outcome = AuditOutcome::Refused,
        ];
        for (n, change) in changes.into_iter().enumerate() {
            let mut log = written.clone();
            change(&mut log);
            assert_ne!(seal(None, &log).hash, sealed.hash, "change {n}");
        }
        // A text does not run over into the next one.
        let mut moved = written.clone();
        moved[0].1.action = "resource.upserta".to_owned();
        moved[0].1.target = String::new();
        assert_ne!(seal(None, &moved).hash, sealed.hash);
    }

    #[test]
    fn a_seal_depends_on_all_before_it() {
        let first = seal(None, &[(1, entry("a"))]);
        let other = seal(None, &[(1, entry("b"))]);
        let next = |first| seal(Some(first), &[(2, entry("c"))]);
        assert_eq!((next(&first).number, next(&first).upto), (2, 2));
        assert_ne!(next(&first).hash, next(&other).hash);
        let later = AuditSeal {
            sealed_at: NOW + time::Duration::SECOND,
            ..first.clone()
        };
        assert_ne!(
            Sealing::after(None).finish(later.sealed_at).hash,
            Sealing::after(None).finish(NOW).hash
        );
    }
}
