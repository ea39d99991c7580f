//! Routes, each with its documentation: one cannot be there without the other.
//!
//! A handler's `#[utoipa::path]` says its method, path, parameters, bodies and its own answers. [`operations!`] makes the
//! route from it, and `openapi.rs` the document; what all routes of a dialect have in common (credentials, how errors
//! look) stands in its [`Dialect`], once. To add a route: annotate the handler, and list it in its dialect's
//! `operations`.

use super::failure::Failure;
use super::metrics::Template;
use super::{openapi, ops, patient_status, registry};
use actix_web::guard::{self, GuardContext};
use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, Resource, Route, web};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use utoipa::__dev::SchemaReferences;
use utoipa::openapi::path::{HttpMethod, Operation as Documented};
use utoipa::openapi::{RefOr, Schema};

/// One of our faces: a published API, with its paths and its way to say what went wrong.
pub struct Dialect {
    /// Its operations' tag.
    pub name: &'static str,
    pub about: &'static str,
    /// What lies below these is its own, be it there or not.
    pub prefixes: &'static [&'static str],
    /// The start of a path that may be left out; documents tell of the whole ones.
    pub optional_start: Option<&'static str>,
    /// Paths that no document tells of, and that would be taken for others.
    pub withheld: fn(&mut web::ServiceConfig),
    pub operations: fn() -> Vec<Operation>,
    /// Paths that no document tells of.
    pub undocumented: fn(&mut web::ServiceConfig),
    pub render: fn(Failure) -> HttpResponse,
    /// For a fault that nothing else is known of.
    pub fault: fn() -> HttpResponse,
    pub errors: openapi::Errors,
    /// Whether what need not be there may be null as well.
    pub nulls: bool,
    /// Any one of these will do; none are needed where there are none.
    pub credentials: &'static [openapi::Credential],
}

/// In the order in which paths are tried: first what is asked for most.
pub static DIALECTS: &[&Dialect] = &[
    &registry::DIALECT,
    &patient_status::DIALECT,
    &ops::DIALECT,
    &super::service::DIALECT,
];

impl Dialect {
    /// The one whose path this is. Whoever asks for what nobody has is answered as the first one would.
    pub fn of(path: &str) -> &'static Self {
        let below = |prefix: &&str| {
            let rest = path.strip_prefix(*prefix);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let found = DIALECTS.iter().find(|dialect| dialect.prefixes.iter().any(below));
        found.unwrap_or(&DIALECTS[0])
    }

    /// A path of its own, and what else it may be written as.
    pub fn forms(&self, path: &str) -> Vec<String> {
        let short = self.optional_start.and_then(|start| path.strip_prefix(start));
        std::iter::once(path).chain(short).map(str::to_owned).collect()
    }
}

/// A method of a path, what answers it, and what is written about it.
pub struct Operation {
    pub path: String,
    pub methods: Vec<HttpMethod>,
    pub document: fn() -> Documented,
    pub schemas: fn(&mut Vec<(String, RefOr<Schema>)>),
    route: fn() -> Route,
}

impl Operation {
    pub fn new<P: utoipa::Path + SchemaReferences>(route: fn() -> Route) -> Self {
        Self {
            path: P::path(),
            methods: P::methods(),
            document: P::operation,
            schemas: P::schemas,
            route,
        }
    }
}

/// The operations that these handlers are, by their annotations.
macro_rules! operations {
    ($($module:ident::$handler:ident),+ $(,)?) => {
        ::pastey::paste! {
            vec![$($crate::http::routes::Operation::new::<$module::[<__path_ $handler>]>(
                || ::actix_web::web::to($module::$handler)
            )),+]
        }
    };
}

pub(super) use operations;

/// All there is to be asked for.
pub fn routes(config: &mut web::ServiceConfig) {
    for dialect in DIALECTS {
        (dialect.withheld)(config);
        add(config, dialect, |_| true);
        (dialect.undocumented)(config);
    }
    add_default(config);
}

/// What whoever runs the process asks for, and nothing else.
pub fn health_routes(config: &mut web::ServiceConfig) {
    add(config, &super::service::DIALECT, |path| {
        path.starts_with("/health/") || path == "/metrics"
    });
    add_default(config);
}

fn add(config: &mut web::ServiceConfig, dialect: &'static Dialect, wanted: impl Fn(&str) -> bool) {
    for (path, operations) in by_path((dialect.operations)()) {
        if !wanted(&path) {
            continue;
        }
        let template = Template {
            dialect: dialect.name,
            route: template(&path),
        };
        config.service(resource(dialect, &path, operations).app_data(template));
    }
}

fn add_default(config: &mut web::ServiceConfig) {
    config.default_service(web::to(async |request: HttpRequest| {
        (Dialect::of(request.path()).render)(Failure::NoSuchPath)
    }));
}

/// For as long as the process lives, whichever thread asks.
fn template(path: &str) -> &'static str {
    static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    // An insertion is all there is to it, so a poisoned lock still guards sound data.
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known.get(path) {
        return found;
    }
    let new: &'static str = Box::leak(path.to_owned().into_boxed_str());
    known.insert(new);
    new
}

/// Paths stay in the order in which they first appear.
fn by_path(operations: Vec<Operation>) -> indexmap::IndexMap<String, Vec<Operation>> {
    let mut paths = indexmap::IndexMap::<_, Vec<_>>::new();
    for operation in operations {
        paths.entry(operation.path.clone()).or_default().push(operation);
    }
    paths
}

/// A path with its methods. `HEAD` comes with `GET`; `OPTIONS`, and a method that is not there, are told which there are.
fn resource(dialect: &'static Dialect, path: &str, operations: Vec<Operation>) -> Resource {
    let allow = allowed(&operations);
    let resource = web::resource(dialect.forms(path));
    let resource = operations.into_iter().fold(resource, |resource, operation| {
        let methods: Vec<_> = operation.methods.iter().flat_map(answered_by).collect();
        let is_one = move |context: &GuardContext<'_>| methods.contains(&context.head().method);
        resource.route((operation.route)().guard(guard::fn_guard(is_one)))
    });
    resource.default_service(web::to(move |request: HttpRequest| {
        let allow = allow.clone();
        let response = if request.method() == Method::OPTIONS {
            HttpResponse::NoContent().insert_header(("Allow", allow)).finish()
        } else {
            (dialect.render)(Failure::WrongMethod { allow })
        };
        std::future::ready(response)
    }))
}

fn allowed(operations: &[Operation]) -> String {
    let methods = operations.iter().flat_map(|operation| &operation.methods);
    let mut names: Vec<_> = methods
        .flat_map(answered_by)
        .map(|method| method.to_string())
        .collect();
    names.push(Method::OPTIONS.to_string());
    names.join(", ")
}

fn answered_by(method: &HttpMethod) -> Vec<Method> {
    match method {
        HttpMethod::Get => vec![Method::GET, Method::HEAD],
        HttpMethod::Post => vec![Method::POST],
        HttpMethod::Put => vec![Method::PUT],
        HttpMethod::Delete => vec![Method::DELETE],
        HttpMethod::Options => vec![Method::OPTIONS],
        HttpMethod::Head => vec![Method::HEAD],
        HttpMethod::Patch => vec![Method::PATCH],
        HttpMethod::Trace => vec![Method::TRACE],
    }
}
