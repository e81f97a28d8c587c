//! The refund service.

use super::credits::named;
use super::{Cases, NOON};
use crate::canary::words;
use crate::service::{Service, chargeback, evaluate, refund_result, usd};
use makegood::proto::makegood::v1;
use v1::{ChargebackEventKind, Claim, RefundResult};

fn details(m: &mut v1::EvaluateRequestRequest) -> &mut v1::RequestDetails {
    m.details.get_or_insert_default()
}

fn attempt(m: &mut v1::EvaluateRequestRequest) -> &mut v1::AttemptReference {
    details(m).attempt.get_or_insert_with(|| v1::AttemptReference { job_id: "job-1".to_owned(), attempt: 1 })
}

/// A good paper, to be spoiled.
fn paper(m: &mut v1::EvaluateRequestRequest) -> &mut v1::Evidence {
    let good = v1::Evidence {
        kind: v1::EvidenceKind::Log.into(),
        uri: words("evidence://1"),
        sha256: vec![1; 32],
        size_bytes: 1,
    };
    m.evidence = vec![good.clone(), good];
    m.evidence.last_mut().unwrap()
}

#[tokio::test]
async fn a_refund_request_is_refused_by_the_name_of_its_wrong_field() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let mut cases = Cases::<v1::EvaluateRequestRequest>::new();
    cases.request_id(|m| &mut m.request_id);
    cases.required_id("account_id", 128, |m| &mut m.account_id);
    cases.word("claim", |m| &mut m.claim);
    cases.wrong("purchase", "not named", |m| m.purchase = Some(v1::PurchaseReference { reference: None }));
    named(&mut cases, |m, reference| m.purchase = Some(v1::PurchaseReference { reference: Some(reference) }));
    cases.text("details.account_email", 254, |m| &mut details(m).account_email);
    cases.past("details.purchased_at", |m, time| details(m).purchased_at = time);
    cases.money("details.amount_paid", |m, money| details(m).amount_paid = money);
    cases.text("details.explanation", 4_000, |m| &mut details(m).explanation);
    cases.past("details.attempted_at", |m, time| details(m).attempted_at = time);
    cases.required_id("details.attempt.job_id", 128, |m| &mut attempt(m).job_id);
    cases.attempt("details.attempt.attempt", |m, number| attempt(m).attempt = number);
    cases.word("evidence[1].kind", |m| &mut paper(m).kind);
    cases.required_id("evidence[1].uri", 1_000, |m| &mut paper(m).uri);
    cases.number("evidence[1].sha256", &[0_usize, 31, 33, 64], |m, length| paper(m).sha256 = vec![1; length]);
    cases.number("evidence[1].size_bytes", &[0, -1, 1_000_000_001, i64::MAX, i64::MIN], |m, size| {
        paper(m).size_bytes = size;
    });
    cases.wrong("evidence", "too many", |m| {
        let good = paper(m).clone();
        m.evidence = vec![good; 21];
    });
    let call = async |request| service.refunds().evaluate_request(request).await;
    cases.refused(&service, evaluate("ada", "pay-1", Claim::Other), call).await;
    service.stop().await;
}

#[tokio::test]
async fn a_preview_is_read_as_strictly_but_for_a_missing_request_id() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let mut cases = Cases::<v1::EvaluateRequestRequest>::new();
    cases.wrong("request_id", "malformed", |m| "x".clone_into(&mut m.request_id));
    cases.required_id("account_id", 128, |m| &mut m.account_id);
    cases.word("claim", |m| &mut m.claim);
    let preview = v1::EvaluateRequestRequest {
        request_id: String::new(),
        validate_only: true,
        ..evaluate("ada", "pay-1", Claim::Other)
    };
    let call = async |request| service.refunds().evaluate_request(request).await;
    cases.refused(&service, preview, call).await;
    service.stop().await;
}

#[tokio::test]
async fn a_refund_result_is_refused_by_the_name_of_its_wrong_field() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-2", NOON).await;
    let answer = service.claim("ada", "pay-2", Claim::DuplicatePurchase, NOON).await;
    let refund_id = answer.refund_request.unwrap().refunds.remove(0).refund_id;
    let mut cases = Cases::<v1::RecordRefundResultRequest>::new();
    cases.request_id(|m| &mut m.request_id);
    cases.required_id("account_id", 128, |m| &mut m.account_id);
    cases.own_id("refund_id", |m| &mut m.refund_id);
    cases.word("result", |m| &mut m.result);
    cases.required_id("provider_refund_id", 128, |m| &mut m.provider_refund_id);
    cases.text("failure_reason", 1_000, |m| {
        m.result = RefundResult::Failed.into();
        &mut m.failure_reason
    });
    cases.wrong("failure_reason", "missing", |m| m.result = RefundResult::Failed.into());
    cases.wrong("failure_reason", "of a success", |m| "closed".clone_into(&mut m.failure_reason));
    cases.required_past("occurred_at", |m, time| m.occurred_at = time);
    let good = refund_result("ada", &refund_id, RefundResult::Succeeded, NOON);
    let call = async |request| service.refunds().record_refund_result(request).await;
    cases.refused(&service, good, call).await;
    service.stop().await;
}

#[tokio::test]
async fn a_dispute_is_refused_by_the_name_of_its_wrong_field() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let mut cases = Cases::<v1::RecordChargebackRequest>::new();
    cases.request_id(|m| &mut m.request_id);
    cases.text("account_id", 128, |m| &mut m.account_id);
    cases.required_id("provider", 64, |m| &mut m.provider);
    cases.required_id("dispute_id", 128, |m| &mut m.dispute_id);
    cases.required_id("payment_id", 128, |m| &mut m.payment_id);
    cases.word("event", |m| &mut m.event);
    cases.number("phase", &[99, -1, i32::MAX], |m, number| m.phase = number);
    cases.text("provider_status", 64, |m| &mut m.provider_status);
    cases.text("reason_code", 64, |m| &mut m.reason_code);
    cases.required_money("amount", |m, money| m.amount = money);
    cases.wrong("amount.minor_units", "nothing", |m| m.amount = usd(0));
    cases.required_past("occurred_at", |m, time| m.occurred_at = time);
    cases.text("provider_event_id", 128, |m| &mut m.provider_event_id);
    let call = async |request| service.refunds().record_chargeback(request).await;
    cases.refused(&service, chargeback("pay-1", "dp-1", ChargebackEventKind::Opened, NOON), call).await;
    service.stop().await;
}

#[tokio::test]
async fn a_case_is_refused_by_the_name_of_its_wrong_field() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let answer = service.claim("ada", "pay-1", Claim::Other, NOON).await;
    let mut cases = Cases::<v1::GetRefundRequestRequest>::new();
    cases.required_id("account_id", 128, |m| &mut m.account_id);
    cases.own_id("refund_request_id", |m| &mut m.refund_request_id);
    let good = v1::GetRefundRequestRequest {
        account_id: "ada".to_owned(),
        refund_request_id: answer.refund_request.unwrap().refund_request_id,
    };
    let call = async |request| service.refunds().get_refund_request(request).await;
    cases.refused(&service, good, call).await;
    service.stop().await;
}
