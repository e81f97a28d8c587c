//! `ProvideInformation`: the customer tells more, and the policy decides again.

use super::*;
use crate::service::{purchase, reason, timestamp};
use tonic::Code;

#[tokio::test]
async fn asked_and_nothing_new_came_so_row_19_denies() {
    let service = Service::start().await;
    let request = asked(&service).await;
    assert_eq!(request.information_asked, ["order_id", "statement"]);
    let told = information(&request, "I only remember the date.");
    let (request, decision) = both(provide(&service, TUESDAY, told).await);
    assert_eq!((decision.row.as_str(), decision.outcome()), ("19", Outcome::Deny));
    assert_eq!(decision.clauses, ["2.1"]);
    assert_eq!(request.stage(), Stage::Denied);
    assert_eq!(request.closed_at, Some(timestamp(TUESDAY)));
    assert_eq!(request.etag, "2");
    // What was asked first stays the first response, whatever is answered later.
    assert_eq!(request.first_responded_at, Some(timestamp(NOON)));
    assert_eq!(request.first_response(), Outcome::RequestInformation);
    let whole = case(&service, &request.refund_request_id).await;
    let rows: Vec<_> = whole.decisions.iter().map(|decision| decision.row.as_str()).collect();
    assert_eq!(rows, ["17", "19"]);
    assert_eq!(whole.details.unwrap().explanation, "I only remember the date.");
    service.audited().await;
}

#[tokio::test]
async fn asked_and_still_unknown_so_row_7_gives_it_to_a_person() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let nameless =
        v1::EvaluateRequestRequest { purchase: None, ..evaluate("ada", "", Claim::TechnicalIssue) };
    let request = opened_as(&service, nameless, NOON).await;
    assert_eq!(request.stage(), Stage::AwaitingInformation);
    let told = v1::ProvideInformationRequest {
        purchase: by_payment("pay-7"),
        ..information(&request, "I think it was this one.")
    };
    let (request, decision) = both(provide(&service, TUESDAY, told).await);
    assert_eq!((decision.row.as_str(), decision.outcome()), ("7", Outcome::Review));
    assert_eq!((request.stage(), request.purchase_id.as_str()), (Stage::InReview, ""));
    service.audited().await;
}

#[tokio::test]
async fn a_reply_starts_a_new_clock_and_what_comes_unasked_does_not() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let nameless = v1::EvaluateRequestRequest { purchase: None, ..evaluate("ada", "", Claim::Other) };
    let request = opened_as(&service, nameless, NOON).await;
    assert_eq!(request.respond_by, Some(timestamp("2025-03-06T12:00:00Z")));
    assert_eq!(request.expires_at, Some(timestamp("2025-04-02T12:00:00Z")));
    // Two weeks later, on a Monday: three business days from the reply, and the age is still that of the receipt.
    let reply = v1::ProvideInformationRequest {
        purchase: by_payment("pay-1"),
        ..information(&request, "It was this one.")
    };
    let (request, decision) = both(provide(&service, "2025-03-17T09:00:00Z", reply).await);
    assert_eq!((decision.row.as_str(), request.stage()), ("30", Stage::InReview));
    assert_eq!(request.received_at, Some(timestamp(NOON)));
    assert_eq!(request.respond_by, Some(timestamp("2025-03-20T09:00:00Z")));
    assert_eq!((request.respond_by, request.expires_at), (decision.respond_by, None));
    let more = information(&request, "By the way.");
    let (request, decision) = both(provide(&service, "2025-03-18T09:00:00Z", more).await);
    assert_eq!(request.respond_by, Some(timestamp("2025-03-20T09:00:00Z")));
    assert_eq!(request.respond_by, decision.respond_by);
    service.audited().await;
}

#[tokio::test]
async fn papers_that_were_asked_for_go_to_a_person_and_older_ones_do_not_count() {
    let service = Service::start().await;
    let request = asked(&service).await;
    let paper = |byte: u8| v1::Evidence {
        kind: v1::EvidenceKind::Statement.into(),
        uri: format!("evidence://papers/{byte}"),
        sha256: vec![byte; 32],
        size_bytes: 1_000,
    };
    let told = v1::ProvideInformationRequest { evidence: vec![paper(1)], ..information(&request, "") };
    let (request, decision) = both(provide(&service, TUESDAY, told).await);
    assert_eq!((decision.row.as_str(), request.stage()), ("18", Stage::InReview));
    assert_eq!(request.evidence.len(), 1);
    // The same paper in another case is recognised, and in its own it stays what it was.
    service.bought("ada", "pay-2", "2025-03-10T12:00:00Z").await;
    let other = v1::EvaluateRequestRequest {
        evidence: vec![paper(1)],
        ..evaluate("ada", "pay-2", Claim::TechnicalIssue)
    };
    let answer = service.refunds().evaluate_request(when("2025-03-10T12:00:00Z", other)).await.unwrap();
    assert_eq!(answer.into_inner().decision.unwrap().row, "9");
    let again = v1::ProvideInformationRequest { evidence: vec![paper(1)], ..information(&request, "") };
    let (request, decision) = both(provide(&service, "2025-03-11T12:00:00Z", again).await);
    assert_eq!((decision.row.as_str(), request.evidence.len()), ("18", 2));
    service.audited().await;
}

#[tokio::test]
async fn a_purchase_that_was_recorded_meanwhile_is_found_by_the_name_it_was_given() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let early = opened(&service, "pay-2", Claim::CreditsNotDelivered, NOON).await;
    assert_eq!((early.stage(), early.purchase_id.as_str()), (Stage::AwaitingInformation, ""));
    let recorded =
        service.credits().record_purchase(when(NOON, purchase("ada", "pay-2", NOON))).await.unwrap();
    let purchase_id = recorded.into_inner().purchase.unwrap().purchase_id;
    let told = information(&early, "Please look again.");
    let (request, decision) = both(provide(&service, TUESDAY, told).await);
    assert_eq!((decision.row.as_str(), request.purchase_id.clone()), ("10", purchase_id));
    assert_eq!((request.stage(), request.restored_credits), (Stage::Settled, 100));
    assert_eq!(service.balance("ada", TUESDAY).await, (200, 0, 0));
    service.audited().await;
}

#[tokio::test]
async fn information_sent_twice_has_one_effect_and_closed_requests_take_none() {
    let service = Service::start().await;
    let request = asked(&service).await;
    let told = information(&request, "I only remember the date.");
    let first = provide(&service, TUESDAY, told.clone()).await.unwrap();
    let again = provide(&service, TUESDAY, told.clone()).await.unwrap();
    assert!(crate::service::is_replayed(&again));
    assert_eq!(first.into_inner(), again.into_inner());
    let late = provide(&service, TUESDAY, information(&request, "One more thing.")).await;
    assert_eq!(reason(late), (Code::FailedPrecondition, "REQUEST_STAGE_CONFLICT".to_owned()));
    assert_eq!(case(&service, &request.refund_request_id).await.decisions.len(), 2);
    service.audited().await;
}
