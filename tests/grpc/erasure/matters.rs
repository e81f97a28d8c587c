//! What is under way must be over first, and who may erase.

use super::*;
use crate::service::{evaluate, is_replayed, refund_result, when};
use tonic_types::StatusExt;
use v1::{ChargebackEventKind as Event, Claim};

impl Service {
    /// Refuses to erase Ada, and says for what.
    async fn unerased(&self, at: &str) -> (String, String) {
        let status = self.erase(at, erasure("ada", "by ticket 4711")).await.unwrap_err();
        let info = status.get_details_error_info().unwrap();
        assert_eq!(
            (status.code(), info.reason.as_str()),
            (Code::FailedPrecondition, "ACCOUNT_HAS_OPEN_MATTERS")
        );
        (info.metadata["matter"].clone(), info.metadata["id"].clone())
    }
}

#[tokio::test]
async fn an_open_request_is_decided_or_withdrawn_first() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    for claim in [Claim::DuplicatePurchase, Claim::Other] {
        let open = service.claim("ada", "pay-1", claim, NOON).await.refund_request.unwrap();
        let expected = ("refund_request".to_owned(), open.refund_request_id.clone());
        assert_eq!(service.unerased(NOON).await, expected, "{claim:?}");
        let withdrawal = v1::WithdrawRefundRequestRequest {
            request_id: request_id(),
            account_id: "ada".to_owned(),
            refund_request_id: open.refund_request_id,
            reason: String::new(),
        };
        service.refunds().withdraw_refund_request(when(NOON, withdrawal)).await.unwrap();
    }
    service.erased(NOON, "by ticket 4711").await;
    service.audited().await;
}

#[tokio::test]
async fn money_on_its_way_arrives_first() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-2", NOON).await;
    let answer = service.claim("ada", "pay-2", Claim::DuplicatePurchase, NOON).await;
    let request = answer.refund_request.unwrap();
    assert_eq!(request.stage(), v1::RefundRequestStage::Approved);
    let refund = &request.refunds[0].refund_id;
    assert_eq!(service.unerased(NOON).await.0, "refund_request");
    let paid = refund_result("ada", refund, v1::RefundResult::Succeeded, NOON);
    service.refunds().record_refund_result(when(NOON, paid)).await.unwrap();
    service.erased(AFTER, "by ticket 4711").await;
    // The bank sends it back after all: the case is open again, and goes on without the words.
    let failed = refund_result("ada", refund, v1::RefundResult::Failed, AFTER);
    service.refunds().record_refund_result(when(AFTER, failed)).await.unwrap();
    assert_eq!(service.unerased(AFTER).await, ("refund_request".to_owned(), request.refund_request_id));
    service.audited().await;
}

#[tokio::test]
async fn a_dispute_is_decided_by_the_bank_first() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let open = service.dispute("pay-1", "dp-1", Event::Opened, NOON).await.chargeback.unwrap();
    assert_eq!(service.unerased(NOON).await, ("chargeback".to_owned(), open.chargeback_id));
    service.dispute("pay-1", "dp-1", Event::Lost, AFTER).await;
    service.erased(AFTER, "by ticket 4711").await;
    // Won after all: what the ledger does needs no words.
    service.dispute("pay-1", "dp-1", Event::Won, LATER).await;
    assert_eq!(found_at(&service, None, LATER).await, []);
    service.audited().await;
}

#[tokio::test]
async fn an_erasure_sent_twice_is_one_and_a_bad_one_is_none() {
    let service = Service::start().await;
    let nobody = service.erase(NOON, erasure("ada", "by ticket 4711")).await;
    assert_eq!(reason(nobody), (Code::NotFound, "ACCOUNT_NOT_FOUND".to_owned()));
    service.bought("ada", "pay-1", NOON).await;
    let asked = erasure("ada", "by ticket 4711");
    let first = service.erase(NOON, asked.clone()).await.unwrap();
    assert!(!is_replayed(&first));
    let again = service.erase(AFTER, asked.clone()).await.unwrap();
    assert!(is_replayed(&again));
    assert_eq!(again.into_inner(), first.into_inner());
    let other = v1::EraseAccountRequest { reason: "another".to_owned(), ..asked };
    assert_eq!(reason(service.erase(AFTER, other).await).1, "IDEMPOTENCY_KEY_REUSED");
    for wrong in [erasure("ada", " "), erasure("", "why"), erasure("ada", &"x".repeat(1_001))] {
        assert_eq!(
            reason(service.erase(AFTER, wrong).await),
            (Code::InvalidArgument, "INVALID_FIELD".to_owned())
        );
    }
    for caller in ["agent:kim", "frontend:shop", "auditor:ann", "payments:till", "worker:gpu-1"] {
        let refused = service.accounts().erase_account(by(caller, AFTER, erasure("ada", "why"))).await;
        assert_eq!(reason(refused), (Code::PermissionDenied, "PERMISSION_DENIED".to_owned()), "{caller}");
    }
    let last = service.account("ada").await.last_erasure.unwrap();
    assert_eq!(last.ordinal, 1);
    service.audited().await;
}

#[tokio::test]
async fn who_claims_again_after_an_erasure_is_decided_as_before() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let mut claim = evaluate("ada", "pay-1", Claim::Dissatisfied);
    claim.details.get_or_insert_default().explanation = words("I do not like it");
    let first = service.refunds().evaluate_request(when(NOON, claim.clone())).await.unwrap().into_inner();
    service.erased(AFTER, "by ticket 4711").await;
    let again = v1::EvaluateRequestRequest { request_id: request_id(), ..claim };
    let again = service.refunds().evaluate_request(when(LATER, again)).await.unwrap().into_inner();
    assert_eq!(first.decision.unwrap().row, again.decision.unwrap().row);
    assert_eq!(service.places(CANARY).await, ["request_text.explanation"]);
    service.audited().await;
}
