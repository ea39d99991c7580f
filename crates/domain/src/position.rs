//! Positions in lists that all workspaces share, so that whoever is shown one learns nothing of the others.
//!
//! A number that counts everybody's entries tells how much everybody does. Shown instead is a text that only
//! this store can read: the number and its seal, encrypted with the seal as the nonce (the construction of
//! RFC 5297: the same position is always the same text, and a text that was made up is noticed).

use crate::WorkspaceId;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The key of a store's positions.
#[derive(Clone)]
pub struct Positions([u8; 32]);

impl Positions {
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// `list` is what it is a position in.
    pub fn show(&self, list: &str, workspace: WorkspaceId, number: i64) -> String {
        let seal = self.seal(list, workspace, number);
        let hidden = number.to_be_bytes();
        let hidden: Vec<u8> = hidden.iter().zip(self.mask(seal)).map(|(a, b)| a ^ b).collect();
        hex::encode(seal) + &hex::encode(hidden)
    }

    /// None if it was not shown to this workspace, for this list, by this store.
    pub fn read(&self, list: &str, workspace: WorkspaceId, text: &str) -> Option<i64> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        let (seal, hidden) = bytes.split_first_chunk::<8>()?;
        let mut number = [0; 8];
        for ((to, a), b) in number.iter_mut().zip(hidden).zip(self.mask(*seal)) {
            *to = a ^ b;
        }
        let number = i64::from_be_bytes(number);
        (self.seal(list, workspace, number) == *seal).then_some(number)
    }

    fn seal(&self, list: &str, workspace: WorkspaceId, number: i64) -> [u8; 8] {
        let parts: [&[u8]; 4] = [
            b"seal",
            workspace.0.as_bytes(),
            &number.to_be_bytes(),
            list.as_bytes(),
        ];
        self.keyed(&parts)
    }

    fn mask(&self, seal: [u8; 8]) -> [u8; 8] {
        self.keyed(&[b"mask", &seal])
    }

    fn keyed(&self, parts: &[&[u8]]) -> [u8; 8] {
        // A key of any length will do for HMAC.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        for part in parts {
            mac.update(part);
        }
        let bytes: [u8; 32] = mac.finalize().into_bytes().into();
        let mut short = [0; 8];
        short.copy_from_slice(&bytes[..8]);
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const OURS: WorkspaceId = WorkspaceId(Uuid::from_u128(1));
    const THEIRS: WorkspaceId = WorkspaceId(Uuid::from_u128(2));

    #[test]
    fn a_position_is_read_as_it_was_shown() {
        let positions = Positions::new([7; 32]);
        for number in [0, 1, 2, 65_537, i64::MAX] {
            let text = positions.show("audit", OURS, number);
            assert_eq!(text.len(), 32);
            assert_eq!(text, positions.show("audit", OURS, number));
            assert_eq!(positions.read("audit", OURS, &text), Some(number));
        }
    }

    #[test]
    fn what_was_shown_elsewhere_or_made_up_is_no_position() {
        let positions = Positions::new([7; 32]);
        let text = positions.show("audit", OURS, 42);
        assert_eq!(positions.read("events", OURS, &text), None);
        assert_eq!(positions.read("audit", THEIRS, &text), None);
        assert_eq!(Positions::new([8; 32]).read("audit", OURS, &text), None);
        for n in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[n] = if other[n] == b'0' { b'1' } else { b'0' };
            let other = String::from_utf8(other).unwrap();
            assert_eq!(positions.read("audit", OURS, &other), None, "{other}");
        }
        for text in ["", "42", "zz", &"0".repeat(32), &"0".repeat(34)] {
            assert_eq!(positions.read("audit", OURS, text), None);
        }
    }

    #[test]
    fn neighbours_do_not_look_alike() {
        let positions = Positions::new([7; 32]);
        let shown: Vec<_> = (0..100).map(|n| positions.show("audit", OURS, n)).collect();
        let alike = |a: &str, b: &str| a.bytes().zip(b.bytes()).filter(|(a, b)| a == b).count();
        assert!(shown.windows(2).all(|pair| alike(&pair[0], &pair[1]) < 16));
    }
}
