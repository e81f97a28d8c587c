//! Random lives of accounts: what the service answers to every call is what an independent auditor says.
//!
//! The auditor (`random/`) is written from the rules and shares no code with the ledger. proptest makes lives out of
//! abstract wishes, so that it can shrink a life that goes wrong: each try is lived by new accounts of the same
//! service. Accounts live side by side, so that their calls share batches, and each makes one call at a time, so that
//! its auditor knows what must come next.

mod auditor;
mod calls;
mod crowd;
mod disputes;
mod life;
mod lots;
mod refunds;
mod restrictions;
mod sales;
mod teller;
mod wishes;

use crate::service::{Service, instant};
use chrono::DateTime;
use life::{ACCOUNTS, Round, Shrinking, life, told_briefly};
use makegood::clock::Clock;
use makegood::command::Desk;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use teller::Teller;
use tokio::runtime;
use tokio::task::JoinSet;

/// Another life of the same length: `PROPTEST_RNG_SEED=7 cargo test --test grpc random`.
const SEED: u64 = 20_241_219;
/// Wishes that come true under one seed.
const STEPS: usize = 10_000;
/// A payment that another account made before everything.
const STRANGERS_PAYMENT: &str = "pay-of-a-stranger";
const NEW_YEAR: &str = "2025-01-01T00:00:00Z";

/// What must have been said at least once.
const RICH: [&str; 38] = [
    "ACCOUNT_NOT_FOUND",
    "ACCOUNT_SUSPENDED",
    "CHARGEBACK_STAGE_LOST",
    "CHARGEBACK_STAGE_OPEN",
    "CHARGEBACK_STAGE_WITHDRAWN",
    "CHARGEBACK_STAGE_WON",
    "DELIVERY_CONFLICT",
    "DELIVERY_EXCEEDS_PURCHASE",
    "HOLD_EXPIRED",
    "IDEMPOTENCY_KEY_REUSED",
    "INSUFFICIENT_CREDITS",
    "INVALID_FIELD",
    "NOT_RESTORABLE_REASON_CUSTOMER_FAULT",
    "NOT_RESTORABLE_REASON_FAULT_UNDETERMINED",
    "NOT_RESTORABLE_REASON_NOTHING_CHARGED",
    "OUTCOME_APPROVE",
    "OUTCOME_DENY",
    "OUTCOME_REQUEST_INFORMATION",
    "OUTCOME_REVIEW",
    "PURCHASE_DISPUTE_LOST",
    "PURCHASE_MISMATCH",
    "PURCHASE_NOT_FOUND",
    "PURCHASE_REFUNDED",
    "REFUND_NOT_FOUND",
    "REFUND_STAGE_CONFLICT",
    "REFUND_STAGE_FAILED",
    "REFUND_STAGE_SUBMITTED",
    "REFUND_STAGE_SUCCEEDED",
    "REFUND_STAGE_UNKNOWN",
    "RESTRICTION_ALREADY_LIFTED",
    "RESTRICTION_NOT_FOUND",
    "RESTORE_OUTCOME_ALREADY_RESTORED",
    "RESTORE_OUTCOME_RELEASED",
    "RESTORE_OUTCOME_RESTORED",
    "REVOCATION_EXCEEDS_AVAILABLE",
    "USAGE_ALREADY_EXISTS",
    "USAGE_NOT_FOUND",
    "USAGE_NOT_HELD",
];

/// The service, the replica that sweeps for it, and how many lives were lived.
struct Stage {
    service: Service,
    sweeper: Desk,
    lives: Cell<usize>,
    words: RefCell<BTreeMap<String, usize>>,
}

impl Stage {
    async fn open() -> Self {
        let service = Service::start().await;
        service.purchase("stranger", STRANGERS_PAYMENT, NEW_YEAR).await;
        let sweeper = service.desk().await;
        Self { service, sweeper, lives: Cell::default(), words: RefCell::default() }
    }

    async fn live(&self, rounds: Vec<Round>) -> Result<(), String> {
        let life = self.lives.replace(self.lives.get() + 1);
        let mut now = instant(NEW_YEAR).timestamp_millis();
        let mut tellers: Vec<Teller> = (0..ACCOUNTS)
            .map(|account| Teller::new(&self.service, format!("account-{life}-{account}")))
            .collect();
        for round in rounds {
            // A wish takes a millisecond, and a round less than a second.
            now += round.wait + 1_000;
            if round.sweeps {
                self.sweep(now, &mut tellers).await?;
            }
            let mut running = JoinSet::new();
            for (place, (mut teller, wishes)) in tellers.drain(..).zip(round.wishes).enumerate() {
                running.spawn(async move {
                    for (at, wish) in (now + 1..).zip(&wishes) {
                        let met = teller.does(at, wish).await;
                        met.map_err(|error| format!("{wish:?} of account {place}: {error}"))?;
                    }
                    Ok::<_, String>((place, teller))
                });
            }
            let mut back = Vec::new();
            while let Some(teller) = running.join_next().await {
                back.push(teller.map_err(|error| error.to_string())??);
            }
            back.sort_by_key(|(place, _)| *place);
            tellers.extend(back.into_iter().map(|(_, teller)| teller));
        }
        for teller in &mut tellers {
            teller.settles_up().await?;
            for (word, count) in &teller.words {
                *self.words.borrow_mut().entry(word.clone()).or_default() += count;
            }
        }
        Ok(())
    }

    /// Sweeps until nothing is due. Accounts of lives before are swept with them, and are nobody's any more.
    async fn sweep(&self, now: i64, tellers: &mut [Teller]) -> Result<(), String> {
        let clock = Clock::fixed(DateTime::from_timestamp_millis(now).unwrap());
        let swept = self.sweeper.sweep(clock, u32::MAX).await.map_err(|error| error.to_string())?;
        if !swept.failed.is_empty() || !swept.is_complete {
            return Err(format!("{swept:?}"));
        }
        for teller in tellers {
            teller.auditor.sweep(now);
        }
        Ok(())
    }
}

#[test]
fn the_service_answers_what_an_independent_auditor_says() {
    let told = Config::default();
    let seed = if told.rng_seed == RngSeed::Random { RngSeed::Fixed(SEED) } else { told.rng_seed };
    println!("seed: {seed:?}");
    let config = Config {
        rng_seed: seed,
        failure_persistence: None,
        // A life is a few seconds: this is enough to find the wish at fault, and ends.
        max_shrink_time: 240_000,
        max_shrink_iters: 20_000,
        ..told
    };
    let mut runner = TestRunner::new(config);
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let stage = runtime.block_on(Stage::open());
    let mut steps = 0;
    while steps < STEPS {
        let life = Shrinking::new(life().new_tree(&mut runner).unwrap().current());
        steps += life.wishes();
        let lived =
            runner.run_one(life, |rounds| runtime.block_on(stage.live(rounds)).map_err(TestCaseError::fail));
        if let Err(error) = lived {
            panic!("{}", told_briefly(&error));
        }
    }
    let Stage { service, sweeper, lives, words } = stage;
    println!("{steps} wishes of {} lives came to {:?}", lives.get(), words.borrow());
    let missed: Vec<_> = RICH.iter().filter(|word| !words.borrow().contains_key(**word)).collect();
    assert!(missed.is_empty(), "no life came to {missed:?}: they were too poor to prove anything");
    drop(sweeper);
    runtime.block_on(service.audited());
}
