//! `Idempotency-Key`: takes note of what a request is, and marks an answer that was given before.
//!
//! A handler of a write says how its outcome is told by [`tell`] and knows nothing else of keys; what is done
//! once, and what is kept, is the application's.

use super::Api;
use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{ETAG, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse};
use caretrack_application::{Asker, Caller, Keeping, Keyed};
use caretrack_domain::{IdempotencyKey, KeptAnswer, Refusal, RequestDigest, Rule};
use futures::StreamExt;
use std::rc::Rc;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The request under its key; none if what it has is no key.
type UnderKey = Option<Rc<Keyed>>;

/// Costs a look at the headers where there is no key.
pub async fn surround<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let writes = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    if !request.headers().contains_key(KEY) || !writes.contains(request.method()) {
        return next.call(request).await;
    }
    let under_key = note(&request);
    request.extensions_mut().insert::<UnderKey>(under_key.clone());
    let Some(keyed) = under_key else {
        return next.call(request).await;
    };
    let hashing = {
        let keyed = Rc::clone(&keyed);
        request.take_payload().inspect(move |piece| {
            if let Ok(piece) = piece {
                keyed.body(piece);
            }
        })
    };
    request.set_payload(Payload::from(hashing.boxed_local()));
    let mut response = next.call(request).await?;
    if keyed.is_replayed() {
        let yes = HeaderValue::from_static("true");
        response.headers_mut().insert(REPLAYED, yes);
    }
    Ok(response)
}

fn note(request: &ServiceRequest) -> UnderKey {
    let mut given = request.headers().get_all(KEY);
    let key = match (given.next(), given.next()) {
        (Some(key), None) => IdempotencyKey::parse(key.to_str().ok()?)?,
        _ => return None,
    };
    let uri = request.uri();
    let path = uri.path_and_query().map_or(uri.path(), |whole| whole.as_str());
    Some(Rc::new(Keyed::new(
        key,
        RequestDigest::new(request.method().as_str(), path),
    )))
}

impl Api {
    /// Told only to those who may make the request.
    pub(super) fn check_key(request: &HttpRequest) -> Result<(), Refusal> {
        match request.extensions().get::<UnderKey>() {
            Some(None) => Err(no_key()),
            Some(Some(_)) | None => Ok(()),
        }
    }
}

pub fn no_key() -> Refusal {
    Refusal::problem(
        "header.Idempotency-Key",
        Rule::Pattern,
        "must be one key of 1 to 255 visible ASCII characters",
    )
}

/// A caller who is to be shown the outcome of a write in a certain form.
pub struct Told<'a, F> {
    caller: &'a Caller,
    keyed: UnderKey,
    show: F,
}

/// How `caller` is told what comes of a write: `show` is called once, and before the write is committed if
/// the request came under a key.
pub fn tell<'a, T, F: Fn(&T) -> HttpResponse>(
    request: &HttpRequest,
    caller: &'a Caller,
    show: F,
) -> Told<'a, F> {
    let keyed = request.extensions().get::<UnderKey>().cloned().flatten();
    Told { caller, keyed, show }
}

impl<T, F: Fn(&T) -> HttpResponse + Sync> Asker<T> for Told<'_, F> {
    type Answer = HttpResponse;

    fn caller(&self) -> &Caller {
        self.caller
    }

    fn tell(&self, outcome: T) -> HttpResponse {
        (self.show)(&outcome)
    }

    fn keeping(&self) -> Option<Keeping<'_, T, HttpResponse>> {
        let show = &self.show;
        Some(Keeping {
            keyed: self.keyed.as_deref()?,
            keep: Box::new(move |outcome| keep(show(outcome))),
            again,
        })
    }
}

fn keep(response: HttpResponse) -> KeptAnswer {
    let (head, body) = response.into_parts();
    let headers = head.headers().iter();
    let headers =
        headers.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
    let body = body.try_into_bytes();
    KeptAnswer {
        status: head.status().as_u16(),
        headers: headers.collect(),
        body: body.expect("the answer to a write is there in whole").to_vec(),
    }
}

fn again(kept: KeptAnswer, tag: Option<String>) -> HttpResponse {
    // It was one when it was kept.
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let mut response = HttpResponse::build(status);
    for header in kept.headers {
        response.append_header(header);
    }
    if let Some(tag) = tag {
        response.insert_header(etag(&tag));
    }
    response.body(kept.body)
}

/// The strong tag of the record that an answer shows.
pub fn etag(tag: &str) -> (HeaderName, String) {
    (ETAG, format!("\"{tag}\""))
}
