//! Callers that are too many, that leave, or whose clocks go wrong.

use super::calls::{Ask, Call, Told};
use super::ground::{Ground, Plan};
use super::journal::Line;
use super::load::{COST, Clocks, account_id, mixed};
use super::tally::Tally;
use anyhow::ensure;
use makegood::proto::makegood::v1::GetBalanceRequest;
use makegood::proto::makegood::v1::credit_service_client::CreditServiceClient;
use sqlx::Executor;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, timeout};

/// Calls for one account that somebody else holds: more than may wait for the few connections.
const CROWD: u32 = 600;

/// Channels of the crowd: a server takes two hundred calls of a connection at a time.
const CHANNELS: u32 = 5;

/// Balances that are asked for meanwhile, and the longest that one may take.
const BALANCES: u32 = 50;
const BEARABLE: Duration = Duration::from_secs(10);

/// Calls of a round that are left, as many at a time, and the longest that one is waited for.
const LEFT: u32 = 500;
const LEFT_AT_ONCE: usize = 50;
const MOST_MICROS: u64 = 15_000;

/// Somebody holds an account, so that all connections are taken and the rest waits.
pub(super) async fn pool_exhausted(rounds: u32) -> anyhow::Result<Tally> {
    let arguments = &["--max-connections", "4", "--request-timeout", "4s"];
    let mut ground = Ground::prepare(Plan { arguments, ..Plan::ORDINARY }).await?;
    for round in 0..rounds {
        let load = ground.load(round.into()).await?;
        let before = ground.work.journal.count();
        let mut superuser = ground.superuser().await?;
        superuser.execute("BEGIN; SELECT FROM account WHERE account_id = 'customer-1' FOR UPDATE").await?;
        let fault = Instant::now();
        let mut crowd = JoinSet::new();
        let channels = (0..CHANNELS).map(|_| ground.process.channel()).collect::<anyhow::Result<Vec<_>>>()?;
        for channel in channels.into_iter().cycle().take(usize::try_from(CROWD)?) {
            let work = ground.work.clone();
            let ask = Ask::purchase(&account_id(1), &format!("pay-crowd-{}", work.next()));
            crowd.spawn(async move { work.journal.make(Call { ask, clock: None }, channel).await });
        }
        ground.until(|count| count.nothing > before.nothing, "nobody was refused").await?;
        for number in 0..BALANCES {
            read_balance(&ground, &account_id(number)).await?;
        }
        superuser.execute("COMMIT").await?;
        for told in crowd.join_all().await {
            let is_known = |said: &str| {
                ["OVERLOADED", "REQUEST_IN_FLIGHT", "UNAVAILABLE", "DEADLINE_EXCEEDED"]
                    .iter()
                    .any(|reason| said.ends_with(reason))
            };
            if let Told::Nothing(said) = &told {
                ensure!(is_known(said), "one of a crowd was told {said}");
            }
        }
        ground.settle(load, fault).await?;
    }
    ground.end().await
}

/// Asks for a balance, again where too many wait for a connection to learn the policies in force, and is answered in bearable time.
async fn read_balance(ground: &Ground, account_id: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut client = CreditServiceClient::new(ground.process.channel()?);
    loop {
        let request = GetBalanceRequest { account_id: account_id.to_owned() };
        let answer = client.get_balance(request).await;
        ensure!(begun.elapsed() < BEARABLE, "a balance took {:?}", begun.elapsed());
        match answer {
            Err(status) if status.code() == tonic::Code::ResourceExhausted => {}
            answer => return Ok(answer.map(drop)?),
        }
    }
}

/// Callers leave at any moment, that of a transaction's beginning among them: connections are few.
pub(super) async fn calls_cancelled(rounds: u32) -> anyhow::Result<Tally> {
    let mut ground =
        Ground::prepare(Plan { arguments: &["--max-connections", "2"], ..Plan::ORDINARY }).await?;
    for round in 0..rounds {
        let load = ground.load(round.into()).await?;
        let fault = Instant::now();
        let mut leaving = JoinSet::new();
        for number in 0..LEFT {
            if leaving.len() == LEFT_AT_ONCE {
                leaving.join_next().await;
            }
            let work = ground.work.clone();
            leaving.spawn(async move {
                let serial = work.next();
                let account_id = account_id(number);
                let ask = match number % 3 {
                    0 => Ask::purchase(&account_id, &format!("pay-{serial}")),
                    1 => Ask::grant(&account_id, serial, 5),
                    _ => Ask::hold(&account_id, &format!("job-{serial}"), COST),
                };
                leave(&work, ask, mixed(u64::from(serial)) % MOST_MICROS).await;
            });
        }
        leaving.join_all().await;
        ground.settle(load, fault).await?;
    }
    let tally = ground.end().await?;
    ensure!(tally.had_happened > 0, "everybody left too early to prove anything");
    ensure!(tally.had_happened < tally.unknown, "everybody left too late to prove anything");
    Ok(tally)
}

/// Makes a call and leaves it after a while, whatever has become of it.
async fn leave(work: &super::load::Work, ask: Ask, micros: u64) {
    let (Some(channel), begun) = (work.channel().await, Instant::now()) else { return };
    let call = Call { ask, clock: None };
    let told = timeout(Duration::from_micros(micros), call.make(channel)).await;
    let told = told.unwrap_or_else(|_| Told::Unknown("its caller left".to_owned()));
    work.journal.keep(Line { call, told, begun, ended: Instant::now() });
}

/// Each call brings a clock of its own, hours before or after the others'.
pub(super) async fn clock_jumps(rounds: u32) -> anyhow::Result<Tally> {
    let mut ground = Ground::prepare(Plan { clocks: Clocks::Jumping, ..Plan::ORDINARY }).await?;
    for round in 0..rounds {
        let load = ground.load(round.into()).await?;
        ground.settle(load, Instant::now()).await?;
        let back: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM (SELECT at < lag(at) OVER (PARTITION BY account_id ORDER BY seq) AS back FROM entry) AS e
             WHERE back",
        )
        .fetch_one(&mut ground.superuser().await?)
        .await?;
        ensure!(back == 0, "the time of an account went back {back} times");
    }
    ground.end().await
}
