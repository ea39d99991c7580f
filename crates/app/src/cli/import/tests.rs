use std::collections::{HashMap, VecDeque};
use std::fs;
use std::net::TcpListener;

use actix_web::http::header::{ETAG, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse};
use backon::ExponentialBuilder;
use serde_json::Value;

use super::*;
use crate::cli::testing::{listen, serve};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data");

/// What goes wrong with one PUT or DELETE.
#[derive(Clone, Copy)]
enum Fault {
    /// Refused before it has an effect.
    Busy,
    /// It has its effect, and the answer is an error.
    AnswerLost,
    /// Somebody else changes the record just before it.
    Meddled,
    Forbidden,
    Invalid,
}

/// The part of the registry that the import uses.
#[derive(Default)]
struct Registry {
    records: Mutex<HashMap<String, (u32, String)>>,
    faults: Mutex<VecDeque<Fault>>,
    writes: Mutex<Vec<String>>,
}

impl Registry {
    fn with_faults(faults: &[Fault]) -> Arc<Self> {
        Arc::new(Self {
            faults: Mutex::new(faults.iter().copied().collect()),
            ..Self::default()
        })
    }

    fn serve(self: &Arc<Self>, listener: TcpListener) {
        let registry = self.clone();
        serve(listener, move |request, body| registry.answer(request, body));
    }

    fn answer(&self, request: &HttpRequest, body: &str) -> HttpResponse {
        let path = request.path().to_owned();
        let mut records = self.records.lock().expect("not poisoned");
        if request.method() == "GET" {
            return match records.get(&path) {
                None => HttpResponse::NotFound().finish(),
                Some((version, data)) => HttpResponse::Ok()
                    .insert_header((ETAG, format!("\"{version}\"")))
                    .body(format!(r#"{{"id":"x","type":"y","data":{data},"meta":{{}}}}"#)),
            };
        }
        let fault = self.faults.lock().expect("not poisoned").pop_front();
        match fault {
            Some(Fault::Busy) => {
                return HttpResponse::ServiceUnavailable()
                    .insert_header((RETRY_AFTER, "0"))
                    .finish();
            }
            Some(Fault::Forbidden) => return HttpResponse::Forbidden().finish(),
            Some(Fault::Invalid) => {
                return HttpResponse::BadRequest()
                    .body(r#"{"code":400,"type":"INVALID_ARGUMENT","message":"Bad."}"#);
            }
            Some(Fault::Meddled) => {
                records.insert(path.clone(), (100, "{}".to_owned()));
            }
            Some(Fault::AnswerLost) | None => {}
        }
        let header = |name: &str| {
            request
                .headers()
                .get(name)
                .map(|value| value.to_str().expect("text").to_owned())
        };
        let current = records.get(&path).map(|(version, _)| *version);
        let holds = match (header("If-Match"), header("If-None-Match")) {
            (Some(etag), None) => current.is_some_and(|version| etag == format!("\"{version}\"")),
            (None, Some(any)) => any == "*" && current.is_none(),
            _ => panic!("a write without exactly one condition"),
        };
        if !holds {
            return HttpResponse::PreconditionFailed().finish();
        }
        if request.method() == "DELETE" {
            records.remove(&path);
        } else {
            let data = body
                .strip_prefix(r#"{"data":"#)
                .and_then(|rest| rest.strip_suffix('}'))
                .expect("data");
            self.writes.lock().expect("not poisoned").push(data.to_owned());
            records.insert(path, (current.unwrap_or(0) + 1, data.to_owned()));
        }
        if matches!(fault, Some(Fault::AnswerLost)) {
            HttpResponse::BadGateway().finish()
        } else {
            HttpResponse::Created().finish()
        }
    }

    fn data(&self, kind: &str, id: &str) -> Option<String> {
        let path = format!("/sources/fhir/v1/resources/{kind}/{id}");
        self.records
            .lock()
            .expect("not poisoned")
            .get(&path)
            .map(|(_, data)| data.clone())
    }
}

fn import(client: Client, retry_for: Duration) -> Arc<Import> {
    Arc::new(Import {
        writer: Writer {
            client,
            source: "fhir".to_owned(),
            retry_for,
            delays: ExponentialBuilder::default()
                .with_min_delay(Duration::from_millis(1))
                .without_max_times(),
            stop: Stop::new(),
            progress: Arc::new(Progress::hidden()),
            health: Health::new(),
        },
        tally: Mutex::default(),
    })
}

const PATIENT: Duration = Duration::from_secs(30);

async fn import_paths(client: &Client, paths: &[PathBuf]) -> Arc<Import> {
    let import = import(client.clone(), PATIENT);
    let sources = files::discover(paths).expect("files");
    import.clone().carry_out(sources, 4).await.expect("carried out");
    import
}

async fn import_text(client: &Client, lines: &str) -> Arc<Import> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.ndjson");
    fs::write(&file, lines).expect("written");
    import_paths(client, &[file]).await
}

fn counts(import: &Import) -> [u64; 4] {
    let tally = import.tally();
    [tally.written, tally.unchanged, tally.deleted, tally.failed]
}

fn summary(import: &Import) -> Value {
    let json = import.tally().json(Duration::ZERO, None).expect("JSON");
    serde_json::from_str(&json).expect("JSON")
}

const ONE: &str = r#"{"resourceType":"Basic","id":"b","n":4.70}"#;

#[tokio::test]
async fn the_example_data_are_imported_once_and_unchanged_after() {
    let (listener, client) = listen();
    let registry = Registry::with_faults(&[]);
    registry.serve(listener);
    let paths = [PathBuf::from(EXAMPLES)];
    let resources = 204 + 2 * 42;
    assert_eq!(
        counts(&*import_paths(&client, &paths).await),
        [resources, 0, 0, 0]
    );
    assert_eq!(
        counts(&*import_paths(&client, &paths).await),
        [0, resources, 0, 0]
    );

    let lines = fs::read_to_string(format!("{EXAMPLES}/fhir-r4-examples.ndjson")).expect("examples");
    for line in lines.lines() {
        let resource: Value = serde_json::from_str(line).expect("JSON");
        let (kind, id) = (
            resource["resourceType"].as_str().expect("a type"),
            resource["id"].as_str().expect("an id"),
        );
        if !id.contains('.') {
            assert_eq!(registry.data(kind, id).as_deref(), Some(line));
        }
    }
}

#[tokio::test]
async fn a_changed_resource_is_written_over_and_a_deleted_one_removed() {
    let (listener, client) = listen();
    let registry = Registry::with_faults(&[]);
    registry.serve(listener);
    assert_eq!(counts(&*import_text(&client, ONE).await), [1, 0, 0, 0]);
    assert_eq!(
        counts(&*import_text(&client, &ONE.replace("4.70", "4.7")).await),
        [1, 0, 0, 0]
    );
    assert_eq!(
        registry.data("Basic", "b").as_deref(),
        Some(ONE.replace("4.70", "4.7").as_str())
    );
    let delete = r#"{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"DELETE","url":"Basic/b"}}]}"#;
    assert_eq!(counts(&*import_text(&client, delete).await), [0, 0, 1, 0]);
    assert_eq!(counts(&*import_text(&client, delete).await), [0, 1, 0, 0]);
    assert_eq!(registry.data("Basic", "b"), None);
}

#[tokio::test]
async fn resources_with_one_id_are_written_in_the_order_of_the_file() {
    let (listener, client) = listen();
    let registry = Registry::with_faults(&[]);
    registry.serve(listener);
    let lines: Vec<String> = (0..50)
        .map(|n| format!(r#"{{"resourceType":"Basic","id":"same","n":{n}}}"#))
        .collect();
    assert_eq!(
        counts(&*import_text(&client, &lines.join("\n")).await),
        [50, 0, 0, 0]
    );
    assert_eq!(*registry.writes.lock().expect("not poisoned"), lines);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_counts_as_written_and_is_not_repeated() {
    let (listener, client) = listen();
    let registry = Registry::with_faults(&[Fault::Busy, Fault::AnswerLost]);
    registry.serve(listener);
    assert_eq!(counts(&*import_text(&client, ONE).await), [1, 0, 0, 0]);
    assert_eq!(registry.writes.lock().expect("not poisoned").len(), 1);
}

#[tokio::test]
async fn a_record_that_changes_meanwhile_is_read_again() {
    let (listener, client) = listen();
    let registry = Registry::with_faults(&[Fault::Meddled]);
    registry.serve(listener);
    assert_eq!(counts(&*import_text(&client, ONE).await), [1, 0, 0, 0]);
    assert_eq!(registry.data("Basic", "b").as_deref(), Some(ONE));
}

#[tokio::test]
async fn a_server_that_comes_back_is_waited_for() {
    let (listener, client) = listen();
    let registry = Registry::with_faults(&[]);
    let import = tokio::spawn(async move { import_text(&client, ONE).await });
    let listener = tokio::task::spawn_blocking(move || {
        for _ in 0..3 {
            // The connection closes without an answer, as when a server is killed.
            drop(listener.accept().expect("a connection"));
        }
        listener
    });
    registry.serve(listener.await.expect("three connections"));
    let import = import.await.expect("an import");
    assert_eq!(counts(&import), [1, 0, 0, 0]);
    assert_eq!(import.writer.stop.cause(), None);
}

#[tokio::test]
async fn a_server_that_stays_away_stops_the_import() {
    let (listener, client) = listen();
    drop(listener);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.ndjson");
    let lines: Vec<String> = (0..1000)
        .map(|n| format!(r#"{{"resourceType":"Basic","id":"{n}"}}"#))
        .collect();
    fs::write(&file, lines.join("\n")).expect("written");
    let import = import(client, Duration::from_millis(50));
    let sources = files::discover(&[file]).expect("files");
    import.clone().carry_out(sources, 2).await.expect("carried out");
    let cause = import.writer.stop.cause();
    assert_eq!(exit(cause.as_ref(), import.tally().failed), Exit::Unreachable);
    assert_eq!(counts(&import), [0; 4]);
}

#[tokio::test]
async fn a_server_that_stays_overloaded_stops_the_import() {
    let (listener, client) = listen();
    serve(listener, |_, _| {
        HttpResponse::ServiceUnavailable()
            .insert_header((RETRY_AFTER, "3600"))
            .finish()
    });
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.ndjson");
    fs::write(&file, ONE).expect("written");
    let import = import(client, Duration::from_millis(50));
    let sources = files::discover(&[file]).expect("files");
    import.clone().carry_out(sources, 2).await.expect("carried out");
    assert!(matches!(import.writer.stop.cause(), Some(StopCause::Busy(_))));
    assert_eq!(counts(&import), [0; 4]);
}

#[tokio::test]
async fn a_refused_key_stops_the_import() {
    let (listener, client) = listen();
    let registry = Registry::with_faults(&[Fault::Forbidden; 2000]);
    registry.serve(listener);
    let lines: Vec<String> = (0..1000)
        .map(|n| format!(r#"{{"resourceType":"Basic","id":"{n}"}}"#))
        .collect();
    let import = import_text(&client, &lines.join("\n")).await;
    let cause = import.writer.stop.cause();
    assert_eq!(exit(cause.as_ref(), import.tally().failed), Exit::Refused);
    assert_eq!(counts(&import), [0; 4]);
}

#[tokio::test]
async fn what_fails_is_told_with_its_place_and_the_rest_is_written() {
    let (listener, client) = listen();
    let registry = Registry::with_faults(&[Fault::Invalid]);
    registry.serve(listener);
    let import = import_text(
        &client,
        &format!("{ONE}\nnonsense\n\n{}\n", ONE.replace("\"b\"", "\"c\"")),
    )
    .await;
    assert_eq!(counts(&import), [1, 0, 0, 2]);
    let summary = summary(&import);
    let failures = summary["failures"].as_array().expect("failures");
    let reason = |end: &str| {
        let found = failures.iter().find(|failure| {
            failure["place"]
                .as_str()
                .is_some_and(|place| place.ends_with(end))
        });
        found.map(|failure| failure["reason"].as_str().expect("a reason").to_owned())
    };
    assert_eq!(reason(":2").as_deref(), Some("not a JSON object"));
    let refused = reason(":1").or_else(|| reason(":4")).expect("a refusal");
    assert_eq!(refused, "the server answered: 400 INVALID_ARGUMENT: Bad.");
}

#[tokio::test]
async fn an_interrupted_import_leaves_the_rest_and_the_next_run_completes_it() {
    let (listener, client) = listen();
    let registry = Registry::with_faults(&[]);
    let interrupted = import(client.clone(), PATIENT);
    let stop = interrupted.writer.stop.clone();
    let answering = registry.clone();
    serve(listener, move |request, body| {
        if answering.writes.lock().expect("not poisoned").len() == 100 {
            stop.set(StopCause::Interrupted);
        }
        answering.answer(request, body)
    });
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.ndjson");
    let lines: Vec<String> = (0..1000)
        .map(|n| format!(r#"{{"resourceType":"Basic","id":"{n}"}}"#))
        .collect();
    fs::write(&file, lines.join("\n")).expect("written");
    let sources = files::discover(std::slice::from_ref(&file)).expect("files");
    interrupted
        .clone()
        .carry_out(sources, 4)
        .await
        .expect("carried out");
    let [written, unchanged, deleted, failed] = counts(&interrupted);
    assert!((100..1000).contains(&written), "{written}");
    assert_eq!([unchanged, deleted, failed], [0, 0, 0]);
    assert_eq!(exit(interrupted.writer.stop.cause().as_ref(), 0), Exit::Failed);

    let resumed = import_paths(&client, &[file]).await;
    assert_eq!(counts(&resumed), [1000 - written, written, 0, 0]);
}
