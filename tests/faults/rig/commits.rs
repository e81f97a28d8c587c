//! Connections that end at a commit. The way to the database stays broken until a caller was told that nobody knows, so that
//! the service cannot find out by itself.

use super::ground::{Ground, Plan};
use super::journal::Count;
use super::proxy::{Moment, Snare};
use super::tally::Tally;
use anyhow::ensure;
use tokio::time::Instant;

/// The backend is ended before it reads the commit, or while it carries it out.
pub(super) async fn backend_killed(rounds: u32) -> anyhow::Result<Tally> {
    at_commits(rounds, &[Snare::KilledBefore, Snare::KilledMeanwhile]).await
}

/// The commit is carried out, and nobody hears of it.
pub(super) async fn answer_lost(rounds: u32) -> anyhow::Result<Tally> {
    let tally = at_commits(rounds, &[Snare::AnswerLost, Snare::AnswerLostAlone]).await?;
    // A lane's statement holds a caller's call for certain.
    ensure!(tally.had_happened >= u64::from(rounds), "what was committed was not found again");
    Ok(tally)
}

async fn at_commits(rounds: u32, snares: &[Snare]) -> anyhow::Result<Tally> {
    let mut ground = Ground::prepare(Plan::ORDINARY).await?;
    let mut traps = 0;
    for round in 0..rounds {
        for &snare in snares {
            for moment in [Moment::Commit, Moment::Ledger] {
                let load = ground.load(round.into()).await?;
                let before = ground.work.journal.count();
                ground.proxy()?.set_trap(moment, snare);
                traps += 1;
                ground.until_trapped(traps).await?;
                let fault = Instant::now();
                // Where only one connection was cut, the service finds out by itself, and its caller notices nothing.
                if snare != Snare::AnswerLostAlone {
                    let is_told = |count: Count| count.in_doubt > before.in_doubt;
                    ground.until(is_told, "nobody was told that a commit is in doubt").await?;
                    ground.proxy()?.mend();
                }
                ground.settle(load, fault).await?;
                let is_noticed = ground.work.journal.count().unknown > before.unknown;
                ensure!(
                    !is_noticed || snare != Snare::AnswerLostAlone,
                    "a caller noticed {snare:?} at {moment:?}"
                );
            }
        }
    }
    ground.end().await
}
