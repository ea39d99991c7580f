//! The OpenAPI document, made from the routes.
//!
//! What a handler's annotation says is its own; what all operations of a dialect have in common is added here: the
//! credentials, the request id, and the failures that may happen to any of them, each shown by the very code that
//! answers it. An annotation's own status of 400 and above needs no body: it gets the dialect's.

mod older;
pub mod page;
pub mod parts;
#[cfg(test)]
mod tests;
mod tidy;

use super::failure::Failure;
use super::idempotency;
use super::routes::{DIALECTS, Dialect, Operation};
use actix_web::HttpResponse;
use actix_web::body::MessageBody;
use caretrack_application::{Needed, Unauthenticated, UseCaseError};
use caretrack_domain::{KeyConflict, Refusal, Rule, Scope};
use caretrack_ports::StoreError;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use tracing::subscriber::{NoSubscriber, with_default};
use utoipa::ToSchema;
use utoipa::openapi::{HttpMethod, RefOr, Schema};

/// The key under which an annotation says which scopes its operation needs: `security(("scope" = ["ops:read"]))`.
const SCOPE: &str = "scope";

type Schemas = Vec<(String, RefOr<Schema>)>;

/// How a dialect says what went wrong.
pub struct Errors {
    content_type: &'static str,
    name: fn() -> Cow<'static, str>,
    schema: fn() -> RefOr<Schema>,
    schemas: fn(&mut Schemas),
}

impl Errors {
    pub const fn shown_as<T: ToSchema>(content_type: &'static str) -> Self {
        Self {
            content_type,
            name: T::name,
            schema: T::schema,
            schemas: T::schemas,
        }
    }

    fn reference(&self) -> Value {
        json!({"$ref": format!("#/components/schemas/{}", (self.name)())})
    }
}

/// What may say who asks; see [`security_schemes`].
#[derive(Clone, Copy)]
pub enum Credential {
    ApiKey,
    Bearer,
    Token,
}

impl Credential {
    /// The schemes that it takes, all of them.
    fn schemes(self) -> &'static [&'static str] {
        match self {
            Self::ApiKey => &["apiKey"],
            Self::Bearer => &["bearer"],
            Self::Token => &["token"],
        }
    }
}

fn security_schemes() -> Value {
    json!({
        "apiKey": {"type": "apiKey", "in": "header", "name": "X-Clinia-API-Key", "description": "An API key; it counts before any other credential."},
        "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, `ct_...`; where an operation says so, a signed token (JWT)."},
        "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A signed token; an API key is none."},
    })
}

/// As `/openapi.json` and `/openapi-3.0.json` show it.
pub struct Documents {
    pub newer: String,
    pub older: String,
}

pub static DOCUMENTS: LazyLock<Documents> = LazyLock::new(|| {
    let newer = document();
    Documents {
        older: text(&older::from(newer.clone())),
        newer: text(&newer),
    }
});

fn text(document: &Value) -> String {
    serde_json::to_string_pretty(document).expect("keys are strings, so it is JSON")
}

/// OpenAPI 3.1.
fn document() -> Value {
    let mut paths = Map::new();
    let mut schemas = BTreeMap::new();
    let mut responses = Map::new();
    for dialect in DIALECTS {
        let mut own = Schemas::new();
        own.push(((dialect.errors.name)().into_owned(), (dialect.errors.schema)()));
        (dialect.errors.schemas)(&mut own);
        for operation in (dialect.operations)() {
            (operation.schemas)(&mut own);
            let path = paths.entry(&operation.path).or_insert_with(|| json!({}));
            for method in &operation.methods {
                path[name(method)] = described(dialect, &operation, writes(method), &mut responses);
            }
        }
        let tidied = own.into_iter().map(|(name, schema)| {
            let mut schema = json!(schema);
            tidy::schema(&mut schema, dialect.nulls);
            (name, schema)
        });
        schemas.extend(tidied);
    }
    let tags = DIALECTS
        .iter()
        .map(|dialect| json!({"name": dialect.name, "description": dialect.about}));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Caretrack",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Accepts clinical writes, carries them out as durable tasks, and tells where each of them stands.",
            "license": {"name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE")},
        },
        "servers": [{"url": "/"}],
        "tags": tags.collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": responses,
            "securitySchemes": security_schemes(),
        },
    })
}

/// Whether such an operation changes something, and so may come under a key.
fn writes(method: &HttpMethod) -> bool {
    match method {
        HttpMethod::Post | HttpMethod::Put | HttpMethod::Patch | HttpMethod::Delete => true,
        HttpMethod::Get | HttpMethod::Head | HttpMethod::Options | HttpMethod::Trace => false,
    }
}

fn name(method: &HttpMethod) -> String {
    let name = serde_json::to_value(method).ok();
    name.as_ref()
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// An operation with what its dialect adds to it; `shared` has the answers that many operations refer to.
fn described(
    dialect: &Dialect,
    operation: &Operation,
    writes: bool,
    shared: &mut Map<String, Value>,
) -> Value {
    let mut shown = json!((operation.document)());
    shown["tags"] = json!([dialect.name]);
    shown["security"] = security(dialect, &shown);
    let writes = writes && !only_reads(&shown);
    let mut responses = shown["responses"].take();
    let mut failures = failures(dialect, &shown);
    if writes {
        failures.extend([
            Failure::UseCase(KeyConflict::InFlight.into()),
            Failure::UseCase(KeyConflict::Reused.into()),
            idempotency::no_key().into(),
        ]);
    }
    for failure in failures {
        let (status, response) = failed(dialect, failure);
        let told = responses.get(&status);
        if told.is_none() {
            let name = format!("{}-{status}", dialect.name);
            responses[status] = json!({"$ref": format!("#/components/responses/{name}")});
            shared.entry(name).or_insert(response);
        } else if told.is_some_and(|told| told.get("content").or(told.get("$ref")).is_none()) {
            responses[status]["content"] = response["content"].clone();
        }
    }
    let written = responses.as_object_mut().into_iter().flatten();
    for (status, response) in written.filter(|(_, response)| response.get("$ref").is_none()) {
        let failed = status.parse::<u16>().is_ok_and(|status| status >= 400);
        if failed && response.get("content").is_none() {
            response["content"] =
                json!({dialect.errors.content_type: {"schema": dialect.errors.reference()}});
        }
        let headers = response["headers"].as_object_mut();
        for (name, header) in headers.into_iter().flatten() {
            *header = parts::header(name);
        }
        response["headers"]["X-Request-ID"] = parts::header("X-Request-ID");
        if writes {
            response["headers"]["Idempotency-Replayed"] = parts::header("Idempotency-Replayed");
        }
    }
    shown["responses"] = responses;
    if let Some(body) = shown.get_mut("requestBody") {
        tidy::body(body);
    }
    let mut parameters = shown["parameters"].as_array().cloned().unwrap_or_default();
    parameters.iter_mut().for_each(tidy::parameter);
    parameters.push(request_id());
    if writes {
        parameters.push(idempotency_key());
    }
    shown["parameters"] = parameters.into();
    shown
}

fn request_id() -> Value {
    json!({
        "name": "X-Request-ID", "in": "header", "required": false, "schema": {"type": "string"},
        "description": "What the request is to be called: 1 to 128 visible ASCII characters; anything else is replaced.",
    })
}

fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key", "in": "header", "required": false,
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
        "description": "The caller's name for this request, of 1 to 255 visible ASCII characters. For 24 hours, the same request \
            under the same key is answered the same and done once; another request under it is refused.",
    })
}

/// Each of the dialect's credentials will do, with any of the sets of scopes that the annotation names.
fn security(dialect: &Dialect, operation: &Value) -> Value {
    let named = operation["security"].as_array();
    let mut sets: Vec<_> = named
        .into_iter()
        .flatten()
        .map(|set| set[SCOPE].clone())
        .collect();
    if sets.is_empty() {
        sets.push(json!([]));
    }
    let alternative = |credential: &Credential, scopes: &Value| {
        let schemes = credential.schemes().iter();
        schemes
            .map(|scheme| ((*scheme).to_owned(), scopes.clone()))
            .collect::<Value>()
    };
    let credentials = dialect.credentials.iter();
    credentials
        .flat_map(|credential| sets.iter().map(move |scopes| alternative(credential, scopes)))
        .collect()
}

/// Whether it is open to those who may only read, whatever its method.
fn only_reads(operation: &Value) -> bool {
    let sets = operation["security"].as_array().into_iter().flatten();
    let schemes = sets
        .filter_map(Value::as_object)
        .flat_map(|schemes| schemes.values());
    let mut scopes = schemes
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(Value::as_str)
        .peekable();
    scopes.peek().is_some() && scopes.all(|scope| scope.ends_with(":read"))
}

/// What may become of such an operation, whatever it does. What needs no credential does nothing that could fail.
fn failures(dialect: &Dialect, operation: &Value) -> Vec<Failure> {
    let mut failures = Vec::new();
    if !dialect.credentials.is_empty() {
        failures.extend([
            UseCaseError::Unauthenticated(Unauthenticated::Missing).into(),
            UseCaseError::Forbidden(Needed::Scope(needed(operation))).into(),
            UseCaseError::RateLimited {
                retry_after: UseCaseError::RETRY_AFTER,
            }
            .into(),
            UseCaseError::Internal(StoreError::Duplicate).into(),
            UseCaseError::Unavailable(StoreError::Conflict).into(),
        ]);
    }
    let parameters = operation["parameters"].as_array();
    let has_parameter = |place: &str| {
        parameters
            .into_iter()
            .flatten()
            .any(|parameter| parameter["in"] == place)
    };
    if has_parameter("path") {
        failures.push(Failure::no_such_record());
    }
    if operation["requestBody"].is_object() {
        failures.extend([
            Refusal::problem("$.data", Rule::Required, "is required").into(),
            Failure::WrongContentType,
            Failure::BodyTooLarge { limit: 1024 * 1024 },
            Failure::BodyTooSlow,
        ]);
    } else if has_parameter("query") {
        failures.push(Refusal::problem("query.limit", Rule::Type, "must be a number").into());
    }
    failures
}

/// For the example.
fn needed(operation: &Value) -> Scope {
    let word = operation["security"][0]
        .as_object()
        .and_then(|schemes| schemes.values().next()?[0].as_str());
    word.and_then(|word| word.parse().ok()).unwrap_or(Scope::OpsRead)
}

/// A failure as the dialect answers it.
fn failed(dialect: &Dialect, failure: Failure) -> (String, Value) {
    let answer = with_default(NoSubscriber::new(), || (dialect.render)(failure));
    let status = answer.status();
    let mut response = json!({"description": status.canonical_reason().unwrap_or_default()});
    for name in ["Retry-After", "WWW-Authenticate"] {
        if answer.headers().contains_key(name) {
            response["headers"][name] = parts::header(name);
        }
    }
    response["headers"]["X-Request-ID"] = parts::header("X-Request-ID");
    response["content"] = json!({dialect.errors.content_type: {
        "schema": dialect.errors.reference(), "example": body(answer),
    }});
    (status.as_str().to_owned(), response)
}

fn body(answer: HttpResponse) -> Value {
    let bytes = answer.into_body().try_into_bytes().unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}
