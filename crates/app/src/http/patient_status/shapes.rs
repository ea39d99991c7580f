//! What is sent: for the document. Bodies are read by hand, so that all that is wrong with one is told at once.
#![expect(dead_code, reason = "only their shapes are used")]
#![expect(clippy::struct_field_names, reason = "the names are the contract's")]

use super::parts;
use utoipa::{IntoParams, ToSchema};

#[derive(IntoParams)]
#[into_params(parameter_in = Path, rename_all = "camelCase")]
pub struct PatientPath {
    /// The patient.
    #[param(minimum = 1, example = 48_213_907)]
    wmda_id: i64,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path, rename_all = "camelCase")]
pub struct SearchPath {
    /// The search.
    #[param(minimum = 1, example = 7_730_412)]
    search_id: i64,
}

/// Their names may be written in any case.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PagingQuery {
    /// How many, at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u16>,
    /// How many come before.
    #[param(minimum = 0, default = 0)]
    offset: Option<i64>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct ListQuery {
    /// Statuses with bars between them; all, if none is said.
    #[param(
        pattern = r"^(NEW|PRE|ACT|SUS|STP)(\|(NEW|PRE|ACT|SUS|STP))*$",
        example = "ACT|NEW"
    )]
    status: Option<String>,
    /// Only those that are assigned to the user of the token, if it names one.
    #[param(default = false)]
    only_my_patients: Option<bool>,
}

/// The parameters of the query may stand here as well, and these win.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"limit": 100, "offset": 0, "status": "ACT|NEW"}))]
pub struct PatientListQuery {
    #[schema(minimum = 1, maximum = 1000)]
    limit: Option<i32>,
    #[schema(minimum = 0)]
    offset: Option<i64>,
    /// Statuses with bars between them, or an array.
    #[schema(schema_with = parts::search_statuses)]
    status: Option<String>,
    only_my_patients: Option<bool>,
}

/// A patient to be registered.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "patientId": "98761234P", "legalTerms": true, "dateOfBirth": "1987-03-14", "sex": "F", "weight": 62,
    "hla": {
        "a": {"field1": "01:01", "field2": "24:02"}, "b": {"field1": "08:01", "field2": "35:AFGH"},
        "drb1": {"field1": "03:01", "field2": null}
    }
}))]
pub struct PatientDraft {
    hla: Hla,
    /// The organisation's own identifier, never a name; kept only if the legal terms are accepted.
    #[schema(pattern = "^[!-~]{1,17}$")]
    patient_id: Option<String>,
    legal_terms: Option<bool>,
    /// It may lie in the future.
    #[schema(format = Date)]
    date_of_birth: Option<String>,
    idm: Option<Idm>,
    diagnosis: Option<Diagnosis>,
    #[schema(schema_with = parts::disease_phase)]
    disease_phase: Option<String>,
    #[schema(schema_with = parts::ethnicity)]
    ethnicity: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[schema(pattern = "^[A-Z]{2}$")]
    pool_country_code: Option<String>,
    #[schema(max_length = 10)]
    transplant_centre_id: Option<String>,
    #[schema(schema_with = parts::abo)]
    abo: Option<String>,
    #[schema(schema_with = parts::rhesus)]
    rhesus: Option<String>,
    /// In kilograms.
    #[schema(minimum = 1, maximum = 999)]
    weight: Option<i32>,
    #[schema(schema_with = parts::sex)]
    sex: Option<String>,
}

/// What is left out stays, what is null is cleared.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"wmdaId": 48_213_907, "weight": 64, "diseasePhase": null}))]
pub struct PatientUpdate {
    #[schema(schema_with = parts::wmda_id)]
    wmda_id: i64,
    #[schema(schema_with = parts::hla)]
    hla: Option<Hla>,
    /// Can be set once; null leaves it.
    #[schema(pattern = "^[!-~]{1,17}$")]
    patient_id: Option<String>,
    /// False, or null, removes the `patientId`.
    legal_terms: Option<bool>,
    #[schema(format = Date)]
    date_of_birth: Option<String>,
    idm: Option<Idm>,
    diagnosis: Option<Diagnosis>,
    #[schema(schema_with = parts::disease_phase)]
    disease_phase: Option<String>,
    #[schema(schema_with = parts::ethnicity)]
    ethnicity: Option<String>,
    #[schema(pattern = "^[A-Z]{2}$")]
    pool_country_code: Option<String>,
    #[schema(max_length = 10)]
    transplant_centre_id: Option<String>,
    #[schema(schema_with = parts::abo)]
    abo: Option<String>,
    #[schema(schema_with = parts::rhesus)]
    rhesus: Option<String>,
    #[schema(minimum = 1, maximum = 999)]
    weight: Option<i32>,
    #[schema(schema_with = parts::sex)]
    sex: Option<String>,
}

/// Infectious disease markers.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Idm {
    #[schema(schema_with = parts::cmv_status)]
    cmv_status: Option<String>,
}

#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Diagnosis {
    #[schema(min_length = 1, max_length = 10)]
    diagnosis_code: Option<String>,
    #[schema(max_length = 255)]
    diagnosis_text: Option<String>,
    #[schema(format = Date)]
    diagnosis_date: Option<String>,
}

/// `a`, `b` and `drb1` are required.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Hla {
    a: Typing,
    b: Typing,
    c: Option<Typing>,
    drb1: Typing,
    drb3: Option<AbsentTyping>,
    drb4: Option<AbsentTyping>,
    drb5: Option<AbsentTyping>,
    dqa1: Option<Typing>,
    dqb1: Option<Typing>,
    dpa1: Option<Typing>,
    dpb1: Option<Typing>,
}

/// A name with colons, or a MAC code; no list of alleles.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Typing {
    #[schema(schema_with = parts::hla_value)]
    field1: String,
    #[schema(schema_with = parts::hla_value_or_null)]
    field2: Option<String>,
}

/// As others, and `NNNN` where the person lacks the locus.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AbsentTyping {
    #[schema(schema_with = parts::hla_value_or_absent)]
    field1: String,
    #[schema(schema_with = parts::hla_value_or_absent_or_null)]
    field2: Option<String>,
}

#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"wmdaId": 48_213_907, "newStatus": "STP", "changeReason": "FND"}))]
pub struct StatusUpdate {
    #[schema(schema_with = parts::wmda_id)]
    wmda_id: i64,
    #[schema(schema_with = parts::target_status)]
    new_status: String,
    /// Required with STP, and then one that says why a search ended.
    #[schema(schema_with = parts::client_reason)]
    change_reason: Option<String>,
}

#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"wmdaId": 48_213_907, "userName": "j.demo@example.org"}))]
pub struct UserAssignment {
    #[schema(schema_with = parts::wmda_id)]
    wmda_id: i64,
    /// Null: nobody.
    #[schema(required, min_length = 4, max_length = 100, pattern = "^[^\\u0000]*$")]
    user_name: Option<String>,
}

#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "wmdaId": 48_213_907, "matchEngine": 2, "searchType": "DR", "overallMismatches": 0,
    "lociToBeConsidered": ["A", "B", "C", "DRB1", "DQB1"], "isCbuAbLowDrb1HighResolution": false
}))]
pub struct SearchDraft {
    #[schema(schema_with = parts::wmda_id)]
    wmda_id: i64,
    #[schema(schema_with = parts::match_engine)]
    match_engine: i64,
    #[schema(schema_with = parts::search_type)]
    search_type: String,
    #[schema(schema_with = parts::mismatches)]
    overall_mismatches: Option<i64>,
    /// The typed ones of A, B, C, DRB1 and DQB1, if it is not said.
    #[schema(schema_with = parts::loci)]
    loci_to_be_considered: Option<Vec<String>>,
    is_cbu_ab_low_drb1_high_resolution: Option<bool>,
    search_only_own_ion: Option<bool>,
}

#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"wmdaId": 48_213_907}))]
pub struct NamedPatient {
    #[schema(schema_with = parts::wmda_id)]
    wmda_id: i64,
}

#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"searchId": 7_730_412, "pagination": {"limit": 100, "offset": 0}}))]
pub struct DonorsQuery {
    #[schema(schema_with = parts::search_id)]
    search_id: i64,
    pagination: Option<Pagination>,
    filters: Option<ResultFilters>,
    #[schema(schema_with = parts::result_order)]
    sort_by: Option<String>,
}

#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"searchId": 7_730_412, "pagination": {"limit": 100, "offset": 0}}))]
pub struct CbusQuery {
    #[schema(schema_with = parts::search_id)]
    search_id: i64,
    pagination: Option<Pagination>,
    filters: Option<ResultFilters>,
    #[schema(schema_with = parts::result_order)]
    sort_by: Option<String>,
    /// Left to the engine.
    #[schema(schema_with = parts::three_four_order)]
    three_four_mismatch_sort_by: Option<String>,
    /// Left to the engine.
    #[schema(schema_with = parts::secondary_order)]
    secondary_sort_by: Option<String>,
}

#[derive(ToSchema)]
pub struct Pagination {
    #[schema(minimum = 1, maximum = 1000)]
    limit: Option<i32>,
    #[schema(minimum = 0)]
    offset: Option<i64>,
}

#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResultFilters {
    /// Only records that became new, updated or deleted then or later.
    #[schema(format = DateTime)]
    record_last_updated_from: Option<String>,
}

/// The whole result, or `error` alone. What is left out is empty.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"donors": [{"id": "D-1", "grid": "9999"}], "cbus": [], "summaryText": null, "inexplicable": 0}))]
pub struct ResultsDelivery {
    #[schema(schema_with = parts::result_records)]
    donors: Option<()>,
    #[schema(schema_with = parts::result_records)]
    cbus: Option<()>,
    #[schema(schema_with = parts::result_records)]
    adcu: Option<()>,
    #[schema(schema_with = parts::result_records)]
    registries: Option<()>,
    #[schema(schema_with = parts::result_records)]
    cbbs: Option<()>,
    #[schema(pattern = "^[^\\u0000]*$")]
    summary_text: Option<String>,
    #[schema(minimum = 0)]
    inexplicable: Option<i64>,
    /// The engine failed; then there is nothing else.
    error: Option<DeliveredError>,
}

#[derive(ToSchema)]
pub struct DeliveredError {
    #[schema(pattern = "^[^\\u0000]*$")]
    code: String,
    #[schema(pattern = "^[^\\u0000]*$")]
    message: String,
}

/// A page of results, each record as the engine sent it.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SearchResults {
    paging: super::view::PagingView,
    search_results: Vec<ResultRecord>,
}

/// And whatever else the engine sent.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResultRecord {
    id: String,
    /// What it is since the delivery before.
    #[schema(schema_with = parts::record_flag)]
    record_flag: Option<String>,
    /// When the flag last said something.
    #[schema(format = DateTime)]
    record_last_updated: String,
}
