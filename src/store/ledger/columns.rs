//! Rows as columns: PostgreSQL takes many rows at once as one array for each column.

use super::Written;
use crate::domain::entry::Entry;
use crate::domain::ids::AccountId;
use crate::domain::lot::Lot;
use crate::domain::usage::Usage;
use crate::store::{AccountRow, Key, StoredAnswer};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A struct of columns, and how each is read from a row.
macro_rules! columns {
    ($(#[$doc:meta])* $name:ident of $row:ty as $pattern:pat => { $($column:ident: $type:ty = $value:expr,)* }) => {
        $(#[$doc])*
        #[derive(Default)]
        pub(super) struct $name {
            $(pub(super) $column: Vec<$type>,)*
        }

        impl $name {
            pub(super) fn of(rows: &[$row]) -> Self {
                let mut columns = Self { $($column: Vec::with_capacity(rows.len()),)* };
                for $pattern in rows {
                    $(columns.$column.push($value);)*
                }
                columns
            }
        }
    };
}

columns! {
    /// Of `account`.
    Accounts of (&AccountId, AccountRow, bool) as (account_id, row, moves) => {
        account_ids: String = account_id.as_str().to_owned(),
        revisions: i64 = row.revision,
        moves: bool = *moves,
        last_seqs: i64 = row.head.seq,
        last_hashes: Vec<u8> = row.head.hash.to_vec(),
        last_at: DateTime<Utc> = row.last_at,
    }
}

columns! {
    /// Of `lot`.
    Lots of (&AccountId, &Lot, Written) as (account_id, lot, written) => {
        are_new: bool = *written == Written::Now,
        account_ids: String = account_id.as_str().to_owned(),
        lot_ids: Uuid = lot.lot_id.0,
        sources: String = lot.source.name().to_owned(),
        purchase_ids: Option<Uuid> = lot.purchase_id.map(|id| id.0),
        order_ids: Option<String> = lot.order_id.as_ref().map(ToString::to_string),
        priorities: i32 = lot.priority,
        granted_at: DateTime<Utc> = lot.granted_at,
        expires_at: Option<DateTime<Utc>> = lot.expires_at,
        granted: i64 = lot.granted.get(),
        available: i64 = lot.available.get(),
        held: i64 = lot.held.get(),
        frozen: i64 = lot.frozen.get(),
        consumed: i64 = lot.consumed.get(),
        expired: i64 = lot.expired.get(),
        revoked: i64 = lot.revoked.get(),
        refunded: i64 = lot.refunded.get(),
        owed: i64 = lot.owed.get(),
        disputed: bool = lot.disputed,
        repaid_by: Option<Uuid> = lot.repaid.map(|repaid| repaid.refund_id.0),
        repaid: Option<i64> = lot.repaid.map(|repaid| repaid.credits.get()),
    }
}

columns! {
    /// Of `usage`.
    Usages of (&AccountId, &Usage, Written) as (account_id, usage, written) => {
        are_new: bool = *written == Written::Now,
        account_ids: String = account_id.as_str().to_owned(),
        job_ids: String = usage.attempt.job_id.to_string(),
        attempts: i32 = usage.attempt.number,
        stages: String = usage.stage.name().to_owned(),
        costs: i64 = usage.cost.get(),
        outputs: i32 = usage.outputs,
        delivered_outputs: Option<i32> = usage.delivered_outputs,
        held_at: DateTime<Utc> = usage.held_at,
        hold_expires_at: DateTime<Utc> = usage.hold_expires_at,
        ended_at: Option<DateTime<Utc>> = usage.ended_at,
        trace_ids: Option<String> = usage.trace_id.clone(),
        causes: Option<String> = usage.failure.as_ref().map(|failure| failure.cause.to_string()),
        faults: Option<String> = usage.failure.as_ref().map(|failure| failure.fault.name().to_owned()),
        failed_at: Option<DateTime<Utc>> = usage.failure.as_ref().map(|failure| failure.failed_at),
        reported_at: Option<DateTime<Utc>> = usage.failure.as_ref().map(|failure| failure.reported_at),
        failure_trace_ids: Option<String> = usage.failure.as_ref().and_then(|failure| failure.trace_id.clone()),
    }
}

columns! {
    /// Of `entry`.
    Entries of (&AccountId, &Entry) as (account_id, entry) => {
        account_ids: String = account_id.as_str().to_owned(),
        seqs: i64 = entry.seq,
        lot_ids: Uuid = entry.movement.lot_id.0,
        from_buckets: String = entry.movement.from.name().to_owned(),
        to_buckets: String = entry.movement.to.name().to_owned(),
        credits: i64 = entry.movement.credits.get(),
        cause_kinds: String = entry.movement.cause.kind().to_owned(),
        cause_ids: String = entry.movement.cause.id(),
        actors: String = entry.actor.as_str().to_owned(),
        trace_ids: Option<String> = entry.trace_id.clone(),
        at: DateTime<Utc> = entry.at,
        prev_hashes: Vec<u8> = entry.prev_hash.to_vec(),
        hashes: Vec<u8> = entry.hash.to_vec(),
    }
}

columns! {
    /// Of `idempotency_key`.
    Answers of (Key<'_>, &StoredAnswer, DateTime<Utc>) as (key, answer, at) => {
        account_ids: String = key.account_id.as_str().to_owned(),
        callers: String = key.caller.to_owned(),
        methods: String = key.method.to_owned(),
        request_ids: Uuid = key.request_id.0,
        fingerprints: String = answer.fingerprint.clone(),
        refused: bool = answer.refused,
        texts: String = answer.answer.clone(),
        created_at: DateTime<Utc> = *at,
    }
}

/// Of `allocation`: several for each usage.
#[derive(Default)]
pub(super) struct Allocations {
    pub(super) are_new: Vec<bool>,
    pub(super) account_ids: Vec<String>,
    pub(super) job_ids: Vec<String>,
    pub(super) attempts: Vec<i32>,
    pub(super) positions: Vec<i32>,
    pub(super) lot_ids: Vec<Uuid>,
    pub(super) taken: Vec<i64>,
    pub(super) captured: Vec<i64>,
    pub(super) released: Vec<i64>,
    pub(super) restored: Vec<i64>,
}

impl Allocations {
    pub(super) fn of(usages: &[(&AccountId, &Usage, Written)]) -> Self {
        let mut columns = Self::default();
        for (account_id, usage, written) in usages {
            for (position, allocation) in (1..).zip(&usage.allocations) {
                columns.are_new.push(*written == Written::Now);
                columns.account_ids.push(account_id.as_str().to_owned());
                columns.job_ids.push(usage.attempt.job_id.to_string());
                columns.attempts.push(usage.attempt.number);
                columns.positions.push(position);
                columns.lot_ids.push(allocation.lot_id.0);
                columns.taken.push(allocation.taken.get());
                columns.captured.push(allocation.captured.get());
                columns.released.push(allocation.released.get());
                columns.restored.push(allocation.restored.get());
            }
        }
        columns
    }
}
