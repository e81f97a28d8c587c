//! §4.2: what becomes of a refund at the processor.

use super::*;
use crate::canary::words;
use crate::service::{Service, fields, reason, refund_result};
use tonic::Code;
use v1::{RefundResult, RefundStage};

/// A duplicate whose refund is on its way; answers its refund's id.
async fn approved(service: &Service) -> String {
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-2", NOON).await;
    let answer = service.claim("ada", "pay-2", Claim::DuplicatePurchase, &hours(1)).await;
    let (request, _) = approve("14", &["2.1"]).check(answer, &hours(1));
    request.refunds.first().unwrap().refund_id.clone()
}

async fn told(
    service: &Service,
    refund_id: &str,
    result: RefundResult,
    at: &str,
) -> v1::RecordRefundResultResponse {
    let provider_refund_id = format!("re-{refund_id}");
    let request =
        v1::RecordRefundResultRequest { provider_refund_id, ..refund_result("ada", refund_id, result, at) };
    service.refunds().record_refund_result(when(at, request)).await.unwrap().into_inner()
}

#[tokio::test]
async fn money_that_arrived_settles_the_request() {
    let service = Service::start().await;
    let refund_id = approved(&service).await;
    let on_its_way = told(&service, &refund_id, RefundResult::Submitted, &hours(2)).await;
    assert_eq!(on_its_way.refund.unwrap().stage(), RefundStage::Submitted);
    assert_eq!(on_its_way.refund_request.unwrap().stage(), RefundRequestStage::Approved);
    let settled = told(&service, &refund_id, RefundResult::Succeeded, &days(2)).await;
    let refund = settled.refund.unwrap();
    assert_eq!(refund.stage(), RefundStage::Succeeded);
    assert_eq!(
        (refund.submitted_at, refund.settled_at),
        (Some(timestamp(&hours(2))), Some(timestamp(&days(2))))
    );
    assert_eq!(settled.refund_request.unwrap().stage(), RefundRequestStage::Settled);
    assert_eq!(settled.balance.unwrap().available, 100);
    let now = reread(&service, &purchase("ada", "pay-2", NOON), &days(2)).await;
    assert_eq!((now.refunded.unwrap().minor_units, now.refund_pending.unwrap().minor_units), (999, 0));
    let rows = service.rows().await;
    told(&service, &refund_id, RefundResult::Succeeded, &days(3)).await;
    assert_eq!(service.rows().await, rows, "the same news again changes nothing");
    service.stop().await;
}

#[tokio::test]
async fn a_refund_that_failed_gives_the_credits_back_and_can_be_decided_again() {
    let service = Service::start().await;
    let refund_id = approved(&service).await;
    let failed = told(&service, &refund_id, RefundResult::Failed, &hours(2)).await;
    let refund = failed.refund.unwrap();
    assert_eq!((refund.stage(), refund.failure_reason), (RefundStage::Failed, words("account closed")));
    let reopened = failed.refund_request.unwrap();
    assert_eq!(reopened.stage(), RefundRequestStage::InReview);
    taken_back(&service, &reopened, &hours(2)).await;
    assert_eq!(failed.balance.unwrap().available, 200);
    let now = reread(&service, &purchase("ada", "pay-2", NOON), &hours(2)).await;
    assert_eq!((now.refunded_credits, now.refund_pending.unwrap().minor_units), (0, 0));
    let answer = service.claim("ada", "pay-2", Claim::DuplicatePurchase, &hours(3)).await;
    let (request, decision) = approve("14", &["2.1"]).check(answer, &hours(3));
    assert_eq!(figures(&decision.remedies), [(RemedyKind::RefundFull, 100, Some(999))]);
    assert_ne!(request.refunds.first().unwrap().refund_id, refund_id);
    service.stop().await;
}

#[tokio::test]
async fn money_that_came_back_after_it_had_arrived_reopens_the_case() {
    let service = Service::start().await;
    let refund_id = approved(&service).await;
    told(&service, &refund_id, RefundResult::Succeeded, &days(2)).await;
    let bounced = told(&service, &refund_id, RefundResult::Failed, &days(5)).await;
    assert_eq!(bounced.refund.unwrap().stage(), RefundStage::Failed);
    assert_eq!(bounced.refund_request.unwrap().stage(), RefundRequestStage::InReview);
    assert_eq!(bounced.balance.unwrap().available, 200);
    let now = reread(&service, &purchase("ada", "pay-2", NOON), &days(5)).await;
    assert_eq!((now.refunded.unwrap().minor_units, now.refund_pending.unwrap().minor_units), (0, 0));
    service.stop().await;
}

#[tokio::test]
async fn a_success_after_a_failure_is_a_conflict_and_changes_nothing() {
    let service = Service::start().await;
    let refund_id = approved(&service).await;
    told(&service, &refund_id, RefundResult::Failed, &hours(2)).await;
    let rows = service.rows().await;
    let request = v1::RecordRefundResultRequest {
        provider_refund_id: format!("re-{refund_id}"),
        ..refund_result("ada", &refund_id, RefundResult::Succeeded, &hours(3))
    };
    let refused = service.refunds().record_refund_result(when(&hours(3), request)).await;
    assert_eq!(reason(refused), (Code::FailedPrecondition, "REFUND_STAGE_CONFLICT".to_owned()));
    assert_eq!(service.rows().await, rows);
    assert_eq!(service.balance("ada", &hours(3)).await, (200, 0, 0));
    service.stop().await;
}

#[tokio::test]
async fn a_processors_refund_id_belongs_to_one_refund() {
    let service = Service::start().await;
    let first = approved(&service).await;
    service.bought("ada", "pay-3", NOON).await;
    let answer = service.claim("ada", "pay-3", Claim::DuplicatePurchase, &hours(1)).await;
    let (request, _) = approve("14", &["2.1"]).check(answer, &hours(1));
    let second = request.refunds.first().unwrap().refund_id.clone();
    told(&service, &first, RefundResult::Succeeded, &hours(2)).await;
    let rows = service.rows().await;
    let mut taken = refund_result("ada", &second, RefundResult::Succeeded, &hours(2));
    taken.provider_refund_id = format!("re-{first}");
    let refused = service.refunds().record_refund_result(when(&hours(2), taken)).await;
    assert_eq!(fields(refused), ["provider_refund_id"]);
    let mut renamed = refund_result("ada", &first, RefundResult::Succeeded, &hours(2));
    renamed.provider_refund_id = "re-other".to_owned();
    let refused = service.refunds().record_refund_result(when(&hours(2), renamed)).await;
    assert_eq!(fields(refused), ["provider_refund_id"]);
    assert_eq!(service.rows().await, rows);
    service.stop().await;
}

#[tokio::test]
async fn a_strangers_refund_cannot_be_settled() {
    let service = Service::start().await;
    let refund_id = approved(&service).await;
    service.bought("bea", "pay-9", NOON).await;
    let rows = service.rows().await;
    let request = v1::RecordRefundResultRequest {
        provider_refund_id: "re-1".to_owned(),
        ..refund_result("bea", &refund_id, RefundResult::Succeeded, &hours(2))
    };
    let refused = service.refunds().record_refund_result(when(&hours(2), request)).await;
    assert_eq!(reason(refused), (Code::NotFound, "REFUND_NOT_FOUND".to_owned()));
    assert_eq!(service.rows().await, rows);
    service.stop().await;
}
