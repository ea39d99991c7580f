//! The headers that say how, and under which condition, to write.

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH};
use caretrack_domain::{Precondition, Problems, Rule};

const PREFER: HeaderName = HeaderName::from_static("prefer");
pub const RESPOND_ASYNC: &str = "respond-async";

/// Whether the caller wants an answer before the work is done.
pub fn prefers_async(request: &HttpRequest) -> bool {
    let given = request
        .headers()
        .get_all(PREFER)
        .filter_map(|value| value.to_str().ok());
    given.flat_map(|value| value.split(',')).any(|preference| {
        let name = preference.split(';').next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case(RESPOND_ASYNC)
    })
}

/// `If-Match` on everything that changes a record.
pub fn if_match(request: &HttpRequest, problems: &mut Problems) -> Option<Vec<String>> {
    let lines = lines(request.headers(), IF_MATCH)?;
    let tags = tags(&lines);
    if tags.is_none() {
        problems.add("header.if-match", Rule::Syntax, "must be * or quoted entity tags");
    }
    tags
}

/// `If-Match`, and `If-None-Match: *`, on a PUT.
pub fn for_put(request: &HttpRequest, problems: &mut Problems) -> Precondition {
    let none_match = lines(request.headers(), IF_NONE_MATCH);
    let any = none_match.as_deref().map(str::trim) == Some(Precondition::ANY);
    if none_match.is_some() && !any {
        problems.add("header.if-none-match", Rule::Syntax, "must be *");
    }
    Precondition {
        if_match: if_match(request, problems),
        if_none_match_any: any,
    }
}

/// All lines of a header as one; bytes that are no text match nothing.
fn lines(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let lines: Vec<_> = headers
        .get_all(name)
        .map(|value| value.to_str().unwrap_or("?"))
        .collect();
    (!lines.is_empty()).then(|| lines.join(","))
}

/// The tags of a list. One that cannot be ours (weak ones never are) is kept with its quotes, which none of
/// ours has, so that not even a quoted star matches.
fn tags(list: &str) -> Option<Vec<String>> {
    if list.trim() == Precondition::ANY {
        return Some(vec![Precondition::ANY.to_owned()]);
    }
    let mut tags = Vec::new();
    let mut rest = list.trim();
    loop {
        let strong = rest.strip_prefix("W/").unwrap_or(rest);
        let (tag, after) = strong.strip_prefix('"')?.split_once('"')?;
        let may_be_ours = strong.len() == rest.len() && tag.bytes().all(|byte| byte.is_ascii_hexdigit());
        tags.push(if may_be_ours {
            tag.to_owned()
        } else {
            format!("\"{tag}\"")
        });
        rest = after.trim_start();
        if rest.is_empty() {
            return Some(tags);
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn tags_are_quoted_and_only_strong_ones_may_be_ours() {
        let parsed = |list: &str| tags(list).map(|tags| tags.join(" "));
        assert_eq!(parsed("*").as_deref(), Some("*"));
        assert_eq!(
            parsed(r#""1a2" , "a,b",W/"13""#).as_deref(),
            Some(r#"1a2 "a,b" "13""#)
        );
        assert_eq!(parsed(r#""*""#).as_deref(), Some(r#""*""#));
        for bad in ["", "12", r#""12"#, r#""12" "13""#, r#""12","#, r#"*, "1""#] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }

    #[test]
    fn preferences_are_a_list_with_parameters() {
        let asks = |value: &str| {
            prefers_async(
                &TestRequest::default()
                    .insert_header(("prefer", value))
                    .to_http_request(),
            )
        };
        assert!(asks("respond-async") && asks("handling=strict, Respond-Async; wait=10"));
        assert!(!asks("respond-asynchronously") && !asks("return=minimal"));
    }
}
