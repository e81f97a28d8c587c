//! What came of a fault.

use super::calls::{Call, PATIENCE, Told};
use super::effects::Difference;
use super::journal::{self, Line};
use std::fmt;
use tokio::time::Duration;

/// What came of a fault, over all its rounds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) times: u32,
    /// Calls that were answered, and were asked again afterwards.
    pub(crate) acknowledged: u64,
    /// Of these, those that were not there any more, or were answered otherwise.
    pub(crate) lost: u64,
    /// Effects that are there more than once.
    pub(crate) doubled: u64,
    /// Calls of which their callers did not know what had become of them.
    pub(crate) unknown: u64,
    /// Of the unknown ones, those that turned out to have been done when they were sent again.
    pub(crate) had_happened: u64,
    /// Calls that were refused with the word that nothing was changed.
    pub(crate) refused: u64,
    /// From the fault to the end of the first call that began after it and was done.
    pub(crate) worst_recovery: Duration,
    /// How long good callers waited: nearly all, and the longest.
    pub(crate) waits: Option<[Duration; 2]>,
    /// The most memory that the service had in use.
    pub(crate) peak_kib: u64,
    /// What must not be, in sentences.
    pub(crate) broken: Vec<String>,
}

impl Tally {
    /// Takes note of what callers were told.
    pub(crate) fn hear(&mut self, lines: &[Line]) {
        for line in lines {
            if line.ended.saturating_duration_since(line.begun) > PATIENCE {
                self.broken.push(format!("a call hung: {:?}", line.call.ask.request_id()));
            }
            match &line.told {
                Told::Answer { .. } => self.acknowledged += 1,
                Told::Unknown(_) => self.unknown += 1,
                Told::Nothing(said) if said.starts_with("Internal") => {
                    self.broken.push(format!("a fault of the world was told as ours: {said}"));
                }
                Told::Nothing(_) => self.refused += 1,
            }
        }
        let waits = journal::waits(lines);
        let longer = |[p99, longest]: [Duration; 2]| {
            let [p99_before, longest_before] = self.waits.unwrap_or_default();
            [p99.max(p99_before), longest.max(longest_before)]
        };
        self.waits = waits.map(longer).or(self.waits);
    }

    /// Compares what a call was told with what it is told when it is sent again; says whether it is done then, and not
    /// refused.
    pub(crate) fn compare(&mut self, told: &Told, again: &Told, call: &Call) -> anyhow::Result<bool> {
        let Told::Answer { bytes, refused, replayed } = again else {
            anyhow::bail!("a call was not answered: {again:?}");
        };
        match told {
            Told::Answer { bytes: before, .. } => {
                if before != bytes || !replayed {
                    self.lost += 1;
                    self.broken.push(format!("{call:?} was answered otherwise, or is done a second time"));
                }
            }
            Told::Unknown(_) => self.had_happened += u64::from(*replayed),
            Told::Nothing(said) => anyhow::bail!("{call:?} is not sent again: {said}"),
        }
        Ok(!refused)
    }

    /// Takes note of how the database differs from what must be there.
    pub(crate) fn differ(&mut self, difference: &Difference) {
        let Difference { missing, surplus } = difference;
        self.lost += u64::try_from(missing.len()).unwrap_or(u64::MAX);
        self.doubled += u64::try_from(surplus.len()).unwrap_or(u64::MAX);
        self.broken.extend(missing.iter().map(|line| format!("missing: {line}")));
        self.broken.extend(surplus.iter().map(|line| format!("too much: {line}")));
    }

    /// Whether everything is as it must be.
    pub(crate) fn is_good(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.broken.is_empty() && self.acknowledged > 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p99, longest] = self.waits.unwrap_or_default().map(|wait| wait.as_millis());
        write!(
            f,
            "{:>6}{:>13}{:>6}{:>9}{:>9}{:>10}{:>9}{:>12}{:>9}{:>9}{:>8}",
            self.times,
            self.acknowledged,
            self.lost,
            self.doubled,
            self.unknown,
            self.had_happened,
            self.refused,
            self.worst_recovery.as_millis(),
            p99,
            longest,
            self.peak_kib / 1024,
        )
    }
}

/// The columns of a [`Tally`].
pub(crate) fn heading() -> String {
    format!(
        "{:>6}{:>13}{:>6}{:>9}{:>9}{:>10}{:>9}{:>12}{:>9}{:>9}{:>8}",
        "times",
        "acknowledged",
        "lost",
        "doubled",
        "unknown",
        "happened",
        "refused",
        "recovery ms",
        "p99 ms",
        "max ms",
        "MiB"
    )
}
