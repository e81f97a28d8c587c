//! What callers were told, as a careful client keeps it.

use super::calls::{Call, Told};
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;
use tokio::time::{Duration, Instant};

/// A call, and what was told of it.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) call: Call,
    pub(crate) told: Told,
    pub(crate) begun: Instant,
    pub(crate) ended: Instant,
}

impl Line {
    fn is_good(&self) -> bool {
        matches!(self.told, Told::Answer { refused: false, .. })
    }

    fn took(&self) -> Duration {
        self.ended.saturating_duration_since(self.begun)
    }
}

/// How much was told so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Count {
    /// Answers from lanes.
    pub(crate) hot: u64,
    /// Answers from transactions of their own.
    pub(crate) plain: u64,
    /// Calls of which nobody knows.
    pub(crate) unknown: u64,
    /// Of these, those of which the service itself said so, and not a connection that ended.
    pub(crate) in_doubt: u64,
    /// Refusals that said that nothing was changed.
    pub(crate) nothing: u64,
}

/// The lines of everybody, in the order of their ends.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    lines: Mutex<Vec<Line>>,
    count: watch::Sender<Count>,
}

impl Journal {
    /// Makes a call and writes down what came of it. Gives what that was.
    pub(crate) async fn make(&self, call: Call, channel: tonic::transport::Channel) -> Told {
        let begun = Instant::now();
        let told = call.make(channel).await;
        self.keep(Line { call, told: told.clone(), begun, ended: Instant::now() });
        told
    }

    pub(crate) fn keep(&self, line: Line) {
        self.count.send_modify(|count| match &line.told {
            Told::Answer { .. } if line.call.ask.is_hot() => count.hot += 1,
            Told::Answer { .. } => count.plain += 1,
            Told::Nothing(_) => count.nothing += 1,
            Told::Unknown(said) => {
                count.unknown += 1;
                count.in_doubt += u64::from(said.ends_with("OUTCOME_UNKNOWN"));
            }
        });
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    pub(crate) fn count(&self) -> Count {
        *self.count.borrow()
    }

    /// Waits until so much was told.
    pub(crate) async fn until(&self, enough: impl Fn(Count) -> bool) {
        let mut count = self.count.subscribe();
        // The sender lives as long as this does.
        let _ = count.wait_for(|count| enough(*count)).await;
    }

    /// Every line so far; they are not kept here any more.
    pub(crate) fn take(&self) -> Vec<Line> {
        std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// When the first calls that began after a fault had good answers, one from a lane and one from a transaction of its own,
/// counted from the fault.
pub(crate) fn recovery(lines: &[Line], fault: Instant) -> Option<Duration> {
    let good = |is_hot: bool| {
        let mut lines = lines.iter().filter(|line| line.is_good() && line.begun >= fault);
        lines.find(|line| line.call.ask.is_hot() == is_hot)
    };
    Some(good(true)?.ended.max(good(false)?.ended).saturating_duration_since(fault))
}

/// How long the good answers took: nearly all of them, and the longest.
pub(crate) fn waits(lines: &[Line]) -> Option<[Duration; 2]> {
    let mut waits: Vec<Duration> = lines.iter().filter(|line| line.is_good()).map(Line::took).collect();
    waits.sort_unstable();
    Some([*waits.get(waits.len() * 99 / 100)?, *waits.last()?])
}
