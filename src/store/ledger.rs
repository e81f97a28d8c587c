//! The one statement that writes the ledger: lots, attempts, entries, accounts and answers, of many accounts at once.

mod alone;
mod columns;

use super::account::AccountRow;
use super::connected::Connected;
use super::transact::in_doubt;
use super::{Error, Key, StoredAnswer};
use crate::domain::entry::Entry;
use crate::domain::ids::AccountId;
use crate::domain::lot::Lot;
use crate::domain::usage::Usage;
use alone::Alone;
use chrono::{DateTime, Utc};
use columns::{Accounts, Allocations, Answers, Entries, Lots, Usages};
use uuid::Uuid;

/// Whether a row is in the database already. Told and not found out: an insert that turns into an update finds, locks
/// and logs the row twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is not, and is inserted.
    Now,
    /// It is, and is updated.
    Before,
}

/// What is to be written. Everything in it, but for answers, belongs to one of its accounts.
#[derive(Debug, Default)]
pub struct WriteSet<'a> {
    /// The accounts as they are to be, with the revisions that they were read with, and whether they move on. One
    /// that does not is only checked: an answer rests on it.
    pub accounts: Vec<(&'a AccountId, AccountRow, bool)>,
    /// Lots.
    pub lots: Vec<(&'a AccountId, &'a Lot, Written)>,
    /// Attempts, with what they took.
    pub usages: Vec<(&'a AccountId, &'a Usage, Written)>,
    /// Entries, behind the last one of their account.
    pub entries: Vec<(&'a AccountId, &'a Entry)>,
    /// What calls were answered, and when.
    pub answers: Vec<(Key<'a>, &'a StoredAnswer, DateTime<Utc>)>,
}

/// The SQLSTATE of a division by zero: the statement's way to take everything back when an account was changed.
const CHANGED: &str = "22012";

/// The statement's arguments are its columns, table by table; a function could not be this long.
macro_rules! write {
    ($at:expr, $accounts:ident, $lots:ident, $usages:ident, $allocations:ident, $entries:ident, $answers:ident) => {
        sqlx::query_file_scalar!(
            "src/store/ledger.sql",
            &$accounts.account_ids,
            &$accounts.revisions,
            &$accounts.moves,
            &$accounts.last_seqs,
            &$accounts.last_hashes,
            &$accounts.last_at,
            &$lots.are_new,
            &$lots.account_ids,
            &$lots.lot_ids,
            &$lots.sources,
            &$lots.purchase_ids as &[Option<Uuid>],
            &$lots.order_ids as &[Option<String>],
            &$lots.priorities,
            &$lots.granted_at,
            &$lots.expires_at as &[Option<DateTime<Utc>>],
            &$lots.granted,
            &$lots.available,
            &$lots.held,
            &$lots.frozen,
            &$lots.consumed,
            &$lots.expired,
            &$lots.revoked,
            &$lots.refunded,
            &$lots.owed,
            &$lots.disputed,
            &$lots.repaid_by as &[Option<Uuid>],
            &$lots.repaid as &[Option<i64>],
            &$usages.are_new,
            &$usages.account_ids,
            &$usages.job_ids,
            &$usages.attempts,
            &$usages.stages,
            &$usages.costs,
            &$usages.outputs,
            &$usages.delivered_outputs as &[Option<i32>],
            &$usages.held_at,
            &$usages.hold_expires_at,
            &$usages.ended_at as &[Option<DateTime<Utc>>],
            &$usages.trace_ids as &[Option<String>],
            &$usages.causes as &[Option<String>],
            &$usages.faults as &[Option<String>],
            &$usages.failed_at as &[Option<DateTime<Utc>>],
            &$usages.reported_at as &[Option<DateTime<Utc>>],
            &$usages.failure_trace_ids as &[Option<String>],
            &$allocations.are_new,
            &$allocations.account_ids,
            &$allocations.job_ids,
            &$allocations.attempts,
            &$allocations.positions,
            &$allocations.lot_ids,
            &$allocations.taken,
            &$allocations.captured,
            &$allocations.released,
            &$allocations.restored,
            &$entries.account_ids,
            &$entries.seqs,
            &$entries.lot_ids,
            &$entries.from_buckets,
            &$entries.to_buckets,
            &$entries.credits,
            &$entries.cause_kinds,
            &$entries.cause_ids,
            &$entries.actors,
            &$entries.trace_ids as &[Option<String>],
            &$entries.at,
            &$entries.prev_hashes,
            &$entries.hashes,
            &$answers.account_ids,
            &$answers.callers,
            &$answers.methods,
            &$answers.request_ids,
            &$answers.fingerprints,
            &$answers.refused,
            &$answers.texts,
            &$answers.created_at,
        )
        .fetch_one($at.connection())
        .await
    };
}

/// Writes all of it, if every account still has the revision that it was read with; says whether it had. Each
/// account that moves on has the next revision then. A transaction in which it had not can only be rolled back.
///
/// # Errors
/// [`Error::Refused`] when a row would lie or exists; a failure of the database.
pub async fn write(at: &mut impl Connected, set: &WriteSet<'_>) -> Result<bool, Error> {
    if set.accounts.is_empty() && set.answers.is_empty() {
        return Ok(true);
    }
    let written = match Alone::of(set) {
        Some(alone) => alone.write(at).await,
        None => write_many(at, set).await,
    };
    match written {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(CHANGED) => Ok(false),
        written => written.map_err(if commits(at) { in_doubt } else { Error::from }),
    }
}

async fn write_many(at: &mut impl Connected, set: &WriteSet<'_>) -> Result<bool, sqlx::Error> {
    let (accounts, lots) = (Accounts::of(&set.accounts), Lots::of(&set.lots));
    let (usages, allocations) = (Usages::of(&set.usages), Allocations::of(&set.usages));
    let (entries, answers) = (Entries::of(&set.entries), Answers::of(&set.answers));
    write!(at, accounts, lots, usages, allocations, entries, answers)
}

const fn commits<C: Connected>(_: &C) -> bool {
    C::COMMITS
}
