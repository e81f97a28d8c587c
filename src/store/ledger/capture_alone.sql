-- One attempt that is charged for everything that it reserved of one lot: see `hold_alone.sql`.
WITH moved AS (
    UPDATE account SET revision = revision + 1, last_seq = $3, last_hash = $4, last_at = $5
    WHERE account_id = $1 AND revision = $2
    RETURNING account_id
), lots AS (
    UPDATE lot SET held = $7, consumed = $8
    WHERE account_id = $1 AND lot_id = $6 AND EXISTS (SELECT FROM moved)
), usages AS (
    UPDATE usage SET stage = 'captured', delivered_outputs = $11, ended_at = $12
    WHERE account_id = $1 AND job_id = $9 AND attempt = $10 AND EXISTS (SELECT FROM moved)
), allocations AS (
    UPDATE allocation SET captured = $13
    WHERE account_id = $1 AND job_id = $9 AND attempt = $10 AND position = 1 AND EXISTS (SELECT FROM moved)
), entries AS (
    INSERT INTO entry (account_id, seq, lot_id, from_bucket, to_bucket, credits, cause_kind, cause_id, actor,
        trace_id, at, prev_hash, hash)
    SELECT account_id, $3, $6, 'held', 'consumed', $13, 'usage', $14, $15, $16, $5, $17, $4 FROM moved
), answers AS (
    INSERT INTO idempotency_key
        (account_id, caller, method, request_id, fingerprint, refused, answer, created_at)
    SELECT account_id, $15, $18, $19, $20, false, $21, $22 FROM moved
)
SELECT EXISTS (SELECT FROM moved) AS "holds!"
