//! The faults that matter, again and again: `cargo bench --bench faults -- --rounds 20`.
//!
//! Each happens to the release build of `makegood`, in a process of its own, under load; after each time everything that
//! callers were told is held against the database, and `makegood audit` is run. `cargo test --test faults` is the short version.

#[path = "../../tests/faults"]
mod shared {
    pub(crate) mod rig;
}

use anyhow::ensure;
use clap::Parser;
use serde_json::{Value, json};
use shared::rig::{Fault, Outcome, Tally, heading};
use std::fs;
use std::path::Path;

/// Lets faults happen to the service under load, and counts what was lost.
#[derive(Debug, Parser)]
#[command(name = "faults")]
struct Arguments {
    /// How often each fault happens
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    /// Only this fault (may be repeated)
    #[arg(long, value_parser = fault)]
    only: Vec<Fault>,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn fault(name: &str) -> Result<Fault, String> {
    let names = || Fault::ALL.map(Fault::name).join(", ");
    let found = Fault::ALL.into_iter().find(|fault| fault.name() == name);
    found.ok_or_else(|| format!("the faults are {}", names()))
}

fn json(fault: Fault, outcome: &Outcome) -> Value {
    let Tally {
        times,
        acknowledged,
        lost,
        doubled,
        unknown,
        had_happened,
        refused,
        worst_recovery,
        waits,
        peak_kib,
        broken,
    } = match outcome {
        Outcome::Came(tally) => tally,
        Outcome::NotPossibleHere(why) => return json!({"fault": fault.name(), "not_possible_here": why}),
    };
    let [p99, longest] = waits.unwrap_or_default().map(|wait| wait.as_millis());
    json!({
        "fault": fault.name(),
        "times": times,
        "acknowledged": acknowledged,
        "lost": lost,
        "doubled": doubled,
        "unknown": unknown,
        "unknown_had_happened": had_happened,
        "refused": refused,
        "worst_recovery_ms": worst_recovery.as_millis(),
        "p99_ms": p99,
        "max_ms": longest,
        "peak_kib": peak_kib,
        "broken_promises": broken.len(),
    })
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { rounds, only, bench: _ } = Arguments::parse();
    let faults = if only.is_empty() { Fault::ALL.to_vec() } else { only };
    println!("{:<34}{}", "fault", heading());
    let (mut rows, mut failed) = (Vec::new(), Vec::new());
    for fault in faults {
        match fault.happen(rounds).await {
            Ok(outcome) => {
                println!("{:<34}{outcome}", fault.name());
                rows.push(json(fault, &outcome));
                failed.extend(outcome.check().err().map(|error| format!("{}: {error}", fault.name())));
            }
            Err(error) => {
                println!("{:<34} failed: {error:#}", fault.name());
                failed.push(format!("{}: {error:#}", fault.name()));
            }
        }
    }
    let folder = Path::new("target/makegood-bench");
    fs::create_dir_all(folder)?;
    fs::write(folder.join("faults.json"), format!("{:#}\n", Value::from(rows)))?;
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}
