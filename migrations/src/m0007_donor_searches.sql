-- Patients of donor searches: registrations of persons, the history of their status, their searches and results.

-- Whether another dialect holds the person too. Until now nobody else did.
ALTER TABLE patients ADD COLUMN known_elsewhere BOOLEAN NOT NULL DEFAULT TRUE;

-- Every number that was ever given to a person or a registration: none is given twice.
CREATE TABLE IF NOT EXISTS wmda_ids (
    wmda_id BIGINT NOT NULL PRIMARY KEY
) {clustered};
INSERT INTO wmda_ids (wmda_id) SELECT wmda_id FROM patients;

-- Two columns, `viewed_at` and `counter_started_at`, move without the revision; the look waits for that to show.
CREATE TABLE IF NOT EXISTS registrations (
    wmda_id BIGINT NOT NULL PRIMARY KEY,
    workspace_id {uuid} NOT NULL,
    patient_id {uuid} NOT NULL,
    revision BIGINT NOT NULL,
    status {text} NOT NULL,
    reason {text},
    registered_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    counter_started_at BIGINT NOT NULL,
    viewed_at BIGINT NOT NULL,
    stopped_at BIGINT,
    refresh_at BIGINT,
    handed_over_at BIGINT,
    handed_over {text},
    -- When it is to be seen whether something is due.
    look_at BIGINT,
    legal_terms BOOLEAN NOT NULL,
    local_id {text},
    assigned_to TEXT,
    -- The hash of the same: what is counted by it must not tell who it was.
    assignee {bytes},
    details TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS registrations_listed ON registrations (workspace_id, status, viewed_at, wmda_id);
CREATE INDEX IF NOT EXISTS registrations_assigned ON registrations (workspace_id, assignee, status, viewed_at, wmda_id)
    WHERE assignee IS NOT NULL;
CREATE INDEX IF NOT EXISTS registrations_of_patient ON registrations (patient_id);
CREATE INDEX IF NOT EXISTS registrations_due ON registrations (workspace_id, look_at) WHERE look_at IS NOT NULL;

-- How many registrations are in a status: of all (no assignee) and of each assignee. The sum over the shards counts;
-- each server adds to one of them, so that two do not wait for each other.
CREATE TABLE IF NOT EXISTS registration_counts (
    workspace_id {uuid} NOT NULL,
    assignee {bytes} NOT NULL,
    status {text} NOT NULL,
    shard BIGINT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, assignee, status, shard)
) {clustered};

CREATE TABLE IF NOT EXISTS status_entries (
    wmda_id BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    from_status {text},
    to_status {text} NOT NULL,
    reason {text},
    at BIGINT NOT NULL,
    by_whom TEXT NOT NULL,
    PRIMARY KEY (wmda_id, revision)
) {clustered};

CREATE TABLE IF NOT EXISTS searches (
    search_id BIGINT NOT NULL PRIMARY KEY,
    workspace_id {uuid} NOT NULL,
    wmda_id BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    request TEXT,
    status {text} NOT NULL,
    error TEXT,
    completed BOOLEAN NOT NULL,
    terminated BOOLEAN NOT NULL,
    statistics TEXT NOT NULL,
    listed TEXT NOT NULL,
    summary_text TEXT,
    inexplicable BIGINT,
    started_at BIGINT NOT NULL,
    last_updated BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS searches_of_patient ON searches (wmda_id, started_at, search_id);

CREATE TABLE IF NOT EXISTS search_results (
    search_id BIGINT NOT NULL,
    list {text} NOT NULL,
    record_id {text} NOT NULL,
    position BIGINT NOT NULL,
    flag {text},
    flagged_at BIGINT NOT NULL,
    digest {bytes} NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (search_id, list, record_id)
);
CREATE INDEX IF NOT EXISTS search_results_in_order ON search_results (search_id, list, position);
CREATE INDEX IF NOT EXISTS search_results_by_change ON search_results (search_id, list, flagged_at DESC, position);
