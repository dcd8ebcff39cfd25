-- Which runs a commit had.
ALTER TABLE run ADD COLUMN sha TEXT NOT NULL DEFAULT '';
UPDATE run SET sha = commit_json::json ->> 'sha';
CREATE INDEX run_by_commit ON run (project, sha, id);

-- The input on which a component's tests passed.
CREATE TABLE tested (
    project   TEXT   NOT NULL,
    component TEXT   NOT NULL,
    tests_key TEXT   NOT NULL,
    run       BIGINT NOT NULL REFERENCES run (id),
    PRIMARY KEY (project, component, tests_key)
);

-- What steps leave to look at besides their logs.
CREATE TABLE artifact (
    run          BIGINT NOT NULL REFERENCES run (id),
    step         BIGINT NOT NULL,
    name         TEXT   NOT NULL,
    project      TEXT   NOT NULL,
    kind         TEXT   NOT NULL,
    content_json TEXT   NOT NULL,
    PRIMARY KEY (run, step, name)
);

-- `next_ms` is there when a message is to be tried again later or anew.
ALTER TABLE outbox ADD COLUMN tries BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN next_ms BIGINT;
CREATE INDEX outbox_by_run ON outbox (run);
CREATE INDEX outbox_pending ON outbox (run) WHERE state = 'pending';
CREATE TABLE outbox_try (
    key     TEXT   NOT NULL REFERENCES outbox (key),
    n       BIGINT NOT NULL,
    project TEXT   NOT NULL,
    at_ms   BIGINT NOT NULL,
    took_ms BIGINT NOT NULL,
    arrived BIGINT NOT NULL,
    answer  TEXT   NOT NULL,
    PRIMARY KEY (key, n)
);

-- What GitHub told, stored before it is answered. Without `done_ms` something is still to be done about it; with
-- `project`, for that project alone, because somebody there asked for it again.
CREATE TABLE delivery_in (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    guid        TEXT   NOT NULL UNIQUE,
    event       TEXT   NOT NULL,
    repository  TEXT   NOT NULL,
    told_json   TEXT   NOT NULL,
    received_ms BIGINT NOT NULL,
    tries       BIGINT NOT NULL,
    next_ms     BIGINT NOT NULL,
    done_ms     BIGINT,
    again_of    BIGINT REFERENCES delivery_in (id),
    project     TEXT
);
CREATE INDEX delivery_in_open ON delivery_in (id) WHERE done_ms IS NULL;
CREATE INDEX delivery_in_by_repository ON delivery_in (repository, id);
-- What came of it. `environment` is empty where it concerns a project as a whole.
CREATE TABLE delivery_came (
    delivery    BIGINT NOT NULL REFERENCES delivery_in (id),
    project     TEXT   NOT NULL,
    environment TEXT   NOT NULL,
    came_json   TEXT   NOT NULL,
    at_ms       BIGINT NOT NULL,
    PRIMARY KEY (delivery, project, environment)
);
