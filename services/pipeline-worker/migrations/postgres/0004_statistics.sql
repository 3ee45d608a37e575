-- The planner knows from the start what it would learn too late. Of a table without statistics it thinks that a queue has every two
-- hundredth of the rows, and plans to read a whole queue to find a hundred items while the table is small; it keeps that plan when
-- the table is large. A queue may be all of a table: that is what it must plan for.
ALTER TABLE item ALTER COLUMN queue SET (n_distinct = 1);
ALTER TABLE output ALTER COLUMN queue SET (n_distinct = 1);
ALTER TABLE failure ALTER COLUMN queue SET (n_distinct = 1);
ALTER TABLE stale ALTER COLUMN queue SET (n_distinct = 1);

-- Rows that nobody else ever sees: statistics are only made of rows.
INSERT INTO item (queue, item, stage, state, source, priority, attempts, strikes, version, token, since_ms, chunks)
SELECT -1, CAST(n AS TEXT), 0, 0, 0, 0, 0, 0, n, n, n, 0 FROM generate_series(1, 1000) AS n;
INSERT INTO output (queue, item, stage, body_minted, body_digest, chunks)
SELECT -1, CAST(n AS TEXT), 0, n, n, 0 FROM generate_series(1, 1000) AS n;
INSERT INTO failure (queue, item, stage, attempts, message, failed_ms)
SELECT -1, CAST(n AS TEXT), 0, 0, '', n FROM generate_series(1, 1000) AS n;
INSERT INTO stale (queue, item, version, last_ms) SELECT -1, CAST(n AS TEXT), n, n FROM generate_series(1, 1000) AS n;
ANALYZE item, output, failure, stale;
DELETE FROM item WHERE queue = -1;
DELETE FROM output WHERE queue = -1;
DELETE FROM failure WHERE queue = -1;
DELETE FROM stale WHERE queue = -1;
