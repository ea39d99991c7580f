//! One write of one resource: what is asked for, what it comes to, and how it waits in a task meanwhile.

use caretrack_domain::{
    Action, Instant, Key, Operation, OrderingKey, Precondition, RecordId, Refusal, RefusalKind, Resource,
    ResourceDraft, ResourceKey, StoredResource, Target, TargetKind, TypeKey, TypesInForce, WorkspaceId,
};
use caretrack_ports::Admission;
use serde::{Deserialize, Serialize};

/// What is to become of the record.
#[derive(Debug, Clone)]
pub enum Change {
    /// Made; there must be none yet.
    Create(ResourceDraft),
    /// Made, or replaced whole.
    Upsert(ResourceDraft),
    Delete,
}

/// A client's wish, its shape and ids checked, nothing else.
#[derive(Debug, Clone)]
pub struct ResourceOrder {
    pub key: ResourceKey,
    pub change: Change,
    pub precondition: Precondition,
}

/// The order as its operation keeps it; action and target are the operation's own.
#[derive(Serialize, Deserialize)]
struct Payload {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    draft: Option<ResourceDraft>,
    #[serde(default, skip_serializing_if = "Precondition::is_none")]
    precondition: Precondition,
}

/// A stored operation of which no order can be made.
#[derive(Debug, thiserror::Error)]
#[error("operation {seq} cannot be decoded: {what}")]
pub(crate) struct Undecodable {
    seq: u32,
    /// Never any of the content.
    what: &'static str,
}

impl Undecodable {
    /// Not even an operation is there.
    pub(crate) fn nothing() -> Self {
        Self {
            seq: 0,
            what: "it is not there",
        }
    }
}

impl ResourceOrder {
    pub(crate) fn action(&self) -> Action {
        match self.change {
            Change::Create(_) => Action::Create,
            Change::Upsert(_) => Action::Upsert,
            Change::Delete => Action::Delete,
        }
    }

    /// What it would make of the record.
    pub(crate) fn draft(&self) -> Option<&ResourceDraft> {
        match &self.change {
            Change::Create(draft) | Change::Upsert(draft) => Some(draft),
            Change::Delete => None,
        }
    }

    pub(crate) fn audit_action(&self) -> &'static str {
        match self.change {
            Change::Create(_) => "resource.create",
            Change::Upsert(_) => "resource.upsert",
            Change::Delete => "resource.delete",
        }
    }

    /// What deletes has room on a full disk too.
    pub(crate) fn admission(&self) -> Admission {
        if self.creates() {
            Admission::New
        } else {
            Admission::Continuing
        }
    }

    /// `source/type/id`
    pub(crate) fn path(&self) -> String {
        format!("{}/{}/{}", self.key.source, self.key.of, self.key.id)
    }

    pub(crate) fn type_key(&self, workspace: WorkspaceId) -> TypeKey {
        TypeKey {
            workspace,
            source: self.key.source.clone(),
            key: self.key.of.clone(),
        }
    }

    pub(crate) fn ordering_key(&self) -> OrderingKey {
        OrderingKey(self.path())
    }

    /// Whether it may make its source and type where they are missing.
    pub(crate) fn creates(&self) -> bool {
        match self.change {
            Change::Create(_) | Change::Upsert(_) => true,
            Change::Delete => false,
        }
    }

    /// Fills in the ids of contained resources that have none.
    pub(crate) fn complete(mut self, make_id: &mut dyn FnMut() -> String) -> Self {
        match &mut self.change {
            Change::Create(draft) | Change::Upsert(draft) => draft.name_contained(make_id),
            Change::Delete => {}
        }
        self
    }

    /// The record as it is to be, `None` if it is to go.
    pub(crate) fn decide(
        &self,
        workspace: WorkspaceId,
        stored: Option<&StoredResource>,
        types: &TypesInForce,
        now: Instant,
    ) -> Result<Option<Resource>, Refusal> {
        types.check_kind()?;
        self.precondition
            .check(workspace, stored.and_then(StoredResource::live_version))?;
        let live = stored.and_then(|stored| stored.resource.as_ref());
        let ResourceKey { of, id, .. } = &self.key;
        match (&self.change, live) {
            (Change::Create(_), Some(_)) => Err(Refusal::new(
                RefusalKind::AlreadyExists,
                format!("There is a {of} {id} already."),
            )),
            (Change::Create(draft), None) => {
                let mut draft = draft.clone();
                draft.fill_root_token(id.as_str(), types);
                draft.into_resource(self.key.clone(), None, types, now).map(Some)
            }
            (Change::Upsert(draft), live) => {
                let draft = draft.clone();
                draft.into_resource(self.key.clone(), live, types, now).map(Some)
            }
            (Change::Delete, Some(_)) => Ok(None),
            (Change::Delete, None) => Err(no_resource(&self.key)),
        }
    }

    /// As it is done, or refused, at once.
    pub(crate) fn operation(&self) -> Operation {
        let target = Target {
            kind: TargetKind::Resource,
            of: self.key.of.to_string(),
            id: self.key.id.to_string(),
        };
        Operation::pending(0, self.action(), target, None)
    }

    /// As it waits to be carried out.
    pub(crate) fn into_waiting_operation(self) -> Operation {
        let operation = self.operation();
        let payload = Payload {
            draft: match self.change {
                Change::Create(draft) | Change::Upsert(draft) => Some(draft),
                Change::Delete => None,
            },
            precondition: self.precondition,
        };
        let payload = serde_json::to_string(&payload).expect("members are strings, so it is JSON");
        Operation {
            payload: Some(payload),
            ..operation
        }
    }

    /// The order that waited in `operation`.
    pub(crate) fn waited_in(operation: &Operation, source: Option<&Key>) -> Result<Self, Undecodable> {
        let undecodable = |what| Undecodable {
            seq: operation.seq,
            what,
        };
        let text = operation.payload.as_deref().ok_or(undecodable("no payload"))?;
        let payload: Payload = serde_json::from_str(text).map_err(|_| undecodable("bad payload"))?;
        let draft = payload.draft.ok_or(undecodable("no draft"));
        let change = match operation.action {
            Action::Create => Change::Create(draft?),
            Action::Upsert => Change::Upsert(draft?),
            Action::Delete => Change::Delete,
            Action::Update | Action::Deliver => return Err(undecodable("an action that no write has")),
        };
        let key = ResourceKey {
            source: source.cloned().ok_or(undecodable("no source"))?,
            of: Key::parse(&operation.target.of).map_err(|_| undecodable("bad type"))?,
            id: RecordId::for_upsert(&operation.target.id).map_err(|_| undecodable("bad id"))?,
        };
        Ok(Self {
            key,
            change,
            precondition: payload.precondition,
        })
    }
}

pub(crate) fn no_resource(key: &ResourceKey) -> Refusal {
    Refusal::new(
        RefusalKind::NotFound,
        format!("There is no {} {}.", key.of, key.id),
    )
}
