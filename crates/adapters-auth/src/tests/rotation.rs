//! Keys that come and go, and sources that fail.

use super::issuer::{self, Issuer, claims};
use super::{REFRESH, Stopped, is_refused};
use crate::{JwtVerifier, KeySet, KeySource, Refresh};
use caretrack_ports::{TokenError, TokenVerifier};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::advance;

struct World {
    verifier: JwtVerifier,
    file: PathBuf,
    _folder: TempDir,
}

impl World {
    fn new(refresh: Refresh) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("keys.json");
        let keys = KeySet::new(KeySource::File(file.clone()), refresh).unwrap();
        let verifier = JwtVerifier::new(None, Some(Arc::new(keys)), Arc::new(Stopped), Duration::ZERO);
        Self {
            verifier,
            file,
            _folder: folder,
        }
    }

    fn publish(&self, issuers: &[&Issuer]) {
        std::fs::write(&self.file, issuer::set(issuers)).unwrap();
    }

    async fn knows(&self, issuer: &Issuer) -> bool {
        self.verifier.verify(&issuer.sign(&claims())).await.is_ok()
    }
}

#[tokio::test]
async fn an_unknown_name_makes_the_source_be_looked_at_but_not_too_often() {
    let (old, new) = (Issuer::ec("old"), Issuer::ec("new"));
    let world = World::new(REFRESH);
    world.publish(&[&old]);
    assert!(world.knows(&old).await);
    tokio::time::pause();
    world.publish(&[&old, &new]);
    assert!(!world.knows(&new).await, "looked at again at once");
    advance(REFRESH.min_interval).await;
    assert!(world.knows(&new).await);
    // One that is withdrawn stays until the set is old, and then goes.
    world.publish(&[&new]);
    assert!(world.knows(&old).await);
    advance(REFRESH.max_age).await;
    while world.knows(&old).await {
        tokio::task::yield_now().await;
    }
    assert!(world.knows(&new).await);
}

#[tokio::test]
async fn keys_outlive_a_source_that_fails_but_not_for_ever() {
    let known = Issuer::ec("known");
    let world = World::new(REFRESH);
    let nothing = world.verifier.verify(&known.sign(&claims())).await;
    assert!(
        matches!(nothing, Err(TokenError::Unavailable(_))),
        "there are no keys yet"
    );
    tokio::time::pause();
    // It failed a moment ago and is not asked again: no less unavailable.
    let nothing = world.verifier.verify(&known.sign(&claims())).await;
    assert!(matches!(nothing, Err(TokenError::Unavailable(_))));
    advance(REFRESH.min_interval).await;
    world.publish(&[&known]);
    assert!(world.knows(&known).await);
    for nonsense in [
        "",
        "{}",
        r#"{"keys": []}"#,
        r#"{"keys": [{"kty": "oct", "k": "eA"}]}"#,
    ] {
        std::fs::write(&world.file, nonsense).unwrap();
        advance(REFRESH.max_age).await;
        assert!(world.knows(&known).await, "{nonsense}");
        // A token by an unknown key is bad, not unavailable: what is known was read not long ago.
        assert!(is_refused(&world.verifier, &Issuer::ec("other").sign(&claims())).await);
    }
    std::fs::remove_file(&world.file).unwrap();
    advance(Duration::from_hours(25)).await;
    let gone = world.verifier.verify(&known.sign(&claims())).await;
    assert!(matches!(gone, Err(TokenError::Unavailable(_))));
}
