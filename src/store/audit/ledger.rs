//! Entries, accounts, lots and usages, as an audit reads them.

use super::super::Error;
use super::{Snapshot, visit_rows};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// An entry beside the head of its account's chain.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns' names")]
pub struct AuditEntry {
    pub account_id: String,
    pub seq: i64,
    pub lot_id: Uuid,
    pub from_bucket: String,
    pub to_bucket: String,
    pub credits: i64,
    pub cause_kind: String,
    pub cause_id: String,
    pub actor: String,
    pub trace_id: Option<String>,
    pub at: DateTime<Utc>,
    pub prev_hash: Vec<u8>,
    pub hash: Vec<u8>,
    pub head_seq: Option<i64>,
    pub head_hash: Option<Vec<u8>>,
    pub head_at: Option<DateTime<Utc>>,
}

/// An account that has no entry.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns' names")]
pub struct AuditAccount {
    pub account_id: String,
    pub last_seq: i64,
    pub last_hash: Vec<u8>,
}

/// A lot, what its entries moved, and what attempts took from it. A lot that is missing has no columns of its own.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns' names")]
pub struct AuditLot {
    pub account_id: String,
    pub lot_id: Uuid,
    pub purchase_id: Option<Uuid>,
    pub granted_at: Option<DateTime<Utc>>,
    pub granted: Option<i64>,
    pub available: Option<i64>,
    pub held: Option<i64>,
    pub frozen: Option<i64>,
    pub consumed: Option<i64>,
    pub expired: Option<i64>,
    pub revoked: Option<i64>,
    pub refunded: Option<i64>,
    pub owed: Option<i64>,
    pub disputed: Option<bool>,
    /// One place for each pair of buckets: from where, to where, how many credits in all.
    pub from_buckets: Option<Vec<String>>,
    pub to_buckets: Option<Vec<String>>,
    pub moved: Option<Vec<i64>>,
    /// When its first credits came, and what for: `kind:id`.
    pub entries_granted_at: Option<DateTime<Utc>>,
    pub entries_granted_by: Option<String>,
    /// Revoked for lost disputes and not given back since.
    pub revoked_for_disputes: i64,
    /// Held, charged and restored by the attempts' allocations.
    pub allocated_held: i64,
    pub allocated_charged: i64,
    pub allocated_restored: i64,
    /// Whether a dispute on its purchase is open.
    pub has_open_dispute: bool,
    /// What its purchase's lost disputes took, as stored: one list for each.
    pub losses: Option<Vec<serde_json::Value>>,
}

/// One allocation of an attempt, and what the attempt's entries moved in the same lot. An attempt without
/// allocations has one row without a lot; entries without an attempt have one without a stage.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns' names")]
pub struct AuditUsage {
    pub account_id: String,
    pub attempt: String,
    pub lot_id: Option<Uuid>,
    pub position: Option<i32>,
    pub stage: Option<String>,
    pub cost: Option<i64>,
    pub outputs: Option<i32>,
    pub delivered_outputs: Option<i32>,
    pub held_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub taken: Option<i64>,
    pub captured: Option<i64>,
    pub released: Option<i64>,
    pub restored: Option<i64>,
    pub moved_taken: Option<i64>,
    pub moved_captured: Option<i64>,
    pub moved_released: Option<i64>,
    pub moved_restored: Option<i64>,
    /// Which of the attempt's lots its entries reserved from first, second and so on.
    pub entries_position: Option<i64>,
    pub entries_held_at: Option<DateTime<Utc>>,
    pub entries_ended_at: Option<DateTime<Utc>>,
}

impl Snapshot {
    /// Every entry, account by account, in the order of its place.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn each_entry(
        &mut self,
        since: Option<DateTime<Utc>>,
        mut visit: impl FnMut(AuditEntry),
    ) -> Result<(), Error> {
        let entries = sqlx::query_as!(
            AuditEntry,
            r#"SELECT entry.account_id AS "account_id!", seq AS "seq!", lot_id AS "lot_id!",
                from_bucket AS "from_bucket!", to_bucket AS "to_bucket!", credits AS "credits!",
                cause_kind AS "cause_kind!", cause_id AS "cause_id!", actor AS "actor!", trace_id AS "trace_id?",
                at AS "at!", prev_hash AS "prev_hash!", hash AS "hash!", account.last_seq AS "head_seq?", account.last_hash AS "head_hash?",
                account.last_at AS "head_at?"
             FROM entry LEFT JOIN account ON account.account_id = entry.account_id
             WHERE $1::timestamptz IS NULL OR account.last_at >= $1
             ORDER BY entry.account_id, entry.seq"#,
            since,
        );
        visit_rows!(self, entries, visit)
    }

    /// Every account without entries.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn each_account_without_entries(
        &mut self,
        since: Option<DateTime<Utc>>,
        mut visit: impl FnMut(AuditAccount),
    ) -> Result<(), Error> {
        let accounts = sqlx::query_as!(
            AuditAccount,
            "SELECT account_id, last_seq, last_hash FROM account
             WHERE ($1::timestamptz IS NULL OR last_at >= $1)
                AND NOT EXISTS (SELECT FROM entry WHERE entry.account_id = account.account_id)",
            since,
        );
        visit_rows!(self, accounts, visit)
    }

    /// Every lot, and every lot that entries speak of.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn each_lot(
        &mut self,
        since: Option<DateTime<Utc>>,
        mut visit: impl FnMut(AuditLot),
    ) -> Result<(), Error> {
        let lots = sqlx::query_as!(
            AuditLot,
            r#"WITH pair AS (
                SELECT account_id, lot_id, from_bucket, to_bucket,
                    least(coalesce(sum(credits), 0), 9223372036854775807)::bigint AS credits,
                    least(coalesce(sum(credits) FILTER (WHERE cause_kind <> 'person'), 0), 9223372036854775807)::bigint AS machine,
                    min(at) FILTER (WHERE from_bucket = 'granted') AS granted_at,
                    min(cause_kind || ':' || cause_id) FILTER (WHERE from_bucket = 'granted') AS granted_by
                FROM entry
                GROUP BY account_id, lot_id, from_bucket, to_bucket),
             moved AS (
                SELECT account_id, lot_id, array_agg(from_bucket) AS froms, array_agg(to_bucket) AS tos,
                    array_agg(credits) AS credits, min(granted_at) AS granted_at, min(granted_by) AS granted_by,
                    greatest(least(coalesce(sum(CASE WHEN from_bucket = 'revoked' THEN -machine
                        WHEN to_bucket = 'revoked' AND from_bucket <> 'available' THEN machine END), 0),
                        9223372036854775807), -9223372036854775807)::bigint AS for_disputes
                FROM pair GROUP BY account_id, lot_id),
             allocated AS (
                SELECT account_id, lot_id, sum(taken - captured - released)::bigint AS held,
                    sum(captured - restored)::bigint AS charged, sum(restored)::bigint AS restored
                FROM allocation GROUP BY account_id, lot_id)
             SELECT coalesce(lot.account_id, moved.account_id) AS "account_id!",
                coalesce(lot.lot_id, moved.lot_id) AS "lot_id!", lot.purchase_id AS "purchase_id?",
                lot.granted_at AS "granted_at?", granted AS "granted?", available AS "available?",
                lot.held AS "held?", frozen AS "frozen?", consumed AS "consumed?", expired AS "expired?",
                revoked AS "revoked?", refunded AS "refunded?", owed AS "owed?", disputed AS "disputed?",
                moved.froms AS "from_buckets?", moved.tos AS "to_buckets?", moved.credits AS "moved?",
                moved.granted_at AS "entries_granted_at?", moved.granted_by AS "entries_granted_by?",
                coalesce(moved.for_disputes, 0) AS "revoked_for_disputes!",
                coalesce(allocated.held, 0) AS "allocated_held!",
                coalesce(allocated.charged, 0) AS "allocated_charged!",
                coalesce(allocated.restored, 0) AS "allocated_restored!",
                EXISTS (SELECT FROM chargeback c WHERE c.account_id = lot.account_id
                    AND c.purchase_id = lot.purchase_id AND c.stage = 'open') AS "has_open_dispute!",
                (SELECT array_agg(c.losses) FROM chargeback c WHERE c.account_id = lot.account_id
                    AND c.purchase_id = lot.purchase_id AND c.stage = 'lost') AS "losses?"
             FROM lot
             FULL JOIN moved ON moved.account_id = lot.account_id AND moved.lot_id = lot.lot_id
             LEFT JOIN allocated ON allocated.account_id = coalesce(lot.account_id, moved.account_id)
                AND allocated.lot_id = coalesce(lot.lot_id, moved.lot_id)
             WHERE $1::timestamptz IS NULL OR coalesce(lot.account_id, moved.account_id)
                IN (SELECT account_id FROM account WHERE last_at >= $1)"#,
            since,
        );
        visit_rows!(self, lots, visit)
    }

    /// Every attempt, allocation by allocation, and every attempt that entries speak of; the rows of one attempt
    /// follow each other.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn each_usage(
        &mut self,
        since: Option<DateTime<Utc>>,
        mut visit: impl FnMut(AuditUsage),
    ) -> Result<(), Error> {
        let usages = sqlx::query_as!(
            AuditUsage,
            r#"WITH moved AS (
                SELECT account_id, cause_id, lot_id,
                    least(coalesce(sum(credits) FILTER (WHERE to_bucket = 'held'), 0), 9223372036854775807)::bigint AS taken,
                    least(coalesce(sum(credits) FILTER (WHERE from_bucket = 'held' AND to_bucket = 'consumed'), 0),
                        9223372036854775807)::bigint AS captured,
                    least(coalesce(sum(credits) FILTER (WHERE from_bucket = 'held' AND to_bucket <> 'consumed'), 0),
                        9223372036854775807)::bigint AS released,
                    least(coalesce(sum(credits) FILTER (WHERE from_bucket = 'consumed'), 0), 9223372036854775807)::bigint
                        AS restored,
                    row_number() OVER (PARTITION BY account_id, cause_id
                        ORDER BY min(seq) FILTER (WHERE to_bucket = 'held')) AS position,
                    min(at) FILTER (WHERE to_bucket = 'held') AS held_at,
                    max(at) FILTER (WHERE from_bucket = 'held') AS ended_at
                FROM entry WHERE cause_kind = 'usage' GROUP BY account_id, cause_id, lot_id),
             part AS (
                SELECT coalesce(usage.account_id, allocation.account_id) AS account_id,
                    coalesce(usage.job_id, allocation.job_id) || '#' || coalesce(usage.attempt, allocation.attempt)
                        AS attempt,
                    lot_id, position, stage, cost, outputs, delivered_outputs, held_at, ended_at, taken, captured, released,
                    restored
                FROM usage FULL JOIN allocation ON allocation.account_id = usage.account_id
                    AND allocation.job_id = usage.job_id AND allocation.attempt = usage.attempt)
             SELECT coalesce(part.account_id, moved.account_id) AS "account_id!",
                coalesce(part.attempt, moved.cause_id) AS "attempt!", coalesce(part.lot_id, moved.lot_id) AS "lot_id?",
                part.position AS "position?", part.stage AS "stage?", part.cost AS "cost?", part.outputs AS "outputs?",
                part.delivered_outputs AS "delivered_outputs?", part.held_at AS "held_at?",
                part.ended_at AS "ended_at?", part.taken AS "taken?", part.captured AS "captured?",
                part.released AS "released?", part.restored AS "restored?", moved.taken AS "moved_taken?",
                moved.captured AS "moved_captured?", moved.released AS "moved_released?",
                moved.restored AS "moved_restored?", moved.position AS "entries_position?",
                moved.held_at AS "entries_held_at?", moved.ended_at AS "entries_ended_at?"
             FROM part
             FULL JOIN moved ON moved.account_id = part.account_id AND moved.cause_id = part.attempt
                AND moved.lot_id = part.lot_id
             WHERE $1::timestamptz IS NULL OR coalesce(part.account_id, moved.account_id)
                IN (SELECT account_id FROM account WHERE last_at >= $1)
             ORDER BY 1, 2"#,
            since,
        );
        visit_rows!(self, usages, visit)
    }
}
