-- One attempt that ends, or whose credits come back, with one movement of one lot: see `hold_alone.sql`.
WITH moved AS (
    UPDATE account SET revision = revision + 1, last_seq = $3, last_hash = $4, last_at = $5
    WHERE account_id = $1 AND revision = $2
    RETURNING account_id
), lots AS (
    UPDATE lot SET expires_at = $7, available = $8, held = $9, frozen = $10, consumed = $11, expired = $12,
        revoked = $13, refunded = $14, owed = $15, disputed = $16, repaid_by = $17, repaid = $18
    WHERE account_id = $1 AND lot_id = $6 AND EXISTS (SELECT FROM moved)
), usages AS (
    UPDATE usage SET stage = $21, delivered_outputs = $22, ended_at = $23, cause = $24, fault = $25, failed_at = $26,
        reported_at = $27, failure_trace_id = $28
    WHERE account_id = $1 AND job_id = $19 AND attempt = $20 AND EXISTS (SELECT FROM moved)
), allocations AS (
    UPDATE allocation SET captured = $29, released = $30, restored = $31
    WHERE account_id = $1 AND job_id = $19 AND attempt = $20 AND position = 1 AND EXISTS (SELECT FROM moved)
), entries AS (
    INSERT INTO entry (account_id, seq, lot_id, from_bucket, to_bucket, credits, cause_kind, cause_id, actor,
        trace_id, at, prev_hash, hash)
    SELECT account_id, $3, $6, $32, $33, $34, $35, $36, $37, $38, $39, $40, $4 FROM moved
), answers AS (
    INSERT INTO idempotency_key
        (account_id, caller, method, request_id, fingerprint, refused, answer, created_at)
    SELECT account_id, $41, $42, $43, $44, $45, $46, $47 FROM moved
)
SELECT EXISTS (SELECT FROM moved) AS "holds!"
