//! What operators send: for the document. Bodies are read by hand, so that all that is wrong with one is told at once.
#![expect(dead_code, reason = "only their shapes are used")]

use super::view::Options;
use crate::http::openapi::parts;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Limit {
    /// How many, at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u16>,
}

/// Of a list by key.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct KeyCursor {
    #[param(schema_with = parts::key_cursor)]
    cursor: Option<String>,
}

/// Of a list by id.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct IdCursor {
    /// `next` of the page before.
    cursor: Option<Uuid>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Those of callers who could not be told, which are no workspace's; for the administrator.
    #[param(default = false)]
    anonymous: Option<bool>,
}

/// Of a list by number.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct NumberCursor {
    /// `next` of the page before.
    #[param(minimum = 0)]
    cursor: Option<i64>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReceiptCursor {
    /// `receipts.next` of the page before.
    #[param(minimum = 0, maximum = 4_294_967_295_u32)]
    cursor: Option<u32>,
}

/// Of a list by position.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PositionCursor {
    /// `next` of the page before.
    #[param(schema_with = parts::position)]
    cursor: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// The events wanted, by name (`task.failed`) or by subject (`task`), with commas between them; all, if none is said.
    #[param(schema_with = parts::event_list)]
    types: Option<String>,
    /// As `Last-Event-ID`, for clients that can set no header.
    #[param(schema_with = parts::position)]
    after: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct LastEventId {
    /// Of the last event that was heard: what came after it comes first.
    #[param(rename = "Last-Event-ID", schema_with = parts::position)]
    last_event_id: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct WebhookPath {
    /// The webhook.
    #[param(example = "0197a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")]
    id: Uuid,
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"url": "https://example.com/hook", "types": ["task.failed", "patient"]}))]
pub struct WebhookDraft {
    /// `https`, and not to a private address, unless the server allows it.
    #[schema(max_length = 2048, format = "uri")]
    url: String,
    /// The events wanted, by name (`task.failed`) or by subject (`task`); all, if there is none.
    #[schema(schema_with = parts::event_names)]
    types: Option<Vec<String>>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TaskQuery {
    #[param(schema_with = parts::task_state)]
    state: Option<String>,
    #[param(schema_with = parts::task_kind)]
    kind: Option<String>,
    #[param(schema_with = parts::patient_reference)]
    patient: Option<String>,
    /// Accepted then or later.
    #[param(format = DateTime)]
    since: Option<String>,
    /// Accepted before.
    #[param(format = DateTime)]
    until: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct TaskPath {
    /// The task: a UUID, or as its dialect shows it.
    #[param(example = "s_0197a1b2c3d47e5f8a9b0c1d2e3f4a5b")]
    id: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct CredentialPath {
    /// The credential.
    #[param(example = "0197a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")]
    id: Uuid,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct QueuePath {
    #[param(schema_with = parts::task_kind)]
    kind: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct PatientPath {
    #[param(schema_with = parts::patient_reference)]
    id: String,
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"key": "northclinic", "options": {"registry.open_profiles": false}}))]
pub struct NewWorkspace {
    #[schema(schema_with = parts::key)]
    key: String,
    options: Option<Options>,
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "api_key", "name": "intake", "scopes": ["registry:read", "registry:write"]}))]
pub struct CredentialDraft {
    #[schema(schema_with = parts::credential_kind)]
    kind: String,
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    #[schema(schema_with = parts::scopes)]
    scopes: Vec<String>,
    /// The caller's own, if it is not named.
    #[schema(schema_with = parts::key)]
    workspace: Option<String>,
}

#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"patientId": "98761234P"}))]
pub struct NewPatient {
    /// The organisation's own identifier.
    #[schema(schema_with = parts::local_patient_id)]
    patient_id: Option<String>,
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"active": false}))]
pub struct PatientChange {
    active: bool,
}
