//! §2.3: credits that were paid for and did not arrive.

use super::*;
use crate::service::Service;

#[tokio::test]
async fn credits_that_never_arrived_are_delivered_however_late() {
    let service = Service::start().await;
    let told = purchase("ada", "pay-1", NOON);
    service.credits().record_purchase(when(NOON, told.clone())).await.unwrap();
    let at = days(400);
    let answer = service.claim("ada", "pay-1", Claim::CreditsNotDelivered, &at).await;
    let (request, decision) = approve("10", &["2.3"]).check(answer, &at);
    assert_eq!(figures(&decision.remedies), [(RemedyKind::RestoreUndelivered, 100, None)]);
    assert_eq!(request.restored_credits, 100);
    assert!(request.refunds.is_empty());
    assert_eq!(service.balance("ada", &at).await, (100, 0, 0));
    assert_eq!(reread(&service, &told, &at).await.delivered_credits, 100);
    let again = service.claim("ada", "pay-1", Claim::CreditsNotDelivered, &at).await;
    let (request, _) = deny("13", &["2.3"]).check(again, &at);
    nothing_moved(&service, "ada", &request, (100, 0, 0), &at).await;
    service.stop().await;
}

#[tokio::test]
async fn what_is_missing_of_a_delivery_is_made_up_with_the_bonus_left_alone() {
    let service = Service::start().await;
    let told = v1::RecordPurchaseRequest { bonus_credits: 20, ..purchase("ada", "pay-1", NOON) };
    service.credits().record_purchase(when(NOON, told)).await.unwrap();
    service.deliver("ada", "pay-1", 60, NOON).await;
    assert_eq!(service.balance("ada", NOON).await, (80, 0, 0));
    let answer = service.claim("ada", "pay-1", Claim::CreditsNotDelivered, &hours(1)).await;
    let (_, decision) = approve("10", &["2.3"]).check(answer, &hours(1));
    assert_eq!(figures(&decision.remedies), [(RemedyKind::RestoreUndelivered, 40, None)]);
    assert_eq!(service.balance("ada", &hours(1)).await, (120, 0, 0));
    service.stop().await;
}

#[tokio::test]
async fn what_cannot_be_delivered_is_refunded_after_the_reasonable_time() {
    let service = Service::start().await;
    let told = purchase("ada", "pay-1", NOON);
    service.credits().record_purchase(when(NOON, told.clone())).await.unwrap();
    undeliverable(&service, "pay-1", &hours(1)).await;
    let in_time = hours(24);
    let answer = service.claim("ada", "pay-1", Claim::CreditsNotDelivered, &in_time).await;
    let (request, decision) = review("12", &["2.3"]).check(answer, &in_time);
    assert_eq!(recommended(&decision), [(RemedyKind::RefundUnused, 100, Some(999))]);
    nothing_moved(&service, "ada", &request, (0, 0, 0), &in_time).await;
    taken_back(&service, &request, &in_time).await;
    let at = later(NOON, TimeDelta::hours(24) + TimeDelta::microseconds(1));
    let answer = service.claim("ada", "pay-1", Claim::CreditsNotDelivered, &at).await;
    let (request, decision) = approve("11", &["2.3"]).check(answer, &at);
    assert_eq!(figures(&decision.remedies), [(RemedyKind::RefundUnused, 100, Some(999))]);
    assert_eq!(request.refunds.first().unwrap().amount.as_ref().unwrap().minor_units, 999);
    assert_eq!(reread(&service, &told, &at).await.refunded_credits, 100);
    service.stop().await;
}

#[tokio::test]
async fn what_cannot_be_delivered_is_refunded_less_what_was_used() {
    let service = Service::start().await;
    service.purchase("ada", "pay-1", NOON).await;
    service.deliver("ada", "pay-1", 50, NOON).await;
    service.used("ada", "job-1", 17, NOON).await;
    undeliverable(&service, "pay-1", &hours(1)).await;
    let answer = service.claim("ada", "pay-1", Claim::CreditsNotDelivered, &days(7)).await;
    let (request, decision) = approve("11", &["2.3"]).check(answer, &days(7));
    // floor(999 × 83 / 100)
    assert_eq!(figures(&decision.remedies), [(RemedyKind::RefundUnused, 83, Some(829))]);
    assert_eq!(request.refunds.len(), 1);
    assert_eq!(service.balance("ada", &days(7)).await, (0, 0, 0));
    service.stop().await;
}

#[tokio::test]
async fn what_cannot_be_delivered_and_is_claimed_late_goes_to_a_person() {
    let service = Service::start().await;
    service.purchase("ada", "pay-1", NOON).await;
    undeliverable(&service, "pay-1", &hours(1)).await;
    let late = later(NOON, TimeDelta::days(7) + TimeDelta::microseconds(1));
    let answer = service.claim("ada", "pay-1", Claim::CreditsNotDelivered, &late).await;
    let (request, decision) = review("12", &["2.3"]).check(answer, &late);
    assert_eq!(recommended(&decision), [(RemedyKind::RefundUnused, 100, Some(999))]);
    nothing_moved(&service, "ada", &request, (0, 0, 0), &late).await;
    service.stop().await;
}

#[tokio::test]
async fn when_all_arrived_the_answer_says_when() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let answer = service.claim("ada", "pay-1", Claim::CreditsNotDelivered, &hours(1)).await;
    let (request, decision) = deny("13", &["2.3"]).check(answer, &hours(1));
    assert!(decision.sentence.contains("2025"), "{}", decision.sentence);
    nothing_moved(&service, "ada", &request, (100, 0, 0), &hours(1)).await;
    service.stop().await;
}
