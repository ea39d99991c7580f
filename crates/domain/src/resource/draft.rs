//! What a client wants a record to be, and the record that comes of it.

use super::{Contained, MetaDraft, ROOT_TOKEN, Resource, ResourceKey, contained};
use crate::{Instant, Problems, Refusal, RefusalKind, TypesInForce};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// The body of a write, its shape checked and nothing else; also the payload of an operation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ResourceDraft {
    pub data: Box<RawValue>,
    #[serde(default)]
    pub meta: MetaDraft,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub contained: IndexMap<String, Vec<Contained>>,
}

impl ResourceDraft {
    /// The record as it is to be stored: new if there is none, else replaced whole.
    pub fn into_resource(
        self,
        key: ResourceKey,
        existing: Option<&Resource>,
        types: &TypesInForce,
        now: Instant,
    ) -> Result<Resource, Refusal> {
        let mut problems = Problems::default();
        types.check_data(&self.data, &mut problems);
        let (created_at, updated_at) = match existing {
            Some(existing) => (existing.created_at, now.max(existing.updated_at)),
            None => self.meta.times(now, &mut problems),
        };
        check_parts(&self.meta, &self.contained, &mut problems);
        let unknown = types.check_contained(&self.contained, &mut problems);
        problems.into_result()?;
        if let Some(of) = unknown {
            let message = format!("There is no profile {of} in the source {}.", key.source);
            return Err(Refusal::new(RefusalKind::NotFound, message));
        }
        Ok(Resource {
            key,
            data: Box::<str>::from(self.data).into_string(),
            contained: self.contained,
            identifiers: self.meta.identifiers,
            created_at,
            updated_at,
        })
    }

    /// Gives the contained resources that have no id one.
    pub fn name_contained(&mut self, make: &mut dyn FnMut() -> String) {
        contained::name(&mut self.contained, make);
    }

    /// Puts the record's own id where `@rootId` stands for it.
    pub fn fill_root_token(&mut self, id: &str, types: &TypesInForce) {
        types.fill_root_token(&mut self.data, &mut self.contained, id);
    }
}

/// What the rules say of a body that is refused for its shape already, so that one answer names everything.
/// `creates` is the time at which it would make a record; without it, it may replace one. What the profile says of it
/// is added by [`TypesInForce::check_refused`], when that is known.
pub fn check_refused(
    meta: &MetaDraft,
    contained: &IndexMap<String, Vec<Contained>>,
    creates: Option<Instant>,
    problems: &mut Problems,
) {
    if let Some(now) = creates {
        let _times = meta.times(now, problems);
    }
    check_parts(meta, contained, problems);
}

fn check_parts(meta: &MetaDraft, contained: &IndexMap<String, Vec<Contained>>, problems: &mut Problems) {
    meta.check_identifiers(problems);
    contained::check(contained, "$.contained", problems);
}

/// Puts `id` into every string that is the token.
pub(crate) fn replace_token(value: &mut Value, id: &str) {
    match value {
        Value::String(text) if text == ROOT_TOKEN => id.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| replace_token(item, id)),
        Value::Object(members) => members.values_mut().for_each(|member| replace_token(member, id)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Identifier, Key, RecordId, Rule, TypeKey, WorkspaceId};
    use time::macros::datetime;

    const NOW: Instant = datetime!(2026-03-02 09:15 UTC);

    fn key() -> ResourceKey {
        ResourceKey {
            source: Key::parse("northclinic").unwrap(),
            of: Key::parse("patient").unwrap(),
            id: RecordId::for_create("pt-1001").unwrap(),
        }
    }

    fn open() -> TypesInForce {
        let of = TypeKey {
            workspace: WorkspaceId(uuid::Uuid::nil()),
            source: key().source,
            key: key().of,
        };
        TypesInForce::new(&of, None, true)
    }

    fn draft(data: &str, meta: MetaDraft) -> ResourceDraft {
        let data = RawValue::from_string(data.to_owned()).unwrap();
        ResourceDraft {
            data,
            meta,
            contained: IndexMap::new(),
        }
    }

    fn times(created_at: Option<&str>, updated_at: Option<&str>) -> MetaDraft {
        MetaDraft {
            created_at: created_at.map(str::to_owned),
            updated_at: updated_at.map(str::to_owned),
            identifiers: Vec::new(),
        }
    }

    fn rules_broken(meta: MetaDraft) -> Vec<(String, Rule)> {
        match draft("{}", meta).into_resource(key(), None, &open(), NOW) {
            Ok(_) => Vec::new(),
            Err(refusal) => refusal.problems.into_iter().map(|p| (p.path, p.rule)).collect(),
        }
    }

    #[test]
    fn data_comes_back_as_sent() {
        let text = r#"{"value": 4.70, "b":1,"a" : 2}"#;
        let resource = draft(text, MetaDraft::default())
            .into_resource(key(), None, &open(), NOW)
            .unwrap();
        assert_eq!(resource.data, text);
        assert_eq!((resource.created_at, resource.updated_at), (NOW, NOW));
    }

    #[test]
    fn the_times_follow_their_rules() {
        let broken = |created, updated| rules_broken(times(created, updated));
        let one = |path: &str, rule| vec![(path.to_owned(), rule)];
        assert_eq!(
            broken(Some("2026-03-02"), None),
            one("$.meta.createdAt", Rule::Type)
        );
        assert_eq!(
            broken(None, Some("2026-03-01T00:00:00Z")),
            one("$.meta.createdAt", Rule::Required)
        );
        assert_eq!(
            broken(Some("2026-03-01T00:00:00Z"), Some("2026-02-01T00:00:00Z")),
            one("$.meta.updatedAt", Rule::Time)
        );
        assert_eq!(
            broken(Some("2026-03-02T09:16:01Z"), None),
            one("$.meta.createdAt", Rule::Time)
        );
        assert_eq!(broken(Some("2026-03-02T09:16:00Z"), None), Vec::new());
    }

    #[test]
    fn a_creation_time_ahead_of_our_clock_is_not_after_the_update() {
        let meta = times(Some("2026-03-02T09:15:30Z"), None);
        let resource = draft("{}", meta)
            .into_resource(key(), None, &open(), NOW)
            .unwrap();
        assert!(resource.updated_at >= resource.created_at);
    }

    #[test]
    fn a_replace_keeps_the_creation_and_ignores_the_callers_times() {
        let first = draft("{}", times(Some("2026-01-01T00:00:00Z"), None));
        let first = first.into_resource(key(), None, &open(), NOW).unwrap();
        let later = NOW + time::Duration::HOUR;
        let second = draft("{}", times(Some("not a time"), None));
        let second = second.into_resource(key(), Some(&first), &open(), later).unwrap();
        assert_eq!((second.created_at, second.updated_at), (first.created_at, later));
        let clock_went_back = NOW - time::Duration::HOUR;
        let third = draft("{}", MetaDraft::default());
        let third = third
            .into_resource(key(), Some(&second), &open(), clock_went_back)
            .unwrap();
        assert_eq!(third.updated_at, later);
    }

    #[test]
    fn identifiers_follow_their_rules() {
        let identifier = |system: &str, used_as: &str| Identifier {
            system: Some(system.into()),
            used_as: Some(used_as.into()),
            value: Some("1".into()),
            ..Identifier::default()
        };
        let meta = MetaDraft {
            identifiers: vec![
                identifier("a", "official"),
                identifier("a", "official"),
                identifier("mdm", "source"),
            ],
            ..MetaDraft::default()
        };
        assert_eq!(
            rules_broken(meta),
            [
                ("$.meta.identifier[1]".to_owned(), Rule::Duplicate),
                ("$.meta.identifier[2].use".to_owned(), Rule::Enum),
                ("$.meta.identifier[2].system".to_owned(), Rule::Enum),
            ]
        );
    }

    #[test]
    fn the_root_token_is_filled_in_values_that_equal_it() {
        let mut draft = draft(
            r#"{"self":"@rootId","text":"see @rootId","@rootId":["@rootId",4.70]}"#,
            MetaDraft::default(),
        );
        draft.fill_root_token("pt-1", &open());
        assert_eq!(
            draft.data.get(),
            r#"{"self":"pt-1","text":"see @rootId","@rootId":["pt-1",4.70]}"#
        );
    }

    #[test]
    fn contained_resources_are_named_and_their_ids_differ() {
        let text = r#"{"data":{},"contained":{"contacts":[
            {"id":"c1","type":"contact","data":{}},{"id":"c1","type":"contact","data":{}},
            {"type":"contact","data":{},"contained":{"phones":[{"type":"phone","data":{}}]}}]}}"#;
        let mut draft: ResourceDraft = serde_json::from_str(text).unwrap();
        let mut next = 0;
        draft.name_contained(&mut || {
            next += 1;
            format!("made-{next}")
        });
        assert_eq!(
            draft.contained["contacts"][2].contained["phones"][0]
                .id
                .as_deref(),
            Some("made-2")
        );
        let refusal = draft.into_resource(key(), None, &open(), NOW).unwrap_err();
        assert_eq!(refusal.problems[0].path, "$.contained.contacts[1].id");
    }
}
