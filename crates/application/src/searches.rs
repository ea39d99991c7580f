//! Searches for a patient: started, refreshed, delivered to, read.

use crate::error::until_settled;
use crate::idempotency::Conclusion;
use crate::registrations::{mover, text};
use crate::{Application, Asker, Caller, UseCaseError};
use caretrack_domain::{
    Action, AuditOutcome, Counts, Delivered, Delivery, Instant, KnownRecord, NewSearch, NewTask, Operation,
    PatientRefusal, Registration, RequestId, ResultChange, ResultRecord, RunStatus, Scope, Search, SearchId,
    SearchRequest, StatusCommand, Target, TargetKind, TaskFacts, TaskId, TaskKind, WmdaId,
};
use caretrack_ports::{Admission, Changes, ResultsQuery, ResultsWrite, SearchWrite, StoreError};
use std::sync::Arc;

/// What came of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryAnswer {
    pub search: SearchId,
    pub status: RunStatus,
}

/// A page of one list of results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultsPage {
    pub records: Vec<ResultRecord>,
    /// How many there are on all pages.
    pub total: u64,
}

impl Application {
    pub async fn start_search<Q: Asker<SearchId>>(
        &self,
        asker: &Q,
        new: NewSearch,
    ) -> Result<Q::Answer, UseCaseError> {
        asker.caller().require(Scope::PatientWrite)?;
        let work = until_settled(|| self.try_start_search(asker, &new));
        let outcome = self.once(asker, work).await;
        self.audited(asker, "search.start", &text(new.wmda_id), outcome)
            .await
    }

    async fn try_start_search<Q: Asker<SearchId>>(
        &self,
        asker: &Q,
        new: &NewSearch,
    ) -> Result<Q::Answer, UseCaseError> {
        let caller = asker.caller();
        let before = self.registration(caller, new.wmda_id).await?;
        let now = self.now();
        let change = before.apply(StatusCommand::StartSearch, None, mover(caller), now)?;
        let request = SearchRequest {
            engine: new.engine,
            kind: new.kind,
            overall_mismatches: new.overall_mismatches,
            loci: (new.loci.clone()).unwrap_or_else(|| before.details.hla.usual_loci()),
            is_cbu_ab_low_drb1_high_resolution: new.is_cbu_ab_low_drb1_high_resolution,
            search_only_own_ion: new.search_only_own_ion,
        };
        let eta = self.eta(before.workspace, TaskKind::SearchRun, now).await?;
        let mut draws = 0;
        loop {
            let id = SearchId::drawn(self.ids.number());
            let search = Search::started(id, before.workspace, before.wmda_id, request.clone(), now);
            let mut changes = Changes::by(caller.author(now), Admission::New);
            changes.audit("search.start", number(id), AuditOutcome::Done);
            match &change.entry {
                Some(entry) => {
                    changes.record_status(entry.clone());
                    changes.put_registration(Some(&before), change.after.clone());
                }
                // A stop in between must know of the search, or the search of the stop.
                None => changes.keep_registration(Some(&before), before.revised()),
            }
            let target = search_target(id);
            changes.insert_task(self.task_about(
                TaskKind::SearchRun,
                &before,
                target,
                Some(caller),
                now,
                eta,
            ));
            changes.put_search(SearchWrite {
                expected: None,
                after: search,
                results: ResultsWrite::Keep,
            });
            draws += 1;
            match self.conclude(asker, changes, Conclusion::of(id)).await {
                Err(error) if error.is_duplicate() && draws < Self::DRAWS => {}
                concluded => return concluded,
            }
        }
    }

    /// Answers with the searches that are to be refreshed.
    pub async fn refresh_searches<Q: Asker<Vec<SearchId>>>(
        &self,
        asker: &Q,
        wmda_id: WmdaId,
    ) -> Result<Q::Answer, UseCaseError> {
        asker.caller().require(Scope::PatientWrite)?;
        let work = until_settled(|| self.try_refresh_searches(asker, wmda_id));
        let outcome = self.once(asker, work).await;
        self.audited(asker, "search.refresh", &text(wmda_id), outcome)
            .await
    }

    async fn try_refresh_searches<Q: Asker<Vec<SearchId>>>(
        &self,
        asker: &Q,
        wmda_id: WmdaId,
    ) -> Result<Q::Answer, UseCaseError> {
        let caller = asker.caller();
        let registration = self.registration(caller, wmda_id).await?;
        if registration.is_stopped() {
            return Err(PatientRefusal::PatientStopped.into());
        }
        let now = self.now();
        let searches = self.store.searches_of(registration.workspace, &[wmda_id]).await?;
        let open = searches.iter().filter(|search| !search.terminated);
        let ids: Vec<SearchId> = open.map(|search| search.id).collect();
        let mut changes = Changes::by(caller.author(now), Admission::New);
        changes.audit("search.refresh", text(wmda_id), AuditOutcome::Done);
        if !ids.is_empty() {
            let refresh = self.refresh_task(caller, &registration, now).await?;
            changes.insert_task(refresh);
        }
        self.conclude(asker, changes, Conclusion::of(ids)).await
    }

    /// A match engine says what it found, or that it could not.
    pub async fn deliver_results<Q: Asker<DeliveryAnswer>>(
        &self,
        asker: &Q,
        id: SearchId,
        delivery: Delivery,
    ) -> Result<Q::Answer, UseCaseError> {
        asker.caller().require(Scope::SearchDeliver)?;
        let delivery = Arc::new(delivery);
        let work = until_settled(|| self.try_deliver(asker, id, &delivery));
        let outcome = self.once(asker, work).await;
        self.audited(asker, "search.deliver", &number(id), outcome).await
    }

    async fn try_deliver<Q: Asker<DeliveryAnswer>>(
        &self,
        asker: &Q,
        id: SearchId,
        delivery: &Arc<Delivery>,
    ) -> Result<Q::Answer, UseCaseError> {
        let caller = asker.caller();
        let (before, _) = self.search(caller, id).await?;
        let now = self.now();
        if before.terminated {
            return Err(PatientRefusal::SearchTerminated.into());
        }
        let (after, results) = match delivery.as_ref() {
            Delivery::Failed(error) => (before.failed(error.clone(), now)?, ResultsWrite::Keep),
            Delivery::Results(delivered) => {
                let known = self.store.known_records(before.workspace, id).await?;
                let (changes, counts) = compare(Arc::clone(delivery), id, known, now).await?;
                (
                    before.delivered(delivered, counts, now)?,
                    ResultsWrite::Change(changes),
                )
            }
        };
        let mut changes = Changes::by(caller.author(now), Admission::New);
        changes.audit("search.deliver", number(id), AuditOutcome::Done);
        let answer = DeliveryAnswer {
            search: id,
            status: after.status,
        };
        changes.put_search(SearchWrite {
            expected: Some(before.revision),
            after,
            results,
        });
        self.conclude(asker, changes, Conclusion::of(answer)).await
    }

    /// The summary: an activity.
    pub async fn view_search(
        &self,
        caller: &Caller,
        id: SearchId,
    ) -> Result<(Search, Registration), UseCaseError> {
        caller.require(Scope::PatientRead)?;
        until_settled(|| async {
            let (search, registration) = self.search(caller, id).await?;
            let registration = self.touched(caller, registration).await?;
            Ok((search, registration))
        })
        .await
    }

    /// Newest first; no activity.
    pub async fn list_searches(&self, caller: &Caller, wmda_id: WmdaId) -> Result<Vec<Search>, UseCaseError> {
        caller.require(Scope::PatientRead)?;
        let registration = self.registration(caller, wmda_id).await?;
        Ok(self.store.searches_of(registration.workspace, &[wmda_id]).await?)
    }

    /// Reads results: an activity.
    pub async fn view_results(
        &self,
        caller: &Caller,
        id: SearchId,
        query: &ResultsQuery,
    ) -> Result<ResultsPage, UseCaseError> {
        caller.require(Scope::PatientRead)?;
        until_settled(|| async {
            let (search, registration) = self.search(caller, id).await?;
            search.readable()?;
            let records = self.store.list_results(search.workspace, id, query).await?;
            let total = match query.updated_from {
                Some(from) => {
                    self.store
                        .count_results(search.workspace, id, query.list, from)
                        .await?
                }
                None => search.listed[query.list].into(),
            };
            // What was read in several steps was one result, and was there to be read.
            let again = self.store.find_search(search.workspace, id).await?;
            if again.is_none_or(|again| again.revision != search.revision) {
                return Err(StoreError::Conflict.into());
            }
            self.touched(caller, registration).await?;
            Ok(ResultsPage { records, total })
        })
        .await
    }

    /// A search, and whom it is for; gone for the dialect once that one is anonymised.
    async fn search(&self, caller: &Caller, id: SearchId) -> Result<(Search, Registration), UseCaseError> {
        let gone = || UseCaseError::not_found("There is no such search.");
        let workspace = caller.who.workspace;
        let search = self.store.find_search(workspace, id).await?.ok_or_else(gone)?;
        let found = self.store.find_registration(workspace, search.wmda_id).await?;
        let registration = found.filter(|found| !found.is_anonymised());
        Ok((search, registration.ok_or_else(gone)?))
    }

    /// A task about a patient; without a caller it is Caretrack's own.
    pub(crate) fn patient_task(
        &self,
        kind: TaskKind,
        registration: &Registration,
        caller: Option<&Caller>,
        now: Instant,
        eta: Instant,
    ) -> NewTask {
        let target = Target {
            kind: TargetKind::Patient,
            of: "registration".to_owned(),
            id: text(registration.wmda_id),
        };
        self.task_about(kind, registration, target, caller, now, eta)
    }

    fn task_about(
        &self,
        kind: TaskKind,
        registration: &Registration,
        target: Target,
        caller: Option<&Caller>,
        now: Instant,
        eta: Instant,
    ) -> NewTask {
        let id = self.ids.id();
        let facts = TaskFacts {
            id: TaskId(id),
            workspace: registration.workspace,
            kind,
            source: None,
            patient: Some(registration.patient),
            ordering_key: Some(match kind {
                TaskKind::PatientStop | TaskKind::PatientAnonymise => {
                    Registration::lane_of_time(registration.wmda_id)
                }
                TaskKind::RegistryWrite
                | TaskKind::WebhookDeliver
                | TaskKind::SearchRun
                | TaskKind::SearchRefresh
                | TaskKind::SearchRefreshDaily
                | TaskKind::SearchTimeout => Registration::ordering_key(registration.wmda_id),
            }),
            submitted_by: caller.map(|caller| caller.who.actor()),
            request_id: match caller {
                Some(caller) => caller.request_id.clone(),
                None => RequestId::generated(id),
            },
            trace: caller.and_then(|caller| caller.trace),
            accepted_at: now,
            due_at: None,
            eta,
            retry_of: None,
            fingerprint: None,
        };
        NewTask::accepted(facts, vec![Operation::pending(0, Action::Update, target, None)])
    }

    pub(crate) async fn refresh_task(
        &self,
        caller: &Caller,
        registration: &Registration,
        now: Instant,
    ) -> Result<NewTask, UseCaseError> {
        let kind = TaskKind::SearchRefresh;
        let eta = self.eta(registration.workspace, kind, now).await?;
        Ok(self.patient_task(kind, registration, Some(caller), now, eta))
    }

    /// Ends a first run that no engine answers, a day from now.
    pub(crate) fn timeout_task(&self, search: &Search, now: Instant) -> NewTask {
        let (id, due_at) = (self.ids.id(), now + Search::PATIENCE);
        let facts = TaskFacts {
            id: TaskId(id),
            workspace: search.workspace,
            kind: TaskKind::SearchTimeout,
            source: None,
            patient: None,
            // What waits for its time would keep others waiting.
            ordering_key: None,
            submitted_by: None,
            request_id: RequestId::generated(id),
            trace: None,
            accepted_at: now,
            due_at: Some(due_at),
            eta: due_at,
            retry_of: None,
            fingerprint: None,
        };
        let operation = Operation::pending(0, Action::Update, search_target(search.id), None);
        NewTask::accepted(facts, vec![operation])
    }
}

pub(crate) fn number(id: SearchId) -> String {
    id.number().to_string()
}

fn search_target(id: SearchId) -> Target {
    Target {
        kind: TargetKind::Search,
        of: "search".to_owned(),
        id: number(id),
    }
}

type Compared = (Vec<ResultChange>, (Counts, Counts));

/// Beside those who serve others: a delivery may be large.
async fn compare(
    delivery: Arc<Delivery>,
    id: SearchId,
    known: Vec<KnownRecord>,
    now: Instant,
) -> Result<Compared, UseCaseError> {
    let compared = tokio::task::spawn_blocking(move || match delivery.as_ref() {
        Delivery::Results(delivered) => delivered.compare(id, known, now),
        Delivery::Failed(_) => Delivered::default().compare(id, Vec::new(), now),
    });
    compared
        .await
        .map_err(|error| StoreError::Unavailable(error.into()).into())
}
