//! How a search stands after what happens to it.

use super::*;
use crate::search_results::{KnownRecord, RecordFlag, ResultChange, digest};
use time::Duration;
use time::macros::datetime;
use uuid::Uuid;

const NOW: Instant = datetime!(2026-03-02 09:15 UTC);

fn search() -> Search {
    let request = SearchRequest {
        engine: SearchEngine::HapE,
        kind: SearchType::DR,
        overall_mismatches: 0,
        loci: vec![Locus::A],
        is_cbu_ab_low_drb1_high_resolution: false,
        search_only_own_ion: false,
    };
    let wmda_id = WmdaId::parse(48_213_907).unwrap();
    Search::started(
        SearchId::drawn(7),
        WorkspaceId(Uuid::from_u128(1)),
        wmda_id,
        request,
        NOW,
    )
}

fn donors(records: &[(&str, &str)]) -> Delivered {
    let records = records
        .iter()
        .map(|(id, content)| ((*id).to_owned(), (*content).to_owned()));
    Delivered {
        lists: [(ResultList::Donors, records.collect())].into(),
        ..Delivered::default()
    }
}

/// Applies changes as a store would.
fn kept(mut known: Vec<KnownRecord>, changes: &[ResultChange]) -> Vec<KnownRecord> {
    for change in changes {
        let (key, now) = match change {
            ResultChange::Drop { key } => (key, None),
            ResultChange::Mark {
                key,
                position,
                flag,
                flagged_at,
            } => (key, Some((*position, None, *flag, *flagged_at))),
            ResultChange::Put {
                key,
                position,
                digest,
                flag,
                flagged_at,
                ..
            } => (key, Some((*position, Some(*digest), *flag, *flagged_at))),
        };
        let before = known
            .iter()
            .position(|record| record.id == key.id)
            .map(|n| known.remove(n));
        if let Some((position, digest, flag, flagged_at)) = now {
            let digest = digest.unwrap_or_else(|| before.unwrap().digest);
            let (list, id) = (key.list, key.id.clone());
            known.push(KnownRecord {
                list,
                id,
                position,
                digest,
                flag,
                flagged_at,
            });
        }
    }
    known.sort_by_key(|record| record.position);
    known
}

fn flags(known: &[KnownRecord]) -> Vec<(&str, Option<RecordFlag>)> {
    known
        .iter()
        .map(|record| (record.id.as_str(), record.flag))
        .collect()
}

#[test]
fn each_delivery_is_compared_with_the_one_before() {
    let id = SearchId::drawn(7);
    let first = donors(&[("a", r#"{"id":"a","n":1}"#), ("b", r#"{"id":"b"}"#)]);
    let (changes, counts) = first.compare(id, Vec::new(), NOW);
    let known = kept(Vec::new(), &changes);
    assert_eq!(
        flags(&known),
        [("a", Some(RecordFlag::New)), ("b", Some(RecordFlag::New))]
    );
    assert_eq!(
        (counts.0[ResultList::Donors], counts.1[ResultList::Donors]),
        (2, 2)
    );

    let later = NOW + Duration::DAY;
    let second = donors(&[("c", r#"{"id":"c"}"#), ("a", r#"{"n":1,"id":"a"}"#)]);
    let (changes, counts) = second.compare(id, known, later);
    let known = kept(
        [("a", r#"{"id":"a","n":1}"#), ("b", r#"{"id":"b"}"#)]
            .into_iter()
            .zip(0..)
            .map(|((name, content), position)| KnownRecord {
                list: ResultList::Donors,
                id: name.to_owned(),
                position,
                digest: digest(content),
                flag: Some(RecordFlag::New),
                flagged_at: NOW,
            })
            .collect(),
        &changes,
    );
    let new = Some(RecordFlag::New);
    assert_eq!(
        flags(&known),
        [("c", new), ("a", None), ("b", Some(RecordFlag::Deleted))]
    );
    assert_eq!(known[1].flagged_at, NOW);
    assert_eq!(
        (counts.0[ResultList::Donors], counts.1[ResultList::Donors]),
        (2, 3)
    );

    let third = donors(&[("a", r#"{"id":"a","n":2}"#), ("c", r#"{"id":"c"}"#)]);
    let (changes, _) = third.compare(id, known.clone(), later + Duration::DAY);
    let known = kept(known, &changes);
    assert_eq!(flags(&known), [("a", Some(RecordFlag::Updated)), ("c", None)]);
    let (again, _) = third.compare(id, known.clone(), later + Duration::days(2));
    let known = kept(known, &again);
    assert_eq!(third.compare(id, known, later + Duration::days(3)).0, []);
}

#[test]
fn a_terminated_search_takes_nothing_more() {
    let terminated = search().terminate(NOW + Duration::HOUR).unwrap();
    assert_eq!(terminated.status, RunStatus::Failed);
    assert_eq!(terminated.error.as_ref().unwrap().code, "terminated");
    assert_eq!(terminated.readable(), Err(PatientRefusal::ResultsDeleted));
    let counts = (Counts::default(), Counts::default());
    let late = terminated.delivered(&Delivered::default(), counts, NOW);
    assert_eq!(late.unwrap_err(), PatientRefusal::SearchTerminated);
    assert_eq!(terminated.terminate(NOW), None);
    assert_eq!(terminated.run_without_engine(NOW), None);
    assert_eq!(terminated.refreshed_without_engine(NOW), None);
    assert_eq!(terminated.timed_out(NOW), None);
}

#[test]
fn a_failed_refresh_leaves_results_readable() {
    let error = || SearchError::ours("x", "y");
    let failed = search().failed(error(), NOW).unwrap();
    assert_eq!(failed.readable(), Err(PatientRefusal::SearchNotCompleted));
    let completed = search().run_without_engine(NOW).unwrap();
    assert_eq!(
        completed.summary().as_deref(),
        Some("0 donors, 0 cord blood units")
    );
    assert_eq!(completed.failed(error(), NOW).unwrap().readable(), Ok(()));
    assert_eq!(completed.timed_out(NOW), None);
    assert_eq!(completed.run_without_engine(NOW), None);
}
