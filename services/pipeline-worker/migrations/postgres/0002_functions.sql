-- What functions need beside their items: queues that stand still or are changed, and how far the search for their rows is.

ALTER TABLE queue ADD COLUMN updated_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE queue ADD COLUMN paused SMALLINT NOT NULL DEFAULT 0;
ALTER TABLE queue ADD COLUMN generation BIGINT NOT NULL DEFAULT 0;
UPDATE queue SET updated_ms = created_ms;
-- Functions whose ids differ only in `-` and `_` would share the attribute that marks a row as done.
CREATE UNIQUE INDEX queue_marker ON queue (replace(name, '-', '_')) WHERE kind = 1 AND deleted_ms IS NULL;

-- One row for each function that is searched for: the round that runs, and when the next one begins.
CREATE TABLE discovery (
    queue        BIGINT PRIMARY KEY,
    planned_ms   BIGINT NOT NULL,
    generation   BIGINT NOT NULL,
    round        BIGINT NOT NULL,
    every        SMALLINT NOT NULL,
    started_ms   BIGINT,
    due_ms       BIGINT,
    cron_ms      BIGINT,
    completed    BIGINT NOT NULL,
    completed_ms BIGINT
) WITH (fillfactor = 50);

-- One row for each namespace of a function: how far it is in its round, and who is at it.
CREATE TABLE sweep (
    queue     BIGINT NOT NULL,
    namespace TEXT COLLATE "C" NOT NULL,
    round     BIGINT NOT NULL,
    after_id  TEXT NOT NULL,
    finished  SMALLINT NOT NULL,
    missing   SMALLINT,
    token     BIGINT NOT NULL,
    lease_ms  BIGINT NOT NULL,
    free_ms   BIGINT NOT NULL,
    failures  INTEGER NOT NULL,
    PRIMARY KEY (queue, namespace)
) WITH (fillfactor = 50);
