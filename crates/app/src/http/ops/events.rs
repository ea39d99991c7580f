//! Server-sent events: what is committed in the caller's workspace, as it happens.

use super::Answer;
use super::shapes::{EventQuery, LastEventId};
use crate::http::query::Query;
use crate::http::{Api, rfc3339};
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use caretrack_application::{Heard, Listening, UseCaseError, event_data};
use caretrack_domain::{EventFilter, Scope};
use caretrack_ports::OutboxEntry;
use futures::{Stream, stream};
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

/// How often it is looked whether the listener still may.
const CHECK: Duration = Duration::from_millis(900);
/// How long nothing is said before it is said that there is nothing. Who has gone is noticed by it, too.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Listen to events
///
/// Server-sent events: what is committed in the workspace, as it happens and in order, by ids and states only. With the
/// id of the last event heard it goes on after it; an event `reset` says that there were some that are no longer kept.
#[utoipa::path(
    get,
    path = "/ops/v1/events",
    operation_id = "listenToEvents",
    security(("scope" = ["ops:read"])),
    params(EventQuery, LastEventId),
    responses((status = 200, description = "Events, until one of both ends it", body = String, content_type = "text/event-stream")),
)]
pub async fn listen(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = api.caller_with(&request, Scope::OpsRead).await?;
    let query = Query::of(&request);
    let filter = query.read(
        "types",
        "must be names of events, with commas between them",
        |words| EventFilter::parse(words.split(',').map(str::trim)).ok(),
    )?;
    // What cannot be read as text is no position that was ever shown, as the use case will find.
    let header = request.headers().get("last-event-id");
    let since = header.map(|since| since.to_str().unwrap_or_default());
    let since = since.or_else(|| query.text("after"));
    let listening = api
        .application
        .listen(&caller, filter.unwrap_or_default(), since)
        .await?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-store"))
        // A proxy that would wait for more shall not.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(lines(api, request, listening)))
}

struct Line {
    api: Data<Api>,
    request: HttpRequest,
    listening: Listening,
    check: Interval,
    said: Instant,
}

fn lines(
    api: Data<Api>,
    request: HttpRequest,
    listening: Listening,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let mut check = interval(CHECK);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let line = Line {
        api,
        request,
        listening,
        check,
        said: Instant::now(),
    };
    stream::unfold(line, async |mut line| {
        let text = line.next().await?;
        line.said = Instant::now();
        Some((Ok(text.into()), line))
    })
}

impl Line {
    async fn next(&mut self) -> Option<String> {
        loop {
            tokio::select! {
                biased;
                _ = self.check.tick() => {
                    if !self.may_listen().await {
                        return None;
                    }
                    if self.said.elapsed() >= HEARTBEAT {
                        return Some(match self.listening.position() {
                            Some(position) => shown(&position),
                            None => ":\n\n".to_owned(),
                        });
                    }
                }
                heard = self.listening.next() => return heard.map(|heard| shown(&heard)),
            }
        }
    }

    /// A credential that was revoked, or has run out, ends it; a store that is away does not.
    async fn may_listen(&self) -> bool {
        let caller = self.api.caller_with(&self.request, Scope::OpsRead).await;
        !matches!(
            caller,
            Err(UseCaseError::Unauthenticated(_) | UseCaseError::Forbidden(_))
        )
    }
}

/// As the format has it: fields, and an empty line at the end. One without data is heard by nobody, but its id
/// is remembered.
fn shown(heard: &Heard) -> String {
    match heard {
        Heard::Event { id, entry } => {
            let (subject, data) = (entry.event.subject(), data(entry));
            format!("id: {id}\nevent: {subject}\ndata: {data}\n\n")
        }
        Heard::Reset { id } => {
            format!(
                "id: {id}\nevent: reset\ndata: {{\"reason\":\"events before this one are no longer kept\"}}\n\n"
            )
        }
        Heard::Position { id } => format!(":\nid: {id}\n\n"),
    }
}

fn data(entry: &OutboxEntry) -> String {
    let mut data = event_data(&entry.event);
    data["type"] = entry.event.name().into();
    data["at"] = rfc3339(entry.at).into();
    data.to_string()
}
