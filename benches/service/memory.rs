//! What the service's memory does over a million operations.

use crate::arguments::{Plan, Spread, Work};
use crate::caller::callers;
use crate::ground::{Ground, Side};
use crate::load::Load;
use std::time::Duration;

/// Operations that are done, and after how many each the memory is looked at.
const OPERATIONS: f64 = 1_000_000.0;
const STRIDE: f64 = 100_000.0;

const IN_FLIGHT: usize = 64;

/// Holds and captures on all accounts; prints the service's memory on the way.
pub(crate) async fn measure(plan: &Plan, ground: &Ground) -> anyhow::Result<()> {
    let short = Plan { warm: Duration::ZERO, window: Duration::from_secs(1), ..plan.clone() };
    let mut callers = callers(ground, Side::Service, IN_FLIGHT).await?;
    let (mut done, mut next) = (0.0, 0.0);
    while done < OPERATIONS {
        if done >= next {
            println!("memory after {done:>7.0} operations: {} KiB", ground.process.rss_kib()?);
            next += STRIDE;
        }
        let load = Load::new(Work::HoldCapture, ground.accounts(Spread::Wide), Vec::new());
        let (returned, figures) = load.run(&short, ground, callers).await?;
        callers = returned;
        done += figures.done;
    }
    println!("memory after {done:>7.0} operations: {} KiB", ground.process.rss_kib()?);
    Ok(())
}
