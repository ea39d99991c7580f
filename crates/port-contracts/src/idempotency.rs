//! Idempotency keys: taken with the commit they protect, by one request of a workspace, until they expire.

use crate::fixture::{Contract, Outcome};
use crate::samples::{OURS, THEIRS, at, changes, facts, operations, refusal, resource, task_id, workspace};
use crate::world::{World, assert_conflict, assert_duplicate};
use caretrack_domain::{
    IdempotencyKey, Instant, KeptAnswer, KeptOutcome, NewTask, RequestFingerprint, TaskFacts, WorkspaceId,
};
use caretrack_ports::{Changes, IdempotencyRecord, Place, Remembered, Retention, StoreError, TaskFilter};
use futures::future::join_all;
use time::Duration;

pub(crate) const CONTRACTS: &[Contract] = &[
    ("an_answer_is_remembered_as_it_was", |w| {
        Box::pin(an_answer_is_remembered_as_it_was(w))
    }),
    ("an_answer_remembers_the_version_it_shows", |w| {
        Box::pin(an_answer_remembers_the_version_it_shows(w))
    }),
    ("a_key_is_taken_with_its_commit_or_not_at_all", |w| {
        Box::pin(a_key_is_taken_with_its_commit_or_not_at_all(w))
    }),
    ("exactly_one_of_a_race_has_the_key", |w| {
        Box::pin(exactly_one_of_a_race_has_the_key(w))
    }),
    ("a_key_is_of_its_workspace", |w| {
        Box::pin(a_key_is_of_its_workspace(w))
    }),
    ("an_expired_key_is_free_again", |w| {
        Box::pin(an_expired_key_is_free_again(w))
    }),
    ("exactly_one_of_a_race_has_an_expired_key", |w| {
        Box::pin(exactly_one_of_a_race_has_an_expired_key(w))
    }),
    ("expired_keys_are_pruned_by_steps", |w| {
        Box::pin(expired_keys_are_pruned_by_steps(w))
    }),
];

const LIFETIME: Duration = Duration::seconds(100);

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::parse(text).expect("a sample key is visible ASCII")
}

fn answer(n: u8) -> KeptOutcome {
    KeptOutcome::Answered(KeptAnswer {
        status: 201,
        headers: vec![("location".to_owned(), format!("/things/{n}"))],
        // Not text on purpose: an answer is bytes.
        body: vec![b'{', n, 0, 0xFF, b'}'],
    })
}

fn record(text: &str, n: u8, made_at: Instant) -> IdempotencyRecord {
    IdempotencyRecord {
        workspace: OURS,
        key: key(text),
        fingerprint: RequestFingerprint([n; 32]),
        outcome: answer(n),
        shows_version: false,
        made_at,
        expires_at: made_at + LIFETIME,
    }
}

/// A task accepted under a key.
fn keyed(text: &str, n: u8, made_at: Instant) -> Changes {
    let mut changes = changes(OURS, made_at);
    let task = NewTask::accepted(facts(u32::from(n), 0), operations(1));
    changes.insert_task(task);
    changes.remember(record(text, n, made_at));
    changes
}

async fn find(world: &World, workspace: WorkspaceId, text: &str) -> Result<Option<Remembered>, StoreError> {
    world.find_remembered(workspace, &key(text)).await
}

async fn tasks(world: &World) -> Result<usize, StoreError> {
    Ok(world.list_tasks(OURS, TaskFilter::default(), 1000).await?.len())
}

async fn an_answer_is_remembered_as_it_was(world: World) -> Outcome {
    assert_eq!(find(&world, OURS, "k").await?, None);
    world.commit(keyed("k", 1, at(0))).await?;
    let remembered = Remembered {
        fingerprint: RequestFingerprint([1; 32]),
        outcome: answer(1),
        version: None,
        expires_at: at(0) + LIFETIME,
    };
    assert_eq!(find(&world, OURS, "k").await?, Some(remembered));
    // Keys are told apart by case, and may be long.
    assert_eq!(find(&world, OURS, "K").await?, None);
    let longest = "~".repeat(255);
    let refused = IdempotencyRecord {
        outcome: KeptOutcome::Refused(refusal()),
        ..record(&longest, 2, at(0))
    };
    world.write(at(0), |c| c.remember(refused.clone())).await?;
    let found = find(&world, OURS, &longest).await?.map(|found| found.outcome);
    assert_eq!(found, Some(refused.outcome));
    Ok(())
}

/// The number is only known to the commit: the store adds it.
async fn an_answer_remembers_the_version_it_shows(world: World) -> Outcome {
    for n in 0..3_u8 {
        let id = format!("r{n}");
        let committed = world
            .write(at(0), |c| {
                let after = resource(&id, "{}", at(0));
                c.put_resource(OURS, None, Place::AtCommit, after);
                c.insert_task(NewTask::accepted(facts(u32::from(n), 0), operations(1)));
                c.remember(IdempotencyRecord {
                    shows_version: true,
                    ..record(&id, n, at(0))
                });
            })
            .await?;
        let stored = world.record(&id).await?.map(|record| record.version);
        assert_eq!(stored, Some(committed.version(0)));
        let remembered = find(&world, OURS, &id).await?;
        assert_eq!(remembered.and_then(|found| found.version), stored);
    }
    Ok(())
}

/// Atomic with the write it protects, both ways.
async fn a_key_is_taken_with_its_commit_or_not_at_all(world: World) -> Outcome {
    // What fails takes no key.
    world
        .write(at(0), |c| c.insert_workspace(workspace(1, "one")))
        .await?;
    let mut taken_name = keyed("k", 1, at(1));
    taken_name.insert_workspace(workspace(2, "one"));
    assert_duplicate(world.commit(taken_name).await);
    let seen = world.put("r0", "{}", at(1)).await?;
    world.put("r0", r#"{"n": 1}"#, at(2)).await?;
    let mut stale = keyed("k", 1, at(3));
    let after = resource("r0", "{}", at(3));
    stale.put_resource(OURS, Some(&seen), Place::AtCommit, after);
    assert_conflict(world.commit(stale).await);
    assert_eq!(find(&world, OURS, "k").await?, None);

    // And what finds its key taken does nothing.
    world.commit(keyed("k", 1, at(4))).await?;
    let before = find(&world, OURS, "k").await?;
    assert_duplicate(world.commit(keyed("k", 2, at(5))).await);
    assert_eq!(find(&world, OURS, "k").await?, before);
    assert_eq!(world.find_task(OURS, task_id(2)).await?, None);
    assert_eq!(tasks(&world).await?, 1);
    Ok(())
}

/// Of many commits at once, with or without others beside them.
async fn exactly_one_of_a_race_has_the_key(world: World) -> Outcome {
    for round in 0..4_u8 {
        let text = format!("k{round}");
        let racing = (0..12).map(|n| world.commit(keyed(&text, round * 20 + n, at(1))));
        let beside = (12..18).map(|n| {
            let own = format!("{text}-{n}");
            world.commit(keyed(&own, round * 20 + n, at(1)))
        });
        let results = join_all(racing.chain(beside)).await;
        let (racing, beside) = results.split_at(12);
        let won: Vec<_> = (0..12).filter(|n| racing[usize::from(*n)].is_ok()).collect();
        assert_eq!(won.len(), 1, "{racing:?}");
        let lost = |result: &&Result<_, _>| matches!(result, Err(StoreError::Duplicate));
        assert_eq!(racing.iter().filter(lost).count(), 11, "{racing:?}");
        assert!(beside.iter().all(Result::is_ok), "{beside:?}");
        let remembered = find(&world, OURS, &text).await?;
        let outcome = remembered.map(|found| found.outcome);
        assert_eq!(outcome, Some(answer(round * 20 + won[0])), "the winner's own");
        assert_eq!(tasks(&world).await?, usize::from(round + 1) * 7);
    }
    Ok(())
}

async fn a_key_is_of_its_workspace(world: World) -> Outcome {
    world.commit(keyed("k", 1, at(0))).await?;
    assert_eq!(find(&world, THEIRS, "k").await?, None);
    let mut theirs = changes(THEIRS, at(0));
    theirs.insert_task(NewTask::accepted(
        TaskFacts {
            workspace: THEIRS,
            ..facts(2, 0)
        },
        operations(1),
    ));
    theirs.remember(IdempotencyRecord {
        workspace: THEIRS,
        ..record("k", 2, at(0))
    });
    world.commit(theirs).await?;
    for (workspace, n) in [(OURS, 1), (THEIRS, 2)] {
        let outcome = find(&world, workspace, "k").await?.map(|found| found.outcome);
        assert_eq!(outcome, Some(answer(n)));
    }
    Ok(())
}

/// Even if nobody has cleared it away yet.
async fn an_expired_key_is_free_again(world: World) -> Outcome {
    let end = at(0) + LIFETIME;
    world.commit(keyed("k", 1, at(0))).await?;
    let just_before = end - Duration::MICROSECOND;
    assert_duplicate(world.commit(keyed("k", 2, just_before)).await);
    world.commit(keyed("k", 3, end)).await?;
    let remembered = find(&world, OURS, "k").await?.expect("it was taken again");
    assert_eq!(
        (remembered.outcome, remembered.expires_at),
        (answer(3), end + LIFETIME)
    );
    assert_duplicate(world.commit(keyed("k", 4, end)).await);
    Ok(())
}

async fn exactly_one_of_a_race_has_an_expired_key(world: World) -> Outcome {
    let end = at(0) + LIFETIME;
    world.commit(keyed("k", 1, at(0))).await?;
    let results = join_all((2..14).map(|n| world.commit(keyed("k", n, end)))).await;
    assert_eq!(
        results.iter().filter(|result| result.is_ok()).count(),
        1,
        "{results:?}"
    );
    assert_eq!(tasks(&world).await?, 2);
    Ok(())
}

/// Whether or not there are tasks to prune.
async fn expired_keys_are_pruned_by_steps(world: World) -> Outcome {
    for n in 0..10 {
        let made_at = at(i64::from(n));
        let text = format!("k{n}");
        world
            .write(made_at, |c| c.remember(record(&text, n, made_at)))
            .await?;
    }
    let retention = Retention {
        ended_before: at(0),
        expired_by: at(6) + LIFETIME,
    };
    for expected in [4, 3, 0] {
        assert_eq!(world.prune(retention, 4).await?, expected);
    }
    for n in 0..10 {
        let is_there = find(&world, OURS, &format!("k{n}")).await?.is_some();
        assert_eq!(is_there, n > 6, "k{n}");
    }
    Ok(())
}
