use super::*;
use serde_json::{Value, json};

fn faults<T>(read: impl FnOnce(&str) -> Result<T, Refusal>, body: &Value) -> Vec<String> {
    let refused = read(&body.to_string()).err();
    let problems = refused.into_iter().flat_map(|refusal| refusal.problems);
    problems.map(|problem| problem.path).collect()
}

/// `body` with a member set, or left out.
fn with(body: &Value, name: &str, value: Option<Value>) -> Value {
    let mut body = body.clone();
    match value {
        Some(value) => body[name] = value,
        None => drop(body.as_object_mut().unwrap().remove(name)),
    }
    body
}

#[test]
fn a_patient_is_named_by_an_integer() {
    for good in [json!(48_213_907), json!(0), json!(-1), json!(u64::MAX)] {
        assert_eq!(faults(patient, &json!({"wmdaId": good})), [""; 0]);
    }
    for bad in [json!("48213907"), json!(1.5), json!(true), json!(null), json!([])] {
        assert_eq!(faults(patient, &json!({"wmdaId": bad})), ["$.wmdaId"], "{bad}");
    }
    assert_eq!(faults(patient, &json!({"WmdaId": 48_213_907})), ["$.wmdaId"]);
    assert!(Numbered(0).patient().is_err() && Numbered(48_213_907).patient().is_ok());
}

#[test]
fn a_stop_needs_a_reason_that_ends_a_search() {
    let stop = json!({"wmdaId": 48_213_907, "newStatus": "STP", "changeReason": "FND"});
    assert_eq!(faults(status, &stop), [""; 0]);
    for bad in [
        None,
        Some(json!(null)),
        Some(json!("")),
        Some(json!("NPH")),
        Some(json!("NML")),
        Some(json!("RCM")),
        Some(json!("AUT")),
        Some(json!("fnd")),
        Some(json!("QQQ")),
        Some(json!(1)),
    ] {
        assert_eq!(
            faults(status, &with(&stop, "changeReason", bad.clone())),
            ["$.changeReason"],
            "{bad:?}"
        );
    }
}

#[test]
fn other_statuses_take_any_reason_of_a_client_or_none() {
    for target in ["PRE", "ACT", "SUS"] {
        let change = json!({"wmdaId": 48_213_907, "newStatus": target});
        assert_eq!(faults(status, &change), [""; 0]);
        for reason in ["NPH", "FND", "UNK"] {
            assert_eq!(
                faults(status, &with(&change, "changeReason", Some(json!(reason)))),
                [""; 0]
            );
        }
        for reason in ["AUT", "QQQ", ""] {
            let change = with(&change, "changeReason", Some(json!(reason)));
            assert_eq!(faults(status, &change), ["$.changeReason"], "{target} {reason}");
        }
    }
}

#[test]
fn new_and_unknown_words_are_no_statuses() {
    for bad in [
        json!("NEW"),
        json!("ANO"),
        json!("stp"),
        json!("X"),
        json!(null),
        json!(1),
        json!(""),
    ] {
        let change = json!({"wmdaId": 48_213_907, "newStatus": bad, "changeReason": "FND"});
        assert_eq!(faults(status, &change), ["$.newStatus"], "{bad}");
    }
    let all = json!({"newStatus": "NEW", "changeReason": "AUT"});
    assert_eq!(
        faults(status, &all),
        ["$.wmdaId", "$.newStatus", "$.changeReason"]
    );
}

#[test]
fn a_user_is_named_or_null() {
    let assign = json!({"wmdaId": 48_213_907, "userName": "j.demo@example.org"});
    assert_eq!(faults(user, &assign), [""; 0]);
    let (_, none) = user(&with(&assign, "userName", Some(Value::Null)).to_string()).unwrap();
    assert_eq!(none, None);
    for bad in [
        None,
        Some(json!("abc")),
        Some(json!("x".repeat(101))),
        Some(json!(1)),
        Some(json!("abc\u{0}")),
    ] {
        assert_eq!(
            faults(user, &with(&assign, "userName", bad.clone())),
            ["$.userName"],
            "{bad:?}"
        );
    }
}

fn search() -> Value {
    json!({
        "wmdaId": 48_213_907, "matchEngine": 2, "searchType": "DR", "overallMismatches": 0,
        "lociToBeConsidered": ["A", "B", "DRB1"], "isCbuAbLowDrb1HighResolution": false,
    })
}

#[test]
fn a_search_is_read_with_its_defaults() {
    let wmda_id = WmdaId::parse(48_213_907).unwrap();
    let (_, order) = new_search(&search().to_string()).unwrap();
    assert_eq!(
        order.of(wmda_id).loci,
        Some(vec![Locus::A, Locus::B, Locus::Drb1])
    );
    let least = json!({
        "wmdaId": 48_213_907, "matchEngine": 3, "searchType": "CB", "lociToBeConsidered": null,
        "isCbuAbLowDrb1HighResolution": null, "searchOnlyOwnIon": null,
    });
    let (_, order) = new_search(&least.to_string()).unwrap();
    assert_eq!(
        order.of(wmda_id),
        NewSearch {
            wmda_id,
            engine: SearchEngine::Atlas,
            kind: SearchType::CB,
            overall_mismatches: 0,
            loci: None,
            is_cbu_ab_low_drb1_high_resolution: false,
            search_only_own_ion: false,
        }
    );
}

#[test]
fn each_bad_member_of_a_search_is_named() {
    for (member, bad) in [
        (
            "matchEngine",
            vec![
                None,
                Some(json!(null)),
                Some(json!(1)),
                Some(json!("2")),
                Some(json!(4)),
            ],
        ),
        (
            "searchType",
            vec![None, Some(json!("dr")), Some(json!("XX")), Some(json!(1))],
        ),
        (
            "overallMismatches",
            vec![
                Some(json!(null)),
                Some(json!(-1)),
                Some(json!(8)),
                Some(json!(0.5)),
                Some(json!("0")),
            ],
        ),
        (
            "lociToBeConsidered",
            vec![Some(json!([])), Some(json!("A")), Some(json!({}))],
        ),
        (
            "isCbuAbLowDrb1HighResolution",
            vec![Some(json!("true")), Some(json!(0))],
        ),
        ("searchOnlyOwnIon", vec![Some(json!("no"))]),
    ] {
        for bad in bad {
            let found = faults(new_search, &with(&search(), member, bad.clone()));
            assert_eq!(found, [format!("$.{member}")], "{bad:?}");
        }
    }
    let loci = with(
        &search(),
        "lociToBeConsidered",
        Some(json!(["A", "a", "B", "A", 1])),
    );
    let expected = [1, 3, 4].map(|number| format!("$.lociToBeConsidered[{number}]"));
    assert_eq!(faults(new_search, &loci), expected);
}

#[test]
fn results_are_wanted_from_somewhere_in_some_order() {
    let (number, wanted) = donors_wanted(r#"{"searchId":7}"#).unwrap();
    let usual = ResultsQuery {
        list: ResultList::Donors,
        updated_from: None,
        order: ResultOrder::Standard,
        limit: 100,
        offset: 0,
    };
    assert_eq!((number, wanted), (Numbered(7), usual));
    let body = json!({
        "searchId": 7, "pagination": {"limit": 5, "offset": 10}, "sortBy": "lastUpdated",
        "filters": {"recordLastUpdatedFrom": "2026-02-03T10:30:00+01:00"},
        "threeFourMismatchSortBy": "none", "secondarySortBy": "resolutionScore",
    });
    let (_, wanted) = cbus_wanted(&body.to_string()).unwrap();
    assert_eq!(
        (wanted.list, wanted.order),
        (ResultList::Cbus, ResultOrder::LastUpdated)
    );
    assert_eq!((wanted.limit, wanted.offset), (5, 10));
    assert_eq!(
        wanted.updated_from,
        Some(time::macros::datetime!(2026-02-03 09:30 UTC))
    );
    for null in [
        "pagination",
        "filters",
        "sortBy",
        "threeFourMismatchSortBy",
        "secondarySortBy",
    ] {
        assert!(
            cbus_wanted(&with(&body, null, Some(Value::Null)).to_string()).is_ok(),
            "{null}"
        );
    }
}

#[test]
fn each_bad_wish_is_named() {
    let body = json!({
        "searchId": "7", "pagination": {"limit": 0, "offset": -1}, "sortBy": "id",
        "filters": {"recordLastUpdatedFrom": "yesterday"}, "threeFourMismatchSortBy": "x", "secondarySortBy": "none",
    });
    let mut expected = ["$.searchId", "$.pagination.limit", "$.pagination.offset"].to_vec();
    expected.extend(["$.filters.recordLastUpdatedFrom", "$.sortBy"]);
    assert_eq!(faults(donors_wanted, &body), expected);
    let of_units = ["$.threeFourMismatchSortBy", "$.secondarySortBy"];
    assert_eq!(faults(cbus_wanted, &body), [&of_units[..], &expected].concat());
}
