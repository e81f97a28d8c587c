//! The three decisions that the service was first built for.

use crate::service::{Service, refund_result, when};
use makegood::proto::makegood::v1;
use v1::{ChargebackEventKind as Event, Claim, Outcome};

const NOON: &str = "2025-03-03T12:00:00Z";

#[tokio::test]
async fn a_double_click_is_refunded_and_nothing_refunded_can_be_spent() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-2", "2025-03-03T12:00:04Z").await;
    let answer = service.claim("ada", "pay-2", Claim::DuplicatePurchase, "2025-03-03T13:00:00Z").await;
    let decision = answer.decision.unwrap();
    assert_eq!(decision.outcome(), Outcome::Approve, "{decision:?}");
    assert_eq!((decision.row.as_str(), decision.clauses.join(",").as_str()), ("14", "2.1"));
    assert_eq!(service.balance("ada", "2025-03-03T13:00:00Z").await, (100, 0, 0));
    let refund = answer.refund_request.unwrap().refunds.remove(0);
    assert_eq!(refund.amount.unwrap().minor_units, 999);
    let request =
        refund_result("ada", &refund.refund_id, v1::RefundResult::Succeeded, "2025-03-05T09:00:00Z");
    let settled =
        service.refunds().record_refund_result(when("2025-03-05T09:00:00Z", request)).await.unwrap();
    assert_eq!(settled.into_inner().refund_request.unwrap().stage(), v1::RefundRequestStage::Settled);
    service.stop().await;
}

#[tokio::test]
async fn a_failed_attempt_has_its_credits_back_once() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.used("ada", "job-1", 30, NOON).await;
    assert_eq!(service.balance("ada", NOON).await, (70, 0, 0));
    let first = service.failed("ada", "job-1", "worker_crash", NOON).await;
    assert_eq!(first.outcome(), v1::RestoreOutcome::Restored);
    assert_eq!((first.credits_restored, first.clause.as_str()), (30, "2.2"));
    let second = service.failed("ada", "job-1", "worker_crash", NOON).await;
    assert_eq!(second.outcome(), v1::RestoreOutcome::AlreadyRestored);
    assert_eq!(service.balance("ada", NOON).await, (100, 0, 0));
    service.stop().await;
}

#[tokio::test]
async fn a_dispute_freezes_then_revokes_and_a_late_victory_gives_back() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.used("ada", "job-1", 30, NOON).await;
    service.dispute("pay-1", "dp-1", Event::Opened, "2025-03-04T12:00:00Z").await;
    assert_eq!(service.balance("ada", "2025-03-04T12:00:00Z").await, (0, 0, 70));
    let lost = service.dispute("pay-1", "dp-1", Event::Lost, "2025-03-10T12:00:00Z").await;
    let chargeback = lost.chargeback.unwrap();
    assert_eq!((chargeback.revoked_credits, chargeback.shortfall_credits), (70, 30));
    assert_eq!(service.balance("ada", "2025-03-10T12:00:00Z").await, (0, 0, 0));
    service.dispute("pay-1", "dp-1", Event::Won, "2025-03-20T12:00:00Z").await;
    assert_eq!(service.balance("ada", "2025-03-20T12:00:00Z").await, (70, 0, 0));
    service.stop().await;
}
