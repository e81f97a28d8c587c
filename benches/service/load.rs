//! Callers that all work at once for a bounded time, and what came of it.

use crate::arguments::{Plan, Work};
use crate::caller::{Caller, Outcome};
use crate::figures::Figures;
use crate::ground::Ground;
use anyhow::Context;
use makegood::clock::chance_below;
use makegood::domain::ids::AccountId;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// How long the last operations of a run may take after its end.
const TAIL: Duration = Duration::from_secs(30);

/// One attempt at a job.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) account_id: AccountId,
    pub(crate) job_id: String,
}

impl Job {
    /// A job that nobody has seen.
    pub(crate) fn new(account_id: AccountId) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        Self { account_id, job_id: format!("job-{}", NUMBER.fetch_add(1, Relaxed)) }
    }
}

/// What all callers of a run share.
#[derive(Debug)]
pub(crate) struct Load {
    work: Work,
    accounts: Arc<[AccountId]>,
    /// Captured attempts that wait for their restore.
    attempts: Mutex<Vec<Job>>,
    done: AtomicU64,
    busy: AtomicU64,
    is_measuring: AtomicBool,
    is_over: AtomicBool,
    /// Somebody found nothing to do, or failed.
    ended_early: Notify,
}

impl Load {
    pub(crate) fn new(work: Work, accounts: Arc<[AccountId]>, attempts: Vec<Job>) -> Self {
        Self {
            work,
            accounts,
            attempts: Mutex::new(attempts),
            done: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            is_measuring: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            ended_early: Notify::new(),
        }
    }

    fn any_account(&self) -> anyhow::Result<&AccountId> {
        let index = chance_below(u32::try_from(self.accounts.len())?);
        self.accounts.get(usize::try_from(index)?).context("there is no account to work on")
    }

    fn next_attempt(&self) -> Option<Job> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    async fn timed(
        &self,
        latencies_us: &mut Vec<u64>,
        operation: impl Future<Output = anyhow::Result<Outcome>>,
    ) -> anyhow::Result<Outcome> {
        let started = Instant::now();
        let outcome = operation.await?;
        match outcome {
            Outcome::Done => {
                self.done.fetch_add(1, Relaxed);
                if self.is_measuring.load(Relaxed) {
                    latencies_us.push(u64::try_from(started.elapsed().as_micros())?);
                }
            }
            Outcome::Busy => {
                self.busy.fetch_add(1, Relaxed);
            }
        }
        Ok(outcome)
    }

    /// One caller's work until the end.
    async fn work(&self, caller: &mut Caller) -> anyhow::Result<Vec<u64>> {
        let mut latencies_us = Vec::new();
        while !self.is_over.load(Relaxed) {
            match self.work {
                Work::HoldCapture => {
                    let job = Job::new(self.any_account()?.clone());
                    if self.timed(&mut latencies_us, caller.hold(&job)).await? == Outcome::Done {
                        self.timed(&mut latencies_us, caller.capture(&job)).await?;
                    }
                }
                Work::Restore => {
                    let Some(job) = self.next_attempt() else { break };
                    self.timed(&mut latencies_us, caller.restore(&job)).await?;
                }
                Work::Balance => {
                    self.timed(&mut latencies_us, caller.balance(self.any_account()?)).await?;
                }
            }
        }
        Ok(latencies_us)
    }

    /// Lets every caller work for the planned time, and gives them back with what came of it.
    pub(crate) async fn run(
        self,
        plan: &Plan,
        ground: &Ground,
        callers: Vec<Caller>,
    ) -> anyhow::Result<(Vec<Caller>, Figures)> {
        let load = Arc::new(self);
        let mut tasks = JoinSet::new();
        for mut caller in callers {
            let load = Arc::clone(&load);
            tasks.spawn(async move {
                let worked = load.work(&mut caller).await;
                load.ended_early.notify_one();
                worked.map(|latencies_us| (caller, latencies_us))
            });
        }
        load.wait(plan.warm).await;
        let before = ground.sample().await?;
        let done_before = load.done.load(Relaxed);
        load.is_measuring.store(true, Relaxed);
        load.wait(plan.window).await;
        let done = load.done.load(Relaxed) - done_before;
        load.is_measuring.store(false, Relaxed);
        let after = ground.sample().await?;
        load.is_over.store(true, Relaxed);
        let (mut callers, mut latencies_us) = (Vec::new(), Vec::new());
        let gather = async {
            while let Some(ended) = tasks.join_next().await {
                let (caller, more) = ended??;
                callers.push(caller);
                latencies_us.extend(more);
            }
            anyhow::Ok(())
        };
        timeout(TAIL, gather).await.context("operations were not answered in time")??;
        let busy = load.busy.load(Relaxed);
        Ok((callers, Figures::new(&before, &after, done, busy, latencies_us)))
    }

    /// Waits for a time, or until somebody ended early.
    async fn wait(&self, time: Duration) {
        tokio::select! {
            () = sleep(time) => {}
            () = self.ended_early.notified() => {}
        }
    }
}
