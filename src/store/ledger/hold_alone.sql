-- One attempt that reserves credits of one lot: what `ledger.sql` does for many, without the columns that it has no rows
-- for. Everything hangs on `moved`: where the account was changed by somebody else, nothing is written.
WITH moved AS (
    UPDATE account SET revision = revision + 1, last_seq = $3, last_hash = $4, last_at = $5
    WHERE account_id = $1 AND revision = $2
    RETURNING account_id
), lots AS (
    UPDATE lot SET expires_at = $7, available = $8, held = $9, frozen = $10, consumed = $11, expired = $12,
        revoked = $13, refunded = $14, owed = $15, disputed = $16, repaid_by = $17, repaid = $18
    WHERE account_id = $1 AND lot_id = $6 AND EXISTS (SELECT FROM moved)
), usages AS (
    INSERT INTO usage (account_id, job_id, attempt, stage, cost, outputs, delivered_outputs, held_at,
        hold_expires_at, ended_at, trace_id, cause, fault, failed_at, reported_at, failure_trace_id)
    SELECT account_id, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33 FROM moved
), allocations AS (
    INSERT INTO allocation (account_id, job_id, attempt, position, lot_id, taken, captured, released, restored)
    SELECT account_id, $19, $20, 1, $6, $34, $35, $36, $37 FROM moved
), entries AS (
    INSERT INTO entry (account_id, seq, lot_id, from_bucket, to_bucket, credits, cause_kind, cause_id, actor,
        trace_id, at, prev_hash, hash)
    SELECT account_id, $3, $6, $38, $39, $40, $41, $42, $43, $44, $45, $46, $4 FROM moved
), answers AS (
    INSERT INTO idempotency_key
        (account_id, caller, method, request_id, fingerprint, refused, answer, created_at)
    SELECT account_id, $47, $48, $49, $50, $51, $52, $53 FROM moved
)
SELECT EXISTS (SELECT FROM moved) AS "holds!"
