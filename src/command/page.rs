//! A page: one account in memory, while a lane works on it.

use super::session::grace;
use super::{BalanceAt, Context, Error};
use crate::domain::book::{Book, Changes};
use crate::domain::entry::{ChainHead, Entry, chain};
use crate::domain::ids::{AccountId, Attempt};
use crate::domain::lot::Lot;
use crate::domain::note::OperatorNote;
use crate::domain::redacted::FreeText;
use crate::domain::restriction::Standing;
use crate::domain::usage::{Usage, UsageStage};
use crate::policy::Document;
use crate::store::Written::{Before, Now};
use crate::store::{self, AccountRow, OpenBook};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// Most running attempts that a page keeps for the next batch: more are looked up again.
const MAX_KEPT_USAGES: usize = 256;

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
    /// The account is not in the database.
    is_new: bool,
    usages: BTreeMap<Attempt, Usage>,
    /// The attempts that are in the database.
    known: BTreeSet<Attempt>,
    changed: BTreeSet<Attempt>,
    failure_texts: Vec<(Attempt, FreeText)>,
    notes: Vec<(i64, OperatorNote)>,
    entries: Vec<Entry>,
    /// What the operation under way leaves to be written beside its movements.
    under_way: UnderWay,
    wrote: bool,
}

#[derive(Debug, Default)]
struct UnderWay {
    usage: bool,
    note: Option<OperatorNote>,
}

/// What became of a page: its write set.
#[derive(Debug)]
pub(super) struct Written {
    /// The account as it is to be, with the revision that it was read with.
    pub(super) account: AccountRow,
    pub(super) is_new: bool,
    pub(super) lots: Vec<(Lot, store::Written)>,
    pub(super) usages: Vec<(Usage, store::Written)>,
    pub(super) failure_texts: Vec<(Attempt, FreeText)>,
    pub(super) notes: Vec<(i64, OperatorNote)>,
    pub(super) entries: Vec<Entry>,
}

impl Page {
    /// The page of an account, without any attempt.
    pub(super) fn open(book: OpenBook) -> Self {
        let OpenBook { account, restrictions, lots } = book;
        // Each operation brings its own grace.
        let book = Book::open(lots, account.last_at, TimeDelta::zero());
        Self::blank(account, book, Standing(restrictions), false)
    }

    /// The page of an account that is to be opened.
    pub(super) fn new(now: DateTime<Utc>) -> Self {
        let account = AccountRow { revision: 0, head: ChainHead::START, last_at: now };
        Self::blank(account, Book::open(Vec::new(), now, TimeDelta::zero()), Standing::default(), true)
    }

    fn blank(account: AccountRow, book: Book, standing: Standing, is_new: bool) -> Self {
        Self {
            book,
            standing,
            account,
            is_new,
            usages: BTreeMap::new(),
            known: BTreeSet::new(),
            changed: BTreeSet::new(),
            failure_texts: Vec::new(),
            notes: Vec::new(),
            entries: Vec::new(),
            under_way: UnderWay::default(),
            wrote: false,
        }
    }

    /// The instant of an operation that begins now: never earlier than the account's last change.
    pub(super) fn instant(&self, clock_now: DateTime<Utc>) -> DateTime<Utc> {
        clock_now.max(self.account.last_at)
    }

    /// Begins an operation.
    pub(super) fn begin(&mut self, turn: &Turn<'_>) {
        self.under_way = UnderWay::default();
        self.book.turn_to(turn.now, grace(turn.policy));
    }

    /// Whether the account is in the database, or will be by what was done so far.
    pub(super) const fn exists(&self) -> bool {
        self.wrote || !self.is_new
    }

    /// The usage of an attempt, as it is after the operations so far.
    pub(super) fn usage(&self, attempt: &Attempt) -> Option<&Usage> {
        self.usages.get(attempt)
    }

    /// Keeps a usage, new or changed.
    pub(super) fn keep(&mut self, usage: &Usage) {
        self.under_way.usage = true;
        self.changed.insert(usage.attempt.clone());
        self.usages.insert(usage.attempt.clone(), usage.clone());
    }

    /// Keeps what a worker wrote about a failure.
    pub(super) fn keep_failure_text(&mut self, attempt: &Attempt, text: &FreeText) {
        self.failure_texts.push((attempt.clone(), text.clone()));
    }

    /// Keeps why a person did what the operation does.
    pub(super) fn keep_note(&mut self, note: OperatorNote) {
        self.under_way.note = Some(note);
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
        let UnderWay { usage, note } = std::mem::take(&mut self.under_way);
        if movements.is_empty() && !usage {
            return;
        }
        let Context { caller, trace_id, clock: _ } = turn.context;
        let (entries, head) =
            chain(account_id, self.account.head, movements, caller, trace_id.as_deref(), turn.now);
        self.entries.extend(entries);
        self.account = AccountRow { head, last_at: turn.now, ..self.account };
        self.notes.extend(note.map(|note| (head.seq, note)));
        self.wrote = true;
    }

    /// The account as it was read or last written.
    pub(super) const fn account(&self) -> AccountRow {
        self.account
    }

    /// Takes what must be written; `None` when nothing happened. The page goes on as if it were written.
    pub(super) fn take_written(&mut self) -> Option<Written> {
        if !std::mem::take(&mut self.wrote) {
            return None;
        }
        let mut usages = Vec::new();
        for attempt in std::mem::take(&mut self.changed) {
            let Some(usage) = self.usages.get(&attempt).cloned() else { continue };
            let when = if self.known.insert(attempt) { Now } else { Before };
            usages.push((usage, when));
        }
        let Changes { new_lots, changed_lots, movements: _ } = self.book.take_changes();
        let new_lots = new_lots.into_iter().map(|lot| (lot, Now));
        let lots = new_lots.chain(changed_lots.into_iter().map(|lot| (lot, Before))).collect();
        let account = self.account;
        self.account.revision = account.revision.saturating_add(1);
        Some(Written {
            account,
            is_new: std::mem::take(&mut self.is_new),
            lots,
            usages,
            failure_texts: std::mem::take(&mut self.failure_texts),
            notes: std::mem::take(&mut self.notes),
            entries: std::mem::take(&mut self.entries),
        })
    }

    /// Adds an attempt that was looked up. The lots that it took from are added to the book.
    pub(super) fn add(&mut self, usage: Usage) {
        self.known.insert(usage.attempt.clone());
        self.usages.insert(usage.attempt.clone(), usage);
    }

    /// Forgets what the next operations are not likely to ask for: ended attempts, and lots with nothing to move.
    pub(super) fn trim(&mut self) {
        self.usages.retain(|_, usage| usage.stage == UsageStage::Held);
        while self.usages.len() > MAX_KEPT_USAGES {
            self.usages.pop_first();
        }
        let usages = &self.usages;
        self.known.retain(|attempt| usages.contains_key(attempt));
        if self.usages.is_empty() {
            // An emptied map keeps a node with room for eleven attempts, which is most of what a page weighs.
            (self.usages, self.known) = (BTreeMap::new(), BTreeSet::new());
        }
        self.book.forget_closed_lots();
    }

    /// How much memory the page takes, in lots and attempts.
    pub(super) fn weight(&self) -> usize {
        self.book.lots().len().saturating_add(self.usages.len()).saturating_add(1)
    }
}
