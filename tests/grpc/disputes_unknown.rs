//! Disputes that are heard of before their purchase: they wait, and take effect when it arrives.

use crate::service::{Service, chargeback, delivery, hold, is_replayed, purchase, reason, when};
use makegood::proto::makegood::v1;
use v1::{ChargebackEventKind as Event, ChargebackStage as Stage, PurchaseDispute};

const NOON: &str = "2025-03-03T12:00:00Z";
const DAY_1: &str = "2025-03-04T12:00:00Z";
const DAY_2: &str = "2025-03-05T12:00:00Z";
const DAY_9: &str = "2025-03-12T12:00:00Z";

/// Tells of an event and of the account that it is said to concern.
async fn dispute_of(
    service: &Service,
    account_id: &str,
    dispute_id: &str,
    event: Event,
    at: &str,
) -> v1::RecordChargebackResponse {
    let account_id = account_id.to_owned();
    let request = v1::RecordChargebackRequest { account_id, ..chargeback("pay-1", dispute_id, event, at) };
    service.refunds().record_chargeback(when(at, request)).await.unwrap().into_inner()
}

#[tokio::test]
async fn an_open_dispute_waits_for_its_purchase_and_freezes_what_is_delivered() {
    let service = Service::start().await;
    let early = service.dispute("pay-1", "dp-1", Event::Opened, NOON).await;
    let early = early.chargeback.unwrap();
    assert_eq!((early.account_id.as_str(), early.purchase_id.as_str(), early.stage()), ("", "", Stage::Open));
    let recorded = service.purchase("ada", "pay-1", DAY_1).await;
    assert_eq!(recorded.dispute(), PurchaseDispute::Open);
    service.deliver("ada", "pay-1", 100, DAY_1).await;
    assert_eq!(service.balance("ada", DAY_1).await, (0, 0, 100));
    let refused = service.credits().hold_credits(when(DAY_1, hold("ada", "job-1", 1))).await;
    assert_eq!(reason(refused).1, "ACCOUNT_SUSPENDED");
    let won = service.dispute("pay-1", "dp-1", Event::Won, DAY_2).await;
    assert_eq!(won.chargeback.unwrap().purchase_id, recorded.purchase_id);
    assert!(won.account.unwrap().may_spend);
    assert_eq!(service.balance("ada", DAY_2).await, (100, 0, 0));
    service.audited().await;
}

#[tokio::test]
async fn an_event_told_before_its_purchase_is_answered_as_before_when_its_id_is_sent_again() {
    let service = Service::start().await;
    let early = chargeback("pay-1", "dp-1", Event::Opened, NOON);
    let send = |request: v1::RecordChargebackRequest| async {
        service.refunds().record_chargeback(when(DAY_1, request)).await
    };
    let first = send(early.clone()).await.unwrap().into_inner();
    service.bought("ada", "pay-1", DAY_1).await;
    let again = send(early.clone()).await.unwrap();
    assert!(is_replayed(&again));
    assert_eq!(again.into_inner(), first);
    let other = v1::RecordChargebackRequest { event: Event::Lost.into(), ..early };
    assert_eq!(reason(send(other).await).1, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(service.balance("ada", DAY_1).await, (0, 0, 100));
    service.audited().await;
}

#[tokio::test]
async fn a_lost_dispute_waits_for_its_purchase_and_nothing_of_it_is_delivered() {
    let service = Service::start().await;
    service.dispute("pay-1", "dp-1", Event::Opened, NOON).await;
    service.dispute("pay-1", "dp-1", Event::Lost, DAY_1).await;
    let recorded = service.purchase("ada", "pay-1", DAY_2).await;
    assert_eq!(recorded.dispute(), PurchaseDispute::Lost);
    assert_eq!(recorded.returned_by_bank.unwrap().minor_units, 999);
    let refused = service.credits().deliver_credits(when(DAY_2, delivery("ada", "pay-1", 100, DAY_2))).await;
    assert_eq!(reason(refused).1, "PURCHASE_REFUNDED");
    service.dispute("pay-1", "dp-1", Event::Won, DAY_9).await;
    service.deliver("ada", "pay-1", 100, DAY_9).await;
    assert_eq!(service.balance("ada", DAY_9).await, (100, 0, 0));
    service.audited().await;
}

#[tokio::test]
async fn a_dispute_that_ended_well_before_its_purchase_was_recorded_does_nothing() {
    let service = Service::start().await;
    service.dispute("pay-1", "dp-1", Event::Opened, NOON).await;
    service.dispute("pay-1", "dp-1", Event::Won, DAY_1).await;
    let recorded = service.purchase("ada", "pay-1", DAY_2).await;
    assert_eq!(recorded.dispute(), PurchaseDispute::Won);
    service.deliver("ada", "pay-1", 100, DAY_2).await;
    let held = service.credits().hold_credits(when(DAY_2, hold("ada", "job-1", 1))).await;
    assert!(held.is_ok(), "{held:?}");
    service.audited().await;
}

#[tokio::test]
async fn several_disputes_wait_together() {
    let service = Service::start().await;
    service.dispute("pay-1", "dp-1", Event::Opened, NOON).await;
    service.dispute("pay-1", "dp-2", Event::Lost, NOON).await;
    service.dispute("pay-2", "dp-3", Event::Opened, NOON).await;
    let recorded = service.purchase("ada", "pay-1", DAY_1).await;
    assert_eq!(recorded.dispute(), PurchaseDispute::Lost);
    service.dispute("pay-1", "dp-2", Event::Won, DAY_2).await;
    service.deliver("ada", "pay-1", 100, DAY_2).await;
    assert_eq!(service.balance("ada", DAY_2).await, (0, 0, 100), "the first dispute is still open");
    let other = service.purchase("bob", "pay-2", DAY_2).await;
    assert_eq!(other.dispute(), PurchaseDispute::Open, "the other payment's dispute waited on");
    service.dispute("pay-1", "dp-1", Event::Withdrawn, DAY_9).await;
    assert_eq!(service.balance("ada", DAY_9).await, (100, 0, 0));
    service.audited().await;
}

#[tokio::test]
async fn news_that_name_the_account_reach_the_dispute_that_waits_without_one() {
    let service = Service::start().await;
    service.dispute("pay-1", "dp-1", Event::Opened, NOON).await;
    let same = dispute_of(&service, "ada", "dp-1", Event::Lost, DAY_1).await;
    assert_eq!(same.chargeback.unwrap().stage(), Stage::Lost);
    let second = dispute_of(&service, "ada", "dp-2", Event::Opened, DAY_1).await;
    assert_eq!(second.chargeback.unwrap().stage(), Stage::Open);
    let recorded = service.purchase("ada", "pay-1", DAY_2).await;
    assert_eq!(recorded.dispute(), PurchaseDispute::Lost);
    service.audited().await;
}

#[tokio::test]
async fn a_dispute_told_with_its_account_waits_there() {
    let service = Service::start().await;
    let early = dispute_of(&service, "ada", "dp-1", Event::Opened, NOON).await;
    assert_eq!(early.chargeback.unwrap().purchase_id, "");
    service.dispute("pay-1", "dp-1", Event::Updated, DAY_1).await;
    assert_eq!(service.purchase("ada", "pay-1", DAY_1).await.dispute(), PurchaseDispute::Open);
    service.deliver("ada", "pay-1", 100, DAY_1).await;
    assert_eq!(service.balance("ada", DAY_1).await, (0, 0, 100));
    service.audited().await;
}

#[tokio::test]
async fn a_purchase_arrives_where_it_was_paid_although_the_dispute_was_told_for_another_account() {
    let service = Service::start().await;
    dispute_of(&service, "bob", "dp-1", Event::Opened, NOON).await;
    let recorded = service.credits().record_purchase(when(DAY_1, purchase("ada", "pay-1", DAY_1))).await;
    let recorded = recorded.unwrap().into_inner().purchase.unwrap();
    assert_eq!((recorded.account_id.as_str(), recorded.dispute()), ("ada", PurchaseDispute::Open));
    service.audited().await;
}
