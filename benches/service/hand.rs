//! The leanest honest SQL for the same records: one statement, one round trip and one commit for each operation.
//!
//! It locks the account, moves the lot, keeps the attempt and what it took, and chains the entry by the same hash as
//! the service (the client brings the hashed text but for the place in the chain and the lot). It has no request
//! ids, no stored answers, no second lot, no standing and no policy.

use crate::load::Job;
use crate::seed::actor;
use chrono::{DateTime, Utc};
use makegood::clock::Clock;
use makegood::domain::ids::AccountId;
use sqlx::PgConnection;

/// Credits of each attempt.
pub(crate) const COST: i64 = 1;

const HOLD: &str = "
    WITH locked AS MATERIALIZED (
        SELECT last_seq + 1 AS seq, last_hash FROM account WHERE account_id = $1 FOR NO KEY UPDATE
    ), taken AS (
        UPDATE lot SET available = available - $3, held = held + $3 FROM locked
        WHERE account_id = $1 AND available >= $3 AND lot_id = (
            SELECT lot_id FROM lot
            WHERE account_id = $1 AND is_open AND (expires_at IS NULL OR expires_at > $4)
            ORDER BY priority, expires_at NULLS LAST, granted_at, lot_id LIMIT 1)
        RETURNING lot_id
    ), moved AS (
        UPDATE account SET last_seq = seq, last_at = $4, last_hash =
            sha256(locked.last_hash || convert_to($6::text || seq || ',\"lot_id\":\"' || lot_id || $7::text, 'UTF8'))
        FROM locked, taken WHERE account_id = $1
        RETURNING account.last_hash
    ), used AS (
        INSERT INTO usage (account_id, job_id, attempt, stage, cost, outputs, held_at, hold_expires_at)
        SELECT $1, $2, 1, 'held', $3, 1, $4, $4 + interval '15 minutes' FROM taken
    ), kept AS (
        INSERT INTO allocation (account_id, job_id, attempt, position, lot_id, taken, captured, released, restored)
        SELECT $1, $2, 1, 1, lot_id, $3, 0, 0, 0 FROM taken
    )
    INSERT INTO entry (account_id, seq, lot_id, from_bucket, to_bucket, credits, cause_kind, cause_id, actor, at,
        prev_hash, hash)
    SELECT $1, seq, lot_id, 'available', 'held', $3, 'usage', $2 || '#1', $5, $4, locked.last_hash, moved.last_hash
    FROM locked, taken, moved";

const CAPTURE: &str = "
    WITH locked AS MATERIALIZED (
        SELECT last_seq + 1 AS seq, last_hash FROM account WHERE account_id = $1 FOR NO KEY UPDATE
    ), kept AS (
        UPDATE allocation SET captured = taken FROM locked
        WHERE account_id = $1 AND job_id = $2 AND attempt = 1 AND captured + released < taken
        RETURNING lot_id
    ), taken AS (
        UPDATE lot SET held = held - $3, consumed = consumed + $3 FROM kept
        WHERE account_id = $1 AND lot.lot_id = kept.lot_id
        RETURNING lot.lot_id
    ), moved AS (
        UPDATE account SET last_seq = seq, last_at = $4, last_hash =
            sha256(locked.last_hash || convert_to($6::text || seq || ',\"lot_id\":\"' || lot_id || $7::text, 'UTF8'))
        FROM locked, taken WHERE account_id = $1
        RETURNING account.last_hash
    ), used AS (
        UPDATE usage SET stage = 'captured', delivered_outputs = outputs, ended_at = $4 FROM taken
        WHERE account_id = $1 AND job_id = $2 AND attempt = 1
    )
    INSERT INTO entry (account_id, seq, lot_id, from_bucket, to_bucket, credits, cause_kind, cause_id, actor, at,
        prev_hash, hash)
    SELECT $1, seq, lot_id, 'held', 'consumed', $3, 'usage', $2 || '#1', $5, $4, locked.last_hash, moved.last_hash
    FROM locked, taken, moved";

const RESTORE: &str = "
    WITH locked AS MATERIALIZED (
        SELECT last_seq + 1 AS seq, last_hash FROM account WHERE account_id = $1 FOR NO KEY UPDATE
    ), kept AS (
        UPDATE allocation SET restored = captured FROM locked
        WHERE account_id = $1 AND job_id = $2 AND attempt = 1 AND restored < captured
        RETURNING lot_id
    ), taken AS (
        UPDATE lot SET consumed = consumed - $3, available = available + $3 FROM kept
        WHERE account_id = $1 AND lot.lot_id = kept.lot_id
        RETURNING lot.lot_id
    ), moved AS (
        UPDATE account SET last_seq = seq, last_at = $4, last_hash =
            sha256(locked.last_hash || convert_to($6::text || seq || ',\"lot_id\":\"' || lot_id || $7::text, 'UTF8'))
        FROM locked, taken WHERE account_id = $1
        RETURNING account.last_hash
    ), used AS (
        UPDATE usage SET stage = 'failed', cause = 'worker_crash', fault = 'platform', failed_at = $4,
            reported_at = $4 FROM taken
        WHERE account_id = $1 AND job_id = $2 AND attempt = 1
    )
    INSERT INTO entry (account_id, seq, lot_id, from_bucket, to_bucket, credits, cause_kind, cause_id, actor, at,
        prev_hash, hash)
    SELECT $1, seq, lot_id, 'consumed', 'available', $3, 'usage', $2 || '#1', $5, $4, locked.last_hash,
        moved.last_hash
    FROM locked, taken, moved";

const BALANCE: &str = "
    SELECT account.last_seq, lot_id, source, priority, expires_at, granted, available, held, frozen
    FROM account JOIN lot USING (account_id)
    WHERE account_id = $1 AND is_open";

/// Which way credits go.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Move {
    Hold,
    Capture,
    Restore,
}

impl Move {
    const fn statement(self) -> &'static str {
        match self {
            Self::Hold => HOLD,
            Self::Capture => CAPTURE,
            Self::Restore => RESTORE,
        }
    }

    const fn buckets(self) -> (&'static str, &'static str) {
        match self {
            Self::Hold => ("available", "held"),
            Self::Capture => ("held", "consumed"),
            Self::Restore => ("consumed", "available"),
        }
    }
}

/// The hashed text of an entry, before the place in the chain and after the lot.
fn hashed(job: &Job, movement: Move, at: DateTime<Utc>, actor: &str) -> (String, String) {
    let (from, to) = movement.buckets();
    let (account_id, job_id, micros) = (job.account_id.as_str(), &job.job_id, at.timestamp_micros());
    let head = format!("{{\"account_id\":\"{account_id}\",\"seq\":");
    let tail = format!(
        "\",\"from\":\"{from}\",\"to\":\"{to}\",\"credits\":{COST},\"cause_kind\":\"usage\",\
         \"cause_id\":\"{job_id}#1\",\"actor\":\"{actor}\",\"trace_id\":null,\"at_micros\":{micros}}}"
    );
    (head, tail)
}

/// Moves the credits of one attempt.
pub(crate) async fn shift(connection: &mut PgConnection, job: &Job, movement: Move) -> anyhow::Result<()> {
    let (at, actor) = (Clock::system().now(), actor()?);
    let (head, tail) = hashed(job, movement, at, actor.as_str());
    let done = sqlx::query(movement.statement())
        .bind(job.account_id.as_str())
        .bind(&job.job_id)
        .bind(COST)
        .bind(at)
        .bind(actor.as_str())
        .bind(head)
        .bind(tail)
        .execute(connection)
        .await?;
    anyhow::ensure!(done.rows_affected() == 1, "{movement:?} of `{}` moved nothing", job.job_id);
    Ok(())
}

/// Reads what an account has.
pub(crate) async fn balance(connection: &mut PgConnection, account_id: &AccountId) -> anyhow::Result<()> {
    let lots = sqlx::query(BALANCE).bind(account_id.as_str()).fetch_all(connection).await?;
    anyhow::ensure!(lots.len() == 1, "`{account_id}` has {} open lots", lots.len());
    Ok(())
}
