//! What is done for donor-search patients by tasks: searches run and refreshed, stopped patients, forgotten ones.
//!
//! Each looks again whether it is still due: what was done by somebody else, or is not due any more, is left undone,
//! and the task ends as cancelled.

use super::Fault;
use crate::order::Undecodable;
use crate::{Application, UseCaseError};
use caretrack_domain::{
    AuditOutcome, ChangeReason, Due, Instant, LeaseToken, LocalPatientId, Mover, Operation, Receipt,
    Registration, Search, SearchId, Settled, StatusCommand, TargetKind, Task, TaskCommand, TaskKind, WmdaId,
};
use caretrack_ports::{Admission, Author, Changes, Matching, ResultsWrite, SearchWrite, StoreError};

/// What a task is about, as it is now.
pub(super) struct Seen<'a> {
    operation: &'a Operation,
    registration: Option<Registration>,
    /// Those that are not terminated; of a task about one search, that one.
    searches: Vec<Search>,
}

/// Whether something was done.
type Done = bool;

impl Application {
    pub(super) async fn look_at_patient<'a>(
        &self,
        task: &Task,
        operations: &'a [Operation],
    ) -> Result<Seen<'a>, Fault> {
        let workspace = task.facts().workspace;
        let operation = operations.first().ok_or_else(Undecodable::nothing)?;
        let id: i64 = operation.target.id.parse().map_err(|_| Undecodable::nothing())?;
        let (wmda_id, mut searches) = match operation.target.kind {
            TargetKind::Patient => {
                let wmda_id = WmdaId::parse(id).ok_or_else(Undecodable::nothing)?;
                (wmda_id, self.store.searches_of(workspace, &[wmda_id]).await?)
            }
            TargetKind::Search => {
                let id = SearchId::parse(id).ok_or_else(Undecodable::nothing)?;
                let found = self.store.find_search(workspace, id).await?;
                let search = found.ok_or_else(Undecodable::nothing)?;
                (search.wmda_id, vec![search])
            }
            TargetKind::Resource | TargetKind::Relationship | TargetKind::Webhook => {
                return Err(Undecodable::nothing().into());
            }
        };
        searches.retain(|search| !search.terminated);
        Ok(Seen {
            operation,
            registration: self.store.find_registration(workspace, wmda_id).await?,
            searches,
        })
    }

    pub(super) async fn carry_out_for_patient(
        &self,
        task: &Task,
        token: LeaseToken,
        seen: Seen<'_>,
        now: Instant,
    ) -> Result<Changes, Fault> {
        let mut changes = Changes::by(Author::of_task(task.facts(), now), Admission::Continuing);
        let done = match (task.facts().kind, &seen.registration) {
            (TaskKind::SearchRun, _) => self.run_searches(&mut changes, &seen.searches, now).await,
            (TaskKind::SearchTimeout, _) => time_out(&mut changes, &seen.searches, now),
            (TaskKind::SearchRefresh, Some(registration)) => {
                !registration.is_stopped() && self.refresh(&mut changes, &seen.searches, now).await
            }
            (kind, Some(registration)) => {
                self.do_what_is_due(&mut changes, kind, registration, &seen.searches, now)
                    .await?
            }
            (_, None) => false,
        };
        let (receipt, outcome) = if done {
            (Receipt::Succeeded { at: now }, AuditOutcome::Done)
        } else {
            (Receipt::Cancelled { at: now }, AuditOutcome::Cancelled)
        };
        let settled = Settled::one(&receipt);
        let command = if done {
            TaskCommand::Complete { token, settled }
        } else {
            TaskCommand::Stop { token, settled }
        };
        let target = &seen.operation.target.id;
        changes.audit(&task.facts().kind.to_string(), target.clone(), outcome);
        changes.record_receipt(task.id(), seen.operation.clone().settled(receipt));
        changes.record_task(task.clone().apply(command, now)?);
        Ok(changes)
    }

    async fn do_what_is_due(
        &self,
        changes: &mut Changes,
        kind: TaskKind,
        before: &Registration,
        searches: &[Search],
        now: Instant,
    ) -> Result<Done, Fault> {
        match (kind, before.due(now)) {
            (TaskKind::PatientStop, Some(Due::Stop)) => {
                let reason = Some(ChangeReason::Aut);
                // Due only where the machine allows it.
                let Ok(change) = before.apply(StatusCommand::Expire, reason, Mover::SYSTEM, now) else {
                    return Ok(false);
                };
                if let Some(entry) = change.entry {
                    changes.record_status(entry);
                }
                self.terminate_searches(changes, before, now).await?;
                changes.expire_registration(before, change.after);
                Ok(true)
            }
            (TaskKind::SearchRefreshDaily, Some(Due::Refresh)) => {
                self.refresh(changes, searches, now).await;
                changes.keep_registration(Some(before), before.refreshed(now));
                Ok(true)
            }
            (TaskKind::PatientAnonymise, Some(Due::Anonymisation)) => {
                self.anonymise(changes, before, now).await
            }
            (_, Some(_) | None) => {
                // Whatever is due next is to be looked for again.
                if before.handed_over.is_some() {
                    changes.keep_registration(Some(before), before.revised());
                }
                Ok(false)
            }
        }
    }

    /// The patient becomes nobody that anyone could name.
    async fn anonymise(
        &self,
        changes: &mut Changes,
        before: &Registration,
        now: Instant,
    ) -> Result<Done, Fault> {
        let Ok(change) = before.apply(StatusCommand::Anonymise, None, Mover::SYSTEM, now) else {
            return Ok(false);
        };
        let mut after = change.after;
        let random = self.nobody()?;
        let person = self.person_for(
            changes,
            before.workspace,
            (before.wmda_id, Some(before)),
            Some(random),
            now,
        );
        after.patient = person.await.map_err(fault)?;
        for search in self
            .store
            .searches_of(before.workspace, &[before.wmda_id])
            .await?
        {
            changes.put_search(SearchWrite {
                expected: Some(search.revision),
                after: search.anonymised(),
                results: ResultsWrite::Keep,
            });
        }
        changes.put_registration(Some(before), after);
        Ok(true)
    }

    /// An identifier that says nothing.
    fn nobody(&self) -> Result<LocalPatientId, Undecodable> {
        let random = hex::encode(&self.ids.secret()[..8]);
        LocalPatientId::parse(&random).ok_or_else(Undecodable::nothing)
    }

    /// First runs of those that were not delivered to yet.
    async fn run_searches(&self, changes: &mut Changes, searches: &[Search], now: Instant) -> Done {
        let mut done = false;
        for search in searches {
            match self.engine.run(search).await {
                Matching::Nothing => {
                    if let Some(after) = search.run_without_engine(now) {
                        keep(changes, search, after);
                        done = true;
                    }
                }
                Matching::Awaited => {
                    changes.request_search(search);
                    changes.insert_task(self.timeout_task(search, now));
                    done = true;
                }
            }
        }
        done
    }

    async fn refresh(&self, changes: &mut Changes, searches: &[Search], now: Instant) -> Done {
        for search in searches {
            match self.engine.run(search).await {
                Matching::Nothing => {
                    if let Some(after) = search.refreshed_without_engine(now) {
                        keep(changes, search, after);
                    }
                }
                Matching::Awaited => changes.request_search(search),
            }
        }
        true
    }
}

fn time_out(changes: &mut Changes, searches: &[Search], now: Instant) -> Done {
    let mut done = false;
    for search in searches {
        if let Some(after) = search.timed_out(now) {
            keep(changes, search, after);
            done = true;
        }
    }
    done
}

/// Changes a search, not what it found.
fn keep(changes: &mut Changes, before: &Search, after: Search) {
    changes.put_search(SearchWrite {
        expected: Some(before.revision),
        after,
        results: ResultsWrite::Keep,
    });
}

/// A refusal cannot be: nobody has an identifier that was made at random.
fn fault(error: UseCaseError) -> Fault {
    match error {
        UseCaseError::Unavailable(error) | UseCaseError::Internal(error) => Fault::Store(error),
        UseCaseError::Refused(_)
        | UseCaseError::TaskRefused(_)
        | UseCaseError::Key(_)
        | UseCaseError::Unauthenticated(_)
        | UseCaseError::RateLimited { .. }
        | UseCaseError::Forbidden(_)
        | UseCaseError::Busy(_) => Fault::Store(StoreError::Conflict),
    }
}
