//! Money that goes back by two ways at once: ours and the bank's. Nothing is paid twice.

use crate::canary::words;
use crate::service::{Service, capture, delivery, hold, reason, refund_result, release, when};
use makegood::proto::makegood::v1;
use tonic::Code;
use v1::{ChargebackEventKind as Event, Claim, Outcome, RefundRequestStage, RefundResult, RefundStage};

const NOON: &str = "2025-03-03T12:00:00Z";
const ONE: &str = "2025-03-03T13:00:00Z";
const DAY_1: &str = "2025-03-04T12:00:00Z";
const DAY_4: &str = "2025-03-07T12:00:00Z";
const DAY_9: &str = "2025-03-12T12:00:00Z";

/// Two equal payments, the second refunded: the case and the refund.
async fn double_click(service: &Service) -> (v1::RefundRequest, v1::Refund) {
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-2", NOON).await;
    let answer = service.claim("ada", "pay-2", Claim::DuplicatePurchase, ONE).await;
    assert_eq!(answer.decision.unwrap().outcome(), Outcome::Approve);
    let case = answer.refund_request.unwrap();
    let refund = case.refunds[0].clone();
    assert_eq!((refund.stage(), refund.credits), (RefundStage::Pending, 100));
    (case, refund)
}

async fn settle(
    service: &Service,
    refund_id: &str,
    result: RefundResult,
    at: &str,
) -> v1::RecordRefundResultResponse {
    let request = refund_result("ada", refund_id, result, at);
    service.refunds().record_refund_result(when(at, request)).await.unwrap().into_inner()
}

async fn case(service: &Service, id: &str) -> v1::RefundRequest {
    let request =
        v1::GetRefundRequestRequest { account_id: "ada".to_owned(), refund_request_id: id.to_owned() };
    let answer = service.refunds().get_refund_request(when(DAY_9, request)).await.unwrap();
    answer.into_inner().refund_request.unwrap()
}

#[tokio::test]
async fn a_dispute_stops_a_refund_that_has_not_left_and_sends_its_case_to_a_person() {
    let service = Service::start().await;
    let (request, refund) = double_click(&service).await;
    assert_eq!(service.line("pay-2", "purchase").await, [0, 0, 0, 0, 0, 0, 100]);
    let opened = service.dispute("pay-2", "dp-1", Event::Opened, DAY_1).await;
    assert_eq!(opened.canceled_refund_ids, std::slice::from_ref(&refund.refund_id));
    assert_eq!(service.line("pay-2", "purchase").await, [0, 0, 100, 0, 0, 0, 0]);
    let case = case(&service, &request.refund_request_id).await;
    assert_eq!(
        (case.stage(), case.refunds[0].stage()),
        (RefundRequestStage::InReview, RefundStage::Canceled)
    );
    let late = refund_result("ada", &refund.refund_id, RefundResult::Succeeded, DAY_4);
    let refused = service.refunds().record_refund_result(when(DAY_4, late)).await;
    assert_eq!(reason(refused), (Code::FailedPrecondition, "REFUND_STAGE_CONFLICT".to_owned()));
    service.dispute("pay-2", "dp-1", Event::Lost, DAY_9).await;
    assert_eq!(service.line("pay-2", "purchase").await, [0, 0, 0, 0, 0, 100, 0]);
    service.audited().await;
}

#[tokio::test]
async fn a_dispute_lets_a_refund_stand_that_has_left_and_sends_its_case_to_a_person() {
    let service = Service::start().await;
    let (request, refund) = double_click(&service).await;
    settle(&service, &refund.refund_id, RefundResult::Submitted, DAY_1).await;
    let opened = service.dispute("pay-2", "dp-1", Event::Opened, DAY_1).await;
    assert!(opened.canceled_refund_ids.is_empty());
    assert_eq!(case(&service, &request.refund_request_id).await.stage(), RefundRequestStage::InReview);
    let settled = settle(&service, &refund.refund_id, RefundResult::Succeeded, DAY_4).await;
    assert_eq!(settled.refund.unwrap().stage(), RefundStage::Succeeded);
    assert_eq!(
        settled.refund_request.unwrap().stage(),
        RefundRequestStage::InReview,
        "still with the person"
    );
    let lost = service.dispute("pay-2", "dp-1", Event::Lost, DAY_9).await.chargeback.unwrap();
    assert_eq!((lost.revoked_credits, lost.shortfall_credits), (0, 0), "refunded credits were not spent");
    assert_eq!(service.line("pay-2", "purchase").await, [0, 0, 0, 0, 0, 0, 100]);
    service.audited().await;
}

#[tokio::test]
async fn a_refund_that_fails_after_the_dispute_was_lost_gives_no_credits_back() {
    let service = Service::start().await;
    let (_, refund) = double_click(&service).await;
    settle(&service, &refund.refund_id, RefundResult::Submitted, DAY_1).await;
    service.dispute("pay-2", "dp-1", Event::Lost, DAY_4).await;
    settle(&service, &refund.refund_id, RefundResult::Failed, DAY_9).await;
    assert_eq!(service.line("pay-2", "purchase").await, [0, 0, 0, 0, 0, 100, 0]);
    service.dispute("pay-2", "dp-1", Event::Won, DAY_9).await;
    assert_eq!(service.line("pay-2", "purchase").await, [100, 0, 0, 0, 0, 0, 0]);
    service.audited().await;
}

#[tokio::test]
async fn a_refund_that_fails_gives_its_credits_back_once_and_its_case_to_a_person() {
    let service = Service::start().await;
    let (_, refund) = double_click(&service).await;
    for _ in 0..2 {
        let failed = settle(&service, &refund.refund_id, RefundResult::Failed, DAY_1).await;
        assert_eq!(failed.refund_request.unwrap().stage(), RefundRequestStage::InReview);
        assert_eq!(service.balance("ada", DAY_1).await, (200, 0, 0));
    }
    service.audited().await;
}

/// 100 bought, 60 delivered, 20 of them used, 10 held, the rest never to come: the refund that follows.
async fn never_delivered(service: &Service) -> v1::Refund {
    service.purchase("ada", "pay-1", NOON).await;
    service.deliver("ada", "pay-1", 60, NOON).await;
    service.used("ada", "job-1", 20, NOON).await;
    service.credits().hold_credits(when(NOON, hold("ada", "job-2", 10))).await.unwrap();
    let never = v1::Undeliverable { reason: words("the warehouse burnt down") };
    let outcome = Some(v1::deliver_credits_request::Outcome::Undeliverable(never));
    let request = v1::DeliverCreditsRequest { outcome, ..delivery("ada", "pay-1", 1, NOON) };
    service.credits().deliver_credits(when(NOON, request)).await.unwrap();
    let answer = service.claim("ada", "pay-1", Claim::CreditsNotDelivered, DAY_4).await;
    let decision = answer.decision.unwrap();
    assert_eq!((decision.outcome(), decision.row.as_str()), (Outcome::Approve, "11"), "{decision:?}");
    answer.refund_request.unwrap().refunds.remove(0)
}

#[tokio::test]
async fn a_hold_open_at_refund_time_stays_out_and_what_fails_after_it_is_free_again() {
    let service = Service::start().await;
    let refund = never_delivered(&service).await;
    assert_eq!((refund.credits, refund.amount.unwrap().minor_units), (70, 699));
    assert_eq!(service.line("pay-1", "purchase").await, [0, 10, 0, 20, 0, 0, 30]);
    service.failed("ada", "job-1", "worker_crash", DAY_4).await;
    assert_eq!(service.line("pay-1", "purchase").await, [20, 10, 0, 0, 0, 0, 30]);
    service.credits().release_credits(when(DAY_4, release("ada", "job-2"))).await.unwrap();
    assert_eq!(service.line("pay-1", "purchase").await, [30, 0, 0, 0, 0, 0, 30]);
    service.audited().await;
}

#[tokio::test]
async fn a_delivery_after_the_refund_is_refused_and_after_its_failure_accepted() {
    let service = Service::start().await;
    let refund = never_delivered(&service).await;
    let deliver = || async {
        let request = delivery("ada", "pay-1", 40, DAY_4);
        service.credits().deliver_credits(when(DAY_4, request)).await
    };
    let before = service.rows().await;
    assert_eq!(reason(deliver().await), (Code::FailedPrecondition, "PURCHASE_REFUNDED".to_owned()));
    assert_eq!(service.rows().await, before);
    settle(&service, &refund.refund_id, RefundResult::Failed, DAY_4).await;
    deliver().await.unwrap();
    assert_eq!(service.line("pay-1", "purchase").await, [70, 10, 0, 20, 0, 0, 0]);
    service.credits().capture_credits(when(DAY_9, capture("ada", "job-2"))).await.unwrap();
    service.audited().await;
}

#[tokio::test]
async fn no_money_is_decided_while_the_bank_decides_or_after_it_returned_it() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-2", NOON).await;
    service.dispute("pay-2", "dp-1", Event::Opened, ONE).await;
    let waiting = service.claim("ada", "pay-2", Claim::DuplicatePurchase, ONE).await;
    let open = waiting.decision.unwrap();
    assert_eq!((open.outcome(), open.row.as_str()), (Outcome::Review, "8"));
    service.dispute("pay-2", "dp-1", Event::Lost, DAY_1).await;
    // The purchase has one open request; what the customer tells now is decided anew.
    let told = v1::ProvideInformationRequest {
        request_id: crate::service::request_id(),
        account_id: "ada".to_owned(),
        refund_request_id: waiting.refund_request.unwrap().refund_request_id,
        details: Some(v1::RequestDetails { explanation: words("my bank paid"), ..Default::default() }),
        ..Default::default()
    };
    let answer = service.refunds().provide_information(when(DAY_1, told)).await.unwrap().into_inner();
    let lost = answer.decision.unwrap();
    assert_eq!((lost.outcome(), lost.row.as_str()), (Outcome::Deny, "2"));
    service.audited().await;
}
