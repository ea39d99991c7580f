//! What a match engine delivers: records, kept as they were sent.

use super::reader::{Reader, integer, text, whole};
use crate::http::json::Object;
use caretrack_domain::{Delivered, Delivery, Edit, Refusal, ResultList, Rule, SearchError};
use indexmap::IndexMap;
use serde_json::value::RawValue;
use std::collections::HashSet;

/// What reads add to a record: the server's word, whatever was sent under these names.
pub const FLAG: &str = "recordFlag";
pub const LAST_UPDATED: &str = "recordLastUpdated";

const LONGEST_ID: usize = 64;

pub fn delivery(text: &str) -> Result<Delivery, Refusal> {
    whole(text, |body| {
        let names = ResultList::all().map(Into::<&str>::into);
        let is_alone = !names
            .chain(["summaryText", "inexplicable"])
            .any(|name| body.has(name));
        if let Edit::Set(error) = body.edit_object("error", error) {
            if !is_alone {
                body.wrong("error", "must be alone");
            }
            return Some(Delivery::Failed(error));
        }
        let lists = ResultList::all().filter_map(|list| Some((list, records(body, list.into())?)));
        Some(Delivery::Results(Delivered {
            lists: lists.collect(),
            summary_text: body.optional("summaryText", "must be a text", storable),
            inexplicable: body.optional("inexplicable", "must be an integer from 0", |value| {
                integer(value).filter(|number| *number >= 0)
            }),
        }))
    })
}

fn error(error: &mut Reader<'_, '_>) -> Option<SearchError> {
    let code = error.required("code", "must be a text", storable);
    let message = error.required("message", "must be a text", storable);
    Some(SearchError {
        code: code?,
        message: message?,
    })
}

/// The null character is none that every store can keep.
fn storable(value: &RawValue) -> Option<String> {
    text(value).filter(|text| !text.contains('\0'))
}

/// What is left out is empty.
fn records(body: &mut Reader<'_, '_>, name: &str) -> Option<Vec<(String, String)>> {
    let mut ids = HashSet::new();
    body.items(name, |item, path, problems| {
        let object = Object::nested(item, path.clone(), problems)?;
        let id = object.look_at("id").map(|id| storable(id).filter(|id| is_id(id)));
        let wrong = match &id {
            None => Some((Rule::Required, "is required")),
            Some(None) => Some((Rule::Pattern, "must be a text of 1 to 64 characters")),
            Some(Some(id)) if !ids.insert(id.clone()) => Some((Rule::Duplicate, "is there already")),
            Some(Some(_)) => None,
        };
        if let Some((rule, message)) = wrong {
            problems.add(format!("{path}.id"), rule, message);
        }
        Some((id??, content(item, object)))
    })
}

fn is_id(text: &str) -> bool {
    (1..=LONGEST_ID).contains(&text.chars().count())
}

/// As it was sent, without what reads would say twice.
fn content(item: &RawValue, object: Object<'_>) -> String {
    if object.look_at(FLAG).or(object.look_at(LAST_UPDATED)).is_none() {
        return item.get().to_owned();
    }
    let rest: IndexMap<_, _> = object
        .into_members()
        .filter(|(name, _)| name != FLAG && name != LAST_UPDATED)
        .collect();
    serde_json::to_string(&rest).unwrap_or_else(|_| item.get().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn faults(body: &Value) -> Vec<String> {
        let refused = delivery(&body.to_string()).err();
        let problems = refused.into_iter().flat_map(|refusal| refusal.problems);
        problems.map(|problem| problem.path).collect()
    }

    #[test]
    fn records_are_kept_as_they_were_sent() {
        let text = r#"{"donors":[{"id":"D-1", "p" : 0.50,"q":[1e2]},{"recordFlag":"NEW","id":"D-2","x":1}],"cbus":[],
            "summaryText":"2 donors","inexplicable":0,"other":1}"#;
        let Ok(Delivery::Results(delivered)) = delivery(text) else {
            panic!("it is one")
        };
        assert_eq!(
            delivered.lists[&ResultList::Donors],
            [
                (
                    "D-1".to_owned(),
                    r#"{"id":"D-1", "p" : 0.50,"q":[1e2]}"#.to_owned()
                ),
                ("D-2".to_owned(), r#"{"id":"D-2","x":1}"#.to_owned()),
            ]
        );
        assert_eq!(delivered.lists[&ResultList::Cbus], []);
        assert!(!delivered.lists.contains_key(&ResultList::Adcu));
        assert_eq!(
            (delivered.summary_text.as_deref(), delivered.inexplicable),
            (Some("2 donors"), Some(0))
        );
    }

    #[test]
    fn an_engine_may_fail() {
        let failed = delivery(r#"{"error":{"code":"down","message":"no"}}"#);
        assert_eq!(
            failed,
            Ok(Delivery::Failed(SearchError {
                code: "down".to_owned(),
                message: "no".to_owned()
            }))
        );
        assert_eq!(
            faults(&json!({"error": {"code": "down", "message": "no"}, "donors": []})),
            ["$.error"]
        );
        assert_eq!(
            faults(&json!({"error": {"code": 1}})),
            ["$.error.code", "$.error.message"]
        );
        assert_eq!(faults(&json!({"error": null})), [""; 0]);
    }

    #[test]
    fn each_bad_record_is_named() {
        let body = json!({
            "donors": [{"id": "1"}, {}, {"id": "1"}, {"id": ""}, {"id": "x".repeat(65)}, {"id": 1}, "x", {"id": "a\u{0}"}],
            "cbus": [{"id": "1"}], "adcu": {}, "cbbs": null, "summaryText": 1, "inexplicable": -1,
        });
        let mut expected = [1, 2, 3, 4, 5]
            .map(|number| format!("$.donors[{number}].id"))
            .to_vec();
        expected.extend(["$.donors[6]", "$.donors[7].id", "$.adcu", "$.cbbs"].map(str::to_owned));
        expected.extend(["$.summaryText", "$.inexplicable"].map(str::to_owned));
        assert_eq!(faults(&body), expected);
    }
}
