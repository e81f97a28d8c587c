//! One operation by itself, as it mostly is while there is little to do: one account, one lot, one attempt, one entry.
//! Its statements have half the sub-statements and a row's values for arguments, where the one for many has columns.

use super::{WriteSet, Written};
use crate::domain::entry::Entry;
use crate::domain::ids::AccountId;
use crate::domain::lot::Lot;
use crate::domain::usage::{Allocation, Usage};
use crate::store::connected::Connected;
use crate::store::{AccountRow, Key, StoredAnswer};
use chrono::{DateTime, Utc};

/// A write set of one operation on one lot.
pub(super) struct Alone<'a> {
    account_id: &'a AccountId,
    account: AccountRow,
    lot: &'a Lot,
    usage: &'a Usage,
    written: Written,
    allocation: &'a Allocation,
    entry: &'a Entry,
    key: Key<'a>,
    answer: &'a StoredAnswer,
    answered_at: DateTime<Utc>,
}

impl<'a> Alone<'a> {
    /// The operation that a write set consists of, if it is one that moved credits of one lot once.
    pub(super) fn of(set: &WriteSet<'a>) -> Option<Self> {
        let WriteSet { accounts, lots, usages, entries, answers } = set;
        let ([(account_id, account, true)], [(_, lot, Written::Before)]) =
            (accounts.as_slice(), lots.as_slice())
        else {
            return None;
        };
        let ([(_, usage, written)], [(_, entry)], [(key, answer, answered_at)]) =
            (usages.as_slice(), entries.as_slice(), answers.as_slice())
        else {
            return None;
        };
        let [allocation] = usage.allocations.as_slice() else { return None };
        (allocation.lot_id == lot.lot_id).then_some(Self {
            account_id,
            account: *account,
            lot,
            usage,
            written: *written,
            allocation,
            entry,
            key: *key,
            answer,
            answered_at: *answered_at,
        })
    }

    /// Writes it, if the account has the revision that it was read with; says whether it had.
    pub(super) async fn write(&self, at: &mut impl Connected) -> Result<bool, sqlx::Error> {
        match self.written {
            Written::Now => self.hold(at).await,
            Written::Before => self.end(at).await,
        }
    }

    async fn hold(&self, at: &mut impl Connected) -> Result<bool, sqlx::Error> {
        let failure = self.usage.failure.as_ref();
        sqlx::query_file_scalar!(
            "src/store/ledger/hold_alone.sql",
            self.account_id.as_str(),
            self.account.revision,
            self.account.head.seq,
            self.account.head.hash.as_slice(),
            self.account.last_at,
            self.lot.lot_id.0,
            self.lot.expires_at,
            self.lot.available.get(),
            self.lot.held.get(),
            self.lot.frozen.get(),
            self.lot.consumed.get(),
            self.lot.expired.get(),
            self.lot.revoked.get(),
            self.lot.refunded.get(),
            self.lot.owed.get(),
            self.lot.disputed,
            self.lot.repaid.map(|repaid| repaid.refund_id.0),
            self.lot.repaid.map(|repaid| repaid.credits.get()),
            self.usage.attempt.job_id.as_str(),
            self.usage.attempt.number,
            self.usage.stage.name(),
            self.usage.cost.get(),
            self.usage.outputs,
            self.usage.delivered_outputs,
            self.usage.held_at,
            self.usage.hold_expires_at,
            self.usage.ended_at,
            self.usage.trace_id.as_deref(),
            failure.map(|failure| failure.cause.as_str()),
            failure.map(|failure| failure.fault.name()),
            failure.map(|failure| failure.failed_at),
            failure.map(|failure| failure.reported_at),
            failure.and_then(|failure| failure.trace_id.as_deref()),
            self.allocation.taken.get(),
            self.allocation.captured.get(),
            self.allocation.released.get(),
            self.allocation.restored.get(),
            self.entry.movement.from.name(),
            self.entry.movement.to.name(),
            self.entry.movement.credits.get(),
            self.entry.movement.cause.kind(),
            self.entry.movement.cause.id(),
            self.entry.actor.as_str(),
            self.entry.trace_id.as_deref(),
            self.entry.at,
            self.entry.prev_hash.as_slice(),
            self.key.caller,
            self.key.method,
            self.key.request_id.0,
            self.answer.fingerprint,
            self.answer.refused,
            self.answer.answer,
            self.answered_at,
        )
        .fetch_one(at.connection())
        .await
    }

    async fn end(&self, at: &mut impl Connected) -> Result<bool, sqlx::Error> {
        let failure = self.usage.failure.as_ref();
        sqlx::query_file_scalar!(
            "src/store/ledger/end_alone.sql",
            self.account_id.as_str(),
            self.account.revision,
            self.account.head.seq,
            self.account.head.hash.as_slice(),
            self.account.last_at,
            self.lot.lot_id.0,
            self.lot.expires_at,
            self.lot.available.get(),
            self.lot.held.get(),
            self.lot.frozen.get(),
            self.lot.consumed.get(),
            self.lot.expired.get(),
            self.lot.revoked.get(),
            self.lot.refunded.get(),
            self.lot.owed.get(),
            self.lot.disputed,
            self.lot.repaid.map(|repaid| repaid.refund_id.0),
            self.lot.repaid.map(|repaid| repaid.credits.get()),
            self.usage.attempt.job_id.as_str(),
            self.usage.attempt.number,
            self.usage.stage.name(),
            self.usage.delivered_outputs,
            self.usage.ended_at,
            failure.map(|failure| failure.cause.as_str()),
            failure.map(|failure| failure.fault.name()),
            failure.map(|failure| failure.failed_at),
            failure.map(|failure| failure.reported_at),
            failure.and_then(|failure| failure.trace_id.as_deref()),
            self.allocation.captured.get(),
            self.allocation.released.get(),
            self.allocation.restored.get(),
            self.entry.movement.from.name(),
            self.entry.movement.to.name(),
            self.entry.movement.credits.get(),
            self.entry.movement.cause.kind(),
            self.entry.movement.cause.id(),
            self.entry.actor.as_str(),
            self.entry.trace_id.as_deref(),
            self.entry.at,
            self.entry.prev_hash.as_slice(),
            self.key.caller,
            self.key.method,
            self.key.request_id.0,
            self.answer.fingerprint,
            self.answer.refused,
            self.answer.answer,
            self.answered_at,
        )
        .fetch_one(at.connection())
        .await
    }
}
