//! Faults: what can go wrong around the service, done to the real program under load, and what must be true afterwards.
//!
//! Callers keep a journal of what they were told. After each fault, once the service answers again:
//!
//! 1. a call that was told that nothing was changed has left nothing;
//! 2. a call that was answered is sent again, and has the same answer, byte by byte, and no second effect;
//! 3. a call of which nobody knows is sent again until it is answered, and it is counted whether it had happened;
//! 4. what the tables hold is what the journal says, counted by statements of its own, for each key and each account;
//! 5. `makegood audit` finds nothing.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "counts of a test or a measurement: no credits, no money, and nothing is kept of them"
)]

mod attacks;
mod calls;
mod commits;
mod crowds;
mod deaths;
mod effects;
mod full;
mod ground;
mod journal;
mod load;
mod process;
pub(crate) mod proxy;
mod silence;
mod tally;
#[path = "../grpc/limits/wire.rs"]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "it is a test's own, and ends at what it did not expect"
)]
mod wire;

use anyhow::ensure;
use std::fmt;

pub(crate) use tally::{Tally, heading};

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    ServiceKilled,
    ServiceKilledWithItsDatabase,
    DatabaseStopped,
    BackendKilledAtCommit,
    CutAfterCommit,
    BackendsFrozen,
    NetworkSilent,
    PoolExhausted,
    CallsCancelled,
    DiskFull,
    ClockJumps,
    Http2Attacks,
    SilentSockets,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    Came(Tally),
    /// This machine does not allow it: why.
    NotPossibleHere(String),
}

impl Fault {
    pub(crate) const ALL: [Self; 13] = [
        Self::ServiceKilled,
        Self::ServiceKilledWithItsDatabase,
        Self::DatabaseStopped,
        Self::BackendKilledAtCommit,
        Self::CutAfterCommit,
        Self::BackendsFrozen,
        Self::NetworkSilent,
        Self::PoolExhausted,
        Self::CallsCancelled,
        Self::DiskFull,
        Self::ClockJumps,
        Self::Http2Attacks,
        Self::SilentSockets,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ServiceKilled => "service_killed",
            Self::ServiceKilledWithItsDatabase => "service_killed_with_its_database",
            Self::DatabaseStopped => "database_stopped",
            Self::BackendKilledAtCommit => "backend_killed_at_commit",
            Self::CutAfterCommit => "cut_after_commit",
            Self::BackendsFrozen => "backends_frozen",
            Self::NetworkSilent => "network_silent",
            Self::PoolExhausted => "pool_exhausted",
            Self::CallsCancelled => "calls_cancelled",
            Self::DiskFull => "disk_full",
            Self::ClockJumps => "clock_jumps",
            Self::Http2Attacks => "http2_attacks",
            Self::SilentSockets => "silent_sockets",
        }
    }

    /// Lets it happen so many times, and checks after each.
    pub(crate) async fn happen(self, rounds: u32) -> anyhow::Result<Outcome> {
        let tally = match self {
            Self::ServiceKilled => deaths::service_killed(rounds, false).await?,
            Self::ServiceKilledWithItsDatabase => deaths::service_killed(rounds, true).await?,
            Self::DatabaseStopped => deaths::database_stopped(rounds).await?,
            Self::BackendKilledAtCommit => commits::backend_killed(rounds).await?,
            Self::CutAfterCommit => commits::answer_lost(rounds).await?,
            Self::BackendsFrozen => silence::backends_frozen(rounds).await?,
            Self::NetworkSilent => silence::network_silent(rounds).await?,
            Self::PoolExhausted => crowds::pool_exhausted(rounds).await?,
            Self::CallsCancelled => crowds::calls_cancelled(rounds).await?,
            Self::DiskFull => return full::disk_full(rounds).await,
            Self::ClockJumps => crowds::clock_jumps(rounds).await?,
            Self::Http2Attacks => attacks::http2(rounds).await?,
            Self::SilentSockets => attacks::silent_sockets(rounds).await?,
        };
        Ok(Outcome::Came(tally))
    }
}

impl Outcome {
    /// Fails unless every promise was kept.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if let Self::Came(tally) = self {
            let said = tally.broken.get(..tally.broken.len().min(10)).unwrap_or_default();
            ensure!(tally.is_good(), "{} broken promises:\n{}", tally.broken.len(), said.join("\n"));
        }
        Ok(())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Came(tally) => tally.fmt(f),
            Self::NotPossibleHere(why) => write!(f, " not possible here: {why}"),
        }
    }
}
