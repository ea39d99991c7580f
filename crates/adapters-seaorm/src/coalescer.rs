//! Look-ups of single records that arrive together share one query.
//!
//! Under load, this is what makes a read cheap: one statement, one answer from the engine, for everyone who
//! asked while the last one was under way. Each query starts after those who share it asked, so everyone sees
//! what was committed before.

use crate::engine::{self, Engine};
use crate::error::unavailable;
use caretrack_ports::StoreError;
use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex, mpsc, oneshot};

/// How many may share a query.
const MOST_AT_ONCE: usize = 128;
/// How many queries may be under way.
pub(crate) const LANES: usize = 2;

pub(crate) trait Lookup: 'static {
    type Key: Eq + Hash + Ord + Clone + Send + Sync;
    type Value: Clone + Send + Sync;

    fn load(
        db: &Engine,
        keys: &[Self::Key],
    ) -> impl Future<Output = Result<HashMap<Self::Key, Self::Value>, StoreError>> + Send;
}

type Found<L> = Result<Option<<L as Lookup>::Value>, StoreError>;
type Question<L> = (<L as Lookup>::Key, oneshot::Sender<Found<L>>);

pub(crate) struct Coalescer<L: Lookup> {
    questions: mpsc::Sender<Question<L>>,
}

impl<L: Lookup> Coalescer<L> {
    /// One query at a time for each connection. At most `most_waiting` may wait for their turn; more are turned
    /// away.
    pub fn start(connections: Vec<Engine>, most_waiting: usize) -> std::io::Result<Self> {
        let (questions, asked) = mpsc::channel(most_waiting);
        let asked = Arc::new(Mutex::new(asked));
        for db in connections {
            engine::spawn("look-up", db.blocks(), serve::<L>(db, asked.clone()))?;
        }
        Ok(Self { questions })
    }

    pub async fn find(&self, key: L::Key) -> Found<L> {
        let (reply, answer) = oneshot::channel();
        let gone = || unavailable("the reader has stopped");
        self.questions
            .try_send((key, reply))
            .map_err(|error| match error {
                TrySendError::Full(_) => unavailable("too much is waiting to be looked up"),
                TrySendError::Closed(_) => gone(),
            })?;
        answer.await.map_err(|_| gone())?
    }
}

async fn serve<L: Lookup>(db: Engine, asked: Arc<Mutex<mpsc::Receiver<Question<L>>>>) {
    let mut questions = Vec::with_capacity(MOST_AT_ONCE);
    loop {
        if asked.lock().await.recv_many(&mut questions, MOST_AT_ONCE).await == 0 {
            return;
        }
        let mut keys: Vec<L::Key> = questions.iter().map(|(key, _)| key.clone()).collect();
        keys.sort_unstable();
        keys.dedup();
        let found = L::load(&db, &keys).await;
        for (key, reply) in questions.drain(..) {
            let answer = match &found {
                Ok(values) => Ok(values.get(&key).cloned()),
                Err(StoreError::Corrupt(_)) => L::load(&db, std::slice::from_ref(&key))
                    .await
                    .map(|mut one| one.remove(&key)),
                Err(error) => Err(StoreError::Unavailable(error.to_string().into())),
            };
            // Whoever asked may have gone.
            drop(reply.send(answer));
        }
    }
}
