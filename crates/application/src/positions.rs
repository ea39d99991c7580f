//! The key of the positions that are shown: the store's own, so that every server of it reads them.

use crate::Application;
use caretrack_domain::{Positions, RequestId};
use caretrack_ports::{Admission, Author, Changes, StoreError};

const SECRET: &str = "positions";

impl Application {
    pub(crate) async fn positions(&self) -> Result<&Positions, StoreError> {
        self.positions
            .get_or_try_init(|| async {
                if let Some(key) = self.store.find_secret(SECRET).await? {
                    return Ok(Positions::new(key));
                }
                let mut changes = Changes::by(self.ourselves(), Admission::Continuing);
                changes.ensure_secret(SECRET, self.ids.secret());
                self.store.commit(changes).await?;
                // Another server's, perhaps.
                let key = self.store.find_secret(SECRET).await?;
                let gone = || StoreError::Corrupt("a secret that was kept is not there".into());
                Ok(Positions::new(key.ok_or_else(gone)?))
            })
            .await
    }

    /// For what nobody asked for.
    pub(crate) fn ourselves(&self) -> Author {
        Author {
            workspace: None,
            actor: None,
            request_id: RequestId::generated(self.ids.id()),
            at: self.now(),
        }
    }
}
