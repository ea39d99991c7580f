//! Who listens to what is committed: one reader a process, however many listen.
//!
//! The reader reads settled events in order and hands each to the listeners of its workspace. A listener that
//! does not keep up is cut off; it comes again with the id of the last event it has. What lies between that and
//! where the reader is, it reads for itself. The reader runs only while somebody listens.

use crate::perform::patience;
use crate::{Application, Caller, UseCaseError};
use caretrack_domain::{EventFilter, Positions, Scope, WorkspaceId};
use caretrack_ports::{OutboxEntry, OutboxSpan, Store, StoreError};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// What a position in the events of a workspace is shown as.
pub(crate) const EVENTS: &str = "events";

/// What a listener hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    Event {
        id: String,
        entry: OutboxEntry,
    },
    /// Events before this position are missing, and cannot be had any more.
    Reset {
        id: String,
    },
    /// Everything up to this position was told.
    Position {
        id: String,
    },
}

pub struct Feed {
    store: Arc<dyn Store>,
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How far the reader has come; none while nobody listens.
    read: Option<i64>,
    listeners: BTreeMap<u64, Listener>,
    next: u64,
    closed: bool,
}

struct Listener {
    workspace: WorkspaceId,
    events: mpsc::Sender<OutboxEntry>,
}

impl Feed {
    /// How many events a listener may be behind the reader.
    const BUFFER: usize = 1024;
    const PAGE: usize = 500;
    /// Events of other processes are looked for this often.
    const POLL: Duration = Duration::from_millis(250);
    /// Between two looks at a store that is busy.
    const BREATH: Duration = Duration::from_millis(5);

    pub fn new(store: Arc<dyn Store>, most: usize) -> Arc<Self> {
        Arc::new(Self {
            store,
            most,
            state: Mutex::default(),
        })
    }

    /// Ends what everybody hears, for good.
    pub fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.listeners.clear();
    }

    fn join(
        self: &Arc<Self>,
        workspace: WorkspaceId,
        span: OutboxSpan,
    ) -> Result<(Seat, mpsc::Receiver<OutboxEntry>, i64), StoreError> {
        let mut state = self.state();
        if state.closed || state.listeners.len() >= self.most {
            return Err(StoreError::Unavailable("too many listen already".into()));
        }
        let number = state.next;
        state.next += 1;
        let (events, heard) = mpsc::channel(Self::BUFFER);
        state.listeners.insert(number, Listener { workspace, events });
        let from = state.read.unwrap_or(span.settled);
        if state.read.replace(from).is_none() {
            tokio::spawn(Arc::clone(self).run());
        }
        let seat = Seat {
            feed: Arc::clone(self),
            number,
        };
        Ok((seat, heard, from))
    }

    async fn run(self: Arc<Self>) {
        let mut failing = patience();
        while let Some(after) = self.wanted_from() {
            match self.store.read_events(after, Self::PAGE).await {
                Ok(page) => {
                    failing = patience();
                    let quiet = page.entries.is_empty();
                    self.tell(page.entries, page.upto);
                    if quiet {
                        self.store.wait_for_events(Self::POLL).await;
                    }
                    tokio::time::sleep(Self::BREATH).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "events could not be read");
                    tokio::time::sleep(failing.next().unwrap_or(Self::POLL)).await;
                }
            }
        }
    }

    /// From where to read on; none, and the end of the reader, if nobody listens.
    fn wanted_from(&self) -> Option<i64> {
        let mut state = self.state();
        if state.listeners.is_empty() {
            state.read = None;
        }
        state.read
    }

    fn tell(&self, entries: Vec<(WorkspaceId, OutboxEntry)>, upto: i64) {
        let mut state = self.state();
        for (workspace, entry) in entries {
            // Whose buffer is full hears no more.
            state.listeners.retain(|_, listener| {
                listener.workspace != workspace || listener.events.try_send(entry.clone()).is_ok()
            });
        }
        state.read = state.read.map(|read| read.max(upto));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing can panic halfway through a change, so a poisoned lock still guards sound data.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among the listeners, given back when it is dropped.
struct Seat {
    feed: Arc<Feed>,
    number: u64,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.feed.state().listeners.remove(&self.number);
    }
}

/// One who listens.
pub struct Listening {
    seat: Seat,
    positions: Positions,
    workspace: WorkspaceId,
    filter: EventFilter,
    live: mpsc::Receiver<OutboxEntry>,
    /// From here on `live` has everything.
    joined: i64,
    /// What was read of what lies before that.
    behind: VecDeque<OutboxEntry>,
    /// Everything up to here was heard, or is in `behind`.
    after: i64,
    first: Option<Heard>,
}

impl Listening {
    /// How many numbers, everybody's, are looked through in one query.
    const STEP: i64 = 5_000;

    /// What comes next; none once it is cut off. May be dropped while it waits.
    pub async fn next(&mut self) -> Option<Heard> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            let entry = if let Some(entry) = self.behind.pop_front() {
                entry
            } else if self.after < self.joined {
                self.catch_up().await?;
                continue;
            } else {
                let entry = self.live.recv().await?;
                if entry.number <= self.after {
                    continue;
                }
                self.after = entry.number;
                entry
            };
            if self.filter.takes(&entry.event) {
                let id = self.show(entry.number);
                return Some(Heard::Event { id, entry });
            }
        }
    }

    async fn catch_up(&mut self) -> Option<()> {
        let upto = self.joined.min(self.after.saturating_add(Self::STEP));
        let step = usize::try_from(upto - self.after).unwrap_or(usize::MAX);
        let store = &self.seat.feed.store;
        match store.list_events(self.workspace, self.after, upto, step).await {
            Ok(entries) => {
                self.behind = entries.into();
                self.after = upto;
                Some(())
            }
            Err(error) => {
                tracing::warn!(%error, "events could not be read again");
                None
            }
        }
    }

    /// How far everything was heard, if nothing waits to be.
    pub fn position(&self) -> Option<Heard> {
        // First how far the reader is: what it told before is in the buffer by now.
        let read = self.seat.feed.state().read?;
        let nothing_waits = self.behind.is_empty() && self.after >= self.joined && self.live.is_empty();
        nothing_waits.then(|| Heard::Position {
            id: self.show(read.max(self.after)),
        })
    }

    fn show(&self, number: i64) -> String {
        self.positions.show(EVENTS, self.workspace, number)
    }
}

impl Application {
    /// Listens to the caller's workspace: from the position `since`, or from now on.
    pub async fn listen(
        &self,
        caller: &Caller,
        filter: EventFilter,
        since: Option<&str>,
    ) -> Result<Listening, UseCaseError> {
        caller.require(Scope::OpsRead)?;
        let workspace = caller.who.workspace;
        let positions = self.positions().await?.clone();
        // What was settled before is settled: the reader is there or further on.
        let span = self.store.outbox_span().await?;
        let (seat, live, joined) = self.feed.join(workspace, span)?;
        let show = |number| positions.show(EVENTS, workspace, number);
        let since = since.map(|text| {
            let number = positions.read(EVENTS, workspace, text);
            number.filter(|number| is_kept(*number, span))
        });
        let (after, first) = match since {
            None => (joined, Heard::Position { id: show(joined) }),
            Some(Some(number)) => (number, Heard::Position { id: show(number) }),
            Some(None) => (joined, Heard::Reset { id: show(joined) }),
        };
        Ok(Listening {
            seat,
            workspace,
            filter,
            live,
            joined,
            behind: VecDeque::new(),
            after,
            first: Some(first),
            positions,
        })
    }

    /// Ends what everybody hears, for good.
    pub fn stop_telling(&self) {
        self.feed.close();
    }
}

/// Whether everything after that number is still there.
fn is_kept(number: i64, span: OutboxSpan) -> bool {
    number <= span.newest
        && match span.oldest {
            Some(oldest) => number >= oldest - 1,
            None => number >= span.settled,
        }
}
