//! Asked again under one key: told again, and done once.

use super::support::{World, create, key, put};
use crate::idempotency::LIFETIME;
use crate::{Asker, Caller, CredentialDraft, Keeping, Keyed, MadeCredential, UseCaseError, Written};
use caretrack_domain::{
    CredentialKind, IdempotencyKey, KeptAnswer, KeyConflict, RequestDigest, Scopes, Task, TaskId,
};
use futures::future::join_all;
use std::sync::Arc;
use std::time::Duration;

/// Somebody who sends a request under a key and reads the answer as text.
struct Sender {
    caller: Caller,
    keyed: Keyed,
}

impl Sender {
    fn of(world: &World, key: &str, body: &str) -> Self {
        let mut digest = RequestDigest::new("PUT", "/pt-1");
        digest.body(body.as_bytes());
        Self {
            caller: world.caller.clone(),
            keyed: Keyed::new(IdempotencyKey::parse(key).unwrap(), digest),
        }
    }
}

fn text(written: &Written) -> String {
    format!("{} {}", written.task, written.created)
}

fn again(kept: KeptAnswer, tag: Option<String>) -> String {
    let text = String::from_utf8(kept.body).unwrap();
    format!("{} {text} {}", kept.status, tag.unwrap_or_default())
}

impl Asker<Written> for Sender {
    type Answer = String;

    fn caller(&self) -> &Caller {
        &self.caller
    }

    fn tell(&self, _: Written) -> String {
        unreachable!("it has a key")
    }

    fn keeping(&self) -> Option<Keeping<'_, Written, String>> {
        Some(Keeping {
            keyed: &self.keyed,
            keep: Box::new(|written| KeptAnswer {
                status: 201,
                headers: Vec::new(),
                body: text(written).into_bytes(),
            }),
            again,
        })
    }
}

impl Asker<MadeCredential> for Sender {
    type Answer = String;

    fn caller(&self) -> &Caller {
        &self.caller
    }

    fn tell(&self, _: MadeCredential) -> String {
        unreachable!("it has a key")
    }

    fn keeping(&self) -> Option<Keeping<'_, MadeCredential, String>> {
        Some(Keeping {
            keyed: &self.keyed,
            keep: Box::new(|made| KeptAnswer {
                status: 201,
                headers: Vec::new(),
                body: made.secret.clone().into_bytes(),
            }),
            again,
        })
    }
}

async fn tasks(world: &World) -> Vec<TaskId> {
    let page = world
        .app
        .list_tasks(&world.caller, <_>::default(), None, 100)
        .await;
    page.unwrap().items.iter().map(Task::id).collect()
}

#[tokio::test(start_paused = true)]
async fn the_second_is_told_what_the_first_was_with_the_tag_of_the_commit() {
    let world = World::new().await;
    let ask = || Sender::of(&world, "k", "{}");
    let first = ask();
    let told = world.app.write_resource(&first, put("pt-1", "{}")).await.unwrap();
    let (_, tag) = world
        .app
        .find_resource(&world.caller, &key("pt-1"))
        .await
        .unwrap();
    assert!(told.ends_with(&tag) && !first.keyed.is_replayed());
    // It stays what it was.
    world
        .app
        .write_resource(&world.caller, put("pt-1", r#"{"n":2}"#))
        .await
        .unwrap();
    let second = ask();
    let again = world.app.write_resource(&second, put("pt-1", "{}")).await;
    assert_eq!(again.unwrap(), told);
    assert!(second.keyed.is_replayed());
    assert_eq!(world.data("pt-1").await.unwrap(), r#"{"n":2}"#);
    assert_eq!(tasks(&world).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_stands_for_its_request_for_a_day() {
    let world = World::new().await;
    let ask = |body: &str| Sender::of(&world, "k", body);
    let first = world
        .app
        .write_resource(&ask("a"), put("pt-1", "{}"))
        .await
        .unwrap();
    let last_moment = (LIFETIME - Duration::from_millis(1)).unsigned_abs();
    tokio::time::advance(last_moment).await;
    let other = world.app.write_resource(&ask("b"), put("pt-1", "{}")).await;
    assert!(matches!(other, Err(UseCaseError::Key(KeyConflict::Reused))));
    let again = world.app.write_resource(&ask("a"), put("pt-1", "{}")).await;
    assert_eq!(again.unwrap(), first);
    tokio::time::advance(Duration::from_millis(2)).await;
    let other = world.app.write_resource(&ask("b"), put("pt-1", "{}")).await;
    assert_ne!(other.unwrap(), first);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_again_and_noted_once() {
    let world = World::new().await;
    world
        .app
        .write_resource(&world.caller, put("pt-1", "{}"))
        .await
        .unwrap();
    let noted = world.audit().await.len();
    for replayed in [false, true] {
        let sender = Sender::of(&world, "k", "{}");
        let refused = world.app.write_resource(&sender, create("pt-1", "{}")).await;
        assert!(matches!(refused, Err(UseCaseError::Refused(_))));
        assert_eq!(sender.keyed.is_replayed(), replayed);
        assert_eq!(world.audit().await.len(), noted + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_at_once_one_does_it_and_the_others_hear_of_it() {
    let world = World::new().await;
    let senders: Vec<_> = (0..20).map(|_| Sender::of(&world, "k", "{}")).collect();
    let asking = senders
        .iter()
        .map(|sender| world.app.write_resource(sender, put("pt-1", "{}")));
    let mut told = Vec::new();
    for answer in join_all(asking).await {
        match answer {
            Ok(answer) => told.push(answer),
            Err(error) => assert!(
                matches!(error, UseCaseError::Key(KeyConflict::InFlight)),
                "{error}"
            ),
        }
    }
    let first = told.first().expect("somebody did it");
    assert!(told.iter().all(|answer| answer == first));
    assert_eq!(tasks(&world).await.len(), 1);
}

/// Another server gets in between the look and the commit: it has the key, and it is its answer that counts.
#[tokio::test(start_paused = true)]
async fn who_loses_the_key_at_the_commit_tells_the_winners_answer() {
    let world = World::new().await;
    let other_server = World::beside(&world);
    let winner = Sender::of(&world, "k", "{}");
    let won = Arc::new(std::sync::Mutex::new(None));
    let told = Arc::clone(&won);
    world.store.before_commit(async move {
        let answer = other_server.write_resource(&winner, put("pt-1", "{}")).await;
        *told.lock().unwrap() = Some(answer.unwrap());
        Ok(())
    });
    let loser = Sender::of(&world, "k", "{}");
    let answer = world.app.write_resource(&loser, put("pt-1", "{}")).await.unwrap();
    assert_eq!(Some(answer), won.lock().unwrap().take());
    assert!(loser.keyed.is_replayed());
    assert_eq!(tasks(&world).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_failed_takes_no_key() {
    let world = World::new().await;
    world
        .store
        .before_commit(async { Err(caretrack_ports::StoreError::Unavailable("told to".into())) });
    let failed = world
        .app
        .write_resource(&Sender::of(&world, "k", "{}"), put("pt-1", "{}"))
        .await;
    assert!(matches!(failed, Err(UseCaseError::Unavailable(_))));
    let sender = Sender::of(&world, "k", "{}");
    world
        .app
        .write_resource(&sender, put("pt-1", "{}"))
        .await
        .unwrap();
    assert!(!sender.keyed.is_replayed());
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_not_kept() {
    let world = World::new().await;
    let draft = || CredentialDraft {
        kind: CredentialKind::ApiKey,
        name: "x".to_owned(),
        scopes: Scopes::default(),
        workspace: None,
    };
    let first = world
        .app
        .add_credential(&Sender::of(&world, "k", "{}"), draft())
        .await;
    let secret = first.unwrap();
    let again = world
        .app
        .add_credential(&Sender::of(&world, "k", "{}"), draft())
        .await;
    let Err(UseCaseError::Refused(refusal)) = again else {
        panic!("{again:?}");
    };
    assert!(!refusal.message.contains(secret.split(' ').nth(1).unwrap()));
}
