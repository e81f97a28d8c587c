//! A batch: read set, pure application in arrival order, write set.

use super::page::{Page, Turn, Written};
use super::policies::Policies;
use super::run::{account_not_found, fingerprint, replay, to_store};
use super::session::grace;
use super::{Answered, Call, Context, Error};
use crate::domain::book::Book;
use crate::domain::ids::{AccountId, Attempt, LotId};
use crate::domain::restriction::Standing;
use crate::domain::usage::Usage;
use crate::store::{AccountRow, Key, StoredAnswer, Tx, Work};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

/// An operation that a lane can do: a pure function of one account's page.
pub trait Hot: Serialize + Send + Sync + 'static {
    /// The RPC's name: request ids of different methods never meet.
    const METHOD: &'static str;
    /// What the caller is told, kept to be told again.
    type Answer: Serialize + DeserializeOwned + Send + 'static;

    /// The attempt whose usage must be on the page.
    fn attempt(&self) -> &Attempt;

    /// Does it. A refusal leaves the page as it was.
    ///
    /// # Errors
    /// [`Error::Refused`] with the reason.
    fn apply(&self, page: &mut Page, turn: &Turn<'_>) -> Result<Self::Answer, Error>;
}

/// What one operation came to, before its commit.
pub(super) struct Verdict {
    reply: Box<dyn Any + Send>,
    keep: Option<StoredAnswer>,
}

/// An operation in a lane's queue.
pub(super) trait Job: Send + Sync {
    fn account_id(&self) -> &AccountId;
    fn attempt(&self) -> &Attempt;
    fn context(&self) -> &Context;
    fn key(&self) -> Key<'_>;
    fn run(
        &self,
        page: Option<&mut Page>,
        policies: &Policies,
        stored: Option<&StoredAnswer>,
    ) -> Result<Verdict, Error>;
    fn answer(&self, verdict: Verdict);
    fn fail(&self, error: Error);
}

type Reply<A> = Result<Answered<A>, Error>;

/// A hot operation with its address and the caller who waits.
pub(super) struct HotJob<H: Hot> {
    context: Context,
    call: Call<H>,
    fingerprint: String,
    reply: Mutex<Option<oneshot::Sender<Reply<H::Answer>>>>,
}

impl<H: Hot> HotJob<H> {
    pub(super) fn new(
        context: Context,
        call: Call<H>,
        reply: oneshot::Sender<Reply<H::Answer>>,
    ) -> Result<Self, Error> {
        let fingerprint = fingerprint(H::METHOD, &call.mutation)?;
        Ok(Self { context, call, fingerprint, reply: Mutex::new(Some(reply)) })
    }

    fn tell(&self, answer: Reply<H::Answer>) {
        let reply = self.reply.lock().ok().and_then(|mut reply| reply.take());
        // A caller that went away is told nothing; its operation is done all the same.
        let _ = reply.map(|reply| reply.send(answer));
    }

    fn decide(&self, page: &mut Page, policies: &Policies) -> Result<Reply<H::Answer>, Error> {
        let now = page.begin(self.context.clock.now());
        let policy = policies.in_force(now)?;
        let turn = Turn { context: &self.context, policy: &policy, now };
        let reply = match self.call.mutation.apply(page, &turn) {
            Ok(answer) => Ok(Answered { answer, replayed: false }),
            Err(Error::Refused { .. }) if page.has_moved() => {
                return Err(Error::Broken("an operation was refused after it had moved credits"));
            }
            Err(Error::Refused { refusal, .. }) => Err(Error::Refused { refusal, replayed: false }),
            Err(error) => return Err(error),
        };
        page.end(&self.call.account_id, &turn);
        Ok(reply)
    }
}

impl<H: Hot> Job for HotJob<H> {
    fn account_id(&self) -> &AccountId {
        &self.call.account_id
    }

    fn attempt(&self) -> &Attempt {
        self.call.mutation.attempt()
    }

    fn context(&self) -> &Context {
        &self.context
    }

    fn key(&self) -> Key<'_> {
        let Call { account_id, request_id, mutation: _ } = &self.call;
        Key { account_id, caller: self.context.caller.as_str(), method: H::METHOD, request_id: *request_id }
    }

    fn run(
        &self,
        page: Option<&mut Page>,
        policies: &Policies,
        stored: Option<&StoredAnswer>,
    ) -> Result<Verdict, Error> {
        let reply: Reply<H::Answer> = match (stored, page) {
            (Some(stored), _) => replay(stored, &self.fingerprint),
            (None, Some(page)) => {
                let reply = self.decide(page, policies)?;
                let kept =
                    !matches!(&reply, Err(Error::Refused { refusal, .. }) if refusal.reason.is_not_found());
                let keep = if kept { Some(to_store(&reply, self.fingerprint.clone())?) } else { None };
                return Ok(Verdict { reply: Box::new(reply), keep });
            }
            (None, None) => Err(account_not_found()),
        };
        Ok(Verdict { reply: Box::new(reply), keep: None })
    }

    fn answer(&self, verdict: Verdict) {
        match verdict.reply.downcast::<Reply<H::Answer>>() {
            Ok(reply) => self.tell(*reply),
            Err(_) => self.fail(Error::Broken("a verdict went to another operation")),
        }
    }

    fn fail(&self, error: Error) {
        self.tell(Err(error));
    }
}

/// Some jobs of a lane, to be done in one transaction.
pub(super) struct Batch {
    pub(super) policies: Policies,
    pub(super) jobs: Arc<[Box<dyn Job>]>,
    pub(super) range: Range<usize>,
}

impl Work for Batch {
    type Output = Vec<Verdict>;
    type Error = Error;

    async fn run(&self, tx: &mut Tx) -> Result<Vec<Verdict>, Error> {
        let jobs = self.jobs.get(self.range.clone()).unwrap_or_default();
        let mut pages = self.load(tx, jobs).await?;
        let keys: Vec<Key<'_>> = jobs.iter().map(|job| job.key()).collect();
        let mut stored = tx.list_answers(&keys).await?;
        let mut verdicts = Vec::with_capacity(jobs.len());
        let mut answers: Vec<(Key<'_>, StoredAnswer, DateTime<Utc>)> = Vec::new();
        // The same call twice in one batch: the second replays the first, which is not in the database yet.
        let mut said: BTreeMap<Key<'_>, StoredAnswer> = BTreeMap::new();
        for (index, (job, key)) in jobs.iter().zip(keys).enumerate() {
            let known = stored.remove(&index).or_else(|| said.get(&key).cloned());
            let verdict = job.run(pages.get_mut(job.account_id()), &self.policies, known.as_ref())?;
            if let Some(keep) = &verdict.keep {
                said.insert(key, keep.clone());
                answers.push((key, keep.clone(), job.context().clock.now()));
            }
            verdicts.push(verdict);
        }
        let written: Vec<(AccountId, Written)> =
            pages.into_iter().filter_map(|(id, page)| page.close().map(|written| (id, written))).collect();
        record(tx, &written).await?;
        tx.insert_answers(&answers).await?;
        Ok(verdicts)
    }
}

impl Batch {
    /// The read set: the accounts, locked, and everything that the jobs may ask about them.
    async fn load(&self, tx: &mut Tx, jobs: &[Box<dyn Job>]) -> Result<BTreeMap<AccountId, Page>, Error> {
        let mut account_ids: Vec<&AccountId> = jobs.iter().map(|job| job.account_id()).collect();
        account_ids.sort_unstable();
        account_ids.dedup();
        let accounts = tx.lock_accounts(&account_ids).await?;
        let mut attempts: Vec<(&AccountId, &Attempt)> =
            jobs.iter().map(|job| (job.account_id(), job.attempt())).collect();
        attempts.sort_unstable();
        attempts.dedup();
        let usages = tx.list_usages(&attempts).await?;
        let mut lots = tx.list_open_lots(&account_ids).await?;
        let closed = closed_lots(&usages, &lots);
        if !closed.is_empty() {
            lots.extend(tx.list_lots_by_id(&closed).await?);
        }
        let kinds = tx.list_restriction_kinds(&account_ids).await?;
        let (mut usages, mut lots, mut kinds) = (grouped(usages), grouped(lots), grouped(kinds));
        let page = |(account_id, account): (AccountId, AccountRow)| {
            let grace = grace(self.policies.in_force(account.last_at)?.as_ref());
            let book = Book::open(lots.remove(&account_id).unwrap_or_default(), account.last_at, grace);
            let standing = Standing(kinds.remove(&account_id).unwrap_or_default());
            let page = Page::open(account, book, standing, usages.remove(&account_id).unwrap_or_default());
            Ok((account_id, page))
        };
        accounts.into_iter().map(page).collect()
    }
}

/// Lots that usages took from and that have nothing to move any more, so that they were not loaded as open ones.
fn closed_lots<'a>(
    usages: &'a [(AccountId, Usage)],
    open: &[(AccountId, crate::domain::lot::Lot)],
) -> Vec<(&'a AccountId, LotId)> {
    let open: std::collections::BTreeSet<LotId> = open.iter().map(|(_, lot)| lot.lot_id).collect();
    let mut closed: Vec<(&AccountId, LotId)> = usages
        .iter()
        .flat_map(|(id, usage)| usage.allocations.iter().map(move |allocation| (id, allocation.lot_id)))
        .filter(|(_, lot_id)| !open.contains(lot_id))
        .collect();
    closed.sort_unstable();
    closed.dedup();
    closed
}

fn grouped<T>(pairs: Vec<(AccountId, T)>) -> BTreeMap<AccountId, Vec<T>> {
    let mut groups: BTreeMap<AccountId, Vec<T>> = BTreeMap::new();
    for (account_id, thing) in pairs {
        groups.entry(account_id).or_default().push(thing);
    }
    groups
}

/// The write set: one statement per table.
async fn record(tx: &mut Tx, written: &[(AccountId, Written)]) -> Result<(), Error> {
    let new_lots: Vec<_> =
        written.iter().flat_map(|(id, page)| page.lots.new_lots.iter().map(move |lot| (id, lot))).collect();
    let changed_lots: Vec<_> = written
        .iter()
        .flat_map(|(id, page)| page.lots.changed_lots.iter().map(move |lot| (id, lot)))
        .collect();
    let entries: Vec<_> =
        written.iter().flat_map(|(id, page)| page.entries.iter().map(move |entry| (id, entry))).collect();
    let usages: Vec<_> =
        written.iter().flat_map(|(id, page)| page.usages.iter().map(move |usage| (id, usage))).collect();
    let accounts: Vec<_> = written.iter().map(|(id, page)| (id, page.account)).collect();
    tx.insert_lots(&new_lots).await?;
    tx.update_lots(&changed_lots).await?;
    tx.upsert_usages(&usages).await?;
    tx.upsert_allocations(&usages).await?;
    tx.append_entries(&entries).await?;
    tx.update_accounts(&accounts).await?;
    for (account_id, page) in written {
        for (attempt, text) in &page.failure_texts {
            tx.insert_failure_text(account_id, attempt, text).await?;
        }
    }
    Ok(())
}
