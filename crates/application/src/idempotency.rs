//! Asked twice, done once: writes under an `Idempotency-Key`.
//!
//! What is told of a write is made before it commits and is part of the same commit, so there is no moment in
//! which the one is there without the other. The store gives a key to one commit only; whoever loses finds the
//! winner's answer. A use case joins by taking an [`Asker`] instead of a [`Caller`], by doing what it does
//! within [`Application::once`], and by ending in [`Application::conclude`].

use crate::{Application, Caller, UseCaseError};
use caretrack_domain::{
    IdempotencyKey, Instant, KeptAnswer, KeptOutcome, KeyConflict, Refusal, RequestDigest,
    RequestFingerprint, WorkspaceId, etag,
};
use caretrack_ports::{Changes, Committed, IdempotencyRecord, StoreError};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use time::Duration;

/// How long a key stands for its request.
pub(crate) const LIFETIME: Duration = Duration::DAY;

/// A request that came under a key. Its body is told as it is read.
#[derive(Debug)]
pub struct Keyed {
    key: IdempotencyKey,
    digest: Mutex<RequestDigest>,
    replayed: AtomicBool,
}

impl Keyed {
    pub fn new(key: IdempotencyKey, digest: RequestDigest) -> Self {
        Self {
            key,
            digest: Mutex::new(digest),
            replayed: AtomicBool::new(false),
        }
    }

    pub fn body(&self, piece: &[u8]) {
        self.digest().body(piece);
    }

    /// Whether what is told was told before.
    pub fn is_replayed(&self) -> bool {
        self.replayed.load(Ordering::Relaxed)
    }

    fn fingerprint(&self, caller: &Caller) -> RequestFingerprint {
        self.digest().clone().by(&caller.who)
    }

    fn digest(&self) -> MutexGuard<'_, RequestDigest> {
        self.digest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who asks for a write of which `T` comes, and in what form it is told to them.
pub trait Asker<T> {
    type Answer;

    fn caller(&self) -> &Caller;

    fn tell(&self, outcome: T) -> Self::Answer;

    /// How an answer is kept and told again, if the request came under a key.
    fn keeping(&self) -> Option<Keeping<'_, T, Self::Answer>>;
}

pub struct Keeping<'a, T, A> {
    pub keyed: &'a Keyed,
    pub keep: Box<dyn Fn(&T) -> KeptAnswer + Send + Sync + 'a>,
    /// With the tag of the record it shows.
    pub again: fn(KeptAnswer, Option<String>) -> A,
}

/// Somebody in this process, who is told the outcome itself.
impl<T> Asker<T> for Caller {
    type Answer = T;

    fn caller(&self) -> &Caller {
        self
    }

    fn tell(&self, outcome: T) -> T {
        outcome
    }

    fn keeping(&self) -> Option<Keeping<'_, T, T>> {
        None
    }
}

/// What a commit comes to once it is there.
pub(crate) struct Conclusion<T> {
    pub outcome: T,
    /// Puts in what only the commit knows: the version of the first record it wrote.
    versioned: Option<fn(&mut T, WorkspaceId, i64)>,
    /// Told again instead of the answer, which may be seen only once.
    instead: Option<Refusal>,
}

impl<T> Conclusion<T> {
    pub fn of(outcome: T) -> Self {
        Self {
            outcome,
            versioned: None,
            instead: None,
        }
    }

    pub fn versioned(outcome: T, put_in: Option<fn(&mut T, WorkspaceId, i64)>) -> Self {
        Self {
            versioned: put_in,
            ..Self::of(outcome)
        }
    }

    pub fn told_once(outcome: T, instead: Refusal) -> Self {
        Self {
            instead: Some(instead),
            ..Self::of(outcome)
        }
    }
}

impl Application {
    /// Does `work`, unless it was done before. Whoever asks may do so: their scopes were checked.
    pub(crate) async fn once<T, Q: Asker<T>>(
        &self,
        asker: &Q,
        work: impl Future<Output = Result<Q::Answer, UseCaseError>>,
    ) -> Result<Q::Answer, UseCaseError> {
        let Some(keeping) = asker.keeping() else {
            return work.await;
        };
        let caller = asker.caller();
        let fingerprint = keeping.keyed.fingerprint(caller);
        let _turn = self
            .turns
            .take(caller.who.workspace, &keeping.keyed.key, fingerprint)?;
        match self.recall(caller, &keeping).await? {
            Some(answer) => Ok(answer),
            None => work.await,
        }
    }

    /// Commits, and tells what came of it; under a key, what is told is part of the commit.
    pub(crate) async fn conclude<T, Q: Asker<T>>(
        &self,
        asker: &Q,
        mut changes: Changes,
        conclusion: Conclusion<T>,
    ) -> Result<Q::Answer, UseCaseError> {
        let Conclusion {
            mut outcome,
            versioned,
            instead,
        } = conclusion;
        let caller = asker.caller();
        let workspace = caller.who.workspace;
        let Some(keeping) = asker.keeping() else {
            let committed = self.store.commit(changes).await?;
            if let Some(put_in) = versioned {
                put_in(&mut outcome, workspace, committed.version(0));
            }
            return Ok(asker.tell(outcome));
        };
        let answer = (keeping.keep)(&outcome);
        let kept = match instead {
            Some(refusal) => KeptOutcome::Refused(refusal),
            None => KeptOutcome::Answered(answer.clone()),
        };
        let shows_version = versioned.is_some();
        let at = self.system_now();
        changes.remember(record(caller, keeping.keyed, kept, shows_version, at));
        match self.store.commit(changes).await {
            Ok(Committed { first }) => {
                let tag = shows_version.then(|| etag(workspace, first));
                Ok((keeping.again)(answer, tag))
            }
            // Our key, unless it is another name that was taken.
            Err(error @ StoreError::Duplicate) => {
                let told_before = self.recall(caller, &keeping).await?;
                told_before.ok_or_else(|| error.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Commits what notes a refusal, which is kept like an answer; somebody else may have been told one.
    pub(crate) async fn conclude_refused<T, Q: Asker<T>>(
        &self,
        asker: &Q,
        mut changes: Changes,
        refusal: &Refusal,
    ) -> Result<Option<Q::Answer>, UseCaseError> {
        let caller = asker.caller();
        let keeping = asker.keeping();
        if let Some(keeping) = &keeping {
            let kept = KeptOutcome::Refused(refusal.clone());
            let at = self.system_now();
            changes.remember(record(caller, keeping.keyed, kept, false, at));
        }
        match (self.store.commit(changes).await, keeping) {
            (Ok(_), _) => Ok(None),
            (Err(StoreError::Duplicate), Some(keeping)) => self.recall(caller, &keeping).await,
            (Err(error), _) => Err(error.into()),
        }
    }

    /// What was told to this request before.
    async fn recall<T, A>(
        &self,
        caller: &Caller,
        keeping: &Keeping<'_, T, A>,
    ) -> Result<Option<A>, UseCaseError> {
        let workspace = caller.who.workspace;
        let keyed = keeping.keyed;
        let found = self.store.find_remembered(workspace, &keyed.key).await?;
        let Some(found) = found.filter(|found| found.expires_at > self.system_now()) else {
            return Ok(None);
        };
        if found.fingerprint != keyed.fingerprint(caller) {
            return Err(KeyConflict::Reused.into());
        }
        keyed.replayed.store(true, Ordering::Relaxed);
        match found.outcome {
            KeptOutcome::Refused(refusal) => Err(refusal.into()),
            KeptOutcome::Answered(answer) => {
                let tag = found.version.map(|version| etag(workspace, version));
                Ok(Some((keeping.again)(answer, tag)))
            }
        }
    }
}

fn record(
    caller: &Caller,
    keyed: &Keyed,
    outcome: KeptOutcome,
    shows_version: bool,
    at: Instant,
) -> IdempotencyRecord {
    IdempotencyRecord {
        workspace: caller.who.workspace,
        key: keyed.key.clone(),
        fingerprint: keyed.fingerprint(caller),
        outcome,
        shows_version,
        made_at: at,
        expires_at: at + LIFETIME,
    }
}

/// The keys of the requests that are under way in this process: a second one is told so at once. Between
/// servers it is the commit that tells.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<(WorkspaceId, IdempotencyKey), RequestFingerprint>>);

impl Turns {
    fn take(
        &self,
        workspace: WorkspaceId,
        key: &IdempotencyKey,
        fingerprint: RequestFingerprint,
    ) -> Result<Turn<'_>, KeyConflict> {
        let of = (workspace, key.clone());
        let mut under_way = self.lock();
        match under_way.get(&of) {
            Some(other) if *other == fingerprint => Err(KeyConflict::InFlight),
            Some(_) => Err(KeyConflict::Reused),
            None => {
                under_way.insert(of.clone(), fingerprint);
                Ok(Turn { turns: self, of })
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(WorkspaceId, IdempotencyKey), RequestFingerprint>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Over when its request is, however that ends.
struct Turn<'a> {
    turns: &'a Turns,
    of: (WorkspaceId, IdempotencyKey),
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.lock().remove(&self.of);
    }
}
