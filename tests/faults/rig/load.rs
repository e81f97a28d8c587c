//! Callers who do what a shop, its workers and its bank do, one call after the other, whatever happens to the service.

use super::calls::{Ask, Call, Told};
use super::journal::Journal;
use chrono::TimeDelta;
use makegood::clock::Clock;
use makegood::proto::makegood::v1::ChargebackEventKind as Event;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep_until};
use tonic::transport::Channel;

/// What every attempt costs.
pub(crate) const COST: i64 = 3;

/// Callers at once, and the accounts that most of their calls are about: each is shared by two.
const CALLERS: u32 = 8;
const ACCOUNTS: u32 = 4;

/// Credits that each account is given at first, enough for all attempts.
const WELCOME: i64 = 1_000_000;

/// How long a caller waits after a call that brought nothing.
const BACKOFF: Duration = Duration::from_millis(20);

/// How far a test clock jumps at most, to and fro: less than a hold lasts.
const JUMP_MINUTES: u64 = 600;

/// Numbers that look like chance and are the same each time.
pub(crate) fn mixed(seed: u64) -> u64 {
    let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// By which clock the callers call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clocks {
    /// The service's.
    Machine,
    /// Test clocks that jump.
    Jumping,
}

/// What all callers share.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) journal: Journal,
    /// Where the service is now.
    channel: watch::Sender<Option<Channel>>,
    clocks: Clocks,
    /// So that names of different loads differ.
    serial: AtomicU32,
}

impl Work {
    pub(crate) fn new(clocks: Clocks) -> Arc<Self> {
        let (journal, channel, serial) = (Journal::default(), watch::Sender::default(), AtomicU32::new(1));
        Arc::new(Self { journal, channel, clocks, serial })
    }

    /// Sends everybody to another address from now on.
    pub(crate) fn go_to(&self, channel: Channel) {
        self.channel.send_replace(Some(channel));
    }

    /// The way to the service, once there is one.
    pub(crate) async fn channel(&self) -> Option<Channel> {
        let mut channel = self.channel.subscribe();
        channel.wait_for(Option::is_some).await.ok().and_then(|channel| channel.clone())
    }

    /// A number that nobody else has.
    pub(crate) fn next(&self) -> u32 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    /// The clock of a call.
    pub(crate) fn clock(&self, chance: u64) -> Option<String> {
        if self.clocks == Clocks::Machine {
            return None;
        }
        let minutes = i64::try_from(chance % (2 * JUMP_MINUTES)).ok()? - i64::try_from(JUMP_MINUTES).ok()?;
        let at = Clock::system().now().checked_add_signed(TimeDelta::minutes(minutes))?;
        Some(at.to_rfc3339())
    }

    /// Makes one call; says whether it was answered.
    pub(crate) async fn make(&self, ask: Ask, chance: u64) -> bool {
        let Some(channel) = self.channel().await else { return false };
        let call = Call { ask, clock: self.clock(chance) };
        matches!(self.journal.make(call, channel).await, Told::Answer { refused: false, .. })
    }

    /// Makes the accounts, before anything goes wrong.
    pub(crate) async fn prepare(&self) -> anyhow::Result<()> {
        for account in 0..ACCOUNTS {
            let grant = Ask::grant(&account_id(account), self.next(), WELCOME);
            anyhow::ensure!(self.make(grant, 0).await, "an account could not be made");
        }
        Ok(())
    }
}

pub(crate) fn account_id(number: u32) -> String {
    format!("customer-{}", number % ACCOUNTS)
}

/// Callers at work, until they are told to stop.
#[derive(Debug)]
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    callers: JoinSet<()>,
}

impl Load {
    pub(crate) fn start(work: &Arc<Work>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut callers = JoinSet::new();
        for number in 0..CALLERS {
            let caller = Caller { number, work: Arc::clone(work), stop: Arc::clone(&stop) };
            callers.spawn(caller.run());
        }
        Self { stop, callers }
    }

    /// Lets every caller finish its call.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.callers.join_next().await {
            ended?;
        }
        Ok(())
    }
}

struct Caller {
    number: u32,
    work: Arc<Work>,
    stop: Arc<AtomicBool>,
}

impl Caller {
    async fn run(self) {
        while !self.stop.load(Ordering::Relaxed) {
            let serial = self.work.next();
            if !self.story(serial).await {
                sleep_until(Instant::now() + BACKOFF).await;
            }
        }
    }

    /// Some calls that build on each other. It ends where one brings nothing: whoever does not know goes no further.
    async fn story(&self, serial: u32) -> bool {
        let chance = mixed(u64::from(serial));
        let account_id = account_id(self.number);
        let make = async |step: u64, ask| self.work.make(ask, mixed(chance + step)).await;
        let (job_id, payment_id) = (format!("job-{serial}"), format!("pay-{serial}"));
        match chance % 8 {
            0 => {
                make(0, Ask::purchase(&account_id, &payment_id)).await
                    && make(1, Ask::deliver(&account_id, &payment_id)).await
            }
            1 => {
                make(0, Ask::purchase(&account_id, &payment_id)).await
                    && make(1, Ask::claim(&account_id, &payment_id)).await
            }
            2 => {
                // Its own account: a dispute suspends it.
                let account_id = format!("disputed-{serial}");
                let dispute = |event| Ask::dispute(&account_id, &payment_id, event);
                make(0, Ask::purchase(&account_id, &payment_id)).await
                    && make(1, Ask::deliver(&account_id, &payment_id)).await
                    && make(2, dispute(Event::Opened)).await
                    && make(3, dispute(Event::Lost)).await
            }
            3 => make(0, Ask::grant(&account_id, serial, 7)).await,
            4 | 5 => {
                make(0, Ask::hold(&account_id, &job_id, COST)).await
                    && make(1, Ask::capture(&account_id, &job_id)).await
            }
            _ => {
                make(0, Ask::hold(&account_id, &job_id, COST)).await
                    && make(1, Ask::capture(&account_id, &job_id)).await
                    && make(2, Ask::restore(&account_id, &job_id, COST)).await
            }
        }
    }
}
