//! Keys and ids in paths. In the path of something to be made a bad one is a problem; in the path of
//! something to be found it names nothing.

use crate::http::failure::Failure;
use actix_web::HttpRequest;
use caretrack_domain::{Key, Problems, RecordId, ResourceKey, Rule, TaskId};
use uuid::Uuid;

fn text<'a>(request: &'a HttpRequest, name: &str) -> &'a str {
    request.match_info().get(name).unwrap_or_default()
}

pub fn key_to_make(request: &HttpRequest, name: &str, problems: &mut Problems) -> Option<Key> {
    let key = Key::parse(text(request, name));
    key.map_err(|invalid| problems.add(format!("path.{name}"), Rule::Pattern, invalid.to_string()))
        .ok()
}

pub fn id_to_make(request: &HttpRequest, problems: &mut Problems) -> Option<RecordId> {
    let id = RecordId::for_upsert(text(request, "id"));
    id.map_err(|invalid| problems.add("path.id", Rule::Pattern, invalid.to_string()))
        .ok()
}

pub fn key_to_find(request: &HttpRequest, name: &str) -> Result<Key, Failure> {
    Key::parse(text(request, name)).map_err(|_| Failure::no_such_record())
}

pub fn resource_to_find(request: &HttpRequest) -> Result<ResourceKey, Failure> {
    Ok(ResourceKey {
        source: key_to_find(request, "sourceKey")?,
        of: key_to_find(request, "resourceType")?,
        id: RecordId::for_upsert(text(request, "id")).map_err(|_| Failure::no_such_record())?,
    })
}

pub fn task_to_find(request: &HttpRequest) -> Result<TaskId, Failure> {
    let digits = text(request, "taskId").strip_prefix("s_").unwrap_or_default();
    let well_formed = digits.len() == 32 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let id = well_formed.then(|| Uuid::try_parse(digits).ok()).flatten();
    id.map(TaskId).ok_or_else(Failure::no_such_record)
}
