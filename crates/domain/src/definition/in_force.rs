//! The definitions that judge one resource: its type's, and those of what is inside.

use super::profile::{Containing, Profile};
use super::{Definition, Shape, TypeKey};
use crate::resource::{Contained, replace_token};
use crate::{JsonPath, Key, Problems, Refusal, RefusalKind, Rule, WorkspaceId};
use indexmap::IndexMap;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

type ContainedResources = IndexMap<String, Vec<Contained>>;

/// What a record of one type is judged by.
#[derive(Debug, Clone)]
pub struct TypesInForce {
    workspace: WorkspaceId,
    of: Key,
    root: Option<Arc<Definition>>,
    contained: BTreeMap<Key, Option<Arc<Definition>>>,
    /// Whether a contained type may be without a definition.
    open_profiles: bool,
}

impl TypesInForce {
    /// `root` is the definition of the type `of`; none if the write is to make an open one.
    pub fn new(of: &TypeKey, root: Option<Arc<Definition>>, open_profiles: bool) -> Self {
        Self {
            workspace: of.workspace,
            of: of.key.clone(),
            root,
            contained: BTreeMap::new(),
            open_profiles,
        }
    }

    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    pub fn root(&self) -> Option<&Arc<Definition>> {
        self.root.as_ref()
    }

    /// The contained types that have to be known to judge it, and are not told of yet.
    pub fn wanted(&self, contained: &ContainedResources) -> BTreeSet<Key> {
        let mut wanted = BTreeSet::new();
        if let Some(profile) = self.profile() {
            self.add_wanted(profile, contained, &mut wanted);
        }
        wanted
    }

    fn add_wanted(&self, profile: &Profile, contained: &ContainedResources, wanted: &mut BTreeSet<Key>) {
        for (key, items) in contained {
            for item in items {
                let Some(of) = profile
                    .containing(key)
                    .and_then(|containing| containing.type_of(item))
                else {
                    continue;
                };
                match self.contained.get(of) {
                    None => {
                        wanted.insert(of.clone());
                    }
                    Some(Some(definition)) => {
                        if let Shape::Contained(profile) = &definition.shape {
                            self.add_wanted(profile, &item.contained, wanted);
                        }
                    }
                    Some(None) => {}
                }
            }
        }
    }

    pub fn tell(&mut self, of: Key, definition: Option<Arc<Definition>>) {
        self.contained.insert(of, definition);
    }

    /// What the judgement rests on: types, and how often each was put.
    pub fn relied_on(&self) -> impl Iterator<Item = (&Key, i64)> {
        let version =
            |definition: &Option<Arc<Definition>>| definition.as_ref().map_or(0, |found| found.version);
        let root = (&self.of, version(&self.root));
        let contained = self.contained.iter();
        std::iter::once(root).chain(contained.map(move |(of, definition)| (of, version(definition))))
    }

    /// Whether resources of this type are a collection.
    pub fn check_kind(&self) -> Result<(), Refusal> {
        let Some(root) = &self.root else { return Ok(()) };
        let key = &root.key;
        match root.shape {
            Shape::Root(_) => Ok(()),
            Shape::Contained(_) => {
                let message = format!("Resources of the type {key} are only inside others.");
                Err(Refusal::new(RefusalKind::FailedPrecondition, message))
            }
            Shape::Relationship(_) => {
                let message = format!("The key {key} is that of a relationship definition.");
                Err(Refusal::new(RefusalKind::AlreadyExists, message))
            }
        }
    }

    fn profile(&self) -> Option<&Profile> {
        match &self.root.as_ref()?.shape {
            Shape::Root(profile) => profile.as_ref(),
            Shape::Contained(_) | Shape::Relationship(_) => None,
        }
    }

    /// Puts the record's own id where the token for it stands: in references; in an open type, in any string.
    pub(crate) fn fill_root_token(
        &self,
        data: &mut Box<RawValue>,
        contained: &mut ContainedResources,
        id: &str,
    ) {
        fill(data, id, self.profile());
        self.fill_contained(self.profile(), contained, id);
    }

    fn fill_contained(&self, profile: Option<&Profile>, contained: &mut ContainedResources, id: &str) {
        for (key, items) in contained {
            for item in items {
                let inner = self.inner(profile, key, item);
                fill(&mut item.data, id, inner);
                self.fill_contained(inner, &mut item.contained, id);
            }
        }
    }

    /// The profile that judges a contained resource, if there is one.
    fn inner(&self, profile: Option<&Profile>, key: &str, item: &Contained) -> Option<&Profile> {
        let of = profile?.containing(key)?.type_of(item)?;
        match &self.contained.get(of)?.as_ref()?.shape {
            Shape::Contained(profile) => Some(profile),
            Shape::Root(_) | Shape::Relationship(_) => None,
        }
    }

    /// Names all that is wrong with `data`.
    pub(crate) fn check_data(&self, data: &RawValue, problems: &mut Problems) {
        if let Some(profile) = self.profile() {
            check_data(profile, &self.of, data, "$.data", problems);
        }
    }

    /// Names all that is wrong with what is inside. The answer is a type that ought to be known, and is not.
    pub(crate) fn check_contained(
        &self,
        contained: &ContainedResources,
        problems: &mut Problems,
    ) -> Option<Key> {
        let mut unknown = None;
        if let Some(profile) = self.profile() {
            self.check_inside(profile, contained, "$.contained", problems, &mut unknown);
        }
        unknown
    }

    /// What the profile says of a body that is refused for its shape already.
    pub fn check_refused(
        &self,
        data: Option<&RawValue>,
        contained: &ContainedResources,
        problems: &mut Problems,
    ) {
        if let Some(data) = data {
            self.check_data(data, problems);
        }
        let _unknown = self.check_contained(contained, problems);
    }

    fn check_inside(
        &self,
        profile: &Profile,
        contained: &ContainedResources,
        path: &str,
        problems: &mut Problems,
        unknown: &mut Option<Key>,
    ) {
        let path = JsonPath::Root(path);
        for (key, containing) in profile.contained.iter().flatten() {
            let count = contained.get(key).map_or(0, Vec::len);
            if !containing.cardinality.admits(count) {
                let message = format!("must be {} of them", containing.cardinality);
                problems.add(path.member(key), Rule::Cardinality, message);
            }
        }
        for (key, items) in contained {
            let path = path.member(key);
            let Some(containing) = profile.containing(key) else {
                problems.add(path, Rule::Unknown, "is not a contain key of the profile");
                continue;
            };
            for (n, item) in items.iter().enumerate() {
                let path = path.item(n);
                let Some(of) = containing.type_of(item) else {
                    let types: Vec<_> = containing.types.iter().map(Key::as_str).collect();
                    let message = format!("must be one of {}", types.join(", "));
                    problems.add(path.member("type"), Rule::Enum, message);
                    continue;
                };
                match self
                    .contained
                    .get(of)
                    .and_then(Option::as_ref)
                    .map(|found| &found.shape)
                {
                    Some(Shape::Contained(profile)) => {
                        check_data(
                            profile,
                            of,
                            &item.data,
                            &path.member("data").to_string(),
                            problems,
                        );
                        let inner = path.member("contained").to_string();
                        self.check_inside(profile, &item.contained, &inner, problems, unknown);
                    }
                    Some(Shape::Root(_) | Shape::Relationship(_)) => {
                        problems.add(path.member("type"), Rule::Reference, "is no contained profile");
                    }
                    None if self.open_profiles => {}
                    None => *unknown = Some(of.clone()),
                }
            }
        }
    }
}

impl Profile {
    fn containing(&self, key: &str) -> Option<&Containing> {
        self.contained.as_ref()?.get(key)
    }
}

impl Containing {
    /// The type of a contained resource, if it is one that may be there.
    fn type_of(&self, item: &Contained) -> Option<&Key> {
        self.types.iter().find(|of| of.as_str() == item.of)
    }
}

fn check_data(profile: &Profile, of: &Key, data: &RawValue, path: &str, problems: &mut Problems) {
    match serde_json::from_str::<Value>(data.get()) {
        Ok(data) => {
            let whose = format!("the profile '{of}'");
            profile
                .properties
                .check(&data, JsonPath::Root(path), &whose, problems);
        }
        Err(_) => problems.add(path, Rule::Syntax, "is not JSON"),
    }
}

/// `data` stays as it was sent, unless there is a token to fill.
fn fill(data: &mut Box<RawValue>, id: &str, profile: Option<&Profile>) {
    if !data.get().contains(crate::ROOT_TOKEN) {
        return;
    }
    let Ok(mut value) = serde_json::from_str::<Value>(data.get()) else {
        return;
    };
    let before = value.clone();
    match profile {
        Some(profile) => profile.properties.fill_references(&mut value, id),
        None => replace_token(&mut value, id),
    }
    if value != before
        && let Ok(filled) = serde_json::value::to_raw_value(&value)
    {
        *data = filled;
    }
}
