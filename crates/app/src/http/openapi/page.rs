//! `/docs`: Swagger UI, from the binary. Its page fetches nothing from elsewhere, and may not.

use super::parts;
use crate::http::failure::Failure;
use crate::http::ops::render;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::Path;
use actix_web::{HttpResponse, HttpResponseBuilder};
use std::sync::Arc;
use utoipa::IntoParams;
use utoipa_swagger_ui::Config;

/// Swagger UI sets styles of elements by itself; scripts come from here only.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const INDEX: &str = include_str!("page/index.html");
const START: &str = include_str!("page/start.js");

/// The files of the page.
pub const ASSETS: [&str; 4] = [
    "start.js",
    "swagger-ui.css",
    "swagger-ui-bundle.js",
    "favicon-32x32.png",
];

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only its shape is used")]
pub struct AssetPath {
    #[param(schema_with = parts::page_asset)]
    file: String,
}

/// The interactive page
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "docs",
    responses((status = 200, description = "Swagger UI", body = String, content_type = "text/html")),
)]
pub async fn index() -> HttpResponse {
    guarded(HttpResponse::Ok())
        .content_type("text/html; charset=utf-8")
        .body(INDEX)
}

/// What the interactive page is made of
#[utoipa::path(
    get,
    path = "/docs/{file}",
    operation_id = "docsAsset",
    params(AssetPath),
    responses((status = 200, description = "The file", content(
        (String = "text/javascript"), (String = "text/css"), (String = "image/png"),
    ))),
)]
pub async fn asset(file: Path<String>) -> HttpResponse {
    let name = file.as_str();
    if name == "start.js" {
        return guarded(HttpResponse::Ok())
            .content_type("text/javascript; charset=utf-8")
            .body(START);
    }
    let known = ASSETS.contains(&name);
    let file = known.then(|| {
        utoipa_swagger_ui::serve(name, Arc::new(Config::default()))
            .ok()
            .flatten()
    });
    let Some(file) = file.flatten() else {
        return render(Failure::NoSuchPath);
    };
    let mut response = guarded(HttpResponse::Ok());
    if file.gzpipped {
        response.insert_header((CONTENT_ENCODING, "gzip"));
    }
    response
        .content_type(file.content_type)
        .body(file.bytes.into_owned())
}

fn guarded(mut response: HttpResponseBuilder) -> HttpResponseBuilder {
    response
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((CACHE_CONTROL, "no-cache"));
    response
}
