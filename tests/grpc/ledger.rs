//! Credits at work: burnt in order, charged by the part, given back where they came from, delivered once.

use crate::canary::words;
use crate::service::{
    Service, capture, delivery, fields, hold, purchase, reason, release, request_id, timestamp, when,
};
use makegood::proto::makegood::v1;
use tonic::Code;
use v1::{LotSource, RestoreOutcome, UsageStage};

const NOON: &str = "2025-03-03T12:00:00Z";

/// The credits of each allocation of an attempt, as `held` or `captured` picks them.
fn parts(usage: &v1::Usage, of: fn(&v1::Allocation) -> i64) -> Vec<i64> {
    usage.allocations.iter().map(of).collect()
}

async fn held(service: &Service, job_id: &str, credits: i64, outputs: i32) -> v1::Usage {
    let request = v1::HoldCreditsRequest { outputs: Some(outputs), ..hold("ada", job_id, credits) };
    service.credits().hold_credits(when(NOON, request)).await.unwrap().into_inner().usage.unwrap()
}

async fn captured(service: &Service, job_id: &str, delivered: i32) -> v1::Usage {
    let request = v1::CaptureCreditsRequest { delivered_outputs: Some(delivered), ..capture("ada", job_id) };
    service.credits().capture_credits(when(NOON, request)).await.unwrap().into_inner().usage.unwrap()
}

#[tokio::test]
async fn bonus_credits_come_with_the_first_delivery_and_burn_before_paid_ones() {
    let service = Service::start().await;
    let request = v1::RecordPurchaseRequest { bonus_credits: 20, ..purchase("ada", "pay-1", NOON) };
    service.credits().record_purchase(when(NOON, request)).await.unwrap();
    service.deliver("ada", "pay-1", 60, NOON).await;
    assert_eq!(service.balance("ada", NOON).await, (80, 0, 0));
    service.deliver("ada", "pay-1", 40, "2025-03-03T12:05:00Z").await;
    assert_eq!(service.balance("ada", NOON).await, (120, 0, 0), "the bonus comes once");
    let usage = held(&service, "job-1", 90, 3).await;
    assert_eq!(parts(&usage, |part| part.held), [20, 60, 10]);
    let usage = captured(&service, "job-1", 1).await;
    assert_eq!(parts(&usage, |part| part.captured), [20, 10, 0]);
    assert_eq!(parts(&usage, |part| part.released), [0, 50, 10]);
    assert_eq!(service.line("pay-1", "bonus").await, [0, 0, 0, 20, 0, 0, 0]);
    assert_eq!(service.line("pay-1", "purchase").await, [90, 0, 0, 10, 0, 0, 0]);
    let request = v1::GetBalanceRequest { account_id: "ada".to_owned() };
    let balance =
        service.credits().get_balance(when(NOON, request)).await.unwrap().into_inner().balance.unwrap();
    assert!(balance.lots.iter().all(|lot| lot.source() == LotSource::Purchase), "only open lots are listed");
    service.audited().await;
}

#[tokio::test]
async fn a_partial_delivery_is_charged_the_floor_of_its_share() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    for (job_id, delivered, charge) in [("job-0", 0, 0), ("job-1", 1, 3), ("job-2", 2, 6), ("job-3", 3, 10)] {
        held(&service, job_id, 10, 3).await;
        let usage = captured(&service, job_id, delivered).await;
        assert_eq!((usage.captured, usage.released), (charge, 10 - charge), "{delivered} of 3");
    }
    assert_eq!(service.balance("ada", NOON).await, (81, 0, 0));
    held(&service, "job-4", 10, 3).await;
    let request = v1::CaptureCreditsRequest { delivered_outputs: Some(4), ..capture("ada", "job-4") };
    let refused = service.credits().capture_credits(when(NOON, request)).await;
    assert_eq!(fields(refused), ["delivered_outputs"]);
    let nothing = service.failed("ada", "job-0", "worker_crash", NOON).await;
    assert_eq!(nothing.outcome(), RestoreOutcome::NotRestorable);
    assert_eq!(nothing.not_restorable_reason(), v1::NotRestorableReason::NothingCharged);
    service.audited().await;
}

#[tokio::test]
async fn a_hold_without_enough_credits_writes_nothing() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let before = service.rows().await;
    let refused = service.credits().hold_credits(when(NOON, hold("ada", "job-1", 101))).await;
    assert_eq!(reason(refused), (Code::FailedPrecondition, "INSUFFICIENT_CREDITS".to_owned()));
    assert_eq!(service.rows().await, before);
    assert_eq!(service.balance("ada", NOON).await, (100, 0, 0));
    let unknown = service.credits().hold_credits(when(NOON, hold("bob", "job-1", 1))).await;
    assert_eq!(reason(unknown), (Code::NotFound, "ACCOUNT_NOT_FOUND".to_owned()));
    assert_eq!(service.rows().await, before);
    service.audited().await;
}

#[tokio::test]
async fn the_same_attempt_is_held_once_and_never_for_other_credits() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let first =
        service.credits().hold_credits(when(NOON, hold("ada", "job-1", 30))).await.unwrap().into_inner();
    let again =
        service.credits().hold_credits(when(NOON, hold("ada", "job-1", 30))).await.unwrap().into_inner();
    assert_eq!(first.usage, again.usage);
    assert_eq!(service.balance("ada", NOON).await, (70, 30, 0));
    let other = service.credits().hold_credits(when(NOON, hold("ada", "job-1", 31))).await;
    assert_eq!(reason(other), (Code::AlreadyExists, "USAGE_ALREADY_EXISTS".to_owned()));
    let request = v1::HoldCreditsRequest { outputs: Some(2), ..hold("ada", "job-1", 30) };
    let other = service.credits().hold_credits(when(NOON, request)).await;
    assert_eq!(reason(other).1, "USAGE_ALREADY_EXISTS");
    service.audited().await;
}

#[tokio::test]
async fn an_attempt_is_known_whatever_is_left_and_after_it_ended() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let again = |job: &str, cost| service.held_again(job.to_owned(), cost);
    held(&service, "job-1", 90, 1).await;
    assert_eq!(again("job-1", 90).await, Ok(UsageStage::Held), "with 10 credits left");
    captured(&service, "job-1", 1).await;
    assert_eq!(again("job-1", 90).await, Ok(UsageStage::Captured), "with 10 credits left");
    held(&service, "job-2", 5, 1).await;
    captured(&service, "job-2", 1).await;
    assert_eq!(again("job-2", 5).await, Ok(UsageStage::Captured), "with credits for another");
    assert_eq!(again("job-2", 4).await, Err("USAGE_ALREADY_EXISTS".to_owned()));
    assert_eq!(again("job-3", 6).await, Err("INSUFFICIENT_CREDITS".to_owned()));
    assert_eq!(service.balance("ada", NOON).await, (5, 0, 0));
    service.audited().await;
}

impl Service {
    /// The same attempt held again under another request id.
    async fn held_again(&self, job: String, cost: i64) -> Result<UsageStage, String> {
        let answer = self.credits().hold_credits(when(NOON, hold("ada", &job, cost))).await;
        match answer {
            Ok(answer) => Ok(answer.into_inner().usage.unwrap().stage()),
            refused => Err(reason(refused).1),
        }
    }
}

#[tokio::test]
async fn an_attempt_ends_once() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    held(&service, "job-1", 30, 3).await;
    assert_eq!(captured(&service, "job-1", 2).await, captured(&service, "job-1", 2).await);
    let request = v1::CaptureCreditsRequest { delivered_outputs: Some(3), ..capture("ada", "job-1") };
    let not_held = (Code::FailedPrecondition, "USAGE_NOT_HELD".to_owned());
    assert_eq!(reason(service.credits().capture_credits(when(NOON, request)).await), not_held);
    let released = service.credits().release_credits(when(NOON, release("ada", "job-1"))).await;
    assert_eq!(reason(released), not_held, "a release never takes a charge back");
    held(&service, "job-2", 30, 1).await;
    for _ in 0..2 {
        let released = service.credits().release_credits(when(NOON, release("ada", "job-2"))).await.unwrap();
        assert_eq!(released.into_inner().usage.unwrap().stage(), UsageStage::Released);
    }
    let late = service.credits().capture_credits(when(NOON, capture("ada", "job-2"))).await;
    assert_eq!(reason(late), not_held);
    let unknown = service.credits().capture_credits(when(NOON, capture("ada", "job-3"))).await;
    assert_eq!(reason(unknown), (Code::NotFound, "USAGE_NOT_FOUND".to_owned()));
    assert_eq!(service.balance("ada", NOON).await, (80, 0, 0));
    service.audited().await;
}

#[tokio::test]
async fn a_retry_is_the_next_attempt_and_is_charged_again() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.used("ada", "job-1", 30, NOON).await;
    service.failed("ada", "job-1", "gpu_error", NOON).await;
    let second = v1::HoldCreditsRequest { attempt: 2, ..hold("ada", "job-1", 30) };
    service.credits().hold_credits(when(NOON, second)).await.unwrap();
    let second = v1::CaptureCreditsRequest { attempt: 2, ..capture("ada", "job-1") };
    service.credits().capture_credits(when(NOON, second)).await.unwrap();
    assert_eq!(service.balance("ada", NOON).await, (70, 0, 0));
    let first = service.failed("ada", "job-1", "gpu_error", NOON).await;
    assert_eq!(first.outcome(), RestoreOutcome::AlreadyRestored, "the first attempt gives nothing twice");
    assert_eq!(service.balance("ada", NOON).await, (70, 0, 0));
    service.audited().await;
}

#[tokio::test]
async fn a_failure_of_the_customer_stays_charged_and_an_unclear_one_may_be_cleared_up() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.used("ada", "job-1", 10, NOON).await;
    let fault = service.failed("ada", "job-1", "invalid_prompt", NOON).await;
    assert_eq!(
        (fault.fault(), fault.clause.as_str(), fault.credits_restored),
        (v1::Fault::Customer, "3.1", 0)
    );
    let later = service.failed("ada", "job-1", "worker_crash", NOON).await;
    assert_eq!(later.outcome(), RestoreOutcome::NotRestorable, "what was found once stays found");
    service.used("ada", "job-2", 10, NOON).await;
    let fault = service.failed("ada", "job-2", "a_cause_that_nobody_listed", NOON).await;
    assert_eq!(fault.not_restorable_reason(), v1::NotRestorableReason::FaultUndetermined);
    let later = service.failed("ada", "job-2", "worker_crash", NOON).await;
    assert_eq!((later.outcome(), later.credits_restored), (RestoreOutcome::Restored, 10));
    assert_eq!(service.balance("ada", NOON).await, (90, 0, 0));
    service.audited().await;
}

#[tokio::test]
async fn a_restore_goes_back_to_the_same_lots_last_burnt_first() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-2", "2025-03-03T12:01:00Z").await;
    let usage = service.used("ada", "job-1", 150, "2025-03-03T12:02:00Z").await;
    assert_eq!(parts(&usage, |part| part.captured), [100, 50]);
    let answer = service.failed("ada", "job-1", "worker_crash", "2025-03-03T12:03:00Z").await;
    let back: Vec<_> = answer.movements.iter().map(|moved| (moved.lot_id.as_str(), moved.credits)).collect();
    let taken: Vec<_> = usage.allocations.iter().map(|part| (part.lot_id.as_str(), part.captured)).collect();
    assert_eq!(back, taken.into_iter().rev().collect::<Vec<_>>());
    service.audited().await;
}

#[tokio::test]
async fn expired_credits_are_not_spendable_and_restored_ones_have_a_grace() {
    let service = Service::start().await;
    let expiry = "2025-03-13T12:00:00Z";
    let credits_expire_at = Some(timestamp(expiry));
    let request = v1::RecordPurchaseRequest { credits_expire_at, ..purchase("ada", "pay-1", NOON) };
    service.credits().record_purchase(when(NOON, request)).await.unwrap();
    service.deliver("ada", "pay-1", 100, NOON).await;
    service.used("ada", "job-1", 30, NOON).await;
    assert_eq!(service.balance("ada", "2025-03-13T11:59:59.999999Z").await, (70, 0, 0));
    assert_eq!(service.balance("ada", expiry).await, (0, 0, 0));
    let refused = service.credits().hold_credits(when(expiry, hold("ada", "job-2", 1))).await;
    assert_eq!(reason(refused).1, "INSUFFICIENT_CREDITS");
    service.failed("ada", "job-1", "worker_crash", "2025-03-14T12:00:00Z").await;
    assert_eq!(service.line("pay-1", "purchase").await, [30, 0, 0, 0, 70, 0, 0]);
    assert_eq!(service.balance("ada", "2025-04-13T11:59:59Z").await, (30, 0, 0));
    assert_eq!(service.balance("ada", "2025-04-13T12:00:00Z").await, (0, 0, 0));
    service.audited().await;
}

#[tokio::test]
async fn no_more_is_delivered_than_was_bought_and_each_delivery_counts_once() {
    let service = Service::start().await;
    service.purchase("ada", "pay-1", NOON).await;
    let exceeds = (Code::FailedPrecondition, "DELIVERY_EXCEEDS_PURCHASE".to_owned());
    let deliver = |request| async { service.credits().deliver_credits(when(NOON, request)).await };
    assert_eq!(reason(deliver(delivery("ada", "pay-1", 101, NOON)).await), exceeds);
    deliver(delivery("ada", "pay-1", 60, NOON)).await.unwrap();
    deliver(delivery("ada", "pay-1", 60, NOON)).await.unwrap();
    assert_eq!(service.balance("ada", NOON).await, (60, 0, 0), "the same delivery, told twice");
    let mut other = delivery("ada", "pay-1", 40, NOON);
    other.delivery_id = "delivery-pay-1-60".to_owned();
    assert_eq!(reason(deliver(other).await), (Code::AlreadyExists, "DELIVERY_CONFLICT".to_owned()));
    assert_eq!(reason(deliver(delivery("ada", "pay-1", 41, NOON)).await), exceeds);
    deliver(delivery("ada", "pay-1", 40, NOON)).await.unwrap();
    let never = v1::Undeliverable { reason: words("lost") };
    let outcome = Some(v1::deliver_credits_request::Outcome::Undeliverable(never));
    let request =
        v1::DeliverCreditsRequest { outcome, request_id: request_id(), ..delivery("ada", "pay-1", 1, NOON) };
    assert_eq!(reason(deliver(request).await).1, "DELIVERY_CONFLICT", "everything has arrived");
    let unknown = deliver(delivery("ada", "pay-9", 1, NOON)).await;
    assert_eq!(reason(unknown), (Code::NotFound, "PURCHASE_NOT_FOUND".to_owned()));
    assert_eq!(service.balance("ada", NOON).await, (100, 0, 0));
    service.audited().await;
}
