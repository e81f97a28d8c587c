//! A session: one locked account, one instant, one open transaction.

use super::balance::BalanceAt;
use super::{Context, Desk, Error};
use crate::clock::new_id;
use crate::domain::book::{Balance, Book, Changes};
use crate::domain::entry::chain;
use crate::domain::ids::{AccountId, Attempt, LotId};
use crate::domain::restriction::Standing;
use crate::domain::usage::Usage;
use crate::policy::Document;
use crate::store::{AccountRow, Tx};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a mutation works with while its account is locked.
#[derive(Debug)]
pub struct Session<'a> {
    pub(super) tx: &'a mut Tx,
    pub(super) account_id: &'a AccountId,
    pub(super) context: &'a Context,
    pub(super) now: DateTime<Utc>,
    desk: &'a Desk,
    account: AccountRow,
    wrote: bool,
}

impl<'a> Session<'a> {
    pub(super) fn open(
        tx: &'a mut Tx,
        desk: &'a Desk,
        context: &'a Context,
        account_id: &'a AccountId,
        account: AccountRow,
        now: DateTime<Utc>,
    ) -> Self {
        Self { tx, account_id, context, now, desk, account, wrote: false }
    }

    /// The policy in force now.
    pub(super) fn policy(&self) -> &'a Document {
        self.desk.policies.in_force(self.now)
    }

    /// A new id of this instant.
    pub(super) fn new_id(&self) -> Uuid {
        new_id(self.now)
    }

    /// Says that rows are about to be written: from here on the command must not refuse.
    pub(super) fn writing(&mut self) -> &mut Tx {
        self.wrote = true;
        self.tx
    }

    /// The union of the account's restrictions.
    pub(super) async fn standing(&mut self) -> Result<Standing, Error> {
        let restrictions = self.tx.list_restrictions(self.account_id).await?;
        Ok(Standing(restrictions.into_iter().map(|restriction| restriction.kind).collect()))
    }

    /// The account's book: its open lots and the lots named besides.
    pub(super) async fn book(&mut self, besides: &[LotId]) -> Result<Book, Error> {
        let mut lots = self.tx.list_open_lots(&[self.account_id]).await?;
        let missing: Vec<_> = besides
            .iter()
            .filter(|lot_id| lots.iter().all(|(_, lot)| lot.lot_id != **lot_id))
            .map(|lot_id| (self.account_id, *lot_id))
            .collect();
        if !missing.is_empty() {
            lots.extend(self.tx.list_lots_by_id(&missing).await?);
        }
        let lots = lots.into_iter().map(|(_, lot)| lot).collect();
        Ok(Book::open(lots, self.now, grace(self.policy())))
    }

    /// A balance with its place in the account's history.
    pub(super) const fn at(&self, balance: Balance) -> BalanceAt {
        BalanceAt { balance, last_seq: self.account.head.seq, as_of: self.now }
    }

    /// What the account has after everything recorded so far.
    pub(super) async fn balance(&mut self) -> Result<BalanceAt, Error> {
        let balance = self.book(&[]).await?.balance()?;
        Ok(self.at(balance))
    }

    /// Writes what happened in a book: lots, then their entries at the end of the account's chain.
    pub(super) async fn record(&mut self, changes: Changes) -> Result<(), Error> {
        let Changes { new_lots, changed_lots, movements } = changes;
        let trace_id = self.context.trace_id.as_deref();
        let (entries, head) =
            chain(self.account_id, self.account.head, movements, &self.context.caller, trace_id, self.now);
        let account_id = self.account_id;
        let tx = self.writing();
        tx.insert_lots(&owned(account_id, &new_lots)).await?;
        tx.update_lots(&owned(account_id, &changed_lots)).await?;
        tx.append_entries(&owned(account_id, &entries)).await?;
        self.account.head = head;
        Ok(())
    }

    /// The usages of attempts, in the order of the attempts.
    pub(super) async fn list_usages(&mut self, attempts: &[Attempt]) -> Result<Vec<Usage>, Error> {
        let asked: Vec<_> = attempts.iter().map(|attempt| (self.account_id, attempt)).collect();
        let found = self.tx.list_usages(&asked).await?;
        let mut found: BTreeMap<Attempt, Usage> =
            found.into_iter().map(|(_, usage)| (usage.attempt.clone(), usage)).collect();
        Ok(attempts.iter().filter_map(|attempt| found.remove(attempt)).collect())
    }

    /// Writes usages as they are now.
    pub(super) async fn keep_usages(&mut self, usages: &[Usage]) -> Result<(), Error> {
        let usages = owned(self.account_id, usages);
        let tx = self.writing();
        tx.upsert_usages(&usages).await?;
        Ok(tx.upsert_allocations(&usages).await?)
    }

    /// Moves the account on, if anything was written, and says whether it was.
    pub(super) async fn finish(mut self) -> Result<bool, Error> {
        if self.wrote {
            self.account.last_at = self.now;
            self.tx.update_accounts(&[(self.account_id, self.account)]).await?;
        }
        Ok(self.wrote)
    }
}

/// Things with the account that they belong to, as the store writes them.
fn owned<'a, T>(account_id: &'a AccountId, things: &'a [T]) -> Vec<(&'a AccountId, &'a T)> {
    things.iter().map(|thing| (account_id, thing)).collect()
}

/// How long credits given back to an expired lot may still be spent.
pub(super) fn grace(policy: &Document) -> TimeDelta {
    TimeDelta::microseconds(policy.parameters().expired_credits_grace().micros())
}
