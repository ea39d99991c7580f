use super::*;

fn place() -> Place {
    Place {
        file: "a.json".into(),
        line: None,
        entry: None,
    }
}

fn read(text: &str) -> Vec<Result<Record, Rejected>> {
    let mut items = Vec::new();
    let _ = read_document(text, 0, &place(), &mut |found| {
        items.push(found.item);
        ControlFlow::Continue(())
    });
    items
}

fn one(text: &str) -> Result<Record, Rejected> {
    let mut items = read(text);
    assert_eq!(items.len(), 1);
    items.remove(0)
}

fn entry(entry: &str) -> Result<Record, Rejected> {
    one(&format!(
        r#"{{"resourceType":"Bundle","type":"batch","entry":[{entry}]}}"#
    ))
}

fn data(record: &Record) -> &str {
    match &record.change {
        Change::Upsert(raw) => raw.get(),
        Change::Delete => "",
    }
}

fn reason(item: Result<Record, Rejected>) -> String {
    item.expect_err("rejected").reason
}

#[test]
fn the_text_of_a_resource_is_kept_as_it_is() {
    let text = r#"{"resourceType":"Observation", "id":"o1","valueQuantity":{"value":4.70, "x":1E+05}}"#;
    let record = one(&format!("  {text}\r\n")).expect("a record");
    assert_eq!((record.kind.as_str(), record.id.as_str()), ("Observation", "o1"));
    assert_eq!(data(&record).trim(), text);
}

#[test]
fn ids_that_the_registry_refuses_become_the_same_uuid_every_time() {
    let dotted = r#"{"resourceType":"Organization","id":"2.16.840"}"#;
    let first = one(dotted).expect("a record").id;
    assert_eq!(one(dotted).expect("a record").id, first);
    assert!(Uuid::try_parse(&first).is_ok());
    let other_type = one(r#"{"resourceType":"Location","id":"2.16.840"}"#)
        .expect("a record")
        .id;
    assert_ne!(first, other_type);
    let deleted = entry(r#"{"request":{"method":"DELETE","url":"Organization/2.16.840"}}"#);
    assert_eq!(deleted.expect("a record").id, first);
}

#[test]
fn without_an_id_the_content_names_the_record_and_number_forms_count() {
    let id = |text: &str| one(text).expect("a record").id;
    let first = id(r#"{"resourceType":"Basic","a":{"x":1,"y":2.0}}"#);
    assert_eq!(id(r#"{ "a": {"y":2.0, "x":1}, "resourceType":"Basic" }"#), first);
    assert_ne!(id(r#"{"resourceType":"Basic","a":{"x":1,"y":2.00}}"#), first);
}

#[test]
fn the_id_patterns_are_those_of_the_registry() {
    for good in ["a", "-", "A_b-9", &"x".repeat(93)] {
        assert!(fits_id(good), "{good}");
    }
    for bad in ["", "_a", "a.b", "ä", "a b", &"x".repeat(94)] {
        assert!(!fits_id(bad), "{bad}");
    }
    assert!(fits_key(&"x".repeat(62)) && !fits_key(&"x".repeat(63)) && !fits_key("bulk"));
}

#[test]
fn an_entry_without_id_is_named_by_its_full_url() {
    let url = "urn:uuid:11AAF430-c2e6-5414-8458-cf0d6b9fdcf3";
    let post = |resource: &str| {
        entry(&format!(
            r#"{{"fullUrl":"{url}","resource":{resource},"request":{{"method":"POST","url":"Patient"}}}}"#
        ))
        .expect("a record")
        .id
    };
    assert_eq!(
        post(r#"{"resourceType":"Patient"}"#),
        "11aaf430-c2e6-5414-8458-cf0d6b9fdcf3"
    );
    assert_eq!(post(r#"{"resourceType":"Patient","id":"own"}"#), "own");
}

#[test]
fn a_put_goes_to_its_url() {
    let put = |url: &str| {
        entry(&format!(
            r#"{{"resource":{{"resourceType":"Patient","id":"x"}},"request":{{"method":"PUT","url":"{url}"}}}}"#
        ))
    };
    assert_eq!(put("Patient/p1").expect("a record").id, "p1");
    for bad in [
        "Practitioner/p1",
        "Patient?identifier=1",
        "Patient",
        "Patient/",
        "Patient/1/_history/2",
    ] {
        assert!(reason(put(bad)).contains("url of a PUT"), "{bad}");
    }
}

#[test]
fn entries_that_cannot_be_written_are_rejected_with_their_place() {
    assert!(reason(entry(r#"{"request":{"method":"GET","url":"Patient/1"}}"#)).contains("GET"));
    assert!(reason(entry(r#"{"request":{"method":"POST","url":"Patient"}}"#)).contains("no resource"));
    assert!(reason(entry(r#"{"request":{"method":"DELETE","url":"Patient?x=1"}}"#)).contains("DELETE"));
    assert!(reason(entry(r#"{"resource":{"resourceType":"Bundle"}}"#)).contains("within a bundle"));
    assert!(reason(entry("7")).contains("not a JSON object"));
    let rejected = entry(r#"{"resource":{"id":"x"}}"#).expect_err("rejected");
    assert_eq!(rejected.place.to_string(), "a.json:entry[0]");
}

#[test]
fn one_bad_entry_leaves_the_others() {
    let items = read(
        r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"A","id":"1"}},{},{"resource":{"resourceType":"A","id":"2"}}]}"#,
    );
    assert_eq!(
        items.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [true, false, true]
    );
}

#[test]
fn documents_that_are_no_resources_are_rejected() {
    for (text, part) in [
        ("[1]", "not a JSON object"),
        ("{\"a\":", "malformed JSON"),
        ("{} {}", "malformed JSON"),
        ("{}", "no resourceType"),
        (r#"{"resourceType":7}"#, "no resourceType"),
        (r#"{"resourceType":"A/B"}"#, "not a name"),
        (r#"{"resourceType":"A","id":7}"#, "id is not a string"),
        (r#"{"resourceType":"A","resourceType":"B"}"#, "duplicate field"),
        (r#"{"resourceType":"Bundle"}"#, "no type"),
        (r#"{"resourceType":"Bundle","type":"document"}"#, "'document'"),
        (
            r#"{"resourceType":"Bundle","type":"batch","entry":{}}"#,
            "not an array",
        ),
    ] {
        let reason = reason(one(text));
        assert!(reason.contains(part), "{text}: {reason}");
        assert!(!reason.contains("column"), "{reason}");
    }
    assert!(read(r#"{"resourceType":"Bundle","type":"batch"}"#).is_empty());
}

#[test]
fn breaking_ends_the_reading() {
    let mut seen = 0;
    let text = r#"{"resourceType":"Bundle","type":"batch","entry":[{},{},{}]}"#;
    let flow = read_document(text, 0, &place(), &mut |_| {
        seen += 1;
        ControlFlow::Break(())
    });
    assert!(flow.is_break());
    assert_eq!(seen, 1);
}
