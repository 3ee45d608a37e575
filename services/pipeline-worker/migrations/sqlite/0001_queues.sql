-- The tables of migrations/postgres, for SQLite: the same names, columns and indexes.

CREATE TABLE queue (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       INTEGER NOT NULL,
    name       TEXT NOT NULL,
    spec       TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    deleted_ms INTEGER
);
CREATE UNIQUE INDEX queue_name ON queue (kind, name) WHERE deleted_ms IS NULL;

CREATE TABLE item (
    queue       INTEGER NOT NULL,
    item        TEXT NOT NULL,
    stage       INTEGER NOT NULL,
    state       INTEGER NOT NULL,
    source      INTEGER NOT NULL,
    priority    INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    strikes     INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    token       INTEGER NOT NULL,
    since_ms    INTEGER NOT NULL,
    wake_ms     INTEGER,
    worker      TEXT,
    body_minted INTEGER,
    body_digest INTEGER,
    chunks      INTEGER NOT NULL,
    PRIMARY KEY (queue, item)
);
CREATE INDEX item_ready ON item (queue, stage, priority DESC, since_ms) WHERE state = 0;
CREATE INDEX item_timer ON item (queue, wake_ms) WHERE wake_ms IS NOT NULL;
CREATE INDEX item_ended ON item (queue, state, since_ms) WHERE state >= 3;
CREATE INDEX item_dead ON item (queue, item) WHERE stage = -1;

CREATE TABLE output (
    queue       INTEGER NOT NULL,
    item        TEXT NOT NULL,
    stage       INTEGER NOT NULL,
    body_minted INTEGER NOT NULL,
    body_digest INTEGER NOT NULL,
    chunks      INTEGER NOT NULL,
    PRIMARY KEY (queue, item, stage)
) WITHOUT ROWID;

CREATE TABLE failure (
    queue     INTEGER NOT NULL,
    item      TEXT NOT NULL,
    stage     INTEGER NOT NULL,
    attempts  INTEGER NOT NULL,
    message   TEXT NOT NULL,
    failed_ms INTEGER NOT NULL,
    PRIMARY KEY (queue, item)
) WITHOUT ROWID;

CREATE TABLE stale (
    queue   INTEGER NOT NULL,
    item    TEXT NOT NULL,
    version INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    due_ms  INTEGER,
    PRIMARY KEY (queue, item)
) WITHOUT ROWID;
CREATE INDEX stale_due ON stale (due_ms) WHERE due_ms IS NOT NULL;

CREATE TABLE tally (
    queue INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    state INTEGER NOT NULL,
    slot  INTEGER NOT NULL,
    n     INTEGER NOT NULL,
    PRIMARY KEY (queue, stage, state, slot)
) WITHOUT ROWID;

CREATE TABLE throughput (
    queue  INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    slot   INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    PRIMARY KEY (queue, bucket, slot)
) WITHOUT ROWID;

-- What the planner is to believe: many items in few queues. Without it an update of a hundred items reads them all.
ANALYZE;
DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('item', 'sqlite_autoindex_item_1', '1000000 250000 1'),
    ('item', 'item_ready', '1000000 250000 100000 50000 10'),
    ('item', 'item_timer', '10000 2500 2'),
    ('item', 'item_ended', '1000000 250000 100000 2'),
    ('item', 'item_dead', '10000 2500 1'),
    ('output', 'output', '1000000 250000 2 1'),
    ('failure', 'failure', '10000 2500 1'),
    ('stale', 'stale', '10000 2500 1'),
    ('stale', 'stale_due', '10000 2');
ANALYZE sqlite_schema;
