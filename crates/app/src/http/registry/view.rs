//! How records are shown. Text is put together by hand, so that `data`, which is JSON text already, is
//! neither parsed nor copied twice.

use crate::http::rfc3339;
use caretrack_domain::{Resource, TaskId, TaskKind};
use serde::Serialize;

pub fn resource(out: &mut String, resource: &Resource) {
    let key = &resource.key;
    // Ids and keys have no character that JSON would escape.
    out.extend([
        r#"{"id":""#,
        key.id.as_str(),
        r#"","type":""#,
        key.of.as_str(),
        r#"","data":"#,
    ]);
    out.push_str(&resource.data);
    out.extend([
        r#","meta":{"createdAt":""#,
        &rfc3339(resource.created_at),
        r#"","updatedAt":""#,
        &rfc3339(resource.updated_at),
        r#"","source":""#,
        key.source.as_str(),
        "\"",
    ]);
    if !resource.identifiers.is_empty() {
        out.extend([r#","identifier":"#, &json(&resource.identifiers)]);
    }
    out.push('}');
    if !resource.contained.is_empty() {
        out.extend([r#","contained":"#, &json(&resource.contained)]);
    }
    out.push('}');
}

/// How much room a resource takes, roughly.
pub fn room(resource: &Resource) -> usize {
    resource.data.len() + 320
}

/// `{"items":[...],"next":...}` of items that write themselves.
pub fn page<T>(items: &[T], next: Option<&str>, write: impl Fn(&mut String, &T)) -> String {
    let mut out = String::from(r#"{"items":["#);
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        write(&mut out, item);
    }
    out.push(']');
    if let Some(next) = next {
        out.extend([r#","next":"#, &json(next)]);
    }
    out.push('}');
    out
}

pub fn task_id(id: TaskId, kind: TaskKind) -> String {
    let prefix = match kind {
        TaskKind::RegistryWrite => "s_",
        // Never shown here: it belongs to no source.
        TaskKind::WebhookDeliver
        | TaskKind::SearchRun
        | TaskKind::SearchRefresh
        | TaskKind::SearchRefreshDaily
        | TaskKind::SearchTimeout
        | TaskKind::PatientStop
        | TaskKind::PatientAnonymise => "",
    };
    format!("{prefix}{}", id.0.simple())
}

pub fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("keys are strings, so it is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;
    use caretrack_domain::{Contained, Identifier, Key, RecordId, ResourceKey};
    use indexmap::IndexMap;
    use serde_json::value::RawValue;
    use time::macros::datetime;

    #[test]
    fn a_resource_is_shown_as_the_contract_has_it() {
        let contact = Contained {
            id: Some("c1".into()),
            of: "contact".into(),
            data: RawValue::from_string(r#"{"phone":"555-0100"}"#.into()).unwrap(),
            contained: IndexMap::new(),
        };
        let shown = Resource {
            key: ResourceKey {
                source: Key::parse("northclinic").unwrap(),
                of: Key::parse("patient").unwrap(),
                id: RecordId::for_upsert("pt-1001").unwrap(),
            },
            data: r#"{"mrn": "100001"}"#.into(),
            contained: IndexMap::from([("contacts".to_owned(), vec![contact])]),
            identifiers: vec![Identifier {
                value: Some("\"1\"".into()),
                ..Identifier::default()
            }],
            created_at: datetime!(2026-03-02 09:15:00.120_999 UTC),
            updated_at: datetime!(2026-03-02 09:15:01 UTC),
        };
        let mut out = String::new();
        resource(&mut out, &shown);
        assert_eq!(
            out,
            concat!(
                r#"{"id":"pt-1001","type":"patient","data":{"mrn": "100001"},"#,
                r#""meta":{"createdAt":"2026-03-02T09:15:00.120Z","updatedAt":"2026-03-02T09:15:01.000Z","#,
                r#""source":"northclinic","identifier":[{"value":"\"1\""}]},"#,
                r#""contained":{"contacts":[{"id":"c1","type":"contact","data":{"phone":"555-0100"}}]}}"#
            )
        );
    }
}
