//! The parameters of lists: in the query in any case, and in the body, which wins.

use super::reader::{Reader, flag, integer, text, whole};
use crate::http::query::Query;
use caretrack_application::Caller;
use caretrack_domain::{Problems, Refusal, Rule, SearchStatus, UserName};
use caretrack_ports::RegistrationFilter;
use serde_json::value::RawValue;
use std::collections::BTreeSet;

/// A part of a list, by how much of it comes before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    pub limit: usize,
    pub offset: u64,
}

impl Default for Paging {
    fn default() -> Self {
        Self {
            limit: 100,
            offset: 0,
        }
    }
}

const LIMIT: &str = "must be an integer from 1 to 1000";
const OFFSET: &str = "must be an integer from 0";
const STATUS: &str = "must be statuses, with bars between them: NEW, PRE, ACT, SUS, STP";
const FLAG: &str = "must be true or false";

pub fn limit(number: i64) -> Option<usize> {
    usize::try_from(number)
        .ok()
        .filter(|limit| (1..=1000).contains(limit))
}

pub fn offset(number: i64) -> Option<u64> {
    u64::try_from(number).ok()
}

/// What a list of patients is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub paging: Paging,
    /// All, if there is none.
    pub statuses: BTreeSet<SearchStatus>,
    pub only_my_patients: bool,
}

impl Listing {
    /// Whose own the patients are is the token's to say; without a name it has no say.
    pub fn filter(self, caller: &Caller) -> RegistrationFilter {
        let mine = caller.username().filter(|_| self.only_my_patients);
        RegistrationFilter {
            statuses: self.statuses,
            assigned_to: mine.map(UserName::claimed),
        }
    }
}

/// What one place says; what it leaves out, another may say.
#[derive(Default)]
struct Said {
    limit: Option<usize>,
    offset: Option<u64>,
    statuses: Option<BTreeSet<SearchStatus>>,
    only_my_patients: Option<bool>,
}

/// From the query, and from the body if there is one.
pub fn listing(query: &Query, body: Option<&str>) -> Result<Listing, Refusal> {
    let mut problems = Problems::default();
    let in_query = said_by(query, &mut problems);
    let in_body = body.map_or(Ok(Said::default()), |text| {
        whole(text, |body| Some(said_in(body)))
    });
    let in_body = match (problems.into_result(), in_body) {
        (Ok(()), in_body) => in_body?,
        (Err(one), Ok(_)) => return Err(one),
        (Err(one), Err(other)) => return Err(one.and(other)),
    };
    let usual = Paging::default();
    let statuses = in_body.statuses.or(in_query.statuses);
    let only_my_patients = in_body.only_my_patients.or(in_query.only_my_patients);
    Ok(Listing {
        paging: Paging {
            limit: in_body.limit.or(in_query.limit).unwrap_or(usual.limit),
            offset: in_body.offset.or(in_query.offset).unwrap_or(usual.offset),
        },
        statuses: statuses.unwrap_or_default(),
        only_my_patients: only_my_patients.unwrap_or(false),
    })
}

fn said_in(body: &mut Reader<'_, '_>) -> Said {
    let names = ["limit", "offset", "status", "onlyMyPatients"].map(|name| body.name_in_any_case(name));
    let [limit_name, offset_name, status_name, only_mine] = &names;
    Said {
        limit: body.optional(limit_name, LIMIT, |value| limit(integer(value)?)),
        offset: body.optional(offset_name, OFFSET, |value| offset(integer(value)?)),
        statuses: body.optional(status_name, STATUS, statuses_in),
        only_my_patients: body.optional(only_mine, FLAG, flag),
    }
}

fn statuses_in(value: &RawValue) -> Option<BTreeSet<SearchStatus>> {
    let words: Vec<String> = match text(value) {
        Some(words) => vec![words],
        None => serde_json::from_str(value.get()).ok()?,
    };
    statuses(words.iter().map(String::as_str))
}

/// Each a status, or several with bars between them.
fn statuses<'a>(words: impl Iterator<Item = &'a str>) -> Option<BTreeSet<SearchStatus>> {
    words.flat_map(|words| words.split('|')).map(status).collect()
}

/// Those that are shown.
fn status(word: &str) -> Option<SearchStatus> {
    let status: SearchStatus = word.parse().ok()?;
    (status != SearchStatus::Ano).then_some(status)
}

fn said_by(query: &Query, problems: &mut Problems) -> Said {
    let mut said = paging_by(query, problems);
    let words: Vec<_> = query.all_in_any_case("status").collect();
    if !words.is_empty() {
        said.statuses = statuses(words.into_iter());
        if said.statuses.is_none() {
            problems.add("query.status", Rule::Enum, STATUS);
        }
    }
    said.only_my_patients = first(query, "onlyMyPatients", FLAG, problems, |text| {
        text.to_ascii_lowercase().parse().ok()
    });
    said
}

fn paging_by(query: &Query, problems: &mut Problems) -> Said {
    Said {
        limit: first(query, "limit", LIMIT, problems, |text| limit(text.parse().ok()?)),
        offset: first(query, "offset", OFFSET, problems, |text| {
            offset(text.parse().ok()?)
        }),
        ..Said::default()
    }
}

/// Of a parameter given several times the first counts.
fn first<T>(
    query: &Query,
    name: &str,
    must_be: &str,
    problems: &mut Problems,
    read: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    let read = read(query.all_in_any_case(name).next()?);
    if read.is_none() {
        problems.add(format!("query.{name}"), Rule::Type, must_be);
    }
    read
}

/// The two parameters of a list that has no others.
pub fn paging(query: &Query) -> Result<Paging, Refusal> {
    let mut problems = Problems::default();
    let said = paging_by(query, &mut problems);
    problems.into_result()?;
    let usual = Paging::default();
    Ok(Paging {
        limit: said.limit.unwrap_or(usual.limit),
        offset: said.offset.unwrap_or(usual.offset),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use SearchStatus::{Act, New, Stp};
    use actix_web::test::TestRequest;

    fn read(query: &str, body: Option<&str>) -> Result<Listing, Vec<String>> {
        let request = TestRequest::with_uri(&format!("/x?{query}")).to_http_request();
        let read = listing(&Query::of(&request), body);
        read.map_err(|refusal| refusal.problems.into_iter().map(|problem| problem.path).collect())
    }

    fn of(limit: usize, offset: u64, statuses: &[SearchStatus], only_my_patients: bool) -> Listing {
        Listing {
            paging: Paging { limit, offset },
            statuses: statuses.iter().copied().collect(),
            only_my_patients,
        }
    }

    #[test]
    fn names_and_truth_come_in_any_case() {
        assert_eq!(read("", None), Ok(of(100, 0, &[], false)));
        let query = "Limit=7&OFFSET=3&onlymypatients=True&Status=ACT%7CNEW&status=STP&other=1";
        assert_eq!(read(query, None), Ok(of(7, 3, &[Act, New, Stp], true)));
        let body = r#"{"LIMIT":7,"offset":3,"Status":"ACT|NEW","onlyMyPatients":true,"other":0}"#;
        assert_eq!(read("", Some(body)), Ok(of(7, 3, &[Act, New], true)));
    }

    #[test]
    fn the_body_wins() {
        let body = r#"{"limit":7,"status":["ACT","STP"],"offset":null}"#;
        assert_eq!(
            read("limit=2&offset=5&status=NEW", Some(body)),
            Ok(of(7, 5, &[Act, Stp], false))
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for bad in ["0", "1001", "abc", "", "-1", "1.5", "99999999999999999999"] {
            assert_eq!(
                read(&format!("Limit={bad}"), None),
                Err(vec!["query.limit".to_owned()]),
                "{bad}"
            );
        }
        for (query, name) in [
            ("offset=-1", "offset"),
            ("offset=x", "offset"),
            ("status=QQQ", "status"),
            ("status=act", "status"),
            ("status=ANO", "status"),
            ("status=ACT%7C", "status"),
            ("onlyMyPatients=1", "onlyMyPatients"),
        ] {
            assert_eq!(read(query, None), Err(vec![format!("query.{name}")]), "{query}");
        }
        let body = r#"{"limit":"7","Offset":-1,"status":["ACT",1],"onlyMyPatients":"true"}"#;
        let expected = [
            "query.limit",
            "$.limit",
            "$.Offset",
            "$.status",
            "$.onlyMyPatients",
        ];
        assert_eq!(
            read("limit=0", Some(body)),
            Err(expected.map(str::to_owned).to_vec())
        );
    }
}
