//! The server's state beside the model's.

use super::super::clinic::{PATIENCE, items};
use super::super::expect::path;
use super::super::model::STATUSES;
use super::Walk;
use crate::e2e::harness::{instant, until};
use serde_json::{Value, json};

impl Walk {
    /// When each of the patient's searches was refreshed last.
    pub(super) async fn refreshed(&self, patient: i64) -> Vec<(i64, time::OffsetDateTime)> {
        if self
            .model
            .patients
            .get(&patient)
            .is_none_or(|known| known.anonymised)
        {
            return Vec::new();
        }
        let time = |search: &Value| {
            (
                search["searchId"].as_i64().unwrap(),
                instant(&search["lastUpdated"]),
            )
        };
        self.world
            .clinic
            .searches(patient)
            .await
            .iter()
            .map(time)
            .collect()
    }

    pub(super) async fn until_refreshed(&self, patient: i64, before: &[(i64, time::OffsetDateTime)]) {
        let searches = &self.model.patients[&patient].searches;
        let kept = |id: i64| {
            searches
                .iter()
                .any(|search| search.id == id && !search.terminated)
        };
        until(
            &format!("the searches of {patient} are refreshed"),
            PATIENCE,
            async || {
                let after = self.refreshed(patient).await;
                let moved = |(before, after): (&(i64, _), &(i64, _))| !kept(before.0) || after > before;
                before.iter().zip(&after).all(moved).then_some(())
            },
        )
        .await;
    }

    /// Where the server's state is not the model's; the histories of `whom` are looked at, too.
    pub(super) async fn difference(&self, whom: &[i64]) -> Option<String> {
        let page = self.world.clinic.list("?limit=1000").await;
        let entries = items(&page, "patients");
        let shown: Vec<_> = entries
            .iter()
            .map(|one| one["wmdaId"].as_i64().unwrap())
            .collect();
        let known = self.model.listed(&STATUSES);
        if shown != known {
            return Some(format!("{shown:?} are listed and not {known:?}"));
        }
        for (patient, entry) in known.into_iter().zip(&entries) {
            let known = &self.model.patients[&patient];
            let number = Some(patient.to_string()).filter(|_| !known.terms);
            let updated = instant(&entry["lastUpdated"]) - self.model.base;
            let requests: Vec<_> = items(entry, "requests")
                .iter()
                .filter_map(|one| one["searchId"].as_i64())
                .collect();
            let searches: Vec<_> = known.searches.iter().rev().map(|search| search.id).collect();
            let told = (
                &entry["status"],
                &entry["patientId"],
                &entry["assignedUserName"],
                &entry["ethnicity"],
            );
            let patient_id = json!(number.or_else(|| known.local.clone()));
            let expected = (
                &json!(known.status),
                &patient_id,
                &json!(known.user),
                &json!(known.ethnicity),
            );
            if told != expected || updated.whole_hours() != known.counter || requests != searches {
                return Some(format!("{entry} and not {known:?}"));
            }
        }
        for patient in whom {
            let Some(known) = self.model.patients.get(patient) else {
                continue;
            };
            let history = path(&self.world.clinic.history(*patient).await);
            let expected = known
                .history
                .iter()
                .map(|(status, reason)| ((*status).to_owned(), reason.clone()));
            if history != expected.collect::<Vec<_>>() {
                return Some(format!(
                    "{patient} has the history {history:?} and not {:?}",
                    known.history
                ));
            }
        }
        None
    }
}
