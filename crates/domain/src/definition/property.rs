//! Properties as a definition has them: a type, and rules that fit it.

use super::complex::ComplexType;
use super::formats::TextType;
use super::members::{Members, array, object};
use super::rules::PropertyRule;
use crate::condition::ELEMENT;
use crate::{JsonPath, Problems, Rule};
use indexmap::IndexMap;
use serde_json::{Map, Value};

/// A `properties` member: as it was sent, and what it means.
#[derive(Debug, Clone)]
pub struct Properties {
    pub(super) sent: Map<String, Value>,
    pub(super) checks: Checks,
}

pub(super) type Checks = IndexMap<String, Property>;

#[derive(Debug, Clone)]
pub(super) struct Property {
    pub of: PropertyType,
    /// Applied in their order.
    pub rules: Vec<PropertyRule>,
}

#[derive(Debug, Clone)]
pub(super) enum PropertyType {
    Boolean,
    Integer,
    Decimal,
    Text(TextType),
    Complex(ComplexType),
    /// Without properties, any object.
    Object(Option<Checks>),
    Array(Box<Property>),
}

impl PartialEq for Properties {
    fn eq(&self, other: &Self) -> bool {
        self.sent == other.sent
    }
}

impl Eq for Properties {}

impl Properties {
    const MOST: usize = 1000;
    const DEEPEST: usize = 10;

    /// None at all.
    pub fn none() -> Self {
        Self {
            sent: Map::new(),
            checks: Checks::new(),
        }
    }

    /// As they were sent.
    pub fn sent(&self) -> &Map<String, Value> {
        &self.sent
    }

    pub(super) fn read(value: &Value, path: JsonPath<'_>, problems: &mut Problems) -> Option<Self> {
        let sent = object(value, path, problems)?;
        let mut reading = Reading {
            problems,
            count: 0,
            levels: 0,
            place: Vec::new(),
        };
        let checks = reading.properties(sent, path);
        let count = reading.count;
        if count > Self::MOST {
            problems.add(
                path,
                Rule::Max,
                format!("must be at most {} properties, and are {count}", Self::MOST),
            );
        }
        Some(Self {
            sent: sent.clone(),
            checks,
        })
    }
}

/// On the way through the properties of a definition.
struct Reading<'r, 'v> {
    problems: &'r mut Problems,
    count: usize,
    levels: usize,
    /// From `data` on.
    place: Vec<&'v str>,
}

impl<'v> Reading<'_, 'v> {
    fn properties(&mut self, properties: &'v Map<String, Value>, path: JsonPath<'_>) -> Checks {
        self.levels += 1;
        let mut checks = Checks::with_capacity(properties.len());
        if self.levels > Properties::DEEPEST {
            let message = format!("must have at most {} levels", Properties::DEEPEST);
            self.problems.add(path, Rule::Depth, message);
        } else {
            for (name, value) in properties {
                self.count += 1;
                self.place.push(name);
                if let Some(property) = self.property(value, path.member(name)) {
                    checks.insert(name.clone(), property);
                }
                self.place.pop();
            }
        }
        self.levels -= 1;
        checks
    }

    fn property(&mut self, value: &'v Value, path: JsonPath<'_>) -> Option<Property> {
        let mut members = Members::of(value, path, self.problems)?;
        let name = members.required_string("type", self.problems);
        let of = name.and_then(|name| self.property_type(name, &mut members));
        let rules = members.take("rules").map(|rules| {
            let path = path.member("rules");
            let rules = array(rules, path, self.problems).iter().enumerate();
            let read = rules.filter_map(|(n, rule)| {
                PropertyRule::read(rule, path.item(n), of.as_ref(), &self.place, self.problems)
            });
            read.collect()
        });
        // Of a type that is none it cannot be said which members it has.
        if of.is_some() || name.is_none() {
            members.refuse_the_rest(self.problems);
        }
        Some(Property {
            of: of?,
            rules: rules.unwrap_or_default(),
        })
    }

    fn property_type(&mut self, name: &str, members: &mut Members<'v, '_>) -> Option<PropertyType> {
        let path = members.path;
        match name {
            "boolean" => Some(PropertyType::Boolean),
            "integer" => Some(PropertyType::Integer),
            "decimal" => Some(PropertyType::Decimal),
            "object" => {
                let properties = members.take("properties").and_then(|value| {
                    let path = path.member("properties");
                    let properties = object(value, path, self.problems)?;
                    Some(self.properties(properties, path))
                });
                Some(PropertyType::Object(properties))
            }
            "array" => {
                let items = members.required("items", self.problems);
                self.place.push(ELEMENT);
                let property = items.and_then(|items| self.property(items, path.member("items")));
                self.place.pop();
                property.map(|property| PropertyType::Array(Box::new(property)))
            }
            name => {
                let text = name.parse().map(PropertyType::Text);
                let Ok(of) = text.or_else(|_| name.parse().map(PropertyType::Complex)) else {
                    self.problems
                        .add(path.member("type"), Rule::Enum, "is no type of property");
                    return None;
                };
                if matches!(
                    of,
                    PropertyType::Text(TextType::Code) | PropertyType::Complex(ComplexType::Coding)
                ) {
                    read_binding(members, self.problems);
                }
                Some(of)
            }
        }
    }
}

/// Kept and shown, it rejects nothing: what would is refused as not supported before it comes here.
fn read_binding(members: &mut Members<'_, '_>, problems: &mut Problems) {
    let own = members.path;
    let path = own.member("binding");
    let Some(mut binding) = members
        .take("binding")
        .and_then(|binding| Members::of(binding, path, problems))
    else {
        return;
    };
    let inner = path.member("vocabulary");
    let vocabulary = binding.required("vocabulary", problems);
    if let Some(mut vocabulary) = vocabulary.and_then(|value| Members::of(value, inner, problems)) {
        let _key = vocabulary.required_string("key", problems);
        let strength = vocabulary.required_string("strength", problems);
        if strength.is_some_and(|strength| !STRENGTHS.contains(&strength)) {
            problems.add(inner.member("strength"), Rule::Enum, "must be 'preferred'");
        }
        vocabulary.refuse_the_rest(problems);
    }
    binding.refuse_the_rest(problems);
}

const STRENGTHS: [&str; 2] = ["preferred", REQUIRED_STRENGTH];
const REQUIRED_STRENGTH: &str = "required";

/// Whether, somewhere in these properties, a vocabulary is binding that nobody here could ask.
pub(super) fn asks_for_vocabulary(properties: &Map<String, Value>) -> bool {
    properties.values().any(property_asks)
}

fn property_asks(property: &Value) -> bool {
    property["binding"]["vocabulary"]["strength"] == REQUIRED_STRENGTH
        || property["properties"]
            .as_object()
            .is_some_and(asks_for_vocabulary)
        || (property["items"].is_object() && property_asks(&property["items"]))
}
