//! What is sent and shown of definitions: for the document. Bodies are read by the domain, which names all that is wrong.
#![expect(dead_code, reason = "only their shapes are used")]

use crate::http::openapi::parts;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

#[derive(IntoParams)]
#[into_params(parameter_in = Path, rename_all = "camelCase")]
pub struct ProfilePath {
    #[param(schema_with = parts::source_key)]
    source_key: String,
    #[param(schema_with = parts::resource_type)]
    profile_key: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path, rename_all = "camelCase")]
pub struct CollectionPath {
    #[param(schema_with = parts::source_key)]
    source_key: String,
    #[param(schema_with = parts::resource_type)]
    collection_key: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path, rename_all = "camelCase")]
pub struct RelationshipDefinitionPath {
    #[param(schema_with = parts::source_key)]
    source_key: String,
    #[param(schema_with = parts::relationship_type)]
    relationship_definition_key: String,
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"type": "ROOT", "description": "A person in care", "properties": {
    "mrn": {"type": "symbol", "rules": [{"required": true}, {"pattern": "^[0-9]{6}$"}]},
    "name": {"type": "array", "items": {"type": "humanname"}, "rules": [{"min": 1}]}}}))]
pub struct ProfileDraft {
    /// A collection of its own, or only inside others. It cannot be changed.
    #[serde(rename = "type")]
    #[schema(schema_with = parts::profile_type)]
    of: String,
    description: Option<String>,
    /// By name; at most 1,000, in at most 10 levels.
    properties: BTreeMap<String, Property>,
    /// What may be inside, by contain key.
    contained: Option<BTreeMap<String, Containing>>,
}

/// What the resources of a type look like.
#[derive(ToSchema)]
#[schema(as = Profile)]
pub struct ProfileView {
    #[schema(schema_with = parts::key)]
    key: String,
    #[serde(rename = "type")]
    #[schema(schema_with = parts::profile_type)]
    of: String,
    description: Option<String>,
    properties: BTreeMap<String, Property>,
    contained: Option<BTreeMap<String, Containing>>,
    /// Nobody put it: any `data` will do.
    open: Option<bool>,
}

/// One property.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Property {
    #[serde(rename = "type")]
    #[schema(schema_with = parts::property_type)]
    of: String,
    /// Of an `object`; without them, any object will do.
    #[schema(no_recursion)]
    properties: Option<BTreeMap<String, Property>>,
    /// Of an `array`, which needs it.
    #[schema(no_recursion)]
    items: Option<Box<Property>>,
    /// Applied in their order.
    rules: Option<Vec<PropertyRule>>,
    /// Of a `code` or a `coding`.
    binding: Option<Binding>,
}

/// What a value has to be, beside of its type. Which members there can be depends on the type.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PropertyRule {
    /// There, and not null.
    required: Option<bool>,
    /// Of the value of a number, the length of a string, the count of an array.
    min: Option<f64>,
    max: Option<f64>,
    #[serde(rename = "enum")]
    #[schema(schema_with = parts::numbers_or_strings)]
    allowed: Option<Vec<()>>,
    /// ECMAScript, not anchored.
    pattern: Option<String>,
    /// A condition on `data`; the rule applies only if it holds.
    #[schema(value_type = Option<Object>)]
    when: Option<()>,
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    vocabulary: Vocabulary,
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Vocabulary {
    key: String,
    #[schema(schema_with = parts::binding_strength)]
    strength: String,
}

/// What may be inside a resource under one contain key.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Containing {
    /// Keys of `CONTAINED` profiles, which may be put later.
    #[schema(schema_with = parts::contained_types)]
    types: Vec<String>,
    #[schema(schema_with = parts::cardinality)]
    cardinality: String,
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"type": "resources", "profile": {"properties": {
    "mrn": {"type": "symbol"}, "name": {"type": "array", "items": {"type": "humanname"}}}}}))]
pub struct CollectionDraft {
    #[serde(rename = "type")]
    #[schema(schema_with = parts::collection_type)]
    of: String,
    profile: CollectionProfileDraft,
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CollectionProfileDraft {
    description: Option<String>,
    properties: BTreeMap<String, Property>,
    /// Of resources only.
    contained: Option<BTreeMap<String, Containing>>,
}

#[derive(ToSchema)]
#[schema(as = Collection)]
pub struct CollectionView {
    #[schema(schema_with = parts::key)]
    key: String,
    #[serde(rename = "type")]
    #[schema(schema_with = parts::collection_type)]
    of: String,
    profile: CollectionProfile,
}

/// What its records look like.
#[derive(ToSchema)]
pub struct CollectionProfile {
    description: Option<String>,
    properties: BTreeMap<String, Property>,
    contained: Option<BTreeMap<String, Containing>>,
    /// Nobody put it: any `data` will do.
    open: Option<bool>,
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"from": {"profileKey": "patient", "includeKey": "patients", "includeCardinality": "0:*"},
    "to": {"profileKey": "practitioner", "includeKey": "practitioners", "includeCardinality": "0:1"},
    "properties": {"role": {"type": "code"}}, "description": "treated by"}))]
pub struct RelationshipDefinitionDraft {
    from: End,
    to: End,
    /// Without them `data` must be empty.
    properties: Option<BTreeMap<String, Property>>,
    description: Option<String>,
}

/// What may be joined to what.
#[derive(ToSchema)]
#[schema(as = RelationshipDefinition)]
pub struct RelationshipDefinitionView {
    #[schema(schema_with = parts::key)]
    key: String,
    from: End,
    to: End,
    properties: Option<BTreeMap<String, Property>>,
    description: Option<String>,
    /// Nobody put it: any `data` will do.
    open: Option<bool>,
}

/// One of the two that a relationship joins.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RelationshipEnd)]
pub struct End {
    /// `*`: any.
    #[schema(schema_with = parts::end_type)]
    profile_key: String,
    #[schema(schema_with = parts::key)]
    include_key: Option<String>,
    /// How many of this end one record of the other may have.
    #[schema(schema_with = parts::cardinality)]
    include_cardinality: Option<String>,
}
