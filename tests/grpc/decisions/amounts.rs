//! §7.1: sums, currencies and the limits of what a machine approves.

use super::*;
use crate::service::Service;

/// Two payments of one price, and the answer to the claim that the second is a duplicate.
async fn duplicate(
    service: &Service,
    payment_id: &str,
    currency: &str,
    minor_units: i64,
) -> v1::EvaluateRequestResponse {
    for payment_id in [&format!("{payment_id}-twin"), payment_id] {
        bought_as(service, &priced(payment_id, currency, minor_units, NOON), NOON).await;
    }
    service.claim("ada", payment_id, Claim::DuplicatePurchase, &hours(1)).await
}

#[tokio::test]
async fn yen_have_no_cents_and_dinars_have_three_digits() {
    for (currency, minor_units, written) in [("JPY", 1_500, "1500"), ("KWD", 9_995, "9.995")] {
        let service = Service::start().await;
        let answer = duplicate(&service, "pay-1", currency, minor_units).await;
        let (request, decision) = approve("14", &["2.1"]).check(answer, &hours(1));
        let amount = request.refunds.first().unwrap().amount.clone().unwrap();
        assert_eq!((amount.currency_code.as_str(), amount.minor_units), (currency, minor_units));
        let sentence = decision.sentence.replace(',', "");
        assert!(sentence.contains(written) && sentence.contains(currency), "{sentence}");
        assert_eq!(service.balance("ada", &hours(1)).await, (100, 0, 0));
        service.stop().await;
    }
}

#[tokio::test]
async fn an_amount_at_the_limit_is_approved_and_a_cent_more_goes_to_a_person() {
    let service = Service::start().await;
    let answer = duplicate(&service, "pay-1", "USD", 10_000).await;
    approve("14", &["2.1"]).check(answer, &hours(1));
    let answer = duplicate(&service, "pay-2", "USD", 10_001).await;
    let (request, decision) = review("14", &["2.1"]).check(answer, &hours(1));
    assert_eq!(decision.review_reason(), v1::ReviewReason::AboveApprovalLimit);
    assert_eq!(recommended(&decision), [(RemedyKind::RefundFull, 100, Some(10_001))]);
    nothing_moved(&service, "ada", &request, (300, 0, 0), &hours(1)).await;
    service.stop().await;
}

#[tokio::test]
async fn a_currency_without_a_limit_goes_to_a_person() {
    let service = Service::start().await;
    let answer = duplicate(&service, "pay-1", "SEK", 9_900).await;
    let (request, decision) = review("14", &["2.1"]).check(answer, &hours(1));
    assert_eq!(decision.review_reason(), v1::ReviewReason::CurrencyWithoutLimit);
    assert_eq!(recommended(&decision), [(RemedyKind::RefundFull, 100, Some(9_900))]);
    nothing_moved(&service, "ada", &request, (200, 0, 0), &hours(1)).await;
    service.stop().await;
}

#[tokio::test]
async fn a_duplicate_that_cost_nothing_has_nothing_to_give() {
    let service = Service::start().await;
    let answer = duplicate(&service, "pay-1", "USD", 0).await;
    let (request, decision) = review("14", &["2.1"]).check(answer, &hours(1));
    assert_eq!(decision.review_reason(), v1::ReviewReason::NothingToGive);
    nothing_moved(&service, "ada", &request, (200, 0, 0), &hours(1)).await;
    service.stop().await;
}

#[tokio::test]
async fn a_fourth_refund_within_the_window_goes_to_a_person() {
    let service = Service::start().await;
    for payment_id in ["pay-1", "pay-2", "pay-3", "pay-4", "pay-5"] {
        service.bought("ada", payment_id, NOON).await;
    }
    for payment_id in ["pay-5", "pay-4", "pay-3"] {
        let answer = service.claim("ada", payment_id, Claim::DuplicatePurchase, &hours(1)).await;
        approve("14", &["2.1"]).check(answer, &hours(1));
    }
    let answer = service.claim("ada", "pay-2", Claim::DuplicatePurchase, &hours(1)).await;
    let (request, decision) = review("14", &["2.1"]).check(answer, &hours(1));
    assert_eq!(decision.review_reason(), v1::ReviewReason::TooManyRecentRefunds);
    assert_eq!(recommended(&decision), [(RemedyKind::RefundFull, 100, Some(999))]);
    nothing_moved(&service, "ada", &request, (200, 0, 0), &hours(1)).await;
    // The window of 90 days is over for all three.
    let at = days(92);
    for payment_id in ["pay-6", "pay-7"] {
        service.bought("ada", payment_id, &at).await;
    }
    let answer = service.claim("ada", "pay-7", Claim::DuplicatePurchase, &at).await;
    approve("14", &["2.1"]).check(answer, &at);
    service.stop().await;
}

#[tokio::test]
async fn bonus_credits_leave_with_the_purchase_and_are_worth_nothing() {
    let service = Service::start().await;
    for payment_id in ["pay-1", "pay-2"] {
        let told = v1::RecordPurchaseRequest { bonus_credits: 25, ..purchase("ada", payment_id, NOON) };
        bought_as(&service, &told, NOON).await;
    }
    assert_eq!(service.balance("ada", NOON).await, (250, 0, 0));
    let answer = service.claim("ada", "pay-2", Claim::DuplicatePurchase, &hours(1)).await;
    let (_, decision) = approve("14", &["2.1"]).check(answer, &hours(1));
    assert_eq!(figures(&decision.remedies), [(RemedyKind::RefundFull, 100, Some(999))]);
    assert_eq!(service.balance("ada", &hours(1)).await, (125, 0, 0));
    service.stop().await;
}

#[tokio::test]
async fn the_largest_price_and_credits_do_not_overflow() {
    const MOST: i64 = 1_000_000_000_000;
    let service = Service::start().await;
    let told = v1::RecordPurchaseRequest { credits: MOST, ..priced("pay-1", "USD", MOST, NOON) };
    bought_as(&service, &told, NOON).await;
    service.used("ada", "job-1", 1, NOON).await;
    let twin = v1::RecordPurchaseRequest { credits: MOST, ..priced("pay-2", "USD", MOST, &hours(1)) };
    bought_as(&service, &twin, &hours(1)).await;
    let answer = service.claim("ada", "pay-1", Claim::DuplicatePurchase, &hours(2)).await;
    let (request, decision) = review("15", &["2.1"]).check(answer, &hours(2));
    assert_eq!(recommended(&decision), [(RemedyKind::RefundUnused, MOST - 1, Some(MOST - 1))]);
    nothing_moved(&service, "ada", &request, (2 * MOST - 1, 0, 0), &hours(2)).await;
    service.stop().await;
}
