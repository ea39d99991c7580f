//! `kill -9` while patients live, and while work is due.

use super::clinic::{Clinic, KINDS, World, delivery, items};
use super::expect::{assert_legal, path};
use crate::e2e::harness::wait::LONG;
use crate::e2e::harness::{Call, Data, Engine, Journey, journey, until};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub fn journeys() -> Vec<Journey> {
    vec![journey!(
        line_29_what_was_answered_outlives_a_crash_and_what_is_due_happens_once
    )]
}

/// How much has to be answered between a start and the next kill.
const ANSWERS: [usize; 8] = [3, 40, 1, 25, 60, 8, 33, 15];
const CLIENTS: usize = 4;
/// Where lives end, in turn.
const GOALS: [&str; 5] = ["STP", "ACT", "SUS", "STP", "PRE"];

/// A patient, and what is known of it.
#[derive(Clone, Default)]
struct Life {
    patient: i64,
    search: Option<i64>,
    /// The statuses that were answered.
    answered: Vec<&'static str>,
    /// That may or may not have come true: the last call had no answer.
    doubtful: bool,
    /// Whether the delivery was answered, if there was one.
    delivered: Option<bool>,
}

#[derive(Default)]
struct Journal {
    lives: Mutex<Vec<Life>>,
    answers: AtomicUsize,
    over: AtomicBool,
}

impl Journal {
    /// The answer, if there was one of that status.
    async fn ask(&self, call: Call, status: u16) -> Option<Value> {
        let answer = call.attempt().await.ok()?;
        if answer.status >= 500 {
            return None;
        }
        let answer = answer.is(status);
        self.answers.fetch_add(1, Ordering::Relaxed);
        Some(serde_json::from_str(&answer.text).unwrap_or_default())
    }

    /// As far as it gets.
    async fn live(&self, clinic: &Clinic, goal: &str) -> Option<Life> {
        let body = serde_json::json!({"hla": super::clinic::hla()});
        let made = self.ask(clinic.post("/patients", body), 201).await?;
        let mut life = Life {
            patient: made["wmdaId"].as_i64()?,
            answered: vec!["NEW"],
            doubtful: true,
            ..Life::default()
        };
        let Some(made) = self.ask(clinic.search_call(life.patient), 201).await else {
            return Some(life);
        };
        life.answered.push("PRE");
        life.search = made["searchId"].as_i64();
        life.delivered = Some(false);
        let call = clinic.deliver(life.search?, delivery());
        if self.ask(call, 200).await.is_none() {
            return Some(life);
        }
        life.delivered = Some(true);
        for to in ["ACT", "SUS", "ACT", "SUS", "STP"] {
            if life.answered.last() == Some(&goal) && goal != "STP" {
                break;
            }
            let call = clinic.change(life.patient, to, (to == "STP").then_some("FND"));
            if self.ask(call, 200).await.is_none() {
                return Some(life);
            }
            life.answered.push(to);
        }
        life.doubtful = false;
        Some(life)
    }

    async fn live_on_and_on(self: Arc<Self>, clinic: Clinic, client: usize) {
        for n in client.. {
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            match self.live(&clinic, GOALS[n % GOALS.len()]).await {
                Some(life) => self.lives.lock().unwrap().push(life),
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

/// "After a crash at any moment, every answered change is there with its history entry, and results are either all there
/// or, with STP, all gone; due stops, refreshes and anonymisations happen after the start, once."
async fn line_29_what_was_answered_outlives_a_crash_and_what_is_due_happens_once(engine: Engine) {
    let data = Arc::new(Data::fresh(engine).await);
    let mut world = World::started(World::launch(&data).set("worker.lease=2s")).await;
    let clinic = world.clinic.clone();
    let journal = Arc::new(Journal::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| tokio::spawn(Arc::clone(&journal).live_on_and_on(clinic.clone(), client)))
        .collect();
    for wanted in ANSWERS {
        let before = journal.answers.load(Ordering::Relaxed);
        until("calls are answered again", LONG, async || {
            (journal.answers.load(Ordering::Relaxed) >= before + wanted).then_some(())
        })
        .await;
        world.server.kill().await;
        world.server.start_again().await;
    }
    journal.over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("it does not panic");
    }
    let lives = journal.lives.lock().unwrap().clone();
    assert!(lives.iter().any(|life| life.doubtful), "no kill hit anybody");
    let mut alive = Vec::new();
    for life in &lives {
        let status = assert_kept(&clinic, life).await;
        if status != "STP" {
            alive.push((life.patient, status));
        }
    }
    assert!(alive.iter().any(|(_, status)| status == "ACT"));
    assert_all_have_histories(&clinic).await;
    due_work_happens_once(&mut world, &alive).await;
    anonymised_once(&mut world, &lives).await;
}

async fn assert_kept(clinic: &Clinic, life: &Life) -> String {
    let history = clinic.history(life.patient).await;
    assert_legal(&history);
    let steps: Vec<_> = path(&history).into_iter().map(|(status, _)| status).collect();
    let known = life.answered.len();
    assert!(
        steps.len() >= known && steps[..known] == life.answered[..],
        "{steps:?} {:?}",
        life.answered
    );
    assert!(
        steps.len() - known <= usize::from(life.doubtful),
        "{steps:?} {:?}",
        life.answered
    );
    let status = clinic.status(life.patient).await;
    assert_eq!(Some(&status), steps.last());
    let Some(search) = life.search else { return status };
    let mut totals = Vec::new();
    for kind in KINDS {
        let answer = clinic.results(kind, search).await;
        if status == "STP" {
            answer.fault(404, "resultsDeleted");
        } else if answer.status == 409 {
            assert_eq!(life.delivered, Some(false), "{}", answer.text);
            answer.fault(409, "searchNotCompleted");
        } else {
            totals.push(answer.is(200).json()["paging"]["totalCount"].as_u64().unwrap());
        }
    }
    if status != "STP" {
        let all = totals == [2, 1, 1, 1, 3];
        let none = totals.iter().sum::<u64>() == 0 && life.delivered == Some(false);
        assert!(all || none, "a part of a delivery: {totals:?}");
    }
    status
}

async fn listed(clinic: &Clinic) -> Vec<i64> {
    let page = clinic.list("?limit=1000").await;
    items(&page, "patients")
        .iter()
        .map(|one| one["wmdaId"].as_i64().unwrap())
        .collect()
}

/// Also those whose registration had no answer.
async fn assert_all_have_histories(clinic: &Clinic) {
    for patient in listed(clinic).await {
        assert_legal(&clinic.history(patient).await);
    }
}

/// Killed as soon as the clock has moved.
async fn move_and_kill(world: &mut World, by: &str) {
    world.advance(by).await;
    world.server.kill().await;
    world.server.start_again().await;
}

async fn due_work_happens_once(world: &mut World, alive: &[(i64, String)]) {
    let clinic = world.clinic.clone();
    move_and_kill(world, "P1D").await;
    for (patient, status) in alive {
        let refreshed = async || clinic.done(*patient, "search.refresh.daily").await.len();
        if status == "ACT" {
            until("it is refreshed", LONG, async || {
                (refreshed().await > 0).then_some(())
            })
            .await;
        }
        assert_eq!(refreshed().await, usize::from(status == "ACT"));
    }
    // Reading the results was an activity: so the stops are due 42 days from now.
    move_and_kill(world, "P42D").await;
    for (patient, status) in alive {
        clinic.until_status(*patient, "STP").await;
        let history = clinic.history(*patient).await;
        assert_legal(&history);
        let stops: Vec<_> = history.iter().filter(|entry| entry["to"] == "STP").collect();
        assert_eq!(stops.len(), 1, "{history:?}");
        assert_eq!(
            (&stops[0]["from"], &stops[0]["reason"]),
            (&status.as_str().into(), &"AUT".into())
        );
    }
}

async fn anonymised_once(world: &mut World, lives: &[Life]) {
    let clinic = world.clinic.clone();
    let patients: BTreeSet<_> = lives.iter().map(|life| life.patient).collect();
    let mut histories = Vec::new();
    for patient in &patients {
        histories.push(clinic.history(*patient).await);
    }
    move_and_kill(world, "P190D").await;
    until("all are anonymised", LONG, async || {
        listed(&clinic).await.is_empty().then_some(())
    })
    .await;
    for (patient, history) in patients.iter().zip(histories) {
        assert_eq!(clinic.history(*patient).await, history);
        clinic
            .get(&format!("/patients/{patient}"))
            .await
            .fault(404, "notFound");
    }
}
