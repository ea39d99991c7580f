//! Patterns of ECMAScript, with bounds on what they may cost.

use std::fmt;

/// A pattern that was found good.
#[derive(Clone)]
pub(crate) struct Pattern {
    text: String,
    engine: Engine,
}

#[derive(Clone)]
enum Engine {
    /// Takes time in proportion to the text, whatever the pattern.
    Linear(regex::Regex),
    /// For back references and looking around: takes as many steps as we let it.
    Backtracking(Box<fancy_regex::Regex>),
}

impl Pattern {
    /// How large a compiled pattern may be.
    const LARGEST: usize = 1 << 20;
    const MOST_STEPS: usize = 50_000;
    /// A step may look through all of the text, so that has its bound too.
    const LONGEST_WALK: usize = 1 << 15;

    /// What is wrong with it, if it is none.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if !jsonschema_regex::is_valid_ecma_regex(text) {
            return Err("is not a regular expression of ECMAScript");
        }
        let full = without_empty_classes(text);
        // What cannot be translated (references to names) is the same in the engine that walks back.
        let own = jsonschema_regex::to_rust_regex(&full).unwrap_or((&*full).into());
        let own = ascii_classes(&own);
        let linear = regex::RegexBuilder::new(&own).size_limit(Self::LARGEST).build();
        let engine = match linear {
            Ok(regex) => Engine::Linear(regex),
            Err(regex::Error::CompiledTooBig(_)) => return Err("is too large"),
            Err(_) => {
                let backtracking = fancy_regex::RegexBuilder::new(&own)
                    .backtrack_limit(Self::MOST_STEPS)
                    .delegate_size_limit(Self::LARGEST)
                    .build();
                Engine::Backtracking(Box::new(
                    backtracking.map_err(|_| "has something that is not supported here, or is too large")?,
                ))
            }
        };
        Ok(Self {
            text: text.to_owned(),
            engine,
        })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Anywhere in the text; whatever exhausts the limit does not match.
    pub fn matches(&self, text: &str) -> bool {
        match &self.engine {
            Engine::Linear(regex) => regex.is_match(text),
            Engine::Backtracking(regex) => {
                text.len() <= Self::LONGEST_WALK && regex.is_match(text).unwrap_or(false)
            }
        }
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

/// `[^]` is any character, and `[]` is none: only ECMAScript has these.
fn without_empty_classes(pattern: &str) -> String {
    let mut own = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut inside = false;
    while let Some(c) = rest.chars().next() {
        let (part, length) = match c {
            '\\' => (None, 1 + rest.chars().nth(1).map_or(0, char::len_utf8)),
            '[' if !inside && rest.starts_with("[^]") => (Some("[\\s\\S]"), 3),
            '[' if !inside && rest.starts_with("[]") => (Some("[^\\s\\S]"), 2),
            _ => {
                inside = c == '[' || (inside && c != ']');
                (None, c.len_utf8())
            }
        };
        own.push_str(part.unwrap_or(&rest[..length]));
        rest = &rest[length..];
    }
    own
}

/// ECMAScript's digits and word characters are ASCII. What is translated whole says so already; what looks around is
/// left as it is, up to here.
fn ascii_classes(pattern: &str) -> String {
    let mut own = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            own.push(c);
            continue;
        }
        match chars.next() {
            Some('d') => own.push_str("[0-9]"),
            Some('D') => own.push_str("[^0-9]"),
            Some('w') => own.push_str("[0-9A-Za-z_]"),
            Some('W') => own.push_str("[^0-9A-Za-z_]"),
            Some(other) => own.extend(['\\', other]),
            None => own.push('\\'),
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap_or_else(|problem| panic!("{text} {problem}"))
    }

    #[test]
    fn patterns_mean_what_they_mean_in_ecmascript() {
        for (text, good, bad) in [
            ("^[0-9]{6}$", "100001", "1000012"),
            // Not anchored.
            ("b", "abc", "ac"),
            // Digits and words are ASCII, here and where it looks around.
            ("^\\d+$", "12", "١٢"),
            ("^(?=\\d)\\w+$", "1a", "١a"),
            ("^(?![\\d-])\\w", "a1", "-a"),
            ("^[\\w-]+$", "a-b", "a b"),
            ("^(a)\\1$", "aa", "ab"),
            ("(?<year>[0-9]{4})-\\k<year>", "2026-2026", "2026-2025"),
            ("(?<=#)x", "#x", "x"),
            ("^\\u0041$", "A", "B"),
            ("^[^]$", "\n", "ab"),
            ("^([]|a[[\\]]\\[\\])$", "a[[]", "a"),
            // The end of the text, not the end before a last new line.
            ("^a$", "a", "a\n"),
            ("^\\p{Lu}", "Ä", "ä"),
            ("a\\/b", "a/b", "ab"),
        ] {
            assert!(pattern(text).matches(good), "{text} {good:?}");
            assert!(!pattern(text).matches(bad), "{text} {bad:?}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in [
            "(",
            "[",
            "a{2,1}",
            "*",
            "(?<n>a)(?<n>b)",
            "\\",
            "[b-a]",
            "(?i)a",
            "\\k<none>",
            "a**",
        ] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
        assert!(
            Pattern::parse("(?:(?:(?:a{1000}){1000}){1000}){1000}").is_err(),
            "it would be too large"
        );
    }

    #[test]
    fn a_value_that_exhausts_the_limit_fails_soon() {
        let began = std::time::Instant::now();
        let hostile = format!("{}!", "a".repeat(20_000));
        assert!(!pattern("^(?=a)(a+)+$").matches(&hostile));
        assert!(!pattern("^(a+)+$").matches(&hostile));
        assert!(
            !pattern("(?=a*b)c").matches(&"a".repeat(1 << 20)),
            "too long to walk through"
        );
        assert!(
            began.elapsed().as_secs() < 20,
            "in a test build; a fraction of it in earnest"
        );
    }
}
