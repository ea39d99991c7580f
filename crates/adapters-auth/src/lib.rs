//! Signed tokens and slow hashes: the adapters that judge secrets which are not looked up.
//!
//! What it promises: a token's algorithm is that of the key it is judged by, never the one it names; nothing of a
//! refused token is told or logged; a slow hash never runs on a thread that others wait for. To add an algorithm,
//! add it to [`keys`](self) where a key's algorithm is told.

mod argon2;
mod jwks;
mod jwt;
mod keys;
#[cfg(test)]
mod tests;

pub use crate::argon2::Argon2Hasher;
pub use jwks::{KeySet, KeySource, Refresh};
pub use jwt::{JwtVerifier, MINIMUM_SECRET};
