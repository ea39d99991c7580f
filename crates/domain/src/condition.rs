//! Conditions on `data`: when a rule applies, what triggers a step of a pipeline.

use crate::decimal::Decimal;
use crate::definition::members::{array, object};
use crate::json_path::{JsonPath, Step};
use crate::{Problems, Rule};
use serde_json::Value;
use std::cmp::Ordering;

/// Holds or does not hold of some `data`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    /// Every path has, somewhere, one of its values.
    Any(Vec<(ValuePath, Vec<Value>)>),
    /// Every path has, somewhere, a value that stands so to its own.
    Compare(Comparison, Vec<(ValuePath, Value)>),
    /// There is something other than null.
    Exists(ValuePath),
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum Comparison {
    Gt,
    Gte,
    Lt,
    Lte,
}

/// A path with dots, from `data` on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ValuePath(Vec<Segment>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Member(String),
    /// The element that is being checked.
    Current,
}

impl Condition {
    /// `place` is where the property is whose rule this is, its arrays as [`ELEMENT`].
    pub fn read(value: &Value, path: JsonPath<'_>, place: &[&str], problems: &mut Problems) -> Option<Self> {
        let condition = object(value, path, problems)?;
        let mut members = condition.iter();
        let (Some((operator, operand)), None) = (members.next(), members.next()) else {
            problems.add(path, Rule::Syntax, "must have exactly one operator");
            return None;
        };
        let path = path.member(operator);
        match operator.as_str() {
            "eq" => {
                let pairs = pairs(operand, path, place, problems, |value, path, problems| {
                    scalar(value, path, problems).map(|value| vec![value])
                })?;
                Some(Self::Any(pairs))
            }
            "any" => {
                let pairs = pairs(operand, path, place, problems, |values, path, problems| {
                    let values = array(values, path, problems).iter().enumerate();
                    values
                        .map(|(n, value)| scalar(value, path.item(n), problems))
                        .collect()
                })?;
                Some(Self::Any(pairs))
            }
            "exists" => {
                let text = operand.as_str();
                if text.is_none() {
                    problems.add(path, Rule::Type, "must be a path");
                }
                ValuePath::read(text?, path, place, problems).map(Self::Exists)
            }
            "and" => all(operand, path, place, problems).map(Self::And),
            "or" => all(operand, path, place, problems).map(Self::Or),
            "not" => Self::read(operand, path, place, problems).map(|inner| Self::Not(Box::new(inner))),
            other => {
                let Ok(comparison) = other.parse() else {
                    problems.add(path, Rule::Unknown, "is no operator of conditions");
                    return None;
                };
                let pairs = pairs(operand, path, place, problems, |value, path, problems| {
                    let ordered = value.is_number() || value.is_string();
                    if !ordered {
                        problems.add(path, Rule::Type, "must be a number or a string");
                    }
                    ordered.then(|| value.clone())
                })?;
                Some(Self::Compare(comparison, pairs))
            }
        }
    }

    /// `at` is the value being checked.
    pub fn holds(&self, data: &Value, at: &JsonPath<'_>) -> bool {
        match self {
            Self::Any(pairs) => pairs.iter().all(|(path, values)| {
                path.finds(data, at, &|found| values.iter().any(|value| same(found, value)))
            }),
            Self::Compare(comparison, pairs) => pairs.iter().all(|(path, value)| {
                path.finds(data, at, &|found| {
                    order(found, value).is_some_and(|order| comparison.admits(order))
                })
            }),
            Self::Exists(path) => path.finds(data, at, &|found| !found.is_null()),
            Self::And(all) => all.iter().all(|condition| condition.holds(data, at)),
            Self::Or(any) => any.iter().any(|condition| condition.holds(data, at)),
            Self::Not(condition) => !condition.holds(data, at),
        }
    }
}

impl Comparison {
    fn admits(self, order: Ordering) -> bool {
        match self {
            Self::Gt => order.is_gt(),
            Self::Gte => order.is_ge(),
            Self::Lt => order.is_lt(),
            Self::Lte => order.is_le(),
        }
    }
}

/// How an element of an array is written in a path.
pub(crate) const ELEMENT: &str = "[current]";

impl ValuePath {
    fn read(text: &str, path: JsonPath<'_>, place: &[&str], problems: &mut Problems) -> Option<Self> {
        let parts: Vec<&str> = text.split('.').collect();
        if parts.iter().any(|part| part.is_empty()) {
            problems.add(path, Rule::Syntax, "must be names with dots between them");
            return None;
        }
        let elements = parts.iter().enumerate().filter(|(_, part)| **part == ELEMENT);
        for (n, _) in elements {
            if place.get(..=n) != Some(&parts[..=n]) {
                problems.add(
                    path,
                    Rule::Reference,
                    "names the current element of an array that is not being checked",
                );
                return None;
            }
        }
        let segments = parts.into_iter().map(|part| match part {
            ELEMENT => Segment::Current,
            name => Segment::Member(name.to_owned()),
        });
        Some(Self(segments.collect()))
    }

    /// Whether something at the path is what is looked for.
    fn finds(&self, data: &Value, at: &JsonPath<'_>, wanted: &dyn Fn(&Value) -> bool) -> bool {
        let needs_place = self.0.contains(&Segment::Current);
        let steps = if needs_place { at.steps() } else { Vec::new() };
        walk(data, &self.0, &steps, wanted)
    }
}

/// `steps` lead to what is being checked, as long as the path goes the same way.
fn walk(value: &Value, path: &[Segment], steps: &[Step<'_>], wanted: &dyn Fn(&Value) -> bool) -> bool {
    match (value, path) {
        (Value::Array(items), [Segment::Current, rest @ ..]) => match steps {
            [Step::Item(n), steps @ ..] => items.get(*n).is_some_and(|item| walk(item, rest, steps, wanted)),
            _ => false,
        },
        // Any element may match, also where the path ends.
        (Value::Array(items), _) => items.iter().any(|item| walk(item, path, &[], wanted)),
        (value, []) => wanted(value),
        (Value::Object(members), [Segment::Member(name), rest @ ..]) => {
            let steps = match steps {
                [Step::Member(step), steps @ ..] if step == name => steps,
                _ => &[],
            };
            members
                .get(name)
                .is_some_and(|member| walk(member, rest, steps, wanted))
        }
        _ => false,
    }
}

/// Numbers are the same however they are written.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || Decimal::of(left) == Decimal::of(right)
        }
        (left, right) => left == right,
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => Some(Decimal::of(left).cmp(&Decimal::of(right))),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

fn scalar(value: &Value, path: JsonPath<'_>, problems: &mut Problems) -> Option<Value> {
    let scalar = !value.is_object() && !value.is_array();
    if !scalar {
        problems.add(path, Rule::Type, "must be a string, a number, a boolean or null");
    }
    scalar.then(|| value.clone())
}

/// `{path: operand}`, all of which have to hold.
fn pairs<T>(
    value: &Value,
    path: JsonPath<'_>,
    place: &[&str],
    problems: &mut Problems,
    read: impl Fn(&Value, JsonPath<'_>, &mut Problems) -> Option<T>,
) -> Option<Vec<(ValuePath, T)>> {
    let operands = object(value, path, problems)?;
    if operands.is_empty() {
        problems.add(path, Rule::Required, "must name a path");
    }
    let pairs: Vec<_> = operands
        .iter()
        .filter_map(|(text, operand)| {
            let path = path.member(text);
            let value_path = ValuePath::read(text, path, place, problems);
            let operand = read(operand, path, problems);
            value_path.zip(operand)
        })
        .collect();
    (!pairs.is_empty()).then_some(pairs)
}

fn all(value: &Value, path: JsonPath<'_>, place: &[&str], problems: &mut Problems) -> Option<Vec<Condition>> {
    let conditions = array(value, path, problems);
    if value.is_array() && conditions.is_empty() {
        problems.add(path, Rule::Required, "must have a condition");
    }
    let conditions = conditions.iter().enumerate();
    conditions
        .map(|(n, condition)| Condition::read(condition, path.item(n), place, problems))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const WHEN: JsonPath<'static> = JsonPath::Root("when");
    const DATA: JsonPath<'static> = JsonPath::Root("$.data");

    fn read(condition: &Value, place: &[&str]) -> Result<Condition, Vec<(String, Rule)>> {
        let mut problems = Problems::default();
        let read = Condition::read(condition, WHEN, place, &mut problems);
        match problems.into_result() {
            Ok(()) => Ok(read.expect("a condition without problems is one")),
            Err(refusal) => Err(refusal.problems.into_iter().map(|p| (p.path, p.rule)).collect()),
        }
    }

    #[track_caller]
    fn holds(condition: &Value, data: &Value) -> bool {
        read(condition, &[]).unwrap().holds(data, &DATA)
    }

    #[test]
    fn operators_compare_what_the_paths_lead_to() {
        let data = json!({"status": "inactive", "age": 41.0, "since": "2026-03", "off": null, "yes": true,
            "address": {"city": "Rome"}, "tags": ["a", "b"], "visits": [{"kind": "x", "n": 1}, {"kind": "y", "n": 2}]});
        for condition in [
            json!({"eq": {"status": "inactive"}}),
            json!({"eq": {"age": 41}}),
            json!({"eq": {"age": 4.1e1, "yes": true}}),
            json!({"eq": {"address.city": "Rome"}}),
            json!({"eq": {"off": null}}),
            json!({"eq": {"tags": "b"}}),
            json!({"eq": {"visits.kind": "y"}}),
            json!({"any": {"status": ["active", "inactive"]}}),
            json!({"gt": {"age": 40.999}}),
            json!({"gte": {"age": 41}}),
            json!({"lt": {"since": "2026-04"}}),
            json!({"lte": {"visits.n": 1}}),
            json!({"exists": "address"}),
            json!({"exists": "visits.kind"}),
            json!({"and": [{"exists": "age"}, {"not": {"exists": "death"}}]}),
            json!({"or": [{"exists": "death"}, {"exists": "age"}]}),
        ] {
            assert!(holds(&condition, &data), "{condition}");
            assert!(!holds(&json!({"not": condition}), &data), "not {condition}");
        }
        for condition in [
            json!({"eq": {"status": "active"}}),
            json!({"eq": {"status": "inactive", "age": 1}}),
            json!({"eq": {"age": "41"}}),
            json!({"eq": {"missing": null}}),
            json!({"eq": {"address": "Rome"}}),
            json!({"any": {"status": []}}),
            json!({"gt": {"age": 41}}),
            json!({"gt": {"age": "40"}}),
            json!({"gt": {"status": 1}}),
            json!({"exists": "off"}),
            json!({"exists": "status.inner"}),
        ] {
            assert!(!holds(&condition, &data), "{condition}");
        }
    }

    #[test]
    fn the_current_element_is_the_one_being_checked() {
        let data = json!({"visits": [{"kind": "x", "parts": [{"n": 1}]}, {"kind": "y", "parts": [{"n": 2}, {"n": 3}]}]});
        let place = ["visits", ELEMENT, "parts", ELEMENT, "n"];
        let is_y = read(&json!({"eq": {"visits.[current].kind": "y"}}), &place).unwrap();
        let is_3 = read(&json!({"eq": {"visits.[current].parts.[current].n": 3}}), &place).unwrap();
        let visits = DATA.member("visits");
        let check = |visit: usize, part: usize| {
            let visit = visits.item(visit);
            let parts = visit.member("parts");
            let part = parts.item(part);
            let at = part.member("n");
            (is_y.holds(&data, &at), is_3.holds(&data, &at))
        };
        assert_eq!(
            [check(0, 0), check(1, 0), check(1, 1)],
            [(false, false), (true, false), (true, true)]
        );
    }

    #[test]
    fn bad_conditions_are_named() {
        let place = ["visits", ELEMENT, "kind"];
        for (condition, path, rule) in [
            (json!([]), "when", Rule::Type),
            (json!({}), "when", Rule::Syntax),
            (json!({"eq": {"a": 1}, "gt": {"a": 1}}), "when", Rule::Syntax),
            (json!({"like": {"a": 1}}), "when.like", Rule::Unknown),
            (json!({"eq": {}}), "when.eq", Rule::Required),
            (json!({"eq": "a"}), "when.eq", Rule::Type),
            (json!({"eq": {"a..b": 1}}), "when.eq['a..b']", Rule::Syntax),
            (json!({"eq": {"a": [1]}}), "when.eq.a", Rule::Type),
            (json!({"gt": {"a": null}}), "when.gt.a", Rule::Type),
            (json!({"any": {"a": 1}}), "when.any.a", Rule::Type),
            (json!({"any": {"a": [1, {}]}}), "when.any.a[1]", Rule::Type),
            (json!({"exists": 1}), "when.exists", Rule::Type),
            (json!({"exists": ""}), "when.exists", Rule::Syntax),
            (json!({"and": {}}), "when.and", Rule::Type),
            (json!({"or": []}), "when.or", Rule::Required),
            (
                json!({"not": {"and": [{"exists": "a"}, {"x": 1}]}}),
                "when.not.and[1].x",
                Rule::Unknown,
            ),
            (
                json!({"exists": "other.[current].kind"}),
                "when.exists",
                Rule::Reference,
            ),
        ] {
            assert_eq!(
                read(&condition, &place),
                Err(vec![(path.to_owned(), rule)]),
                "{condition}"
            );
        }
        assert!(read(&json!({"exists": "visits.[current].kind"}), &place).is_ok());
    }
}
