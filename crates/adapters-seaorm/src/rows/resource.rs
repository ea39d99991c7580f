//! Resources, sources, definitions.

use super::{Cells, Row, json, micros, position};
use caretrack_domain::{
    Definition, Key, RecordId, Resource, ResourceKey, Shape, Source, StoredResource, TypeKey, WorkspaceId,
};
use caretrack_ports::{ResourceWrite, StoreError};
use sea_orm::{QueryResult, Value};

pub(crate) const COLUMNS: [&str; 11] = [
    "workspace_id",
    "source",
    "type",
    "id",
    "version",
    "place",
    "data",
    "contained",
    "identifiers",
    "created_at",
    "updated_at",
];

/// Many keys at once: `WITH`, [`WANTED`], the keys' tuples, `) SELECT r...`, [`FROM_WANTED`]. A join, because
/// SQLite does not use the index for `(a, b) IN (VALUES ...)`.
pub(crate) const WANTED: &str = "wanted(workspace_id, source, type, id) AS (VALUES ";
pub(crate) const FROM_WANTED: &str = "FROM wanted w JOIN resources r ON r.workspace_id = w.workspace_id \
     AND r.source = w.source AND r.type = w.type AND r.id = w.id";

/// A deleted record's row tells when it was deleted. Without its numbers: see [`number`].
pub(crate) fn values(write: &ResourceWrite) -> Vec<Value> {
    let resource = write.after.as_ref();
    let contained = resource.filter(|resource| !resource.contained.is_empty());
    let identifiers = resource.filter(|resource| !resource.identifiers.is_empty());
    let mut values = key_values(write.workspace, &write.key);
    values.extend([
        0_i64.into(),
        0_i64.into(),
        resource.map(|resource| resource.data.clone()).into(),
        contained.map(|resource| json(&resource.contained)).into(),
        identifiers.map(|resource| json(&resource.identifiers)).into(),
        micros(resource.map_or(write.at, |resource| resource.created_at)).into(),
        micros(resource.map_or(write.at, |resource| resource.updated_at)).into(),
    ]);
    values
}

const VERSION: usize = position(&COLUMNS, "version");
const PLACE: usize = position(&COLUMNS, "place");

/// Says what only the batch can tell of a record's row.
pub(crate) fn number(row: &mut [Value], version: i64, place: i64) {
    row[VERSION] = version.into();
    row[PLACE] = place.into();
}

pub(crate) fn key_values(workspace: WorkspaceId, key: &ResourceKey) -> Vec<Value> {
    vec![
        workspace.0.into(),
        key.source.as_str().into(),
        key.of.as_str().into(),
        key.id.as_str().into(),
    ]
}

/// The first five columns: which record, in which version.
pub(crate) fn read_version(cells: Cells<'_>) -> Result<(WorkspaceId, ResourceKey, i64), StoreError> {
    let mut row = Row::new("resources", &COLUMNS, cells);
    Ok((row.uuid(WorkspaceId)?, read_key(&mut row)?, row.take()?))
}

fn read_key(row: &mut Row<'_>) -> Result<ResourceKey, StoreError> {
    Ok(ResourceKey {
        source: row.text(|text| Key::parse(text).ok())?,
        of: row.text(|text| Key::parse(text).ok())?,
        id: row.text(|text| RecordId::for_upsert(text).ok())?,
    })
}

pub(crate) fn read(result: &QueryResult) -> Result<(WorkspaceId, StoredResource), StoreError> {
    decode(result.into())
}

pub(crate) fn decode(cells: Cells<'_>) -> Result<(WorkspaceId, StoredResource), StoreError> {
    let mut row = Row::new("resources", &COLUMNS, cells);
    let workspace = row.uuid(WorkspaceId)?;
    let key = read_key(&mut row)?;
    let version = row.take()?;
    let place = row.take()?;
    let data: Option<String> = row.take()?;
    let contained = row
        .maybe_text(|text| serde_json::from_str(text).ok())?
        .unwrap_or_default();
    let identifiers = row
        .maybe_text(|text| serde_json::from_str(text).ok())?
        .unwrap_or_default();
    let created_at = row.instant()?;
    let updated_at = row.instant()?;
    let resource = data.map(|data| Resource {
        key: key.clone(),
        data,
        contained,
        identifiers,
        created_at,
        updated_at,
    });
    Ok((
        workspace,
        StoredResource {
            key,
            version,
            place,
            resource,
        },
    ))
}

pub(crate) const SOURCE_COLUMNS: [&str; 3] = ["workspace_id", "key", "created_at"];

pub(crate) fn source_values(source: &Source) -> Vec<Value> {
    vec![
        source.workspace.0.into(),
        source.key.as_str().into(),
        micros(source.created_at).into(),
    ]
}

pub(crate) fn read_source(result: &QueryResult) -> Result<Source, StoreError> {
    let mut row = Row::new("sources", &SOURCE_COLUMNS, result);
    Ok(Source {
        workspace: row.uuid(WorkspaceId)?,
        key: row.text(|text| Key::parse(text).ok())?,
        created_at: row.instant()?,
    })
}

pub(crate) const DEFINITION_COLUMNS: [&str; 8] = [
    "workspace_id",
    "source",
    "key",
    "open",
    "created_at",
    "kind",
    "version",
    "body",
];

pub(crate) fn definition_values(definition: &Definition) -> Vec<Value> {
    let members = definition.shape.members();
    vec![
        definition.workspace.0.into(),
        definition.source.as_str().into(),
        definition.key.as_str().into(),
        definition.is_open().into(),
        micros(definition.created_at).into(),
        definition.shape.kind().to_string().into(),
        definition.version.into(),
        members.map(|members| json(&members)).into(),
    ]
}

pub(crate) fn read_definition(result: &QueryResult) -> Result<Definition, StoreError> {
    let mut row = Row::new("definitions", &DEFINITION_COLUMNS, result);
    let workspace = row.uuid(WorkspaceId)?;
    let source = row.text(|text| Key::parse(text).ok())?;
    let key = row.text(|text| Key::parse(text).ok())?;
    let _open: bool = row.take()?;
    let created_at = row.instant()?;
    let kind = row.word()?;
    let version = row.take()?;
    let body: Option<serde_json::Map<_, _>> = row.maybe_text(|text| serde_json::from_str(text).ok())?;
    let shape =
        Shape::restore(kind, body.as_ref()).ok_or_else(|| row.nonsense("a definition that is none"))?;
    Ok(Definition {
        workspace,
        source,
        key,
        version,
        created_at,
        shape,
    })
}

/// Many types at once, as [`WANTED`] and [`FROM_WANTED`].
pub(crate) const WANTED_TYPES: &str = "wanted(workspace_id, source, key) AS (VALUES ";
pub(crate) const FROM_WANTED_TYPES: &str = "FROM wanted w JOIN definitions d ON d.workspace_id = w.workspace_id \
     AND d.source = w.source AND d.key = w.key";

pub(crate) fn type_key_values(of: &TypeKey) -> Vec<Value> {
    vec![
        of.workspace.0.into(),
        of.source.as_str().into(),
        of.key.as_str().into(),
    ]
}

/// Which definition, and in which version.
pub(crate) fn read_definition_version(cells: Cells<'_>) -> Result<(TypeKey, i64), StoreError> {
    let mut row = Row::new(
        "definitions",
        &["workspace_id", "source", "key", "version"],
        cells,
    );
    let of = TypeKey {
        workspace: row.uuid(WorkspaceId)?,
        source: row.text(|text| Key::parse(text).ok())?,
        key: row.text(|text| Key::parse(text).ok())?,
    };
    Ok((of, row.take()?))
}
