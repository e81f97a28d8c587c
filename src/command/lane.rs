//! Lanes: the hot operations of many callers in one transaction.
//!
//! An account belongs to one lane. A lane takes what is queued, without waiting for more, and works it off in
//! arrival order in one transaction; each operation succeeds or is refused on its own. At low load that is one
//! operation and one commit; at high load hundreds share a commit, and a hot account costs no contention.

use super::batch::{Batch, ByItself, HotJob, Job, Pages, Verdict};
use super::kept::Kept;
use super::policies::Policies;
use super::{Answered, Call, Context, Desk, Error, Hot, StoreFailure};
use crate::domain::ids::AccountId;
use crate::figures::Spread;
use crate::store::{self, Fault, Line, Store};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Most operations in one transaction: enough to share a commit's cost, few enough to answer within milliseconds.
const MAX_BATCH: usize = 256;

/// Most operations that wait in one lane; more are refused at once, so that nobody waits past a deadline.
pub(super) const MAX_QUEUED: usize = 1_024;

/// Batches that read all their pages after a kept one was out of date. Where others write to the same accounts all the
/// time, as replicas do, a kept page is not worth the attempts that it spoils.
const WARY_BATCHES: u32 = 64;

/// Lanes of one server. More lanes mean more commits side by side, and smaller batches: of one to four, two did most on
/// two cores.
const LANES: usize = 2;

/// Upper bounds of the batches' sizes, as they are told.
const BATCHES: [u64; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/// The way into the lanes. The tasks end when every clone is gone.
#[derive(Debug, Clone)]
pub(super) struct Lanes {
    queues: Arc<[mpsc::Sender<Box<dyn Job>>]>,
    batches: Arc<Spread>,
}

impl Lanes {
    pub(super) fn start(store: &Store, policies: &Policies) -> Self {
        let (lines, batches) = (Lines::default(), Arc::new(Spread::new(&BATCHES)));
        let open = |_| {
            let (sender, receiver) = mpsc::channel(MAX_QUEUED);
            let lane = Lane {
                store: store.clone(),
                policies: policies.clone(),
                lines: lines.clone(),
                kept: Kept::default(),
                batches: Arc::clone(&batches),
                wary: 0,
            };
            tokio::spawn(lane.run(receiver));
            sender
        };
        let queues = (0..LANES).map(open).collect();
        Self { queues, batches }
    }

    fn of(&self, account_id: &AccountId) -> Option<&mpsc::Sender<Box<dyn Job>>> {
        let mut hasher = DefaultHasher::new();
        account_id.hash(&mut hasher);
        let lanes = u64::try_from(self.queues.len()).ok()?;
        let lane = hasher.finish().checked_rem(lanes)?;
        self.queues.get(usize::try_from(lane).ok()?)
    }
}

impl Desk {
    /// How many operations were done at once.
    #[must_use]
    pub fn batches(&self) -> &Spread {
        &self.lanes.batches
    }

    /// How many operations wait in each lane.
    #[must_use]
    pub fn queued(&self) -> Vec<usize> {
        let waiting = |queue: &mpsc::Sender<_>| queue.max_capacity().saturating_sub(queue.capacity());
        self.lanes.queues.iter().map(waiting).collect()
    }

    /// Runs a hot operation exactly once, together with whatever else its lane has to do.
    ///
    /// # Errors
    /// [`Error::Refused`] with the reason, the same one each time; [`Error::Overloaded`] when the lane is full and
    /// nothing was begun; [`Error::Store`] or [`Error::Failed`] when nothing can be said.
    pub async fn hot<H: Hot>(&self, context: Context, call: Call<H>) -> Result<Answered<H::Answer>, Error> {
        self.rehearsals.note(context.clock, &call.account_id);
        let (reply, answer) = oneshot::channel();
        let lane = self.lanes.of(&call.account_id).ok_or(Error::Broken("there is no lane"))?;
        let place = lane.try_reserve().map_err(|_| Error::Overloaded)?;
        place.send(Box::new(HotJob::new(context, call, reply)?));
        answer.await.unwrap_or(Err(Error::Store(store::Error::TaskLost)))
    }
}

/// The lanes' own connections, those that nobody uses just now. The last one that came back goes first: while there is
/// little to do one connection does all of it, and the database's process behind it has everything at hand.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<Line>>>);

impl Lines {
    fn take(&self) -> Option<Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give_back(&self, line: Line) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

struct Lane {
    store: Store,
    policies: Policies,
    lines: Lines,
    kept: Kept,
    batches: Arc<Spread>,
    /// Batches yet to come that use no kept page.
    wary: u32,
}

impl Lane {
    async fn run(mut self, mut queue: mpsc::Receiver<Box<dyn Job>>) {
        let mut jobs = Vec::with_capacity(MAX_BATCH);
        while queue.recv_many(&mut jobs, MAX_BATCH).await > 0 {
            self.batches.note(u64::try_from(jobs.len()).unwrap_or(u64::MAX));
            self.work_off(jobs.drain(..).collect()).await;
        }
    }

    /// Does all jobs at once. If that fails, each alone: one that cannot succeed must not spoil the others.
    async fn work_off(&mut self, jobs: Arc<[Box<dyn Job>]>) {
        match (self.attempt(&jobs, 0..jobs.len()).await, jobs.as_ref()) {
            (Ok(verdicts), _) => {
                for (job, verdict) in jobs.iter().zip(verdicts) {
                    job.answer(verdict);
                }
            }
            (Err(error), [job]) => job.fail(error),
            (Err(error), _) => match failure_of(&error) {
                // What keeps the database from a batch keeps it from each of its jobs.
                Some(failure @ (StoreFailure::Unavailable | StoreFailure::OutcomeUnknown)) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "a lane's batch failed");
                    jobs.iter().for_each(|job| job.fail(Error::Failed(failure)));
                }
                _ => self.each_alone(&jobs).await,
            },
        }
    }

    /// Does each job alone. Once an account was busy its other jobs are not tried: they would wait as long, one
    /// after the other, and everybody behind them.
    async fn each_alone(&mut self, jobs: &Arc<[Box<dyn Job>]>) {
        let mut busy: BTreeSet<&AccountId> = BTreeSet::new();
        for (index, job) in jobs.iter().enumerate() {
            if busy.contains(job.account_id()) {
                job.fail(Error::Failed(StoreFailure::Busy));
                continue;
            }
            match self.attempt(jobs, index..index.saturating_add(1)).await.map(|mut verdicts| verdicts.pop())
            {
                Ok(Some(verdict)) => job.answer(verdict),
                Ok(None) => job.fail(Error::Broken("a batch of one gave no answer")),
                Err(error) => {
                    if failure_of(&error) == Some(StoreFailure::Busy) {
                        busy.insert(job.account_id());
                    }
                    job.fail(error);
                }
            }
        }
    }

    /// Does some of the jobs: by themselves if that goes, else in a transaction.
    async fn attempt(
        &mut self,
        jobs: &Arc<[Box<dyn Job>]>,
        range: Range<usize>,
    ) -> Result<Vec<Verdict>, Error> {
        let batch = Batch { policies: self.policies.clone(), jobs: Arc::clone(jobs), range };
        let first = match self.by_itself(&batch).await {
            Ok(ByItself::Done(verdicts, pages)) => {
                self.keep(pages);
                return Ok(verdicts);
            }
            // A policy that is not known yet is looked for below.
            Ok(ByItself::Changed | ByItself::NotPlain) | Err(Error::Unforeseen(_)) => None,
            Err(error) => {
                // Whatever is wrong with the line, it is not used again, and nothing of before is trusted.
                self.kept = Kept::default();
                Some(error)
            }
        };
        let done = self.policies.transact(&self.store, batch).await.map(|(verdicts, pages)| {
            self.keep(pages);
            verdicts
        });
        match (done, first) {
            // The first statement may have been carried out, and this failure does not know of it.
            (Err(error), Some(first))
                if !error.is_answer() && failure_of(&first) == Some(StoreFailure::OutcomeUnknown) =>
            {
                Err(first)
            }
            (done, _) => done,
        }
    }

    fn keep(&mut self, pages: Pages) {
        if self.wary > 0 {
            return;
        }
        for (account_id, page) in pages {
            self.kept.keep(account_id, page);
        }
    }

    /// Does a batch on one of the lanes' own connections; a second time, with everything read, if a kept page was out of
    /// date.
    async fn by_itself(&mut self, batch: &Batch) -> Result<ByItself, Error> {
        let mut line = match self.lines.take() {
            Some(line) => line,
            None => self.store.open_line().await?,
        };
        let is_trusting = self.wary == 0;
        self.wary = self.wary.saturating_sub(1);
        let mut done = batch.by_itself(&mut line, &mut self.kept).await;
        if is_trusting && matches!(done, Ok(ByItself::Changed)) {
            (self.kept, self.wary) = (Kept::default(), WARY_BATCHES);
            done = batch.by_itself(&mut line, &mut self.kept).await;
        }
        if matches!(done, Ok(_) | Err(Error::Unforeseen(_))) {
            self.lines.give_back(line);
        }
        done
    }
}

fn failure_of(error: &Error) -> Option<StoreFailure> {
    error.store_error().map(StoreFailure::of)
}
