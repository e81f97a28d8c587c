//! A page: one locked account in memory, while a lane works on it.

use super::{BalanceAt, Context, Error};
use crate::domain::book::{Book, Changes};
use crate::domain::entry::{Entry, chain};
use crate::domain::ids::{AccountId, Attempt};
use crate::domain::restriction::Standing;
use crate::domain::usage::Usage;
use crate::policy::Document;
use crate::store::AccountRow;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// The circumstances of one operation.
#[derive(Debug)]
pub struct Turn<'a> {
    /// Who calls, and in which trace.
    pub(super) context: &'a Context,
    /// The policy in force.
    pub(super) policy: &'a Document,
    /// The instant.
    pub(super) now: DateTime<Utc>,
}

/// One account: read once, changed in memory by every operation of a batch, written once.
#[derive(Debug)]
pub struct Page {
    pub(super) book: Book,
    pub(super) standing: Standing,
    account: AccountRow,
    usages: BTreeMap<Attempt, Usage>,
    changed: BTreeSet<Attempt>,
    failure_texts: Vec<(Attempt, String)>,
    entries: Vec<Entry>,
    wrote: bool,
}

/// What became of a page: its write set.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) account: AccountRow,
    pub(super) lots: Changes,
    pub(super) usages: Vec<Usage>,
    pub(super) failure_texts: Vec<(Attempt, String)>,
    pub(super) entries: Vec<Entry>,
}

impl Page {
    pub(super) fn open(account: AccountRow, book: Book, standing: Standing, usages: Vec<Usage>) -> Self {
        let usages = usages.into_iter().map(|usage| (usage.attempt.clone(), usage)).collect();
        let (changed, failure_texts, entries) = (BTreeSet::new(), Vec::new(), Vec::new());
        Self { book, standing, account, usages, changed, failure_texts, entries, wrote: false }
    }

    /// Begins an operation: its instant is never earlier than the account's last change.
    pub(super) fn begin(&mut self, clock_now: DateTime<Utc>) -> DateTime<Utc> {
        let now = clock_now.max(self.account.last_at);
        self.book.turn_to(now);
        now
    }

    /// The usage of an attempt, as it is after the operations so far.
    pub(super) fn usage(&self, attempt: &Attempt) -> Option<&Usage> {
        self.usages.get(attempt)
    }

    /// Keeps a usage, new or changed.
    pub(super) fn keep(&mut self, usage: &Usage) {
        self.wrote = true;
        self.changed.insert(usage.attempt.clone());
        self.usages.insert(usage.attempt.clone(), usage.clone());
    }

    /// Keeps what a worker wrote about a failure.
    pub(super) fn keep_failure_text(&mut self, attempt: &Attempt, text: &str) {
        self.failure_texts.push((attempt.clone(), text.to_owned()));
    }

    /// What the account has after everything so far.
    pub(super) fn balance(&self, now: DateTime<Utc>) -> Result<BalanceAt, Error> {
        let pending = i64::try_from(self.book.movements().len()).unwrap_or(i64::MAX);
        let last_seq = self.account.head.seq.saturating_add(pending);
        Ok(BalanceAt { balance: self.book.balance()?, last_seq, as_of: now })
    }

    /// Whether the operation under way has moved credits.
    pub(super) fn has_moved(&self) -> bool {
        !self.book.movements().is_empty()
    }

    /// Ends an operation: its movements take their places in the chain.
    pub(super) fn end(&mut self, account_id: &AccountId, turn: &Turn<'_>) {
        let movements = self.book.take_movements();
        if movements.is_empty() && !self.wrote {
            return;
        }
        let Context { caller, trace_id, clock: _ } = turn.context;
        let (entries, head) =
            chain(account_id, self.account.head, movements, caller, trace_id.as_deref(), turn.now);
        self.entries.extend(entries);
        self.account = AccountRow { head, last_at: turn.now };
        self.wrote = true;
    }

    /// What must be written; `None` when nothing happened.
    pub(super) fn close(mut self) -> Option<Written> {
        if !self.wrote {
            return None;
        }
        let usages = self.changed.iter().filter_map(|attempt| self.usages.remove(attempt)).collect();
        Some(Written {
            account: self.account,
            lots: self.book.close(),
            usages,
            failure_texts: self.failure_texts,
            entries: self.entries,
        })
    }
}
