//! The audit's chain: sealing what was written, and checking that it still is what was sealed.

use crate::Application;
use caretrack_domain::{AuditEntry, AuditSeal, Sealing};
use caretrack_ports::{Admission, AuditTrail, Changes, StoreError};
use std::collections::VecDeque;
use std::time::Duration;

const PAGE: usize = 2_000;
/// How many entries a seal is over at most, about.
const LARGEST_SEAL: i64 = 20_000;

impl Application {
    /// Seals what was written since the last seal, unless another server just has; says whether there is more.
    pub(crate) async fn seal_audit(&self, every: Duration) -> Result<bool, StoreError> {
        let last = self.store.last_seal().await?;
        let now = self.system_now();
        let is_full = |seal: &AuditSeal| seal.entries >= LARGEST_SEAL;
        if last
            .as_ref()
            .is_some_and(|seal| !is_full(seal) && now < seal.sealed_at + every / 2)
        {
            return Ok(false);
        }
        let mut sealing = Sealing::after(last.as_ref());
        let mut after = last.map_or(0, |seal| seal.upto);
        while sealing.entries() < LARGEST_SEAL {
            let page = self.store.read_audit(after, PAGE).await?;
            if page.entries.is_empty() {
                break;
            }
            for (number, entry) in &page.entries {
                sealing.add(*number, entry);
            }
            after = page.upto;
        }
        if sealing.entries() == 0 {
            return Ok(false);
        }
        let more = sealing.entries() >= LARGEST_SEAL;
        let mut changes = Changes::by(self.ourselves(), Admission::Continuing);
        changes.seal_audit(sealing.finish(now));
        match self.store.commit(changes).await {
            Ok(_) => Ok(more),
            // Another server was faster: the chain goes on from its seal.
            Err(StoreError::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// What a check of the chain came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditReport {
    pub sealed: u64,
    /// Entries that came after the last seal: nothing can be said of them yet.
    pub unsealed: u64,
    pub seals: u64,
    /// The last seal: whoever notes its hash elsewhere can tell later that nothing before it was rewritten.
    pub head: Option<AuditSeal>,
    /// The first hundred.
    pub problems: Vec<AuditProblem>,
}

/// Where the log is not what was sealed, between two numbers of entries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditProblem {
    #[error("an entry was changed, or entries were reordered, between {after} and {upto}")]
    Changed { after: i64, upto: i64 },
    #[error("{count} entries are missing between {after} and {upto}")]
    Missing { count: i64, after: i64, upto: i64 },
    #[error("{count} entries were inserted between {after} and {upto}")]
    Inserted { count: i64, after: i64, upto: i64 },
    #[error("the seals between number {after} and number {before} are missing")]
    MissingSeals { after: i64, before: i64 },
    #[error("what follows entry {after} cannot be read: {why}")]
    Unreadable { after: i64, why: String },
    #[error("no seal has the expected hash: the chain was rewritten, or cut off before it")]
    UnexpectedHead,
}

impl AuditReport {
    const MOST: usize = 100;

    fn note(&mut self, problem: AuditProblem) {
        if self.problems.len() < Self::MOST {
            self.problems.push(problem);
        }
    }
}

/// Walks along the chain, in bounded memory. `expected` is the hash of a seal that was noted earlier.
pub async fn verify_audit(
    trail: &dyn AuditTrail,
    expected: Option<[u8; 32]>,
) -> Result<AuditReport, StoreError> {
    let mut report = AuditReport::default();
    let mut entries = Entries {
        trail,
        page: VecDeque::new(),
        // No number below 1 was ever given: an entry that has one was not written here.
        after: i64::MIN,
    };
    let mut found = expected.is_none();
    let outcome = walk(trail, &mut entries, &mut report, |seal| {
        found |= Some(seal.hash) == expected;
    })
    .await;
    match outcome {
        Ok(()) => {}
        // It was readable when it was written.
        Err(StoreError::Corrupt(why)) => report.note(AuditProblem::Unreadable {
            after: entries.after,
            why: why.to_string(),
        }),
        Err(error) => return Err(error),
    }
    if !found {
        report.note(AuditProblem::UnexpectedHead);
    }
    Ok(report)
}

async fn walk(
    trail: &dyn AuditTrail,
    entries: &mut Entries<'_>,
    report: &mut AuditReport,
    mut passed: impl FnMut(&AuditSeal),
) -> Result<(), StoreError> {
    loop {
        let last = report.head.as_ref().map_or(0, |seal| seal.number);
        let seals = trail.list_seals(last, PAGE).await?;
        if seals.is_empty() {
            break;
        }
        for seal in seals {
            let previous = report.head.take();
            let (number, after) = previous.as_ref().map_or((0, 0), |seal| (seal.number, seal.upto));
            let mut sealing = Sealing::after(previous.as_ref());
            while let Some((number, entry)) = entries.next_upto(seal.upto).await? {
                sealing.add(number, &entry);
            }
            let actual = sealing.finish(seal.sealed_at);
            report.sealed += u64::try_from(actual.entries).unwrap_or(0);
            report.seals += 1;
            let (upto, count) = (seal.upto, seal.entries - actual.entries);
            if seal.number != number + 1 {
                report.note(AuditProblem::MissingSeals {
                    after: number,
                    before: seal.number,
                });
            } else if count > 0 {
                report.note(AuditProblem::Missing { count, after, upto });
            } else if count < 0 {
                let count = -count;
                report.note(AuditProblem::Inserted { count, after, upto });
            } else if actual != seal {
                report.note(AuditProblem::Changed { after, upto });
            }
            passed(&seal);
            report.head = Some(seal);
        }
    }
    while entries.next_upto(i64::MAX).await?.is_some() {
        report.unsealed += 1;
    }
    Ok(())
}

/// All entries, page by page.
struct Entries<'a> {
    trail: &'a dyn AuditTrail,
    page: VecDeque<(i64, AuditEntry)>,
    after: i64,
}

impl Entries<'_> {
    async fn next_upto(&mut self, upto: i64) -> Result<Option<(i64, AuditEntry)>, StoreError> {
        if self.page.is_empty() {
            self.page = self.trail.read_audit(self.after, PAGE).await?.entries.into();
        }
        if self.page.front().is_none_or(|(number, _)| *number > upto) {
            return Ok(None);
        }
        let next = self.page.pop_front();
        self.after = next.as_ref().map_or(self.after, |(number, _)| *number);
        Ok(next)
    }
}
