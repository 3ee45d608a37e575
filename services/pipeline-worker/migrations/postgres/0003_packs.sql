-- Small bodies of one call are stored in one object, a pack. A body's place in it is its first byte times 2^32, plus its
-- length. `members` are the items that may name the pack, a JSON list of lists of one.

ALTER TABLE item ADD COLUMN body_pack BIGINT;
ALTER TABLE item ADD COLUMN body_place BIGINT;
ALTER TABLE output ADD COLUMN body_pack BIGINT;
ALTER TABLE output ADD COLUMN body_place BIGINT;

CREATE TABLE pack (
    queue   BIGINT NOT NULL,
    pack    BIGINT NOT NULL,
    members TEXT NOT NULL,
    PRIMARY KEY (queue, pack)
);
