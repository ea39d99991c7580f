//! The clock, and moving it where that is allowed.

use super::{Answer, read};
use crate::http::idempotency::tell;
use crate::http::json::Object;
use crate::http::{Api, rfc3339};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use caretrack_application::{ClockMode, ClockReading};
use caretrack_domain::{Advance, InvalidAdvance, Problems, Refusal, Rule, Scope};
use serde::Serialize;
use utoipa::ToSchema;

/// What the clock shows.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"mode": "manual", "now": "2026-03-17T09:30:00.000Z"}))]
pub struct ClockView {
    /// `system`, or `manual` if it can be moved.
    mode: &'static str,
    #[schema(format = DateTime)]
    now: String,
}

#[expect(dead_code, reason = "only its shape is used")]
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"advance": "P42D"}))]
pub struct ClockAdvance {
    /// An ISO 8601 duration of weeks, days, hours, minutes and seconds: more than zero, at most P3660D.
    #[schema(pattern = "^P([1-9][0-9]?[DW]|T[1-9][0-9]{0,3}[HMS])$")]
    advance: String,
}

/// Read the clock
#[utoipa::path(
    get,
    path = "/ops/v1/clock",
    operation_id = "readClock",
    security(("scope" = ["ops:read"])),
    responses((status = 200, description = "What it shows", body = ClockView)),
)]
pub async fn find(api: Data<Api>, request: HttpRequest) -> Answer {
    let caller = api.caller_with(&request, Scope::OpsRead).await?;
    Ok(shown(api.application.read_clock(&caller).await?))
}

/// Move the clock ahead
///
/// For tests: only with `clock.mode = "manual"`. Work that falls due runs at once.
#[utoipa::path(
    post,
    path = "/ops/v1/clock",
    operation_id = "advanceClock",
    security(("scope" = ["ops:write"])),
    request_body = ClockAdvance,
    responses(
        (status = 200, description = "What it shows now", body = ClockView),
        (status = 409, description = "The clock is the system's"),
    ),
)]
pub async fn advance(api: Data<Api>, request: HttpRequest, payload: Payload) -> Answer {
    let (caller, by) = read(&api, &request, payload, "clock.advance", read_advance).await?;
    let told = tell(&request, &caller, |reading: &ClockReading| shown(*reading));
    Ok(api.application.advance_clock(&told, by).await?)
}

fn shown(reading: ClockReading) -> HttpResponse {
    HttpResponse::Ok().json(ClockView {
        mode: match reading.mode {
            ClockMode::System => "system",
            ClockMode::Manual => "manual",
        },
        now: rfc3339(reading.now),
    })
}

fn read_advance(text: &str) -> Result<Advance, Refusal> {
    let mut problems = Problems::default();
    let mut body = Object::body(text)?;
    let advance = body
        .required_string("advance", &mut problems)
        .map(|text| Advance::parse(&text));
    if let Some(Err(why)) = advance {
        let rule = match why {
            InvalidAdvance::Form | InvalidAdvance::Calendar => Rule::Pattern,
            InvalidAdvance::Zero => Rule::Min,
            InvalidAdvance::TooLong => Rule::Max,
        };
        problems.add("$.advance", rule, why.to_string());
    }
    body.refuse_the_rest(&mut problems);
    match advance {
        Some(Ok(advance)) if problems.is_empty() => Ok(advance),
        Some(_) | None => Err(problems.into()),
    }
}
