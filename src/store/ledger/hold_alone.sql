-- One attempt that reserves credits of one lot: what `ledger.sql` does for many, without the tables and columns that it
-- does not touch. Everything hangs on `moved`: where the account was changed by somebody else, nothing is written.
WITH moved AS (
    UPDATE account SET revision = revision + 1, last_seq = $3, last_hash = $4, last_at = $5
    WHERE account_id = $1 AND revision = $2
    RETURNING account_id
), lots AS (
    UPDATE lot SET available = $7, held = $8
    WHERE account_id = $1 AND lot_id = $6 AND EXISTS (SELECT FROM moved)
), usages AS (
    INSERT INTO usage
        (account_id, job_id, attempt, stage, cost, outputs, held_at, hold_expires_at, trace_id)
    SELECT account_id, $9, $10, 'held', $11, $12, $13, $14, $15 FROM moved
), allocations AS (
    INSERT INTO allocation (account_id, job_id, attempt, position, lot_id, taken, captured, released, restored)
    SELECT account_id, $9, $10, 1, $6, $11, 0, 0, 0 FROM moved
), entries AS (
    INSERT INTO entry (account_id, seq, lot_id, from_bucket, to_bucket, credits, cause_kind, cause_id, actor,
        trace_id, at, prev_hash, hash)
    SELECT account_id, $3, $6, 'available', 'held', $11, 'usage', $16, $17, $18, $5, $19, $4 FROM moved
), answers AS (
    INSERT INTO idempotency_key
        (account_id, caller, method, request_id, fingerprint, refused, answer, created_at)
    SELECT account_id, $17, $20, $21, $22, false, $23, $24 FROM moved
)
SELECT EXISTS (SELECT FROM moved) AS "holds!"
