//! What is measured, and for how long.

use crate::seed;
use clap::{Parser, ValueEnum};
use std::time::Duration;

/// Measures the service beside hand-written SQL on a private durable cluster.
#[derive(Debug, Parser)]
#[command(name = "service")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Arguments {
    /// A look that takes about a minute: one short run of each
    #[arg(long)]
    quick: bool,
    /// Also measure accounts with a thousand and a million entries
    #[arg(long)]
    history: bool,
    /// Also look at the service's memory over a million operations
    #[arg(long)]
    memory: bool,
    /// Also compare services that trace nothing, one call in a hundred, and every call
    #[arg(long)]
    tracing: bool,
    /// Only this work (may be repeated)
    #[arg(long, value_enum)]
    only: Vec<Work>,
    /// Operations in flight at once
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64, 256])]
    in_flight: Vec<usize>,
    /// Interleaved runs of each side
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=99))]
    runs: Option<u32>,
    /// Length of one run in milliseconds
    #[arg(long, value_parser = clap::value_parser!(u64).range(100..=600_000))]
    millis: Option<u64>,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// The work that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Work {
    /// A hold, then its capture: two operations.
    HoldCapture,
    /// The restore of a captured attempt.
    Restore,
    /// A balance.
    Balance,
}

impl Work {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::HoldCapture => "hold_capture",
            Self::Restore => "restore",
            Self::Balance => "balance",
        }
    }
}

/// Over how many accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    /// All of the seed's ordinary accounts.
    Wide,
    /// One account.
    Hot,
}

impl Spread {
    pub(crate) const BOTH: [Self; 2] = [Self::Wide, Self::Hot];

    pub(crate) const fn accounts(self) -> usize {
        match self {
            Self::Wide => seed::ACCOUNTS,
            Self::Hot => 1,
        }
    }
}

/// One line of the report.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage {
    pub(crate) work: Work,
    pub(crate) spread: Spread,
    pub(crate) in_flight: usize,
}

/// What is measured, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) work: Vec<Work>,
    pub(crate) in_flight: Vec<usize>,
    pub(crate) runs: u32,
    /// Time before each run that is not measured: connections, statements and caches get warm.
    pub(crate) warm: Duration,
    /// Measured time of each run.
    pub(crate) window: Duration,
    pub(crate) history: bool,
    pub(crate) memory: bool,
    pub(crate) tracing: bool,
}

impl Arguments {
    pub(crate) fn plan(self) -> Plan {
        let Self { quick, history, memory, tracing, only, mut in_flight, runs, millis, bench: _ } = self;
        let all = vec![Work::HoldCapture, Work::Restore, Work::Balance];
        // The cluster takes 300 connections, of which the service has its own.
        in_flight.retain(|count| (1..=256).contains(count));
        let millis = millis.unwrap_or(if quick { 600 } else { 4_000 });
        Plan {
            work: if only.is_empty() { all } else { only },
            in_flight,
            runs: runs.unwrap_or(if quick { 1 } else { 3 }),
            warm: Duration::from_millis(millis / 4),
            window: Duration::from_millis(millis),
            history,
            memory,
            tracing,
        }
    }
}

impl Plan {
    /// Every line of the report, in its order.
    pub(crate) fn stages(&self) -> Vec<Stage> {
        let mut stages = Vec::new();
        for &work in &self.work {
            for spread in Spread::BOTH {
                stages.extend(self.in_flight.iter().map(|&in_flight| Stage { work, spread, in_flight }));
            }
        }
        stages
    }
}
