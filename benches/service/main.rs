//! The service beside hand-written SQL, on one private durable cluster: `cargo bench --bench service`.
//!
//! Two databases are cloned from one seed. On the first, the leanest honest SQL for the same records: one statement
//! and one commit for each operation, on as many connections as operations are in flight, without the wire, request
//! ids or stored answers. On the second, the release build of `makegood` in a process of its own, over gRPC. Runs
//! of both alternate, and medians are reported. One operation is one call: a hold, a capture, a restore, a balance.
//!
//! Commits are counted by transaction ids, since `pg_stat_database` is up to ten seconds late; reads have none.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "figures of a measurement: no credits, no money, and nothing is kept of them"
)]

mod arguments;
mod bulk;
mod caller;
mod ceiling;
mod figures;
mod ground;
mod hand;
mod history;
mod load;
mod machine;
mod memory;
mod plot;
mod process;
mod report;
mod scenario;
mod seed;
mod tracing;

use anyhow::Context;
use arguments::{Arguments, Plan, Spread};
use clap::Parser;
use ground::Ground;
use mimalloc::MiMalloc;
use report::Report;
use std::time::Duration;

/// What asks should cost as little as it can, for either side, so that the two who answer have the machine.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Longest that everything together may take, whatever was asked for.
const LIMIT: Duration = Duration::from_hours(1);

/// One thread asks for all callers. With two, a lonely call's way led through both cores even where nobody else had anything to
/// do: each of its steps woke the other core, and a call to the service, which has twice the steps, took half as long again.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let plan = Arguments::parse().plan();
    let ground = Ground::prepare(&plan).await?;
    let measured = tokio::time::timeout(LIMIT, measure(&plan, &ground)).await;
    let ended = ground.end().await;
    measured.context("the measurement took too long")??;
    ended
}

async fn measure(plan: &Plan, ground: &Ground) -> anyhow::Result<()> {
    println!("{}", ground.describe().await?);
    let mut report = Report::new(ground.describe().await?, ground.process.rss_kib()?);
    report.round_trip = Some(scenario::round_trip(plan, ground).await?);
    if plan.stages().iter().any(|stage| stage.spread == Spread::Wide) {
        scenario::use_each_account(ground).await?;
    }
    println!("{}", report::heading());
    for stage in plan.stages() {
        let row = scenario::compare(plan, ground, &stage, report.expected_ops_s(&stage)).await?;
        println!("{row}");
        report.rows.push(row);
    }
    for spread in Spread::BOTH {
        report.ceilings.push(ceiling::measure(plan, ground, spread).await?);
    }
    if plan.history {
        report.history = history::measure(plan, ground).await?;
    }
    if plan.tracing {
        tracing::measure(plan, ground).await?;
    }
    if plan.memory {
        memory::measure(plan, ground).await?;
    }
    report.rss_after_kib = ground.process.rss_kib()?;
    println!("{}", report.summary());
    report.write()
}
