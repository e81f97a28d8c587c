//! A month of a busy platform: two thousand customers with a test clock, everything that can go wrong with their money,
//! and a reckoning at the end.
//!
//! Every account has an agenda, filled by chance from the seed. What happens puts more on it: a refund is sent, its
//! result is told late and twice, fails, comes home; a bank opens, decides and turns. Accounts live side by side and day by
//! day, each in its own order, so that the same seed is the same month. The processor keeps its own books and knows nothing
//! of the service.

mod bank;
mod books;
mod chance;
mod desk;
mod life;
mod plan;
mod reckoning;
mod refunds;
mod shop;

use crate::at_once::at_once;
use crate::service::{Service, instant};
use chance::Chance;
use chrono::{DateTime, TimeDelta, Utc};
use life::Life;
use makegood::clock::Clock;
use makegood::proto::makegood::v1::RefundRequestStage;
use plan::currency;
use proptest::test_runner::{Config, RngSeed};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Another month: `PROPTEST_RNG_SEED=7 cargo test --test grpc a_simulated_month`.
const SEED: u64 = 20_250_301;
const ACCOUNTS: u64 = 2_000;
/// Accounts that live one after the other, and how many such groups live side by side.
const GROUP: usize = 40;
const SIDE_BY_SIDE: usize = 10;

/// A Saturday.
const BEGINS: &str = "2025-03-01T00:00:00Z";
/// From then on nobody at support answers.
const HOLIDAYS_FROM: &str = "2025-04-05T00:00:00Z";
/// Long after everything on the agendas.
const END: &str = "2025-08-01T00:00:00Z";
const MOST_DAYS: i64 = 120;

/// What must have been said at least once.
const RICH: [&str; 36] = [
    "ACCOUNT_SUSPENDED",
    "CHARGEBACK_STAGE_LOST",
    "CHARGEBACK_STAGE_OPEN",
    "CHARGEBACK_STAGE_WITHDRAWN",
    "CHARGEBACK_STAGE_WON",
    "CLAIM_CHANGE_OF_MIND",
    "CLAIM_CREDITS_NOT_DELIVERED",
    "CLAIM_DEFECTIVE_OUTPUT",
    "CLAIM_DISSATISFIED",
    "CLAIM_DUPLICATE_PURCHASE",
    "CLAIM_OTHER",
    "CLAIM_TECHNICAL_ISSUE",
    "CLAIM_UNAUTHORISED_PAYMENT",
    "CLAIM_UNINTENDED_RENEWAL",
    "INSUFFICIENT_CREDITS",
    "OPEN_REQUEST_EXISTS",
    "REFUND_REQUEST_STAGE_APPROVED",
    "REFUND_REQUEST_STAGE_AWAITING_INFORMATION",
    "REFUND_REQUEST_STAGE_DENIED",
    "REFUND_REQUEST_STAGE_IN_REVIEW",
    "REFUND_REQUEST_STAGE_SETTLED",
    "REFUND_REQUEST_STAGE_WITHDRAWN",
    "REFUND_STAGE_CONFLICT",
    "REFUND_STAGE_FAILED",
    "REFUND_STAGE_SUBMITTED",
    "REFUND_STAGE_SUCCEEDED",
    "REFUND_STAGE_UNKNOWN",
    "REMEDY_NOT_POSSIBLE",
    "REQUEST_STAGE_CONFLICT",
    "RESTORE_OUTCOME_RESTORED",
    "expired",
    "overdue",
    "replayed",
    "row 10",
    "row 14",
    "unmatched",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_simulated_month_ends_with_every_customer_answered_and_every_minor_unit_found() {
    let seed = match Config::default().rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => SEED,
    };
    println!("seed: {seed}");
    let service = Arc::new(Service::start().await);
    let (begins, holidays_from) = (instant(BEGINS), instant(HOLIDAYS_FROM));
    let mut lives: Vec<Life> = (0..ACCOUNTS)
        .map(|number| {
            let chance = Chance::new(seed, number);
            let mut life =
                Life::new(service.clone(), (number, currency(number)), chance, (begins, holidays_from));
            life.plan(begins);
            life
        })
        .collect();
    let sweeper = service.desk().await;
    for day in 1.. {
        assert!(day < MOST_DAYS, "the agendas do not end");
        let end = begins + TimeDelta::days(day);
        lives = live_until(end, lives).await;
        let swept = sweeper.sweep(Clock::fixed(end), u32::MAX).await.unwrap();
        assert!(swept.is_complete && swept.failed.is_empty(), "{swept:?}");
        let cases = lives.iter_mut().flat_map(|life| &mut life.cases);
        cases.for_each(|case| case.sweep(end));
        if lives.iter().all(Life::is_over) {
            break;
        }
    }
    let swept = sweeper.sweep(Clock::fixed(instant(END)), u32::MAX).await.unwrap();
    assert!(swept.is_complete && swept.failed.is_empty(), "{swept:?}");
    lives.iter_mut().flat_map(|life| &mut life.cases).for_each(|case| case.sweep(instant(END)));
    drop(sweeper);
    let words = words(&lives);
    println!("{words:?}");
    let missed: Vec<_> = RICH.iter().filter(|word| !words.contains_key(**word)).collect();
    assert!(missed.is_empty(), "nobody heard {missed:?}: the month was too poor to prove anything");
    reckoning::everybody_is_answered_or_listed(&service, &lives, END).await;
    reckoning::every_minor_unit_is_found(&service, &lives, END).await;
    drop(lives);
    Arc::into_inner(service).unwrap().audited().await;
}

/// Everybody lives on until an instant; the order stays.
async fn live_until(end: DateTime<Utc>, mut lives: Vec<Life>) -> Vec<Life> {
    let mut groups = Vec::new();
    while !lives.is_empty() {
        groups.push((groups.len(), lives.split_off(lives.len().saturating_sub(GROUP))));
    }
    let groups = at_once(SIDE_BY_SIDE, groups, |(place, mut group)| async move {
        for life in &mut group {
            life.live_until(end).await;
        }
        (place, group)
    });
    let mut groups = groups.await;
    groups.sort_by_key(|(place, _)| std::cmp::Reverse(*place));
    groups.into_iter().flat_map(|(_, group)| group).collect()
}

/// What was said, by how often, and what became of the requests in the end.
fn words(lives: &[Life]) -> BTreeMap<String, usize> {
    let mut words = BTreeMap::new();
    let mut count = |word: &str, times: usize| *words.entry(word.to_owned()).or_default() += times;
    for life in lives {
        for (word, times) in &life.words {
            count(word, *times);
        }
        for case in &life.cases {
            match case.stage {
                RefundRequestStage::Expired => count("expired", 1),
                _ if case.waits_since.is_some() => count("overdue", 1),
                _ => {}
            }
        }
    }
    words
}
