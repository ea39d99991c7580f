-- Who is told of what is in the outbox. The secret is kept as it is: it has to sign.
CREATE TABLE IF NOT EXISTS webhooks (
    id {uuid} NOT NULL PRIMARY KEY,
    workspace_id {uuid} NOT NULL,
    url TEXT NOT NULL,
    types TEXT NOT NULL,
    secret {bytes} NOT NULL,
    -- The last event of which it is settled whether there is a notice.
    position BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT
);
CREATE INDEX IF NOT EXISTS webhooks_of_workspace ON webhooks (workspace_id, id);

-- The links of the audit's chain; the hash is over the link before and over every entry since.
CREATE TABLE IF NOT EXISTS audit_seals (
    number BIGINT NOT NULL PRIMARY KEY,
    upto BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    hash {bytes} NOT NULL,
    sealed_at BIGINT NOT NULL
);

-- What the store itself keeps secret, such as the key of the positions it shows.
CREATE TABLE IF NOT EXISTS secrets (
    name {text} NOT NULL PRIMARY KEY,
    value {bytes} NOT NULL
);
