-- A project, with the manifest in force.
CREATE TABLE manifest (
    project  TEXT   NOT NULL,
    hash     TEXT   NOT NULL,
    source   TEXT   NOT NULL,
    first_ms BIGINT NOT NULL,
    PRIMARY KEY (project, hash)
);
CREATE TABLE project (
    project  TEXT   NOT NULL PRIMARY KEY,
    manifest TEXT   NOT NULL,
    since_ms BIGINT NOT NULL,
    FOREIGN KEY (project, manifest) REFERENCES manifest (project, hash)
);

-- A run: what it was to do, and cached from its events where it stands.
CREATE TABLE run (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    project      TEXT   NOT NULL,
    environment  TEXT   NOT NULL,
    kind         TEXT   NOT NULL,
    state        TEXT   NOT NULL,
    seq          BIGINT NOT NULL,
    manifest     TEXT   NOT NULL,
    commit_json  TEXT   NOT NULL,
    plan_json    TEXT   NOT NULL,
    by_json      TEXT   NOT NULL,
    origin_json  TEXT   NOT NULL,
    reason       TEXT,
    retry_of     BIGINT REFERENCES run (id),
    requested_ms BIGINT NOT NULL,
    started_ms   BIGINT,
    ended_ms     BIGINT,
    FOREIGN KEY (project, manifest) REFERENCES manifest (project, hash)
);
CREATE INDEX run_unfinished ON run (project, environment, id) WHERE ended_ms IS NULL;
CREATE INDEX run_by_place ON run (project, environment, id);
CREATE INDEX run_worked ON run (project, environment, id) WHERE started_ms IS NOT NULL AND ended_ms IS NOT NULL;

-- The truth about a run.
CREATE TABLE run_event (
    run        BIGINT NOT NULL REFERENCES run (id),
    seq        BIGINT NOT NULL,
    project    TEXT   NOT NULL,
    at_ms      BIGINT NOT NULL,
    event_json TEXT   NOT NULL,
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;

-- Who drives what in an environment. The fence only grows, so a driver that was replaced is told apart.
CREATE TABLE lease (
    project      TEXT   NOT NULL,
    environment  TEXT   NOT NULL,
    owner        TEXT   NOT NULL,
    fence        BIGINT NOT NULL,
    run          BIGINT REFERENCES run (id),
    since_ms     BIGINT NOT NULL,
    heartbeat_ms BIGINT NOT NULL,
    PRIMARY KEY (project, environment)
);

-- What the events of runs left: what runs where, which images exist, how long steps take.
CREATE TABLE deployed (
    project     TEXT   NOT NULL,
    environment TEXT   NOT NULL,
    component   TEXT   NOT NULL,
    run         BIGINT NOT NULL REFERENCES run (id),
    commit_json TEXT   NOT NULL,
    digest      TEXT   NOT NULL,
    container   TEXT   NOT NULL,
    since_ms    BIGINT NOT NULL,
    PRIMARY KEY (project, environment, component)
);
CREATE TABLE built (
    project   TEXT   NOT NULL,
    component TEXT   NOT NULL,
    tree_key  TEXT   NOT NULL,
    registry  TEXT   NOT NULL,
    digest    TEXT   NOT NULL,
    run       BIGINT NOT NULL REFERENCES run (id),
    PRIMARY KEY (project, component, tree_key, registry)
);
CREATE TABLE step_time (
    run         BIGINT NOT NULL REFERENCES run (id),
    step        BIGINT NOT NULL,
    project     TEXT   NOT NULL,
    environment TEXT   NOT NULL,
    history_key TEXT   NOT NULL,
    took_ms     BIGINT NOT NULL,
    PRIMARY KEY (run, step)
);
CREATE INDEX step_time_by_key ON step_time (project, environment, history_key, run);

-- Messages to the world outside, delivered once.
CREATE TABLE outbox (
    key        TEXT   NOT NULL PRIMARY KEY,
    run        BIGINT NOT NULL REFERENCES run (id),
    project    TEXT   NOT NULL,
    body       TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    created_ms BIGINT NOT NULL
);

-- People sign in to the portal, not to a project: what they may do there stands in `memberships_json`.
CREATE TABLE person (
    login    TEXT   NOT NULL PRIMARY KEY,
    name     TEXT   NOT NULL,
    first_ms BIGINT NOT NULL,
    seen_ms  BIGINT NOT NULL
);
CREATE TABLE session (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    token_hash       TEXT   NOT NULL UNIQUE,
    login            TEXT   NOT NULL REFERENCES person (login),
    created_ms       BIGINT NOT NULL,
    seen_ms          BIGINT NOT NULL,
    idle_ms          BIGINT NOT NULL,
    expires_ms       BIGINT NOT NULL,
    memberships_json TEXT   NOT NULL,
    checked_ms       BIGINT NOT NULL,
    ended_ms         BIGINT
);
CREATE INDEX session_by_login ON session (login) WHERE ended_ms IS NULL;
CREATE TABLE api_token (
    name       TEXT   NOT NULL PRIMARY KEY,
    token_hash TEXT   NOT NULL UNIQUE,
    project    TEXT,
    role       TEXT   NOT NULL,
    by_json    TEXT   NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    revoked_ms BIGINT
);

-- The trail. `audit_head` is the lock that puts the events of a chain in order.
CREATE TABLE audit_head (
    chain   TEXT   NOT NULL PRIMARY KEY,
    project TEXT,
    seq     BIGINT NOT NULL,
    hash    TEXT   NOT NULL
);
CREATE TABLE audit (
    chain     TEXT   NOT NULL,
    seq       BIGINT NOT NULL,
    project   TEXT,
    at_ms     BIGINT NOT NULL,
    canonical TEXT   NOT NULL,
    hash      TEXT   NOT NULL,
    PRIMARY KEY (chain, seq)
);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit trail is not changed');
END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit trail is not changed');
END;
