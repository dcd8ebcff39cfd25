-- The lines of a step's log, many to a row; `crates/store/src/logs.rs` says why and how they are packed.
CREATE TABLE log_chunk (
    run        BIGINT NOT NULL,
    step       BIGINT NOT NULL,
    first_line BIGINT NOT NULL,
    last_line  BIGINT NOT NULL,
    project    TEXT   NOT NULL,
    data       BYTEA  NOT NULL,
    PRIMARY KEY (run, step, first_line)
);
-- Where a log stands. Appending locks its row, so the numbers of lines have no gaps.
CREATE TABLE log_head (
    run          BIGINT NOT NULL,
    step         BIGINT NOT NULL,
    project      TEXT   NOT NULL,
    lines        BIGINT NOT NULL,
    cursor       TEXT,
    first_error  BIGINT,
    PRIMARY KEY (run, step)
);
