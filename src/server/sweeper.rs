//! The sweeper: sweeps again and again while the server runs.

use crate::clock::{Clock, chance_below};
use crate::command::{Desk, Error, Swept};
use crate::domain::ids::AccountId;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Most transactions between two looks at whether the server ends.
const BATCH: u32 = 200;

/// The part of the interval by which a pause may differ, so that replicas started together do not sweep together.
const JITTER_PARTS: u32 = 4;

/// The running task.
#[derive(Debug)]
pub(super) struct Sweeper {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Sweeper {
    /// Starts to sweep, about every `interval`.
    pub(super) fn start(desk: Desk, interval: Duration) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { stop, task: tokio::spawn(sweep_until(desk, interval, stopped)) }
    }

    /// Begins no further transaction. One under way ends in a task of its own.
    pub(super) async fn stop(self) {
        let Self { stop, task } = self;
        let _ = stop.send(());
        let _ = task.await;
    }
}

async fn sweep_until(desk: Desk, interval: Duration, mut stopped: oneshot::Receiver<()>) {
    let mut troubles = Troubles::default();
    let mut wait = pause(interval);
    loop {
        let round = async {
            tokio::time::sleep(wait).await;
            desk.sweep(Clock::system(), BATCH).await
        };
        let swept = tokio::select! {
            _ = &mut stopped => return,
            swept = round => swept,
        };
        wait = pause(interval);
        match swept {
            Ok(swept) => {
                // A full batch that moved something is followed by the next at once.
                if !swept.is_complete && has_moved(&swept) {
                    wait = Duration::ZERO;
                }
                troubles.tell(&swept);
            }
            Err(error) => troubles.tell_failure(&error),
        }
    }
}

const fn has_moved(swept: &Swept) -> bool {
    swept.holds > 0 || swept.lots > 0 || swept.requests > 0
}

/// The interval, an eighth less or up to an eighth more.
fn pause(interval: Duration) -> Duration {
    let millis = u32::try_from(interval.as_millis()).unwrap_or(u32::MAX);
    let spread = millis.checked_div(JITTER_PARTS).unwrap_or(0);
    let earliest = millis.saturating_sub(spread.checked_div(2).unwrap_or(0));
    Duration::from_millis(u64::from(earliest).saturating_add(chance_below(spread).into()))
}

/// What is known to go wrong: each trouble is logged when it begins, not in every round that it lasts.
#[derive(Debug, Default)]
struct Troubles {
    accounts: BTreeSet<AccountId>,
    is_failing: bool,
}

impl Troubles {
    fn tell(&mut self, swept: &Swept) {
        if self.is_failing {
            tracing::info!("sweeping works again");
            self.is_failing = false;
        }
        if has_moved(swept) {
            let Swept { holds, lots, requests, .. } = swept;
            tracing::info!(holds, lots, requests, "swept what ran out of time");
        }
        let accounts: BTreeSet<_> = swept.failed.iter().map(|(account_id, _)| account_id.clone()).collect();
        for (account_id, error) in &swept.failed {
            if !self.accounts.contains(account_id) {
                let error: &dyn std::error::Error = error;
                tracing::error!(%account_id, error, "an account cannot be swept, and is tried again each round");
            }
        }
        // A batch that ended early says nothing of the accounts that it did not come to.
        if swept.is_complete {
            self.accounts = accounts;
        } else {
            self.accounts.extend(accounts);
        }
    }

    fn tell_failure(&mut self, error: &Error) {
        if !self.is_failing {
            let error: &dyn std::error::Error = error;
            tracing::warn!(error, "nothing can be swept for now, and is tried again each round");
            self.is_failing = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::pause;
    use std::time::Duration;

    #[test]
    fn a_pause_is_the_interval_give_or_take_an_eighth() {
        let pauses: Vec<_> = (0..1_000).map(|_| pause(Duration::from_secs(8))).collect();
        assert!(pauses.iter().all(|pause| (7_000..9_000).contains(&pause.as_millis())), "{pauses:?}");
        assert!(pauses.iter().any(|pause| pause.as_millis() < 7_500));
        assert!(pauses.iter().any(|pause| pause.as_millis() > 8_500));
    }

    #[test]
    fn the_shortest_interval_still_pauses() {
        assert_eq!(pause(Duration::from_millis(1)), Duration::from_millis(1));
    }
}
