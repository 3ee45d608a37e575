-- The tables of migrations/postgres, for SQLite: the same names, columns and indexes.

ALTER TABLE item ADD COLUMN body_pack INTEGER;
ALTER TABLE item ADD COLUMN body_place INTEGER;
ALTER TABLE output ADD COLUMN body_pack INTEGER;
ALTER TABLE output ADD COLUMN body_place INTEGER;

CREATE TABLE pack (
    queue   INTEGER NOT NULL,
    pack    INTEGER NOT NULL,
    members TEXT NOT NULL,
    PRIMARY KEY (queue, pack)
) WITHOUT ROWID;
