//! The types with members of their own, as a table. Members are all optional, and each type has an `id` too.

use super::formats::TextType;

/// What a member of a complex type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemberType {
    Boolean,
    Integer,
    Decimal,
    Text(TextType),
    Complex(ComplexType),
    Texts(TextType),
    Complexes(ComplexType),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::EnumIter)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum ComplexType {
    Address,
    HumanName,
    Identifier,
    Period,
    Coding,
    ContactPoint,
    ContactDetail,
    Attachment,
    GeoPoint,
    /// Or a string: the id.
    Reference,
    CodeableConcept,
    Quantity,
}

impl ComplexType {
    /// Beside `id`, a symbol.
    pub fn members(self) -> &'static [(&'static str, MemberType)] {
        use MemberType::{Boolean, Complex, Complexes, Decimal, Integer, Text, Texts};
        use TextType::{Code, Datetime, Symbol, Uri, Url};
        match self {
            Self::Address => &[
                ("use", Text(Code)),
                ("type", Text(Code)),
                ("text", Text(Symbol)),
                ("line", Texts(Symbol)),
                ("city", Text(Symbol)),
                ("district", Text(Symbol)),
                ("state", Text(Symbol)),
                ("postalCode", Text(Symbol)),
                ("country", Text(Symbol)),
                ("period", Complex(Self::Period)),
            ],
            Self::HumanName => &[
                ("use", Text(Code)),
                ("text", Text(Symbol)),
                ("family", Text(Symbol)),
                ("given", Texts(Symbol)),
                ("prefix", Texts(Symbol)),
                ("suffix", Texts(Symbol)),
                ("period", Complex(Self::Period)),
            ],
            Self::Identifier => &[
                ("system", Text(Uri)),
                ("value", Text(Symbol)),
                ("use", Text(Code)),
                ("period", Complex(Self::Period)),
            ],
            Self::Period => &[("start", Text(Datetime)), ("end", Text(Datetime))],
            Self::Coding => &[
                ("system", Text(Uri)),
                ("version", Text(Symbol)),
                ("code", Text(Code)),
                ("display", Text(Symbol)),
                ("userSelected", Boolean),
            ],
            Self::ContactPoint => &[
                ("system", Text(Code)),
                ("value", Text(Symbol)),
                ("use", Text(Code)),
                ("rank", Integer),
                ("period", Complex(Self::Period)),
            ],
            Self::ContactDetail => &[("name", Text(Symbol)), ("telecom", Complexes(Self::ContactPoint))],
            Self::Attachment => &[
                ("contentType", Text(Code)),
                ("language", Text(Code)),
                ("url", Text(Url)),
                ("size", Integer),
                ("hash", Text(Symbol)),
                ("title", Text(Symbol)),
                ("creation", Text(Datetime)),
            ],
            Self::GeoPoint => &[("lat", Decimal), ("lng", Decimal)],
            Self::Reference => &[("type", Text(Symbol)), ("display", Text(Symbol))],
            Self::CodeableConcept => &[("coding", Complexes(Self::Coding)), ("text", Text(Symbol))],
            Self::Quantity => &[
                ("value", Decimal),
                ("comparator", Text(Code)),
                ("unit", Text(Symbol)),
                ("system", Text(Uri)),
                ("code", Text(Code)),
            ],
        }
    }
}
