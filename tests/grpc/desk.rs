//! The desk: what becomes of a request after it was opened, by the customer, by persons and by time.

mod bad_input;
mod callers;
mod calls;
mod expiry;
mod information;
mod queue;
mod races;
mod resolution;
mod results;
mod tables;
mod withdrawal;

use crate::canary::words;
use crate::service::{Service, by_payment, evaluate, later, request_id, when};
use chrono::TimeDelta;
use makegood::proto::makegood::v1;
use tonic::{Request, Response, Status};
use v1::resolve_refund_request_request as resolve;
use v1::{Claim, Outcome, RefundRequestStage as Stage};

/// A Monday.
const NOON: &str = "2025-03-03T12:00:00Z";
/// A day later: the first one on which somebody answers.
const TUESDAY: &str = "2025-03-04T12:00:00Z";

const MARIA: &str = "agent:maria";
const KIM: &str = "agent:kim";
const SHOP: &str = "frontend:shop";

/// A call by somebody whose test clock stands at an instant.
fn by<T>(caller: &str, at: &str, message: T) -> Request<T> {
    let mut request = when(at, message);
    request.metadata_mut().insert("makegood-test-caller", caller.parse().unwrap());
    request
}

fn days(days: i64) -> String {
    later(NOON, TimeDelta::days(days))
}

/// A request of Ada's about a payment, opened by the shop.
async fn opened(service: &Service, payment_id: &str, claim: Claim, at: &str) -> v1::RefundRequest {
    opened_as(service, evaluate("ada", payment_id, claim), at).await
}

async fn opened_as(service: &Service, request: v1::EvaluateRequestRequest, at: &str) -> v1::RefundRequest {
    let answer = service.refunds().evaluate_request(by(SHOP, at, request)).await.unwrap().into_inner();
    answer.refund_request.unwrap()
}

/// A request of Ada's that goes to a person, by row 30: 100 credits bought for 9.99 USD, none used.
async fn in_review(service: &Service) -> v1::RefundRequest {
    service.bought("ada", "pay-1", NOON).await;
    let request = opened(service, "pay-1", Claim::Other, NOON).await;
    assert_eq!(request.stage(), Stage::InReview);
    request
}

/// A request of Ada's about a double payment that our records do not show: row 17 asks for papers.
async fn asked(service: &Service) -> v1::RefundRequest {
    service.bought("ada", "pay-1", NOON).await;
    let request = opened(service, "pay-1", Claim::DuplicatePurchase, NOON).await;
    assert_eq!(request.stage(), Stage::AwaitingInformation);
    request
}

async fn case(service: &Service, id: &str) -> v1::RefundRequest {
    case_for(service, "auditor:ann", id).await
}

async fn case_for(service: &Service, caller: &str, id: &str) -> v1::RefundRequest {
    let query =
        v1::GetRefundRequestRequest { account_id: "ada".to_owned(), refund_request_id: id.to_owned() };
    let answer = service.refunds().get_refund_request(by(caller, TUESDAY, query)).await.unwrap();
    answer.into_inner().refund_request.unwrap()
}

fn information(request: &v1::RefundRequest, explanation: &str) -> v1::ProvideInformationRequest {
    v1::ProvideInformationRequest {
        request_id: request_id(),
        account_id: request.account_id.clone(),
        refund_request_id: request.refund_request_id.clone(),
        details: Some(v1::RequestDetails { explanation: explanation.to_owned(), ..Default::default() }),
        ..Default::default()
    }
}

fn withdrawal(request: &v1::RefundRequest) -> v1::WithdrawRefundRequestRequest {
    v1::WithdrawRefundRequestRequest {
        request_id: request_id(),
        account_id: request.account_id.clone(),
        refund_request_id: request.refund_request_id.clone(),
        reason: String::new(),
    }
}

/// A person's decision about a request as it was read.
fn resolution(
    request: &v1::RefundRequest,
    resolution: resolve::Resolution,
) -> v1::ResolveRefundRequestRequest {
    v1::ResolveRefundRequestRequest {
        request_id: request_id(),
        account_id: request.account_id.clone(),
        refund_request_id: request.refund_request_id.clone(),
        etag: request.etag.clone(),
        reason: words("looked at it"),
        resolution: Some(resolution),
        ..Default::default()
    }
}

fn approval(kinds: &[v1::RemedyKind]) -> resolve::Resolution {
    let remedy = |kind: &v1::RemedyKind| v1::Remedy { kind: (*kind).into(), ..Default::default() };
    let remedies = kinds.iter().map(remedy).collect();
    resolve::Resolution::Approve(resolve::Approve { remedies, ..Default::default() })
}

fn denial() -> resolve::Resolution {
    let sentence = words("We decline late requests when the credits are heavily used (§5.3).");
    resolve::Resolution::Deny(resolve::Deny { clauses: vec!["5.3".to_owned()], sentence })
}

const fn keep() -> resolve::Resolution {
    resolve::Resolution::Keep(resolve::Keep {})
}

type Answer<T> = Result<Response<T>, Status>;

async fn provide(
    service: &Service,
    at: &str,
    request: v1::ProvideInformationRequest,
) -> Answer<v1::ProvideInformationResponse> {
    service.refunds().provide_information(by(SHOP, at, request)).await
}

async fn withdraw(
    service: &Service,
    at: &str,
    request: v1::WithdrawRefundRequestRequest,
) -> Answer<v1::WithdrawRefundRequestResponse> {
    service.refunds().withdraw_refund_request(by(SHOP, at, request)).await
}

async fn resolve_by(
    service: &Service,
    caller: &str,
    at: &str,
    request: v1::ResolveRefundRequestRequest,
) -> Answer<v1::ResolveRefundRequestResponse> {
    service.refunds().resolve_refund_request(by(caller, at, request)).await
}

/// The request and the decision of an answer that has both.
fn both(answer: Answer<v1::ProvideInformationResponse>) -> (v1::RefundRequest, v1::Decision) {
    let answer = answer.unwrap().into_inner();
    (answer.refund_request.unwrap(), answer.decision.unwrap())
}
