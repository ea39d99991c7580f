//! Definitions: what a client says that the records of a type are. A type without one is open, and takes anything.
//!
//! A definition is read once, when it is put or loaded, with every problem named; then it judges records. What was sent
//! stays beside what it means, so that it is shown, and stored, as it was sent. To add a type of property, add it to
//! `formats.rs` (a string) or to the table in `complex.rs`.

mod collection;
mod complex;
mod formats;
mod in_force;
pub(crate) mod members;
mod pattern;
mod profile;
mod property;
mod relationship;
mod rules;
mod values;

pub use collection::CollectionType;
pub use in_force::TypesInForce;
pub use profile::{Cardinality, Profile, ProfileType};
pub use property::Properties;
pub use relationship::{End, RelationshipDefinition};

use crate::{Instant, Key, Problems, Refusal, RefusalKind, WorkspaceId};
use serde_json::{Map, Value};

/// What is known of a type of a source. Its key is a name that no other kind of type has there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    pub workspace: WorkspaceId,
    pub source: Key,
    pub key: Key,
    /// How often it was put; nought is an open one that a write made.
    pub version: i64,
    pub created_at: Instant,
    pub shape: Shape,
}

/// Where a definition is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeKey {
    pub workspace: WorkspaceId,
    pub source: Key,
    pub key: Key,
}

/// What kind of type it is, and what its records look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// A collection of resources; without a profile, open.
    Root(Option<Profile>),
    /// Of resources that are only inside others.
    Contained(Profile),
    /// A collection of relationships; without more, open.
    Relationship(Option<RelationshipDefinition>),
}

/// The kinds alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum ShapeKind {
    Root,
    Contained,
    Relationship,
}

/// Why the body of a definition is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTaken {
    Refused(Refusal),
    /// It asks for what is left out here on purpose.
    Unsupported,
}

impl Definition {
    /// Of a type that a write names first.
    pub fn open_root(workspace: WorkspaceId, source: Key, key: Key, created_at: Instant) -> Self {
        Self {
            workspace,
            source,
            key,
            version: 0,
            created_at,
            shape: Shape::Root(None),
        }
    }

    /// The one that is there after `shape` was put in the place of `self`: only ever of the same kind.
    pub fn replaced_by(&self, shape: Shape) -> Result<Self, Refusal> {
        let (is, wanted) = (self.shape.kind(), shape.kind());
        if is == wanted {
            return Ok(Self {
                version: self.version + 1,
                shape,
                ..self.clone()
            });
        }
        let key = &self.key;
        Err(
            if is == ShapeKind::Relationship || wanted == ShapeKind::Relationship {
                let what = is.in_words();
                Refusal::new(
                    RefusalKind::AlreadyExists,
                    format!("The key {key} is that of a {what}."),
                )
            } else {
                let message = format!("The type of the profile {key} cannot be changed.");
                Refusal::new(RefusalKind::FailedPrecondition, message)
            },
        )
    }

    pub fn type_key(&self) -> TypeKey {
        TypeKey {
            workspace: self.workspace,
            source: self.source.clone(),
            key: self.key.clone(),
        }
    }

    /// Whether what it says was never put by anybody.
    pub fn is_open(&self) -> bool {
        matches!(self.shape, Shape::Root(None) | Shape::Relationship(None))
    }
}

impl Shape {
    pub fn kind(&self) -> ShapeKind {
        match self {
            Self::Root(_) => ShapeKind::Root,
            Self::Contained(_) => ShapeKind::Contained,
            Self::Relationship(_) => ShapeKind::Relationship,
        }
    }

    /// What is said of relationships, if it says anything.
    pub fn relationship(&self) -> Option<&RelationshipDefinition> {
        match self {
            Self::Relationship(definition) => definition.as_ref(),
            Self::Root(_) | Self::Contained(_) => None,
        }
    }

    /// Its members, as they were sent; nothing of an open one.
    pub fn members(&self) -> Option<Map<String, Value>> {
        match self {
            Self::Root(profile) => profile.as_ref().map(Profile::members),
            Self::Contained(profile) => Some(profile.members()),
            Self::Relationship(definition) => definition.as_ref().map(RelationshipDefinition::members),
        }
    }

    /// From what is stored: the kind, and [`Self::members`].
    pub fn restore(kind: ShapeKind, members: Option<&Map<String, Value>>) -> Option<Self> {
        let profile = |members| Profile::read(members, "$").ok();
        match (kind, members) {
            (ShapeKind::Root, None) => Some(Self::Root(None)),
            (ShapeKind::Root, Some(members)) => profile(members).map(|profile| Self::Root(Some(profile))),
            (ShapeKind::Contained, Some(members)) => profile(members).map(Self::Contained),
            (ShapeKind::Contained, None) => None,
            (ShapeKind::Relationship, None) => Some(Self::Relationship(None)),
            (ShapeKind::Relationship, Some(members)) => {
                let read = RelationshipDefinition::read(members).ok()?;
                Some(Self::Relationship(Some(read)))
            }
        }
    }
}

impl ShapeKind {
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Root => "collection of resources",
            Self::Contained => "contained profile",
            Self::Relationship => "relationship definition",
        }
    }
}

impl From<Problems> for NotTaken {
    fn from(problems: Problems) -> Self {
        Self::Refused(problems.into())
    }
}

#[cfg(test)]
mod tests;
