//! Lanes: the hot operations of many callers in one transaction.
//!
//! An account belongs to one lane. A lane takes what is queued, without waiting for more, and works it off in
//! arrival order in one transaction; each operation succeeds or is refused on its own. At low load that is one
//! operation and one commit; at high load hundreds share a commit, and a hot account costs no contention.

use super::batch::{Batch, HotJob, Job};
use super::policies::Policies;
use super::{Answered, Call, Context, Desk, Error, Hot};
use crate::domain::ids::AccountId;
use crate::store::{self, Store};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Most operations in one transaction: enough to share a commit's cost, few enough to answer within milliseconds.
const MAX_BATCH: usize = 256;

/// Most operations that wait in one lane; more are refused at once, so that nobody waits past a deadline.
const MAX_QUEUED: usize = 1_024;

/// Lanes of one server. More lanes mean more commits side by side, and smaller batches.
const LANES: usize = 2;

/// The way into the lanes. The tasks end when every clone is gone.
#[derive(Debug, Clone)]
pub(super) struct Lanes {
    queues: Arc<[mpsc::Sender<Box<dyn Job>>]>,
}

impl Lanes {
    pub(super) fn start(store: &Store, policies: &Policies) -> Self {
        let open = |_| {
            let (sender, receiver) = mpsc::channel(MAX_QUEUED);
            tokio::spawn(run(store.clone(), policies.clone(), receiver));
            sender
        };
        Self { queues: (0..LANES).map(open).collect() }
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
    /// Runs a hot operation exactly once, together with whatever else its lane has to do.
    ///
    /// # Errors
    /// [`Error::Refused`] with the reason, the same one each time; [`Error::Overloaded`] when the lane is full and
    /// nothing was begun; [`Error::Store`] when nothing can be said.
    pub async fn hot<H: Hot>(&self, context: Context, call: Call<H>) -> Result<Answered<H::Answer>, Error> {
        self.rehearsals.note(context.clock, &call.account_id);
        let (reply, answer) = oneshot::channel();
        let lane = self.lanes.of(&call.account_id).ok_or(Error::Broken("there is no lane"))?;
        let place = lane.try_reserve().map_err(|_| Error::Overloaded)?;
        place.send(Box::new(HotJob::new(context, call, reply)?));
        answer.await.unwrap_or(Err(Error::Store(store::Error::TaskLost)))
    }
}

async fn run(store: Store, policies: Policies, mut queue: mpsc::Receiver<Box<dyn Job>>) {
    let mut jobs = Vec::with_capacity(MAX_BATCH);
    while queue.recv_many(&mut jobs, MAX_BATCH).await > 0 {
        let jobs: Arc<[Box<dyn Job>]> = jobs.drain(..).collect();
        work_off(&store, &policies, &jobs).await;
    }
}

/// Runs all jobs in one transaction. If that fails, each alone: one that cannot succeed must not spoil the others.
async fn work_off(store: &Store, policies: &Policies, jobs: &Arc<[Box<dyn Job>]>) {
    let batch = |range| Batch { policies: policies.clone(), jobs: Arc::clone(jobs), range };
    match policies.transact(store, batch(0..jobs.len())).await {
        Ok(verdicts) => {
            for (job, verdict) in jobs.iter().zip(verdicts) {
                job.answer(verdict);
            }
        }
        Err(error) => match jobs.as_ref() {
            [job] => job.fail(error),
            jobs => {
                for (index, job) in jobs.iter().enumerate() {
                    let alone = policies.transact(store, batch(index..index.saturating_add(1))).await;
                    match alone.map(|mut verdicts| verdicts.pop()) {
                        Ok(Some(verdict)) => job.answer(verdict),
                        Ok(None) => job.fail(Error::Broken("a batch of one gave no answer")),
                        Err(error) => job.fail(error),
                    }
                }
            }
        },
    }
}
