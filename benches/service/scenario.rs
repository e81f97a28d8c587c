//! One line of the report: both sides in turn, several times.

use crate::arguments::{Plan, Spread, Stage, Work};
use crate::bulk::Bulk;
use crate::caller::{Caller, callers, knockers};
use crate::figures::Figures;
use crate::ground::{Ground, Side};
use crate::hand::Move;
use crate::load::{Job, Load};
use crate::report::Row;
use anyhow::Context;
use makegood::domain::ids::AccountId;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Attempts that are made in one commit where only having them matters.
const BATCH: usize = 500;

/// Callers that use each account once before anything is measured.
const WARMERS: usize = 64;

/// Longest that making them may take.
const MAKE_LIMIT: Duration = Duration::from_mins(5);

/// Runs both sides in turn.
pub(crate) async fn compare(
    plan: &Plan,
    ground: &Ground,
    stage: &Stage,
    expected_ops_s: f64,
) -> anyhow::Result<Row> {
    let mut hand_callers = callers(ground, Side::Hand, stage.in_flight).await?;
    let mut service_callers = callers(ground, Side::Service, stage.in_flight).await?;
    let (mut hand, mut service) = (Vec::new(), Vec::new());
    for run in 0..plan.runs {
        // Who begins changes too, so that a drift of the machine favours nobody.
        let sides = if run % 2 == 0 { [Side::Hand, Side::Service] } else { [Side::Service, Side::Hand] };
        for side in sides {
            let (callers, figures) = match side {
                Side::Hand => (&mut hand_callers, &mut hand),
                Side::Service => (&mut service_callers, &mut service),
            };
            let accounts = ground.accounts(stage.spread);
            let attempts = match stage.work {
                Work::Restore => captured(ground, side, &accounts, needed(plan, expected_ops_s)).await?,
                Work::HoldCapture | Work::Balance => Vec::new(),
            };
            let load = Load::new(stage.work, accounts, attempts);
            let (returned, figure) = load.run(plan, ground, std::mem::take(callers)).await?;
            *callers = returned;
            figures.push(figure);
        }
    }
    for caller in hand_callers {
        caller.close().await?;
    }
    ground.settle().await?;
    Ok(Row {
        stage: *stage,
        service: Figures::median(&service),
        hand: Figures::median(&hand),
        runs: plan.runs,
    })
}

/// Uses each account once on both sides, so that what is measured is how things go on and not how they begin.
pub(crate) async fn use_each_account(ground: &Ground) -> anyhow::Result<()> {
    let accounts = ground.accounts(Spread::Wide);
    for side in [Side::Hand, Side::Service] {
        let mut tasks = JoinSet::new();
        let callers = callers(ground, side, WARMERS).await?;
        let share = accounts.len().div_ceil(WARMERS);
        for (mut caller, accounts) in
            callers.into_iter().zip(accounts.chunks(share).map(<[AccountId]>::to_vec))
        {
            tasks.spawn(async move {
                for account_id in accounts {
                    let job = Job::new(account_id);
                    caller.hold(&job).await?;
                    caller.capture(&job).await?;
                }
                caller.close().await
            });
        }
        timeout(MAKE_LIMIT, tasks.join_all()).await?.into_iter().collect::<anyhow::Result<()>>()?;
    }
    ground.settle().await
}

/// A bare round trip to the service, one at a time: what the wire alone costs.
pub(crate) async fn round_trip(plan: &Plan, ground: &Ground) -> anyhow::Result<Figures> {
    let callers = knockers(ground, 1).await?;
    let load = Load::new(Work::Balance, ground.accounts(Spread::Hot), Vec::new());
    let (_, figures): (Vec<Caller>, _) = load.run(plan, ground, callers).await?;
    Ok(figures)
}

/// How many attempts a run can restore, with room to spare: it ends early where they do not suffice.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is small and never negative"
)]
fn needed(plan: &Plan, expected_ops_s: f64) -> usize {
    let seconds = (plan.warm + plan.window).as_secs_f64();
    (expected_ops_s.max(1_000.0) * seconds * 1.5) as usize
}

/// Makes captured attempts, many in a commit.
pub(crate) async fn captured(
    ground: &Ground,
    side: Side,
    accounts: &[AccountId],
    count: usize,
) -> anyhow::Result<Vec<Job>> {
    let make = async {
        let mut bulk = Bulk::open(ground.connect(side).await?, accounts).await?;
        let mut attempts = Vec::new();
        while attempts.len() < count {
            let jobs: Vec<Job> = bulk.next_accounts(BATCH).into_iter().map(Job::new).collect();
            bulk.shift(&jobs, Move::Hold).await?;
            bulk.shift(&jobs, Move::Capture).await?;
            attempts.extend(jobs);
        }
        anyhow::Ok(attempts)
    };
    timeout(MAKE_LIMIT, make).await.context("the attempts to restore were not made in time")?
}
