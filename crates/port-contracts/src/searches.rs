//! Searches and their results: fenced, compared delivery by delivery, read in pages, gone with a stop.

use crate::fixture::{Contract, Outcome};
use crate::registrations::{add, registration, wmda};
use crate::samples::{OURS, THEIRS, at, facts};
use crate::world::{World, assert_conflict, assert_duplicate};
use caretrack_domain::{
    Delivered, Locus, NewTask, PatientId, RecordFlag, Registration, ResultList, RunStatus, Search,
    SearchEngine, SearchError, SearchId, SearchRequest, SearchType, TaskFacts,
};
use caretrack_ports::{
    Committed, ResultOrder, ResultsQuery, ResultsWrite, SearchWrite, StoreError, TaskFilter,
};
use uuid::Uuid;

pub(crate) const CONTRACTS: &[Contract] = &[
    ("a_search_is_kept_as_written", |w| {
        Box::pin(a_search_is_kept_as_written(w))
    }),
    ("of_two_changes_of_a_search_one_meets_a_conflict", |w| {
        Box::pin(of_two_changes_one_meets_a_conflict(w))
    }),
    ("results_are_compared_with_those_before", |w| {
        Box::pin(results_are_compared_with_those_before(w))
    }),
    ("results_are_read_in_pages_and_go_whole", |w| {
        Box::pin(results_are_read_in_pages_and_go_whole(w))
    }),
    ("tasks_come_along_to_another_record", |w| {
        Box::pin(tasks_come_along_to_another_record(w))
    }),
];

fn search(number: i64, of: i64, seconds: i64) -> Search {
    let request = SearchRequest {
        engine: SearchEngine::Atlas,
        kind: SearchType::CB,
        overall_mismatches: 3,
        loci: vec![Locus::A, Locus::Drb1],
        is_cbu_ab_low_drb1_high_resolution: true,
        search_only_own_ion: false,
    };
    let id = SearchId::parse(number).expect("a sample number is in range");
    Search::started(id, OURS, wmda(of), request, at(seconds))
}

async fn put(
    world: &World,
    seen: Option<&Search>,
    after: Search,
    results: ResultsWrite,
) -> Result<Committed, StoreError> {
    let write = SearchWrite {
        expected: seen.map(|seen| seen.revision),
        after,
        results,
    };
    world.write(at(9), |c| c.put_search(write)).await
}

async fn find(world: &World, id: SearchId) -> Result<Search, StoreError> {
    let found = world.find_search(OURS, id).await?;
    Ok(found.unwrap_or_else(|| panic!("{id:?} is not there")))
}

async fn a_search_is_kept_as_written(world: World) -> Outcome {
    let new = search(1, 500_001, 1);
    put(&world, None, new.clone(), ResultsWrite::Keep).await?;
    assert_eq!(find(&world, new.id).await?, new);
    assert_eq!(world.find_search(THEIRS, new.id).await?, None);
    assert_duplicate(put(&world, None, search(1, 500_002, 1), ResultsWrite::Keep).await);

    let error = SearchError {
        code: "x".to_owned(),
        message: "y".to_owned(),
    };
    let failed = new.failed(error, at(2)).expect("it is open");
    put(&world, Some(&new), failed.clone(), ResultsWrite::Keep).await?;
    assert_eq!(find(&world, new.id).await?, failed);
    let ended = failed.terminate(at(3)).expect("it is open").anonymised();
    put(&world, Some(&failed), ended.clone(), ResultsWrite::Delete).await?;
    assert_eq!(find(&world, new.id).await?, ended);

    let (older, newer) = (search(7, 500_001, 5), search(5, 500_001, 6));
    for new in [&older, &newer, &search(6, 500_002, 6)] {
        put(&world, None, new.clone(), ResultsWrite::Keep).await?;
    }
    let listed = world.searches_of(OURS, &[wmda(500_001)]).await?;
    assert_eq!(listed, [newer, older, ended]);
    assert_eq!(
        world
            .searches_of(OURS, &[wmda(500_001), wmda(500_002)])
            .await?
            .len(),
        4
    );
    assert_eq!(world.searches_of(THEIRS, &[wmda(500_001)]).await?, []);
    assert_eq!(world.searches_of(OURS, &[]).await?, []);
    Ok(())
}

async fn of_two_changes_one_meets_a_conflict(world: World) -> Outcome {
    let new = search(1, 500_001, 1);
    put(&world, None, new.clone(), ResultsWrite::Keep).await?;
    let ended = new.terminate(at(2)).expect("it is open");
    let ran = new.run_without_engine(at(2)).expect("it has not run");
    let together = tokio::join!(
        put(&world, Some(&new), ended.clone(), ResultsWrite::Delete),
        put(&world, Some(&new), ran.clone(), ResultsWrite::Keep)
    );
    let stored = find(&world, new.id).await?;
    match together {
        (Ok(_), late) => {
            assert_conflict(late);
            assert_eq!(stored, ended);
        }
        (early, late) => {
            assert_conflict(early);
            late?;
            assert_eq!(stored, ran);
        }
    }
    Ok(())
}

fn donors(ids: &[&str], n: u32) -> Delivered {
    let record = |id: &&str| ((*id).to_owned(), format!(r#"{{"id": "{id}", "n": {n}}}"#));
    Delivered {
        lists: [(ResultList::Donors, ids.iter().map(record).collect())].into(),
        ..Delivered::default()
    }
}

async fn deliver(world: &World, id: SearchId, delivered: &Delivered, seconds: i64) -> Outcome {
    let before = find(world, id).await?;
    let known = world.known_records(OURS, id).await?;
    let (changes, counts) = delivered.compare(id, known, at(seconds));
    let after = before
        .delivered(delivered, counts, at(seconds))
        .expect("it is open");
    assert_eq!(after.status, RunStatus::Completed);
    put(world, Some(&before), after, ResultsWrite::Change(changes)).await?;
    Ok(())
}

fn query(limit: usize, offset: u64) -> ResultsQuery {
    ResultsQuery {
        list: ResultList::Donors,
        updated_from: None,
        order: ResultOrder::Standard,
        limit,
        offset,
    }
}

async fn read(
    world: &World,
    id: SearchId,
    query: &ResultsQuery,
) -> Result<Vec<(String, Option<RecordFlag>)>, StoreError> {
    let records = world.list_results(OURS, id, query).await?;
    let shown = records.into_iter().map(|record| (record.content, record.flag));
    Ok(shown.collect())
}

fn shown(id: &str, n: u32, flag: Option<RecordFlag>) -> (String, Option<RecordFlag>) {
    (format!(r#"{{"id": "{id}", "n": {n}}}"#), flag)
}

async fn results_are_compared_with_those_before(world: World) -> Outcome {
    let new = search(1, 500_001, 1);
    put(&world, None, new.clone(), ResultsWrite::Keep).await?;
    let all = query(10, 0);
    deliver(&world, new.id, &donors(&["a", "b", "c"], 1), 2).await?;
    let added = Some(RecordFlag::New);
    assert_eq!(
        read(&world, new.id, &all).await?,
        [shown("a", 1, added), shown("b", 1, added), shown("c", 1, added)]
    );
    deliver(&world, new.id, &donors(&["c", "a"], 1), 3).await?;
    assert_eq!(
        read(&world, new.id, &all).await?,
        [
            shown("c", 1, None),
            shown("a", 1, None),
            shown("b", 1, Some(RecordFlag::Deleted))
        ]
    );
    let since = ResultsQuery {
        updated_from: Some(at(3)),
        ..all.clone()
    };
    assert_eq!(read(&world, new.id, &since).await?.len(), 1);
    let newest = ResultsQuery {
        order: ResultOrder::LastUpdated,
        ..all.clone()
    };
    assert_eq!(
        read(&world, new.id, &newest).await?,
        [
            shown("b", 1, Some(RecordFlag::Deleted)),
            shown("c", 1, None),
            shown("a", 1, None)
        ]
    );
    assert_eq!(
        world
            .count_results(OURS, new.id, ResultList::Donors, at(3))
            .await?,
        1
    );
    deliver(&world, new.id, &donors(&["a", "c", "d"], 2), 4).await?;
    let updated = Some(RecordFlag::Updated);
    assert_eq!(
        read(&world, new.id, &all).await?,
        [
            shown("a", 2, updated),
            shown("c", 2, updated),
            shown("d", 2, added)
        ]
    );
    Ok(())
}

async fn results_are_read_in_pages_and_go_whole(world: World) -> Outcome {
    let ids: Vec<String> = (0..300).map(|n| format!("r{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    for number in [1, 2] {
        put(&world, None, search(number, 500_001, number), ResultsWrite::Keep).await?;
        let id = SearchId::parse(number).expect("a sample number is in range");
        deliver(&world, id, &donors(&ids, 1), 5).await?;
    }
    let one = find(&world, SearchId::parse(1).expect("in range")).await?;
    let mut paged = Vec::new();
    for offset in (0..=300).step_by(70) {
        paged.extend(read(&world, one.id, &query(70, offset)).await?);
    }
    let added = Some(RecordFlag::New);
    let expected: Vec<_> = ids.iter().map(|id| shown(id, 1, added)).collect();
    assert_eq!(paged, expected);
    // Most of them go, with the second of two deliveries that have no use for them.
    for seconds in [6, 7] {
        deliver(&world, one.id, &donors(&ids[..3], 1), seconds).await?;
    }
    assert_eq!(read(&world, one.id, &query(1000, 0)).await?.len(), 3);

    let before = find(&world, one.id).await?;
    let ended = before.terminate(at(8)).expect("it is open");
    put(&world, Some(&before), ended, ResultsWrite::Delete).await?;
    assert_eq!(read(&world, one.id, &query(1000, 0)).await?, []);
    assert_eq!(world.known_records(OURS, one.id).await?, []);
    let two = SearchId::parse(2).expect("in range");
    assert_eq!(world.list_results(THEIRS, two, &query(9, 0)).await?, []);
    let other = SearchId::parse(2).expect("in range");
    assert_eq!(read(&world, other, &query(1000, 0)).await?.len(), 300);
    Ok(())
}

async fn tasks_come_along_to_another_record(world: World) -> Outcome {
    let before = registration(500_001, OURS, 1);
    add(&world, &before).await?;
    let of = |n: u32, key| TaskFacts {
        patient: Some(before.patient),
        ordering_key: Some(key),
        ..facts(n, 1)
    };
    let own = of(1, Registration::ordering_key(before.wmda_id));
    let others = of(2, Registration::ordering_key(wmda(500_002)));
    for facts in [own, others] {
        let task = NewTask::accepted(facts, Vec::new());
        world.write(at(1), |c| c.insert_task(task)).await?;
    }
    let after = Registration {
        patient: PatientId(Uuid::from_u128(99)),
        ..before.revised()
    };
    let moved = after.patient;
    world
        .write(at(2), |c| c.put_registration(Some(&before), after))
        .await?;
    for (person, count) in [(moved, 1), (before.patient, 1)] {
        let filter = TaskFilter {
            patient: Some(person),
            ..TaskFilter::default()
        };
        assert_eq!(world.list_tasks(OURS, filter, 10).await?.len(), count);
    }
    Ok(())
}
