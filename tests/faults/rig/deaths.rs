//! Processes that die in the middle of work.

use super::ground::{Ground, Plan};
use super::tally::Tally;
use tokio::time::Instant;

/// `kill -9` of the service, whose database dies with it or does not.
pub(super) async fn service_killed(rounds: u32, private: bool) -> anyhow::Result<Tally> {
    let mut ground = Ground::prepare(Plan { private, ..Plan::ORDINARY }).await?;
    for round in 0..rounds {
        let load = ground.load(round.into()).await?;
        let fault = Instant::now();
        ground.kill_service().await?;
        ground.settle(load, fault).await?;
    }
    ground.end().await
}

/// An immediate stop of PostgreSQL, which then recovers from its log. The service stays.
pub(super) async fn database_stopped(rounds: u32) -> anyhow::Result<Tally> {
    let mut ground = Ground::prepare(Plan::ORDINARY).await?;
    for round in 0..rounds {
        let load = ground.load(round.into()).await?;
        let fault = Instant::now();
        ground.stop_database()?;
        ground.start_database().await?;
        ground.settle(load, fault).await?;
    }
    ground.end().await
}
