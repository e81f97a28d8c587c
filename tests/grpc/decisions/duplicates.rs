//! §2.1: the same bought twice.

use super::*;
use crate::service::Service;

/// Two payments four seconds apart, both delivered.
async fn double_click(service: &Service) {
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-2", &later(NOON, TimeDelta::seconds(4))).await;
}

#[tokio::test]
async fn an_untouched_duplicate_is_refunded_whole_and_its_credits_leave_at_once() {
    let service = Service::start().await;
    double_click(&service).await;
    let at = hours(1);
    let answer = service.claim("ada", "pay-2", Claim::DuplicatePurchase, &at).await;
    let (request, decision) = approve("14", &["2.1"]).check(answer, &at);
    assert_eq!(figures(&decision.remedies), [(RemedyKind::RefundFull, 100, Some(999))]);
    assert!(decision.sentence.contains("9.99"), "{}", decision.sentence);
    assert_eq!(service.balance("ada", &at).await, (100, 0, 0));
    let [refund] = request.refunds.as_slice() else { panic!("{:?}", request.refunds) };
    assert_eq!((refund.stage(), refund.credits), (v1::RefundStage::Pending, 100));
    assert_eq!((refund.provider.as_str(), refund.payment_id.as_str()), ("stripe", "pay-2"));
    assert_eq!(refund.idempotency_key, format!("makegood-refund-{}", refund.refund_id));
    assert_eq!(refund.refund_request_id, request.refund_request_id);
    let told = purchase("ada", "pay-2", &later(NOON, TimeDelta::seconds(4)));
    let now = reread(&service, &told, &at).await;
    assert_eq!(now.refunded_credits, 100);
    assert_eq!(now.refund_pending.unwrap().minor_units, 999);
    assert_eq!(now.refunded.unwrap().minor_units, 0);
    service.stop().await;
}

#[tokio::test]
async fn exactly_seven_days_are_in_time_and_a_microsecond_more_is_not() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-2", NOON).await;
    let late = later(NOON, TimeDelta::days(7) + TimeDelta::microseconds(1));
    let preview = v1::EvaluateRequestRequest {
        validate_only: true,
        ..evaluate("ada", "pay-2", Claim::DuplicatePurchase)
    };
    let decision = asked(&service, preview, &late).await.decision.unwrap();
    review("15", &["2.1"]).check_decision(&decision, &late);
    assert_eq!(recommended(&decision), [(RemedyKind::RefundUnused, 100, Some(999))]);
    let in_time = days(7);
    let answer = service.claim("ada", "pay-2", Claim::DuplicatePurchase, &in_time).await;
    approve("14", &["2.1"]).check(answer, &in_time);
    service.stop().await;
}

#[tokio::test]
async fn a_duplicate_that_was_used_in_part_goes_to_a_person_with_its_unused_part() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.used("ada", "job-1", 30, NOON).await;
    service.bought("ada", "pay-2", &hours(1)).await;
    let answer = service.claim("ada", "pay-1", Claim::DuplicatePurchase, &hours(2)).await;
    let (request, decision) = review("15", &["2.1"]).check(answer, &hours(2));
    assert_eq!(decision.review_reason(), v1::ReviewReason::Row);
    assert_eq!(recommended(&decision), [(RemedyKind::RefundUnused, 70, Some(699))]);
    nothing_moved(&service, "ada", &request, (170, 0, 0), &hours(2)).await;
    service.stop().await;
}

#[tokio::test]
async fn a_duplicate_that_was_used_up_is_denied() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.used("ada", "job-1", 100, NOON).await;
    service.bought("ada", "pay-2", &hours(1)).await;
    let answer = service.claim("ada", "pay-1", Claim::DuplicatePurchase, &hours(2)).await;
    let (request, _) = deny("16", &["2.1", "7.1"]).check(answer, &hours(2));
    nothing_moved(&service, "ada", &request, (100, 0, 0), &hours(2)).await;
    service.stop().await;
}

#[tokio::test]
async fn without_a_second_payment_the_customer_is_asked_for_it() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let answer = service.claim("ada", "pay-1", Claim::DuplicatePurchase, &hours(1)).await;
    let (request, decision) = ask("17", &["2.1"]).check(answer, &hours(1));
    assert_eq!(decision.requested_details, ["order_id", "statement"]);
    assert_eq!(request.information_asked, ["order_id", "statement"]);
    nothing_moved(&service, "ada", &request, (100, 0, 0), &hours(1)).await;
    service.stop().await;
}

#[tokio::test]
async fn another_package_price_or_day_is_no_duplicate() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-day", &later(NOON, TimeDelta::hours(24) + TimeDelta::microseconds(1))).await;
    bought_as(&service, &priced("pay-price", "USD", 998, NOON), NOON).await;
    bought_as(&service, &priced("pay-currency", "EUR", 999, NOON), NOON).await;
    let package = v1::RecordPurchaseRequest {
        package_id: "pack-other".to_owned(),
        ..purchase("ada", "pay-package", NOON)
    };
    bought_as(&service, &package, NOON).await;
    let stranger = purchase("bea", "pay-stranger", NOON);
    bought_as(&service, &stranger, NOON).await;
    let answer = service.claim("ada", "pay-1", Claim::DuplicatePurchase, &hours(30)).await;
    ask("17", &["2.1"]).check(answer, &hours(30));
    service.stop().await;
}

#[tokio::test]
async fn papers_about_a_second_payment_are_read_by_a_person() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let request = with_evidence("ada", "pay-1", Claim::DuplicatePurchase, 1);
    let answer = asked(&service, request, &hours(1)).await;
    let (request, _) = review("18", &["2.1"]).check(answer, &hours(1));
    assert_eq!(request.evidence.len(), 1);
    nothing_moved(&service, "ada", &request, (100, 0, 0), &hours(1)).await;
    service.stop().await;
}

#[tokio::test]
async fn of_two_payments_only_one_is_a_duplicate() {
    let service = Service::start().await;
    double_click(&service).await;
    let answer = service.claim("ada", "pay-2", Claim::DuplicatePurchase, &hours(1)).await;
    approve("14", &["2.1"]).check(answer, &hours(1));
    let other = service.claim("ada", "pay-1", Claim::DuplicatePurchase, &hours(1)).await;
    let (request, _) = ask("17", &["2.1"]).check(other, &hours(1));
    nothing_moved(&service, "ada", &request, (100, 0, 0), &hours(1)).await;
    service.stop().await;
}

#[tokio::test]
async fn while_the_twin_is_disputed_nothing_moves() {
    let service = Service::start().await;
    double_click(&service).await;
    service.dispute("pay-1", "dp-1", v1::ChargebackEventKind::Opened, &hours(1)).await;
    let answer = service.claim("ada", "pay-2", Claim::DuplicatePurchase, &hours(2)).await;
    let (request, _) = review("8", &["6"]).check(answer, &hours(2));
    nothing_moved(&service, "ada", &request, (100, 0, 100), &hours(2)).await;
    service.stop().await;
}

#[tokio::test]
async fn one_paper_sent_twice_is_kept_and_does_not_count_as_used_before() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let mut request = with_evidence("ada", "pay-1", Claim::DuplicatePurchase, 1);
    request.evidence.extend(request.evidence.clone());
    let answer = asked(&service, request, &hours(1)).await;
    let (request, _) = review("18", &["2.1"]).check(answer, &hours(1));
    assert_eq!(request.evidence.len(), 2);
    service.stop().await;
}
