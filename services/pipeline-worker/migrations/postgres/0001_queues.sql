-- Queues of pipelines and functions, their items, and what is kept beside them. Times are the database's clock, in
-- milliseconds since 1970. docs/adr/0005-pipelines.md says what each table is for.

CREATE TABLE queue (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       SMALLINT NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    spec       TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    deleted_ms BIGINT
);
CREATE UNIQUE INDEX queue_name ON queue (kind, name) WHERE deleted_ms IS NULL;

-- Free space in its pages lets the database clean a page up in passing; the early autovacuum keeps what is dead from
-- slowing claims.
CREATE TABLE item (
    queue       BIGINT NOT NULL,
    item        TEXT COLLATE "C" NOT NULL,
    stage       SMALLINT NOT NULL,
    state       SMALLINT NOT NULL,
    source      SMALLINT NOT NULL,
    priority    SMALLINT NOT NULL,
    attempts    INTEGER NOT NULL,
    strikes     INTEGER NOT NULL,
    version     BIGINT NOT NULL,
    token       BIGINT NOT NULL,
    since_ms    BIGINT NOT NULL,
    wake_ms     BIGINT,
    worker      TEXT,
    body_minted BIGINT,
    body_digest BIGINT,
    chunks      INTEGER NOT NULL,
    PRIMARY KEY (queue, item)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);
CREATE INDEX item_ready ON item (queue, stage, priority DESC, since_ms) WHERE state = 0;
CREATE INDEX item_timer ON item (queue, wake_ms) WHERE wake_ms IS NOT NULL;
CREATE INDEX item_ended ON item (queue, state, since_ms) WHERE state >= 3;
CREATE INDEX item_dead ON item (queue, item) WHERE stage = -1;

CREATE TABLE output (
    queue       BIGINT NOT NULL,
    item        TEXT COLLATE "C" NOT NULL,
    stage       SMALLINT NOT NULL,
    body_minted BIGINT NOT NULL,
    body_digest BIGINT NOT NULL,
    chunks      INTEGER NOT NULL,
    PRIMARY KEY (queue, item, stage)
);

CREATE TABLE failure (
    queue     BIGINT NOT NULL,
    item      TEXT COLLATE "C" NOT NULL,
    stage     SMALLINT NOT NULL,
    attempts  INTEGER NOT NULL,
    message   TEXT NOT NULL,
    failed_ms BIGINT NOT NULL,
    PRIMARY KEY (queue, item)
);

CREATE TABLE stale (
    queue   BIGINT NOT NULL,
    item    TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    last_ms BIGINT NOT NULL,
    due_ms  BIGINT,
    PRIMARY KEY (queue, item)
);
CREATE INDEX stale_due ON stale (due_ms) WHERE due_ms IS NOT NULL;

-- Few rows that change with every transaction.
CREATE TABLE tally (
    queue BIGINT NOT NULL,
    stage SMALLINT NOT NULL,
    state SMALLINT NOT NULL,
    slot  SMALLINT NOT NULL,
    n     BIGINT NOT NULL,
    PRIMARY KEY (queue, stage, state, slot)
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE throughput (
    queue  BIGINT NOT NULL,
    bucket BIGINT NOT NULL,
    slot   SMALLINT NOT NULL,
    n      BIGINT NOT NULL,
    PRIMARY KEY (queue, bucket, slot)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
