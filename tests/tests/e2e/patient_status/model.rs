//! The rules of patient-status.md, sections 2 to 6, once more and as simply as they can be said: what the random walk
//! compares the server with. It knows nothing of the server's code.
//!
//! Time is counted in whole hours from the beginning, as only moves of the clock make it: the seconds that a call takes
//! are far below, and whatever is due at an hour is due when the clock has moved there.

use std::collections::BTreeMap;
use time::{Date, Duration, Month, OffsetDateTime};

pub type Hours = i64;

const WEEKS_6: Hours = 42 * 24;
pub const STATUSES: [&str; 5] = ["NEW", "PRE", "ACT", "SUS", "STP"];
const ENDING: &str = "ATX UMT UCT UPT BCC PAT ICH NDF OTH RMT RCT RPT GCC PDC PPR FND UNK";
const NOT_ENDING: &str = "NPH NML RCM";

/// What an error says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub status: u16,
    pub code: &'static str,
    /// The status that is named, if it comes from the status.
    pub current: Option<&'static str>,
}

impl Refused {
    fn plain<T>(status: u16, code: &'static str) -> Result<T, Self> {
        let current = None;
        Err(Self {
            status,
            code,
            current,
        })
    }

    fn by(status: &'static str, code: &'static str) -> Self {
        let current = Some(status);
        Self {
            status: 409,
            code,
            current,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Donor {
    pub id: String,
    pub version: u32,
    pub flag: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    pub id: i64,
    pub terminated: bool,
    /// Those delivered last, and those no longer delivered.
    pub donors: Vec<Donor>,
    /// Outlives them.
    pub count: usize,
}

#[derive(Debug, Clone)]
pub struct Patient {
    pub status: &'static str,
    pub reason: Option<String>,
    pub history: Vec<(&'static str, Option<String>)>,
    /// When the counter last started, or the moment of the stop.
    pub counter: Hours,
    /// The later it was viewed, the higher.
    pub viewed: u64,
    pub terms: bool,
    pub local: Option<String>,
    pub user: Option<String>,
    pub weight: Option<i64>,
    pub ethnicity: Option<String>,
    pub searches: Vec<Search>,
    pub anonymised: bool,
}

/// What an update says.
#[derive(Debug, Clone, Default)]
pub struct Update {
    pub weight: Said<i64>,
    pub ethnicity: Said<String>,
    pub terms: Option<bool>,
    pub local: Option<String>,
}

/// Of a field.
#[derive(Debug, Clone, Default)]
pub enum Said<T> {
    #[default]
    Nothing,
    Null,
    Value(T),
}

impl<T: Clone> Said<T> {
    fn of(&self, before: Option<T>) -> Option<T> {
        match self {
            Self::Nothing => before,
            Self::Null => None,
            Self::Value(value) => Some(value.clone()),
        }
    }
}

impl<T> From<Option<T>> for Said<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::Value)
    }
}

pub struct Model {
    pub base: OffsetDateTime,
    pub now: Hours,
    viewings: u64,
    pub patients: BTreeMap<i64, Patient>,
}

impl Model {
    pub fn new(base: OffsetDateTime) -> Self {
        Self {
            base,
            now: 0,
            viewings: 0,
            patients: BTreeMap::new(),
        }
    }

    fn is_in_use(&self, local: &str, but: Option<i64>) -> bool {
        self.patients.iter().any(|(id, patient)| {
            let holds = patient.local.as_deref() == Some(local);
            holds && Some(*id) != but && patient.status != "STP" && !patient.anonymised
        })
    }

    pub fn may_register(&self, terms: bool, local: Option<&str>) -> Result<(), Refused> {
        match local {
            Some(local) if terms && self.is_in_use(local, None) => Refused::plain(409, "patientIdInUse"),
            _ => Ok(()),
        }
    }

    pub fn registered(&mut self, id: i64, terms: bool, local: Option<String>, weight: Option<i64>) {
        self.viewings += 1;
        let patient = Patient {
            status: "NEW",
            reason: None,
            history: vec![("NEW", None)],
            counter: self.now,
            viewed: self.viewings,
            terms,
            local: local.filter(|_| terms),
            user: None,
            weight,
            ethnicity: None,
            searches: Vec::new(),
            anonymised: false,
        };
        assert!(
            self.patients.insert(id, patient).is_none(),
            "{id} was given twice"
        );
    }

    /// Of the dialect's clients: who is anonymised is not there.
    fn patient(&mut self, id: i64) -> Result<&mut Patient, Refused> {
        let found = self.patients.get_mut(&id).filter(|patient| !patient.anonymised);
        found.map_or_else(|| Refused::plain(404, "notFound"), Ok)
    }

    fn living(&mut self, id: i64) -> Result<&mut Patient, Refused> {
        let patient = self.patient(id)?;
        match patient.status {
            "STP" => Err(Refused::by("STP", "patientStopped")),
            _ => Ok(patient),
        }
    }

    /// Whether the searches are refreshed.
    pub fn update(&mut self, id: i64, update: &Update) -> Result<bool, Refused> {
        let now = self.now;
        let before = self.living(id)?.clone();
        let terms = update.terms.unwrap_or(before.terms);
        let mut local = before.local.filter(|_| terms);
        if let Some(given) = update.local.as_ref().filter(|_| terms) {
            match &local {
                Some(set) if set != given => return Refused::plain(409, "patientIdAlreadySet"),
                Some(_) => {}
                None if self.is_in_use(given, Some(id)) => return Refused::plain(409, "patientIdInUse"),
                None => local = Some(given.clone()),
            }
        }
        let patient = self.living(id)?;
        (patient.terms, patient.local, patient.counter) = (terms, local, now);
        patient.weight = update.weight.of(before.weight);
        let ethnicity = update.ethnicity.of(before.ethnicity.clone());
        let refreshed = ethnicity != before.ethnicity;
        patient.ethnicity = ethnicity;
        Ok(refreshed)
    }

    pub fn assign(&mut self, id: i64, user: Option<String>) -> Result<(), Refused> {
        self.patient(id)?.user = user;
        Ok(())
    }

    /// The stored reason.
    pub fn change(&mut self, id: i64, to: &str, reason: Option<&str>) -> Result<Option<String>, Refused> {
        let to = STATUSES.into_iter().find(|status| *status == to && to != "NEW");
        let is = |words: &str| reason.is_some_and(|reason| words.split(' ').any(|word| word == reason));
        let reason_fits = match reason {
            None => to != Some("STP"),
            Some(_) => is(ENDING) || (is(NOT_ENDING) && to != Some("STP")),
        };
        let Some(to) = to.filter(|_| reason_fits) else {
            return Refused::plain(400, "invalidRequest");
        };
        let now = self.now;
        let patient = self.patient(id)?;
        let allowed = match patient.status {
            "NEW" => to == "STP",
            "PRE" => true,
            _ => to != "PRE",
        };
        if !allowed {
            return Err(Refused::by(patient.status, "transitionRefused"));
        }
        if patient.status != to {
            patient.becomes(to, reason.map(str::to_owned), now);
        }
        Ok(patient.reason.clone())
    }

    pub fn may_search(&mut self, id: i64) -> Result<(), Refused> {
        self.living(id).map(drop)
    }

    pub fn searched(&mut self, id: i64, search: i64) {
        let now = self.now;
        let patient = self.living(id).expect("it may");
        if patient.status == "NEW" {
            patient.becomes("PRE", None, now);
        }
        patient.searches.push(Search {
            id: search,
            terminated: false,
            donors: Vec::new(),
            count: 0,
        });
    }

    /// Reading the patient, or a search.
    pub fn view(&mut self, id: i64) -> Result<(), Refused> {
        let (now, viewed) = (self.now, self.viewings + 1);
        let patient = self.patient(id)?;
        patient.viewed = viewed;
        if patient.status != "STP" {
            patient.counter = now;
        }
        self.viewings = viewed;
        Ok(())
    }

    fn search(&mut self, id: i64, search: i64) -> Result<&mut Search, Refused> {
        let patient = self.patient(id)?;
        let found = patient.searches.iter_mut().find(|one| one.id == search);
        Ok(found.expect("the walk asks for searches it has made"))
    }

    pub fn results(&mut self, id: i64, search: i64) -> Result<Vec<Donor>, Refused> {
        let search = self.search(id, search)?;
        if search.terminated {
            return Refused::plain(404, "resultsDeleted");
        }
        let donors = search.donors.clone();
        self.view(id)?;
        Ok(donors)
    }

    /// Ids and versions; no id comes again that was gone.
    pub fn deliver(&mut self, id: i64, search: i64, delivered: &[(String, u32)]) -> Result<(), Refused> {
        let search = self.search(id, search)?;
        if search.terminated {
            return Refused::plain(409, "searchTerminated");
        }
        let last: Vec<_> = search
            .donors
            .drain(..)
            .filter(|donor| donor.flag != Some("DELETED"))
            .collect();
        for (id, version) in delivered {
            let flag = match last.iter().find(|donor| donor.id == *id) {
                None => Some("NEW"),
                Some(donor) => (donor.version != *version).then_some("UPDATED"),
            };
            let (id, version) = (id.clone(), *version);
            search.donors.push(Donor { id, version, flag });
        }
        search.count = search.donors.len();
        for mut gone in last {
            if !delivered.iter().any(|(id, _)| *id == gone.id) {
                gone.flag = Some("DELETED");
                search.donors.push(gone);
            }
        }
        Ok(())
    }

    /// The searches that are refreshed.
    pub fn refresh(&mut self, id: i64) -> Result<Vec<i64>, Refused> {
        let patient = self.living(id)?;
        let kept = patient.searches.iter().filter(|search| !search.terminated);
        Ok(kept.map(|search| search.id).collect())
    }

    /// Whatever has become due by the new time happens then.
    pub fn advance(&mut self, by: Hours) {
        self.now += by;
        let (now, base) = (self.now, self.base);
        for patient in self.patients.values_mut().filter(|patient| !patient.anonymised) {
            if patient.status != "STP" {
                if now - patient.counter >= WEEKS_6 {
                    patient.becomes("STP", Some("AUT".to_owned()), now);
                }
            } else if base + Duration::hours(now) >= months_6(base + Duration::hours(patient.counter)) {
                patient.anonymised = true;
            }
        }
    }

    /// As the list has them.
    pub fn listed(&self, statuses: &[&str]) -> Vec<i64> {
        let shown = |patient: &Patient| !patient.anonymised && statuses.contains(&patient.status);
        let mut found: Vec<_> = self
            .patients
            .iter()
            .filter(|(_, patient)| shown(patient))
            .collect();
        found.sort_by_key(|(id, patient)| std::cmp::Reverse((patient.viewed, **id)));
        found.into_iter().map(|(id, _)| *id).collect()
    }
}

impl Patient {
    fn becomes(&mut self, to: &'static str, reason: Option<String>, now: Hours) {
        self.history.push((to, reason.clone()));
        (self.status, self.reason, self.counter) = (to, reason, now);
        if to == "STP" {
            for search in &mut self.searches {
                search.terminated = true;
                search.donors.clear();
            }
        }
    }
}

/// "6 calendar months, same day and time, the month's last day where that day is missing".
fn months_6(at: OffsetDateTime) -> OffsetDateTime {
    let (mut year, mut month) = (at.year(), u8::from(at.month()) + 6);
    if month > 12 {
        (year, month) = (year + 1, month - 12);
    }
    let month = Month::try_from(month).expect("1 to 12");
    let day = at.day().min(month.length(year));
    at.replace_date(Date::from_calendar_date(year, month, day).expect("it exists"))
}
