//! What an operation costs on an account with a short past and on one with a long past.

use crate::arguments::{Plan, Work};
use crate::caller::callers;
use crate::figures::Figures;
use crate::ground::{Ground, Side};
use crate::load::Load;
use crate::scenario::captured;
use makegood::domain::ids::AccountId;
use std::sync::Arc;

/// Entries on each of the two accounts before they are measured.
const PASTS: [usize; 2] = [1_000, 1_000_000];

/// Entries of an attempt that was captured: its hold and its capture.
const ENTRIES_PER_ATTEMPT: usize = 2;

/// Cost on one account.
#[derive(Debug)]
pub(crate) struct Past {
    pub(crate) entries: usize,
    pub(crate) in_flight: usize,
    pub(crate) figures: Figures,
}

/// Gives both accounts their past, then measures them in turn.
pub(crate) async fn measure(plan: &Plan, ground: &Ground) -> anyhow::Result<Vec<Past>> {
    let mut accounts: Vec<(usize, Arc<[AccountId]>)> = Vec::new();
    for (number, entries) in PASTS.into_iter().enumerate() {
        let account: Arc<[AccountId]> = Arc::new([AccountId::parse(format!("history-{number:05}"))?]);
        captured(ground, Side::Service, &account, entries / ENTRIES_PER_ATTEMPT).await?;
        accounts.push((entries, account));
    }
    let mut pasts = Vec::new();
    for in_flight in [1, 16] {
        let mut runs: Vec<Vec<Figures>> = vec![Vec::new(); accounts.len()];
        for _ in 0..plan.runs {
            for ((_, account), figures) in accounts.iter().zip(&mut runs) {
                let load = Load::new(Work::HoldCapture, Arc::clone(account), Vec::new());
                let callers = callers(ground, Side::Service, in_flight).await?;
                figures.push(load.run(plan, ground, callers).await?.1);
            }
        }
        pasts.extend(accounts.iter().zip(&runs).map(|((entries, _), figures)| Past {
            entries: *entries,
            in_flight,
            figures: Figures::median(figures),
        }));
    }
    Ok(pasts)
}
