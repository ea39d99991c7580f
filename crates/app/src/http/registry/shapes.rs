//! What the registry is sent and shows: for the document. Bodies are read by hand, so that all that is wrong with one is
//! told at once, and `data` is written as it came.
#![expect(dead_code, reason = "only their shapes are used")]
#![expect(clippy::struct_field_names, reason = "the names are the contract's")]

use super::tasks::{ReceiptView, Status};
use crate::http::openapi::parts;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

#[derive(IntoParams)]
#[into_params(parameter_in = Path, rename_all = "camelCase")]
pub struct SourcePath {
    #[param(schema_with = parts::source_key)]
    source_key: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path, rename_all = "camelCase")]
pub struct TypePath {
    #[param(schema_with = parts::source_key)]
    source_key: String,
    #[param(schema_with = parts::resource_type)]
    resource_type: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path, rename_all = "camelCase")]
pub struct ResourcePath {
    #[param(schema_with = parts::source_key)]
    source_key: String,
    #[param(schema_with = parts::resource_type)]
    resource_type: String,
    #[param(schema_with = parts::resource_id)]
    id: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path, rename_all = "camelCase")]
pub struct TaskPath {
    #[param(schema_with = parts::source_key)]
    source_key: String,
    /// The task.
    #[param(pattern = "^s_[0-9a-f]{32}$", example = "s_0197a1b2c3d47e5f8a9b0c1d2e3f4a5b")]
    task_id: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct TaskQuery {
    /// Whether to show what became of each operation.
    #[param(default = false)]
    with_receipts: Option<bool>,
    /// How many receipts, at most; all of them, if it is not there.
    #[param(minimum = 1, maximum = 10_000)]
    limit: Option<u16>,
    /// `next` of the page before.
    #[param(minimum = 0, maximum = 4_294_967_295_u32)]
    cursor: Option<u32>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Limit {
    /// How many, at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u16>,
}

/// Of a list by id.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct IdCursor {
    #[param(schema_with = parts::record_cursor)]
    cursor: Option<String>,
}

/// Of a list by key.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct KeyCursor {
    #[param(schema_with = parts::key_cursor)]
    cursor: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct Prefer {
    /// `respond-async`: answer before the work is done (RFC 7240); others are ignored.
    #[param(rename = "Prefer")]
    prefer: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IfMatch {
    #[param(rename = "If-Match", schema_with = parts::if_match)]
    if_match: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IfNoneMatch {
    #[param(rename = "If-None-Match", schema_with = parts::if_none_match)]
    if_none_match: Option<String>,
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"type": "registry"}))]
pub struct SourceDraft {
    /// The only type there is.
    #[serde(rename = "type")]
    #[schema(schema_with = parts::source_type)]
    of: String,
}

#[derive(ToSchema)]
#[schema(as = Source)]
pub struct SourceView {
    #[schema(schema_with = parts::key)]
    key: String,
    #[serde(rename = "type")]
    #[schema(schema_with = parts::source_type)]
    of: String,
}

#[derive(ToSchema)]
pub struct SourceList {
    items: Vec<SourceView>,
    /// The cursor of the next page, if there is more.
    next: Option<String>,
}

/// POST: its id may be left to the server.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"data": {"mrn": "100001", "name": [{"family": "Exampleton", "given": ["Ada"]}]}}))]
pub struct NewResource {
    /// Made by the server, if it is absent or `@rootId`.
    #[schema(schema_with = parts::new_record_id)]
    id: Option<String>,
    #[schema(value_type = Object)]
    data: (),
    meta: Option<MetaDraft>,
    contained: Option<BTreeMap<String, Vec<Contained>>>,
}

/// PUT: may say again what the path says.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"data": {"mrn": "100001", "name": [{"family": "Exampleton", "given": ["Ada"]}]}}))]
pub struct ResourceDraft {
    /// What the path says.
    #[schema(schema_with = parts::record_id)]
    id: Option<String>,
    /// What the path says.
    #[serde(rename = "type")]
    #[schema(schema_with = parts::key)]
    of: Option<String>,
    #[schema(value_type = Object)]
    data: (),
    meta: Option<MetaRepeated>,
    contained: Option<BTreeMap<String, Vec<Contained>>>,
}

/// The times count only when the record is created.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetaDraft {
    /// Not in the future.
    #[schema(format = DateTime)]
    created_at: Option<String>,
    /// Needs `createdAt`, and is not before it.
    #[schema(format = DateTime)]
    updated_at: Option<String>,
    /// They differ in (`system`, `use`, `value`).
    #[schema(max_items = 100)]
    identifier: Option<Vec<Identifier>>,
}

/// The times count only when the record is created.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetaRepeated {
    /// Not in the future.
    #[schema(format = DateTime)]
    created_at: Option<String>,
    /// Needs `createdAt`, and is not before it.
    #[schema(format = DateTime)]
    updated_at: Option<String>,
    /// What the path says.
    #[schema(schema_with = parts::key)]
    source: Option<String>,
    /// They differ in (`system`, `use`, `value`).
    #[schema(max_items = 100)]
    identifier: Option<Vec<Identifier>>,
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Identifier {
    id: Option<String>,
    /// Not `mdm`.
    #[schema(schema_with = parts::identifier_system)]
    system: Option<String>,
    value: Option<String>,
    /// Not `source`.
    #[serde(rename = "use")]
    #[schema(schema_with = parts::identifier_use)]
    used_as: Option<String>,
    period: Option<Period>,
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Period {
    id: Option<String>,
    start: Option<String>,
    end: Option<String>,
}

/// A resource that exists only inside another.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(no_recursion)]
pub struct Contained {
    /// Made by the server, if it is absent.
    #[schema(schema_with = parts::record_id)]
    id: Option<String>,
    #[serde(rename = "type")]
    of: String,
    #[schema(value_type = Object)]
    data: (),
    contained: Option<BTreeMap<String, Vec<Contained>>>,
}

/// A record as it is now.
#[derive(ToSchema)]
pub struct Resource {
    id: String,
    #[serde(rename = "type")]
    of: String,
    /// As it was sent.
    #[schema(value_type = Object)]
    data: (),
    meta: Meta,
    contained: Option<BTreeMap<String, Vec<Contained>>>,
}

#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    source: String,
    identifier: Option<Vec<Identifier>>,
}

#[derive(ToSchema)]
pub struct ResourceList {
    items: Vec<Resource>,
    /// The cursor of the next page, if there is more.
    next: Option<String>,
}

/// What became of a write.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WrittenResource {
    task_id: String,
    /// Done before the answer, or captured.
    #[schema(schema_with = parts::written)]
    status: String,
    /// As it is now; not for a DELETE, nor before the work is done.
    resource: Option<Resource>,
}

/// Where a task stands.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RegistryTask)]
pub struct TaskView {
    task_id: String,
    status: Status,
    receipts: Option<Vec<ReceiptView<'static>>>,
    /// The cursor of the next page of receipts, if there is more.
    next: Option<String>,
}
