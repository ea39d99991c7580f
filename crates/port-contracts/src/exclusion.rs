//! Real concurrency: of two that want the same, one gets it, and nobody else is hurt.

use crate::fixture::{Contract, Outcome};
use crate::samples::{OURS, at, changes, credential, facts, keyed, resource, task_id};
use crate::world::{World, transition};
use caretrack_domain::{NewTask, Task, TaskCommand, TaskStatus};
use caretrack_ports::{Changes, Committed, Place, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

pub(crate) const CONTRACTS: &[Contract] = &[
    ("eight_claimers_keep_the_order_of_every_key", |w| {
        Box::pin(eight_claimers_keep_the_order_of_every_key(w))
    }),
    ("two_claimers_never_get_one_task", |w| {
        Box::pin(two_claimers_never_get_one_task(w))
    }),
    ("a_thousand_commits_at_once_succeed", |w| {
        Box::pin(a_thousand_commits_at_once_succeed(w))
    }),
    ("one_of_many_writers_of_a_record_wins", |w| {
        Box::pin(one_of_many_writers_of_a_record_wins(w))
    }),
    ("one_of_many_writers_of_a_new_record_wins", |w| {
        Box::pin(one_of_many_writers_of_a_new_record_wins(w))
    }),
    ("one_of_many_commands_to_a_task_wins", |w| {
        Box::pin(one_of_many_commands_to_a_task_wins(w))
    }),
    ("one_of_many_owners_of_a_name_wins", |w| {
        Box::pin(one_of_many_owners_of_a_name_wins(w))
    }),
    ("a_refused_commit_fails_alone", |w| {
        Box::pin(a_refused_commit_fails_alone(w))
    }),
];

/// Commits all of them at once, each on its own task of the runtime; the results are in their order.
async fn at_once(world: &World, all: Vec<Changes>) -> Vec<Result<Committed, StoreError>> {
    let running: Vec<_> = all
        .into_iter()
        .map(|changes| {
            let world = world.clone();
            tokio::spawn(async move { world.commit(changes).await })
        })
        .collect();
    let mut results = Vec::new();
    for commit in running {
        results.push(commit.await.expect("a commit does not panic"));
    }
    results
}

/// The index of the one that succeeded; every other one failed as `why` says.
fn only_winner(results: &[Result<Committed, StoreError>], why: fn(&StoreError) -> bool) -> usize {
    let winners: Vec<usize> = (0..results.len()).filter(|n| results[*n].is_ok()).collect();
    assert_eq!(winners.len(), 1, "exactly one wins: {results:?}");
    let mut errors = results.iter().filter_map(|result| result.as_ref().err());
    assert!(errors.all(why), "the others lose for that reason: {results:?}");
    winners[0]
}

fn conflict(error: &StoreError) -> bool {
    matches!(error, StoreError::Conflict)
}

fn duplicate(error: &StoreError) -> bool {
    matches!(error, StoreError::Duplicate)
}

/// Fenced by versions: of sixteen that saw the same version exactly one is applied.
async fn one_of_many_writers_of_a_record_wins(world: World) -> Outcome {
    for round in 0..8 {
        let seen = world.put("r0", &format!("[{round}]"), at(0)).await?;
        let write = |n: usize| {
            let mut c = changes(OURS, at(1));
            if n == 7 {
                c.delete_resource(OURS, &seen, Place::AtCommit);
            } else {
                let after = resource("r0", n.to_string(), at(1));
                c.put_resource(OURS, Some(&seen), Place::AtCommit, after);
            }
            c
        };
        let results = at_once(&world, (0..16).map(write).collect()).await;
        let winner = only_winner(&results, conflict);
        let stored = world.record("r0").await?.expect("there is a record, or its mark");
        let data = stored.resource.map(|resource| resource.data);
        assert_eq!(data, (winner != 7).then(|| winner.to_string()));
    }
    Ok(())
}

/// The same where there is no version yet.
async fn one_of_many_writers_of_a_new_record_wins(world: World) -> Outcome {
    for round in 0..8 {
        let id = format!("new-{round}");
        let write = |n: usize| {
            let mut c = changes(OURS, at(1));
            let after = resource(&id, n.to_string(), at(1));
            c.put_resource(OURS, None, Place::AtCommit, after);
            c
        };
        let results = at_once(&world, (0..16).map(write).collect()).await;
        let winner = only_winner(&results, conflict);
        let stored = world.record(&id).await?.and_then(|stored| stored.resource);
        assert_eq!(stored.map(|resource| resource.data), Some(winner.to_string()));
    }
    Ok(())
}

/// An accepted task takes one step at a time, whoever asks.
async fn one_of_many_commands_to_a_task_wins(world: World) -> Outcome {
    let task = world.accept(facts(1, 0)).await?;
    let cancel = transition(&task, TaskCommand::Cancel, at(1));
    let commands = vec![changes(OURS, at(1)); 16].into_iter().map(|mut c| {
        c.record_task(cancel.clone());
        c
    });
    let results = at_once(&world, commands.collect()).await;
    only_winner(&results, conflict);
    let task = world.task(task_id(1)).await?;
    assert_eq!((task.status(), task.revision()), (TaskStatus::Cancelled, 1));
    Ok(())
}

/// A unique name has one owner, also when many ask for it at once.
async fn one_of_many_owners_of_a_name_wins(world: World) -> Outcome {
    let claim = |n: u128| {
        let mut c = changes(OURS, at(1));
        c.insert_credential(credential(n, 9));
        c
    };
    let results = at_once(&world, (1..=16).map(claim).collect()).await;
    let winner = only_winner(&results, duplicate);
    let owners = world.list_credentials(OURS, None, 99).await?;
    assert_eq!(owners.len(), 1);
    assert_eq!(owners[0], credential(u128::try_from(winner + 1).unwrap_or(0), 9));
    Ok(())
}

/// Commits that an adapter puts into one transaction do not share their fate.
async fn a_refused_commit_fails_alone(world: World) -> Outcome {
    let stale = world.put("r0", "1", at(0)).await?;
    world.put("r0", "2", at(0)).await?;
    world
        .write(at(0), |c| c.insert_credential(credential(1, 1)))
        .await?;
    let commit = |n: u32| {
        let mut c = changes(OURS, at(1));
        c.insert_task(NewTask::accepted(facts(n, 1), Vec::new()));
        c.put_resource(
            OURS,
            None,
            Place::AtCommit,
            resource(&format!("own-{n}"), "{}", at(1)),
        );
        match n {
            50 => c.put_resource(OURS, Some(&stale), Place::AtCommit, resource("r0", "3", at(1))),
            70 => c.insert_credential(credential(2, 1)),
            _ => {}
        }
        c
    };
    let results = at_once(&world, (0..100).map(commit).collect()).await;
    for (n, result) in (0..).zip(results) {
        let stored = world.find_task(OURS, task_id(n)).await?;
        let record = world.record(&format!("own-{n}")).await?;
        assert_eq!(
            (stored.is_some(), record.is_some()),
            (result.is_ok(), result.is_ok())
        );
        match n {
            50 => assert!(result.is_err_and(|e| conflict(&e)), "the stale one conflicts"),
            70 => assert!(
                result.is_err_and(|e| duplicate(&e)),
                "the second owner is refused"
            ),
            _ => assert!(result.is_ok(), "commit {n} did nothing wrong: {result:?}"),
        }
    }
    Ok(())
}

/// Many commits at once are what the store is built for: all succeed, all get their own numbers.
async fn a_thousand_commits_at_once_succeed(world: World) -> Outcome {
    let commit = |n: u32| {
        let mut c = changes(OURS, at(1));
        c.insert_task(NewTask::accepted(facts(n, 1), Vec::new()));
        c.put_resource(
            OURS,
            None,
            Place::AtCommit,
            resource(&format!("r-{n}"), "{}", at(1)),
        );
        c
    };
    let results = at_once(&world, (0..1_000).map(commit).collect()).await;
    let mut numbers = BTreeSet::new();
    for (n, result) in (0..).zip(results) {
        let committed = result?;
        let record = world.record(&format!("r-{n}")).await?.expect("it was put");
        let task = world.task(task_id(n)).await?;
        assert_eq!(record.version, committed.version(0));
        assert_eq!(task.place(), committed.version(1));
        numbers.extend([record.version, task.place()]);
    }
    assert_eq!(numbers.len(), 2_000, "no number is given twice");
    Ok(())
}

/// A claim is atomic: eight claimers share five hundred tasks, none of them twice, none left.
async fn two_claimers_never_get_one_task(world: World) -> Outcome {
    for hundred in 0..5 {
        let tasks = (hundred * 100..(hundred + 1) * 100).map(|n| NewTask::accepted(facts(n, 0), Vec::new()));
        world
            .write(at(0), |c| tasks.for_each(|task| c.insert_task(task)))
            .await?;
    }
    let claimers: Vec<_> = (0..8)
        .map(|claimer| {
            let world = world.clone();
            tokio::spawn(async move {
                let mut mine = Vec::new();
                // Another's transaction may hide what it is about to take, so nothing found is not yet the end.
                while !world.list_queued(OURS).await?.is_empty() {
                    let claimed = world.take(7, 0x70 + claimer, at(1)).await?;
                    mine.extend(claimed.tasks.into_iter().map(|claimed| claimed.task));
                }
                Ok::<_, StoreError>(mine)
            })
        })
        .collect();
    let mut taken: BTreeMap<_, Task> = BTreeMap::new();
    for claimer in claimers {
        for task in claimer.await.expect("a claimer does not panic")? {
            let other = taken.insert(task.id(), task);
            assert_eq!(other, None, "a task was handed out twice");
        }
    }
    assert_eq!(taken.len(), 500);
    for task in taken.values() {
        assert_eq!(
            world.task(task.id()).await?,
            *task,
            "the lease stored is the one handed out"
        );
    }
    Ok(())
}

/// What each key has running, and which of its tasks is next.
#[derive(Default)]
struct Watch(Mutex<BTreeMap<String, (bool, u32)>>);

impl Watch {
    fn starts(&self, key: &str, nth: u32) {
        let mut keys = self.0.lock().expect("no claimer has panicked");
        let (running, next) = keys.entry(key.to_owned()).or_default();
        assert!(!*running, "two of {key} run together");
        assert_eq!(*next, nth, "{key} is out of order");
        (*running, *next) = (true, nth + 1);
    }

    fn ends(&self, key: &str) {
        let mut keys = self.0.lock().expect("no claimer has panicked");
        keys.entry(key.to_owned()).or_default().0 = false;
    }
}

const KEYS: u32 = 200;
const PER_KEY: u32 = 4;

/// Promise 4: two tasks with one ordering key are never run together nor out of order.
async fn eight_claimers_keep_the_order_of_every_key(world: World) -> Outcome {
    // Accepted while the claimers are at work already, each round of all keys in commits of fifty.
    let acceptor = {
        let world = world.clone();
        tokio::spawn(async move {
            for nth in 0..PER_KEY {
                for from in (0..KEYS).step_by(50) {
                    let tasks = (from..from + 50)
                        .map(|key| keyed(nth * KEYS + key, 0, &format!("key-{key}")))
                        .map(|facts| NewTask::accepted(facts, Vec::new()));
                    world
                        .write(at(0), |c| tasks.for_each(|task| c.insert_task(task)))
                        .await?;
                }
            }
            Ok::<_, StoreError>(())
        })
    };
    let watch = Arc::new(Watch::default());
    let claimers: Vec<_> = (0..8)
        .map(|claimer| {
            let (world, watch) = (world.clone(), Arc::clone(&watch));
            tokio::spawn(async move { work_off(&world, &watch, 0x70 + claimer).await })
        })
        .collect();
    acceptor.await.expect("the acceptor does not panic")?;
    for claimer in claimers {
        claimer.await.expect("a claimer does not panic")?;
    }
    let watch = watch.0.lock().expect("no claimer has panicked");
    assert_eq!(watch.len(), usize::try_from(KEYS).unwrap_or(0));
    assert!(
        watch.values().all(|state| *state == (false, PER_KEY)),
        "every task of every key ran"
    );
    Ok(())
}

async fn work_off(world: &World, watch: &Watch, token: u128) -> Outcome {
    let last = |key: u32| task_id((PER_KEY - 1) * KEYS + key);
    let mut ended = 0;
    // All is done when the last task of every key is; they end in any order, so each is looked for in turn.
    while ended < KEYS {
        let claimed = world.take(6, token, at(1)).await?.tasks;
        if claimed.is_empty() {
            let task = world.find_task(OURS, last(ended)).await?;
            ended += u32::from(task.is_some_and(|task| task.status().is_terminal()));
            tokio::task::yield_now().await;
        }
        let tasks: Vec<Task> = claimed.into_iter().map(|claimed| claimed.task).collect();
        for task in &tasks {
            let (key, nth) = key_and_turn(task);
            watch.starts(&key, nth);
        }
        for task in tasks {
            watch.ends(&key_and_turn(&task).0);
            let done = transition(&task, crate::samples::complete(&task), at(2));
            world.write(at(2), |c| c.record_task(done)).await?;
        }
    }
    Ok(())
}

fn key_and_turn(task: &Task) -> (String, u32) {
    let n = u32::try_from(task.id().0.as_u128()).unwrap_or(u32::MAX);
    let key = task.facts().ordering_key.as_ref().map(|key| key.0.clone());
    (key.unwrap_or_default(), n / KEYS)
}
