//! The query part of a path.

use actix_web::HttpRequest;
use actix_web::web;
use caretrack_domain::{Refusal, RefusalKind, Rule};
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Its parameters; what nobody asks for is ignored.
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn of(request: &HttpRequest) -> Self {
        let parsed = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
        Self(parsed.map(web::Query::into_inner).unwrap_or_default())
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(key, _)| key == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// All values of a parameter whose name may be written in any case.
    pub fn all_in_any_case(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self
            .0
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    pub fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(bad(name, Rule::Type, "must be true or false")),
        }
    }

    pub fn limit(&self, range: &RangeInclusive<usize>) -> Result<Option<usize>, Refusal> {
        let Some(text) = self.text("limit") else {
            return Ok(None);
        };
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad("limit", Rule::Type, "must be a number"));
        }
        match text.parse() {
            Ok(limit) if limit < *range.start() => Err(out_of_range(Rule::Min, range)),
            Ok(limit) if limit <= *range.end() => Ok(Some(limit)),
            Err(_) if text.starts_with('-') => Err(out_of_range(Rule::Min, range)),
            Ok(_) | Err(_) => Err(out_of_range(Rule::Max, range)),
        }
    }

    pub fn cursor<T>(&self, read: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Refusal> {
        self.read("cursor", "is not a cursor of this list", read)
    }

    /// Of a list by number; none of ours is negative.
    pub fn number_cursor(&self) -> Result<Option<i64>, Refusal> {
        self.cursor(|text| text.parse().ok().filter(|number| *number >= 0))
    }

    pub fn parsed<T: FromStr>(&self, name: &str, must_be: &str) -> Result<Option<T>, Refusal> {
        self.read(name, must_be, |text| text.parse().ok())
    }

    pub fn read<T>(
        &self,
        name: &str,
        must_be: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        read(text).map(Some).ok_or_else(|| bad(name, Rule::Type, must_be))
    }
}

fn bad(name: &str, rule: Rule, message: &str) -> Refusal {
    Refusal::problem(format!("query.{name}"), rule, message)
}

fn out_of_range(rule: Rule, range: &RangeInclusive<usize>) -> Refusal {
    let message = format!("must be {} to {}", range.start(), range.end());
    bad("limit", rule, &message).with_kind(RefusalKind::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn query(text: &str) -> Query {
        Query::of(&TestRequest::with_uri(&format!("/x?{text}")).to_http_request())
    }

    #[test]
    fn a_limit_out_of_range_is_not_the_same_as_none() {
        let limit = |text: &str| query(text).limit(&(1..=200)).map_err(|refusal| refusal.kind);
        assert_eq!(limit("a=b"), Ok(None));
        assert_eq!(limit("limit=200"), Ok(Some(200)));
        for text in [
            "limit=0",
            "limit=201",
            "limit=-1",
            "limit=99999999999999999999999",
        ] {
            assert_eq!(limit(text), Err(RefusalKind::OutOfRange), "{text}");
        }
        for text in ["limit=", "limit=ten", "limit=1.5", "limit=-"] {
            assert_eq!(limit(text), Err(RefusalKind::Invalid), "{text}");
        }
    }

    #[test]
    fn a_flag_is_true_or_false() {
        assert_eq!(query("f=true").flag("f").ok(), Some(true));
        assert_eq!(query("").flag("f").ok(), Some(false));
        assert!(query("f=TRUE").flag("f").is_err());
        assert!(query("f").flag("f").is_err());
    }
}
