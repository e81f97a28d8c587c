//! A session: one locked account, one instant, one open transaction.

use super::balance::BalanceAt;
use super::{Context, Desk, Error};
use crate::clock::new_id;
use crate::domain::book::{Balance, Book, Changes};
use crate::domain::entry::chain;
use crate::domain::ids::{AccountId, Attempt, LotId, RefundRequestId};
use crate::domain::restriction::Standing;
use crate::domain::usage::Usage;
use crate::policy::Document;
use crate::store::{self, AccountRow, Tx, WriteSet, Written};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// What a mutation works with while its account is locked.
#[derive(Debug)]
pub struct Session<'a> {
    pub(super) tx: &'a mut Tx,
    pub(super) account_id: &'a AccountId,
    pub(super) context: &'a Context,
    pub(super) now: DateTime<Utc>,
    desk: &'a Desk,
    policy: Arc<Document>,
    account: AccountRow,
    wrote: bool,
    /// Rows were written since the account was.
    is_ahead: bool,
}

impl<'a> Session<'a> {
    /// # Errors
    /// [`Error::Unforeseen`] when the policy in force is not known.
    pub(super) fn open(
        tx: &'a mut Tx,
        desk: &'a Desk,
        context: &'a Context,
        account_id: &'a AccountId,
        account: AccountRow,
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let policy = desk.policies.in_force(now)?;
        Ok(Self { tx, account_id, context, now, desk, policy, account, wrote: false, is_ahead: false })
    }

    /// The policy in force now.
    pub(super) fn policy(&self) -> Arc<Document> {
        Arc::clone(&self.policy)
    }

    /// The policy in force when a request was received: it decides the request whenever that is (§8).
    ///
    /// # Errors
    /// [`Error::Unforeseen`] when it is not known.
    pub(super) fn policy_at(&self, received_at: DateTime<Utc>) -> Result<Arc<Document>, Error> {
        self.desk.policies.in_force(received_at)
    }

    /// The policy that decides a request of the account.
    pub(super) async fn policy_for(
        &mut self,
        refund_request_id: RefundRequestId,
    ) -> Result<Arc<Document>, Error> {
        let request = self.tx.find_request(self.account_id, refund_request_id).await?;
        self.policy_at(request.ok_or(Error::Broken("a refund answers no request"))?.received_at)
    }

    /// A new id of this instant.
    pub(super) fn new_id(&self) -> Uuid {
        new_id(self.now)
    }

    /// Says that rows are about to be written: from here on the command must not refuse.
    pub(super) fn writing(&mut self) -> &mut Tx {
        self.wrote = true;
        self.is_ahead = true;
        self.tx
    }

    /// The union of the account's restrictions.
    pub(super) async fn standing(&mut self) -> Result<Standing, Error> {
        Ok(Standing::of(&self.tx.list_restrictions(self.account_id).await?))
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
            lots.extend(store::list_lots_by_id(self.tx, &missing).await?);
        }
        let lots = lots.into_iter().map(|(_, lot)| lot).collect();
        Ok(Book::open(lots, self.now, grace(&self.policy)))
    }

    /// A balance with its place in the account's history.
    pub(super) const fn at(&self, balance: Balance) -> BalanceAt {
        BalanceAt { balance, last_seq: self.account.head.seq, as_of: self.now }
    }

    /// The account's last entry so far; 0 before the first.
    pub(super) const fn last_seq(&self) -> i64 {
        self.account.head.seq
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
        self.account.head = head;
        let account_id = self.account_id;
        let mut lots = written(account_id, &new_lots, Written::Now);
        lots.extend(written(account_id, &changed_lots, Written::Before));
        let entries = entries.iter().map(|entry| (account_id, entry)).collect();
        self.write(WriteSet { lots, entries, ..WriteSet::default() }).await
    }

    /// The usages of attempts, in the order of the attempts.
    pub(super) async fn list_usages(&mut self, attempts: &[Attempt]) -> Result<Vec<Usage>, Error> {
        let asked: Vec<_> = attempts.iter().map(|attempt| (self.account_id, attempt)).collect();
        let found = self.tx.list_usages(&asked).await?;
        let mut found: BTreeMap<Attempt, Usage> =
            found.into_iter().map(|(_, usage)| (usage.attempt.clone(), usage)).collect();
        Ok(attempts.iter().filter_map(|attempt| found.remove(attempt)).collect())
    }

    /// Writes known usages as they are now.
    pub(super) async fn keep_usages(&mut self, usages: &[Usage]) -> Result<(), Error> {
        self.write(WriteSet {
            usages: written(self.account_id, usages, Written::Before),
            ..WriteSet::default()
        })
        .await
    }

    /// Moves the account on, if anything was written, and says whether it was.
    pub(super) async fn finish(mut self) -> Result<bool, Error> {
        if self.is_ahead {
            self.write(WriteSet::default()).await?;
        }
        Ok(self.wrote)
    }

    /// Writes records of the account, and the account itself as it is now.
    async fn write(&mut self, set: WriteSet<'_>) -> Result<(), Error> {
        self.account.last_at = self.now;
        let set = WriteSet { accounts: vec![(self.account_id, self.account, true)], ..set };
        if !store::write(self.writing(), &set).await? {
            return Err(Error::Broken("a locked account was changed by somebody else"));
        }
        self.account.revision = self.account.revision.saturating_add(1);
        self.is_ahead = false;
        Ok(())
    }
}

/// Things with the account that they belong to, as the store writes them.
fn written<'a, T>(
    account_id: &'a AccountId,
    things: &'a [T],
    when: Written,
) -> Vec<(&'a AccountId, &'a T, Written)> {
    things.iter().map(|thing| (account_id, thing, when)).collect()
}

/// How long credits given back to an expired lot may still be spent.
pub(super) fn grace(policy: &Document) -> TimeDelta {
    TimeDelta::microseconds(policy.parameters().expired_credits_grace().micros())
}
