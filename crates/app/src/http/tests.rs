//! What holds for every request, whatever it asks for.

use super::routes::routes;
use super::{Api, idempotency, request_id};
use crate::settings::Limits;
use crate::system::{SystemClock, SystemIds};
use actix_web::http::StatusCode;
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_and_read_body_json, init_service, try_call_service};
use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse, test};
use caretrack_adapters_auth::Argon2Hasher;
use caretrack_adapters_memory::MemoryStore;
use caretrack_application::{Application, Settings, Verifiers};
use serde_json::Value;
use std::sync::Arc;

const KEY: &str = "ct_0123456789abcdef0123456789abcdef";

async fn api() -> Data<Api> {
    let store = Arc::new(MemoryStore::default());
    let ids = Arc::new(SystemIds);
    let application = Application::new(
        store.clone(),
        store,
        Arc::new(SystemClock),
        ids.clone(),
        Verifiers {
            tokens: None,
            passwords: Arc::new(Argon2Hasher),
        },
        Settings::default(),
    );
    assert!(application.bootstrap(KEY).await.expect("an empty store"));
    let metrics = crate::metrics::Metrics::new(caretrack_domain::Instant::UNIX_EPOCH).unwrap();
    Data::new(Api::new(
        Arc::new(application),
        Limits::default(),
        ids,
        Arc::new(metrics),
        crate::traces::Spans { traced: false },
    ))
}

async fn broken() -> HttpResponse {
    panic!("told to")
}

macro_rules! service {
    ($api:expr) => {
        init_service(
            App::new()
                .app_data($api.clone())
                .route("/broken", web::get().to(broken))
                .route("/ops/broken", web::get().to(broken))
                .configure(routes)
                .wrap(from_fn(idempotency::surround))
                .wrap(from_fn(request_id::surround)),
        )
        .await
    };
}

#[actix_web::test]
async fn a_request_id_is_taken_over_if_it_is_one() {
    let service = service!(api().await);
    for (given, kept) in [("mine-1", true), ("not one", false)] {
        let request = TestRequest::get()
            .uri("/nope")
            .insert_header(("X-Request-ID", given));
        let response = test::call_service(&service, request.to_request()).await;
        let echoed = response.headers().get("x-request-id").expect("always there");
        assert_eq!(echoed == given, kept);
    }
}

#[actix_web::test]
async fn a_panic_is_a_fault_with_a_body_and_a_request_id() {
    let service = service!(api().await);
    for (path, member) in [("/broken", "code"), ("/ops/broken", "status")] {
        let request = TestRequest::get()
            .uri(path)
            .insert_header(("X-Request-ID", "mine-1"));
        let error = try_call_service(&service, request.to_request())
            .await
            .expect_err("a panic");
        let response = error.error_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers().get("x-request-id").expect("echoed"), "mine-1");
        let body = actix_web::body::to_bytes(response.into_body())
            .await
            .expect("a body");
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(body[member], 500);
    }
}

#[actix_web::test]
async fn nobody_without_a_key_learns_what_is_there() {
    let service = service!(api().await);
    for path in [
        "/sources/a/v1/resources/b/cc",
        "/sources/a/v1/tasks/s_0",
        "/catalog/v1/sources",
        "/mdm/v1/x",
        "/ops/v1/tasks",
        "/ops/v1/audit",
        "/api/v2/patients/123456",
        "/patients/list",
        "/api/v2/searches/searchResultsRefresh",
    ] {
        for key in [None, Some("ct_wrong"), Some("wrong"), Some("")] {
            let request = TestRequest::get().uri(path);
            let request = match key {
                Some(key) => request.insert_header(("X-Clinia-API-Key", key)),
                None => request,
            };
            let response = test::call_service(&service, request.to_request()).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        }
    }
}

#[actix_web::test]
async fn the_header_of_its_own_counts_before_the_other() {
    let service = service!(api().await);
    for (own, bearer, status) in [
        (None, Some(KEY), StatusCode::OK),
        (Some(KEY), Some("ct_wrong"), StatusCode::OK),
        (Some("ct_wrong"), Some(KEY), StatusCode::UNAUTHORIZED),
    ] {
        let mut request = TestRequest::get().uri("/catalog/v1/sources");
        if let Some(own) = own {
            request = request.insert_header(("X-Clinia-API-Key", own));
        }
        if let Some(bearer) = bearer {
            request = request.insert_header(("Authorization", format!("Bearer {bearer}")));
        }
        let response = test::call_service(&service, request.to_request()).await;
        assert_eq!(response.status(), status);
    }
}

#[actix_web::test]
async fn a_stopping_server_is_not_ready() {
    let api = api().await;
    let service = service!(api);
    let ready = || TestRequest::get().uri("/health/ready").to_request();
    let body: Value = call_and_read_body_json(&service, ready()).await;
    assert_eq!(body["status"], "ready");
    api.begin_stop();
    let response = test::call_service(&service, ready()).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
}
