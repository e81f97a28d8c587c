-- What the hot operations need: see "Lanes" in ARCHITECTURE.md.

-- Grows with every change of an account's records, whatever the clock says. What was read with one revision may be
-- written only while that revision stands.
ALTER TABLE account ADD COLUMN revision bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT account_revision_not_negative CHECK (revision >= 0);
GRANT UPDATE (revision) ON account TO makegood_app;

-- Whether credits of a lot can still move, and whether they can be spent. The indexes ask these and not the buckets:
-- an index over a bucket makes every movement write a new entry into every index of the table, so that a busy lot
-- leaves a trail that each reader walks. These two seldom change, so a movement touches the row alone.
ALTER TABLE lot ADD COLUMN is_open boolean NOT NULL GENERATED ALWAYS AS (available + held + frozen > 0) STORED,
    ADD COLUMN is_spendable boolean NOT NULL GENERATED ALWAYS AS (available > 0) STORED;
DROP INDEX lot_open;
CREATE INDEX lot_open ON lot (account_id) WHERE is_open;
DROP INDEX lot_available_by_expiry;
CREATE INDEX lot_available_by_expiry ON lot (expires_at, account_id) WHERE is_spendable AND expires_at IS NOT NULL;

-- Room in the page for the next version of a row.
ALTER TABLE account SET (fillfactor = 70);
ALTER TABLE lot SET (fillfactor = 70);
ALTER TABLE allocation SET (fillfactor = 80);

-- The holds of one account whose time is over are found among all that are due: few at any time, and each hold would pay
-- for an index of its own.
DROP INDEX usage_held;
