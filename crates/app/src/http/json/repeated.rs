//! Members that are given twice: JSON leaves open what that means, and whoever reads takes one of them in silence.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;

/// The paths of all members of a document that its object has already. The error is that of what is no JSON.
pub fn repeated(text: &str) -> Result<Vec<String>, serde_json::Error> {
    let mut found = Vec::new();
    let mut reader = serde_json::Deserializer::from_str(text);
    let part = Part {
        path: &mut "$".to_owned(),
        found: &mut found,
    };
    part.deserialize(&mut reader)?;
    reader.end()?;
    Ok(found)
}

/// A value and where it is.
struct Part<'a> {
    path: &'a mut String,
    found: &'a mut Vec<String>,
}

impl Part<'_> {
    /// A value inside this one.
    fn below<'de, E>(
        &mut self,
        step: fmt::Arguments<'_>,
        visit: impl FnOnce(Part<'_>) -> Result<(), E>,
    ) -> Result<(), E>
    where
        E: Error + 'de,
    {
        let length = self.path.len();
        self.path.push_str(&step.to_string());
        let visited = visit(Part {
            path: self.path,
            found: self.found,
        });
        self.path.truncate(length);
        visited
    }
}

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            self.below(format_args!(".{name}"), |part| {
                if names.contains(&name) {
                    part.found.push(part.path.clone());
                }
                map.next_value_seed(part)
            })?;
            names.insert(name);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        let mut more = true;
        let mut number = 0_usize;
        while more {
            self.below(format_args!("[{number}]"), |part| {
                more = items.next_element_seed(part)?.is_some();
                Ok(())
            })?;
            number += 1;
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    // Most numbers; the others come as objects, since none is cut short here.
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::repeated;

    #[test]
    fn members_given_twice_are_found_wherever_they_are() {
        for (text, expected) in [
            (r#"{"a":1,"b":-1.5e400,"c":[{"a":null},{"a":true}]}"#, vec![]),
            (r#"{"a":1,"a":1}"#, vec!["$.a"]),
            (r#"{"a":1,"\u0061":2,"A":3}"#, vec!["$.a"]),
            (
                r#"{"a":[0,{"b":{"c":"x","c":[]},"b":2}],"a":{}}"#,
                vec!["$.a[1].b.c", "$.a[1].b", "$.a"],
            ),
            (r#"[{"a":1,"a":1}]"#, vec!["$[0].a"]),
        ] {
            assert_eq!(
                repeated(text).ok(),
                Some(expected.into_iter().map(str::to_owned).collect()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_json_is_told() {
        for bad in [
            "",
            "{",
            "{}x",
            r#"{"a":1,}"#,
            r#"{"a":"\ud800"}"#,
            "{\"a\":01}",
            "{a:1}",
        ] {
            assert!(repeated(bad).is_err(), "{bad}");
        }
    }
}
