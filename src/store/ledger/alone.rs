//! A hold or a capture by itself, as it is while there is little to do: one account, one lot, one entry. Its statement
//! touches only what it changes and has values for arguments, where the one for many has columns: it takes a third less of
//! the database's time.

use super::{WriteSet, Written};
use crate::domain::entry::Entry;
use crate::domain::ids::AccountId;
use crate::domain::lot::{Bucket, Lot};
use crate::domain::usage::{Allocation, Usage, UsageStage};
use crate::store::connected::Connected;
use crate::store::{AccountRow, Key, StoredAnswer};
use chrono::{DateTime, Utc};

/// A write set with a row of each kind: a hold that takes from one lot, or the capture of all of it.
pub(super) struct Alone<'a> {
    account_id: &'a AccountId,
    account: AccountRow,
    lot: &'a Lot,
    usage: &'a Usage,
    allocation: &'a Allocation,
    entry: &'a Entry,
    key: Key<'a>,
    answer: &'a StoredAnswer,
    answered_at: DateTime<Utc>,
    is_hold: bool,
}

impl<'a> Alone<'a> {
    /// The hold or capture that a write set consists of, if it is one.
    pub(super) fn of(set: &WriteSet<'a>) -> Option<Self> {
        let WriteSet { accounts, lots, usages, entries, answers } = set;
        let [(account_id, account, true)] = accounts.as_slice() else { return None };
        let [(_, lot, Written::Before)] = lots.as_slice() else { return None };
        let [(_, usage, written)] = usages.as_slice() else { return None };
        let [allocation] = usage.allocations.as_slice() else { return None };
        let [(_, entry)] = entries.as_slice() else { return None };
        let [(key, answer, answered_at)] = answers.as_slice() else { return None };
        let is_hold = match (usage.stage, written, entry.movement.from, entry.movement.to) {
            (UsageStage::Held, Written::Now, Bucket::Available, Bucket::Held) => true,
            (UsageStage::Captured, Written::Before, Bucket::Held, Bucket::Consumed) => false,
            _ => return None,
        };
        // What the statements say once where the tables say it twice.
        let is_one = account.head.seq == entry.seq
            && account.last_at == entry.at
            && key.caller == entry.actor.as_str()
            && allocation.taken == entry.movement.credits
            && !answer.refused;
        is_one.then_some(Self {
            account_id,
            account: *account,
            lot,
            usage,
            allocation,
            entry,
            key: *key,
            answer,
            answered_at: *answered_at,
            is_hold,
        })
    }

    /// Writes it, if the account has the revision that it was read with; says whether it had.
    pub(super) async fn write(&self, at: &mut impl Connected) -> Result<bool, sqlx::Error> {
        if self.is_hold { self.hold(at).await } else { self.capture(at).await }
    }

    async fn hold(&self, at: &mut impl Connected) -> Result<bool, sqlx::Error> {
        sqlx::query_file_scalar!(
            "src/store/ledger/hold_alone.sql",
            self.account_id.as_str(),
            self.account.revision,
            self.entry.seq,
            self.entry.hash.as_slice(),
            self.entry.at,
            self.lot.lot_id.0,
            self.lot.available.get(),
            self.lot.held.get(),
            self.usage.attempt.job_id.as_str(),
            self.usage.attempt.number,
            self.usage.cost.get(),
            self.usage.outputs,
            self.usage.held_at,
            self.usage.hold_expires_at,
            self.usage.trace_id.as_deref(),
            self.entry.movement.cause.id(),
            self.entry.actor.as_str(),
            self.entry.trace_id.as_deref(),
            self.entry.prev_hash.as_slice(),
            self.key.method,
            self.key.request_id.0,
            self.answer.fingerprint,
            self.answer.answer,
            self.answered_at,
        )
        .fetch_one(at.connection())
        .await
    }

    async fn capture(&self, at: &mut impl Connected) -> Result<bool, sqlx::Error> {
        sqlx::query_file_scalar!(
            "src/store/ledger/capture_alone.sql",
            self.account_id.as_str(),
            self.account.revision,
            self.entry.seq,
            self.entry.hash.as_slice(),
            self.entry.at,
            self.lot.lot_id.0,
            self.lot.held.get(),
            self.lot.consumed.get(),
            self.usage.attempt.job_id.as_str(),
            self.usage.attempt.number,
            self.usage.delivered_outputs,
            self.usage.ended_at,
            self.allocation.captured.get(),
            self.entry.movement.cause.id(),
            self.entry.actor.as_str(),
            self.entry.trace_id.as_deref(),
            self.entry.prev_hash.as_slice(),
            self.key.method,
            self.key.request_id.0,
            self.answer.fingerprint,
            self.answer.answer,
            self.answered_at,
        )
        .fetch_one(at.connection())
        .await
    }
}
