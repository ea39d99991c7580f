//! HLA typing: what a search compares.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use strum::IntoEnumIterator;

/// A place in the genome; its text is the name that searches use.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumIter,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "UPPERCASE")]
#[strum(serialize_all = "UPPERCASE")]
pub enum Locus {
    A,
    B,
    C,
    Drb1,
    Drb3,
    Drb4,
    Drb5,
    Dqa1,
    Dqb1,
    Dpa1,
    Dpb1,
}

impl Locus {
    /// Without these nothing can be searched.
    pub const REQUIRED: [Self; 3] = [Self::A, Self::B, Self::Drb1];
    /// What a search considers, as far as it is typed, unless it says otherwise.
    const USUAL: [Self; 5] = [Self::A, Self::B, Self::C, Self::Drb1, Self::Dqb1];

    pub fn all() -> impl Iterator<Item = Self> {
        Self::iter()
    }

    /// Whether a person may lack it altogether.
    fn may_be_absent(self) -> bool {
        match self {
            Self::Drb3 | Self::Drb4 | Self::Drb5 => true,
            Self::A | Self::B | Self::C | Self::Drb1 | Self::Dqa1 | Self::Dqb1 | Self::Dpa1 | Self::Dpb1 => {
                false
            }
        }
    }
}

/// A colon-separated name or a MAC code. Personal data: never printed.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct HlaValue(String);

impl HlaValue {
    pub const PATTERN: &'static str = "^[0-9]{1,4}(:([0-9]{2,4}(:[0-9]{2,4}){0,2}[A-Z]?|[A-Z]{2,6}))?$";
    /// For a locus that the person lacks.
    pub const ABSENT: &'static str = "NNNN";

    pub fn parse(locus: Locus, text: &str) -> Option<Self> {
        let fits = is_typed(text) || (locus.may_be_absent() && text == Self::ABSENT);
        fits.then(|| Self(text.to_owned()))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Whether it is as [`HlaValue::PATTERN`] says; that leaves room for 20 characters.
fn is_typed(text: &str) -> bool {
    let digits = |part: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let Some((group, rest)) = text.split_once(':') else {
        return digits(text, 1..=4);
    };
    let is_code = (2..=6).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_uppercase());
    let fields = rest
        .strip_suffix(|last: char| last.is_ascii_uppercase())
        .unwrap_or(rest);
    let is_name = fields.split(':').count() <= 3 && fields.split(':').all(|part| digits(part, 2..=4));
    digits(group, 1..=4) && (is_code || is_name)
}

impl fmt::Debug for HlaValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl From<HlaValue> for String {
    fn from(value: HlaValue) -> Self {
        value.0
    }
}

impl TryFrom<String> for HlaValue {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let fits = is_typed(&text) || text == Self::ABSENT;
        fits.then_some(Self(text)).ok_or("no HLA value")
    }
}

/// What was found at a locus, on one chromosome or on both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Typing {
    pub field1: HlaValue,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field2: Option<HlaValue>,
}

/// A person's typing; those loci that are required are always there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "BTreeMap<Locus, Typing>", try_from = "BTreeMap<Locus, Typing>")]
pub struct Hla(BTreeMap<Locus, Typing>);

/// What a typing needs and lacks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} must be typed")]
pub struct MissingLoci(pub Vec<Locus>);

impl Hla {
    pub fn of(&self, locus: Locus) -> Option<&Typing> {
        self.0.get(&locus)
    }

    /// What a search considers that does not say.
    pub fn usual_loci(&self) -> Vec<Locus> {
        Locus::USUAL
            .into_iter()
            .filter(|locus| self.0.contains_key(locus))
            .collect()
    }
}

impl From<Hla> for BTreeMap<Locus, Typing> {
    fn from(hla: Hla) -> Self {
        hla.0
    }
}

impl TryFrom<BTreeMap<Locus, Typing>> for Hla {
    type Error = MissingLoci;

    fn try_from(typed: BTreeMap<Locus, Typing>) -> Result<Self, MissingLoci> {
        let missing: Vec<_> = Locus::REQUIRED
            .into_iter()
            .filter(|locus| !typed.contains_key(locus))
            .collect();
        if missing.is_empty() {
            Ok(Self(typed))
        } else {
            Err(MissingLoci(missing))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> HlaValue {
        HlaValue::parse(Locus::A, text).unwrap()
    }

    fn typed(loci: &[Locus]) -> Result<Hla, MissingLoci> {
        let typing = |locus: &Locus| {
            (
                *locus,
                Typing {
                    field1: value("01:01"),
                    field2: None,
                },
            )
        };
        Hla::try_from(loci.iter().map(typing).collect::<BTreeMap<_, _>>())
    }

    #[test]
    fn values_are_names_or_codes() {
        for good in [
            "1",
            "01",
            "2403",
            "01:01",
            "1:01",
            "0001:0001:0001:0001N",
            "01:01:01",
            "01:01:01:02L",
            "24:02N",
            "35:AFGH",
            "35:AB",
            "35:ABCDEF",
            "01:XX",
        ] {
            assert!(HlaValue::parse(Locus::A, good).is_some(), "{good}");
        }
        for bad in [
            "",
            "A1",
            "12345",
            "01:",
            ":01",
            "01:1",
            "01:12345",
            "01:01:",
            "01:01:1",
            "01:01:01:01:01",
            "01:01NN",
            "01:01n",
            "35:A",
            "35:ABCDEFG",
            "35:ab",
            "35:AB1",
            "01:AB:01",
            "01:01/01:02",
            "01:01 ",
            " 01:01",
            "0x:01",
            "01N",
            "01:01\n",
            "NNNN",
            "٠١:٠١",
        ] {
            assert!(HlaValue::parse(Locus::A, bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn some_loci_may_be_absent() {
        for locus in Locus::all() {
            let may = ["DRB3", "DRB4", "DRB5"].contains(&locus.into());
            assert_eq!(HlaValue::parse(locus, "NNNN").is_some(), may, "{locus}");
            assert!(HlaValue::parse(locus, "NNN").is_none());
        }
    }

    #[test]
    fn a_and_b_and_drb1_are_required() {
        assert!(typed(&Locus::REQUIRED).is_ok());
        assert_eq!(typed(&[Locus::B]), Err(MissingLoci(vec![Locus::A, Locus::Drb1])));
    }

    #[test]
    fn a_search_considers_the_usual_loci_that_are_typed() {
        let hla = typed(&[Locus::Dqb1, Locus::Dpb1, Locus::Drb1, Locus::B, Locus::A]).unwrap();
        assert_eq!(hla.usual_loci(), [Locus::A, Locus::B, Locus::Drb1, Locus::Dqb1]);
    }

    #[test]
    fn it_is_stored_and_read_again_and_never_printed() {
        let hla = typed(&Locus::REQUIRED).unwrap();
        let stored = serde_json::to_string(&hla).unwrap();
        assert_eq!(
            stored,
            r#"{"A":{"field1":"01:01"},"B":{"field1":"01:01"},"DRB1":{"field1":"01:01"}}"#
        );
        assert_eq!(serde_json::from_str::<Hla>(&stored).unwrap(), hla);
        for bad in [
            r#"{"A":{"field1":"01:01"}}"#,
            &stored.replace("01:01", "x"),
            &stored.replace("\"B\"", "\"D\""),
        ] {
            assert!(serde_json::from_str::<Hla>(bad).is_err(), "{bad}");
        }
        assert!(!format!("{hla:?}").contains("01:01"));
    }
}
