-- What a type's definition says. A row without more than its key and `open` is an open root, as it was before.
ALTER TABLE definitions ADD COLUMN kind {text} NOT NULL DEFAULT 'root';
-- How often it was put; an open one never was.
ALTER TABLE definitions ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
-- JSON, as it was sent.
ALTER TABLE definitions ADD COLUMN body TEXT;

-- How often any definition was put: while that stands, so does everything that is remembered of definitions.
CREATE TABLE IF NOT EXISTS definition_epoch (last BIGINT NOT NULL);
INSERT INTO definition_epoch SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM definition_epoch);
