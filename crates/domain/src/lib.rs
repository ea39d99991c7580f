//! The rules of Caretrack, and nothing else: state machines, keys, conditions, problems.
//!
//! Pure by construction: no async, no I/O, no clock, no ids made here, no logging. Time, ids and random
//! numbers come in as arguments, decisions go out as values. To add a machine, write `name.rs` with its
//! enum and `apply`, and `name_transitions.txt` beside it; the table is both the picture in the docs and the
//! test that applies every command in every state.

mod audit;
mod canonical;
mod change_reason;
mod clock;
mod condition;
mod credential;
mod decimal;
mod definition;
mod eta;
mod event;
mod idempotency;
mod ids;
mod json_path;
mod patient;
mod patient_refusal;
mod position;
mod precondition;
mod principal;
mod refusal;
mod registration;
mod resource;
mod search;
mod search_results;
mod search_status;
mod task;
mod trace;
mod webhook;
mod workspace;

pub use audit::{AuditEntry, AuditOutcome, AuditSeal, Sealing};
pub use canonical::Fingerprint;
pub use change_reason::{ChangeReason, InvalidReason};
pub use clock::{Advance, InvalidAdvance};
pub use credential::{Credential, CredentialKind, PasswordHash, SecretHash, StoredSecret};
pub use definition::{
    Cardinality, CollectionType, Definition, End, NotTaken, Profile, ProfileType, Properties,
    RelationshipDefinition, Shape, ShapeKind, TypeKey, TypesInForce,
};
pub use eta::QueueLoad;
pub use event::{Event, EventFilter};
pub use idempotency::{
    IdempotencyKey, KeptAnswer, KeptOutcome, KeyConflict, RequestDigest, RequestFingerprint,
};
pub use ids::{
    CredentialId, InvalidKey, Key, LeaseToken, OrderingKey, PatientId, RecordId, RequestId, TaskId,
    WebhookId, WorkerId, WorkspaceId,
};
pub use json_path::JsonPath;
pub use patient::{LocalPatientId, Patient, WmdaId};
pub use patient_refusal::PatientRefusal;
pub use position::Positions;
pub use precondition::{Precondition, etag};
pub use principal::{Actor, Login, LoginKind, Principal, Scope, Scopes, Token, TokenSubject};
pub use refusal::{Problem, Problems, Refusal, RefusalKind, Rule};
pub use registration::{
    Abo, CmvStatus, DateOfBirth, Day, DetailsChange, Diagnosis, DiagnosisCode, DiagnosisText, DiseasePhase,
    Due, Edit, Ethnicity, Hla, HlaValue, Idm, Locus, MissingLoci, Mover, PatientDetails, PoolCountryCode,
    Registration, RegistrationChange, Rhesus, Sex, StatusChange, StatusEntry, TransplantCentreId, Typing,
    UserName, Weight, registered_patient_id,
};
pub use resource::{
    Contained, Identifier, IdentifierPeriod, MetaDraft, ROOT_TOKEN, Resource, ResourceDraft, ResourceKey,
    Source, StoredResource, check_refused,
};
pub use search::{
    Counts, NewSearch, RunStatus, Search, SearchEngine, SearchError, SearchId, SearchRequest, SearchType,
};
pub use search_results::{
    Delivered, Delivery, KnownRecord, RecordFlag, ResultChange, ResultKey, ResultList, ResultRecord,
};
pub use search_status::{
    SearchStatus, StatusCommand, StatusEffect, StatusRequest, StatusTransition, TargetStatus,
};
pub use task::{
    Action, Attempt, Failure, Fence, Lease, NewTask, NextStep, Operation, Receipt, ReceiptStatus,
    RefusedTaskCommand, RetryPolicy, Settled, Tally, Target, TargetKind, Task, TaskCommand, TaskCommandKind,
    TaskEffect, TaskFacts, TaskKind, TaskState, TaskStatus, TaskTransition,
};
pub use trace::TraceParent;
pub use webhook::{SigningSecret, Webhook, WebhookUrl, is_public};
pub use workspace::{Workspace, WorkspaceOptions};

/// The instant all of Caretrack reckons with: UTC, cut to microseconds by the clock that made it.
pub type Instant = time::OffsetDateTime;
