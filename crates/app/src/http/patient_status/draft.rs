//! What is sent of a patient: to register, and to change it. Both are read by the same rules: a new patient is a change
//! of nothing.

use super::reader::{Reader, flag, integer, text, word};
use caretrack_domain::{
    Abo, CmvStatus, DateOfBirth, Day, DetailsChange, Diagnosis, DiagnosisCode, DiagnosisText, DiseasePhase,
    Edit, Ethnicity, Hla, HlaValue, Idm, LocalPatientId, Locus, PoolCountryCode, Rhesus, Sex,
    TransplantCentreId, Typing, Weight, registered_patient_id,
};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

const DATE: &str = "must be a date, YYYY-MM-DD";

/// What a body says of a patient, beside which one that is.
pub struct Told {
    pub details: DetailsChange,
    pub patient_id: Option<LocalPatientId>,
    /// Null is false.
    pub legal_terms: Option<bool>,
}

/// `hla` may be left out if the patient has one already, and is never null.
pub fn told(body: &mut Reader<'_, '_>, is_new: bool) -> Told {
    let is_missing = is_new && body.lacks("hla");
    let given = body.edit_object("hla", hla);
    if is_missing || given == Edit::Clear {
        body.wrong("hla", "is required, and never null");
    }
    Told {
        patient_id: body.optional(
            "patientId",
            "must be 1 to 17 visible ASCII characters",
            word(registered_patient_id),
        ),
        legal_terms: match body.edit("legalTerms", "must be true or false", flag) {
            Edit::Keep => None,
            Edit::Clear => Some(false),
            Edit::Set(accepted) => Some(accepted),
        },
        details: DetailsChange {
            hla: given.of(None),
            ..details(body)
        },
    }
}

fn details(body: &mut Reader<'_, '_>) -> DetailsChange {
    DetailsChange {
        hla: None,
        idm: body.edit_object("idm", |idm| {
            Some(Idm {
                cmv_status: code(idm, "cmvStatus", CmvStatus::CODES, CmvStatus::parse).of(None),
            })
        }),
        date_of_birth: body.edit(
            "dateOfBirth",
            DATE,
            word(|text| Day::parse(text).map(DateOfBirth::Day)),
        ),
        diagnosis: body.edit_object("diagnosis", |part| Some(diagnosis(part))),
        disease_phase: code(body, "diseasePhase", DiseasePhase::CODES, DiseasePhase::parse),
        ethnicity: code(body, "ethnicity", Ethnicity::CODES, Ethnicity::parse),
        pool_country_code: body.edit(
            "poolCountryCode",
            "must be two capital letters",
            word(PoolCountryCode::parse),
        ),
        transplant_centre_id: body.edit(
            "transplantCentreId",
            "must be a text of at most 10 characters",
            word(TransplantCentreId::parse),
        ),
        abo: code(body, "abo", Abo::CODES, Abo::parse),
        rhesus: code(body, "rhesus", Rhesus::CODES, Rhesus::parse),
        weight: body.edit("weight", "must be an integer from 1 to 999", |value| {
            Weight::parse(integer(value)?)
        }),
        sex: code(body, "sex", Sex::CODES, Sex::parse),
    }
}

fn diagnosis(diagnosis: &mut Reader<'_, '_>) -> Diagnosis {
    Diagnosis {
        code: diagnosis.optional(
            "diagnosisCode",
            "must be a text of 1 to 10 characters",
            word(DiagnosisCode::parse),
        ),
        text: diagnosis.optional(
            "diagnosisText",
            "must be a text of at most 255 characters",
            word(DiagnosisText::parse),
        ),
        date: diagnosis.optional("diagnosisDate", DATE, word(Day::parse)),
    }
}

/// One of a closed list.
pub fn code<T>(
    body: &mut Reader<'_, '_>,
    name: &str,
    codes: &[&str],
    parse: impl FnOnce(&str) -> Option<T>,
) -> Edit<T> {
    body.edit(name, &format!("must be one of {}", codes.join(", ")), word(parse))
}

fn hla(hla: &mut Reader<'_, '_>) -> Option<Hla> {
    let mut typed = BTreeMap::new();
    for locus in Locus::all() {
        let name = member(locus);
        let typing = |typing: &mut Reader<'_, '_>| {
            let field1 = typing.required("field1", VALUE, |value| value_of(locus, value));
            let field2 = typing.optional("field2", VALUE, |value| value_of(locus, value));
            typing.nothing_else();
            Some(Typing {
                field1: field1?,
                field2,
            })
        };
        if hla.lacks(&name) && Locus::REQUIRED.contains(&locus) {
            hla.wrong(&name, "is required");
        }
        if let Edit::Set(typing) = hla.edit_object(&name, typing) {
            typed.insert(locus, typing);
        }
    }
    hla.nothing_else();
    Hla::try_from(typed).ok()
}

const VALUE: &str = "must be a name with colons, or a MAC code: no list of alleles";

fn value_of(locus: Locus, value: &RawValue) -> Option<HlaValue> {
    HlaValue::parse(locus, &text(value)?)
}

/// As `hla` has it.
fn member(locus: Locus) -> String {
    locus.to_string().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::super::reader::whole;
    use super::*;
    use caretrack_domain::{PatientDetails, Refusal};
    use serde_json::{Value, json};

    fn read(body: &Value, is_new: bool) -> Result<Told, Refusal> {
        whole(&body.to_string(), |body| Some(told(body, is_new)))
    }

    fn good() -> Value {
        json!({
            "patientId": "98761234P", "legalTerms": true, "dateOfBirth": "1987-03-14", "sex": "F", "abo": "AB",
            "rhesus": "P", "weight": 62, "ethnicity": "CAEU", "diseasePhase": "C1", "poolCountryCode": "NL",
            "transplantCentreId": "TC X", "idm": {"cmvStatus": "N"}, "somethingElse": [1],
            "diagnosis": {"diagnosisCode": "ALL", "diagnosisText": null, "diagnosisDate": "2025-11-02"},
            "hla": {
                "a": {"field1": "01:01", "field2": "24:02"}, "b": {"field1": "08:01", "field2": "35:AFGH"},
                "drb1": {"field1": "03:01", "field2": null}, "drb3": {"field1": "NNNN"}, "dpb1": null,
            },
        })
    }

    /// The paths at fault when `change` has been made to a good body.
    fn faults(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut body = good();
        change(&mut body);
        let refused = read(&body, true).err();
        let problems = refused.into_iter().flat_map(|refusal| refusal.problems);
        problems.map(|problem| problem.path).collect()
    }

    #[test]
    fn the_whole_of_it_is_read() {
        let told = read(&good(), true).unwrap_or_else(|refusal| panic!("{refusal:?}"));
        assert_eq!(told.patient_id.unwrap().expose(), "98761234P");
        assert_eq!(told.legal_terms, Some(true));
        let hla = told.details.hla.clone().unwrap();
        let details = told.details.of(PatientDetails::new(hla));
        assert_eq!(
            serde_json::to_value(details).unwrap(),
            json!({
                "hla": {
                    "A": {"field1": "01:01", "field2": "24:02"}, "B": {"field1": "08:01", "field2": "35:AFGH"},
                    "DRB1": {"field1": "03:01"}, "DRB3": {"field1": "NNNN"},
                },
                "idm": {"cmv_status": "N"}, "date_of_birth": {"day": "1987-03-14"},
                "diagnosis": {"code": "ALL", "date": "2025-11-02"}, "disease_phase": "C1", "ethnicity": "CAEU",
                "pool_country_code": "NL", "transplant_centre_id": "TC X", "abo": "AB", "rhesus": "P",
                "weight": 62, "sex": "F",
            })
        );
    }

    #[test]
    fn all_but_the_typing_may_be_null_or_left_out() {
        assert_eq!(
            faults(|body| {
                for (name, member) in body.as_object_mut().unwrap() {
                    if name != "hla" {
                        *member = Value::Null;
                    }
                }
            }),
            [""; 0]
        );
        let told = read(&json!({"hla": good()["hla"], "idm": {}, "diagnosis": {}}), true)
            .ok()
            .unwrap();
        assert_eq!(
            (told.legal_terms, told.details.idm),
            (None, Edit::Set(Idm::default()))
        );
        let told = read(&json!({"legalTerms": null, "sex": null}), false)
            .ok()
            .unwrap();
        assert_eq!((told.legal_terms, told.details.sex), (Some(false), Edit::Clear));
        assert_eq!((told.details.hla, told.details.abo), (None, Edit::Keep));
    }

    #[test]
    fn each_bad_member_is_named() {
        for (member, bad) in [
            (
                "patientId",
                vec![json!(1), json!(""), json!("a b"), json!("123456789012345678")],
            ),
            ("legalTerms", vec![json!("true"), json!(1)]),
            (
                "dateOfBirth",
                vec![json!("1987-02-29"), json!("14.03.1987"), json!(1987)],
            ),
            ("sex", vec![json!("f"), json!("X"), json!("")]),
            ("abo", vec![json!("0"), json!("ab"), json!(true)]),
            ("rhesus", vec![json!("+")]),
            (
                "weight",
                vec![json!(0), json!(1000), json!(62.5), json!("62"), json!(-1)],
            ),
            ("ethnicity", vec![json!("XX"), json!("caeu")]),
            ("diseasePhase", vec![json!("C10"), json!("c1")]),
            ("poolCountryCode", vec![json!("nl"), json!("NLD")]),
            ("transplantCentreId", vec![json!("12345678901"), json!(1)]),
            ("idm", vec![json!("N"), json!([])]),
            ("diagnosis", vec![json!("ALL")]),
            ("hla", vec![json!(null), json!("x"), json!([])]),
        ] {
            for bad in bad {
                let found = faults(|body| body[member] = bad.clone());
                assert_eq!(found, [format!("$.{member}")], "{bad}");
            }
        }
        let found = faults(|body| {
            body["idm"] = json!({"cmvStatus": "p"});
            body["diagnosis"] = json!({
                "diagnosisCode": "", "diagnosisText": "x".repeat(256), "diagnosisDate": "2025-13-01",
            });
        });
        let mut expected = [
            "$.idm.cmvStatus",
            "$.diagnosis.diagnosisCode",
            "$.diagnosis.diagnosisText",
        ]
        .to_vec();
        expected.push("$.diagnosis.diagnosisDate");
        assert_eq!(found, expected);
    }

    #[test]
    fn a_typing_is_read_strictly() {
        for (path, locus, typing) in [
            ("$.hla.a", "a", json!(null)),
            ("$.hla.drb1", "drb1", json!("03:01")),
            ("$.hla.drb1.field1", "drb1", json!({"field2": "03:01"})),
            ("$.hla.a.field1", "a", json!({"field1": "01:01/01:02"})),
            ("$.hla.a.field1", "a", json!({"field1": "NNNN"})),
            ("$.hla.a.field2", "a", json!({"field1": "01:01", "field2": 1})),
            (
                "$.hla.a.field3",
                "a",
                json!({"field1": "01:01", "field3": "01:01"}),
            ),
            ("$.hla.drb2", "drb2", json!(null)),
            ("$.hla.DRB1", "DRB1", json!({"field1": "03:01"})),
        ] {
            assert_eq!(
                faults(|body| body["hla"][locus] = typing.clone()),
                [path],
                "{typing}"
            );
        }
        let without = |name: &str| {
            faults(|body| {
                let of = if name == "hla" { body } else { &mut body["hla"] };
                of.as_object_mut().unwrap().remove(name);
            })
        };
        assert_eq!(
            (without("hla"), without("b")),
            (vec!["$.hla".to_owned()], vec!["$.hla.b".to_owned()])
        );
        let all = faults(|body| body["hla"] = json!({"c": {}, "x": 1}));
        assert_eq!(
            all,
            ["$.hla.a", "$.hla.b", "$.hla.c.field1", "$.hla.drb1", "$.hla.x"]
        );
    }
}
