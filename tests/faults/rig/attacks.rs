//! Those who mean ill, beside good callers, who must hardly notice.

use super::ground::{Ground, Plan};
use super::tally::Tally;
use super::wire::{connect, endless, greeted, reset_rapidly, until_closed};
use anyhow::ensure;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::net::SocketAddr;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant};

/// How long nearly all good callers wait at most meanwhile. It is met by far; the machine may be busy.
const BEARABLE: Duration = Duration::from_secs(3);

/// The most memory that the service may have had in use: what it takes at work is a third of it.
const MOST_KIB: u64 = 400 * 1024;

/// Attackers of each kind at a time.
const ATTACKERS: usize = 10;

const SOCKETS: usize = 2_000;
const FILES: u64 = 8_000;

/// A silent connection has five seconds; the rest is for a busy machine.
const CLOSED_WITHIN: Duration = Duration::from_secs(15);

/// Lets good callers work while others attack, again and again.
async fn while_attacked<F>(rounds: u32, attack: impl Fn(SocketAddr) -> F) -> anyhow::Result<Tally>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let mut ground = Ground::prepare(Plan::ORDINARY).await?;
    for round in 0..rounds {
        let load = ground.load(round.into()).await?;
        let fault = Instant::now();
        attack(ground.process.address()?).await?;
        ground.settle(load, fault).await?;
    }
    let tally = ground.end().await?;
    let [p99, _] = tally.waits.unwrap_or_default();
    ensure!(p99 < BEARABLE, "good callers waited {p99:?}");
    ensure!(tally.unknown + tally.refused == 0, "good callers were not answered");
    ensure!(tally.peak_kib < MOST_KIB, "the service took {} KiB", tally.peak_kib);
    Ok(tally)
}

/// Calls that are taken back at once, messages that never end, and messages that announce four gigabytes.
pub(super) async fn http2(rounds: u32) -> anyhow::Result<Tally> {
    while_attacked(rounds, async |address| {
        let mut attackers = JoinSet::new();
        for _ in 0..ATTACKERS {
            attackers.spawn(async move {
                let begun = reset_rapidly(greeted(address).await).await;
                ensure!(begun < 100_000, "a connection of taken back calls was not ended");
                Ok(())
            });
            attackers.spawn(async move {
                let answer = endless(address, &[0, 0, 3, 13, 64], "1S").await;
                let code = answer.get("grpc-status");
                ensure!(code.is_some_and(|code| code == "4"), "a message without end was answered {code:?}");
                Ok(())
            });
            attackers.spawn(async move {
                let answer = endless(address, &[0, 255, 255, 255, 255], "10S").await;
                let code = answer.get("grpc-status");
                ensure!(code.is_some_and(|code| code == "8"), "four gigabytes were answered {code:?}");
                Ok(())
            });
        }
        attackers.join_all().await.into_iter().collect()
    })
    .await
}

/// Connections that say nothing, thousands at a time.
pub(super) async fn silent_sockets(rounds: u32) -> anyhow::Result<Tally> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(FILES.min(hard)), hard)?;
    while_attacked(rounds, async |address| {
        let mut silent = JoinSet::new();
        for _ in 0..SOCKETS {
            let mut socket = connect(address).await;
            silent.spawn(async move { until_closed(&mut socket, CLOSED_WITHIN).await });
        }
        let ends = silent.join_all().await;
        let closed = ends.iter().filter(|ends| ends.is_some()).count();
        ensure!(closed == SOCKETS, "{closed} of {SOCKETS} silent connections were closed");
        Ok(())
    })
    .await
}
