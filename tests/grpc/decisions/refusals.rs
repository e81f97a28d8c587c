//! §3, §5.2, §6: what is not refunded, what must be known first, and what waits.

use super::*;
use crate::service::Service;
use v1::ChargebackEventKind as Event;

#[tokio::test]
async fn a_closed_account_and_a_confirmed_violation_are_denied_before_everything_else() {
    for kind in ["terminated", "violation_confirmed"] {
        let service = Service::start().await;
        service.purchase("ada", "pay-1", NOON).await;
        service.restricted("ada", kind, NOON).await;
        let answer = service.claim("ada", "pay-1", Claim::CreditsNotDelivered, &hours(1)).await;
        let (request, _) = deny("1", &["3.3"]).check(answer, &hours(1));
        nothing_moved(&service, "ada", &request, (0, 0, 0), &hours(1)).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_suspicion_or_a_block_goes_to_a_person() {
    for kind in ["suspended", "violation_suspected", "refund_blocked"] {
        let service = Service::start().await;
        service.purchase("ada", "pay-1", NOON).await;
        service.restricted("ada", kind, NOON).await;
        let answer = service.claim("ada", "pay-1", Claim::CreditsNotDelivered, &hours(1)).await;
        let (request, _) = review("9", &["3.3", "6"]).check(answer, &hours(1));
        nothing_moved(&service, "ada", &request, (0, 0, 0), &hours(1)).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn a_dispute_on_another_purchase_suspends_the_account_and_a_person_decides() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.purchase("ada", "pay-2", &days(2)).await;
    service.dispute("pay-1", "dp-1", Event::Opened, &days(2)).await;
    let answer = service.claim("ada", "pay-2", Claim::CreditsNotDelivered, &days(2)).await;
    let (request, _) = review("9", &["3.3", "6"]).check(answer, &days(2));
    nothing_moved(&service, "ada", &request, (0, 0, 100), &days(2)).await;
    taken_back(&service, &request, &days(2)).await;
    service.dispute("pay-1", "dp-1", Event::Won, &days(3)).await;
    let answer = service.claim("ada", "pay-2", Claim::CreditsNotDelivered, &days(3)).await;
    approve("10", &["2.3"]).check(answer, &days(3));
    service.stop().await;
}

#[tokio::test]
async fn an_open_dispute_waits_for_the_bank_and_a_lost_one_has_paid() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.dispute("pay-1", "dp-1", Event::Opened, &hours(1)).await;
    let answer = service.claim("ada", "pay-1", Claim::TechnicalIssue, &hours(2)).await;
    let (request, _) = review("8", &["6"]).check(answer, &hours(2));
    nothing_moved(&service, "ada", &request, (0, 0, 100), &hours(2)).await;
    taken_back(&service, &request, &hours(2)).await;
    service.dispute("pay-1", "dp-1", Event::Lost, &hours(3)).await;
    let answer = service.claim("ada", "pay-1", Claim::TechnicalIssue, &hours(4)).await;
    let (request, _) = deny("2", &["6"]).check(answer, &hours(4));
    nothing_moved(&service, "ada", &request, (0, 0, 0), &hours(4)).await;
    service.stop().await;
}

#[tokio::test]
async fn what_was_refunded_in_full_is_not_refunded_again() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-2", NOON).await;
    let answer = service.claim("ada", "pay-2", Claim::DuplicatePurchase, &hours(1)).await;
    approve("14", &["2.1"]).check(answer, &hours(1));
    for claim in [Claim::DuplicatePurchase, Claim::TechnicalIssue, Claim::ChangeOfMind] {
        let answer = service.claim("ada", "pay-2", claim, &hours(2)).await;
        let (request, decision) = deny("3", &["7.1"]).check(answer, &hours(2));
        assert!(decision.sentence.contains("9.99"), "{}", decision.sentence);
        nothing_moved(&service, "ada", &request, (100, 0, 0), &hours(2)).await;
    }
    service.stop().await;
}

#[tokio::test]
async fn dissatisfaction_is_denied_for_what_was_used_and_for_what_was_not() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let answer = service.claim("ada", "pay-1", Claim::Dissatisfied, &hours(1)).await;
    deny("4b", &["3.2"]).check(answer, &hours(1));
    service.used("ada", "job-1", 1, &hours(1)).await;
    let answer = service.claim("ada", "pay-1", Claim::Dissatisfied, &hours(2)).await;
    let (request, _) = deny("4a", &["3.1", "3.2"]).check(answer, &hours(2));
    nothing_moved(&service, "ada", &request, (99, 0, 0), &hours(2)).await;
    service.stop().await;
}

#[tokio::test]
async fn a_change_of_mind_is_denied_with_or_without_a_purchase() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let answer = service.claim("ada", "pay-1", Claim::ChangeOfMind, &hours(1)).await;
    deny("5", &["3.2"]).check(answer, &hours(1));
    let nameless = v1::EvaluateRequestRequest { purchase: None, ..evaluate("ada", "", Claim::ChangeOfMind) };
    let answer = asked(&service, nameless, &hours(1)).await;
    let (request, _) = deny("5", &["3.2"]).check(answer, &hours(1));
    nothing_moved(&service, "ada", &request, (100, 0, 0), &hours(1)).await;
    service.stop().await;
}

#[tokio::test]
async fn without_a_purchase_the_customer_is_asked_for_the_order() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let nameless =
        v1::EvaluateRequestRequest { purchase: None, ..evaluate("ada", "", Claim::TechnicalIssue) };
    let answer = asked(&service, nameless, &hours(1)).await;
    let (request, decision) = ask("6", &["5.2"]).check(answer, &hours(1));
    assert_eq!(decision.requested_details, ["order_id"]);
    assert_eq!(request.purchase_id, "");
    service.stop().await;
}

#[tokio::test]
async fn a_strangers_purchase_is_unknown_whichever_way_it_is_named() {
    use v1::purchase_reference::Reference;
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let told = purchase("bea", "pay-2", NOON);
    service.credits().record_purchase(when(NOON, told)).await.unwrap();
    let hers = service.bought("cyd", "pay-3", NOON).await;
    let payment = v1::Payment { provider: "stripe".to_owned(), payment_id: "pay-3".to_owned() };
    for reference in [
        Reference::PurchaseId(hers.purchase_id.clone()),
        Reference::OrderId(hers.order_id.clone()),
        Reference::Payment(payment),
    ] {
        let named = v1::EvaluateRequestRequest {
            purchase: Some(v1::PurchaseReference { reference: Some(reference) }),
            ..evaluate("bea", "", Claim::TechnicalIssue)
        };
        let answer = asked(&service, named, &hours(1)).await;
        let (request, decision) = ask("6", &["5.2"]).check(answer, &hours(1));
        assert_eq!((request.purchase_id.as_str(), request.account_id.as_str()), ("", "bea"));
        assert!(!format!("{decision:?}").contains(&hers.purchase_id));
    }
    assert_eq!(service.balance("cyd", &hours(1)).await, (100, 0, 0));
    service.stop().await;
}

#[tokio::test]
async fn details_that_contradict_our_records_are_asked_for() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let details = v1::RequestDetails {
        amount_paid: crate::service::usd(998),
        purchased_at: Some(timestamp(&later(NOON, TimeDelta::days(-3)))),
        ..Default::default()
    };
    let wrong = v1::EvaluateRequestRequest {
        details: Some(details),
        ..evaluate("ada", "pay-1", Claim::TechnicalIssue)
    };
    let answer = asked(&service, wrong, &hours(1)).await;
    let (_, decision) = ask("6", &["5.2"]).check(answer, &hours(1));
    assert_eq!(decision.requested_details, ["purchased_at", "amount_paid"]);
    service.stop().await;
}

#[tokio::test]
async fn evidence_that_was_used_in_another_case_goes_to_a_person() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let first = with_evidence("ada", "pay-1", Claim::DuplicatePurchase, 7);
    review("18", &["2.1"]).check(asked(&service, first, &hours(1)).await, &hours(1));
    service.purchase("ada", "pay-2", &days(3)).await;
    let second = with_evidence("ada", "pay-2", Claim::CreditsNotDelivered, 7);
    let (request, _) = review("9", &["3.3", "6"]).check(asked(&service, second, &days(3)).await, &days(3));
    nothing_moved(&service, "ada", &request, (100, 0, 0), &days(3)).await;
    taken_back(&service, &request, &days(3)).await;
    let fresh = with_evidence("ada", "pay-2", Claim::CreditsNotDelivered, 8);
    approve("10", &["2.3"]).check(asked(&service, fresh, &days(3)).await, &days(3));
    service.stop().await;
}
