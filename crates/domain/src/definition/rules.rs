//! The rules of a property: read with its definition, applied to its values.

use super::members::{Members, array};
use super::pattern::Pattern;
use super::property::PropertyType;
use crate::condition::{Condition, same};
use crate::decimal::Decimal;
use crate::{JsonPath, Problems, Rule};
use serde_json::Value;

/// One object of `rules`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PropertyRule {
    pub required: bool,
    min: Option<Bound>,
    max: Option<Bound>,
    allowed: Option<Vec<Value>>,
    pattern: Option<Pattern>,
    when: Option<Condition>,
}

/// A limit, and how it is written.
#[derive(Debug, Clone, PartialEq)]
struct Bound {
    value: Decimal,
    shown: String,
}

/// What of a value the rules look at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Measure {
    Number,
    Text,
    Count,
    /// Only whether it is there.
    Nothing,
}

impl Measure {
    fn of(of: &PropertyType) -> Self {
        match of {
            PropertyType::Integer | PropertyType::Decimal => Self::Number,
            PropertyType::Text(_) => Self::Text,
            PropertyType::Array(_) => Self::Count,
            PropertyType::Boolean | PropertyType::Object(_) | PropertyType::Complex(_) => Self::Nothing,
        }
    }

    fn has(self, member: &str) -> bool {
        match member {
            "min" | "max" => self != Self::Nothing,
            "enum" => matches!(self, Self::Number | Self::Text),
            "pattern" => self == Self::Text,
            _ => true,
        }
    }
}

impl PropertyRule {
    /// Whether it fits is not asked of a type that is none.
    pub fn read(
        value: &Value,
        path: JsonPath<'_>,
        of: Option<&PropertyType>,
        place: &[&str],
        problems: &mut Problems,
    ) -> Option<Self> {
        let measure = of.map(Measure::of);
        let mut members = Members::of(value, path, problems)?;
        let required = members.take("required").is_some_and(|required| {
            if !required.is_boolean() {
                problems.add(path.member("required"), Rule::Type, "must be true or false");
            }
            required == true
        });
        let min = read_bound(&mut members, "min", problems);
        let max = read_bound(&mut members, "max", problems);
        if let (Some(min), Some(max)) = (&min, &max)
            && min.value > max.value
        {
            problems.add(path.member("min"), Rule::Max, "must not be over max");
        }
        let allowed = members
            .take("enum")
            .map(|values| read_enum(values, path.member("enum"), measure, problems));
        let pattern = members.string("pattern", problems).and_then(|pattern| {
            let parsed = Pattern::parse(pattern);
            parsed
                .map_err(|problem| problems.add(path.member("pattern"), Rule::Pattern, problem))
                .ok()
        });
        let when = members
            .take("when")
            .map(|when| Condition::read(when, path.member("when"), place, problems));
        if let Some(measure) = measure {
            let given = value.as_object().into_iter().flatten();
            for (member, _) in given.filter(|(member, _)| !measure.has(member)) {
                problems.add(path.member(member), Rule::Unknown, "is no rule for this type");
            }
        }
        members.refuse_the_rest(problems);
        Some(Self {
            required,
            min,
            max,
            allowed,
            pattern,
            when: match when {
                None => None,
                Some(read) => Some(read?),
            },
        })
    }

    pub fn applies(&self, data: &Value, at: &JsonPath<'_>) -> bool {
        self.when.as_ref().is_none_or(|when| when.holds(data, at))
    }

    /// Of a value of the right type.
    pub fn check(&self, value: &Value, at: JsonPath<'_>, problems: &mut Problems) {
        match value {
            Value::Number(number) => self.check_bounds(|| Decimal::of(number), at, "", problems),
            Value::String(text) => {
                self.check_bounds(
                    || Decimal::count(text.chars().count()),
                    at,
                    " characters long",
                    problems,
                );
                if let Some(pattern) = &self.pattern
                    && !pattern.matches(text)
                {
                    problems.add(at, Rule::Pattern, format!("must match {}", pattern.as_str()));
                }
            }
            Value::Array(items) => {
                self.check_bounds(|| Decimal::count(items.len()), at, " items long", problems);
            }
            Value::Null | Value::Bool(_) | Value::Object(_) => {}
        }
        if let Some(allowed) = &self.allowed
            && !allowed.iter().any(|one| same(one, value))
        {
            let words: Vec<String> = allowed.iter().map(Value::to_string).collect();
            problems.add(at, Rule::Enum, format!("must be one of {}", words.join(", ")));
        }
    }

    fn check_bounds(
        &self,
        measured: impl FnOnce() -> Decimal,
        at: JsonPath<'_>,
        unit: &str,
        problems: &mut Problems,
    ) {
        if self.min.is_none() && self.max.is_none() {
            return;
        }
        let measured = measured();
        if let Some(min) = self.min.as_ref().filter(|min| measured < min.value) {
            problems.add(at, Rule::Min, format!("must be at least {}{unit}", min.shown));
        }
        if let Some(max) = self.max.as_ref().filter(|max| measured > max.value) {
            problems.add(at, Rule::Max, format!("must be at most {}{unit}", max.shown));
        }
    }
}

fn read_bound(members: &mut Members<'_, '_>, name: &'static str, problems: &mut Problems) -> Option<Bound> {
    let value = members.take(name)?;
    let Value::Number(number) = value else {
        problems.add(members.path.member(name), Rule::Type, "must be a number");
        return None;
    };
    Some(Bound {
        value: Decimal::of(number),
        shown: number.to_string(),
    })
}

fn read_enum(
    values: &Value,
    path: JsonPath<'_>,
    measure: Option<Measure>,
    problems: &mut Problems,
) -> Vec<Value> {
    let given = array(values, path, problems);
    if values.is_array() && given.is_empty() {
        problems.add(path, Rule::Min, "must have a value");
    }
    for (n, value) in given.iter().enumerate() {
        let must_be = match measure {
            Some(Measure::Number) if !value.is_number() => "must be a number",
            Some(Measure::Text) if !value.is_string() => "must be a string",
            Some(_) | None => continue,
        };
        problems.add(path.item(n), Rule::Type, must_be);
    }
    given.to_vec()
}
