//! Reading a body: of bounded size, in bounded time, UTF-8, JSON, not too deep.

use super::failure::Failure;
use crate::settings::Limits;
use actix_web::HttpRequest;
use actix_web::http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TRANSFER_ENCODING,
};
use actix_web::web::Payload;
use caretrack_domain::{Refusal, Rule};
use futures::StreamExt;

/// Levels of arrays and objects that a body may have.
const DEEPEST: usize = 64;

/// Which bodies an operation takes.
#[derive(Clone, Copy)]
pub struct Takes {
    /// Media types; what they are of is JSON.
    pub types: &'static [&'static str],
    /// Bytes.
    pub limit: usize,
}

/// The text of a JSON body, its nesting checked and its syntax not yet.
pub async fn read(request: &HttpRequest, payload: Payload, limits: &Limits) -> Result<String, Failure> {
    let takes = Takes {
        types: &["application/json"],
        limit: limits.body,
    };
    read_as(request, payload, takes, limits).await
}

/// [`read`], of other types or sizes than usual.
pub async fn read_as(
    request: &HttpRequest,
    payload: Payload,
    Takes { types, limit }: Takes,
    limits: &Limits,
) -> Result<String, Failure> {
    if !is_one_of(types, request) {
        return Err(Failure::WrongContentType);
    }
    let too_large = Failure::BodyTooLarge { limit };
    let announced = request.headers().get(CONTENT_LENGTH);
    let announced: usize = announced.and_then(|n| n.to_str().ok()?.parse().ok()).unwrap_or(0);
    if announced > limit {
        return Err(too_large);
    }
    let reading = collect(payload, announced, limit);
    let bytes = match tokio::time::timeout(limits.body_time, reading).await {
        Ok(Ok(Some(bytes))) => bytes,
        Ok(Ok(None)) => return Err(too_large),
        Ok(Err(_)) => return Err(syntax("the body broke off").into()),
        Err(_) => return Err(Failure::BodyTooSlow),
    };
    let text = String::from_utf8(bytes).map_err(|_| syntax("must be UTF-8"))?;
    if depth(&text) > DEEPEST {
        let message = format!("must have at most {DEEPEST} levels");
        return Err(Refusal::problem("$", Rule::Depth, message).into());
    }
    Ok(text)
}

/// All of it, or `None` if it is more than `limit`.
async fn collect(
    mut payload: Payload,
    announced: usize,
    limit: usize,
) -> Result<Option<Vec<u8>>, actix_web::error::PayloadError> {
    let mut bytes = Vec::with_capacity(announced);
    while let Some(chunk) = payload.next().await {
        let chunk = chunk?;
        if bytes.len() + chunk.len() > limit {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes))
}

/// Whether there is none to read, whatever it is said to be.
pub fn is_absent(request: &HttpRequest) -> bool {
    let headers = request.headers();
    let length = headers.get(CONTENT_LENGTH).map(HeaderValue::as_bytes);
    length.is_none_or(|length| length == b"0") && !headers.contains_key(TRANSFER_ENCODING)
}

fn is_one_of(types: &[&str], request: &HttpRequest) -> bool {
    if request.headers().contains_key(CONTENT_ENCODING) {
        return false;
    }
    let Some(given) = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let mut parts = given.split(';').map(str::trim);
    let is_one = parts
        .next()
        .is_some_and(|given| types.iter().any(|kind| given.eq_ignore_ascii_case(kind)));
    is_one
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
                value.trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            Some(_) | None => true,
        })
}

/// How deep arrays and objects are nested, without judging the rest.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    deepest
}

fn skip_string(bytes: &mut impl Iterator<Item = u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}

pub fn syntax(message: impl Into<String>) -> Refusal {
    Refusal::problem("$", Rule::Syntax, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn brackets_in_strings_are_no_levels() {
        assert_eq!(depth(r#"{"a[{": ["\"[[", 1]}"#), 2);
        assert_eq!(depth(r#""\\"[[]]"#), 2);
        assert_eq!(depth("]]["), 1);
        assert_eq!(depth(&"[".repeat(65)), 65);
    }

    #[test]
    fn only_json_in_utf_8_is_json() {
        let json = |kind: &str| {
            is_one_of(
                &["application/json"],
                &TestRequest::default()
                    .insert_header((CONTENT_TYPE, kind))
                    .to_http_request(),
            )
        };
        assert!(json("application/json") && json("Application/JSON; charset=\"UTF-8\""));
        for bad in [
            "text/plain",
            "application/jsonp",
            "application/json; charset=latin1",
            "",
        ] {
            assert!(!json(bad), "{bad}");
        }
        assert!(!is_one_of(
            &["application/json"],
            &TestRequest::default().to_http_request()
        ));
    }
}
