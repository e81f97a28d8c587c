//! The ceiling: the same holds and captures, fifty in a statement and a commit, straight on the database.

use crate::arguments::{Plan, Spread};
use crate::bulk::Bulk;
use crate::figures::Figures;
use crate::ground::{Ground, Side};
use crate::hand::Move;
use crate::load::Job;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Operations in one commit.
const BATCH: usize = 50;

/// Connections: as many as cores where this was first measured; each writes to accounts of its own.
const WRITERS: usize = 2;

/// What the database does at best.
#[derive(Debug)]
pub(crate) struct Ceiling {
    pub(crate) spread: Spread,
    pub(crate) figures: Figures,
}

/// Measures it.
pub(crate) async fn measure(plan: &Plan, ground: &Ground, spread: Spread) -> anyhow::Result<Ceiling> {
    let accounts = ground.accounts(spread);
    let mut runs = Vec::new();
    for _ in 0..plan.runs {
        let (done, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let mut writers = JoinSet::new();
        // One account has one writer.
        for part in accounts.chunks(accounts.len().div_ceil(WRITERS)) {
            let mut bulk = Bulk::open(ground.connect(Side::Hand).await?, part).await?;
            let (done, is_over) = (Arc::clone(&done), Arc::clone(&is_over));
            writers.spawn(async move {
                while !is_over.load(Relaxed) {
                    let jobs: Vec<Job> = bulk.next_accounts(BATCH).into_iter().map(Job::new).collect();
                    for movement in [Move::Hold, Move::Capture] {
                        bulk.shift(&jobs, movement).await?;
                        done.fetch_add(u64::try_from(jobs.len())?, Relaxed);
                    }
                }
                anyhow::Ok(())
            });
        }
        sleep(plan.warm).await;
        let (before, done_before) = (ground.sample().await?, done.load(Relaxed));
        sleep(plan.window).await;
        let (after, done_after) = (ground.sample().await?, done.load(Relaxed));
        is_over.store(true, Relaxed);
        while let Some(ended) = writers.join_next().await {
            ended??;
        }
        runs.push(Figures::new(&before, &after, done_after - done_before, 0, Vec::new()));
    }
    Ok(Ceiling { spread, figures: Figures::median(&runs) })
}
