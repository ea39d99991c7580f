//! Definitions: put, found, and what a write is judged by.
//!
//! They are remembered for a while. That is safe for what is committed, because the commit asks whether they are still
//! in force; what is refused is refused by those that were read for it.

use crate::error::until_settled;
use crate::idempotency::Conclusion;
use crate::recent::Recent;
use crate::sources::{no_source, no_type};
use crate::{Application, Asker, Caller, ResourceOrder, UseCaseError};
use caretrack_domain::{
    AuditOutcome, Contained, Definition, Instant, Key, Problems, Profile, ProfileType, Properties, Refusal,
    RefusalKind, RelationshipDefinition, Resource, Rule, Scope, Shape, ShapeKind, Source, StoredResource,
    TypeKey, TypesInForce, WorkspaceId,
};
use caretrack_ports::{Admission, Changes, Reliance, StoreError};
use indexmap::IndexMap;
use serde_json::value::RawValue;
use std::sync::Arc;
use time::Duration;

/// What is to be put under a key.
#[derive(Debug, Clone)]
pub enum DefinitionOrder {
    Profile(ProfileType, Profile),
    Relationship(RelationshipDefinition),
    /// A collection of resources is its profile.
    Resources(Profile),
    /// A collection of relationships; its ends stay what they are.
    Relationships {
        properties: Properties,
        description: Option<String>,
    },
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct PutDefinition {
    pub created: bool,
    pub definition: Definition,
}

/// Whether what was read a while ago will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    MayBeRecent,
    Now,
}

/// What a write is judged by, and what it must bring along in its own commit.
pub(crate) struct Basis {
    pub types: TypesInForce,
    source: Option<Source>,
    definition: Option<Definition>,
    freshness: Freshness,
}

/// What is known of a type: its definition, or that it has none.
pub(crate) type Known = Option<Arc<Definition>>;

pub(crate) fn recent() -> Recent<TypeKey, Known> {
    // They may be large.
    Recent::living(Duration::MINUTE).at_most(1000)
}

impl Basis {
    /// Makes what is missing, and ties the commit to what it was judged by.
    pub fn add_to(self, changes: &mut Changes, order: &ResourceOrder) {
        if order.creates() {
            for (key, version) in self.types.relied_on() {
                let on = TypeKey {
                    workspace: self.types.workspace(),
                    source: order.key.source.clone(),
                    key: key.clone(),
                };
                changes.rely_on(Reliance { on, version });
            }
        }
        if let Some(source) = self.source {
            changes.ensure_source(source);
        }
        if let Some(definition) = self.definition {
            changes.ensure_definition(definition);
        }
    }
}

impl DefinitionOrder {
    fn audit_action(&self) -> &'static str {
        match self {
            Self::Profile(..) => "profile.put",
            Self::Relationship(_) => "relationship_definition.put",
            Self::Resources(_) | Self::Relationships { .. } => "collection.put",
        }
    }

    /// Over what is there.
    fn shape(self, seen: Option<&Definition>) -> Result<Shape, Refusal> {
        let is_contained = seen.is_some_and(|seen| seen.shape.kind() == ShapeKind::Contained);
        match self {
            Self::Resources(_) | Self::Relationships { .. } if is_contained => Err(Refusal::new(
                RefusalKind::AlreadyExists,
                "The key is that of a contained profile, which is no collection.",
            )),
            Self::Profile(ProfileType::Contained, profile) => Ok(Shape::Contained(profile)),
            Self::Relationship(definition) => Ok(Shape::Relationship(Some(definition))),
            Self::Profile(ProfileType::Root, profile) | Self::Resources(profile) => {
                Ok(Shape::Root(Some(profile)))
            }
            Self::Relationships {
                properties,
                description,
            } => {
                let seen = seen.and_then(|seen| seen.shape.relationship());
                let ends = seen.map(|seen| (seen.from.clone(), seen.to.clone()));
                let definition = RelationshipDefinition::between(ends, properties, description);
                Ok(Shape::Relationship(Some(definition)))
            }
        }
    }
}

impl Application {
    pub async fn put_definition<Q: Asker<PutDefinition>>(
        &self,
        asker: &Q,
        source: Key,
        key: Key,
        order: DefinitionOrder,
    ) -> Result<Q::Answer, UseCaseError> {
        asker.caller().require(Scope::RegistryAdmin)?;
        let (action, target) = (order.audit_action(), format!("{source}/{key}"));
        let of = TypeKey {
            workspace: asker.caller().who.workspace,
            source,
            key,
        };
        let attempt = || self.try_put_definition(asker, &of, order.clone(), &target);
        let outcome = self.once(asker, until_settled(attempt)).await;
        self.definitions.forget();
        self.audited(asker, action, &target, outcome).await
    }

    async fn try_put_definition<Q: Asker<PutDefinition>>(
        &self,
        asker: &Q,
        of: &TypeKey,
        order: DefinitionOrder,
        target: &str,
    ) -> Result<Q::Answer, UseCaseError> {
        let now = self.now();
        let mut changes = Changes::by(asker.caller().author(now), Admission::New);
        changes.audit(order.audit_action(), target, AuditOutcome::Done);
        let seen = self.stored_definition(of).await?;
        if seen.is_none()
            && let Some(source) = self.missing_source(of, now).await??
        {
            changes.ensure_source(source);
        }
        let shape = order.shape(seen.as_deref())?;
        self.check_contained_types(of, &shape, &mut changes).await?;
        let definition = match &seen {
            Some(seen) => seen.replaced_by(shape)?,
            None => Definition {
                version: 1,
                shape,
                ..Definition::open_root(of.workspace, of.source.clone(), of.key.clone(), now)
            },
        };
        changes.put_definition(seen.as_ref().map(|seen| seen.version), definition.clone());
        let created = seen.is_none();
        let put = PutDefinition { created, definition };
        self.conclude(asker, changes, Conclusion::of(put)).await
    }

    /// What is listed as contained may be defined later, but must not be something else by now.
    async fn check_contained_types(
        &self,
        of: &TypeKey,
        shape: &Shape,
        changes: &mut Changes,
    ) -> Result<(), UseCaseError> {
        let (Shape::Root(Some(profile)) | Shape::Contained(profile)) = shape else {
            return Ok(());
        };
        let mut problems = Problems::default();
        for (path, key) in profile.contained_types() {
            let listed = TypeKey {
                key: key.clone(),
                ..of.clone()
            };
            let kind = if listed == *of {
                Some(shape.kind())
            } else {
                let found = self.stored_definition(&listed).await?;
                let version = found.as_ref().map_or(0, |found| found.version);
                changes.rely_on(Reliance { on: listed, version });
                found.map(|found| found.shape.kind())
            };
            if kind.is_some_and(|kind| kind != ShapeKind::Contained) {
                problems.add(path, Rule::Reference, "must be the key of a contained profile");
            }
        }
        let checked = problems.into_result();
        Ok(checked.map_err(|refusal| refusal.with_kind(RefusalKind::FailedPrecondition))?)
    }

    /// Of whatever kind it is.
    pub async fn find_definition(
        &self,
        caller: &Caller,
        source: &Key,
        key: &Key,
    ) -> Result<Definition, UseCaseError> {
        caller.require(Scope::RegistryRead)?;
        let workspace = caller.who.workspace;
        match self.store.find_definition(workspace, source, key).await? {
            Some(found) => Ok(found),
            None => Err(self.no_type_there(workspace, source, key).await?.into()),
        }
    }

    /// What the profile in force says of a body that is refused for its shape already.
    pub async fn check_refused(
        &self,
        caller: &Caller,
        of: (Key, Key),
        data: Option<&RawValue>,
        contained: &IndexMap<String, Vec<Contained>>,
        problems: &mut Problems,
    ) -> Result<(), UseCaseError> {
        let (source, key) = of;
        let of = TypeKey {
            workspace: caller.who.workspace,
            source,
            key,
        };
        if let Some(definition) = self.stored_definition(&of).await? {
            let types = TypesInForce::new(&of, Some(definition), true);
            let types = self.with_contained(types, &of, contained, Freshness::Now).await?;
            types.check_refused(data, contained, problems);
        }
        Ok(())
    }

    /// What `order` is judged by, or that there is no such type and it may not make one.
    pub(crate) async fn basis_of(
        &self,
        workspace: WorkspaceId,
        order: &ResourceOrder,
        now: Instant,
        freshness: Freshness,
    ) -> Result<Result<Basis, Refusal>, StoreError> {
        let of = order.type_key(workspace);
        let (root, freshness) = match self.recent_definition(&of, freshness).flatten() {
            Some(root) => (Some(root), Freshness::MayBeRecent),
            None => (self.stored_definition(&of).await?, Freshness::Now),
        };
        let mut basis = Basis {
            types: TypesInForce::new(&of, root, true),
            source: None,
            definition: None,
            freshness,
        };
        if basis.types.root().is_none() {
            if !order.creates() || !self.has_open_profiles(workspace).await? {
                return Ok(Err(self.no_type_there(workspace, &of.source, &of.key).await?));
            }
            basis.source = match self.missing_source(&of, now).await? {
                Ok(source) => source,
                Err(refusal) => return Ok(Err(refusal)),
            };
            basis.definition = Some(Definition::open_root(workspace, of.source, of.key, now));
            return Ok(Ok(basis));
        }
        if let Some(draft) = order.draft().filter(|draft| !draft.contained.is_empty()) {
            let open = self.has_open_profiles(workspace).await?;
            let types = TypesInForce::new(&of, basis.types.root().cloned(), open);
            basis.types = self
                .with_contained(types, &of, &draft.contained, freshness)
                .await?;
        }
        Ok(Ok(basis))
    }

    /// Tells what is known of the contained types that are needed.
    async fn with_contained(
        &self,
        mut types: TypesInForce,
        root: &TypeKey,
        contained: &IndexMap<String, Vec<Contained>>,
        freshness: Freshness,
    ) -> Result<TypesInForce, StoreError> {
        loop {
            let wanted = types.wanted(contained);
            if wanted.is_empty() {
                return Ok(types);
            }
            for key in wanted {
                let of = TypeKey { key, ..root.clone() };
                let found = match self.recent_definition(&of, freshness) {
                    Some(recent) => recent,
                    None => self.stored_definition(&of).await?,
                };
                types.tell(of.key, found);
            }
        }
    }

    /// Decides by `basis`; a refusal by what was only remembered is no refusal yet.
    pub(crate) async fn decide(
        &self,
        workspace: WorkspaceId,
        order: &ResourceOrder,
        stored: Option<&StoredResource>,
        basis: Basis,
        now: Instant,
    ) -> Result<Result<(Basis, Option<Resource>), Refusal>, StoreError> {
        let refusal = match order.decide(workspace, stored, &basis.types, now) {
            Ok(after) => return Ok(Ok((basis, after))),
            Err(refusal) => refusal,
        };
        let by_definition = matches!(refusal.kind, RefusalKind::Invalid | RefusalKind::NotFound);
        if !by_definition || !order.creates() || basis.freshness == Freshness::Now {
            return Ok(Err(refusal));
        }
        let basis = match self.basis_of(workspace, order, now, Freshness::Now).await? {
            Ok(basis) => basis,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let decided = order.decide(workspace, stored, &basis.types, now);
        Ok(decided.map(|after| (basis, after)))
    }

    /// Remembered, if that will do: whether there is one, too.
    fn recent_definition(&self, of: &TypeKey, freshness: Freshness) -> Option<Known> {
        match freshness {
            Freshness::MayBeRecent => self.definitions.find(of, self.system_now()),
            Freshness::Now => None,
        }
    }

    async fn stored_definition(&self, of: &TypeKey) -> Result<Option<Arc<Definition>>, StoreError> {
        let epoch = self.definitions.epoch();
        let found = self
            .store
            .find_definition(of.workspace, &of.source, &of.key)
            .await?
            .map(Arc::new);
        self.definitions
            .keep(epoch, of.clone(), found.clone(), self.system_now());
        Ok(found)
    }

    /// The source, if it is missing and may be made.
    async fn missing_source(
        &self,
        of: &TypeKey,
        now: Instant,
    ) -> Result<Result<Option<Source>, Refusal>, StoreError> {
        let (workspace, key) = (of.workspace, &of.source);
        if self.store.find_source(workspace, key).await?.is_some() {
            return Ok(Ok(None));
        }
        if !self.has_open_profiles(workspace).await? {
            return Ok(Err(no_source(key)));
        }
        Ok(Ok(Some(Source {
            workspace,
            key: key.clone(),
            created_at: now,
        })))
    }

    /// Says which of the two is not there.
    pub(crate) async fn no_type_there(
        &self,
        workspace: WorkspaceId,
        source: &Key,
        of: &Key,
    ) -> Result<Refusal, StoreError> {
        let found = self.store.find_source(workspace, source).await?;
        Ok(match found {
            None => no_source(source),
            Some(_) => no_type(source, of),
        })
    }
}
