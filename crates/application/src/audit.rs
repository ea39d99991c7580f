//! Who did what: reading it, and noting the refusals that change nothing else.

use crate::refusals::Side;
use crate::{Application, Asker, Caller, Page, UseCaseError};
use caretrack_domain::{AuditEntry, AuditOutcome, KeyConflict, Refusal, RequestId, Rule, Scope};
use caretrack_ports::{Admission, Author, Changes};

const LIST: &str = "audit";
const ANONYMOUS: &str = "audit of nobody";

impl Application {
    /// Newest first, with the cursors that lead on from them; of the caller's workspace, or of callers who could
    /// not be told.
    pub async fn list_audit(
        &self,
        caller: &Caller,
        of_nobody: bool,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<(String, AuditEntry)>, UseCaseError> {
        caller.require(Scope::OpsRead)?;
        if of_nobody {
            caller.require_administrator()?;
        }
        let workspace = caller.who.workspace;
        let list = if of_nobody { ANONYMOUS } else { LIST };
        let positions = self.positions().await?;
        let before = cursor.map(|cursor| {
            let bad = || Refusal::problem("query.cursor", Rule::Type, "is not a cursor of this list");
            positions.read(list, workspace, cursor).ok_or_else(bad)
        });
        let before = before.transpose()?;
        let of = (!of_nobody).then_some(workspace);
        let entries = self.store.list_audit(of, before, limit + 1).await?;
        let shown = entries
            .into_iter()
            .map(|(number, entry)| (positions.show(list, workspace, number), entry));
        Ok(Page::of(shown.collect(), limit))
    }

    /// Notes that a write was refused. The refusal stands even if it cannot be noted.
    pub async fn note_refusal(&self, caller: &Caller, action: &str, target: &str) {
        self.note(caller.author(self.now()), action, target).await;
    }

    /// Notes that a caller may not; too many of these are only counted.
    pub async fn note_denial(&self, caller: &Caller, action: &str, target: &str) {
        let author = caller.author(self.now());
        self.note_access(Side::of(&caller.who), author, action, target)
            .await;
    }

    pub(crate) async fn note_access(&self, side: Side, author: Author, action: &str, target: &str) {
        if self.refusals.is_noted(side) {
            self.note(author, action, target).await;
        }
    }

    /// Notes how many refusals were only counted; to be asked for about once a minute.
    pub async fn note_counted_refusals(&self) {
        for (side, count) in self.refusals.take_counted() {
            let (workspace, actor, from) = match side {
                Side::Peer(network) => (None, None, format!(" from {network}")),
                Side::Actor(workspace, actor) => (Some(workspace), Some(actor), String::new()),
                Side::Others => (None, None, " from elsewhere".to_owned()),
            };
            let author = Author {
                workspace,
                actor,
                request_id: RequestId::generated(self.ids.id()),
                at: self.now(),
            };
            self.note(author, "access.count", &format!("{count} more{from}"))
                .await;
        }
    }

    async fn note(&self, author: Author, action: &str, target: &str) {
        let mut changes = Changes::by(author, Admission::Continuing);
        changes.audit(action, target, AuditOutcome::Refused);
        if let Err(error) = self.store.commit(changes).await {
            not_noted(action, &error);
        }
    }

    /// Passes `outcome` on, having noted it if it is a refusal that nobody was told before.
    pub(crate) async fn audited<T, Q: Asker<T>>(
        &self,
        asker: &Q,
        action: &str,
        target: &str,
        outcome: Result<Q::Answer, UseCaseError>,
    ) -> Result<Q::Answer, UseCaseError> {
        let caller = asker.caller();
        match &outcome {
            Err(_) if asker.keeping().is_some_and(|keeping| keeping.keyed.is_replayed()) => {}
            Err(UseCaseError::Refused(refusal)) => {
                let mut changes = Changes::by(caller.author(self.now()), Admission::Continuing);
                changes.audit(action, target, AuditOutcome::Refused);
                match self.conclude_refused(asker, changes, refusal).await {
                    Ok(None) => {}
                    Ok(Some(told_before)) => return Ok(told_before),
                    Err(other @ (UseCaseError::Refused(_) | UseCaseError::Key(_))) => return Err(other),
                    Err(error) => not_noted(action, &error),
                }
            }
            Err(UseCaseError::TaskRefused(_) | UseCaseError::Key(KeyConflict::Reused)) => {
                self.note_refusal(caller, action, target).await;
            }
            Err(UseCaseError::Forbidden(_)) => self.note_denial(caller, action, target).await,
            Ok(_)
            | Err(
                UseCaseError::Unauthenticated(_)
                | UseCaseError::RateLimited { .. }
                | UseCaseError::Key(KeyConflict::InFlight)
                | UseCaseError::Unavailable(_)
                | UseCaseError::Busy(_)
                | UseCaseError::Internal(_),
            ) => {}
        }
        outcome
    }
}

fn not_noted(action: &str, error: &(dyn std::error::Error + 'static)) {
    tracing::error!(error, action, "a refusal could not be noted in the audit log");
}
