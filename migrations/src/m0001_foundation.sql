-- Instants are microseconds since the epoch; JSON is text, so that what was sent comes back as it was sent.

CREATE TABLE IF NOT EXISTS workspaces (
    id {uuid} NOT NULL PRIMARY KEY,
    key {text} NOT NULL UNIQUE,
    options TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE IF NOT EXISTS credentials (
    id {uuid} NOT NULL PRIMARY KEY,
    workspace_id {uuid} NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    secret_hash {bytes} NOT NULL UNIQUE,
    administrator BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX IF NOT EXISTS credentials_of_workspace ON credentials (workspace_id, id);

CREATE TABLE IF NOT EXISTS sources (
    workspace_id {uuid} NOT NULL,
    key {text} NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, key)
);

CREATE TABLE IF NOT EXISTS definitions (
    workspace_id {uuid} NOT NULL,
    source {text} NOT NULL,
    key {text} NOT NULL,
    open BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, source, key)
);

-- The numbers that order everything: versions of records, places of tasks.
{numbers};

-- A row without data marks a deleted record.
CREATE TABLE IF NOT EXISTS resources (
    workspace_id {uuid} NOT NULL,
    source {text} NOT NULL,
    type {text} NOT NULL,
    id {text} NOT NULL,
    version BIGINT NOT NULL,
    place BIGINT NOT NULL,
    data TEXT,
    contained TEXT,
    identifiers TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, source, type, id)
);
CREATE INDEX IF NOT EXISTS resources_deleted ON resources (updated_at) WHERE data IS NULL;

CREATE TABLE IF NOT EXISTS tasks (
    id {uuid} NOT NULL PRIMARY KEY,
    workspace_id {uuid} NOT NULL,
    kind {text} NOT NULL,
    place BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    status {text} NOT NULL,
    source {text},
    patient_id {uuid},
    ordering_key {text},
    submitted_by {uuid},
    request_id TEXT NOT NULL,
    accepted_at BIGINT NOT NULL,
    due_at BIGINT,
    eta BIGINT NOT NULL,
    retry_of {uuid},
    fingerprint {bytes},
    total BIGINT NOT NULL,
    succeeded BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    cancelled BIGINT NOT NULL,
    attempts TEXT NOT NULL,
    -- What the state knows beside its name: the reason of a hold, the failure.
    detail TEXT,
    finished_at BIGINT,
    lease_token {uuid},
    lease_worker {uuid},
    lease_until BIGINT,
    cancel_requested BOOLEAN NOT NULL,
    -- Workspace and ordering key, while the task keeps later ones of that key waiting. In one column, so that
    -- no planner prefers another index of the workspace to that of the lane.
    lane {text},
    -- Behind another task of its lane.
    blocked BOOLEAN NOT NULL,
    -- From when it may be claimed, blocked or not; then the same, unless it is blocked.
    claimable_at BIGINT,
    ready_at BIGINT
) {clustered};
CREATE INDEX IF NOT EXISTS tasks_by_place ON tasks (workspace_id, place);
-- The queue: only what can be claimed, so its size is that of the work to do.
CREATE INDEX IF NOT EXISTS tasks_ready ON tasks (workspace_id, kind, ready_at, place) WHERE ready_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS tasks_lane ON tasks (lane, place) WHERE lane IS NOT NULL;
CREATE INDEX IF NOT EXISTS tasks_leased ON tasks (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX IF NOT EXISTS tasks_finished ON tasks (workspace_id, kind, finished_at) WHERE finished_at IS NOT NULL;
-- What an operator looks for; tasks that went well are found by place.
CREATE INDEX IF NOT EXISTS tasks_by_status ON tasks (workspace_id, status, place, kind) WHERE status <> 'succeeded';
CREATE INDEX IF NOT EXISTS tasks_of_patient ON tasks (patient_id, place) WHERE patient_id IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS tasks_fingerprint ON tasks (workspace_id, fingerprint)
    WHERE fingerprint IS NOT NULL AND finished_at IS NULL;

-- The kinds of work a workspace has had: what a claim looks through, and where a pause is noted.
CREATE TABLE IF NOT EXISTS queues (
    workspace_id {uuid} NOT NULL,
    kind {text} NOT NULL,
    paused BOOLEAN NOT NULL,
    PRIMARY KEY (workspace_id, kind)
);

CREATE TABLE IF NOT EXISTS operations (
    task_id {uuid} NOT NULL,
    seq BIGINT NOT NULL,
    action {text} NOT NULL,
    target_kind {text} NOT NULL,
    target_type TEXT NOT NULL,
    target_id TEXT NOT NULL,
    payload TEXT,
    receipt {text} NOT NULL,
    completed_at BIGINT,
    refusal TEXT,
    PRIMARY KEY (task_id, seq)
);

CREATE TABLE IF NOT EXISTS patients (
    id {uuid} NOT NULL PRIMARY KEY,
    workspace_id {uuid} NOT NULL,
    wmda_id BIGINT NOT NULL UNIQUE,
    local_id {text},
    active BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    revision BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS patients_of_workspace ON patients (workspace_id, id);
CREATE UNIQUE INDEX IF NOT EXISTS patients_local ON patients (workspace_id, local_id) WHERE local_id IS NOT NULL;

CREATE TABLE IF NOT EXISTS outbox (
    number {number},
    workspace_id {uuid} NOT NULL,
    at BIGINT NOT NULL,
    subject {text} NOT NULL,
    subject_id {uuid} NOT NULL,
    kind {text},
    status {text}
);

CREATE TABLE IF NOT EXISTS audit (
    number {number},
    at BIGINT NOT NULL,
    workspace_id {uuid},
    actor {uuid},
    request_id TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    outcome {text} NOT NULL
);
CREATE INDEX IF NOT EXISTS audit_of_workspace ON audit (workspace_id, number);
