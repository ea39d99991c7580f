//! Schemas that several of the dialect's shapes are made of, with the words of the domain.

use crate::http::openapi::parts::{matching, string, words, words_of};
use caretrack_domain::{
    Abo, ChangeReason, CmvStatus, DiseasePhase, Ethnicity, HlaValue, Locus, RecordFlag, Rhesus, RunStatus,
    SearchEngine, SearchRequest, SearchStatus, Sex, TargetStatus,
};
use serde_json::{Value, json};
use strum::IntoEnumIterator;
use utoipa::openapi::schema::{
    ArrayBuilder, KnownFormat, Object, ObjectBuilder, OneOfBuilder, SchemaType, Type,
};
use utoipa::openapi::{Ref, Schema, SchemaFormat};

/// `domain::WmdaId`.
pub fn wmda_id() -> Object {
    numbered(48_213_907)
}

/// `domain::SearchId`.
pub fn search_id() -> Object {
    numbered(7_730_412)
}

fn numbered(example: i64) -> Object {
    let number = ObjectBuilder::new().schema_type(Type::Integer);
    let number = number.format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)));
    number.minimum(Some(1)).examples([json!(example)]).build()
}

/// Those that are shown.
pub fn search_status() -> Object {
    let all = SearchStatus::iter().filter(|status| *status != SearchStatus::Ano);
    words(all.map(Into::into))
}

pub fn search_status_or_null() -> Object {
    let all = SearchStatus::iter().filter(|status| *status != SearchStatus::Ano);
    words_or_null(all.map(Into::into))
}

/// Joined by bars, or in an array.
pub fn search_statuses() -> Schema {
    let joined = matching("^(NEW|PRE|ACT|SUS|STP)(\\|(NEW|PRE|ACT|SUS|STP))*$", "ACT|NEW");
    let array = ArrayBuilder::new().items(search_status());
    let either = OneOfBuilder::new().item(joined).item(array).item(null());
    either.build().into()
}

pub fn target_status() -> Object {
    words(TargetStatus::ALL.map(Into::into))
}

/// Those that a client may give.
pub fn client_reason() -> Object {
    let all = ChangeReason::iter().filter(|reason| *reason != ChangeReason::Aut);
    words_or_null(all.map(Into::into))
}

pub fn change_reason() -> Object {
    words_or_null(ChangeReason::iter().map(Into::into))
}

pub fn abo() -> Object {
    words_or_null(Abo::CODES.iter().copied())
}

pub fn rhesus() -> Object {
    words_or_null(Rhesus::CODES.iter().copied())
}

pub fn sex() -> Object {
    words_or_null(Sex::CODES.iter().copied())
}

pub fn cmv_status() -> Object {
    words_or_null(CmvStatus::CODES.iter().copied())
}

pub fn disease_phase() -> Object {
    words_or_null(DiseasePhase::CODES.iter().copied())
}

pub fn ethnicity() -> Object {
    words_or_null(Ethnicity::CODES.iter().copied())
}

/// `domain::HlaValue`.
pub fn hla_value() -> Object {
    matching(HlaValue::PATTERN, "01:01")
}

pub fn hla_value_or_null() -> Object {
    or_null(hla_value())
}

/// Of a locus that a person may lack.
pub fn hla_value_or_absent() -> Object {
    let present = HlaValue::PATTERN.trim_start_matches('^').trim_end_matches('$');
    matching(&format!("^({}|{present})$", HlaValue::ABSENT), "01:01")
}

pub fn hla_value_or_absent_or_null() -> Object {
    or_null(hla_value_or_absent())
}

/// It may be left out, and is never null.
pub fn hla() -> Ref {
    Ref::from_schema_name("Hla")
}

pub fn match_engine() -> Object {
    let numbers = SearchEngine::iter().map(|engine| json!(engine.number()));
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .enum_values(Some(numbers))
        .build()
}

pub fn search_type() -> Object {
    words(["DR", "CB"])
}

/// It may be left out, and is never null.
pub fn mismatches() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .maximum(Some(SearchRequest::MOST_MISMATCHES))
        .build()
}

pub fn loci() -> Schema {
    let loci = ArrayBuilder::new().items(words(Locus::all().map(Into::into)));
    let loci = loci.min_items(Some(1)).unique_items(true);
    let types = SchemaType::from_iter([Type::Array, Type::Null]);
    loci.schema_type(types).build().into()
}

pub fn run_status() -> Object {
    words_of::<RunStatus>()
}

pub fn result_order() -> Object {
    words_or_null(["standard", "lastUpdated"])
}

pub fn three_four_order() -> Object {
    words_or_null(["resolutionScore", "tncCount", "none"])
}

pub fn secondary_order() -> Object {
    words_or_null(["tncCount", "resolutionScore"])
}

pub fn record_flag() -> Object {
    words_or_null(RecordFlag::iter().map(Into::into))
}

/// Objects with an `id` of their own in the list.
pub fn result_records() -> Schema {
    let id = string()
        .min_length(Some(1))
        .max_length(Some(64))
        .pattern(Some("^[^\\u0000]*$"));
    let record = ObjectBuilder::new().property("id", id).required("id");
    ArrayBuilder::new().items(record).build().into()
}

fn words_or_null<'a>(all: impl IntoIterator<Item = &'a str>) -> Object {
    let words = all.into_iter().map(Value::from).chain([Value::Null]);
    let schema = or_null(ObjectBuilder::new().schema_type(Type::String).build());
    ObjectBuilder::from(schema).enum_values(Some(words)).build()
}

fn or_null(schema: Object) -> Object {
    let types = SchemaType::from_iter([Type::String, Type::Null]);
    ObjectBuilder::from(schema).schema_type(types).build()
}

fn null() -> Object {
    ObjectBuilder::new().schema_type(Type::Null).build()
}
