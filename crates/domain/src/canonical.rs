//! Sameness of JSON documents: member order and white space do not count, everything else does.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// SHA-256 of a submission's canonical form; equal submissions meet in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// `context` is what must be equal beside the body: kind, path, client, user.
    pub fn of(context: &[&str], body: &Value) -> Self {
        let mut hash = Sha256::new();
        for part in context {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let mut body = body.clone();
        body.sort_all_objects();
        hash.update(body.to_string().as_bytes());
        Self(hash.finalize().into())
    }

    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn order_of_members_does_not_count() {
        let a: Value = serde_json::from_str(r#"{"a": 1, "b": {"d": [1, 2], "c": null}}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{"b":{"c":null,"d":[1,2]},"a":1}"#).unwrap();
        assert_eq!(Fingerprint::of(&["k"], &a), Fingerprint::of(&["k"], &b));
    }

    #[test]
    fn everything_else_counts() {
        let base = Fingerprint::of(&["kind", "client"], &json!({"a": [1, 2]}));
        assert_ne!(base, Fingerprint::of(&["kind", "client"], &json!({"a": [2, 1]})));
        assert_ne!(base, Fingerprint::of(&["kind", "other"], &json!({"a": [1, 2]})));
        assert_ne!(base, Fingerprint::of(&["kindc", "lient"], &json!({"a": [1, 2]})));
    }
}
