//! The registry dialect: resources in sources, and the tasks that their writes are.

mod conditions;
mod definition_shapes;
mod definitions;
mod draft;
mod error;
mod path;
mod resources;
mod shapes;
mod sources;
mod tasks;
mod view;

use super::Api;
use super::failure::Failure;
use super::openapi::{Credential, Errors};
use super::routes::{Dialect, operations};
use actix_web::{HttpRequest, HttpResponse, web};
use error::{ErrorObject, RegistryError, fault, render};

pub static DIALECT: Dialect = Dialect {
    name: "registry",
    about: "Resources in sources, and the tasks that their writes are.",
    prefixes: &["/sources", "/catalog", "/partitions", "/mdm", "/operations"],
    optional_start: None,
    withheld: |_| {},
    operations: || {
        operations![
            // First what is asked for most: paths are tried in this order.
            resources::find,
            resources::put,
            resources::delete,
            tasks::find,
            sources::list,
            sources::find,
            sources::put,
            definitions::find_profile,
            definitions::put_profile,
            definitions::find_collection,
            definitions::put_collection,
            definitions::find_relationship,
            definitions::put_relationship,
            resources::list,
            resources::create,
        ]
    },
    undocumented: exclude,
    render,
    fault,
    errors: Errors::shown_as::<ErrorObject>("application/json"),
    nulls: false,
    credentials: &[Credential::ApiKey, Credential::Bearer],
};

fn exclude(config: &mut web::ServiceConfig) {
    for path in [
        "/sources/{sourceKey}/v1/objects{tail:(/.*)?}",
        "/sources/{sourceKey}/v1/partitions{tail:(/.*)?}",
        "/partitions{tail:(/.*)?}",
        "/catalog/v1/partitions{tail:.*}",
        "/mdm/v1{tail:(/.*)?}",
    ] {
        config.service(web::resource(path).default_service(web::to(excluded)));
    }
}

/// Left out on purpose; told only to those who may know.
async fn excluded(api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, RegistryError> {
    api.caller(&request).await?;
    Err(Failure::Excluded.into())
}
