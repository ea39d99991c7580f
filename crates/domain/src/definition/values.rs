//! Judging `data` by the properties of a definition, and finding its references.

use super::complex::{ComplexType, MemberType};
use super::formats::TextType;
use super::property::{Checks, Properties, Property, PropertyType};
use crate::decimal::Decimal;
use crate::resource::ROOT_TOKEN;
use crate::{JsonPath, Problems, Rule};
use serde_json::{Map, Value};

impl Properties {
    /// Names all that is wrong with `data`, an object; `whose` is the definition's, in words.
    pub(super) fn check(&self, data: &Value, path: JsonPath<'_>, whose: &str, problems: &mut Problems) {
        let mut checking = Checking {
            data,
            whose,
            problems,
        };
        if let Some(members) = data.as_object() {
            checking.properties(&self.checks, members, path);
        }
    }

    /// Puts `id` into references that are [`ROOT_TOKEN`].
    pub(super) fn fill_references(&self, data: &mut Value, id: &str) {
        fill_properties(&self.checks, data, id);
    }
}

struct Checking<'a> {
    /// What conditions look at.
    data: &'a Value,
    whose: &'a str,
    problems: &'a mut Problems,
}

impl Checking<'_> {
    fn properties(&mut self, checks: &Checks, members: &Map<String, Value>, path: JsonPath<'_>) {
        for (name, property) in checks {
            self.property(property, members.get(name), path.member(name));
        }
        for name in members.keys().filter(|name| !checks.contains_key(*name)) {
            let message = format!("is not a property of {}", self.whose);
            self.problems.add(path.member(name), Rule::Unknown, message);
        }
    }

    fn property(&mut self, property: &Property, value: Option<&Value>, at: JsonPath<'_>) {
        let mut rules = property.rules.iter().filter(|rule| rule.applies(self.data, &at));
        match value {
            None | Some(Value::Null) => {
                if rules.any(|rule| rule.required) {
                    self.problems.add(at, Rule::Required, "is required");
                }
            }
            Some(value) => {
                if self.is_of_type(&property.of, value, at) {
                    rules.for_each(|rule| rule.check(value, at, self.problems));
                }
            }
        }
    }

    /// Whether the rules can be asked about it; what is inside is judged either way.
    fn is_of_type(&mut self, of: &PropertyType, value: &Value, at: JsonPath<'_>) -> bool {
        match of {
            PropertyType::Boolean => self.is(value.is_boolean(), at, "must be true or false"),
            PropertyType::Integer => self.is(is_integer(value), at, INTEGER),
            PropertyType::Decimal => self.is(value.is_number(), at, "must be a number"),
            PropertyType::Text(of) => self.is_text(*of, value, at),
            PropertyType::Complex(of) => self.is_complex(*of, value, at),
            PropertyType::Object(checks) => match (value, checks) {
                (Value::Object(members), Some(checks)) => {
                    self.properties(checks, members, at);
                    true
                }
                (value, _) => self.is(value.is_object(), at, "must be an object"),
            },
            PropertyType::Array(items) => {
                let Value::Array(values) = value else {
                    return self.is(false, at, "must be an array");
                };
                for (n, value) in values.iter().enumerate() {
                    self.property(items, Some(value), at.item(n));
                }
                true
            }
        }
    }

    fn is(&mut self, holds: bool, at: JsonPath<'_>, must_be: &str) -> bool {
        if !holds {
            self.problems.add(at, Rule::Type, must_be);
        }
        holds
    }

    fn is_text(&mut self, of: TextType, value: &Value, at: JsonPath<'_>) -> bool {
        self.is(
            value.as_str().is_some_and(|text| of.admits(text)),
            at,
            of.must_be(),
        )
    }

    fn is_complex(&mut self, of: ComplexType, value: &Value, at: JsonPath<'_>) -> bool {
        if of == ComplexType::Reference && value.is_string() {
            return true;
        }
        let Value::Object(members) = value else {
            let must_be = if of == ComplexType::Reference {
                "must be a string or an object"
            } else {
                "must be an object"
            };
            return self.is(false, at, must_be);
        };
        for (name, value) in members {
            let at = at.member(name);
            let known = of.members().iter().find(|(known, _)| known == name);
            let member = match known {
                Some((_, member)) => *member,
                None if name == "id" => MemberType::Text(TextType::Symbol),
                None => {
                    self.problems
                        .add(at, Rule::Unknown, "is not a member of this type");
                    continue;
                }
            };
            if !value.is_null() {
                self.member(member, value, at);
            }
        }
        true
    }

    fn member(&mut self, of: MemberType, value: &Value, at: JsonPath<'_>) {
        let one = match of {
            MemberType::Boolean => {
                self.is(value.is_boolean(), at, "must be true or false");
                return;
            }
            MemberType::Integer => {
                self.is(is_integer(value), at, INTEGER);
                return;
            }
            MemberType::Decimal => {
                self.is(value.is_number(), at, "must be a number");
                return;
            }
            MemberType::Text(of) => {
                self.is_text(of, value, at);
                return;
            }
            MemberType::Complex(of) => {
                self.is_complex(of, value, at);
                return;
            }
            MemberType::Texts(of) => MemberType::Text(of),
            MemberType::Complexes(of) => MemberType::Complex(of),
        };
        let Value::Array(values) = value else {
            self.is(false, at, "must be an array");
            return;
        };
        for (n, value) in values.iter().enumerate().filter(|(_, value)| !value.is_null()) {
            self.member(one, value, at.item(n));
        }
    }
}

const INTEGER: &str = "must be an integer within ±(2^53 - 1)";

fn is_integer(value: &Value) -> bool {
    const LARGEST: i64 = (1 << 53) - 1;
    let Value::Number(number) = value else {
        return false;
    };
    if let Some(number) = number.as_i64() {
        return (-LARGEST..=LARGEST).contains(&number);
    }
    // Such as `1.0`: what counts is the number, not how it is written.
    let decimal = Decimal::of(number);
    !decimal.has_fraction() && decimal.is_within(LARGEST)
}

fn fill_properties(checks: &Checks, value: &mut Value, id: &str) {
    let Some(members) = value.as_object_mut() else {
        return;
    };
    for (name, property) in checks {
        if let Some(value) = members.get_mut(name) {
            fill_property(&property.of, value, id);
        }
    }
}

fn fill_property(of: &PropertyType, value: &mut Value, id: &str) {
    match of {
        PropertyType::Complex(ComplexType::Reference) => {
            let token = if value.is_object() {
                value.get_mut("id")
            } else {
                Some(value)
            };
            if let Some(Value::String(text)) = token
                && text == ROOT_TOKEN
            {
                id.clone_into(text);
            }
        }
        PropertyType::Object(Some(checks)) => fill_properties(checks, value, id),
        PropertyType::Array(items) => {
            let values = value.as_array_mut().into_iter().flatten();
            values.for_each(|value| fill_property(&items.of, value, id));
        }
        PropertyType::Boolean
        | PropertyType::Integer
        | PropertyType::Decimal
        | PropertyType::Text(_)
        | PropertyType::Complex(_)
        | PropertyType::Object(None) => {}
    }
}
