//! Questions that nobody answers: the request expires by the policy's term, by the sweep or by the next request.

use super::*;
use crate::service::{instant, reason, timestamp};
use makegood::clock::Clock;
use makegood::policy::SHIPPED;
use tonic::Code;

/// The instant at which a question of noon has run out.
const RUN_OUT: &str = "2025-04-02T12:00:00Z";

#[tokio::test]
async fn a_question_that_nobody_answers_ends_its_request() {
    let service = Service::start().await;
    let request = asked(&service).await;
    assert_eq!(request.expires_at, Some(timestamp(RUN_OUT)));
    let desk = service.desk().await;
    let early = instant(RUN_OUT) - TimeDelta::microseconds(1);
    assert_eq!(desk.sweep(Clock::fixed(early), 100).await.unwrap().requests, 0);
    let swept = desk.sweep(Clock::fixed(instant(RUN_OUT)), 100).await.unwrap();
    assert_eq!((swept.requests, swept.is_complete), (1, true));
    let expired = case(&service, &request.refund_request_id).await;
    assert_eq!((expired.stage(), expired.closed_at), (Stage::Expired, Some(timestamp(RUN_OUT))));
    assert_eq!(desk.sweep(Clock::fixed(instant(RUN_OUT)), 100).await.unwrap().requests, 0);
    let late = provide(&service, RUN_OUT, information(&request, "Here I am.")).await;
    assert_eq!(reason(late), (Code::FailedPrecondition, "REQUEST_STAGE_CONFLICT".to_owned()));
    service.audited().await;
}

#[tokio::test]
async fn an_answer_in_the_last_moment_counts_and_one_after_it_does_not_whether_swept_or_not() {
    let service = Service::start().await;
    let request = asked(&service).await;
    let late = provide(&service, RUN_OUT, information(&request, "Here I am.")).await;
    let status = late.unwrap_err();
    assert!(status.message().contains("expired"), "{status:?}");
    assert_eq!(case(&service, &request.refund_request_id).await.stage(), Stage::AwaitingInformation);
    // A new request about the same purchase needs no sweep either.
    let again = opened(&service, "pay-1", Claim::Other, RUN_OUT).await;
    assert_eq!(again.stage(), Stage::InReview);
    assert_eq!(case(&service, &request.refund_request_id).await.stage(), Stage::Expired);
    service.bought("bea", "pay-2", NOON).await;
    let asked = evaluate("bea", "pay-2", Claim::DuplicatePurchase);
    let answer = service.refunds().evaluate_request(by(SHOP, NOON, asked)).await.unwrap().into_inner();
    let beas = v1::ProvideInformationRequest {
        account_id: "bea".to_owned(),
        ..information(&answer.refund_request.unwrap(), "Just in time.")
    };
    both(provide(&service, "2025-04-02T11:59:59.999999Z", beas).await);
    service.audited().await;
}

#[tokio::test]
async fn a_policy_without_a_term_lets_a_question_wait_for_ever() {
    let line = SHIPPED.lines().find(|line| line.starts_with("question_term")).unwrap();
    let document = SHIPPED.replace(line, "").replace("    \"question_term\",\n", "");
    let service = Service::start_with(&document).await;
    let request = asked(&service).await;
    assert_eq!(request.expires_at, None);
    let swept = service.desk().await.sweep(Clock::fixed(instant("2090-01-01T00:00:00Z")), 100).await.unwrap();
    assert_eq!(swept.requests, 0);
    both(provide(&service, "2026-03-03T12:00:00Z", information(&request, "Here I am.")).await);
    service.audited().await;
}
