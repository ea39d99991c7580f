//! Operations, and the receipts that say what became of them.

use crate::{Instant, Refusal};

/// What an operation does to its target.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum Action {
    Create,
    Upsert,
    Update,
    Delete,
    /// Told to somebody.
    Deliver,
}

#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum TargetKind {
    Resource,
    Relationship,
    Webhook,
    /// A registration for a donor search, by its number.
    Patient,
    /// A search, by its number.
    Search,
}

/// The record an operation is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub kind: TargetKind,
    /// Its type: the key of a profile or of a relationship definition.
    pub of: String,
    pub id: String,
}

/// What became of an operation. Settled once, never changed.
#[derive(Debug, Clone, PartialEq, Eq, strum::EnumDiscriminants)]
#[strum_discriminants(
    name(ReceiptStatus),
    doc = "The states of a receipt, without their data.",
    derive(
        PartialOrd,
        Ord,
        Hash,
        strum::Display,
        strum::EnumString,
        strum::EnumIter,
        strum::IntoStaticStr
    ),
    strum(serialize_all = "snake_case")
)]
pub enum Receipt {
    Pending,
    Succeeded {
        at: Instant,
    },
    /// The caller's fault.
    Refused {
        at: Instant,
        refusal: Refusal,
    },
    /// A system fault that outlived the retries; nothing of it is told.
    Broken {
        at: Instant,
    },
    /// Overtaken, or the task was stopped.
    Cancelled {
        at: Instant,
    },
}

impl Receipt {
    pub fn completed_at(&self) -> Option<Instant> {
        match self {
            Self::Pending => None,
            Self::Succeeded { at }
            | Self::Refused { at, .. }
            | Self::Broken { at }
            | Self::Cancelled { at } => Some(*at),
        }
    }
}

/// One change asked for inside a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    pub seq: u32,
    pub action: Action,
    pub target: Target,
    /// What to do it with, JSON text; gone once the operation is settled.
    pub payload: Option<String>,
    pub receipt: Receipt,
}

impl Operation {
    pub fn pending(seq: u32, action: Action, target: Target, payload: Option<String>) -> Self {
        Self {
            seq,
            action,
            target,
            payload,
            receipt: Receipt::Pending,
        }
    }

    /// The operation with its receipt; one that has one keeps it.
    pub fn settled(self, receipt: Receipt) -> Self {
        match self.receipt {
            Receipt::Pending if receipt == Receipt::Pending => self,
            Receipt::Pending => Self {
                receipt,
                payload: None,
                ..self
            },
            Receipt::Succeeded { .. }
            | Receipt::Refused { .. }
            | Receipt::Broken { .. }
            | Receipt::Cancelled { .. } => self,
        }
    }

    /// As it was before a system fault ended it; none if anything else became of it.
    pub(super) fn again(self) -> Option<Self> {
        match self.receipt {
            Receipt::Broken { .. } => Some(Self {
                receipt: Receipt::Pending,
                ..self
            }),
            Receipt::Pending
            | Receipt::Succeeded { .. }
            | Receipt::Refused { .. }
            | Receipt::Cancelled { .. } => None,
        }
    }
}

/// How many operations were settled in one step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    pub succeeded: u32,
    pub failed: u32,
    pub cancelled: u32,
}

impl Settled {
    pub fn one(receipt: &Receipt) -> Self {
        let mut settled = Self::default();
        match receipt {
            Receipt::Pending => {}
            Receipt::Succeeded { .. } => settled.succeeded = 1,
            Receipt::Refused { .. } | Receipt::Broken { .. } => settled.failed = 1,
            Receipt::Cancelled { .. } => settled.cancelled = 1,
        }
        settled
    }
}

/// How the operations of a task stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    pub total: u32,
    pub succeeded: u32,
    pub failed: u32,
    pub cancelled: u32,
}

impl Tally {
    pub fn pending_of(total: u32) -> Self {
        Self {
            total,
            succeeded: 0,
            failed: 0,
            cancelled: 0,
        }
    }

    pub fn pending(self) -> u32 {
        self.total - self.succeeded - self.failed - self.cancelled
    }

    pub(super) fn with(self, settled: Settled) -> Option<Self> {
        let sum = settled
            .succeeded
            .checked_add(settled.failed)?
            .checked_add(settled.cancelled)?;
        (sum <= self.pending()).then(|| Self {
            succeeded: self.succeeded + settled.succeeded,
            failed: self.failed + settled.failed,
            cancelled: self.cancelled + settled.cancelled,
            ..self
        })
    }

    /// Counts all that is pending as settled with `receipt`, and says how many they were.
    pub(super) fn settle_rest(&mut self, receipt: &Receipt) -> u32 {
        let left = self.pending();
        let one = Settled::one(receipt);
        self.succeeded += one.succeeded * left;
        self.failed += one.failed * left;
        self.cancelled += one.cancelled * left;
        left
    }
}
