//! Webhooks, the place each has come to, and the tasks that carry its notices.

use crate::fixture::{Contract, Outcome};
use crate::samples::{LEASE, OURS, THEIRS, at, complete, facts, keyed, lease, task_id};
use crate::world::{World, assert_conflict};
use caretrack_domain::{
    EventFilter, NewTask, SigningSecret, TaskFacts, TaskKind, Webhook, WebhookId, WebhookUrl, WorkspaceId,
};
use caretrack_ports::{Claim, WebhookChange};
use uuid::Uuid;

pub(crate) const CONTRACTS: &[Contract] = &[
    ("webhooks_are_kept_as_written", |w| {
        Box::pin(webhooks_are_kept_as_written(w))
    }),
    ("a_position_and_its_notices_move_together", |w| {
        Box::pin(a_position_and_its_notices_move_together(w))
    }),
    ("a_webhook_is_its_workspaces_own", |w| {
        Box::pin(a_webhook_is_its_workspaces_own(w))
    }),
    ("what_is_in_some_lanes_is_counted", |w| {
        Box::pin(what_is_in_some_lanes_is_counted(w))
    }),
    ("a_claim_takes_no_more_of_a_kind_than_it_may", |w| {
        Box::pin(a_claim_takes_no_more_of_a_kind_than_it_may(w))
    }),
];

fn webhook(n: u128, workspace: WorkspaceId) -> Webhook {
    Webhook {
        id: WebhookId(Uuid::from_u128(n)),
        workspace,
        url: WebhookUrl::restore("https://example.com/hook?x=1").expect("a sample URL is one"),
        types: EventFilter::parse(["task.failed", "patient"]).expect("sample words are words"),
        secret: SigningSecret([7; 32]),
        position: 5,
        created_at: at(1),
        disabled_at: None,
    }
}

async fn add(world: &World, webhook: &Webhook) -> Outcome {
    let added = WebhookChange::Added(webhook.clone());
    world
        .write_in(webhook.workspace, at(1), |c| {
            c.change_webhook(webhook.workspace, added);
        })
        .await?;
    Ok(())
}

async fn webhooks_are_kept_as_written(world: World) -> Outcome {
    let all = Webhook {
        types: EventFilter::default(),
        ..webhook(2, OURS)
    };
    let (one, theirs) = (webhook(1, OURS), webhook(3, THEIRS));
    for webhook in [&all, &one, &theirs] {
        add(&world, webhook).await?;
    }
    assert_eq!(world.find_webhook(OURS, one.id).await?, Some(one.clone()));
    assert_eq!(
        world.list_webhooks(OURS, None, 9).await?,
        [one.clone(), all.clone()]
    );
    assert_eq!(world.list_webhooks(OURS, Some(one.id), 9).await?.len(), 1);
    assert_eq!(world.list_webhooks(OURS, None, 1).await?.first(), Some(&one));
    assert_eq!(world.active_webhooks().await?, [one.clone(), all.clone(), theirs]);

    let (id, at) = (one.id, at(2));
    for _ in 0..2 {
        let disabled = WebhookChange::Disabled { id, at };
        world.write(at, |c| c.change_webhook(OURS, disabled)).await?;
    }
    let disabled = Webhook {
        disabled_at: Some(at),
        ..one
    };
    assert_eq!(world.find_webhook(OURS, id).await?, Some(disabled));
    assert_eq!(world.active_webhooks().await?.len(), 2);
    let removed = || WebhookChange::Removed { id };
    world.write(at, |c| c.change_webhook(OURS, removed())).await?;
    assert_eq!(world.find_webhook(OURS, id).await?, None);
    assert_conflict(world.write(at, |c| c.change_webhook(OURS, removed())).await);
    Ok(())
}

/// Of two that settle the same events one meets a conflict, and its notices are not there.
async fn a_position_and_its_notices_move_together(world: World) -> Outcome {
    let hook = webhook(1, OURS);
    add(&world, &hook).await?;
    let attempts: Vec<_> = (1..9)
        .map(|n| {
            let world = world.clone();
            let moved = WebhookChange::Moved {
                id: WebhookId(Uuid::from_u128(1)),
                expected: 5,
                to: 9,
            };
            tokio::spawn(async move {
                world
                    .write(at(1), |c| {
                        c.insert_task(NewTask::accepted(facts(n, 1), Vec::new()));
                        c.change_webhook(OURS, moved);
                    })
                    .await
                    .is_ok()
            })
        })
        .collect();
    let mut settled = 0;
    for attempt in attempts {
        settled += usize::from(attempt.await.expect("an attempt does not panic"));
    }
    assert_eq!(settled, 1);
    assert_eq!(world.list_tasks(OURS, <_>::default(), 9).await?.len(), 1);
    let found = world.find_webhook(OURS, hook.id).await?;
    assert_eq!(found.map(|hook| hook.position), Some(9));
    Ok(())
}

async fn a_webhook_is_its_workspaces_own(world: World) -> Outcome {
    let hook = webhook(1, OURS);
    add(&world, &hook).await?;
    let id = hook.id;
    assert_eq!(world.find_webhook(THEIRS, id).await?, None);
    for change in [
        WebhookChange::Removed { id },
        WebhookChange::Moved {
            id,
            expected: 5,
            to: 6,
        },
    ] {
        let refused = world.write_in(THEIRS, at(2), |c| c.change_webhook(THEIRS, change));
        assert_conflict(refused.await);
    }
    // Disabling one that is not there disables nothing.
    let disabled = WebhookChange::Disabled { id, at: at(2) };
    world
        .write_in(THEIRS, at(2), |c| c.change_webhook(THEIRS, disabled))
        .await?;
    assert_eq!(world.find_webhook(OURS, id).await?, Some(hook));
    Ok(())
}

async fn what_is_in_some_lanes_is_counted(world: World) -> Outcome {
    for (n, key) in [
        (1, "hook/1/a"),
        (2, "hook/1/b"),
        (3, "hook/1/b"),
        (4, "hook/12/a"),
        (5, "hook"),
    ] {
        world.accept(keyed(n, 0, key)).await?;
    }
    let theirs = TaskFacts {
        workspace: THEIRS,
        ..keyed(6, 0, "hook/1/a")
    };
    world.accept(theirs).await?;
    assert_eq!(world.count_in_lanes(OURS, "hook/1/", 9).await?, 3);
    assert_eq!(world.count_in_lanes(OURS, "hook/1/", 2).await?, 2);
    assert_eq!(world.count_in_lanes(OURS, "hook/2/", 9).await?, 0);
    let ids = world.take_ids(at(1)).await?;
    assert!(ids.contains(&task_id(1)));
    let task = world.task(task_id(1)).await?;
    world.step(&task, complete(&task), at(2)).await?;
    assert_eq!(
        world.count_in_lanes(OURS, "hook/1/", 9).await?,
        2,
        "what has ended left its lane"
    );
    Ok(())
}

async fn a_claim_takes_no_more_of_a_kind_than_it_may(world: World) -> Outcome {
    for n in 0..6 {
        world.accept(facts(n, 0)).await?;
        let notice = TaskFacts {
            kind: TaskKind::WebhookDeliver,
            ..facts(n + 100, 0)
        };
        world.accept(notice).await?;
    }
    let claim = |notices: usize, writes: usize| Claim {
        kinds: [
            (TaskKind::WebhookDeliver, notices),
            (TaskKind::RegistryWrite, writes),
        ]
        .into(),
        limit: 100,
        now: at(1),
        lease: lease(0x70, at(1) + LEASE),
    };
    let mut taken = Vec::new();
    for _ in 0..2 {
        let claimed = world.claim(claim(1, 2)).await?.tasks;
        let notices = claimed
            .iter()
            .filter(|claimed| claimed.task.facts().kind == TaskKind::WebhookDeliver);
        assert_eq!((notices.count(), claimed.len()), (1, 3));
        taken.extend(claimed);
    }
    taken.extend(world.claim(claim(9, 9)).await?.tasks);
    assert_eq!(taken.len(), 12);
    Ok(())
}
