use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::HttpResponse;

use super::*;
use crate::cli::testing::{KEY, listen, serve};

const ID: &str = "s_0197a1b2c3d47e5f8a9b0c1d2e3f4a5b";

/// A server whose task goes through the states, one a look, and stays in the last.
fn server_with(states: &'static [&'static str]) -> Client {
    let (listener, client) = listen();
    let looks = AtomicUsize::new(0);
    serve(listener, move |request, _| {
        assert_eq!(
            request
                .headers()
                .get("X-Clinia-API-Key")
                .map(actix_web::http::header::HeaderValue::as_bytes),
            Some(KEY.as_bytes())
        );
        assert_eq!(request.path(), format!("/ops/v1/tasks/{ID}"));
        let look = looks.fetch_add(1, Ordering::Relaxed);
        match states[look.min(states.len() - 1)] {
            "503" => HttpResponse::ServiceUnavailable().finish(),
            state => HttpResponse::Ok().content_type("application/json").body(format!(
                r#"{{"id":"{ID}","state":"{state}","kind":"resource.put"}}"#
            )),
        }
    });
    client
}

async fn waited(states: &'static [&'static str], timeout: Duration) -> (String, Exit) {
    let (seen, exit) = wait(&server_with(states), ID, timeout).await.expect("an ending");
    (
        seen.map_or(String::new(), |task| word(&task, "state").to_owned()),
        exit,
    )
}

#[test]
fn ids_of_every_form_are_accepted_and_others_refused() {
    for good in [
        ID,
        "0197a1b2c3d47e5f8a9b0c1d2e3f4a5b",
        "0197a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
        "bk_0197a1b2c3d47e5f8a9b0c1d2e3f4a5b",
        "pg_0197A1B2C3D47E5F8A9B0C1D2E3F4A5B",
    ] {
        assert_eq!(parse_task_id(good).as_deref(), Ok(good));
    }
    for bad in [
        "",
        "s_",
        "x_0197a1b2c3d47e5f8a9b0c1d2e3f4a5b",
        "s_0197a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
        "../queues",
    ] {
        assert!(parse_task_id(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_task_is_described_by_aligned_lines() {
    let task = serde_json::json!({
        "kind": "resource.put", "id": "s_1", "state": "failed", "attempts": [1, 2], "error": {"message": "No\nsuch."},
        "eta": null, "requestId": "r-1"
    });
    assert_eq!(
        describe(&task),
        "id         s_1\nkind       resource.put\nstate      failed\nattempts   2 (see --json)\nerror      No such.\nrequestId  r-1"
    );
}

#[tokio::test]
async fn waiting_ends_with_the_task_and_rides_out_a_busy_server() {
    let long = Duration::from_secs(20);
    assert_eq!(
        waited(&["503", "queued", "503", "running", "succeeded"], long).await,
        ("succeeded".to_owned(), Exit::Done)
    );
    assert_eq!(waited(&["failed"], long).await.1, Exit::Failed);
    assert_eq!(waited(&["held", "cancelled"], long).await.1, Exit::Failed);
}

#[tokio::test]
async fn waiting_ends_when_time_runs_out() {
    let (state, exit) = waited(&["retry_scheduled"], Duration::from_millis(300)).await;
    assert_eq!((state.as_str(), exit), ("retry_scheduled", Exit::TimedOut));
}

#[tokio::test]
async fn waiting_on_nothing_fails_at_once() {
    let (listener, client) = listen();
    drop(listener);
    let error = wait(&client, ID, Duration::from_secs(20))
        .await
        .expect_err("no server");
    assert_eq!(error.exit(), Exit::Unreachable);
}

#[tokio::test]
async fn refusals_and_changes_are_told_apart() {
    let (listener, client) = listen();
    serve(listener, |request, _| {
        assert_eq!(request.method().as_str(), "POST");
        if request.path().ends_with("/cancel") {
            HttpResponse::Conflict()
                .content_type("application/problem+json")
                .body(r#"{"title":"Conflict","status":409,"detail":"The task has ended."}"#)
        } else {
            assert!(request.path().ends_with("/retry"));
            HttpResponse::Ok().body(r#"{"id":"new","state":"queued","kind":"k"}"#)
        }
    });
    let refused = carry_out(&client, ID, Action::Change("cancel"))
        .await
        .expect_err("refused");
    assert_eq!(
        refused.to_string(),
        "the server refused: 409 Conflict: The task has ended."
    );
    assert_eq!(refused.exit(), Exit::Refused);
    let (task, exit) = carry_out(&client, ID, Action::Change("retry"))
        .await
        .expect("a task");
    assert_eq!(
        (task.map(|task| word(&task, "id").to_owned()), exit),
        (Some("new".to_owned()), Exit::Done)
    );
}

#[tokio::test]
async fn an_answer_that_is_no_task_is_an_error() {
    let (listener, client) = listen();
    serve(listener, |_, _| HttpResponse::Ok().body("<html>"));
    let error = carry_out(&client, ID, Action::Show).await.expect_err("an error");
    assert_eq!(error.exit(), Exit::Failed);
}
