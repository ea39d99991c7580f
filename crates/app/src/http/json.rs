//! Taking a JSON object apart, member by member, so that every problem is named with its path.
//!
//! Values stay as they were sent until somebody asks for them; nothing is parsed twice that is not wanted.

mod repeated;

pub use repeated::repeated;

use super::body::syntax;
use caretrack_domain::{JsonPath, Problems, Refusal, Rule};
use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// An object and where it is. What is not taken from it is unknown in the end.
pub struct Object<'a> {
    path: String,
    members: IndexMap<Cow<'a, str>, &'a RawValue>,
}

#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Members<'a>(#[serde(borrow)] IndexMap<Name<'a>, &'a RawValue>);

/// `Cow` alone is never borrowed by serde, when it is inside something else.
#[derive(PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Object<'a> {
    /// The body itself.
    pub fn body(text: &'a str) -> Result<Self, Refusal> {
        match text
            .trim_start_matches([' ', '\t', '\r', '\n'])
            .as_bytes()
            .first()
        {
            None => Err(Refusal::problem("$", Rule::Required, "there must be a body")),
            Some(b'{') => Self::parse(text, "$".to_owned()).map_err(|error| {
                syntax(format!(
                    "is not JSON: line {}, column {}",
                    error.line(),
                    error.column()
                ))
            }),
            Some(_) => match serde_json::from_str::<&RawValue>(text) {
                Ok(_) => Err(Refusal::problem("$", Rule::Type, "must be an object")),
                Err(_) => Err(syntax("is not JSON")),
            },
        }
    }

    /// The body, for whoever takes it apart elsewhere.
    pub fn whole_body(text: &'a str) -> Result<serde_json::Map<String, serde_json::Value>, Refusal> {
        Self::body(text)?;
        serde_json::from_str(text).map_err(|_| syntax("is not JSON"))
    }

    fn parse(text: &'a str, path: String) -> Result<Self, serde_json::Error> {
        let Members(members) = serde_json::from_str(text)?;
        let members = members
            .into_iter()
            .map(|(Name(name), value)| (name, value))
            .collect();
        Ok(Self { path, members })
    }

    pub fn nested(value: &'a RawValue, path: String, problems: &mut Problems) -> Option<Self> {
        let parsed = is_object(value)
            .then(|| Self::parse(value.get(), path.clone()).ok())
            .flatten();
        if parsed.is_none() {
            problems.add(path, Rule::Type, "must be an object");
        }
        parsed
    }

    pub fn path_of(&self, name: &str) -> String {
        JsonPath::Root(&self.path).member(name).to_string()
    }

    pub fn look_at(&self, name: &str) -> Option<&'a RawValue> {
        self.members.get(name).copied()
    }

    pub fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        self.members.shift_remove(name)
    }

    pub fn required(&mut self, name: &str, problems: &mut Problems) -> Option<&'a RawValue> {
        let value = self.take(name);
        if value.is_none() {
            problems.add(self.path_of(name), Rule::Required, "is required");
        }
        value
    }

    /// An object that is kept as it was sent.
    pub fn required_raw_object(&mut self, name: &str, problems: &mut Problems) -> Option<Box<RawValue>> {
        let value = self.required(name, problems)?;
        if !is_object(value) {
            problems.add(self.path_of(name), Rule::Type, "must be an object");
            return None;
        }
        Some(value.to_owned())
    }

    pub fn object(&mut self, name: &str, problems: &mut Problems) -> Option<Self> {
        let value = self.take(name)?;
        Self::nested(value, self.path_of(name), problems)
    }

    pub fn string(&mut self, name: &str, problems: &mut Problems) -> Option<String> {
        self.typed(name, "must be a string", problems)
    }

    pub fn required_string(&mut self, name: &str, problems: &mut Problems) -> Option<String> {
        self.required_typed(name, "must be a string", problems)
    }

    pub fn required_typed<T: DeserializeOwned>(
        &mut self,
        name: &str,
        must_be: &str,
        problems: &mut Problems,
    ) -> Option<T> {
        let value = self.required(name, problems)?;
        typed(value, || self.path_of(name), must_be, problems)
    }

    pub fn typed<T: DeserializeOwned>(
        &mut self,
        name: &str,
        must_be: &str,
        problems: &mut Problems,
    ) -> Option<T> {
        let value = self.take(name)?;
        typed(value, || self.path_of(name), must_be, problems)
    }

    /// Whatever is left is no member.
    pub fn refuse_the_rest(self, problems: &mut Problems) {
        for name in self.members.keys() {
            problems.add(
                JsonPath::Root(&self.path).member(name),
                Rule::Unknown,
                "is not a member here",
            );
        }
    }

    /// Of all members left.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(AsRef::as_ref)
    }

    /// All members left, whatever their names.
    pub fn into_members(self) -> impl Iterator<Item = (String, &'a RawValue)> {
        self.members
            .into_iter()
            .map(|(name, value)| (name.into_owned(), value))
    }
}

pub fn array<'a>(value: &'a RawValue, path: &str, problems: &mut Problems) -> Vec<&'a RawValue> {
    serde_json::from_str(value.get()).unwrap_or_else(|_| {
        problems.add(path, Rule::Type, "must be an array");
        Vec::new()
    })
}

fn typed<T: DeserializeOwned>(
    value: &RawValue,
    path: impl FnOnce() -> String,
    must_be: &str,
    problems: &mut Problems,
) -> Option<T> {
    let parsed = serde_json::from_str(value.get()).ok();
    if parsed.is_none() {
        problems.add(path(), Rule::Type, must_be);
    }
    parsed
}

fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Option<Rule> {
        Object::body(text).err().map(|refusal| refusal.problems[0].rule)
    }

    #[test]
    fn a_body_is_an_object() {
        assert_eq!(rule(" { } "), None);
        assert_eq!(rule(" "), Some(Rule::Required));
        for text in ["[]", "null", "4", r#""{}""#] {
            assert_eq!(rule(text), Some(Rule::Type), "{text}");
        }
        for text in ["{", "{}x", "nul", r#"{"a":1,}"#, "{'a':1}", "{\"a\":\"\u{1}\"}"] {
            assert_eq!(rule(text), Some(Rule::Syntax), "{text}");
        }
    }

    #[test]
    fn members_are_taken_and_the_rest_is_refused() {
        let mut problems = Problems::default();
        let mut object = Object::body(r#"{"a":"x","\u0062":1,"c":{},"d":null,"e":[]}"#).unwrap();
        assert_eq!(object.string("a", &mut problems).as_deref(), Some("x"));
        assert_eq!(object.string("b", &mut problems), None);
        assert!(object.object("c", &mut problems).is_some());
        assert!(object.object("d", &mut problems).is_none());
        assert!(object.required("f", &mut problems).is_none());
        object.refuse_the_rest(&mut problems);
        let refusal = problems.into_result().unwrap_err();
        let found: Vec<_> = refusal
            .problems
            .iter()
            .map(|p| (p.path.as_str(), p.rule))
            .collect();
        assert_eq!(
            found,
            [
                ("$.b", Rule::Type),
                ("$.d", Rule::Type),
                ("$.f", Rule::Required),
                ("$.e", Rule::Unknown)
            ]
        );
    }
}
