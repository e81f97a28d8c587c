//! Previews, which write nothing, and cases read again.

use super::*;
use crate::canary::words;
use crate::service::{Service, is_replayed, reason};
use tonic::Code;

/// A request with everything that §5.2 asks for.
fn in_full(validate_only: bool) -> v1::EvaluateRequestRequest {
    let details = v1::RequestDetails {
        account_email: words("ada@example.org"),
        purchased_at: Some(timestamp(NOON)),
        amount_paid: crate::service::usd(999),
        explanation: words("I clicked twice\nand paid twice"),
        attempted_at: Some(timestamp(NOON)),
        attempt: Some(v1::AttemptReference { job_id: "job-1".to_owned(), attempt: 1 }),
    };
    v1::EvaluateRequestRequest {
        details: Some(details),
        validate_only,
        ..with_evidence("ada", "pay-2", Claim::DuplicatePurchase, 3)
    }
}

async fn keys(service: &Service) -> i64 {
    let mut database = service.database().await;
    sqlx::query_scalar("SELECT count(*) FROM idempotency_key").fetch_one(&mut database).await.unwrap()
}

#[tokio::test]
async fn a_preview_decides_the_same_bytes_and_writes_nothing() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-2", NOON).await;
    let before = (service.rows().await, keys(&service).await);
    let nameless = v1::EvaluateRequestRequest { request_id: String::new(), ..in_full(true) };
    let preview = asked(&service, nameless, &hours(1)).await;
    asked(&service, in_full(true), &hours(1)).await;
    assert_eq!((service.rows().await, keys(&service).await), before);
    assert_eq!(service.balance("ada", &hours(1)).await, (200, 0, 0));
    assert!(preview.refund_request.is_none(), "a preview opens no request");
    let previewed = preview.decision.unwrap();
    approve("14", &["2.1"]).check_decision(&previewed, &hours(1));
    assert_eq!(previewed.decision_id, "");
    let (_, decision) =
        approve("14", &["2.1"]).check(asked(&service, in_full(false), &hours(1)).await, &hours(1));
    assert_ne!(decision.decision_id, "");
    let named = v1::Decision { decision_id: decision.decision_id.clone(), ..previewed };
    assert_eq!(decision, named, "but for its id");
    service.stop().await;
}

#[tokio::test]
async fn a_case_is_read_as_it_was_answered_and_with_its_texts() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-2", NOON).await;
    let sent = in_full(false);
    let answer = asked(&service, sent.clone(), &hours(1)).await;
    let (answered, decision) = approve("14", &["2.1"]).check(answer, &hours(1));
    let query = v1::GetRefundRequestRequest {
        account_id: "ada".to_owned(),
        refund_request_id: answered.refund_request_id.clone(),
    };
    let read = service.refunds().get_refund_request(when(&hours(2), query)).await.unwrap();
    let read = read.into_inner().refund_request.unwrap();
    assert_eq!(read.details, sent.details, "the texts are there");
    assert_eq!(read.evidence, sent.evidence);
    assert_eq!(read.decisions, [decision]);
    let as_answered = v1::RefundRequest { details: answered.details.clone(), decisions: Vec::new(), ..read };
    assert_eq!(as_answered, answered);
    let told = answered.details.unwrap();
    assert_eq!((told.account_email.as_str(), told.explanation.as_str()), ("", ""));
    service.stop().await;
}

#[tokio::test]
async fn the_same_request_sent_again_has_the_same_answer_and_one_effect() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-2", NOON).await;
    let sent = in_full(false);
    let first = asked(&service, sent.clone(), &hours(1)).await;
    let before = (service.rows().await, keys(&service).await);
    // Days later the facts would decide otherwise; what was answered stands.
    let again = service.refunds().evaluate_request(when(&days(9), sent)).await.unwrap();
    assert!(is_replayed(&again));
    assert_eq!(again.into_inner(), first);
    assert_eq!((service.rows().await, keys(&service).await), before);
    service.stop().await;
}

#[tokio::test]
async fn a_strangers_case_is_not_found() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("bea", "pay-2", NOON).await;
    let answer = service.claim("ada", "pay-1", Claim::ChangeOfMind, &hours(1)).await;
    let id = answer.refund_request.unwrap().refund_request_id;
    let query = |account: &str| v1::GetRefundRequestRequest {
        account_id: account.to_owned(),
        refund_request_id: id.clone(),
    };
    let refused = service.refunds().get_refund_request(when(&hours(1), query("bea"))).await;
    assert_eq!(reason(refused), (Code::NotFound, "REFUND_REQUEST_NOT_FOUND".to_owned()));
    let refused = service.refunds().get_refund_request(when(&hours(1), query("nobody"))).await;
    assert_eq!(reason(refused), (Code::NotFound, "ACCOUNT_NOT_FOUND".to_owned()));
    service.stop().await;
}
