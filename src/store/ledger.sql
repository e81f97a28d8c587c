-- Everything that changes an account's records, in one statement: it is carried out whole while the accounts are as
-- they were read, and fails when one of them is not. Accounts come first, in ascending order: their change locks them. One
-- that an answer only rests on needs no lock: it was as its page says when the statement began, and so the answer was
-- true then. Where one was changed by somebody else, `holds` divides by zero, which takes everything back.
WITH account_rows AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::boolean[], $4::bigint[], $5::bytea[], $6::timestamptz[])
        AS account_row (account_id, revision, moves, last_seq, last_hash, last_at)
), moved AS (
    UPDATE account SET revision = account.revision + 1, last_seq = now.last_seq, last_hash = now.last_hash,
        last_at = now.last_at
    FROM account_rows AS now
    WHERE now.moves AND account.account_id = now.account_id AND account.revision = now.revision
    RETURNING account.account_id
), seen AS MATERIALIZED (
    SELECT account.account_id FROM account JOIN account_rows USING (account_id, revision)
    WHERE NOT account_rows.moves
), unchanged AS MATERIALIZED (
    SELECT 1 / (cardinality($1::text[]) = (SELECT count(*) FROM moved) + (SELECT count(*) FROM seen))::integer = 1
        AS holds
), lot_rows AS MATERIALIZED (
    SELECT * FROM unnest($7::boolean[], $8::text[], $9::uuid[], $10::text[], $11::uuid[], $12::text[],
        $13::integer[], $14::timestamptz[], $15::timestamptz[], $16::bigint[], $17::bigint[], $18::bigint[],
        $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[], $24::bigint[], $25::boolean[],
        $26::uuid[], $27::bigint[])
        AS lot_row (is_new, account_id, lot_id, source, purchase_id, order_id, priority, granted_at, expires_at,
            granted, available, held, frozen, consumed, expired, revoked, refunded, owed, disputed,
            repaid_by, repaid)
    WHERE (SELECT holds FROM unchanged)
), new_lots AS (
    INSERT INTO lot (account_id, lot_id, source, purchase_id, order_id, priority, granted_at, expires_at, granted,
        available, held, frozen, consumed, expired, revoked, refunded, owed, disputed, repaid_by, repaid)
    SELECT account_id, lot_id, source, purchase_id, order_id, priority, granted_at, expires_at, granted, available,
        held, frozen, consumed, expired, revoked, refunded, owed, disputed, repaid_by, repaid
    FROM lot_rows WHERE is_new
), lots AS (
    UPDATE lot SET expires_at = now.expires_at, available = now.available, held = now.held, frozen = now.frozen,
        consumed = now.consumed, expired = now.expired, revoked = now.revoked, refunded = now.refunded,
        owed = now.owed, disputed = now.disputed, repaid_by = now.repaid_by, repaid = now.repaid
    FROM lot_rows AS now
    WHERE NOT now.is_new AND lot.account_id = now.account_id AND lot.lot_id = now.lot_id
), usage_rows AS MATERIALIZED (
    SELECT * FROM unnest($28::boolean[], $29::text[], $30::text[], $31::integer[], $32::text[], $33::bigint[],
        $34::integer[], $35::integer[], $36::timestamptz[], $37::timestamptz[], $38::timestamptz[], $39::text[],
        $40::text[], $41::text[], $42::timestamptz[], $43::timestamptz[], $44::text[])
        AS usage_row (is_new, account_id, job_id, attempt, stage, cost, outputs, delivered_outputs, held_at,
            hold_expires_at, ended_at, trace_id, cause, fault, failed_at, reported_at, failure_trace_id)
    WHERE (SELECT holds FROM unchanged)
), new_usages AS (
    INSERT INTO usage (account_id, job_id, attempt, stage, cost, outputs, delivered_outputs, held_at,
        hold_expires_at, ended_at, trace_id, cause, fault, failed_at, reported_at, failure_trace_id)
    SELECT account_id, job_id, attempt, stage, cost, outputs, delivered_outputs, held_at, hold_expires_at, ended_at,
        trace_id, cause, fault, failed_at, reported_at, failure_trace_id
    FROM usage_rows WHERE is_new
), usages AS (
    UPDATE usage SET stage = now.stage, delivered_outputs = now.delivered_outputs, ended_at = now.ended_at,
        cause = now.cause, fault = now.fault, failed_at = now.failed_at, reported_at = now.reported_at,
        failure_trace_id = now.failure_trace_id
    FROM usage_rows AS now
    WHERE NOT now.is_new AND usage.account_id = now.account_id AND usage.job_id = now.job_id
        AND usage.attempt = now.attempt
), allocation_rows AS MATERIALIZED (
    SELECT * FROM unnest($45::boolean[], $46::text[], $47::text[], $48::integer[], $49::integer[], $50::uuid[],
        $51::bigint[], $52::bigint[], $53::bigint[], $54::bigint[])
        AS allocation_row (is_new, account_id, job_id, attempt, position, lot_id, taken, captured, released,
            restored)
    WHERE (SELECT holds FROM unchanged)
), new_allocations AS (
    INSERT INTO allocation (account_id, job_id, attempt, position, lot_id, taken, captured, released, restored)
    SELECT account_id, job_id, attempt, position, lot_id, taken, captured, released, restored
    FROM allocation_rows WHERE is_new
), allocations AS (
    UPDATE allocation SET captured = now.captured, released = now.released, restored = now.restored
    FROM allocation_rows AS now
    WHERE NOT now.is_new AND allocation.account_id = now.account_id AND allocation.job_id = now.job_id
        AND allocation.attempt = now.attempt AND allocation.position = now.position
), entries AS (
    INSERT INTO entry (account_id, seq, lot_id, from_bucket, to_bucket, credits, cause_kind, cause_id, actor,
        trace_id, at, prev_hash, hash)
    SELECT * FROM unnest($55::text[], $56::bigint[], $57::uuid[], $58::text[], $59::text[], $60::bigint[],
        $61::text[], $62::text[], $63::text[], $64::text[], $65::timestamptz[], $66::bytea[], $67::bytea[])
    WHERE (SELECT holds FROM unchanged)
), answers AS (
    INSERT INTO idempotency_key
        (account_id, caller, method, request_id, fingerprint, refused, answer, created_at)
    SELECT * FROM unnest($68::text[], $69::text[], $70::text[], $71::uuid[], $72::text[], $73::boolean[],
        $74::text[], $75::timestamptz[])
    WHERE (SELECT holds FROM unchanged)
)
SELECT holds AS "holds!" FROM unchanged
