-- One row: by how many microseconds the time of the domain is ahead of the system's.
CREATE TABLE IF NOT EXISTS clock (
    id BIGINT NOT NULL PRIMARY KEY,
    ahead BIGINT NOT NULL
);
INSERT INTO clock (id, ahead) SELECT 1, 0 WHERE NOT EXISTS (SELECT 1 FROM clock);
