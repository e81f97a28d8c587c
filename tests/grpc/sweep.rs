//! The sweep: holds that outlive their time and credits that run out.

use crate::service::{
    Service, by_payment, capture, chargeback, hold, instant, later, purchase, reason, refund_result, release,
    request_id, timestamp, usd, when,
};
use chrono::TimeDelta;
use makegood::clock::Clock;
use makegood::command::Swept;
use makegood::proto::makegood::v1;
use std::time::{Duration, Instant};
use tonic::Code;
use v1::{ChargebackEventKind as Event, Claim, RestoreOutcome};

const NOON: &str = "2025-03-03T12:00:00Z";
/// When the credits of [`run_out`] purchases expire.
const EXPIRY: &str = "2025-03-10T12:00:00Z";
/// The grace of credits that come back to a lot that ran out, counted from [`EXPIRY`].
const GRACE_DAYS: i64 = 30;
/// How long the machine may take to do in the background what takes it milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sweeps everything due at an instant.
async fn sweep(service: &Service, at: &str) -> Swept {
    let swept = service.desk().await.sweep(Clock::fixed(instant(at)), 1_000).await.unwrap();
    assert!(swept.is_complete && swept.failed.is_empty(), "{swept:?}");
    swept
}

/// How many holds and lots a sweep ended.
fn counts(swept: &Swept) -> (usize, usize) {
    (swept.holds, swept.lots)
}

/// Buys and delivers 100 credits that expire at [`EXPIRY`].
async fn run_out(service: &Service, account_id: &str, payment_id: &str) {
    let credits_expire_at = Some(timestamp(EXPIRY));
    let request = v1::RecordPurchaseRequest { credits_expire_at, ..purchase(account_id, payment_id, NOON) };
    service.credits().record_purchase(when(NOON, request)).await.unwrap();
    service.deliver(account_id, payment_id, 100, NOON).await;
}

/// Holds credits for a time.
async fn held(service: &Service, account_id: &str, job_id: &str, credits: i64, seconds: i64, at: &str) {
    let ttl = Some(prost_types::Duration { seconds, nanos: 0 });
    let request = v1::HoldCreditsRequest { ttl, ..hold(account_id, job_id, credits) };
    service.credits().hold_credits(when(at, request)).await.unwrap();
}

async fn stage(service: &Service, job_id: &str) -> String {
    let mut database = service.database().await;
    sqlx::query_scalar("SELECT stage FROM usage WHERE job_id = $1")
        .bind(job_id)
        .fetch_one(&mut database)
        .await
        .unwrap()
}

/// The lot's available, held, frozen, consumed, expired, revoked and refunded credits.
async fn lot(service: &Service, payment_id: &str) -> Vec<i64> {
    let mut database = service.database().await;
    sqlx::query_scalar(
        "SELECT ARRAY[available, held, frozen, consumed, expired, revoked, refunded] FROM lot
         JOIN purchase USING (account_id, purchase_id) WHERE payment_id = $1",
    )
    .bind(payment_id)
    .fetch_one(&mut database)
    .await
    .unwrap()
}

/// The sweeper's entries as `from>to credits cause`.
async fn entries(service: &Service) -> Vec<String> {
    let mut database = service.database().await;
    sqlx::query_scalar(
        "SELECT from_bucket || '>' || to_bucket || ' ' || credits || ' ' || cause_kind || ':' || cause_id
         FROM entry WHERE actor = 'system:sweeper' ORDER BY account_id, seq",
    )
    .fetch_all(&mut database)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_hold_is_given_back_when_its_time_is_over_and_not_before() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    held(&service, "ada", "job-1", 30, 60, NOON).await;
    assert_eq!(counts(&sweep(&service, "2025-03-03T12:00:59.999999Z").await), (0, 0));
    assert_eq!((stage(&service, "job-1").await.as_str(), entries(&service).await.len()), ("held", 0));
    let over = "2025-03-03T12:01:00Z";
    assert_eq!(counts(&sweep(&service, over).await), (1, 0));
    assert_eq!(stage(&service, "job-1").await, "expired");
    assert_eq!(service.balance("ada", over).await, (100, 0, 0));
    assert_eq!(entries(&service).await, ["held>available 30 usage:job-1#1"]);
    assert_eq!(counts(&sweep(&service, over).await), (0, 0));
    let refused = service.credits().capture_credits(when(over, capture("ada", "job-1"))).await;
    assert_eq!(reason(refused), (Code::FailedPrecondition, "HOLD_EXPIRED".to_owned()));
    let released = service.credits().release_credits(when(over, release("ada", "job-1"))).await.unwrap();
    assert_eq!(released.into_inner().usage.unwrap().stage(), v1::UsageStage::Expired);
    let failed = service.failed("ada", "job-1", "worker_crash", over).await;
    assert_eq!(failed.outcome(), RestoreOutcome::NotRestorable);
    assert_eq!(service.balance("ada", over).await, (100, 0, 0));
    service.stop().await;
}

#[tokio::test]
async fn a_capture_before_the_sweep_wins_even_after_the_hold_ran_out() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    held(&service, "ada", "job-1", 30, 60, NOON).await;
    let over = "2025-03-03T12:05:00Z";
    service.credits().capture_credits(when(over, capture("ada", "job-1"))).await.unwrap();
    assert_eq!(counts(&sweep(&service, over).await), (0, 0));
    assert_eq!(service.balance("ada", over).await, (70, 0, 0));
    service.stop().await;
}

#[tokio::test]
async fn only_available_credits_expire_and_held_ones_can_still_be_charged() {
    let service = Service::start().await;
    run_out(&service, "ada", "pay-1").await;
    service.used("ada", "job-1", 20, NOON).await;
    held(&service, "ada", "job-2", 30, 86_400, "2025-03-10T11:00:00Z").await;
    assert_eq!(counts(&sweep(&service, "2025-03-10T11:59:59.999999Z").await), (0, 0));
    assert_eq!(counts(&sweep(&service, EXPIRY).await), (0, 1));
    assert_eq!(lot(&service, "pay-1").await, [0, 30, 0, 20, 50, 0, 0]);
    assert_eq!(entries(&service).await, ["available>expired 50 expiry:"]);
    assert_eq!(counts(&sweep(&service, EXPIRY).await), (0, 0));
    service.credits().capture_credits(when(EXPIRY, capture("ada", "job-2"))).await.unwrap();
    assert_eq!(lot(&service, "pay-1").await, [0, 0, 0, 50, 50, 0, 0]);
    service.stop().await;
}

#[tokio::test]
async fn a_hold_that_outlives_its_lot_is_given_back_with_a_grace_and_the_leftovers_expire() {
    let service = Service::start().await;
    run_out(&service, "ada", "pay-1").await;
    held(&service, "ada", "job-1", 30, 7_200, "2025-03-10T11:00:00Z").await;
    let over = "2025-03-10T13:00:00Z";
    assert_eq!(counts(&sweep(&service, over).await).0, 1);
    assert_eq!(lot(&service, "pay-1").await, [30, 0, 0, 0, 70, 0, 0]);
    assert_eq!(service.balance("ada", over).await, (30, 0, 0));
    let end = later(over, TimeDelta::days(GRACE_DAYS));
    assert_eq!(counts(&sweep(&service, &later(&end, TimeDelta::microseconds(-1))).await), (0, 0));
    assert_eq!(counts(&sweep(&service, &end).await), (0, 1));
    assert_eq!(lot(&service, "pay-1").await, [0, 0, 0, 0, 100, 0, 0]);
    service.stop().await;
}

#[tokio::test]
async fn frozen_credits_do_not_expire_and_have_a_grace_when_they_are_free_again() {
    let service = Service::start().await;
    run_out(&service, "ada", "pay-1").await;
    service.dispute("pay-1", "dp-1", Event::Opened, "2025-03-04T12:00:00Z").await;
    assert_eq!(counts(&sweep(&service, EXPIRY).await), (0, 0));
    let won = "2025-03-20T12:00:00Z";
    service.dispute("pay-1", "dp-1", Event::Won, won).await;
    assert_eq!(counts(&sweep(&service, won).await), (0, 0));
    assert_eq!(service.balance("ada", won).await, (100, 0, 0));
    assert_eq!(counts(&sweep(&service, &later(won, TimeDelta::days(GRACE_DAYS))).await), (0, 1));
    assert_eq!(lot(&service, "pay-1").await, [0, 0, 0, 0, 100, 0, 0]);
    service.stop().await;
}

#[tokio::test]
async fn a_hold_that_runs_out_during_a_dispute_is_frozen() {
    let service = Service::start().await;
    run_out(&service, "ada", "pay-1").await;
    held(&service, "ada", "job-1", 30, 60, NOON).await;
    service.dispute("pay-1", "dp-1", Event::Opened, NOON).await;
    assert_eq!(counts(&sweep(&service, EXPIRY).await), (1, 0));
    assert_eq!(lot(&service, "pay-1").await, [0, 0, 100, 0, 0, 0, 0]);
    assert_eq!(entries(&service).await, ["held>frozen 30 usage:job-1#1"]);
    service.stop().await;
}

#[tokio::test]
async fn what_a_lost_dispute_is_owed_outlives_expiry() {
    let service = Service::start().await;
    run_out(&service, "ada", "pay-1").await;
    held(&service, "ada", "job-1", 80, 86_400, "2025-03-09T18:00:00Z").await;
    for event in [Event::Opened, Event::Lost] {
        let amount = usd(500);
        let at = "2025-03-09T19:00:00Z";
        let request = v1::RecordChargebackRequest { amount, ..chargeback("pay-1", "dp-1", event, at) };
        service.refunds().record_chargeback(when(at, request)).await.unwrap();
    }
    assert_eq!(lot(&service, "pay-1").await, [0, 80, 0, 0, 0, 20, 0]);
    // Half of the price came back, so half of the credits go: 20 went at once, 30 are owed by what is held.
    let over = "2025-03-10T18:00:00Z";
    assert_eq!(counts(&sweep(&service, over).await), (1, 0));
    assert_eq!(entries(&service).await, ["held>revoked 30 usage:job-1#1", "held>available 50 usage:job-1#1"]);
    assert_eq!(lot(&service, "pay-1").await, [50, 0, 0, 0, 0, 50, 0]);
    service.stop().await;
}

#[tokio::test]
async fn refunded_credits_do_not_expire_and_come_back_with_a_grace_when_the_refund_fails() {
    let service = Service::start().await;
    run_out(&service, "ada", "pay-1").await;
    run_out(&service, "ada", "pay-2").await;
    let answer = service.claim("ada", "pay-2", Claim::DuplicatePurchase, "2025-03-03T13:00:00Z").await;
    let refund = answer.refund_request.unwrap().refunds.remove(0);
    assert_eq!(counts(&sweep(&service, EXPIRY).await), (0, 1));
    assert_eq!(lot(&service, "pay-1").await, [0, 0, 0, 0, 100, 0, 0]);
    assert_eq!(lot(&service, "pay-2").await, [0, 0, 0, 0, 0, 0, 100]);
    let request = refund_result("ada", &refund.refund_id, v1::RefundResult::Failed, EXPIRY);
    service.refunds().record_refund_result(when(EXPIRY, request)).await.unwrap();
    assert_eq!(counts(&sweep(&service, EXPIRY).await), (0, 0));
    assert_eq!(service.balance("ada", EXPIRY).await, (100, 0, 0));
    assert_eq!(counts(&sweep(&service, &later(EXPIRY, TimeDelta::days(GRACE_DAYS))).await), (0, 1));
    service.stop().await;
}

#[tokio::test]
async fn credits_that_run_out_while_the_account_is_suspended_live_on_when_it_is_free() {
    let service = Service::start().await;
    run_out(&service, "ada", "pay-1").await;
    service.bought("ada", "pay-2", NOON).await;
    service.dispute("pay-2", "dp-2", Event::Opened, NOON).await;
    assert_eq!(counts(&sweep(&service, EXPIRY).await), (0, 0));
    assert_eq!(lot(&service, "pay-1").await, [100, 0, 0, 0, 0, 0, 0]);
    let won = "2025-03-20T12:00:00Z";
    service.dispute("pay-2", "dp-2", Event::Won, won).await;
    assert_eq!(service.balance("ada", won).await, (200, 0, 0));
    assert_eq!(counts(&sweep(&service, &later(won, TimeDelta::days(GRACE_DAYS))).await), (0, 1));
    assert_eq!(service.balance("ada", "2025-05-01T00:00:00Z").await, (100, 0, 0));
    service.stop().await;
}

#[tokio::test]
async fn a_suspension_does_not_revive_what_had_run_out_before() {
    let service = Service::start().await;
    run_out(&service, "ada", "pay-1").await;
    service.bought("ada", "pay-2", NOON).await;
    let after = later(EXPIRY, TimeDelta::hours(1));
    service.dispute("pay-2", "dp-2", Event::Opened, &after).await;
    assert_eq!(lot(&service, "pay-1").await, [0, 0, 0, 0, 100, 0, 0]);
    service.dispute("pay-2", "dp-2", Event::Won, &later(&after, TimeDelta::hours(1))).await;
    assert_eq!(service.balance("ada", "2025-03-10T15:00:00Z").await, (100, 0, 0));
    service.stop().await;
}

#[tokio::test]
async fn a_sweep_keeps_to_its_limit_and_the_next_goes_on() {
    let service = Service::start().await;
    for account_id in ["ada", "ben", "cyd"] {
        service.bought(account_id, &format!("pay-{account_id}"), NOON).await;
        held(&service, account_id, &format!("job-{account_id}"), 30, 60, NOON).await;
    }
    let desk = service.desk().await;
    let clock = Clock::fixed(instant("2025-03-03T13:00:00Z"));
    let first = desk.sweep(clock, 2).await.unwrap();
    assert_eq!((first.holds, first.is_complete), (2, false));
    let second = desk.sweep(clock, 2).await.unwrap();
    assert_eq!((second.holds, second.is_complete), (1, true));
    service.stop().await;
}

#[tokio::test]
async fn an_account_that_cannot_be_swept_is_reported_and_holds_up_no_other() {
    let service = Service::start().await;
    for account_id in ["ada", "ben"] {
        service.bought(account_id, &format!("pay-{account_id}"), NOON).await;
        held(&service, account_id, &format!("job-{account_id}"), 30, 60, NOON).await;
    }
    let lie = "UPDATE lot SET held = 0, available = 100 WHERE account_id = 'ada'";
    sqlx::query(lie).execute(&mut service.database().await).await.unwrap();
    let rows = service.rows().await;
    let desk = service.desk().await;
    let swept = desk.sweep(Clock::fixed(instant("2025-03-03T13:00:00Z")), 1_000).await.unwrap();
    assert_eq!((swept.holds, swept.is_complete), (1, true));
    let failed: Vec<_> = swept.failed.iter().map(|(account_id, _)| account_id.as_str()).collect();
    assert_eq!(failed, ["ada"]);
    assert_eq!(service.rows().await, rows + 1, "one entry, for the other account");
    service.stop().await;
}

/// Waits for a balance by the machine's clock, which the background brings about.
async fn comes_to(service: &Service, account_id: &str, balance: (i64, i64)) {
    let began = Instant::now();
    loop {
        let request = v1::GetBalanceRequest { account_id: account_id.to_owned() };
        let answer = service.credits().get_balance(request).await.unwrap().into_inner().balance.unwrap();
        if (answer.available, answer.held) == balance {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{answer:?}");
    }
}

#[tokio::test]
async fn a_server_sweeps_by_itself_until_it_is_stopped() {
    let service = Service::start().await.sweeping_every(Duration::from_millis(20));
    let now = Clock::system().now().to_rfc3339();
    let bought = purchase("ada", "pay-1", &now);
    service.credits().record_purchase(bought).await.unwrap();
    let delivery = v1::DeliverCreditsRequest {
        request_id: request_id(),
        account_id: "ada".to_owned(),
        purchase: by_payment("pay-1"),
        delivery_id: "delivery-1".to_owned(),
        outcome: Some(v1::deliver_credits_request::Outcome::Credits(100)),
        delivered_at: Some(timestamp(&now)),
    };
    service.credits().deliver_credits(delivery).await.unwrap();
    let ttl = Some(prost_types::Duration { seconds: 1, nanos: 0 });
    let request = v1::HoldCreditsRequest { ttl, ..hold("ada", "job-1", 30) };
    service.credits().hold_credits(request).await.unwrap();
    comes_to(&service, "ada", (100, 0)).await;
    let refused = service.credits().capture_credits(capture("ada", "job-1")).await;
    assert_eq!(reason(refused), (Code::FailedPrecondition, "HOLD_EXPIRED".to_owned()));
    service.stop().await;
}

#[tokio::test]
async fn an_account_that_rehearses_is_swept_by_its_own_clock() {
    let service = Service::start().await.sweeping_every(Duration::from_millis(20));
    service.bought("ada", "pay-1", NOON).await;
    held(&service, "ada", "job-1", 30, 60, NOON).await;
    held(&service, "ada", "job-2", 20, 7_200, NOON).await;
    // By the machine's clock both holds ran out long ago; by the account's own the first does now.
    let (began, at) = (Instant::now(), "2025-03-03T12:01:00Z");
    while service.balance("ada", at).await != (80, 20, 0) {
        assert!(began.elapsed() < PATIENCE, "the hold is not given back");
    }
    assert_eq!(stage(&service, "job-1").await, "expired");
    assert_eq!(stage(&service, "job-2").await, "held");
    service.stop().await;
}
