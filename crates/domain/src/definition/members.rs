//! Taking the JSON of a definition apart, so that every problem is named with its path.

use crate::{JsonPath, Problems, Rule};
use serde_json::{Map, Value};

/// An object and where it is. What is not taken from it is unknown in the end.
pub(crate) struct Members<'v, 'p> {
    pub path: JsonPath<'p>,
    object: &'v Map<String, Value>,
    taken: Vec<&'static str>,
}

impl<'v, 'p> Members<'v, 'p> {
    pub fn new(object: &'v Map<String, Value>, path: JsonPath<'p>) -> Self {
        Self {
            path,
            object,
            taken: Vec::new(),
        }
    }

    pub fn of(value: &'v Value, path: JsonPath<'p>, problems: &mut Problems) -> Option<Self> {
        let object = value.as_object();
        if object.is_none() {
            problems.add(path, Rule::Type, "must be an object");
        }
        object.map(|object| Self::new(object, path))
    }

    pub fn take(&mut self, name: &'static str) -> Option<&'v Value> {
        self.taken.push(name);
        self.object.get(name)
    }

    pub fn required(&mut self, name: &'static str, problems: &mut Problems) -> Option<&'v Value> {
        let value = self.take(name);
        if value.is_none() {
            problems.add(self.path.member(name), Rule::Required, "is required");
        }
        value
    }

    pub fn string(&mut self, name: &'static str, problems: &mut Problems) -> Option<&'v str> {
        let value = self.take(name)?;
        text(value, self.path.member(name), problems)
    }

    pub fn required_string(&mut self, name: &'static str, problems: &mut Problems) -> Option<&'v str> {
        let value = self.required(name, problems)?;
        text(value, self.path.member(name), problems)
    }

    /// Whatever is left is no member.
    pub fn refuse_the_rest(self, problems: &mut Problems) {
        for name in self.object.keys() {
            if !self.taken.contains(&name.as_str()) {
                problems.add(self.path.member(name), Rule::Unknown, "is not a member here");
            }
        }
    }
}

fn text<'a>(value: &'a Value, path: JsonPath<'_>, problems: &mut Problems) -> Option<&'a str> {
    let text = value.as_str();
    if text.is_none() {
        problems.add(path, Rule::Type, "must be a string");
    }
    text
}

pub(crate) fn object<'a>(
    value: &'a Value,
    path: JsonPath<'_>,
    problems: &mut Problems,
) -> Option<&'a Map<String, Value>> {
    let object = value.as_object();
    if object.is_none() {
        problems.add(path, Rule::Type, "must be an object");
    }
    object
}

pub(crate) fn array<'a>(value: &'a Value, path: JsonPath<'_>, problems: &mut Problems) -> &'a [Value] {
    value.as_array().map_or_else(
        || {
            problems.add(path, Rule::Type, "must be an array");
            &[][..]
        },
        Vec::as_slice,
    )
}
