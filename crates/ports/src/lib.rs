//! What the use cases need of the world: one way to write, repositories to read, a queue, a clock, ids.
//!
//! Every finder takes the workspace; what is in another one is not found. Absence is `Ok(None)`, never an
//! error. To add a port, write its trait here, its contracts in `port-contracts`, then the adapters.

mod changes;
mod matching;
mod observer;
mod queue;
mod registrations;
mod secrets;
mod sender;
mod store;
mod told;
mod tracer;

pub use changes::{
    Admission, Author, Changes, Committed, DefinitionWrite, IdempotencyRecord, NewCredential, Parts,
    PatientWrite, Pause, Place, Reliance, ResourceWrite, WebhookChange,
};
pub use matching::{ExternalMatchEngine, MatchEngine, Matching, NoMatchEngine};
pub use observer::{Ending, Observed, Observer, Unobserved};
pub use queue::{Claim, Claimed, ClaimedTask, Handed, OPERATIONS_AT_ONCE, TaskQueue};
pub use registrations::{
    PatientRemoval, RegistrationFilter, RegistrationRepository, RegistrationTouch, RegistrationWrite,
    ResultOrder, ResultsQuery, ResultsWrite, SearchRepository, SearchWrite,
};
pub use secrets::{Claims, HashingError, PasswordHasher, TokenError, TokenVerifier};
pub use sender::{Notice, SendFault, WebhookSender};
pub use store::{
    Backlog, ClockRepository, CredentialRepository, IdempotencyRepository, PatientRef, PatientRepository,
    QueueFigures, Remembered, ResourceRepository, Retention, Schema, Store, StoreError, TaskFilter,
    TaskRepository, WorkspaceRepository,
};
pub use told::{
    AuditRepository, AuditTrail, OutboxEntry, OutboxRepository, OutboxSpan, Settled, WebhookRepository,
};
pub use tracer::{Tracer, Untraced};

use caretrack_domain::Instant;

/// What time it is on the system's clock, UTC, cut to microseconds: what every store keeps. The time of the
/// domain may be ahead of it (`Application::now`).
pub trait Clock: Send + Sync {
    fn now(&self) -> Instant;
}

/// Ids, secrets and chance.
pub trait IdGenerator: Send + Sync {
    /// A UUID of version 7.
    fn id(&self) -> uuid::Uuid;

    /// 256 random bits from the system's generator.
    fn secret(&self) -> [u8; 32];

    /// Uniform over all of `u32`.
    fn number(&self) -> u32;

    /// Uniform in `[0, 1)`.
    fn unit(&self) -> f64 {
        f64::from(self.number()) / (f64::from(u32::MAX) + 1.0)
    }
}
