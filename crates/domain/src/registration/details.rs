//! What an organisation tells of a patient whom it registers, beside who that is.
//!
//! Every value here is personal data: none is ever printed. They are kept as JSON text (ADR 5), and what is read back
//! is checked like what is sent.

use super::codes::{Abo, CmvStatus, DiseasePhase, Ethnicity, Rhesus, Sex};
use super::hla::Hla;
use crate::LocalPatientId;
use serde::{Deserialize, Serialize};
use std::fmt;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, Month};

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// A text that is personal data: as its `parse` allows, and never printed.
macro_rules! personal_text {
    ($(#[$doc:meta])* $name:ident, $fits:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(String);

        impl $name {
            pub fn parse(text: &str) -> Option<Self> {
                let fits: fn(&str) -> bool = $fits;
                fits(text).then(|| Self(text.to_owned()))
            }

            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        never_printed!($name);

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text).ok_or(concat!("no ", stringify!($name)))
            }
        }
    };
}

macro_rules! never_printed {
    ($name:ident) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("…")
            }
        }
    };
}

personal_text!(
    /// Two capital letters, as ISO 3166-1 alpha-2 has them; whether there is such a country is not asked.
    PoolCountryCode,
    |text| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
);
personal_text!(
    /// At most 10 characters.
    TransplantCentreId,
    |text| text.chars().count() <= 10
);
personal_text!(
    /// 1 to 10 characters.
    DiagnosisCode,
    |text| (1..=10).contains(&text.chars().count())
);
personal_text!(
    /// At most 255 characters.
    DiagnosisText,
    |text| text.chars().count() <= 255
);
personal_text!(
    /// Whom a patient is assigned to: 4 to 100 characters. The null character is none that every store can keep.
    UserName,
    |text| (4..=100).contains(&text.chars().count()) && !text.contains('\0')
);

impl UserName {
    /// The user of a token, who need not have a name that patients can be assigned to.
    pub fn claimed(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// The organisation's own identifier of a patient, as a registration takes it: shorter than in other places.
pub fn registered_patient_id(text: &str) -> Option<LocalPatientId> {
    (text.len() <= 17).then(|| LocalPatientId::parse(text))?
}

/// A real date, `YYYY-MM-DD`. It may lie in the future.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Day(Date);

impl Day {
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        // A sign would be read as one.
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
        (is_plain && begins).then(|| Date::parse(text, DAY).ok().map(Self))?
    }

    pub fn expose(self) -> String {
        // The format has no part that a date lacks.
        self.0.format(DAY).unwrap_or_default()
    }

    pub fn year(self) -> i32 {
        self.0.year()
    }
}

never_printed!(Day);

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.expose()
    }
}

impl TryFrom<String> for Day {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("no date")
    }
}

/// The day, until it is cut to the year.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateOfBirth {
    Day(Day),
    Year(i32),
}

impl DateOfBirth {
    fn cut(self) -> Self {
        match self {
            Self::Day(day) => Self::Year(day.year()),
            Self::Year(year) => Self::Year(year),
        }
    }

    /// A year alone is shown as its first day, so that it stays a date.
    pub fn expose(self) -> String {
        match self {
            Self::Day(day) => day.expose(),
            Self::Year(year) => Date::from_calendar_date(year, Month::January, 1)
                .map(|day| Day(day).expose())
                .unwrap_or_default(),
        }
    }
}

never_printed!(DateOfBirth);

/// In kilograms, 1 to 999.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "u16", try_from = "u16")]
pub struct Weight(u16);

impl Weight {
    pub const LOWEST: u16 = 1;
    pub const HIGHEST: u16 = 999;

    pub fn parse(kilograms: i64) -> Option<Self> {
        let kilograms = u16::try_from(kilograms).ok()?;
        (Self::LOWEST..=Self::HIGHEST)
            .contains(&kilograms)
            .then_some(Self(kilograms))
    }

    pub fn kilograms(self) -> u16 {
        self.0
    }
}

never_printed!(Weight);

impl From<Weight> for u16 {
    fn from(weight: Weight) -> Self {
        weight.0
    }
}

impl TryFrom<u16> for Weight {
    type Error = &'static str;

    fn try_from(kilograms: u16) -> Result<Self, Self::Error> {
        Self::parse(kilograms.into()).ok_or("no weight")
    }
}

/// Markers of infectious diseases.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Idm {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmv_status: Option<CmvStatus>,
}

never_printed!(Idm);

#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Diagnosis {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<DiagnosisCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<DiagnosisText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<Day>,
}

never_printed!(Diagnosis);

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatientDetails {
    pub hla: Hla,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idm: Option<Idm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date_of_birth: Option<DateOfBirth>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<Diagnosis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disease_phase: Option<DiseasePhase>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ethnicity: Option<Ethnicity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_country_code: Option<PoolCountryCode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transplant_centre_id: Option<TransplantCentreId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abo: Option<Abo>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rhesus: Option<Rhesus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<Weight>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sex: Option<Sex>,
}

never_printed!(PatientDetails);

impl PatientDetails {
    /// Of nobody but with a typing.
    pub fn new(hla: Hla) -> Self {
        Self {
            hla,
            idm: None,
            date_of_birth: None,
            diagnosis: None,
            disease_phase: None,
            ethnicity: None,
            pool_country_code: None,
            transplant_centre_id: None,
            abo: None,
            rhesus: None,
            weight: None,
            sex: None,
        }
    }

    /// Whether a search for the one may find others than a search for the other.
    pub fn searches_differ(&self, other: &Self) -> bool {
        self.hla != other.hla
            || self.ethnicity != other.ethnicity
            || self.pool_country_code != other.pool_country_code
    }

    /// Without what could tell who it is.
    pub fn anonymised(self) -> Self {
        Self {
            date_of_birth: self.date_of_birth.map(DateOfBirth::cut),
            transplant_centre_id: None,
            diagnosis: self.diagnosis.map(|diagnosis| Diagnosis {
                text: None,
                ..diagnosis
            }),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn whole() -> serde_json::Value {
        json!({
            "hla": {"A": {"field1": "01:01", "field2": "24:02"}, "B": {"field1": "08:01"}, "DRB1": {"field1": "03:01"}},
            "idm": {"cmv_status": "N"}, "date_of_birth": {"day": "1987-03-14"},
            "diagnosis": {"code": "ALL", "text": "a secret", "date": "2025-11-02"}, "disease_phase": "C1",
            "ethnicity": "CAEU", "pool_country_code": "NL", "transplant_centre_id": "TC X", "abo": "AB",
            "rhesus": "P", "weight": 62, "sex": "F",
        })
    }

    fn read(stored: serde_json::Value) -> Option<PatientDetails> {
        serde_json::from_value(stored).ok()
    }

    #[test]
    fn a_day_is_a_real_date() {
        for good in ["1987-03-14", "2024-02-29", "2199-12-31", "0001-01-01"] {
            assert_eq!(Day::parse(good).map(Day::expose).as_deref(), Some(good));
        }
        for bad in [
            "",
            "2023-02-29",
            "2023-00-01",
            "2023-13-01",
            "2023-1-01",
            "20230101",
            "+023-01-01",
            "-023-01-01",
            "2023-01-01T00:00:00Z",
            "2023-01-0a",
            "2023/01/01",
        ] {
            assert!(Day::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn texts_have_their_lengths_in_characters() {
        assert!(
            DiagnosisText::parse(&"é".repeat(255)).is_some()
                && DiagnosisText::parse(&"e".repeat(256)).is_none()
        );
        assert!(DiagnosisText::parse("").is_some());
        assert!(
            DiagnosisCode::parse(&"é".repeat(10)).is_some() && DiagnosisCode::parse("12345678901").is_none()
        );
        assert!(DiagnosisCode::parse("").is_none());
        assert!(
            TransplantCentreId::parse("TC X").is_some() && TransplantCentreId::parse("12345678901").is_none()
        );
        assert!(UserName::parse("josé").is_some() && UserName::parse("ann").is_none());
        assert!(UserName::parse(&"u".repeat(100)).is_some() && UserName::parse(&"u".repeat(101)).is_none());
        assert!(UserName::parse("ann\0").is_none());
    }

    #[test]
    fn a_country_is_two_capitals() {
        assert!(PoolCountryCode::parse("NL").is_some());
        for bad in ["", "N", "nl", "NLD", "N1", "ÉÉ"] {
            assert!(PoolCountryCode::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_registered_id_has_17_visible_characters_at_most() {
        for good in ["1", "98761234P", "12345678901234567"] {
            assert!(registered_patient_id(good).is_some(), "{good}");
        }
        for bad in ["", "123456789012345678", "9876 1234P", "9876\u{e9}", "a\n"] {
            assert!(registered_patient_id(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_weight_is_1_to_999() {
        let weights =
            [-1, 0, 1, 999, 1000, i64::MAX].map(|kilograms| Weight::parse(kilograms).map(Weight::kilograms));
        assert_eq!(weights, [None, None, Some(1), Some(999), None, None]);
    }

    #[test]
    fn what_is_stored_is_read_again_as_it_was() {
        let details = read(whole()).unwrap();
        assert_eq!(serde_json::to_value(&details).unwrap(), whole());
        let least = json!({"hla": whole()["hla"]});
        assert_eq!(serde_json::to_value(read(least.clone()).unwrap()).unwrap(), least);
        for (member, bad) in [
            ("weight", json!(0)),
            ("sex", json!("X")),
            ("date_of_birth", json!({"day": "1987-02-30"})),
        ] {
            let mut stored = whole();
            stored[member] = bad;
            assert!(read(stored).is_none(), "{member}");
        }
    }

    #[test]
    fn anonymised_it_tells_of_nobody() {
        let mut left = whole();
        left["date_of_birth"] = json!({"year": 1987});
        left.as_object_mut().unwrap().shift_remove("transplant_centre_id");
        left["diagnosis"] = json!({"code": "ALL", "date": "2025-11-02"});
        let anonymised = read(whole()).unwrap().anonymised();
        assert_eq!(serde_json::to_value(&anonymised).unwrap(), left);
        assert_eq!(anonymised.clone().anonymised(), anonymised);
        assert_eq!(
            anonymised.date_of_birth.map(DateOfBirth::expose).as_deref(),
            Some("1987-01-01")
        );
    }

    #[test]
    fn only_typing_and_ancestry_and_pool_change_what_is_found() {
        let before = read(whole()).unwrap();
        for member in ["ethnicity", "pool_country_code"] {
            let mut stored = whole();
            stored.as_object_mut().unwrap().shift_remove(member);
            assert!(before.searches_differ(&read(stored).unwrap()), "{member}");
        }
        let mut stored = whole();
        stored["hla"]["A"]["field2"] = json!("24:03");
        assert!(before.searches_differ(&read(stored).unwrap()));
        for member in [
            "idm",
            "date_of_birth",
            "diagnosis",
            "disease_phase",
            "transplant_centre_id",
            "abo",
            "weight",
        ] {
            let mut stored = whole();
            stored.as_object_mut().unwrap().shift_remove(member);
            assert!(!before.searches_differ(&read(stored).unwrap()), "{member}");
        }
    }

    #[test]
    fn none_of_it_prints() {
        let details = read(whole()).unwrap();
        assert_eq!(format!("{details:?}"), "…");
        assert_eq!(
            format!(
                "{:?} {:?} {:?}",
                details.date_of_birth, details.diagnosis, details.weight
            ),
            "Some(…) Some(…) Some(…)"
        );
    }
}
