//! What a FHIR document asks to be written. Pure: text in, records out.
//!
//! It promises: the `data` of a record is the resource's own text, byte for byte, so `4.70` stays `4.70`; reading the same
//! resource twice gives the same record, so that a repeated import meets what the first one wrote; whatever cannot be
//! written is a [`Rejected`] with its place, never an end of the reading.

use std::borrow::Cow;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

/// Where in the input something was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: Arc<str>,
    pub line: Option<u64>,
    pub entry: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(formatter, ":{line}")?;
        }
        if let Some(entry) = self.entry {
            write!(formatter, ":entry[{entry}]")?;
        }
        Ok(())
    }
}

/// One record of the registry and what is to become of it.
#[derive(Debug)]
pub struct Record {
    pub place: Place,
    pub kind: String,
    pub id: String,
    pub change: Change,
}

#[derive(Debug)]
pub enum Change {
    Upsert(Box<RawValue>),
    Delete,
}

/// Something in the input that cannot be written, and why.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejected {
    pub place: Place,
    pub kind: Option<String>,
    pub id: Option<String>,
    pub reason: String,
}

/// One find, with the bytes of input it took, for the progress.
#[derive(Debug)]
pub struct Found {
    pub item: Result<Record, Rejected>,
    pub bytes: u64,
}

/// Takes what was found; breaks to end the reading.
pub type Emit<'a> = dyn FnMut(Found) -> ControlFlow<()> + 'a;

/// Whether the registry takes this as the key of a source or type: `^[a-zA-Z0-9-][\w-]{0,61}$`, and not its own `bulk`.
pub fn fits_key(text: &str) -> bool {
    fits(text, 62) && text != "bulk"
}

/// Whether the registry takes this as the id of a PUT: `^[a-zA-Z0-9-][\w-]{0,92}$`.
fn fits_id(text: &str) -> bool {
    fits(text, 93)
}

fn fits(text: &str, longest: usize) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=longest).contains(&text.len()) && !text.starts_with('_') && text.bytes().all(allowed)
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "resourceType")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    bundle_type: Option<&'a RawValue>,
    #[serde(borrow)]
    entry: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow, rename = "fullUrl")]
    full_url: Option<Cow<'a, str>>,
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    #[serde(borrow)]
    request: Option<Request<'a>>,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow, default)]
    url: Cow<'a, str>,
}

/// What is known of a find while it is read; a rejection takes along as much as there is.
struct Draft {
    place: Place,
    kind: Option<String>,
    id: Option<String>,
}

impl Draft {
    fn at(place: Place) -> Self {
        Self {
            place,
            kind: None,
            id: None,
        }
    }

    fn reject(self, reason: impl Into<String>) -> Rejected {
        Rejected {
            place: self.place,
            kind: self.kind,
            id: self.id,
            reason: reason.into(),
        }
    }
}

/// Reads one document (a whole file or one line): a resource or a bundle of them.
pub fn read_document(text: &str, bytes: u64, place: &Place, emit: &mut Emit<'_>) -> ControlFlow<()> {
    let reject = |reason: String| Found {
        item: Err(Draft::at(place.clone()).reject(reason)),
        bytes,
    };
    let envelope: Envelope<'_> = match parse_object(text) {
        Ok(envelope) => envelope,
        Err(reason) => return emit(reject(reason)),
    };
    if string_of(envelope.kind) != Some("Bundle".into()) {
        return emit(Found {
            item: read_resource(text, None, place.clone()),
            bytes,
        });
    }
    match string_of(envelope.bundle_type).as_deref() {
        Some("transaction" | "batch" | "collection" | "searchset") => {}
        Some(other) => return emit(reject(format!("a bundle of type '{other}' is not imported"))),
        None => return emit(reject("the bundle has no type".to_owned())),
    }
    let entries: Vec<&RawValue> = match envelope.entry.map(|raw| serde_json::from_str(raw.get())) {
        None => return ControlFlow::Continue(()),
        Some(Ok(entries)) => entries,
        Some(Err(_)) => return emit(reject("the bundle's entry is not an array".to_owned())),
    };
    for (index, entry) in entries.into_iter().enumerate() {
        let place = Place {
            entry: Some(index),
            ..place.clone()
        };
        let bytes = u64::try_from(entry.get().len()).unwrap_or(u64::MAX);
        emit(Found {
            item: read_entry(entry.get(), place),
            bytes,
        })?;
    }
    ControlFlow::Continue(())
}

fn read_entry(text: &str, place: Place) -> Result<Record, Rejected> {
    let entry: Entry<'_> = match parse_object(text) {
        Ok(entry) => entry,
        Err(reason) => return Err(Draft::at(place).reject(reason)),
    };
    let full_url = entry.full_url.as_deref();
    let resource = entry.resource.map(RawValue::get);
    let Some(request) = entry.request else {
        // A collection only shows its resources.
        return match resource {
            Some(resource) => read_resource(resource, full_url.map(Name::FullUrl), place),
            None => Err(Draft::at(place).reject("the entry has no resource")),
        };
    };
    match (&*request.method, resource) {
        ("DELETE", _) => read_delete(&request.url, place),
        ("POST", Some(resource)) => read_resource(resource, full_url.map(Name::FullUrl), place),
        ("PUT", Some(resource)) => read_resource(resource, Some(Name::Url(&request.url)), place),
        ("POST" | "PUT", None) => Err(Draft::at(place).reject("the entry has no resource")),
        (method, _) => Err(Draft::at(place).reject(format!("an entry with method {method} writes nothing"))),
    }
}

fn read_delete(url: &str, place: Place) -> Result<Record, Rejected> {
    let draft = Draft::at(place);
    match type_and_id(url) {
        Some((kind, id)) if fits_key(kind) => Ok(Record {
            place: draft.place,
            kind: kind.to_owned(),
            id: registry_id(kind, id),
            change: Change::Delete,
        }),
        _ => Err(draft.reject("the url of a DELETE is not of the form Type/id")),
    }
}

/// What a bundle's entry says about the identity of its resource.
#[derive(Clone, Copy)]
enum Name<'a> {
    FullUrl(&'a str),
    Url(&'a str),
}

fn read_resource(text: &str, name: Option<Name<'_>>, place: Place) -> Result<Record, Rejected> {
    let mut draft = Draft::at(place);
    let envelope: Envelope<'_> = match parse_object(text) {
        Ok(envelope) => envelope,
        Err(reason) => return Err(draft.reject(reason)),
    };
    let Some(kind) = string_of(envelope.kind) else {
        return Err(draft.reject("there is no resourceType"));
    };
    draft.kind = Some(kind.clone());
    if kind == "Bundle" {
        return Err(draft.reject("a bundle within a bundle is not imported"));
    }
    if !fits_key(&kind) {
        return Err(draft.reject("the resourceType is not a name that the registry takes"));
    }
    let own_id = string_of(envelope.id);
    draft.id.clone_from(&own_id);
    if envelope.id.is_some() && own_id.is_none() {
        return Err(draft.reject("the id is not a string"));
    }
    let id = match name {
        Some(Name::Url(url)) => match type_and_id(url) {
            Some((of, id)) if of == kind => Ok(registry_id(&kind, id)),
            _ => Err(format!("the url of a PUT is not of the form {kind}/id")),
        },
        Some(Name::FullUrl(url)) => made_id(&kind, own_id.as_deref(), Some(url), text),
        None => made_id(&kind, own_id.as_deref(), None, text),
    };
    let data = RawValue::from_string(text.to_owned()).map_err(|error| what_is_wrong(&error));
    match (id, data) {
        (Ok(id), Ok(data)) => Ok(Record {
            place: draft.place,
            kind,
            id,
            change: Change::Upsert(data),
        }),
        (Err(reason), _) | (_, Err(reason)) => Err(draft.reject(reason)),
    }
}

/// The id under which the registry keeps a resource: its own if the registry takes it, else that of its `fullUrl`, else
/// one made from what it is.
fn made_id(kind: &str, own: Option<&str>, full_url: Option<&str>, text: &str) -> Result<String, String> {
    let uuid = || Uuid::try_parse(full_url?.strip_prefix("urn:uuid:")?).ok();
    match own {
        Some(id) if fits_id(id) => Ok(id.to_owned()),
        own => match (uuid(), own) {
            (Some(uuid), _) => Ok(uuid.to_string()),
            (None, Some(id)) => Ok(registry_id(kind, id)),
            (None, None) => Ok(stable_uuid(&format!("{kind}\n{}", canonical(text)?))),
        },
    }
}

/// An id that the registry does not take (such as one with dots) is replaced by one made from it.
fn registry_id(kind: &str, id: &str) -> String {
    if fits_id(id) {
        id.to_owned()
    } else {
        stable_uuid(&format!("{kind}/{id}"))
    }
}

fn stable_uuid(name: &str) -> String {
    // Never change the namespace: repeated imports would no longer meet what earlier ones wrote.
    let namespace = Uuid::new_v5(&Uuid::NAMESPACE_URL, b"urn:caretrack:import");
    Uuid::new_v5(&namespace, name.as_bytes()).to_string()
}

/// The same text for the same content, however it is spaced and its members are ordered.
fn canonical(text: &str) -> Result<String, String> {
    let mut value: Value = serde_json::from_str(text).map_err(|error| what_is_wrong(&error))?;
    value.sort_all_objects();
    Ok(value.to_string())
}

fn type_and_id(url: &str) -> Option<(&str, &str)> {
    let (kind, id) = url.split_once('/')?;
    (!kind.is_empty() && !id.is_empty() && !id.contains(['/', '?', '#'])).then_some((kind, id))
}

fn string_of(raw: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(raw?.get()).ok()
}

fn parse_object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    // serde would take an array as well.
    if !text.trim_start().starts_with('{') {
        return Err("not a JSON object".to_owned());
    }
    serde_json::from_str(text).map_err(|error| what_is_wrong(&error))
}

/// The parser's message without line and column: they count from the line or entry, not from the file, and would keep
/// equal reasons apart.
fn what_is_wrong(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    if error.is_data() {
        format!("not as FHIR has it: {message}")
    } else {
        format!("malformed JSON: {message}")
    }
}

#[cfg(test)]
mod tests;
