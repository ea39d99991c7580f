//! A PostgreSQL that crashes and comes back under a running server.

use super::harness::data::OwnPostgres;
use super::harness::tenant::{ended, resource};
use super::harness::wait::LONG;
use super::harness::{Api, Data, Engine, Journey, Launch, Need, journey, until};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub fn journeys() -> Vec<Journey> {
    vec![
        journey!(a_restart_of_the_database_is_ridden_out_without_a_lost_task_or_a_burnt_attempt)
            .on(&[Engine::Postgres])
            .needs(&[Need::OwnPostgres]),
    ]
}

const RESTARTS: usize = 4;

#[derive(Default)]
struct Journal {
    /// Record and task of every write that was answered, 201 or 202.
    answered: Mutex<BTreeMap<String, String>>,
    answers: AtomicUsize,
    turned_away: AtomicUsize,
    over: AtomicBool,
}

async fn write(api: Api, journal: Arc<Journal>, of: &'static str, writer: usize) {
    for n in 0.. {
        if journal.over.load(Ordering::Relaxed) {
            return;
        }
        let record = format!("{of}/{writer}-{n}");
        let call = api.put(&resource(&record), json!({"data": {"of": record}}));
        let answer = if of == "later" {
            call.later().await
        } else {
            call.await
        };
        if answer.status == 503 {
            // "`Retry-After` on 202, 429 and 503."
            let answer = answer.refused(503, "INTERNAL", &[]);
            answer
                .header("retry-after")
                .parse::<u32>()
                .expect("whole seconds");
            journal.turned_away.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(10)).await;
        } else {
            let answer = answer.is(if of == "later" { 202 } else { 201 });
            journal.answered.lock().unwrap().insert(record, answer.task());
            journal.answers.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Issue 2, done when 6: "a PostgreSQL restart is ridden out without a lost task or a burnt attempt."
async fn a_restart_of_the_database_is_ridden_out_without_a_lost_task_or_a_burnt_attempt(_: Engine) {
    let postgres = OwnPostgres::start().await;
    let server = Launch::on(Data::at(postgres.url().to_owned())).start().await;
    let (api, pid) = (server.api(), server.pid());
    let journal = Arc::new(Journal::default());
    let writers: Vec<_> = ["now", "later", "later"]
        .into_iter()
        .enumerate()
        .map(|(writer, of)| tokio::spawn(write(api.clone(), Arc::clone(&journal), of, writer)))
        .collect();
    let answers = async |more: usize| {
        let before = journal.answers.load(Ordering::Relaxed);
        until("writes are answered again", LONG, async || {
            (journal.answers.load(Ordering::Relaxed) >= before + more).then_some(())
        })
        .await;
    };
    for restart in 0..RESTARTS {
        answers(100 + 20 * restart).await;
        postgres.restart().await;
    }
    answers(100).await;
    journal.over.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(
        journal.turned_away.load(Ordering::Relaxed) > 0,
        "no restart was noticed"
    );
    api.get("/health/ready").await.is(200);
    assert_eq!(
        (server.ended(), server.pid()),
        (None, pid),
        "it was never restarted"
    );

    let answered = journal.answered.lock().unwrap().clone();
    for (record, task) in &answered {
        assert_eq!(ended(&api, task).await["status"], "SUCCESS", "{record}");
        assert_eq!(
            api.get(&resource(record)).await.is(200).json()["data"]["of"],
            json!(record)
        );
        let seen = api.get(&format!("/ops/v1/tasks/{task}")).await.is(200).json();
        let attempts = seen["attempts"].as_array().unwrap();
        let burnt = attempts.iter().any(|attempt| attempt.get("error").is_some());
        assert!(attempts.len() == 1 && !burnt, "an attempt was burnt: {seen}");
    }
    println!(
        "{} writes answered, {} turned away",
        answered.len(),
        journal.turned_away.load(Ordering::Relaxed)
    );
}
