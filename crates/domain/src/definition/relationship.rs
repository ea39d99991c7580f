//! Relationship definitions: what may be joined to what, and how often.

use super::NotTaken;
use super::members::Members;
use super::profile::Cardinality;
use super::property::{Properties, asks_for_vocabulary};
use crate::{JsonPath, Key, Problems, Rule};
use serde_json::{Map, Value, json};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationshipDefinition {
    pub from: End,
    pub to: End,
    pub description: Option<String>,
    /// Without them `data` must be empty.
    pub properties: Option<Properties>,
}

/// One of the two that a relationship joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Any, if there is none.
    pub profile: Option<Key>,
    pub include: Option<Key>,
    /// How many of this end one record of the other may have.
    pub cardinality: Option<Cardinality>,
}

/// How it is written that an end may be of any type.
pub(crate) const ANY: &str = "*";

impl End {
    pub const OPEN: Self = Self {
        profile: None,
        include: None,
        cardinality: None,
    };

    fn read(members: &mut Members<'_, '_>, name: &'static str, problems: &mut Problems) -> Option<Self> {
        let own = members.path;
        let path = own.member(name);
        let value = members.required(name, problems)?;
        let mut end = Members::of(value, path, problems)?;
        let profile = end.required_string("profileKey", problems);
        let profile = profile.filter(|profile| *profile != ANY);
        let profile = profile.map(|profile| read_key(profile, path.member("profileKey"), problems));
        let include = end.string("includeKey", problems);
        let include = include.map(|include| read_key(include, path.member("includeKey"), problems));
        let cardinality = end.string("includeCardinality", problems);
        let cardinality = Cardinality::read(cardinality, path.member("includeCardinality"), problems);
        end.refuse_the_rest(problems);
        Some(Self {
            profile: profile.flatten(),
            include: include.flatten(),
            cardinality,
        })
    }

    fn members(&self) -> Value {
        let mut members = Map::new();
        let profile = self.profile.as_ref().map_or(ANY, Key::as_str);
        members.insert("profileKey".to_owned(), profile.into());
        if let Some(include) = &self.include {
            members.insert("includeKey".to_owned(), include.as_str().into());
        }
        if let Some(cardinality) = self.cardinality {
            members.insert("includeCardinality".to_owned(), cardinality.to_string().into());
        }
        Value::Object(members)
    }
}

impl RelationshipDefinition {
    /// The body of a PUT.
    pub fn read(body: &Map<String, Value>) -> Result<Self, NotTaken> {
        let mut problems = Problems::default();
        let path = JsonPath::Root("$");
        let mut members = Members::new(body, path);
        let from = End::read(&mut members, "from", &mut problems);
        let to = End::read(&mut members, "to", &mut problems);
        let description = members.string("description", &mut problems).map(str::to_owned);
        let properties = members
            .take("properties")
            .map(|properties| Properties::read(properties, path.member("properties"), &mut problems));
        members.refuse_the_rest(&mut problems);
        let (Some(from), Some(to)) = (from, to) else {
            return Err(problems.into());
        };
        if !problems.is_empty() {
            return Err(problems.into());
        }
        let properties = properties.flatten();
        if properties
            .as_ref()
            .is_some_and(|properties| asks_for_vocabulary(properties.sent()))
        {
            return Err(NotTaken::Unsupported);
        }
        Ok(Self {
            from,
            to,
            description,
            properties,
        })
    }

    /// What a collection says, and its ends: open ones, if it has none.
    pub fn between(ends: Option<(End, End)>, properties: Properties, description: Option<String>) -> Self {
        let (from, to) = ends.unwrap_or((End::OPEN, End::OPEN));
        Self {
            from,
            to,
            description,
            properties: Some(properties),
        }
    }

    /// As they were sent.
    pub fn members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        members.insert("from".to_owned(), self.from.members());
        members.insert("to".to_owned(), self.to.members());
        if let Some(properties) = &self.properties {
            members.insert("properties".to_owned(), json!(properties.sent()));
        }
        if let Some(description) = &self.description {
            members.insert("description".to_owned(), description.as_str().into());
        }
        members
    }
}

fn read_key(text: &str, path: JsonPath<'_>, problems: &mut Problems) -> Option<Key> {
    let key = Key::parse(text);
    key.map_err(|invalid| problems.add(path, Rule::Pattern, invalid.to_string()))
        .ok()
}
