-- What was answered under an idempotency key: a status, headers and body, or a refusal.
CREATE TABLE IF NOT EXISTS idempotency (
    workspace_id {uuid} NOT NULL,
    key {text} NOT NULL,
    fingerprint {bytes} NOT NULL,
    status BIGINT,
    headers TEXT,
    body {bytes},
    refusal TEXT,
    -- That of the record the answer shows, if it shows one: its tag is made of it.
    version BIGINT,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, key)
);
CREATE INDEX IF NOT EXISTS idempotency_expiry ON idempotency (expires_at);
