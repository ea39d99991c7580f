//! Identifiers as types, so that a patient's id cannot be passed where a task's is wanted.

use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id!(
    /// One accepted unit of work.
    TaskId
);
uuid_id!(
    /// The isolation boundary; every record belongs to one.
    WorkspaceId
);
uuid_id!(
    /// A key, client or token issuer that may act in a workspace.
    CredentialId
);
uuid_id!(
    /// One person.
    PatientId
);
uuid_id!(
    /// Where notices of events are sent.
    WebhookId
);
uuid_id!(
    /// A worker's right to a task; whoever does not hold it cannot change the running task.
    LeaseToken
);
uuid_id!(
    /// One start of one worker process: a restarted worker is another worker.
    WorkerId
);

/// What a client (or we) called the request that asked for something: 1 to 128 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(String);

impl RequestId {
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    pub fn generated(id: Uuid) -> Self {
        Self(id.to_string())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Tasks of one workspace that share it run one at a time, in the order of acceptance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderingKey(pub String);

/// Why a text is no key or id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must match {pattern}")]
pub struct InvalidKey {
    pub pattern: &'static str,
}

fn matches(text: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    lengths.contains(&text.len())
        && text.bytes().next().is_some_and(word)
        && text.bytes().skip(1).all(|b| word(b) || b == b'_')
}

/// The key of a source, a type of resource or a type of relationship.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    pub const PATTERN: &'static str = "^[a-zA-Z0-9-][\\w-]{0,61}$";

    /// `bulk` is refused: it is a path segment of its own.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        if matches(text, 1..=62) && text != "bulk" {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidKey {
                pattern: Self::PATTERN,
            })
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of a resource within its type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordId(String);

impl RecordId {
    pub const CREATE_PATTERN: &'static str = "^[a-zA-Z0-9-][\\w-]{1,92}$";
    pub const UPSERT_PATTERN: &'static str = "^[a-zA-Z0-9-][\\w-]{0,92}$";

    pub fn for_create(text: &str) -> Result<Self, InvalidKey> {
        if matches(text, 2..=93) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidKey {
                pattern: Self::CREATE_PATTERN,
            })
        }
    }

    pub fn for_upsert(text: &str) -> Result<Self, InvalidKey> {
        if matches(text, 1..=93) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidKey {
                pattern: Self::UPSERT_PATTERN,
            })
        }
    }

    pub fn made(id: Uuid) -> Self {
        Self(id.to_string())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_their_patterns() {
        for good in ["a", "-", "9_", "Patient", &"k".repeat(62)] {
            assert!(Key::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "_a", "a.b", "bulk", "ä", "a b", &"k".repeat(63)] {
            assert!(Key::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_character_suffices_for_an_upsert_but_not_for_a_create() {
        assert!(RecordId::for_upsert("x").is_ok());
        assert!(RecordId::for_create("x").is_err());
        assert!(RecordId::for_create("bulk").is_ok());
        assert!(RecordId::for_create(&"x".repeat(93)).is_ok());
        assert!(RecordId::for_upsert(&"x".repeat(94)).is_err());
    }

    #[test]
    fn request_ids_are_visible_ascii() {
        assert!(RequestId::parse("abc-1").is_some());
        for bad in ["", "a b", "a\n", "é", &"x".repeat(129)] {
            assert!(RequestId::parse(bad).is_none(), "{bad}");
        }
    }
}
