//! The registry dialect: resources in sources, and the tasks that their writes are.

mod conditions;
mod draft;
mod error;
mod path;
mod resources;
mod sources;
mod tasks;
mod view;

pub use error::fault;

use super::failure::Failure;
use super::{Api, at};
use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use error::{RegistryError, render};

pub fn routes(config: &mut web::ServiceConfig) {
    let resources = "/sources/{sourceKey}/v1/resources/{resourceType}";
    config
        // First what is asked for most: paths are tried in this order.
        .service(at(
            &format!("{resources}/{{id}}"),
            render,
            [
                (Method::GET, web::to(resources::find)),
                (Method::PUT, web::to(resources::put)),
                (Method::DELETE, web::to(resources::delete)),
            ],
        ))
        .service(at(
            "/sources/{sourceKey}/v1/tasks/{taskId}",
            render,
            [(Method::GET, web::to(tasks::find))],
        ))
        .service(at(
            "/catalog/v1/sources",
            render,
            [(Method::GET, web::to(sources::list))],
        ))
        .service(at(
            "/catalog/v1/sources/{sourceKey}",
            render,
            [
                (Method::GET, web::to(sources::find)),
                (Method::PUT, web::to(sources::put)),
            ],
        ))
        .service(at(
            "/sources/{sourceKey}/v1/profiles/{profileKey}",
            render,
            [(Method::GET, web::to(sources::profile))],
        ))
        // A key that no type has; bulk writes have a path of their own.
        .service(
            web::resource("/sources/{sourceKey}/v1/resources/bulk").default_service(web::to(no_such_path)),
        )
        .service(at(
            resources,
            render,
            [
                (Method::GET, web::to(resources::list)),
                (Method::POST, web::to(resources::create)),
            ],
        ));
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

pub async fn no_such_path() -> HttpResponse {
    render(Failure::NoSuchPath)
}
