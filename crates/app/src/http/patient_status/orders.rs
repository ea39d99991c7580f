//! What is asked for by a body: a patient registered or changed, a status, a user, a search, results.

use super::draft::{Told, told};
use super::listing::{Paging, limit, offset};
use super::reader::{self, Reader, flag, integer, text, whole, word};
use crate::http::failure::Failure;
use caretrack_application::NewRegistration;
use caretrack_domain::{
    ChangeReason, Instant, Locus, NewSearch, PatientDetails, Refusal, RegistrationChange, ResultList, Rule,
    SearchEngine, SearchId, SearchRequest, SearchType, StatusRequest, TargetStatus, UserName, WmdaId,
};
use caretrack_ports::{ResultOrder, ResultsQuery};
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::fmt::Display;
use strum::IntoEnumIterator;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

const INTEGER: &str = "must be an integer";
const FLAG: &str = "must be true or false";

/// A number that may be a record's; whether it is, is asked once the rest of the request is known to be sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered(pub i64);

impl Numbered {
    pub fn patient(self) -> Result<WmdaId, Failure> {
        WmdaId::parse(self.0).ok_or_else(Failure::no_such_record)
    }

    pub fn search(self) -> Result<SearchId, Failure> {
        SearchId::parse(self.0).ok_or_else(Failure::no_such_record)
    }
}

fn number(body: &mut Reader<'_, '_>, name: &str) -> Option<Numbered> {
    body.required(name, INTEGER, reader::name).map(Numbered)
}

fn one_of(words: impl Iterator<Item: Display>) -> String {
    let words: Vec<_> = words.map(|word| word.to_string()).collect();
    format!("must be one of {}", words.join(", "))
}

/// The patient that a body names, and nothing else.
pub fn patient(text: &str) -> Result<Numbered, Refusal> {
    whole(text, |body| number(body, "wmdaId"))
}

pub fn new_patient(text: &str) -> Result<NewRegistration, Refusal> {
    whole(text, |body| {
        let Told {
            mut details,
            patient_id,
            legal_terms,
        } = told(body, true);
        let hla = details.hla.take()?;
        Some(NewRegistration {
            details: details.of(PatientDetails::new(hla)),
            legal_terms: legal_terms.unwrap_or(false),
            patient_id,
        })
    })
}

pub fn change(text: &str) -> Result<(Numbered, RegistrationChange), Refusal> {
    whole(text, |body| {
        let patient = number(body, "wmdaId");
        let Told {
            details,
            patient_id,
            legal_terms,
        } = told(body, false);
        let change = RegistrationChange {
            details,
            legal_terms,
            patient_id,
        };
        Some((patient?, change))
    })
}

pub fn status(text: &str) -> Result<(Numbered, StatusRequest), Refusal> {
    whole(text, |body| {
        let patient = number(body, "wmdaId");
        let targets = one_of(TargetStatus::ALL.iter());
        let target: Option<TargetStatus> =
            body.required("newStatus", &targets, word(|word| word.parse().ok()));
        let reasons = one_of(ChangeReason::iter().filter(|reason| *reason != ChangeReason::Aut));
        let is_sound = body.lacks("changeReason");
        let reason: Option<ChangeReason> =
            body.optional("changeReason", &reasons, word(|word| word.parse().ok()));
        if reason.is_none() && !is_sound {
            return None;
        }
        // Without a good target a reason is judged as one for going on.
        let judged = StatusRequest::new(target.unwrap_or(TargetStatus::Act), reason);
        if let Err(why) = &judged {
            body.wrong("changeReason", &why.to_string());
        }
        Some((patient?, judged.ok()?))
    })
}

pub fn user(text: &str) -> Result<(Numbered, Option<UserName>), Refusal> {
    whole(text, |body| {
        let patient = number(body, "wmdaId");
        if !body.has("userName") {
            body.wrong("userName", "is required, if only as null");
        }
        let user = body.edit(
            "userName",
            "must be a text of 4 to 100 characters, or null",
            word(UserName::parse),
        );
        Some((patient?, user.of(None)))
    })
}

/// Where the numbers stand that a new search names, and the search itself.
pub fn new_search(text: &str) -> Result<(Numbered, SearchOrder), Refusal> {
    whole(text, |body| {
        let patient = number(body, "wmdaId");
        let engine = body.required("matchEngine", "must be 2 or 3", |value| {
            SearchEngine::parse(integer(value)?)
        });
        let kind: Option<SearchType> =
            body.required("searchType", "must be DR or CB", word(|word| word.parse().ok()));
        let overall_mismatches = mismatches(body);
        let loci = loci(body);
        let is_cbu_ab_low_drb1_high_resolution = body
            .optional("isCbuAbLowDrb1HighResolution", FLAG, flag)
            .unwrap_or(false);
        let search_only_own_ion = body.optional("searchOnlyOwnIon", FLAG, flag).unwrap_or(false);
        let order = SearchOrder {
            engine: engine?,
            kind: kind?,
            overall_mismatches: overall_mismatches?,
            loci,
            is_cbu_ab_low_drb1_high_resolution,
            search_only_own_ion,
        };
        Some((patient?, order))
    })
}

/// A search whose patient is still to be found.
#[derive(Debug)]
pub struct SearchOrder {
    engine: SearchEngine,
    kind: SearchType,
    overall_mismatches: u8,
    loci: Option<Vec<Locus>>,
    is_cbu_ab_low_drb1_high_resolution: bool,
    search_only_own_ion: bool,
}

impl SearchOrder {
    pub fn of(self, wmda_id: WmdaId) -> NewSearch {
        NewSearch {
            wmda_id,
            engine: self.engine,
            kind: self.kind,
            overall_mismatches: self.overall_mismatches,
            loci: self.loci,
            is_cbu_ab_low_drb1_high_resolution: self.is_cbu_ab_low_drb1_high_resolution,
            search_only_own_ion: self.search_only_own_ion,
        }
    }
}

/// May be left out, and not be null.
fn mismatches(body: &mut Reader<'_, '_>) -> Option<u8> {
    if !body.has("overallMismatches") {
        return Some(0);
    }
    body.required("overallMismatches", "must be an integer from 0 to 7", |value| {
        let number = u8::try_from(integer(value)?).ok()?;
        (number <= SearchRequest::MOST_MISMATCHES).then_some(number)
    })
}

fn loci(body: &mut Reader<'_, '_>) -> Option<Vec<Locus>> {
    let name = "lociToBeConsidered";
    if body.lacks(name) {
        return None;
    }
    let mut seen = BTreeSet::new();
    let names = one_of(Locus::all());
    let loci = body.items(name, |item, path, problems| {
        let locus: Option<Locus> = text(item).and_then(|word| word.parse().ok());
        match locus {
            None => problems.add(path, Rule::Enum, names.as_str()),
            Some(locus) if !seen.insert(locus) => problems.add(path, Rule::Duplicate, "is there already"),
            Some(_) => {}
        }
        locus
    })?;
    if loci.is_empty() {
        body.wrong(name, "must name one locus at least");
    }
    Some(loci)
}

pub fn donors_wanted(text: &str) -> Result<(Numbered, ResultsQuery), Refusal> {
    whole(text, |body| results(body, ResultList::Donors))
}

/// Of cord blood units two more orders may be wished for; that is left to the engine.
pub fn cbus_wanted(text: &str) -> Result<(Numbered, ResultsQuery), Refusal> {
    whole(text, |body| {
        choice(
            body,
            "threeFourMismatchSortBy",
            &["resolutionScore", "tncCount", "none"],
        );
        choice(body, "secondarySortBy", &["tncCount", "resolutionScore"]);
        results(body, ResultList::Cbus)
    })
}

fn results(body: &mut Reader<'_, '_>, list: ResultList) -> Option<(Numbered, ResultsQuery)> {
    let search = number(body, "searchId");
    let usual = Paging::default();
    let paging = body.edit_object("pagination", |part| {
        let limit = part.optional("limit", "must be an integer from 1 to 1000", |value| {
            limit(integer(value)?)
        });
        let offset = part.optional("offset", "must be an integer from 0", |value| {
            offset(integer(value)?)
        });
        Some(Paging {
            limit: limit.unwrap_or(usual.limit),
            offset: offset.unwrap_or(usual.offset),
        })
    });
    let updated_from = body.edit_object("filters", |part| {
        Some(part.optional("recordLastUpdatedFrom", "must be a time (RFC 3339)", instant))
    });
    let order = match choice(body, "sortBy", &["standard", "lastUpdated"]) {
        Some(1) => ResultOrder::LastUpdated,
        Some(_) | None => ResultOrder::Standard,
    };
    let paging = paging.of(None).unwrap_or(usual);
    let query = ResultsQuery {
        list,
        updated_from: updated_from.of(None).flatten(),
        order,
        limit: paging.limit,
        offset: paging.offset,
    };
    Some((search?, query))
}

/// Which of the words it is.
fn choice(body: &mut Reader<'_, '_>, name: &str, words: &[&str]) -> Option<usize> {
    body.optional(name, &one_of(words.iter()), |value| {
        let word = text(value)?;
        words.iter().position(|known| *known == word)
    })
}

fn instant(value: &RawValue) -> Option<Instant> {
    let instant = OffsetDateTime::parse(&text(value)?, &Rfc3339).ok()?;
    instant.checked_to_offset(UtcOffset::UTC)
}

#[cfg(test)]
#[path = "orders/tests.rs"]
mod tests;
