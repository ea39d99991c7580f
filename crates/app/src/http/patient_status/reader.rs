//! Taking a body apart in which null says something: a member is left out, null, or has a value.

use crate::http::body;
use crate::http::json::{Object, repeated};
use caretrack_domain::{Edit, Problems, Refusal, Rule};
use serde_json::value::RawValue;

/// A body that is one object; `read` takes from it what is wanted and tells what is wrong, in full.
pub fn whole<T>(text: &str, read: impl FnOnce(&mut Reader<'_, '_>) -> Option<T>) -> Result<T, Refusal> {
    let object = Object::body(text)?;
    let mut problems = Problems::default();
    for path in repeated(text).map_err(|_| body::syntax("is not JSON"))? {
        problems.add(path, Rule::Duplicate, "is there already");
    }
    let read = read(&mut Reader {
        object,
        problems: &mut problems,
    });
    match read {
        Some(read) if problems.is_empty() => Ok(read),
        Some(_) | None => Err(problems.into()),
    }
}

/// An object, of which members are asked for by name.
pub struct Reader<'a, 'p> {
    object: Object<'a>,
    problems: &'p mut Problems,
}

impl<'a> Reader<'a, '_> {
    pub fn wrong(&mut self, name: &str, message: &str) {
        self.problems
            .add(self.object.path_of(name), Rule::Pattern, message);
    }

    pub fn has(&self, name: &str) -> bool {
        self.object.look_at(name).is_some()
    }

    /// Whether the member is left out or null.
    pub fn lacks(&self, name: &str) -> bool {
        self.object.look_at(name).is_none_or(is_null)
    }

    /// What is left out, null, or as `read` reads it; `must_be` says what that takes.
    pub fn edit<T>(
        &mut self,
        name: &str,
        must_be: &str,
        read: impl FnOnce(&RawValue) -> Option<T>,
    ) -> Edit<T> {
        match self.object.take(name) {
            None => Edit::Keep,
            Some(value) if is_null(value) => Edit::Clear,
            Some(value) => {
                let read = read(value);
                if read.is_none() {
                    self.wrong(name, must_be);
                }
                read.map_or(Edit::Keep, Edit::Set)
            }
        }
    }

    /// Null is as good as left out.
    pub fn optional<T>(
        &mut self,
        name: &str,
        must_be: &str,
        read: impl FnOnce(&RawValue) -> Option<T>,
    ) -> Option<T> {
        self.edit(name, must_be, read).of(None)
    }

    pub fn required<T>(
        &mut self,
        name: &str,
        must_be: &str,
        read: impl FnOnce(&RawValue) -> Option<T>,
    ) -> Option<T> {
        match self.object.take(name) {
            None => self.wrong(name, "is required"),
            Some(value) => {
                let read = read(value);
                if read.is_none() {
                    self.wrong(name, must_be);
                }
                return read;
            }
        }
        None
    }

    /// A member that is an object.
    pub fn edit_object<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Reader<'_, '_>) -> Option<T>,
    ) -> Edit<T> {
        match self.object.take(name) {
            None => Edit::Keep,
            Some(value) if is_null(value) => Edit::Clear,
            Some(value) => self.nested(name, value, read).map_or(Edit::Keep, Edit::Set),
        }
    }

    fn nested<T>(
        &mut self,
        name: &str,
        value: &'a RawValue,
        read: impl FnOnce(&mut Reader<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        let object = Object::nested(value, self.object.path_of(name), self.problems)?;
        read(&mut Reader {
            object,
            problems: self.problems,
        })
    }

    /// The items of an array, if there is one; `read` is told where an item is, and tells what is wrong with it.
    pub fn items<T>(
        &mut self,
        name: &str,
        mut read: impl FnMut(&'a RawValue, String, &mut Problems) -> Option<T>,
    ) -> Option<Vec<T>> {
        let value = self.object.take(name)?;
        let path = self.object.path_of(name);
        let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(value.get()) else {
            self.wrong(name, "must be an array");
            return None;
        };
        let items = items.into_iter().enumerate();
        let read = items.filter_map(|(number, item)| read(item, format!("{path}[{number}]"), self.problems));
        Some(read.collect())
    }

    /// For what has no member but those that were asked for.
    pub fn nothing_else(&mut self) {
        let rest: Vec<_> = self.object.names().map(str::to_owned).collect();
        for name in rest {
            self.wrong(&name, "is not a member here");
        }
    }

    /// The name that a member has here, if case does not count.
    pub fn name_in_any_case(&self, name: &str) -> String {
        let mut names = self.object.names();
        let found = names.find(|given| given.eq_ignore_ascii_case(name));
        found.unwrap_or(name).to_owned()
    }
}

pub fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

pub fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// A text that is something.
pub fn word<T>(parse: impl FnOnce(&str) -> Option<T>) -> impl FnOnce(&RawValue) -> Option<T> {
    |value| parse(&text(value)?)
}

pub fn flag(value: &RawValue) -> Option<bool> {
    serde_json::from_str(value.get()).ok()
}

/// A number without a fraction that says anything, as JSON Schema has it: `7.0` is one.
pub fn integer(value: &RawValue) -> Option<i64> {
    digits(value)?.parse().ok()
}

/// [`integer`], for a number that may name something: one past all bounds is as good as the last within them.
pub fn name(value: &RawValue) -> Option<i64> {
    let digits = digits(value)?;
    let bound = if digits.starts_with('-') {
        i64::MIN
    } else {
        i64::MAX
    };
    Some(digits.parse().unwrap_or(bound))
}

fn digits(value: &RawValue) -> Option<&str> {
    let (digits, fraction) = value.get().split_once('.').unwrap_or((value.get(), "0"));
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    (is_number && fraction.bytes().all(|byte| byte == b'0')).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn integers_have_no_fraction() {
        for (text, expected) in [
            ("48213907", Some(48_213_907)),
            ("-1", Some(-1)),
            ("7.0", Some(7)),
            ("1.5", None),
            ("1e3", None),
            (r#""48213907""#, None),
            ("true", None),
            ("null", None),
            ("[1]", None),
        ] {
            assert_eq!(integer(&raw(text)), expected, "{text}");
            assert_eq!(name(&raw(text)), expected, "{text}");
        }
        let (high, low) = (raw("99999999999999999999999"), raw("-99999999999999999999999"));
        assert_eq!((integer(&high), integer(&low)), (None, None));
        assert_eq!((name(&high), name(&low)), (Some(i64::MAX), Some(i64::MIN)));
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let text = r#"{"a":1,"b":null,"b":2,"c":{"d":"x","e":[1,"y"]},"x":0}"#;
        let refusal = whole(text, |body| {
            body.required("a", "must be a text", super::text);
            body.required("missing", "must be a text", super::text);
            body.edit_object("c", |inner| {
                assert_eq!(inner.optional("d", "", super::text).as_deref(), Some("x"));
                inner.items("e", |item, path, problems| {
                    if super::text(item).is_none() {
                        problems.add(path, Rule::Type, "must be a text");
                    }
                    Some(())
                })
            });
            body.nothing_else();
            Some(())
        })
        .unwrap_err();
        let paths: Vec<_> = refusal
            .problems
            .iter()
            .map(|problem| problem.path.as_str())
            .collect();
        assert_eq!(paths, ["$.b", "$.a", "$.missing", "$.c.e[0]", "$.b", "$.x"]);
    }

    #[test]
    fn null_is_not_left_out() {
        let edits = whole(r#"{"a":null,"b":1}"#, |body| {
            Some(["a", "b", "c"].map(|name| body.edit(name, "", integer)))
        });
        assert_eq!(edits.unwrap(), [Edit::Clear, Edit::Set(1), Edit::Keep]);
    }
}
