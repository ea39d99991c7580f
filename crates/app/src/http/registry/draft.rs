//! The body of a write: from JSON to an order, or to all that is wrong with it.

use super::{conditions, path};
use crate::http::json::{Object, array};
use actix_web::HttpRequest;
use caretrack_application::{Change, ResourceOrder};
use caretrack_domain::{
    Contained, Identifier, IdentifierPeriod, Instant, Key, MetaDraft, Precondition, Problems, ROOT_TOKEN,
    RecordId, Refusal, ResourceDraft, ResourceKey, Rule, check_refused,
};
use indexmap::IndexMap;
use serde_json::value::RawValue;

/// A body that is refused for its shape. What of it the profile in force can be asked about is there, so that one
/// answer names everything.
pub struct Misshapen {
    pub problems: Problems,
    pub of: Option<(Key, Key)>,
    pub data: Option<Box<RawValue>>,
    pub contained: IndexMap<String, Vec<Contained>>,
}

impl From<Refusal> for Box<Misshapen> {
    fn from(refusal: Refusal) -> Self {
        let mut problems = Problems::default();
        problems.extend(refusal.problems);
        Self::new(Misshapen {
            problems,
            of: None,
            data: None,
            contained: IndexMap::new(),
        })
    }
}

/// POST, at `now`: `make_id` gives the id that the body may leave to us.
pub fn create(
    request: &HttpRequest,
    text: &str,
    now: Instant,
    make_id: impl FnOnce() -> RecordId,
) -> Result<ResourceOrder, Box<Misshapen>> {
    let mut problems = Problems::default();
    let source = path::key_to_make(request, "sourceKey", &mut problems);
    let of = path::key_to_make(request, "resourceType", &mut problems);
    let mut body = Object::body(text)?;
    let id = match body.string("id", &mut problems) {
        None => Some(make_id()),
        Some(token) if token == ROOT_TOKEN => Some(make_id()),
        Some(id) => RecordId::for_create(&id)
            .map_err(|invalid| problems.add("$.id", Rule::Pattern, invalid.to_string()))
            .ok(),
    };
    let meta = body.object("meta", &mut problems);
    let meta = meta
        .map(|meta| read_meta(meta, &mut problems))
        .unwrap_or_default();
    let parts = read_parts(body, meta, Some(now), &mut problems);
    let (key, draft) = complete(source, of, id, parts, problems)?;
    Ok(ResourceOrder {
        key,
        change: Change::Create(draft),
        precondition: Precondition::default(),
    })
}

/// PUT: may say again what the path says, so that what was read can be sent back.
pub fn put(request: &HttpRequest, text: &str) -> Result<ResourceOrder, Box<Misshapen>> {
    let mut problems = Problems::default();
    let source = path::key_to_make(request, "sourceKey", &mut problems);
    let of = path::key_to_make(request, "resourceType", &mut problems);
    let id = path::id_to_make(request, &mut problems);
    let precondition = conditions::for_put(request, &mut problems);
    let mut body = Object::body(text)?;
    repeats(&mut body, "id", id.as_ref().map(RecordId::as_str), &mut problems);
    repeats(&mut body, "type", of.as_ref().map(Key::as_str), &mut problems);
    let meta = body.object("meta", &mut problems);
    let meta = meta.map(|mut meta| {
        repeats(
            &mut meta,
            "source",
            source.as_ref().map(Key::as_str),
            &mut problems,
        );
        read_meta(meta, &mut problems)
    });
    let parts = read_parts(body, meta.unwrap_or_default(), None, &mut problems);
    let (key, draft) = complete(source, of, id, parts, problems)?;
    Ok(ResourceOrder {
        key,
        change: Change::Upsert(draft),
        precondition,
    })
}

/// The key and the draft, if all is there and good.
fn complete(
    source: Option<Key>,
    of: Option<Key>,
    id: Option<RecordId>,
    parts: Parts,
    problems: Problems,
) -> Result<(ResourceKey, ResourceDraft), Box<Misshapen>> {
    let Parts {
        data,
        meta,
        contained,
    } = parts;
    match (source, of, id, data) {
        (Some(source), Some(of), Some(id), Some(data)) if problems.is_empty() => {
            let draft = ResourceDraft {
                data,
                meta,
                contained,
            };
            Ok((ResourceKey { source, of, id }, draft))
        }
        (source, of, _, data) => Err(Box::new(Misshapen {
            problems,
            of: source.zip(of),
            data,
            contained,
        })),
    }
}

/// A member that may only say what the path says.
fn repeats(object: &mut Object<'_>, name: &str, expected: Option<&str>, problems: &mut Problems) {
    let said = object.string(name, problems);
    if said.is_some() && expected.is_some() && said.as_deref() != expected {
        problems.add(
            object.path_of(name),
            Rule::Immutable,
            "must be what the path says",
        );
    }
}

/// What a body says of the record.
struct Parts {
    data: Option<Box<RawValue>>,
    meta: MetaDraft,
    contained: IndexMap<String, Vec<Contained>>,
}

fn read_parts(
    mut body: Object<'_>,
    meta: MetaDraft,
    creates: Option<Instant>,
    problems: &mut Problems,
) -> Parts {
    let data = body.required_raw_object("data", problems);
    let contained = read_contained(&mut body, problems);
    body.refuse_the_rest(problems);
    if !problems.is_empty() {
        check_refused(&meta, &contained, creates, problems);
    }
    Parts {
        data,
        meta,
        contained,
    }
}

fn read_meta(mut meta: Object<'_>, problems: &mut Problems) -> MetaDraft {
    let created_at = meta.string("createdAt", problems);
    let updated_at = meta.string("updatedAt", problems);
    let path = meta.path_of("identifier");
    let items = meta
        .take("identifier")
        .map(|items| array(items, &path, problems))
        .unwrap_or_default();
    let identifiers = items.into_iter().enumerate();
    let identifiers = identifiers
        .filter_map(|(n, item)| read_identifier(item, format!("{path}[{n}]"), problems))
        .collect();
    meta.refuse_the_rest(problems);
    MetaDraft {
        created_at,
        updated_at,
        identifiers,
    }
}

fn read_identifier(value: &RawValue, path: String, problems: &mut Problems) -> Option<Identifier> {
    let mut object = Object::nested(value, path, problems)?;
    let identifier = Identifier {
        id: object.string("id", problems),
        system: object.string("system", problems),
        value: object.string("value", problems),
        used_as: object.string("use", problems),
        period: object.object("period", problems).map(|mut period| {
            let read = IdentifierPeriod {
                id: period.string("id", problems),
                start: period.string("start", problems),
                end: period.string("end", problems),
            };
            period.refuse_the_rest(problems);
            read
        }),
    };
    object.refuse_the_rest(problems);
    Some(identifier)
}

fn read_contained(object: &mut Object<'_>, problems: &mut Problems) -> IndexMap<String, Vec<Contained>> {
    let path = object.path_of("contained");
    let Some(contained) = object.object("contained", problems) else {
        return IndexMap::new();
    };
    let read = contained.into_members().map(|(key, items)| {
        let path = format!("{path}.{key}");
        let items = array(items, &path, problems).into_iter().enumerate();
        let items = items.filter_map(|(n, item)| read_one_contained(item, format!("{path}[{n}]"), problems));
        (key, items.collect::<Vec<_>>())
    });
    // What is not sent and what is empty are the same.
    read.filter(|(_, items)| !items.is_empty()).collect()
}

fn read_one_contained(value: &RawValue, path: String, problems: &mut Problems) -> Option<Contained> {
    let mut object = Object::nested(value, path, problems)?;
    let id = object.string("id", problems);
    let of = object.required_string("type", problems);
    let data = object.required_raw_object("data", problems);
    let contained = read_contained(&mut object, problems);
    object.refuse_the_rest(problems);
    Some(Contained {
        id,
        of: of?,
        data: data?,
        contained,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn request(id: &str) -> HttpRequest {
        TestRequest::with_uri("/")
            .param("sourceKey", "northclinic".to_owned())
            .param("resourceType", "patient".to_owned())
            .param("id", id.to_owned())
            .to_http_request()
    }

    fn good(outcome: Result<ResourceOrder, Box<Misshapen>>) -> ResourceOrder {
        outcome.unwrap_or_else(|misshapen| panic!("{:?}", misshapen.problems))
    }

    fn problems(outcome: Result<ResourceOrder, Box<Misshapen>>) -> Vec<(String, Rule)> {
        let Err(misshapen) = outcome else {
            panic!("it is refused")
        };
        Refusal::from(misshapen.problems)
            .problems
            .into_iter()
            .map(|problem| (problem.path, problem.rule))
            .collect()
    }

    #[test]
    fn what_was_read_can_be_sent_back() {
        let text = r#"{"id":"pt-1","type":"patient","data":{"a": 1.50},"meta":{"createdAt":"2026-03-02T09:15:00.120Z",
            "updatedAt":"2026-03-02T09:15:00.120Z","source":"northclinic","identifier":[{"use":"official"}]},
            "contained":{"contacts":[{"id":"c1","type":"contact","data":{}}],"none":[]}}"#;
        let order = good(put(&request("pt-1"), text));
        let Change::Upsert(draft) = order.change else {
            panic!("a PUT replaces")
        };
        assert_eq!(draft.data.get(), r#"{"a": 1.50}"#);
        assert_eq!(draft.contained.keys().collect::<Vec<_>>(), ["contacts"]);
    }

    #[test]
    fn every_problem_of_a_body_is_named() {
        let text = r#"{"id":"pt-2","type":7,"data":[],"nickname":1,
            "meta":{"source":"other","createdAt":1,"identifier":[{"use":3,"what":1},4]},
            "contained":{"contacts":[{"data":{}}, []],"c":{}}}"#;
        let expected = [
            ("$.id", Rule::Immutable),
            ("$.type", Rule::Type),
            ("$.meta.source", Rule::Immutable),
            ("$.meta.createdAt", Rule::Type),
            ("$.meta.identifier[0].use", Rule::Type),
            ("$.meta.identifier[0].what", Rule::Unknown),
            ("$.meta.identifier[1]", Rule::Type),
            ("$.data", Rule::Type),
            ("$.contained.contacts[0].type", Rule::Required),
            ("$.contained.contacts[1]", Rule::Type),
            ("$.contained.c", Rule::Type),
            ("$.nickname", Rule::Unknown),
        ];
        assert_eq!(
            problems(put(&request("pt-1"), text)),
            expected.map(|(path, rule)| (path.to_owned(), rule))
        );
    }

    #[test]
    fn a_post_may_leave_the_id_to_us() {
        let made = || RecordId::for_create("made").unwrap();
        for text in [r#"{"data":{}}"#, r#"{"id":"@rootId","data":{}}"#] {
            let order = good(create(&request(""), text, Instant::UNIX_EPOCH, made));
            assert_eq!(order.key.id.as_str(), "made");
        }
        let own = good(create(
            &request(""),
            r#"{"id":"own","data":{}}"#,
            Instant::UNIX_EPOCH,
            made,
        ));
        assert_eq!(own.key.id.as_str(), "own");
        assert_eq!(
            problems(create(
                &request(""),
                r#"{"id":"x","type":"patient"}"#,
                Instant::UNIX_EPOCH,
                made
            )),
            [
                ("$.id".to_owned(), Rule::Pattern),
                ("$.data".to_owned(), Rule::Required),
                ("$.type".to_owned(), Rule::Unknown)
            ]
        );
    }

    #[test]
    fn a_bad_path_is_a_problem_too() {
        assert_eq!(
            problems(put(&request("a.b"), "{}")),
            [
                ("path.id".to_owned(), Rule::Pattern),
                ("$.data".to_owned(), Rule::Required)
            ]
        );
    }
}
