//! Where a value is within a document: cheap to carry along, put into words only when there is something to say.

use std::fmt;

/// A normal JSONPath (RFC 9535), innermost step first.
#[derive(Debug, Clone, Copy)]
pub enum JsonPath<'a> {
    /// Where the document itself is, as it is to be written.
    Root(&'a str),
    Member(&'a JsonPath<'a>, &'a str),
    Item(&'a JsonPath<'a>, usize),
}

/// One step down from the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    Member(&'a str),
    Item(usize),
}

impl<'a> JsonPath<'a> {
    pub fn member(&'a self, name: &'a str) -> Self {
        Self::Member(self, name)
    }

    pub fn item(&'a self, n: usize) -> Self {
        Self::Item(self, n)
    }

    /// From the root on.
    pub(crate) fn steps(&self) -> Vec<Step<'a>> {
        let mut steps = Vec::new();
        let mut at = *self;
        loop {
            at = match at {
                Self::Root(_) => break,
                Self::Member(parent, name) => {
                    steps.push(Step::Member(name));
                    *parent
                }
                Self::Item(parent, n) => {
                    steps.push(Step::Item(n));
                    *parent
                }
            };
        }
        steps.reverse();
        steps
    }
}

impl fmt::Display for JsonPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(path) => f.write_str(path),
            Self::Member(parent, name) => {
                parent.fmt(f)?;
                if is_shorthand(name) {
                    return write!(f, ".{name}");
                }
                f.write_str("['")?;
                for c in name.chars() {
                    match c {
                        '\'' | '\\' => write!(f, "\\{c}")?,
                        c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                        c => write!(f, "{c}")?,
                    }
                }
                f.write_str("']")
            }
            Self::Item(parent, n) => write!(f, "{parent}[{n}]"),
        }
    }
}

impl From<JsonPath<'_>> for String {
    fn from(path: JsonPath<'_>) -> Self {
        path.to_string()
    }
}

/// Whether a name may stand after a dot.
fn is_shorthand(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
    name.starts_with(first)
        && name.chars().all(|c| first(c) || c.is_ascii_digit())
        && !name.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_no_words_stand_in_brackets() {
        let root = JsonPath::Root("$.data");
        let name = root.member("name");
        let first = name.item(0);
        assert_eq!(first.member("given").to_string(), "$.data.name[0].given");
        for (member, shown) in [
            ("birth-date", "$.data['birth-date']"),
            ("", "$.data['']"),
            ("1st", "$.data['1st']"),
            ("o'clock\n", "$.data['o\\'clock\\u000a']"),
            ("größe", "$.data.größe"),
        ] {
            assert_eq!(root.member(member).to_string(), shown);
        }
    }

    #[test]
    fn steps_lead_from_the_root_down() {
        let root = JsonPath::Root("$");
        let visits = root.member("visits");
        let second = visits.item(1);
        let kind = second.member("kind");
        assert_eq!(
            kind.steps(),
            [Step::Member("visits"), Step::Item(1), Step::Member("kind")]
        );
    }
}
