//! Schemas that several shapes are made of, with the words of the domain; and the headers of answers.

use caretrack_domain::{
    Action, AuditOutcome, CollectionType, CredentialKind, LoginKind, ReceiptStatus, Rule, Scope, TargetKind,
    TaskKind, TaskStatus, WmdaId,
};
use serde_json::{Value, json};
use strum::IntoEnumIterator;
use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{Schema, SchemaFormat};

pub fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

pub fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Object {
    string().enum_values(Some(words)).build()
}

/// All of an enum of the domain.
pub fn words_of<E: IntoEnumIterator + Into<&'static str>>() -> Object {
    words(E::iter().map(Into::into))
}

pub fn matching(pattern: &str, example: &str) -> Object {
    string().pattern(Some(pattern)).examples([json!(example)]).build()
}

/// What a parameter's schema says of it is lifted to the parameter; annotations lose it.
fn described(schema: Object, description: &str) -> Object {
    ObjectBuilder::from(schema).description(Some(description)).build()
}

/// `domain::Key`: `\w` would be more than ASCII to some readers.
const KEY: &str = "^(?!bulk$)[a-zA-Z0-9-][a-zA-Z0-9_-]{0,61}$";
/// `domain::RecordId` of an upsert.
const RECORD_ID: &str = "^[a-zA-Z0-9-][a-zA-Z0-9_-]{0,92}$";

/// Of a source, a type or a workspace.
pub fn key() -> Object {
    matching(KEY, "northclinic")
}

pub fn source_key() -> Object {
    described(matching(KEY, "northclinic"), "The source.")
}

pub fn resource_type() -> Object {
    described(matching(KEY, "patient"), "The type.")
}

pub fn record_id() -> Object {
    matching(RECORD_ID, "pt-1001")
}

pub fn resource_id() -> Object {
    described(matching(RECORD_ID, "pt-1001"), "The resource.")
}

/// `domain::RecordId` of a create, or the token for one that is made here.
pub fn new_record_id() -> Object {
    matching("^(@rootId|[a-zA-Z0-9-][a-zA-Z0-9_-]{1,92})$", "pt-1001")
}

/// `domain::LocalPatientId`.
pub fn local_patient_id() -> Object {
    matching("^[!-~]{1,64}$", "98761234P")
}

/// A UUID, or a `domain::WmdaId`.
pub fn patient_reference() -> Schema {
    let uuid = string().format(Some(SchemaFormat::Custom("uuid".to_owned())));
    let number = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(WmdaId::LOWEST))
        .maximum(Some(WmdaId::HIGHEST));
    let either = OneOfBuilder::new()
        .item(uuid)
        .item(number)
        .examples([json!("0197a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")]);
    either
        .description(Some("The patient: a UUID, or a `wmdaId`."))
        .build()
        .into()
}

pub fn scopes() -> Schema {
    ArrayBuilder::new().items(words_of::<Scope>()).build().into()
}

pub fn task_kind() -> Object {
    words_of::<TaskKind>()
}

pub fn task_state() -> Object {
    words_of::<TaskStatus>()
}

pub fn task_error_kind() -> Object {
    words(["refused", "broken", "retrying"])
}

pub fn action() -> Object {
    words_of::<Action>()
}

pub fn target_kind() -> Object {
    words_of::<TargetKind>()
}

pub fn receipt_state() -> Object {
    words_of::<ReceiptStatus>()
}

pub fn registry_action() -> Object {
    words(["CREATE", "UPSERT", "UPDATE", "DELETE"])
}

pub fn registry_target() -> Object {
    words(["RESOURCE", "RELATIONSHIP"])
}

pub fn credential_kind() -> Object {
    words_of::<CredentialKind>()
}

pub fn login_kind() -> Object {
    words_of::<LoginKind>()
}

/// The files of the interactive page.
pub fn page_asset() -> Object {
    described(words(super::page::ASSETS), "Its name.")
}

pub fn source_type() -> Object {
    words(["registry"])
}

pub fn profile_type() -> Object {
    words(["ROOT", "CONTAINED"])
}

pub fn collection_type() -> Object {
    words_of::<CollectionType>()
}

/// `domain::PropertyType`.
pub fn property_type() -> Object {
    words([
        "boolean",
        "integer",
        "decimal",
        "symbol",
        "markdown",
        "xhtml",
        "code",
        "date",
        "datetime",
        "instant",
        "time",
        "uri",
        "url",
        "object",
        "array",
        "address",
        "humanname",
        "identifier",
        "period",
        "coding",
        "contactpoint",
        "contactdetail",
        "attachment",
        "geopoint",
        "reference",
        "codeableconcept",
        "quantity",
    ])
}

/// `domain::Cardinality`.
pub fn cardinality() -> Object {
    words(["0:1", "1:1", "0:*", "1:*"])
}

pub fn binding_strength() -> Object {
    words(["preferred"])
}

/// The key of a type, or `*`.
pub fn end_type() -> Object {
    matching("^(\\*|(?!bulk$)[a-zA-Z0-9-][a-zA-Z0-9_-]{0,61})$", "patient")
}

pub fn relationship_type() -> Object {
    described(matching(KEY, "treated-by"), "The type of relationship.")
}

pub fn contained_types() -> Schema {
    let types = ArrayBuilder::new().items(key()).min_items(Some(1));
    types.unique_items(true).build().into()
}

pub fn numbers_or_strings() -> Schema {
    let either = OneOfBuilder::new()
        .item(string())
        .item(ObjectBuilder::new().schema_type(Type::Number));
    ArrayBuilder::new()
        .items(either)
        .min_items(Some(1))
        .build()
        .into()
}

pub fn written() -> Object {
    words(["PERSISTED", "ACCEPTED"])
}

pub fn identifier_system() -> Object {
    matching("^(?!mdm$)", "urn:example:mrn")
}

pub fn identifier_use() -> Object {
    matching("^(?!source$)", "official")
}

/// Strong or weak, or `*`.
pub fn if_match() -> Object {
    let tags = matching(
        "^(\\*|(W/)?\"[!#-~]*\"( *, *(W/)?\"[!#-~]*\")*)$",
        "\"7262dfad4a09902d488aa7a3\"",
    );
    described(
        tags,
        "Only if the record has one of these entity tags; `*`: only if it is there.",
    )
}

pub fn if_none_match() -> Object {
    described(words(["*"]), "`*`: only if the record is not there.")
}

pub fn audit_outcome() -> Object {
    words_of::<AuditOutcome>()
}

/// Which rule a member broke.
pub fn rule() -> Object {
    words_of::<Rule>()
}

pub fn key_cursor() -> Object {
    described(string().pattern(Some(KEY)).build(), NEXT)
}

/// `domain::Positions`.
pub fn position() -> Object {
    described(
        matching("^[0-9a-f]{32}$", "5f0c1e2d3b4a59687786a5b4c3d2e1f0"),
        "A position that an earlier answer showed.",
    )
}

/// `domain::EventFilter`.
pub fn event_names() -> Schema {
    ArrayBuilder::new()
        .items(matching(&format!("^{}$", event_name()), "task.failed"))
        .build()
        .into()
}

/// With commas between them.
pub fn event_list() -> Object {
    let name = event_name();
    let list = matching(&format!("^{name}(,{name})*$"), "task.failed,patient");
    let said = "The events wanted, by name (`task.failed`) or by subject (`task`), with commas between them; all, if none is said.";
    described(list, said)
}

fn event_name() -> String {
    let states: Vec<&str> = TaskStatus::iter().map(Into::into).collect();
    let states = states.join("|");
    format!("(task(\\.({states}))?|patient(\\.changed)?|search(\\.requested)?)")
}

pub fn record_cursor() -> Object {
    described(string().pattern(Some(RECORD_ID)).build(), NEXT)
}

const NEXT: &str = "`next` of the page before.";

/// The headers of answers; an annotation names them only.
pub fn header(name: &str) -> Value {
    let (description, schema) = match name {
        "Retry-After" => (
            "When to ask, or try, again: in so many seconds.",
            json!({"type": "integer", "minimum": 0}),
        ),
        "WWW-Authenticate" => ("Which credential would do.", json!({"type": "string"})),
        "ETag" => (
            "The version of the record, for `If-Match`; a strong one.",
            json!({"type": "string", "pattern": "^\"[0-9a-f]+\"$"}),
        ),
        "Location" => (
            "Where to find what this made.",
            json!({"type": "string", "format": "uri-reference"}),
        ),
        "Preference-Applied" => ("Which preference was followed.", json!({"type": "string"})),
        "X-Request-ID" => (
            "What the request was called, or is called here.",
            json!({"type": "string"}),
        ),
        "Idempotency-Replayed" => (
            "`true`: this was answered before, under this key, and nothing was done again.",
            json!({"type": "string", "enum": ["true"]}),
        ),
        other => panic!("{other} is no header that is described here"),
    };
    json!({"description": description, "schema": schema})
}
