//! The purchase, the money that went back, the bank and the account.

use super::{NOON, Seen, facts, hours};
use crate::canary::words;
use crate::service::{Service, delivery, evaluate, hold, later, purchase, refund_result, usd, when};
use chrono::TimeDelta;
use makegood::proto::makegood::v1;
use v1::{ChargebackEventKind as Event, Claim};

async fn record(service: &Service, told: v1::RecordPurchaseRequest, at: &str) {
    service.credits().record_purchase(when(at, told)).await.unwrap();
}

/// What was bought, for how much, and by whom.
pub(super) async fn the_purchase(service: &Service, seen: &mut Seen) {
    let other = Claim::Other;
    service.bought("buyer", "pay-first", NOON).await;
    let plain = facts(service, evaluate("buyer", "pay-first", other), &hours(49)).await;
    let expected = [
        ("purchase_known", "true"),
        ("order_id", "order-pay-first"),
        ("first_purchase", "true"),
        ("purchase_kind", "one_time"),
        ("renewal", "false"),
        ("plan", ""),
        ("attributes", "{}"),
        ("list_price_minor", ""),
        ("price_reduced", ""),
        ("paid_at", "2025-03-03T12:00:00.000000Z"),
        ("purchase_age", "49h"),
        ("currency", "USD"),
        ("price_minor", "999"),
        ("refunded", "none"),
        ("dispute", "none"),
        ("bought", "100"),
        ("delivered", "100"),
        ("delivered_at", "2025-03-03T12:00:00.000000Z"),
        ("unused", "100"),
        ("untouched", "true"),
        ("undelivered", "0"),
        ("undelivered_for", ""),
        ("restoration_possible", "true"),
    ];
    seen.take(&plain, &expected);
    others(service, seen).await;
}

/// A renewal at a reduced price, one that cost nothing, and one that cannot be delivered.
async fn others(service: &Service, seen: &mut Seen) {
    let other = Claim::Other;
    let renewed = v1::RecordPurchaseRequest {
        kind: v1::PurchaseKind::Subscription.into(),
        renewal: true,
        plan: "monthly".to_owned(),
        list_price: usd(1499),
        attributes: [("country".to_owned(), "DE".to_owned())].into(),
        ..purchase("buyer", "pay-renewal", &hours(1))
    };
    record(service, renewed, &hours(1)).await;
    let found = facts(service, evaluate("buyer", "pay-renewal", other), &hours(2)).await;
    let expected = [
        ("first_purchase", "false"),
        ("purchase_kind", "subscription"),
        ("renewal", "true"),
        ("plan", "monthly"),
        ("attributes", "{\"country\":\"DE\"}"),
        ("list_price_minor", "1499"),
        ("price_reduced", "true"),
        ("delivered", "0"),
        ("delivered_at", ""),
        ("unused", "0"),
        ("undelivered", "100"),
        ("undelivered_for", "1h"),
        ("untouched", "true"),
    ];
    seen.take(&found, &expected);
    let free = v1::RecordPurchaseRequest {
        list_price: usd(0),
        price: usd(0),
        ..purchase("buyer", "pay-free", &hours(1))
    };
    record(service, free, &hours(1)).await;
    let found = facts(service, evaluate("buyer", "pay-free", other), &hours(2)).await;
    seen.take(&found, &[("price_minor", "0"), ("price_reduced", "false"), ("list_price_minor", "0")]);
    let never = v1::Undeliverable { reason: words("the package was withdrawn") };
    let request = v1::DeliverCreditsRequest {
        outcome: Some(v1::deliver_credits_request::Outcome::Undeliverable(never)),
        ..delivery("buyer", "pay-renewal", 100, &hours(2))
    };
    service.credits().deliver_credits(when(&hours(2), request)).await.unwrap();
    let found = facts(service, evaluate("buyer", "pay-renewal", other), &hours(3)).await;
    seen.take(&found, &[("restoration_possible", "false"), ("undelivered", "100")]);
}

/// Duplicates, refunds of them, and money on its way.
pub(super) async fn money_back(service: &Service, seen: &mut Seen) {
    let duplicate = Claim::DuplicatePurchase;
    service.bought("twice", "pay-one", NOON).await;
    let found = facts(service, evaluate("twice", "pay-one", duplicate), &hours(1)).await;
    let expected = [
        ("duplicates_found", "0"),
        ("twin_disputed", "false"),
        ("twin_paid_at", ""),
        ("recent_refunds", "0"),
        ("refunds_ever", "0"),
        ("refunded_minor", "0"),
        ("pending_minor", "0"),
        ("returned_minor", "0"),
        ("credits_refunded", "0"),
    ];
    seen.take(&found, &expected);
    service.bought("twice", "pay-two", &hours(1)).await;
    let found = facts(service, evaluate("twice", "pay-two", duplicate), &hours(2)).await;
    seen.take(&found, &[("duplicates_found", "1"), ("twin_paid_at", "2025-03-03T12:00:00.000000Z")]);
    let answer = service.claim("twice", "pay-two", duplicate, &hours(2)).await;
    let refund = answer.refund_request.unwrap().refunds.remove(0);
    let found = facts(service, evaluate("twice", "pay-two", duplicate), &hours(3)).await;
    let expected = [
        ("refunded", "full"),
        ("pending_minor", "999"),
        ("refunded_minor", "0"),
        ("credits_refunded", "100"),
        ("recent_refunds", "1"),
        ("refunds_ever", "1"),
        ("untouched", "false"),
        ("restoration_possible", "false"),
    ];
    seen.take(&found, &expected);
    let settled = refund_result("twice", &refund.refund_id, v1::RefundResult::Succeeded, &hours(4));
    service.refunds().record_refund_result(when(&hours(4), settled)).await.unwrap();
    let found = facts(service, evaluate("twice", "pay-two", duplicate), &hours(5)).await;
    seen.take(&found, &[("refunded", "full"), ("pending_minor", "0"), ("refunded_minor", "999")]);
    let much_later = later(NOON, TimeDelta::days(91));
    let found = facts(service, evaluate("twice", "pay-one", duplicate), &much_later).await;
    seen.take(&found, &[("recent_refunds", "0"), ("refunds_ever", "1"), ("duplicates_found", "0")]);

    // A part: what was unused was paid for, and what was used was not.
    service.bought("part", "pay-part", NOON).await;
    service.used("part", "job", 40, NOON).await;
    for job in ["out-1", "out-2", "out-3"] {
        service.credits().hold_credits(when(&hours(1), hold("part", job, 1))).await.unwrap();
        service.failed("part", job, "gpu_error", &hours(1)).await;
    }
    service.claim("part", "pay-part", Claim::TechnicalIssue, &hours(26)).await;
    let found = facts(service, evaluate("part", "pay-part", Claim::TechnicalIssue), &hours(27)).await;
    seen.take(&found, &[("refunded", "part"), ("pending_minor", "599"), ("credits_refunded", "60")]);
}

/// The bank's side, and the account's standing.
pub(super) async fn disputes_and_standing(service: &Service, seen: &mut Seen) {
    let ask = |payment: &str| evaluate("bank", payment, Claim::DuplicatePurchase);
    service.bought("bank", "pay-a", NOON).await;
    service.bought("bank", "pay-b", &hours(1)).await;
    service.dispute("pay-a", "dp-a", Event::Opened, &hours(2)).await;
    let found = facts(service, ask("pay-a"), &hours(3)).await;
    seen.take(&found, &[("dispute", "open"), ("standing", "[\"suspended\"]"), ("violation", "none")]);
    let found = facts(service, ask("pay-b"), &hours(3)).await;
    seen.take(&found, &[("dispute", "none"), ("twin_disputed", "true"), ("duplicates_found", "0")]);
    service.dispute("pay-a", "dp-a", Event::Lost, &hours(4)).await;
    let found = facts(service, ask("pay-a"), &hours(5)).await;
    seen.take(&found, &[("dispute", "lost"), ("returned_minor", "999"), ("restoration_possible", "false")]);
    service.dispute("pay-a", "dp-a", Event::Won, &hours(6)).await;
    let found = facts(service, ask("pay-a"), &hours(7)).await;
    seen.take(&found, &[("dispute", "won"), ("returned_minor", "0"), ("standing", "[]")]);

    for (kind, violation) in [
        ("purchase_blocked", "none"),
        ("refund_blocked", "none"),
        ("violation_suspected", "suspected"),
        ("violation_confirmed", "confirmed"),
        ("terminated", "confirmed"),
    ] {
        service.restricted("bank", kind, &hours(7)).await;
        let found = facts(service, ask("pay-b"), &hours(8)).await;
        assert!(found["standing"].contains(kind), "{found:?}");
        seen.take(&found, &[("violation", violation)]);
    }
    seen.take(&facts(service, ask("pay-b"), &hours(8)).await, &[("restoration_possible", "false")]);
}
