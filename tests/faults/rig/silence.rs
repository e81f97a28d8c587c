//! A database that does not answer and does not end its connections either.

use super::ground::{Ground, Plan};
use super::journal::Count;
use super::tally::Tally;
use anyhow::ensure;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use sqlx::PgConnection;
use tokio::time::Instant;

/// Calls that end without an answer while nothing moves: more than there are callers.
const ENDED: u64 = 16;

/// A service whose callers need not wait long.
const IMPATIENT: Plan = Plan { arguments: &["--request-timeout", "2s"], ..Plan::ORDINARY };

/// Stopped processes, which go on when this is dropped, whatever happened.
struct Frozen(Vec<Pid>);

impl Frozen {
    /// Every backend of the service.
    async fn all(superuser: &mut PgConnection) -> anyhow::Result<Self> {
        let pids: Vec<i32> =
            sqlx::query_scalar("SELECT pid FROM pg_stat_activity WHERE application_name = 'makegood'")
                .fetch_all(superuser)
                .await?;
        let mut frozen = Self(Vec::new());
        for pid in pids.into_iter().map(Pid::from_raw) {
            signal::kill(pid, Signal::SIGSTOP)?;
            frozen.0.push(pid);
        }
        Ok(frozen)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for pid in &self.0 {
            // One that ended meanwhile needs nothing.
            let _ = signal::kill(*pid, Signal::SIGCONT);
        }
    }
}

/// The service's backends stop in the middle of what they do, and go on later. Meanwhile calls end by their bounds.
pub(super) async fn backends_frozen(rounds: u32) -> anyhow::Result<Tally> {
    let mut ground = Ground::prepare(IMPATIENT).await?;
    for round in 0..rounds {
        let mut superuser = ground.superuser().await?;
        let load = ground.load(round.into()).await?;
        let before = ground.work.journal.count();
        let frozen = Frozen::all(&mut superuser).await?;
        let ended =
            move |count: Count| count.unknown + count.nothing >= before.unknown + before.nothing + ENDED;
        ground.until(ended, "calls to a frozen database do not end").await?;
        let thawed = Instant::now();
        drop(frozen);
        ground.settle(load, thawed).await?;
    }
    ground.end().await
}

/// Nothing comes through on the connections of now any more, as when the database's machine lost its power; new ones are
/// good. Much later, when everything has been done again elsewhere, what had been on its way arrives after all.
pub(super) async fn network_silent(rounds: u32) -> anyhow::Result<Tally> {
    let mut ground = Ground::prepare(IMPATIENT).await?;
    for round in 0..rounds {
        let load = ground.load(round.into()).await?;
        let fault = Instant::now();
        ground.proxy()?.silence();
        ground.answers(ENDED).await?;
        ground.proxy()?.mend();
        ground.settle(load, fault).await?;
    }
    let tally = ground.end().await?;
    ensure!(tally.unknown > 0, "nothing was on its way");
    Ok(tally)
}
