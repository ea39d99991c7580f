//! Credentials of every kind: who they make of a caller, and what becomes of bad ones.

use super::support::{KEY, PEER, World, request_id};
use crate::{
    Attempt, Caller, CredentialDraft, MadeCredential, Presented, Rate, Settings, Unauthenticated,
    UseCaseError,
};
use caretrack_domain::{
    AuditOutcome, CredentialKind, Key, Login, LoginKind, Scope, Scopes, WorkspaceOptions,
};
use std::sync::atomic::Ordering;
use std::time::Duration;

async fn made(world: &World, kind: CredentialKind) -> MadeCredential {
    let draft = CredentialDraft {
        kind,
        name: "one".into(),
        scopes: Scopes::parse(["tracker:internal"]).unwrap(),
        workspace: None,
    };
    world.app.add_credential(&world.caller, draft).await.unwrap()
}

fn as_client<'a>(username: &'a str, password: &'a str) -> Presented<'a> {
    Presented::Client { username, password }
}

fn is_bad(outcome: &Result<Caller, UseCaseError>) -> bool {
    matches!(outcome, Err(UseCaseError::Unauthenticated(Unauthenticated::Bad)))
}

/// Entries of callers who could not be told, newest first.
async fn of_nobody(world: &World) -> Vec<(String, String)> {
    let page = world
        .app
        .list_audit(&world.caller, true, None, 1000)
        .await
        .unwrap();
    let entries = page.items.into_iter().map(|(_, entry)| entry);
    entries
        .map(|entry| {
            assert_eq!((entry.workspace, entry.outcome), (None, AuditOutcome::Refused));
            (entry.action, entry.target)
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_client_logs_in_with_its_name_and_its_password_only() {
    let world = World::new().await;
    let (one, two) = (
        made(&world, CredentialKind::Client).await,
        made(&world, CredentialKind::Client).await,
    );
    let (name, other) = (one.credential.id.username(), two.credential.id.username());
    let caller = world.login_as(as_client(&name, &one.secret)).await.unwrap();
    assert_eq!(caller.who.login, Login::Client(one.credential.id));
    assert!(caller.require(Scope::TrackerInternal).is_ok() && caller.require(Scope::TrackerPatient).is_err());
    let nobody = "cl_00000000000000000000000000000000";
    for (name, password) in [
        (name.as_str(), two.secret.as_str()),
        (&other, &one.secret),
        (&name, ""),
        (&name, &"x".repeat(513)),
        (nobody, &one.secret),
        ("", &one.secret),
        ("admin", "admin"),
    ] {
        assert!(
            is_bad(&world.login_as(as_client(name, password)).await),
            "{name} {password}"
        );
    }
    // A password is no key, and the hash of one no password.
    assert!(is_bad(&world.login(&one.secret).await));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_name_is_judged_as_long_as_a_known_one() {
    let world = World::new().await;
    let client = made(&world, CredentialKind::Client).await;
    let name = client.credential.id.username();
    let mut took = Vec::new();
    for name in [name.as_str(), "cl_00000000000000000000000000000000", "nobody"] {
        let began = tokio::time::Instant::now();
        assert!(is_bad(&world.login_as(as_client(name, "wrong")).await));
        took.push(began.elapsed());
    }
    assert!(
        took.iter().all(|time| *time == took[0] && *time > Duration::ZERO),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_proven_password_is_not_judged_again_until_it_is_revoked() {
    let world = World::new().await;
    let client = made(&world, CredentialKind::Client).await;
    let name = client.credential.id.username();
    let login = || world.login_as(as_client(&name, &client.secret));
    // Many at once, few at a time, and one for all.
    let logins = futures::future::join_all((0..200).map(|_| login())).await;
    assert!(logins.iter().all(Result::is_ok));
    assert_eq!(world.hasher.asked.load(Ordering::Relaxed), 1);
    tokio::time::advance(Duration::from_mins(4)).await;
    assert!(login().await.is_ok());
    assert_eq!(world.hasher.asked.load(Ordering::Relaxed), 1);
    tokio::time::advance(Duration::from_mins(2)).await;
    assert!(login().await.is_ok());
    assert_eq!(world.hasher.asked.load(Ordering::Relaxed), 2);
    world
        .app
        .revoke_credential(&world.caller, client.credential.id)
        .await
        .unwrap();
    assert!(is_bad(&login().await));
}

/// However many ask at once for what was remembered a second ago: one look-up for each thing.
#[tokio::test(start_paused = true)]
async fn a_crowd_with_one_credential_is_one_look_up() {
    const CROWD: usize = 3000;
    let world = World::new().await;
    let client = made(&world, CredentialKind::Client).await;
    let partner = made(&world, CredentialKind::PartnerKey).await;
    let name = client.credential.id.username();
    let password = as_client(&name, &client.secret);
    assert!(world.login_as(password).await.is_ok());
    world.store.slowness.store(20, Ordering::Relaxed);
    let look_ups = || world.store.looked_up.swap(0, Ordering::Relaxed);
    let token = Presented::Token("default user-1");
    for (presented, expected) in [(Presented::ApiKey(KEY), 1), (password, 1), (token, 1)] {
        tokio::time::advance(Duration::from_secs(2)).await;
        look_ups();
        let crowd = (0..CROWD).map(|_| world.login_as(presented));
        let all = futures::future::join_all(crowd).await;
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(look_ups(), expected);
        // Remembered now.
        assert!(world.login_as(presented).await.is_ok());
        assert_eq!(look_ups(), 0);
    }
    // A workspace's options, and a partner key, where one is demanded.
    let settings = Settings {
        partner_key_workspaces: [Key::parse("default").unwrap()].into(),
        ..Settings::default()
    };
    let strict = world.another(settings);
    look_ups();
    let crowd = (0..CROWD).map(|_| strict.require_partner_key(&world.caller, Some(&partner.secret), PEER));
    let all = futures::future::join_all(crowd).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(look_ups(), 2);
    // Nobody's key: once, and once more for those who came when that was being asked already.
    let crowd = (0..CROWD).map(|_| world.login("ct_nobody"));
    let all = futures::future::join_all(crowd).await;
    assert!(all.iter().all(is_bad));
    assert_eq!(look_ups(), 2);
}

#[tokio::test(start_paused = true)]
async fn more_passwords_than_can_wait_are_turned_away() {
    let world = World::new().await;
    let client = made(&world, CredentialKind::Client).await;
    let name = client.credential.id.username();
    let logins =
        futures::future::join_all((0..1200).map(|_| world.login_as(as_client(&name, "wrong")))).await;
    let busy = logins
        .iter()
        .filter(|login| matches!(login, Err(UseCaseError::Busy(_))))
        .count();
    let bad = logins.iter().filter(|login| is_bad(login)).count();
    assert!(busy > 100 && bad + busy == 1200, "{busy} busy, {bad} bad");
}

#[tokio::test(start_paused = true)]
async fn a_token_makes_a_caller_of_its_workspace() {
    let world = World::new().await;
    let caller = world.login_as(Presented::Token("default user-1")).await.unwrap();
    assert_eq!(caller.who.workspace, world.caller.who.workspace);
    assert_eq!(caller.who.scopes.words().collect::<Vec<_>>(), ["job:read"]);
    assert!(!caller.who.administrator);
    for token in ["nowhere user-1", "bulk user-1", " user-1", "forged"] {
        assert!(is_bad(&world.login_as(Presented::Token(token)).await), "{token}");
    }
    let later = world.login_as(Presented::Token("later")).await;
    assert!(matches!(later, Err(UseCaseError::Busy(_))));
}

#[tokio::test(start_paused = true)]
async fn only_the_accepted_kinds_open_anything() {
    let world = World::new().await;
    let attempt = async |presented: &[Presented<'_>], accepted: &[LoginKind]| {
        let request_id = request_id();
        let attempt = Attempt {
            presented,
            accepted,
            peer: PEER,
            request_id,
            trace: None,
        };
        world.app.authenticate(attempt).await
    };
    let (key, token) = (Presented::ApiKey(KEY), Presented::Token("default user-1"));
    let nothing = attempt(&[], &[LoginKind::ApiKey]).await;
    let missing = Err(UseCaseError::Unauthenticated(Unauthenticated::Missing));
    assert_eq!(
        format!("{nothing:?}"),
        format!("{:?}", missing as Result<Caller, _>)
    );
    assert!(is_bad(
        &attempt(&[key], &[LoginKind::Token, LoginKind::Client]).await
    ));
    let first = attempt(&[token, key], &[LoginKind::ApiKey, LoginKind::Token])
        .await
        .unwrap();
    assert!(matches!(first.who.login, Login::Token(_)));
    let other = attempt(&[token, key], &[LoginKind::ApiKey]).await.unwrap();
    assert!(matches!(other.who.login, Login::ApiKey(_)));
    // The first that is accepted counts, even if it is bad.
    let bad = Presented::Token("forged");
    assert!(is_bad(
        &attempt(&[bad, key], &[LoginKind::ApiKey, LoginKind::Token]).await
    ));
}

#[tokio::test(start_paused = true)]
async fn a_partner_key_is_asked_for_where_it_is_demanded() {
    let settings = Settings {
        partner_key_workspaces: [Key::parse("south").unwrap()].into(),
        ..Settings::default()
    };
    let world = World::with(settings).await;
    for (key, required) in [("south", None), ("north", Some(true)), ("lax", Some(false))] {
        let options = WorkspaceOptions {
            partner_key_required: required,
            ..WorkspaceOptions::default()
        };
        let key = Key::parse(key).unwrap();
        world
            .app
            .add_workspace(&world.caller, key, options)
            .await
            .unwrap();
    }
    let partner = |workspace: &str| {
        let draft = CredentialDraft {
            kind: CredentialKind::PartnerKey,
            name: "a partner".into(),
            scopes: Scopes::default(),
            workspace: Some(Key::parse(workspace).unwrap()),
        };
        world.app.add_credential(&world.caller, draft)
    };
    let (south, north) = (partner("south").await.unwrap(), partner("north").await.unwrap());
    let check = async |workspace: &str, key: Option<&str>| {
        let token = format!("{workspace} user-1");
        let caller = world.login_as(Presented::Token(&token)).await.unwrap();
        let checked = world.app.require_partner_key(&caller, key, PEER).await;
        checked.map_err(|error| {
            let UseCaseError::Unauthenticated(why) = error else {
                panic!("{error}");
            };
            why
        })
    };
    for workspace in ["default", "lax"] {
        assert_eq!(check(workspace, None).await, Ok(()));
        assert_eq!(check(workspace, Some("cp_wrong")).await, Ok(()));
    }
    for (workspace, own, others) in [("south", &south, &north), ("north", &north, &south)] {
        assert_eq!(
            check(workspace, None).await,
            Err(Unauthenticated::PartnerKeyMissing)
        );
        for bad in ["", "cp_wrong", KEY, &others.secret, &"x".repeat(600)] {
            assert_eq!(
                check(workspace, Some(bad)).await,
                Err(Unauthenticated::PartnerKeyBad),
                "{bad}"
            );
        }
        assert_eq!(check(workspace, Some(&own.secret)).await, Ok(()));
    }
    // It opens nothing by itself.
    assert!(is_bad(&world.login(&south.secret).await));
}

#[tokio::test(start_paused = true)]
async fn bad_credentials_become_too_many_and_good_ones_stay_good() {
    let settings = Settings {
        failed_logins: Rate::of(10, Duration::from_mins(1), 3),
        ..Settings::default()
    };
    let world = World::with(settings).await;
    let client = made(&world, CredentialKind::Client).await;
    let name = client.credential.id.username();
    for _ in 0..3 {
        assert!(is_bad(&world.login("ct_wrong").await));
    }
    let after = |outcome: Result<Caller, UseCaseError>| match outcome {
        Err(UseCaseError::RateLimited { retry_after }) => retry_after,
        other => panic!("{other:?}"),
    };
    for presented in [
        Presented::ApiKey("ct_wrong"),
        Presented::Token("forged"),
        as_client(&name, &client.secret),
    ] {
        assert_eq!(after(world.login_as(presented).await), Duration::from_secs(6));
    }
    assert_eq!(
        world.hasher.asked.load(Ordering::Relaxed),
        0,
        "judged in spite of it"
    );
    assert!(world.login(KEY).await.is_ok());
    assert!(world.login_as(Presented::Token("default user-1")).await.is_ok());
    tokio::time::advance(Duration::from_secs(6)).await;
    assert!(world.login_as(as_client(&name, &client.secret)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_principal_may_not_ask_without_end() {
    let settings = Settings {
        requests: Rate::of(1, Duration::from_secs(1), 2),
        ..Settings::default()
    };
    let world = World::with(settings).await;
    // The world has logged in once.
    assert!(world.login(KEY).await.is_ok());
    let limited = world.login(KEY).await;
    assert!(matches!(limited, Err(UseCaseError::RateLimited { .. })));
    assert_eq!(
        world.audit().await.pop().unwrap(),
        ("authenticate".to_owned(), AuditOutcome::Refused)
    );
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(world.login(KEY).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn refused_access_is_noted_and_counted_beyond_measure() {
    let settings = Settings {
        noted_refusals: 2,
        ..Settings::default()
    };
    let world = World::with(settings).await;
    for _ in 0..5 {
        assert!(is_bad(&world.login("ct_wrong").await));
    }
    let noted = ("authenticate".to_owned(), "from 127.0.0.1".to_owned());
    assert_eq!(of_nobody(&world).await, [noted.clone(), noted.clone()]);
    world.app.note_counted_refusals().await;
    world.app.note_counted_refusals().await;
    let counted = ("access.count".to_owned(), "3 more from 127.0.0.1".to_owned());
    assert_eq!(of_nobody(&world).await, [counted, noted.clone(), noted]);
    // What is refused to one who is known stands in his workspace.
    let reader = made(&world, CredentialKind::ApiKey).await;
    let reader = world.login(&reader.secret).await.unwrap();
    let before = world.audit().await.len();
    for _ in 0..5 {
        let denied = world
            .app
            .revoke_credential(&reader, world.caller.who.actor().credential().unwrap())
            .await;
        assert!(matches!(denied, Err(UseCaseError::Forbidden(_))));
    }
    world.app.note_counted_refusals().await;
    let log = world.audit().await;
    let actions: Vec<_> = log[before..].iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(
        actions,
        ["credential.revoke", "credential.revoke", "access.count"]
    );
    // Only the administrator sees what nobody did.
    let operator = CredentialDraft {
        kind: CredentialKind::ApiKey,
        name: "an operator".into(),
        scopes: Scopes::all(),
        workspace: None,
    };
    let operator = world.app.add_credential(&world.caller, operator).await.unwrap();
    let operator = world.login(&operator.secret).await.unwrap();
    assert!(world.app.list_audit(&operator, true, None, 10).await.is_err());
}
