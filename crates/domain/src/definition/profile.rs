//! Profiles: what resources are made of, alone or inside others.

use super::NotTaken;
use super::members::{Members, array, object};
use super::property::{Properties, asks_for_vocabulary};
use crate::{JsonPath, Key, Problems, Rule};
use indexmap::IndexMap;
use serde_json::{Map, Value};

/// Whether resources of a profile are a collection, or are only inside others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumString)]
#[strum(serialize_all = "UPPERCASE")]
pub enum ProfileType {
    Root,
    Contained,
}

/// What resources of a type look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    pub description: Option<String>,
    pub properties: Properties,
    /// By contain key; `None` if it was not sent.
    pub(super) contained: Option<IndexMap<String, Containing>>,
    /// As it was sent.
    contained_sent: Option<Value>,
}

/// What may be inside a resource under one contain key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Containing {
    pub types: Vec<Key>,
    pub cardinality: Cardinality,
}

/// How many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumString)]
pub enum Cardinality {
    #[strum(serialize = "0:1")]
    MaybeOne,
    #[strum(serialize = "1:1")]
    One,
    #[strum(serialize = "0:*")]
    Any,
    #[strum(serialize = "1:*")]
    Some,
}

impl Cardinality {
    pub fn admits(self, count: usize) -> bool {
        match self {
            Self::MaybeOne => count <= 1,
            Self::One => count == 1,
            Self::Any => true,
            Self::Some => count >= 1,
        }
    }

    pub fn has_upper_bound(self) -> bool {
        matches!(self, Self::MaybeOne | Self::One)
    }

    pub(super) fn read(text: Option<&str>, path: JsonPath<'_>, problems: &mut Problems) -> Option<Self> {
        let read = text?.parse().ok();
        if read.is_none() {
            problems.add(path, Rule::Enum, "must be 0:1, 1:1, 0:* or 1:*");
        }
        read
    }
}

impl Profile {
    /// The body of a PUT: a profile with its type.
    pub fn read_typed(body: &Map<String, Value>) -> Result<(ProfileType, Self), NotTaken> {
        let mut problems = Problems::default();
        let mut members = Members::new(body, JsonPath::Root("$"));
        let of = members.required_string("type", &mut problems);
        let of = of.and_then(|of| {
            let parsed = of.parse().ok();
            if parsed.is_none() {
                problems.add("$.type", Rule::Enum, "must be ROOT or CONTAINED");
            }
            parsed
        });
        let profile = Self::read_members(&mut members, &mut problems);
        members.refuse_the_rest(&mut problems);
        match (of, profile) {
            (Some(of), Some(profile)) if problems.is_empty() => {
                profile.supported().map(|profile| (of, profile))
            }
            _ => Err(problems.into()),
        }
    }

    /// A profile without its type, which lies at `path`.
    pub fn read(body: &Map<String, Value>, path: &str) -> Result<Self, NotTaken> {
        let mut problems = Problems::default();
        let mut members = Members::new(body, JsonPath::Root(path));
        let profile = Self::read_members(&mut members, &mut problems);
        members.refuse_the_rest(&mut problems);
        match profile {
            Some(profile) if problems.is_empty() => profile.supported(),
            _ => Err(problems.into()),
        }
    }

    fn read_members(members: &mut Members<'_, '_>, problems: &mut Problems) -> Option<Self> {
        let path = members.path;
        let description = members.string("description", problems).map(str::to_owned);
        let properties = members
            .required("properties", problems)
            .and_then(|properties| Properties::read(properties, path.member("properties"), problems));
        let contained_sent = members.take("contained");
        let contained =
            contained_sent.map(|contained| read_contained(contained, path.member("contained"), problems));
        Some(Self {
            description,
            properties: properties?,
            contained,
            contained_sent: contained_sent.cloned(),
        })
    }

    fn supported(self) -> Result<Self, NotTaken> {
        if asks_for_vocabulary(self.properties.sent()) {
            return Err(NotTaken::Unsupported);
        }
        Ok(self)
    }

    /// As they were sent.
    pub fn members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        if let Some(description) = &self.description {
            members.insert("description".to_owned(), description.as_str().into());
        }
        members.insert("properties".to_owned(), self.properties.sent().clone().into());
        if let Some(contained) = &self.contained_sent {
            members.insert("contained".to_owned(), contained.clone());
        }
        members
    }

    /// The types that may be inside.
    pub fn contained_types(&self) -> impl Iterator<Item = (String, &Key)> {
        let all = self.contained.iter().flatten();
        all.flat_map(|(key, containing)| {
            let types = containing.types.iter().enumerate();
            types.map(move |(n, of)| {
                (
                    format!("{}.types[{n}]", JsonPath::Root("$.contained").member(key)),
                    of,
                )
            })
        })
    }
}

fn read_contained(
    value: &Value,
    path: JsonPath<'_>,
    problems: &mut Problems,
) -> IndexMap<String, Containing> {
    let Some(contained) = object(value, path, problems) else {
        return IndexMap::new();
    };
    let read = contained.iter().filter_map(|(key, value)| {
        let path = path.member(key);
        let mut members = Members::of(value, path, problems)?;
        let inner = path.member("types");
        let types = members
            .required("types", problems)
            .map(|types| read_types(types, inner, problems));
        let cardinality = members.required_string("cardinality", problems);
        let cardinality = Cardinality::read(cardinality, path.member("cardinality"), problems);
        members.refuse_the_rest(problems);
        let containing = Containing {
            types: types?,
            cardinality: cardinality?,
        };
        Some((key.clone(), containing))
    });
    read.collect()
}

fn read_types(value: &Value, path: JsonPath<'_>, problems: &mut Problems) -> Vec<Key> {
    let types = array(value, path, problems);
    if value.is_array() && types.is_empty() {
        problems.add(path, Rule::Min, "must have a type");
    }
    let mut read = Vec::new();
    for (n, of) in types.iter().enumerate() {
        let path = path.item(n);
        match of.as_str().map(Key::parse) {
            None => problems.add(path, Rule::Type, "must be a string"),
            Some(Err(invalid)) => problems.add(path, Rule::Pattern, invalid.to_string()),
            Some(Ok(of)) if read.contains(&of) => problems.add(path, Rule::Duplicate, "is there twice"),
            Some(Ok(of)) => read.push(of),
        }
    }
    read
}
