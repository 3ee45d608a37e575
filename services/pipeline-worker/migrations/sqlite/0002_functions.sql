-- The tables of migrations/postgres, for SQLite: the same names, columns and indexes.

ALTER TABLE queue ADD COLUMN updated_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queue ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queue ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
UPDATE queue SET updated_ms = created_ms;
CREATE UNIQUE INDEX queue_marker ON queue (replace(name, '-', '_')) WHERE kind = 1 AND deleted_ms IS NULL;

CREATE TABLE discovery (
    queue        INTEGER PRIMARY KEY,
    planned_ms   INTEGER NOT NULL,
    generation   INTEGER NOT NULL,
    round        INTEGER NOT NULL,
    every        INTEGER NOT NULL,
    started_ms   INTEGER,
    due_ms       INTEGER,
    cron_ms      INTEGER,
    completed    INTEGER NOT NULL,
    completed_ms INTEGER
);

CREATE TABLE sweep (
    queue     INTEGER NOT NULL,
    namespace TEXT NOT NULL,
    round     INTEGER NOT NULL,
    after_id  TEXT NOT NULL,
    finished  INTEGER NOT NULL,
    missing   INTEGER,
    token     INTEGER NOT NULL,
    lease_ms  INTEGER NOT NULL,
    free_ms   INTEGER NOT NULL,
    failures  INTEGER NOT NULL,
    PRIMARY KEY (queue, namespace)
) WITHOUT ROWID;
