//! Random calls and moves of the clock, each answered as the model of the spec says (issue 5, done when 2).
//!
//! `CARETRACK_WALK_SECONDS` makes it longer, `CARETRACK_WALK_SEED` has the same walk again; a failure tells its seed and
//! the last steps.

mod state;

use super::clinic::{PATIENCE, UNKNOWN, World, hla, items};
use super::model::{Hours, Model, Refused, STATUSES, Update};
use crate::e2e::harness::{Answer, Call, Engine, Journey, journey};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub fn journeys() -> Vec<Journey> {
    vec![journey!(random_calls_are_answered_as_the_model_says).lasting(lasting())]
}

const PEOPLE: usize = 10;
/// The model's time is exact for so long.
const LEG: Duration = Duration::from_mins(20);
const NAMES: [&str; 3] = ["98761111A", "98762222B", "98763333C"];

fn setting(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().expect("a number"))
}

fn lasting() -> Duration {
    Duration::from_secs(setting("CARETRACK_WALK_SECONDS").unwrap_or(25))
}

/// xorshift64*: good enough to walk by, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).expect("31 bits") % sides
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())]
    }

    fn in_so_many(&mut self, times: usize) -> bool {
        self.roll(times) == 0
    }
}

struct Walk {
    world: World,
    model: Model,
    dice: Dice,
    /// Numbers records and versions, so that none comes again.
    made: u32,
    /// The last ones.
    steps: VecDeque<String>,
}

async fn random_calls_are_answered_as_the_model_says(engine: Engine) {
    let seed = setting("CARETRACK_WALK_SEED").unwrap_or_else(|| u64::from(std::process::id()) * 7_919 + 1);
    println!("{} walks with CARETRACK_WALK_SEED={seed}", engine.name());
    let (began, mut dice, mut count) = (Instant::now(), Dice(seed | 1), 0);
    while began.elapsed() < lasting() {
        let leg = lasting().saturating_sub(began.elapsed()).min(LEG);
        let (end, mut walk) = (Instant::now() + leg, Walk::begin(engine, dice).await);
        while Instant::now() < end {
            let step = std::panic::AssertUnwindSafe(walk.step());
            if let Err(panic) = futures::FutureExt::catch_unwind(step).await {
                let steps: Vec<_> = walk.steps.into_iter().collect();
                eprintln!("seed {seed}, step {count}, the last steps:\n{}", steps.join("\n"));
                std::panic::resume_unwind(panic);
            }
            count += 1;
        }
        println!(
            "{}: {count} steps, {} patients",
            engine.name(),
            walk.model.patients.len()
        );
        dice = walk.dice;
    }
    assert!(count > 50, "that was no walk: {count} steps");
}

impl Walk {
    async fn begin(engine: Engine, dice: Dice) -> Self {
        let world = World::manual(engine).await;
        // From a quarter past an hour on no leg crosses midnight, by whatever hours the clock is moved meanwhile.
        let now = world.now().await;
        let past =
            time::Duration::minutes(now.minute().into()) + time::Duration::seconds(now.second().into());
        let base = world.advance_to(now - past + time::Duration::minutes(75)).await;
        Self {
            world,
            model: Model::new(base),
            dice,
            made: 0,
            steps: VecDeque::new(),
        }
    }

    async fn step(&mut self) {
        let living = self
            .model
            .patients
            .values()
            .filter(|patient| !patient.anonymised)
            .count();
        let patient = self.somebody();
        match self.dice.roll(100) {
            0..14 if living < PEOPLE => self.register().await,
            0..36 => self.change(patient).await,
            36..48 => self.update(patient).await,
            48..52 => self.assign(patient).await,
            52..62 => self.search(patient).await,
            62..66 => self.view(patient).await,
            66..82 => match self.search_of(patient) {
                Some(search) => self.at_search(patient, search).await,
                None => self.search(patient).await,
            },
            82..87 => self.refresh(patient).await,
            87..92 => self.list().await,
            _ => self.advance().await,
        }
        if let Some(difference) = self.difference(&[patient]).await {
            panic!("{difference}");
        }
    }

    fn somebody(&mut self) -> i64 {
        let all: Vec<_> = self.model.patients.keys().copied().collect();
        if all.is_empty() || self.dice.in_so_many(40) {
            return UNKNOWN;
        }
        // The anonymised ones, who become many, are asked for less.
        (0..3).fold(UNKNOWN, |chosen, _| match self.model.patients.get(&chosen) {
            Some(patient) if !patient.anonymised => chosen,
            _ => self.dice.one_of(&all),
        })
    }

    fn search_of(&mut self, patient: i64) -> Option<i64> {
        let searches = &self.model.patients.get(&patient)?.searches;
        let chosen = self.dice.roll(searches.len().max(1));
        searches.get(chosen).map(|search| search.id)
    }

    async fn ask<T>(
        &mut self,
        call: Call,
        told: &str,
        expected: &Result<T, Refused>,
        success: u16,
    ) -> Answer {
        let hours = self.model.now;
        let answer = call.await;
        self.steps.push_back(format!(
            "at {hours} h: {} {told} -> {} {}",
            answer.what(),
            answer.status,
            answer.text
        ));
        if self.steps.len() > 40 {
            self.steps.pop_front();
        }
        match expected {
            Ok(_) => answer.is(success),
            Err(refused) => match refused.current {
                Some(current) => answer.refused_in(current, refused.code),
                None => answer.fault(refused.status, refused.code),
            },
        }
    }

    async fn register(&mut self) {
        let (terms, local) = (self.dice.in_so_many(2), self.dice.one_of(&NAMES).to_owned());
        let weight = i64::try_from(1 + self.dice.roll(999)).ok();
        let body = json!({"hla": hla(), "legalTerms": terms, "patientId": local, "weight": weight});
        let expected = self.model.may_register(terms, Some(&local));
        let call = self.world.clinic.post("/patients", body.clone());
        let answer = self.ask(call, &body.to_string(), &expected, 201).await;
        if expected.is_ok() {
            let patient = answer.json()["wmdaId"].as_i64().expect("a number");
            self.model.registered(patient, terms, Some(local), weight);
        }
    }

    async fn change(&mut self, patient: i64) {
        let to = self.dice.one_of(&[
            "NEW", "PRE", "ACT", "ACT", "ACT", "SUS", "SUS", "STP", "STP", "ANO",
        ]);
        let reason = self.dice.one_of(&[
            None,
            None,
            Some("FND"),
            Some("OTH"),
            Some("PDC"),
            Some("NPH"),
            Some("AUT"),
            Some("x"),
        ]);
        let expected = self.model.change(patient, to, reason);
        let call = self.world.clinic.change(patient, to, reason);
        let answer = self
            .ask(call, &format!("{patient} {to} {reason:?}"), &expected, 200)
            .await;
        if let Ok(stored) = expected {
            assert_eq!(
                answer.json(),
                json!({"wmdaId": patient, "status": to, "changeReason": stored})
            );
        }
    }

    async fn update(&mut self, patient: i64) {
        let mut body = json!({"wmdaId": patient});
        let mut update = Update::default();
        if self.dice.in_so_many(3) {
            let weight = [None, Some(50), Some(60)][self.dice.roll(3)];
            (body["weight"], update.weight) = (json!(weight), weight.into());
        }
        if self.dice.in_so_many(3) {
            let ethnicity = [None, Some("AF"), Some("CAEU")][self.dice.roll(3)];
            (body["ethnicity"], update.ethnicity) = (json!(ethnicity), ethnicity.map(str::to_owned).into());
        }
        if self.dice.in_so_many(4) {
            let terms = [None, Some(false), Some(true), Some(true)][self.dice.roll(4)];
            (body["legalTerms"], update.terms) = (json!(terms), Some(terms == Some(true)));
        }
        if self.dice.in_so_many(4) {
            let local = self.dice.one_of(&NAMES).to_owned();
            (body["patientId"], update.local) = (json!(local), Some(local));
        }
        let before = self.refreshed(patient).await;
        let expected = self.model.update(patient, &update);
        let call = self.world.clinic.put("/patients", body.clone());
        self.ask(call, &body.to_string(), &expected, 204).await;
        if expected == Ok(true) {
            self.until_refreshed(patient, &before).await;
        }
    }

    async fn assign(&mut self, patient: i64) {
        let user = [None, Some("j.demo"), Some("q.other")][self.dice.roll(3)].map(str::to_owned);
        let expected = self.model.assign(patient, user.clone());
        let body = json!({"wmdaId": patient, "userName": user});
        let call = self.world.clinic.put("/patients/user", body.clone());
        self.ask(call, &body.to_string(), &expected, 200).await;
    }

    async fn search(&mut self, patient: i64) {
        let expected = self.model.may_search(patient);
        let call = self.world.clinic.search_call(patient);
        let answer = self.ask(call, &patient.to_string(), &expected, 201).await;
        if expected.is_ok() {
            let search = answer.json()["searchId"].as_i64().expect("a number");
            self.model.searched(patient, search);
            self.world.clinic.until_search(patient, search, "COMPLETED").await;
        }
    }

    async fn view(&mut self, patient: i64) {
        let expected = self.model.view(patient);
        let call = self.world.clinic.get(&format!("/patients/{patient}"));
        let answer = self.ask(call, "", &expected, 200).await;
        if expected.is_ok() {
            let (seen, known) = (answer.json(), &self.model.patients[&patient]);
            assert_eq!(seen["weight"], json!(known.weight), "{seen}");
            assert_eq!(seen["legalTerms"], known.terms, "{seen}");
        }
    }

    /// What can be done with a search.
    async fn at_search(&mut self, patient: i64, search: i64) {
        match self.dice.roll(8) {
            0..2 => {
                let expected = self.model.view(patient);
                let call = self.world.clinic.summary(search);
                let answer = self.ask(call, "", &expected, 200).await;
                if expected.is_ok() {
                    self.assert_summary(patient, search, &answer.json());
                }
            }
            2..5 => {
                let expected = self.model.results(patient, search);
                let call = self.world.clinic.results("donors", search);
                let answer = self.ask(call, &search.to_string(), &expected, 200).await;
                if let Ok(donors) = expected {
                    let donor = |donor: &super::model::Donor| json!([donor.id, donor.version, donor.flag]);
                    let record = |record: &Value| json!([record["id"], record["v"], record["recordFlag"]]);
                    let sorted = |mut all: Vec<Value>| {
                        all.sort_by_key(Value::to_string);
                        all
                    };
                    let seen = items(&answer.json(), "searchResults")
                        .iter()
                        .map(record)
                        .collect();
                    assert_eq!(sorted(seen), sorted(donors.iter().map(donor).collect()));
                }
            }
            _ => self.deliver(patient, search).await,
        }
    }

    fn assert_summary(&self, patient: i64, search: i64, shown: &Value) {
        let known = &self.model.patients[&patient];
        let known = known
            .searches
            .iter()
            .find(|one| one.id == search)
            .expect("it is known");
        assert_eq!(shown["terminated"], known.terminated, "{shown}");
        assert_eq!(shown["statistics"]["donors"], known.count, "{shown}");
        assert_eq!(shown["status"], "COMPLETED", "{shown}");
    }

    /// Some of the records as before, some changed, some new; those left out never come again.
    async fn deliver(&mut self, patient: i64, search: i64) {
        let searches = &self.model.patients[&patient].searches;
        let known = searches.iter().find(|one| one.id == search).expect("it is known");
        let last: Vec<_> = known
            .donors
            .iter()
            .filter(|donor| donor.flag != Some("DELETED"))
            .cloned()
            .collect();
        let mut records = Vec::new();
        for donor in last {
            if !self.dice.in_so_many(4) {
                let changed = self.dice.in_so_many(3);
                self.made += u32::from(changed);
                records.push((donor.id, if changed { self.made } else { donor.version }));
            }
        }
        for _ in 0..self.dice.roll(3) {
            self.made += 1;
            records.push((format!("D-{}", self.made), self.made));
        }
        let shown: Vec<_> = records
            .iter()
            .map(|(id, version)| json!({"id": id, "v": version}))
            .collect();
        let expected = self.model.deliver(patient, search, &records);
        let body = json!({"donors": shown});
        let call = self.world.clinic.deliver(search, body.clone());
        self.ask(call, &body.to_string(), &expected, 200).await;
    }

    async fn refresh(&mut self, patient: i64) {
        let before = self.refreshed(patient).await;
        let expected = self.model.refresh(patient);
        let body = json!({"wmdaId": patient});
        let call = self
            .world
            .clinic
            .post("/searches/refreshAllPatientSearches", body);
        let answer = self.ask(call, &patient.to_string(), &expected, 202).await;
        if let Ok(mut searches) = expected {
            let mut told: Vec<_> = items(&answer.json(), "searchIds")
                .iter()
                .filter_map(Value::as_i64)
                .collect();
            told.sort_unstable();
            searches.sort_unstable();
            assert_eq!(told, searches);
            self.until_refreshed(patient, &before).await;
        }
    }

    async fn list(&mut self) {
        let statuses: Vec<_> = STATUSES.into_iter().filter(|_| self.dice.in_so_many(2)).collect();
        let (limit, offset) = (1 + self.dice.roll(PEOPLE), self.dice.roll(5));
        let filter = if statuses.is_empty() {
            String::new()
        } else {
            format!("&status={}", statuses.join("|"))
        };
        let all = if statuses.is_empty() {
            STATUSES.to_vec()
        } else {
            statuses
        };
        let expected = self.model.listed(&all);
        let page = self
            .world
            .clinic
            .list(&format!("?limit={limit}&offset={offset}{filter}"))
            .await;
        assert_eq!(page["paging"]["totalCount"], expected.len(), "{page}");
        let ids: Vec<_> = items(&page, "patients")
            .iter()
            .map(|one| one["wmdaId"].as_i64().unwrap())
            .collect();
        let expected: Vec<_> = expected.into_iter().skip(offset).take(limit).collect();
        assert_eq!(ids, expected, "{all:?}");
    }

    /// Moves the clock; what is due by then happens, and nothing else.
    async fn advance(&mut self) {
        const DAY: Hours = 24;
        let by = self.dice.one_of(&[
            1,
            1,
            7,
            DAY,
            DAY,
            2 * DAY,
            5 * DAY,
            20 * DAY,
            42 * DAY - 1,
            42 * DAY,
            100 * DAY,
            181 * DAY,
        ]);
        let mut before = Vec::new();
        for patient in self.model.listed(&STATUSES) {
            before.push((patient, self.refreshed(patient).await));
        }
        self.model.advance(by);
        self.world.advance(&format!("PT{by}H")).await;
        self.steps
            .push_back(format!("moved by {by} h to {} h", self.model.now));
        let everybody: Vec<_> = self.model.patients.keys().copied().collect();
        let began = Instant::now();
        while let Some(difference) = self.difference(&everybody).await {
            assert!(began.elapsed() < PATIENCE, "still {difference}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for (patient, before) in before {
            let known = &self.model.patients[&patient];
            if known.status == "ACT" && by >= DAY {
                self.until_refreshed(patient, &before).await;
            } else if known.status != "ACT" && !known.anonymised {
                assert_eq!(self.refreshed(patient).await, before, "{patient} was refreshed");
            }
        }
    }
}
