//! How operators are shown what there is; a member that says nothing is left out.

pub mod patients;
pub mod task;

use crate::http::openapi::parts;
use crate::http::rfc3339;
use caretrack_application::MadeCredential;
use caretrack_domain::{
    Actor, AuditEntry, Credential, CredentialKind, Instant, Login, LoginKind, Principal, Webhook, Workspace,
};
use caretrack_ports::QueueFigures;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub struct List<T> {
    pub items: Vec<T>,
    /// The cursor of the next page, if there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The isolation boundary; every record belongs to one.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Workspace)]
pub struct WorkspaceView {
    id: Uuid,
    #[schema(schema_with = parts::key)]
    key: String,
    options: Options,
    #[schema(format = DateTime)]
    created_at: String,
}

/// A workspace's own values of settings; what is absent follows the server's configuration.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WorkspaceOptions)]
pub struct Options {
    #[serde(rename = "registry.open_profiles", skip_serializing_if = "Option::is_none")]
    open_profiles: Option<bool>,
    #[serde(rename = "jobs.partner_key_required", skip_serializing_if = "Option::is_none")]
    partner_key_required: Option<bool>,
}

pub fn workspace(workspace: &Workspace) -> WorkspaceView {
    WorkspaceView {
        id: workspace.id.0,
        key: workspace.key.to_string(),
        options: Options {
            open_profiles: workspace.options.open_profiles,
            partner_key_required: workspace.options.partner_key_required,
        },
        created_at: rfc3339(workspace.created_at),
    }
}

/// What may act in a workspace; its secret is shown only when it is made.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Credential)]
pub struct CredentialView {
    id: Uuid,
    #[schema(schema_with = parts::credential_kind)]
    kind: &'static str,
    name: String,
    /// What a client logs in with, beside its password.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[schema(schema_with = parts::scopes)]
    scopes: Vec<&'static str>,
    /// There and true if it may make workspaces, and credentials in any of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    administrator: Option<bool>,
    #[schema(format = DateTime)]
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
}

/// A credential with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
pub struct NewCredential {
    #[serde(flatten)]
    credential: CredentialView,
    /// Of an API key, or a partner key.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// Of a client.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

pub fn new_credential(made: &MadeCredential) -> NewCredential {
    let (secret, password) = match made.credential.kind() {
        CredentialKind::ApiKey | CredentialKind::PartnerKey => (Some(made.secret.clone()), None),
        CredentialKind::Client => (None, Some(made.secret.clone())),
    };
    NewCredential {
        credential: credential(&made.credential),
        secret,
        password,
    }
}

pub fn credential(credential: &Credential) -> CredentialView {
    CredentialView {
        id: credential.id.0,
        kind: credential.kind().into(),
        name: credential.name.clone(),
        username: (credential.kind() == CredentialKind::Client).then(|| credential.id.username()),
        scopes: credential.scopes.words().collect(),
        administrator: credential.administrator.then_some(true),
        created_at: rfc3339(credential.created_at),
        revoked_at: credential.revoked_at.map(rfc3339),
    }
}

/// Who calls, as the server sees it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Principal)]
pub struct PrincipalView {
    #[schema(schema_with = parts::login_kind)]
    kind: &'static str,
    #[schema(schema_with = parts::key)]
    workspace: String,
    /// The credential of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<Uuid>,
    /// A client's, or what a token says.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// Whom a token speaks for, where there is no credential of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Subject>,
    /// The one patient that a token speaks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    patient_id: Option<String>,
    #[schema(schema_with = parts::scopes)]
    scopes: Vec<&'static str>,
    administrator: bool,
    /// When a token ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

pub fn principal(who: &Principal, workspace: &Workspace) -> PrincipalView {
    let (username, token) = match &who.login {
        Login::ApiKey(_) => (None, None),
        Login::Client(id) => (Some(id.username()), None),
        Login::Token(token) => (token.username.clone(), Some(token)),
    };
    let patient = token.and_then(|token| token.patient.as_ref());
    PrincipalView {
        kind: LoginKind::from(&who.login).into(),
        workspace: workspace.key.to_string(),
        credential: actor(Some(&who.actor())),
        username,
        subject: subject(Some(&who.actor())),
        patient_id: patient.map(|id| id.expose().to_owned()),
        scopes: who.scopes.words().collect(),
        administrator: who.administrator,
        expires_at: token.map(|token| rfc3339(token.expires_at)),
    }
}

/// Whom a signed token spoke for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
}

fn actor(actor: Option<&Actor>) -> Option<Uuid> {
    actor.and_then(Actor::credential).map(|id| id.0)
}

fn subject(actor: Option<&Actor>) -> Option<Subject> {
    let subject = actor.and_then(Actor::subject)?;
    Some(Subject {
        sub: subject.sub.clone(),
        client_id: subject.client_id.clone(),
    })
}

/// Who did what, when, and how it ended.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditEntry)]
pub struct AuditView {
    /// Its place in the log.
    #[schema(schema_with = parts::position)]
    id: String,
    #[schema(format = DateTime)]
    at: String,
    /// The credential of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<Uuid>,
    /// Whom a token spoke for, where there is no credential of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Subject>,
    request_id: String,
    action: String,
    target: String,
    #[schema(schema_with = parts::audit_outcome)]
    outcome: &'static str,
}

pub fn audit((id, entry): &(String, AuditEntry)) -> AuditView {
    AuditView {
        id: id.clone(),
        at: rfc3339(entry.at),
        actor: actor(entry.actor.as_ref()),
        subject: subject(entry.actor.as_ref()),
        request_id: entry.request_id.as_str().to_owned(),
        action: entry.action.clone(),
        target: entry.target.clone(),
        outcome: entry.outcome.into(),
    }
}

/// Where notices are sent; its secret is shown only when it is made.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Webhook)]
pub struct WebhookView {
    id: Uuid,
    #[schema(format = "uri")]
    url: String,
    /// The events it is told of; all, if there is none.
    #[schema(schema_with = parts::event_names)]
    types: Vec<String>,
    #[schema(format = DateTime)]
    created_at: String,
    /// Since its receiver answered 410.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    disabled_at: Option<String>,
}

/// A webhook with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
pub struct NewWebhook {
    #[serde(flatten)]
    pub webhook: WebhookView,
    /// What its notices are signed with, as libraries of the Standard Webhooks scheme take it.
    pub secret: String,
}

pub fn webhook(webhook: &Webhook) -> WebhookView {
    WebhookView {
        id: webhook.id.0,
        url: webhook.url.expose().to_owned(),
        types: webhook.types.words().to_vec(),
        created_at: rfc3339(webhook.created_at),
        disabled_at: webhook.disabled_at.map(rfc3339),
    }
}

/// How one kind of work stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Queue)]
pub struct QueueView {
    #[schema(schema_with = parts::task_kind)]
    kind: &'static str,
    paused: bool,
    queued: u64,
    running: u64,
    held: u64,
    retrying: u64,
    /// The age of the oldest task that waits to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_waiting_ms: Option<u64>,
    ended_last_minute: u64,
    /// The rate of the last minute.
    per_second: f64,
    /// Refused or broken, and still kept.
    failed: u64,
}

/// Whether workers take a kind of task.
#[derive(Serialize, ToSchema)]
pub struct QueueSwitch {
    #[schema(schema_with = parts::task_kind)]
    pub kind: &'static str,
    pub paused: bool,
}

pub fn queue(figures: &QueueFigures, now: Instant) -> QueueView {
    let age = figures
        .oldest_accepted_at
        .map(|at| (now - at).whole_milliseconds().max(0));
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = figures.ended_last_minute as f64 / 60.0;
    QueueView {
        kind: figures.kind.into(),
        paused: figures.paused,
        queued: figures.queued,
        running: figures.running,
        held: figures.held,
        retrying: figures.retrying,
        oldest_waiting_ms: age.and_then(|age| u64::try_from(age).ok()),
        ended_last_minute: figures.ended_last_minute,
        per_second: rate,
        failed: figures.failed,
    }
}
