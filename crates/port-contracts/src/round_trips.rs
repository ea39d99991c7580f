//! What is stored comes back as it was: texts byte for byte, instants to the microsecond.

use crate::fixture::{Contract, Outcome};
use crate::samples::{OURS, at, credential, facts, operation, patient, resource, task_id, workspace};
use crate::world::World;
use caretrack_domain::{
    Action, Contained, Identifier, IdentifierPeriod, Instant, NewTask, Operation, PasswordHash, Patient,
    Scopes, SecretHash, StoredSecret, TargetKind, TaskFacts, WmdaId, WorkspaceOptions,
};
use caretrack_ports::{PatientRef, Place};
use indexmap::IndexMap;
use time::Duration;
use time::macros::datetime;

pub(crate) const CONTRACTS: &[Contract] = &[
    ("instants_come_back_to_the_microsecond", |w| {
        Box::pin(instants_come_back_to_the_microsecond(w))
    }),
    ("data_comes_back_byte_for_byte", |w| {
        Box::pin(data_comes_back_byte_for_byte(w))
    }),
    ("payloads_come_back_byte_for_byte", |w| {
        Box::pin(payloads_come_back_byte_for_byte(w))
    }),
    ("contained_resources_and_identifiers_come_back", |w| {
        Box::pin(contained_resources_and_identifiers_come_back(w))
    }),
    ("workspaces_and_credentials_come_back", |w| {
        Box::pin(workspaces_and_credentials_come_back(w))
    }),
    ("patients_come_back", |w| Box::pin(patients_come_back(w))),
];

/// From the first year to the last that RFC 3339 has, and around the epoch.
fn instants() -> [Instant; 11] {
    let microsecond = Duration::MICROSECOND;
    [
        datetime!(0000-01-01 00:00 UTC),
        datetime!(0001-01-01 00:00 UTC),
        datetime!(1582-10-15 00:00 UTC),
        datetime!(1899-12-31 23:59:59.999999 UTC),
        Instant::UNIX_EPOCH - microsecond,
        Instant::UNIX_EPOCH,
        Instant::UNIX_EPOCH + microsecond,
        datetime!(2024-02-29 12:00:00.5 UTC),
        datetime!(2026-03-02 09:15:00.123456 UTC),
        datetime!(2038-01-19 03:14:08 UTC),
        datetime!(9999-12-31 23:59:59.999999 UTC),
    ]
}

async fn instants_come_back_to_the_microsecond(world: World) -> Outcome {
    for (n, instant) in (0..).zip(instants()) {
        let id = format!("r{n}");
        let mut sent = resource(&id, "{}", instant);
        sent.updated_at = instants()[10 - n as usize];
        let facts = TaskFacts {
            accepted_at: instant,
            due_at: Some(sent.updated_at),
            eta: instant,
            ..facts(n, 0)
        };
        world
            .write(instant, |c| {
                c.put_resource(OURS, None, Place::AtCommit, sent.clone());
                c.insert_task(NewTask::accepted(facts.clone(), Vec::new()));
            })
            .await?;
        let stored = world.record(&id).await?.and_then(|stored| stored.resource);
        assert_eq!(stored, Some(sent));
        assert_eq!(*world.task(task_id(n)).await?.facts(), facts);
    }
    let events = world.list_events(OURS, 0, i64::MAX, 99).await?;
    assert!(events.iter().map(|entry| entry.at).eq(instants()));
    Ok(())
}

/// Texts that a store of JSON values, of numbers or of C strings would change.
fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "{}",
        r#"{"value": 4.70, "b":1,"a" : 2}"#,
        r#"{"big": 123456789012345678901234567890, "exponent": 1E+400, "minus": -0.0}"#,
        r#"{"twice": 1, "twice": 2}"#,
        r#"{"nul": "\u0000", "lone": "\ud800", "slash": "\/", "e": "\u00e9"}"#,
        "{\"é\": \"e\u{301}\", \"astral\": \"\u{1F9EC}\", \"rtl\": \"\u{202E}\", \"end\": \"\u{10FFFF}\"}",
        "{\r\n\t\"quotes\": \"'; DROP TABLE tasks; -- $1 ? :name \\\\ \"\n}",
    ]
    .map(str::to_owned)
    .into();
    texts.push(format!(r#"{{"long": "{}"}}"#, "é".repeat(512 * 1024)));
    texts
}

async fn data_comes_back_byte_for_byte(world: World) -> Outcome {
    for (n, text) in texts().into_iter().enumerate() {
        let stored = world.put(&format!("r{n}"), &text, at(0)).await?;
        let data = stored.resource.map(|resource| resource.data);
        assert!(data.as_ref() == Some(&text), "text {n} came back another");
        // Replaced, too.
        let stored = world.put("same", &text, at(0)).await?;
        assert!(
            stored.resource.is_some_and(|resource| resource.data == text),
            "text {n}"
        );
    }
    Ok(())
}

async fn payloads_come_back_byte_for_byte(world: World) -> Outcome {
    let payloads = texts().into_iter().map(Some).chain([None, Some(String::new())]);
    let mut operations: Vec<Operation> = (0..)
        .zip(payloads)
        .map(|(seq, payload)| Operation {
            payload,
            ..operation(seq)
        })
        .collect();
    let actions = [Action::Create, Action::Upsert, Action::Update, Action::Delete];
    for (operation, action) in operations.iter_mut().zip(actions) {
        operation.action = action;
    }
    operations[1].target.kind = TargetKind::Relationship;
    operations[2].target.of.push_str("-Ünïcode'\"");
    operations[3].target.id = String::new();
    world.accept_with(facts(1, 0), operations.clone()).await?;
    let stored = world.operations(OURS, task_id(1), 0, 99).await?;
    for (stored, sent) in stored.iter().zip(&operations) {
        assert!(stored == sent, "operation {} came back another", sent.seq);
    }
    assert_eq!(stored.len(), operations.len());
    let claimed = world.take(1, 0x70, at(1)).await?.tasks;
    assert!(claimed[0].operations == operations, "and so they are handed out");
    Ok(())
}

/// In the order they were sent, members and all.
async fn contained_resources_and_identifiers_come_back(world: World) -> Outcome {
    let contained = r#"{"zebras": [
        {"id": "z-2", "type": "zebra", "data": {"value": 4.70, "b": 1, "a" : 2},
         "contained": {"stripes": [{"type": "stripe", "data": {"nul": "\u0000"}}], "arms": []}},
        {"type": "zebra", "data": {}}],
        "antelopes": [{"id": "a-1", "type": "antelope", "data": {}}]}"#;
    let contained: IndexMap<String, Vec<Contained>> =
        serde_json::from_str(contained).expect("the sample is a map of contained resources");
    let identifiers = vec![
        Identifier {
            id: Some("i1".to_owned()),
            system: Some("urn:oid:2.16.840.1.113883.4.1".to_owned()),
            value: Some("é'\"\u{1F9EC}".to_owned()),
            used_as: Some("official".to_owned()),
            period: Some(IdentifierPeriod {
                id: None,
                start: Some("2024-02-30, or so".to_owned()),
                end: Some(String::new()),
            }),
        },
        Identifier::default(),
        Identifier {
            period: Some(IdentifierPeriod::default()),
            ..Identifier::default()
        },
    ];
    let mut sent = resource("r0", "{}", at(0));
    (sent.contained, sent.identifiers) = (contained, identifiers);
    world
        .write(at(0), |c| {
            c.put_resource(OURS, None, Place::AtCommit, sent.clone());
        })
        .await?;
    let stored = world.record("r0").await?.expect("it was put");
    let resource = stored.resource.as_ref().expect("it is live");
    assert_eq!(*resource, sent);
    let order = |contained: &IndexMap<String, Vec<Contained>>| contained.keys().cloned().collect::<Vec<_>>();
    assert_eq!(order(&resource.contained), ["zebras", "antelopes"]);
    assert_eq!(
        order(&resource.contained["zebras"][0].contained),
        ["stripes", "arms"]
    );
    let listed = world
        .list_resources(OURS, &sent.key.source, &sent.key.of, None, 9)
        .await?;
    assert_eq!(listed, [stored]);
    Ok(())
}

async fn workspaces_and_credentials_come_back(world: World) -> Outcome {
    for (n, open_profiles) in [(1, None), (2, Some(true)), (3, Some(false))] {
        let mut sent = workspace(n, &format!("w{n}"));
        sent.options = WorkspaceOptions {
            open_profiles,
            partner_key_required: open_profiles.map(|open| !open),
        };
        sent.created_at = at(0) + Duration::microseconds(123_456);
        world.write(at(0), |c| c.insert_workspace(sent.clone())).await?;
        assert_eq!(world.find_workspace(sent.id).await?, Some(sent.clone()));
        assert_eq!(world.find_workspace_by_key(&sent.key).await?, Some(sent));
    }
    // Hashes are bytes, not texts.
    let hash = |n: u8| {
        let mut hash = [n; 32];
        hash[..4].copy_from_slice(&[0, 0xFF, 0x27, 0x80]);
        SecretHash(hash)
    };
    let password = |text: &str| StoredSecret::Client(PasswordHash(text.to_owned()));
    for (n, scopes, secret) in [
        (1, Scopes::all(), StoredSecret::ApiKey(hash(1))),
        (2, Scopes::default(), StoredSecret::PartnerKey(hash(2))),
        (
            3,
            credential(1, 1).scopes,
            password("$argon2id$v=19$m=8,t=1,p=1$c$x"),
        ),
        // Two clients may have one hash, should chance give them one salt.
        (
            4,
            credential(1, 1).scopes,
            password("$argon2id$v=19$m=8,t=1,p=1$c$x"),
        ),
    ] {
        let mut sent = credential(n, 0);
        (sent.scopes, sent.administrator) = (scopes, n == 1);
        sent.secret = secret;
        sent.name = "Dr. O'Neill — “ops”\n".repeat(usize::try_from(n).unwrap_or(1));
        world.write(at(0), |c| c.insert_credential(sent.clone())).await?;
        assert_eq!(world.find_credential(OURS, sent.id).await?, Some(sent.clone()));
        let as_client = world.find_client(sent.id).await?;
        match sent.secret.hash() {
            Some(hash) => {
                assert_eq!(as_client, None);
                assert_eq!(world.find_credential_by_secret(hash).await?, Some(sent));
            }
            None => assert_eq!(as_client, Some(sent)),
        }
    }
    Ok(())
}

async fn patients_come_back(world: World) -> Outcome {
    let longest = "~".repeat(64);
    let patients = [
        patient(1, WmdaId::LOWEST, None),
        patient(2, WmdaId::HIGHEST, Some(&longest)),
        Patient {
            active: false,
            ..patient(3, 200_003, Some("!'\"%_\\"))
        },
    ];
    for mut sent in patients {
        world.write(at(0), |c| c.put_patient(None, sent.clone())).await?;
        let by_id = PatientRef::Id(sent.id);
        assert_eq!(world.find_patient(OURS, by_id).await?, Some(sent.clone()));
        // All of it may change but the id.
        (sent.active, sent.revision) = (!sent.active, 1);
        sent.local_id = None;
        sent.wmda_id = WmdaId::parse(sent.wmda_id.number() / 2 + 100_000).unwrap_or(sent.wmda_id);
        world
            .write(at(1), |c| c.put_patient(Some(0), sent.clone()))
            .await?;
        let by_number = PatientRef::Wmda(sent.wmda_id);
        assert_eq!(world.find_patient(OURS, by_id).await?, Some(sent.clone()));
        assert_eq!(world.find_patient(OURS, by_number).await?, Some(sent));
    }
    Ok(())
}
