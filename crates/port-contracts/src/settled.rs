//! Reading on from a number: nothing is passed by, nothing comes twice. The audit's chain.

use crate::fixture::{Contract, Outcome};
use crate::samples::{OURS, THEIRS, at, facts, patient};
use crate::world::{World, assert_conflict};
use caretrack_domain::{AuditOutcome, AuditSeal, Event, Sealing, TaskFacts, TaskKind};
use caretrack_ports::StoreError;
use std::time::Duration;

pub(crate) const CONTRACTS: &[Contract] = &[
    ("events_of_all_workspaces_are_read_on", |w| {
        Box::pin(events_of_all_workspaces_are_read_on(w))
    }),
    ("reading_on_misses_nothing_under_load", |w| {
        Box::pin(reading_on_misses_nothing_under_load(w))
    }),
    ("the_span_of_the_outbox_is_known", |w| {
        Box::pin(the_span_of_the_outbox_is_known(w))
    }),
    ("a_commit_ends_the_wait_for_events", |w| {
        Box::pin(a_commit_ends_the_wait_for_events(w))
    }),
    ("telling_is_not_told_of", |w| Box::pin(telling_is_not_told_of(w))),
    ("the_audit_is_read_on_whosever_it_is", |w| {
        Box::pin(the_audit_is_read_on_whosever_it_is(w))
    }),
    ("seals_make_one_chain", |w| Box::pin(seals_make_one_chain(w))),
    ("of_concurrent_seals_one_is_set", |w| {
        Box::pin(of_concurrent_seals_one_is_set(w))
    }),
    ("a_secret_stays_the_first", |w| {
        Box::pin(a_secret_stays_the_first(w))
    }),
];

async fn events_of_all_workspaces_are_read_on(world: World) -> Outcome {
    for n in 0..4 {
        world.accept(facts(n, 0)).await?;
        let mut person = patient(u128::from(n), 200_000 + i64::from(n), None);
        person.workspace = THEIRS;
        world
            .write_in(THEIRS, at(0), |c| c.put_patient(None, person))
            .await?;
    }
    let mut read = Vec::new();
    let mut after = 0;
    loop {
        let page = world.read_events(after, 3).await?;
        assert!(page.entries.len() <= 3);
        if page.entries.is_empty() {
            assert_eq!(page.upto, after, "there is nothing more");
            break;
        }
        after = page.upto;
        read.extend(page.entries);
    }
    assert_eq!(read.len(), 8);
    assert!(read.windows(2).all(|pair| pair[0].1.number < pair[1].1.number));
    for (n, (workspace, entry)) in read.iter().enumerate() {
        let is_task = matches!(entry.event, Event::Task { .. });
        assert_eq!(
            (*workspace, is_task),
            if n % 2 == 0 { (OURS, true) } else { (THEIRS, false) }
        );
    }
    // A workspace's own are the same, within bounds.
    let ours = world
        .list_events(OURS, read[0].1.number, read[4].1.number, 9)
        .await?;
    assert_eq!(ours, [read[2].1.clone(), read[4].1.clone()]);
    Ok(())
}

/// Who reads on from the last number read sees every event exactly once, while many write.
async fn reading_on_misses_nothing_under_load(world: World) -> Outcome {
    const WRITERS: u32 = 8;
    const EACH: u32 = 40;
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let world = world.clone();
            tokio::spawn(async move {
                for n in 0..EACH {
                    world.accept(facts(writer * 1000 + n, 0)).await?;
                }
                Ok::<_, StoreError>(())
            })
        })
        .collect();
    let mut read = Vec::new();
    let mut after = 0;
    while read.len() < (WRITERS * EACH) as usize {
        let page = world.read_events(after, 50).await?;
        after = page.upto;
        if page.entries.is_empty() {
            world.wait_for_events(Duration::from_millis(20)).await;
        }
        read.extend(page.entries.into_iter().map(|(_, entry)| entry.event));
    }
    for writer in writers {
        writer.await.expect("a writer does not panic")?;
    }
    let mut ids: Vec<_> = read
        .iter()
        .filter_map(|event| match event {
            Event::Task { id, .. } => Some(*id),
            Event::Patient { .. } | Event::Search { .. } => None,
        })
        .collect();
    for writer in 0..WRITERS {
        let own: Vec<_> = ids
            .iter()
            .filter(|id| id.0.as_u128() / 1000 == u128::from(writer))
            .collect();
        assert!(own.is_sorted(), "each writer's are in its order");
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), (WRITERS * EACH) as usize, "each is there, and once");
    assert_eq!(world.read_events(after, 9).await?.entries, []);
    Ok(())
}

async fn the_span_of_the_outbox_is_known(world: World) -> Outcome {
    let span = world.outbox_span().await?;
    assert_eq!((span.oldest, span.settled, span.newest), (None, 0, 0));
    for n in 0..3 {
        world.accept(facts(n, 0)).await?;
    }
    let read = world.read_events(0, 9).await?;
    let span = world.outbox_span().await?;
    assert_eq!(span.oldest, Some(read.entries[0].1.number));
    assert_eq!((span.settled, span.newest), (read.upto, read.upto));
    Ok(())
}

async fn a_commit_ends_the_wait_for_events(world: World) -> Outcome {
    let waiter = {
        let world = world.clone();
        tokio::spawn(async move { world.wait_for_events(Duration::from_mins(5)).await })
    };
    // What is committed before it waits may be missed: the promise is about what comes after.
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.accept(facts(1, 0)).await?;
    let woken = tokio::time::timeout(Duration::from_secs(10), waiter).await;
    assert!(woken.is_ok(), "the commit did not end the wait");
    Ok(())
}

/// Notices make no events, or there would be notices of notices.
async fn telling_is_not_told_of(world: World) -> Outcome {
    let notice = TaskFacts {
        kind: TaskKind::WebhookDeliver,
        ..facts(1, 0)
    };
    world.accept(notice).await?;
    assert_eq!(world.read_events(0, 9).await?.entries, []);
    Ok(())
}

async fn write_audit(world: &World, count: usize) -> Outcome {
    for n in 0..count {
        let workspace = if n % 2 == 0 { OURS } else { THEIRS };
        world
            .write_in(workspace, at(0), |c| {
                c.audit("patient.put", n.to_string(), AuditOutcome::Done);
            })
            .await?;
    }
    Ok(())
}

async fn the_audit_is_read_on_whosever_it_is(world: World) -> Outcome {
    write_audit(&world, 7).await?;
    let mut targets = Vec::new();
    let mut after = 0;
    loop {
        let page = world.read_audit(after, 3).await?;
        if page.entries.is_empty() {
            break;
        }
        assert_eq!(page.upto, page.entries.last().map_or(0, |(number, _)| *number));
        after = page.upto;
        targets.extend(page.entries.into_iter().map(|(_, entry)| entry.target));
    }
    assert_eq!(targets, ["0", "1", "2", "3", "4", "5", "6"]);
    Ok(())
}

async fn next_seal(world: &World, limit: usize) -> Result<AuditSeal, StoreError> {
    let last = world.last_seal().await?;
    let mut sealing = Sealing::after(last.as_ref());
    let after = last.map_or(0, |seal| seal.upto);
    for (number, entry) in world.read_audit(after, limit).await?.entries {
        sealing.add(number, &entry);
    }
    Ok(sealing.finish(at(1)))
}

async fn seals_make_one_chain(world: World) -> Outcome {
    assert_eq!(world.last_seal().await?, None);
    write_audit(&world, 7).await?;
    let mut seals = Vec::new();
    for _ in 0..3 {
        let seal = next_seal(&world, 3).await?;
        world.write(at(1), |c| c.seal_audit(seal.clone())).await?;
        assert_eq!(world.last_seal().await?, Some(seal.clone()));
        // Again, or in the place of another: it is not the next one.
        assert_conflict(world.write(at(1), |c| c.seal_audit(seal.clone())).await);
        seals.push(seal);
    }
    assert_eq!(
        seals.iter().map(|seal| seal.entries).collect::<Vec<_>>(),
        [3, 3, 1]
    );
    assert_eq!(world.list_seals(0, 9).await?, seals);
    assert_eq!(world.list_seals(1, 1).await?, seals[1..2]);
    let skipped = AuditSeal {
        number: 5,
        ..seals[0].clone()
    };
    assert_conflict(world.write(at(1), |c| c.seal_audit(skipped)).await);
    Ok(())
}

/// The chain does not fork.
async fn of_concurrent_seals_one_is_set(world: World) -> Outcome {
    write_audit(&world, 3).await?;
    let seal = next_seal(&world, 9).await?;
    let attempts: Vec<_> = (0..8)
        .map(|_| {
            let (world, seal) = (world.clone(), seal.clone());
            tokio::spawn(async move { world.write(at(1), |c| c.seal_audit(seal)).await })
        })
        .collect();
    let mut set = 0;
    for attempt in attempts {
        match attempt.await.expect("an attempt does not panic") {
            Ok(_) => set += 1,
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    assert_eq!(set, 1);
    assert_eq!(world.list_seals(0, 9).await?, [seal]);
    Ok(())
}

async fn a_secret_stays_the_first(world: World) -> Outcome {
    assert_eq!(world.find_secret("positions").await?, None);
    for n in 1..4 {
        world
            .write(at(0), |c| c.ensure_secret("positions", [n; 32]))
            .await?;
    }
    assert_eq!(world.find_secret("positions").await?, Some([1; 32]));
    assert_eq!(world.find_secret("other").await?, None);
    Ok(())
}
