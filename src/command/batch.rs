//! A batch: read set, pure application in arrival order, write set.
//!
//! A batch works on pages that its lane kept or that it reads without locks, and writes with one statement, which checks
//! that every account is still as its page says and that no request id was used before. Where that is not enough,
//! because somebody else came between, a call is sent again, or words are to be kept apart, the batch runs in a
//! transaction that locks the accounts and reads everything first.

use super::kept::Kept;
use super::look_up::{is_on_page, look_up, must_be_looked_up};
use super::page::{Page, Turn, Written};
use super::policies::Policies;
use super::run::{account_not_found, fingerprint, replay, to_store};
use super::{Answered, Call, Context, Error};
use crate::domain::ids::{AccountId, Attempt};
use crate::store::constraint::Meaning;
use crate::store::{self, AccountRow, Connected, Key, Known, Line, StoredAnswer, Tx, Work, WriteSet};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

/// An operation that a lane can do: a pure function of one account's page.
pub trait Hot: Serialize + Send + Sync + 'static {
    /// The RPC's name: request ids of different methods never meet.
    const METHOD: &'static str;
    /// Whether an unknown account is opened by this.
    const OPENS_ACCOUNT: bool = false;
    /// What the caller is told, kept to be told again.
    type Answer: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The attempt whose usage must be on the page.
    fn attempt(&self) -> Option<&Attempt>;

    /// Whether this will make its attempt on a page that has none. It need not be looked for then: where there is one
    /// after all, writing another fails.
    fn makes_attempt(&self, _page: &Page, _now: DateTime<Utc>) -> bool {
        false
    }

    /// Does it. A refusal leaves the page as it was.
    ///
    /// # Errors
    /// [`Error::Refused`] with the reason.
    fn apply(&self, page: &mut Page, turn: &Turn<'_>) -> Result<Self::Answer, Error>;
}

/// What one operation came to, before its commit.
pub(super) struct Verdict {
    reply: Box<dyn Any + Send + Sync>,
    keep: Option<StoredAnswer>,
    /// Whether nothing can be stored under the request id that would have been the answer instead.
    is_certain: bool,
}

/// An operation in a lane's queue.
pub(super) trait Job: Send + Sync {
    fn account_id(&self) -> &AccountId;
    fn attempt(&self) -> Option<&Attempt>;
    fn opens_account(&self) -> bool;
    fn makes_attempt(&self, page: &Page) -> bool;
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
        let now = page.instant(self.context.clock.now());
        let policy = policies.in_force(now)?;
        let turn = Turn { context: &self.context, policy: &policy, now };
        page.begin(&turn);
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

    fn attempt(&self) -> Option<&Attempt> {
        self.call.mutation.attempt()
    }

    fn opens_account(&self) -> bool {
        H::OPENS_ACCOUNT
    }

    fn makes_attempt(&self, page: &Page) -> bool {
        self.call.mutation.makes_attempt(page, page.instant(self.context.clock.now()))
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
                // A refusal opens no account: nothing at all is kept then.
                let kept = page.exists()
                    && !matches!(&reply, Err(Error::Refused { refusal, .. }) if refusal.reason.is_not_found());
                let keep = if kept { Some(to_store(&reply, self.fingerprint.clone())?) } else { None };
                return Ok(Verdict { reply: Box::new(reply), keep, is_certain: false });
            }
            (None, None) => Err(account_not_found()),
        };
        Ok(Verdict { reply: Box::new(reply), keep: None, is_certain: false })
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

/// Pages by their accounts.
pub(super) type Pages = BTreeMap<AccountId, Page>;

/// What came of a batch that was done without a lock. Where it is not done, nothing was written.
pub(super) enum ByItself {
    /// It is done.
    Done(Vec<Verdict>, Pages),
    /// Somebody else changed an account after its page was made.
    Changed,
    /// It has to be done in a transaction.
    NotPlain,
}

/// What the jobs came to, in memory.
struct Applied<'a> {
    verdicts: Vec<Verdict>,
    /// Every account that a verdict rests on, with what is to be written of it.
    accounts: Vec<(AccountId, AccountRow, Option<Written>)>,
    answers: Vec<(Key<'a>, StoredAnswer, DateTime<Utc>)>,
    /// The pages as they are once everything is written.
    pages: Pages,
}

impl Work for Batch {
    type Output = (Vec<Verdict>, Pages);
    type Error = Error;

    async fn run(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let account_ids = self.account_ids();
        tx.lock_accounts(&account_ids).await?;
        let mut pages = self.read_pages(tx, account_ids).await?;
        let jobs: Vec<&dyn Job> = self.jobs().iter().map(AsRef::as_ref).collect();
        let known = look_up(tx, &jobs, &mut pages).await?;
        let applied = self.apply(pages, known.into_iter().map(Some).collect())?;
        for (account_id, _, written) in &applied.accounts {
            let Some(Written { is_new: true, account, .. }) = written else { continue };
            if !tx.insert_account_if_missing(account_id, account.last_at).await? {
                return Err(store::Error::Changed.into());
            }
        }
        if !store::write(tx, &applied.write_set()).await? {
            return Err(store::Error::Changed.into());
        }
        applied.keep_words(tx).await?;
        Ok((applied.verdicts, applied.pages))
    }
}

impl Batch {
    /// Does the batch without a lock, on kept pages where there are some.
    pub(super) async fn by_itself(&self, line: &mut Line, kept: &mut Kept) -> Result<ByItself, Error> {
        let (mut pages, mut unread) = (Pages::new(), Vec::new());
        for account_id in self.account_ids() {
            match kept.take(account_id) {
                Some(page) => {
                    pages.insert(account_id.clone(), page);
                }
                None => unread.push(account_id),
            }
        }
        if !unread.is_empty() {
            pages.append(&mut self.read_pages(line, unread).await?);
        }
        let unknown: Vec<bool> =
            self.jobs().iter().map(|job| must_be_looked_up(job.as_ref(), &pages)).collect();
        let jobs = self.jobs().iter().zip(&unknown).filter(|(_, unknown)| **unknown);
        let jobs: Vec<&dyn Job> = jobs.map(|(job, _)| job.as_ref()).collect();
        let mut looked_up = look_up(line, &jobs, &mut pages).await?.into_iter();
        let known = unknown.iter().map(|unknown| if *unknown { looked_up.next() } else { None }).collect();
        let applied = self.apply(pages, known)?;
        if !applied.is_plain() {
            return Ok(ByItself::NotPlain);
        }
        match store::write(line, &applied.write_set()).await {
            Ok(true) => Ok(ByItself::Done(applied.verdicts, applied.pages)),
            Ok(false) => Ok(ByItself::Changed),
            // A request id or an attempt is there already.
            Err(store::Error::Refused(Meaning::Exists)) => Ok(ByItself::NotPlain),
            Err(error) => Err(error.into()),
        }
    }

    fn jobs(&self) -> &[Box<dyn Job>] {
        self.jobs.get(self.range.clone()).unwrap_or_default()
    }

    fn account_ids(&self) -> Vec<&AccountId> {
        let account_ids: BTreeSet<&AccountId> = self.jobs().iter().map(|job| job.account_id()).collect();
        account_ids.into_iter().collect()
    }

    async fn read_pages(
        &self,
        at: &mut impl Connected,
        account_ids: Vec<&AccountId>,
    ) -> Result<Pages, Error> {
        let books = store::list_open_books(at, &account_ids).await?;
        Ok(books.into_iter().map(|(account_id, book)| (account_id, Page::open(book))).collect())
    }

    /// Applies every job in arrival order to its account's page. `known` says what was looked up of each.
    fn apply(&self, mut pages: Pages, known: Vec<Option<Known>>) -> Result<Applied<'_>, Error> {
        let mut verdicts = Vec::with_capacity(known.len());
        let mut answers: Vec<(Key<'_>, StoredAnswer, DateTime<Utc>)> = Vec::new();
        // The same call twice in one batch: the second replays the first, which is not in the database yet.
        let mut said: HashMap<Key<'_>, usize> = HashMap::new();
        for (job, known) in self.jobs().iter().zip(known) {
            if job.opens_account() && !pages.contains_key(job.account_id()) {
                pages.insert(job.account_id().clone(), Page::new(job.context().clock.now()));
            }
            let key = job.key();
            let was_looked_up = known.is_some();
            let before = said.get(&key).and_then(|place| answers.get(*place)).map(|(_, answer, _)| answer);
            let stored = known.and_then(|known| known.answer);
            let stored = stored.as_ref().or(before);
            let mut verdict = job.run(pages.get_mut(job.account_id()), &self.policies, stored)?;
            // An answer that is written proves itself, if it knew of the attempt: its request id was not used before.
            let is_proved = verdict.keep.is_some() && is_on_page(job.as_ref(), &pages);
            verdict.is_certain = was_looked_up || before.is_some() || is_proved;
            if let Some(keep) = verdict.keep.take() {
                said.insert(key, answers.len());
                answers.push((key, keep, job.context().clock.now()));
            }
            verdicts.push(verdict);
        }
        let accounts = pages.iter_mut().filter(|(_, page)| page.exists()).map(|(account_id, page)| {
            let account = page.account();
            (account_id.clone(), account, page.take_written())
        });
        let accounts = accounts.collect();
        pages.retain(|_, page| page.exists());
        Ok(Applied { verdicts, accounts, answers, pages })
    }
}

impl Applied<'_> {
    /// Whether one statement writes all of it and proves it right.
    fn is_plain(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.is_certain)
            && self
                .written()
                .all(|(_, page)| !page.is_new && page.notes.is_empty() && page.failure_texts.is_empty())
    }

    fn written(&self) -> impl Iterator<Item = (&AccountId, &Written)> {
        self.accounts.iter().filter_map(|(account_id, _, page)| Some((account_id, page.as_ref()?)))
    }

    fn write_set(&self) -> WriteSet<'_> {
        let answers = self.answers.iter().map(|(key, answer, at)| (*key, answer, *at)).collect();
        let mut set = WriteSet { answers, ..WriteSet::default() };
        for (account_id, read, page) in &self.accounts {
            let account = page.as_ref().map_or(*read, |page| page.account);
            set.accounts.push((account_id, account, page.is_some()));
        }
        for (account_id, page) in self.written() {
            set.lots.extend(page.lots.iter().map(|(lot, when)| (account_id, lot, *when)));
            set.usages.extend(page.usages.iter().map(|(usage, when)| (account_id, usage, *when)));
            set.entries.extend(page.entries.iter().map(|entry| (account_id, entry)));
        }
        set
    }

    /// What persons and workers wrote, apart from everything else.
    async fn keep_words(&self, tx: &mut Tx) -> Result<(), Error> {
        let (mut notes, mut texts) = (Vec::new(), Vec::new());
        for (account_id, page) in self.written() {
            notes.extend(page.notes.iter().map(|(seq, note)| (account_id, *seq, note)));
            texts.extend(page.failure_texts.iter().map(|(attempt, text)| (account_id, attempt, text)));
        }
        if !notes.is_empty() {
            tx.insert_operator_notes(&notes).await?;
        }
        if !texts.is_empty() {
            tx.insert_failure_texts(&texts).await?;
        }
        Ok(())
    }
}
