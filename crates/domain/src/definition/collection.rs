//! Collections: another way to put a profile or a relationship definition.

use super::members::Members;
use super::{NotTaken, Profile};
use crate::{JsonPath, Problems, Rule};
use serde_json::{Map, Value};

/// What a collection is of.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    strum::Display,
    strum::EnumIter,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "lowercase")]
pub enum CollectionType {
    Resources,
    Relationships,
}

/// Left out on purpose.
const EXCLUDED: &str = "objects";

impl CollectionType {
    /// The body of a PUT: the type, and what its records look like.
    pub fn read(body: &Map<String, Value>) -> Result<(Self, Profile), NotTaken> {
        let mut problems = Problems::default();
        let path = JsonPath::Root("$");
        let mut members = Members::new(body, path);
        let word = members.required_string("type", &mut problems);
        if word == Some(EXCLUDED) {
            return Err(NotTaken::Unsupported);
        }
        let of: Option<Self> = word.and_then(|word| {
            let parsed = word.parse().ok();
            if parsed.is_none() {
                problems.add("$.type", Rule::Enum, "must be resources or relationships");
            }
            parsed
        });
        let profile = members.required("profile", &mut problems);
        members.refuse_the_rest(&mut problems);
        let profile = profile.and_then(|profile| {
            let path = path.member("profile");
            let profile = super::members::object(profile, path, &mut problems)?;
            if of == Some(Self::Relationships) && profile.contains_key("contained") {
                problems.add(path.member("contained"), Rule::Unknown, "is not a member here");
            }
            Some(Profile::read(profile, "$.profile"))
        });
        match (of, profile) {
            (Some(of), Some(Ok(profile))) if problems.is_empty() => Ok((of, profile)),
            (_, Some(Err(NotTaken::Refused(refusal)))) => {
                problems.extend(refusal.problems);
                Err(problems.into())
            }
            (_, Some(Err(NotTaken::Unsupported))) if problems.is_empty() => Err(NotTaken::Unsupported),
            _ => Err(problems.into()),
        }
    }
}
