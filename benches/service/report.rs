//! What was measured, for a person, for a program, and as a picture.

use crate::arguments::{Spread, Stage, Work};
use crate::ceiling::Ceiling;
use crate::figures::{Figures, over};
use crate::ground::folder;
use crate::history::Past;
use crate::plot;
use anyhow::Context;
use serde_json::{Value, json};
use std::fmt::{self, Write};
use std::fs;

/// In flight where targets are set.
const BUSY_IN_FLIGHT: usize = 64;

/// One line: the same work by both.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) stage: Stage,
    pub(crate) service: Figures,
    pub(crate) hand: Figures,
    pub(crate) runs: u32,
}

impl Row {
    fn ratio(&self) -> f64 {
        over(self.service.ops_s, self.hand.ops_s)
    }

    /// Processor time of an operation behind the wire: in the service and in the database.
    fn cpu_us(&self) -> f64 {
        self.service.service_us + self.service.postgres_us
    }

    fn json(&self) -> Value {
        let Self { stage, service, hand, runs } = self;
        json!({
            "scenario": stage.work.name(),
            "accounts": stage.spread.accounts(),
            "in_flight": stage.in_flight,
            "service_ops_s": rounded(service.ops_s, 1),
            "sql_ops_s": rounded(hand.ops_s, 1),
            "ratio": rounded(self.ratio(), 3),
            "p50_ms": rounded(service.p50_ms, 3),
            "p99_ms": rounded(service.p99_ms, 3),
            "p999_ms": rounded(service.p999_ms, 3),
            "cpu_us_per_op": rounded(self.cpu_us(), 1),
            "commits_s": rounded(service.commits_s, 1),
            "runs": runs,
            "refused_busy": service.busy,
            "cpu_service_us": rounded(service.service_us, 1),
            "cpu_postgres_us": rounded(service.postgres_us, 1),
            "cpu_client_us": rounded(service.client_us, 1),
            "sql_p50_ms": rounded(hand.p50_ms, 3),
            "sql_p99_ms": rounded(hand.p99_ms, 3),
            "sql_p999_ms": rounded(hand.p999_ms, 3),
            "sql_cpu_postgres_us": rounded(hand.postgres_us, 1),
            "sql_cpu_client_us": rounded(hand.client_us, 1),
        })
    }
}

/// The columns of [`Row`], over two lines.
pub(crate) fn heading() -> String {
    format!(
        "{:<13}{:>9}{:>8} │{:>9}{:>8}{:>8}{:>9} │{:>9}{:>8}{:>8} │{:>6} │{:>8}{:>9}{:>7} │{:>9}{:>9}\n{:<13}{:>9}{:>8} │{:>9}{:>8}{:>8}{:>9} │{:>9}{:>8}{:>8} │{:>6} │{:>8}{:>9}{:>7} │{:>9}{:>9}",
        "",
        "",
        "in",
        "service",
        "p50",
        "p99",
        "p99.9",
        "SQL",
        "p50",
        "p99",
        "",
        "service",
        "postgres",
        "client",
        "SQL pg",
        "commits",
        "scenario",
        "accounts",
        "flight",
        "ops/s",
        "ms",
        "ms",
        "ms",
        "ops/s",
        "ms",
        "ms",
        "ratio",
        "µs/op",
        "µs/op",
        "µs/op",
        "µs/op",
        "/s",
    )
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, service, hand, .. } = self;
        write!(f, "{:<13}{:>9}{:>8} │", stage.work.name(), stage.spread.accounts(), stage.in_flight)?;
        let Figures { ops_s, p50_ms, p99_ms, p999_ms, .. } = service;
        write!(f, "{ops_s:>9.0}{p50_ms:>8.2}{p99_ms:>8.2}{p999_ms:>9.2} │")?;
        write!(f, "{:>9.0}{:>8.2}{:>8.2} │{:>6.2} │", hand.ops_s, hand.p50_ms, hand.p99_ms, self.ratio())?;
        write!(f, "{:>8.0}{:>9.0}{:>7.0} │", service.service_us, service.postgres_us, service.client_us)?;
        write!(f, "{:>9.0}{:>9.0}", hand.postgres_us, service.commits_s)?;
        if service.busy > 0.0 { write!(f, "  {} refused as too many", service.busy) } else { Ok(()) }
    }
}

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Report {
    machine: String,
    rss_before_kib: u64,
    pub(crate) rss_after_kib: u64,
    pub(crate) round_trip: Option<Figures>,
    pub(crate) rows: Vec<Row>,
    pub(crate) ceilings: Vec<Ceiling>,
    pub(crate) history: Vec<Past>,
}

impl Report {
    pub(crate) const fn new(machine: String, rss_before_kib: u64) -> Self {
        Self {
            machine,
            rss_before_kib,
            rss_after_kib: rss_before_kib,
            round_trip: None,
            rows: Vec::new(),
            ceilings: Vec::new(),
            history: Vec::new(),
        }
    }

    fn row(&self, work: Work, spread: Spread, in_flight: usize) -> Option<&Row> {
        let is = |row: &&Row| {
            row.stage.work == work && row.stage.spread == spread && row.stage.in_flight == in_flight
        };
        self.rows.iter().find(is)
    }

    /// How fast a stage may turn out: as fast as holds and captures were.
    pub(crate) fn expected_ops_s(&self, stage: &Stage) -> f64 {
        let row = self.row(Work::HoldCapture, stage.spread, stage.in_flight);
        row.map_or(3_000.0, |row| row.service.ops_s.max(row.hand.ops_s))
    }

    /// What the service reaches of a ceiling, where targets are set.
    fn share(&self, ceiling: &Ceiling) -> Option<f64> {
        let row = self.row(Work::HoldCapture, ceiling.spread, BUSY_IN_FLIGHT)?;
        Some(over(row.service.ops_s, ceiling.figures.ops_s))
    }

    /// Everything that is no row.
    pub(crate) fn summary(&self) -> String {
        let mut said = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_summary(&mut said);
        said
    }

    fn write_summary(&self, out: &mut String) -> fmt::Result {
        let round_trip_ms = self.round_trip.map_or(0.0, |figures| figures.p50_ms);
        writeln!(out, "\nbare gRPC round trip, 1 in flight: p50 {round_trip_ms:.3} ms")?;
        if let Some(row) = self.row(Work::HoldCapture, Spread::Wide, 1) {
            let bound = row.hand.p50_ms * 1.5 + round_trip_ms;
            writeln!(
                out,
                "1 in flight: p50 {:.3} ms; 1.5 × the SQL's {:.3} ms and a round trip are {bound:.3} ms",
                row.service.p50_ms, row.hand.p50_ms
            )?;
        }
        for ceiling in &self.ceilings {
            let Figures { ops_s, postgres_us, commits_s, .. } = ceiling.figures;
            write!(
                out,
                "ceiling, {} accounts: {ops_s:.0} ops/s, {postgres_us:.0} µs/op in postgres, {commits_s:.0} commits/s",
                ceiling.spread.accounts()
            )?;
            match self.share(ceiling) {
                Some(share) => writeln!(out, "; the service reaches {:.0} % of it", share * 100.0)?,
                None => writeln!(out)?,
            }
        }
        for past in &self.history {
            let Figures { ops_s, p50_ms, p99_ms, service_us, postgres_us, .. } = past.figures;
            writeln!(
                out,
                "{} entries, {} in flight: {ops_s:.0} ops/s, p50 {p50_ms:.2} ms, p99 {p99_ms:.2} ms, \
                 service {service_us:.0} µs/op, postgres {postgres_us:.0} µs/op",
                past.entries, past.in_flight
            )?;
        }
        writeln!(out, "memory of the service: {} KiB, then {} KiB", self.rss_before_kib, self.rss_after_kib)
    }

    fn json(&self) -> Value {
        let ceiling = |one: &Ceiling| {
            json!({
                "accounts": one.spread.accounts(),
                "ops_s": rounded(one.figures.ops_s, 1),
                "cpu_postgres_us": rounded(one.figures.postgres_us, 1),
                "commits_s": rounded(one.figures.commits_s, 1),
                "service_share": self.share(one).map(|share| rounded(share, 3)),
            })
        };
        let past = |one: &Past| {
            json!({
                "entries": one.entries,
                "in_flight": one.in_flight,
                "service_ops_s": rounded(one.figures.ops_s, 1),
                "p50_ms": rounded(one.figures.p50_ms, 3),
                "p99_ms": rounded(one.figures.p99_ms, 3),
                "cpu_service_us": rounded(one.figures.service_us, 1),
                "cpu_postgres_us": rounded(one.figures.postgres_us, 1),
            })
        };
        json!({
            "machine": self.machine,
            "rows": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
            "ceiling": self.ceilings.iter().map(ceiling).collect::<Vec<_>>(),
            "history": self.history.iter().map(past).collect::<Vec<_>>(),
            "round_trip_p50_ms": self.round_trip.map(|figures| rounded(figures.p50_ms, 3)),
            "rss_kib": { "before": self.rss_before_kib, "after": self.rss_after_kib },
        })
    }

    /// Writes the figures and the picture.
    pub(crate) fn write(&self) -> anyhow::Result<()> {
        let folder = folder()?;
        let (figures, picture) = (folder.join("service.json"), folder.join("service.svg"));
        let text = serde_json::to_string_pretty(&self.json())?;
        fs::write(&figures, text + "\n").context("the figures cannot be written")?;
        fs::write(&picture, plot::draw(&self.rows)).context("the picture cannot be written")?;
        println!("{}\n{}", figures.display(), picture.display());
        Ok(())
    }
}

/// With so many digits after the point.
fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}
