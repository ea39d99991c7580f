//! Match engines: who finds donors for a patient.

use async_trait::async_trait;
use caretrack_domain::Search;

/// What an engine makes of a search it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matching {
    /// There is no engine: nothing is found.
    Nothing,
    /// The engine is told by an event, and delivers when it is done.
    Awaited,
}

#[async_trait]
pub trait MatchEngine: Send + Sync {
    async fn run(&self, search: &Search) -> Matching;
}

/// `match.engine = "none"`.
pub struct NoMatchEngine;

#[async_trait]
impl MatchEngine for NoMatchEngine {
    async fn run(&self, _search: &Search) -> Matching {
        Matching::Nothing
    }
}

/// `match.engine = "external"`.
pub struct ExternalMatchEngine;

#[async_trait]
impl MatchEngine for ExternalMatchEngine {
    async fn run(&self, _search: &Search) -> Matching {
        Matching::Awaited
    }
}
