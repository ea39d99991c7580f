//! Words of closed lists: they are checked, kept and shown, and nothing is decided by them.

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

/// A type of which there are only the values listed, each a word.
macro_rules! codes {
    ($(#[$doc:meta])* $name:ident: $($code:literal)+) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(&'static str);

        impl $name {
            pub const CODES: &'static [&'static str] = &[$($code),+];

            /// Case counts.
            pub fn parse(text: &str) -> Option<Self> {
                Self::CODES.iter().find(|code| **code == text).copied().map(Self)
            }

            pub fn as_str(self) -> &'static str {
                self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| D::Error::custom(concat!("no ", stringify!($name))))
            }
        }
    };
}

codes! {
    /// Blood group.
    Abo: "A" "B" "O" "AB"
}

codes! {
    /// Positive or negative.
    Rhesus: "P" "N"
}

codes! {
    Sex: "M" "F"
}

codes! {
    /// Of cytomegalovirus: positive or negative.
    CmvStatus: "P" "N"
}

codes! {
    DiseasePhase:
        "PF" "PI" "AP" "BC" "AD" "SD" "RD" "NA"
        "C0" "C1" "C2" "C3" "C4" "C5" "C6" "C7" "C8" "C9"
        "P0" "P1" "P2" "P3" "P4" "P5" "P6" "P7" "P8" "P9"
        "R0" "R1" "R2" "R3" "R4" "R5" "R6" "R7" "R8" "R9"
        "N0" "N1" "N2" "N3" "N4" "N5" "N6" "N7" "N8" "N9"
}

codes! {
    Ethnicity:
        "UK" "AF" "AS" "CA" "HI" "AFNA" "AFSS" "ASSW" "ASSO" "ASCE" "ASSE" "ASNE" "ASOC" "CAEU" "CAER" "CANA"
        "CAAU" "HICA" "HISA" "MX" "OT"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_48_phases_and_21_ethnicities() {
        assert_eq!((DiseasePhase::CODES.len(), Ethnicity::CODES.len()), (48, 21));
        for code in DiseasePhase::CODES {
            assert_eq!(DiseasePhase::parse(code).map(DiseasePhase::as_str), Some(*code));
        }
        for code in Ethnicity::CODES {
            assert_eq!(Ethnicity::parse(code).map(Ethnicity::as_str), Some(*code));
        }
    }

    #[test]
    fn a_word_is_exact() {
        for bad in ["", "c1", "C10", "S1", " C1"] {
            assert_eq!(DiseasePhase::parse(bad), None, "{bad}");
        }
        assert!(Abo::parse("AB").is_some() && Abo::parse("ab").is_none() && Abo::parse("0").is_none());
    }

    #[test]
    fn a_stored_word_that_is_none_is_not_read() {
        assert_eq!(serde_json::to_string(&Abo::parse("AB")).unwrap(), r#""AB""#);
        assert_eq!(serde_json::from_str::<Abo>(r#""AB""#).ok(), Abo::parse("AB"));
        assert!(serde_json::from_str::<Abo>(r#""C""#).is_err());
    }
}
