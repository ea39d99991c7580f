-- Clients and partner keys beside API keys. The hash of a client's password is a text of its own; its `secret_hash`
-- is then a filler that no secret has, so that a release that knows only API keys can still read the row.
ALTER TABLE credentials ADD COLUMN kind {text} NOT NULL DEFAULT 'api_key';
ALTER TABLE credentials ADD COLUMN password_hash TEXT;

-- Whom a signed token spoke for, as JSON; where it stands there is no credential of ours.
ALTER TABLE audit ADD COLUMN subject TEXT;
ALTER TABLE tasks ADD COLUMN subject TEXT;
