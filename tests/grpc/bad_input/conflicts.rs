//! Things that are not there, and things that cannot be done as they stand.

use super::{NOON, speaks_of_itself_only, written};
use crate::service::{
    Service, by_payment, capture, chargeback, delivery, evaluate, fields, hold, purchase, refund_result,
    release, request_id, restore, usd, when,
};
use makegood::proto::makegood::v1;
use std::fmt::Debug;
use tonic::{Code, Response, Status};
use tonic_types::StatusExt;
use v1::{ChargebackEventKind as Event, Claim};

const UNKNOWN: &str = "0195561f-9b1c-7000-8000-000000000001";

/// Code and reason of a refusal whose words are in order.
fn refusal<T: Debug>(result: Result<Response<T>, Status>) -> (Code, String) {
    let status = result.unwrap_err();
    speaks_of_itself_only(status.message());
    assert!(!status.message().is_empty());
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.domain, "makegood.v1");
    for (key, value) in &info.metadata {
        speaks_of_itself_only(key);
        speaks_of_itself_only(value);
    }
    (status.code(), info.reason)
}

fn not_found(reason: &str) -> (Code, String) {
    (Code::NotFound, reason.to_owned())
}

fn precondition(reason: &str) -> (Code, String) {
    (Code::FailedPrecondition, reason.to_owned())
}

fn exists(reason: &str) -> (Code, String) {
    (Code::AlreadyExists, reason.to_owned())
}

#[tokio::test]
async fn what_is_not_there_is_not_found_and_nothing_is_written() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let before = written(&service).await;
    let (mut credits, mut refunds) = (service.credits(), service.refunds());
    let nobody = v1::GetBalanceRequest { account_id: "nobody".to_owned() };
    let account = not_found("ACCOUNT_NOT_FOUND");
    assert_eq!(refusal(credits.get_balance(when(NOON, nobody)).await), account);
    assert_eq!(refusal(credits.hold_credits(when(NOON, hold("nobody", "job", 1))).await), account);
    assert_eq!(refusal(credits.capture_credits(when(NOON, capture("nobody", "job"))).await), account);
    assert_eq!(refusal(credits.release_credits(when(NOON, release("nobody", "job"))).await), account);
    let report = restore("nobody", "job", "gpu_error", NOON);
    assert_eq!(refusal(credits.restore_credits(when(NOON, report)).await), account);
    assert_eq!(
        refusal(credits.deliver_credits(when(NOON, delivery("nobody", "pay-1", 1, NOON))).await),
        account
    );
    let request = evaluate("nobody", "pay-1", Claim::Other);
    assert_eq!(refusal(refunds.evaluate_request(when(NOON, request.clone())).await), account);
    let preview = v1::EvaluateRequestRequest { validate_only: true, ..request };
    assert_eq!(refusal(refunds.evaluate_request(when(NOON, preview)).await), account);
    let usage = not_found("USAGE_NOT_FOUND");
    assert_eq!(refusal(credits.capture_credits(when(NOON, capture("ada", "job"))).await), usage);
    assert_eq!(refusal(credits.release_credits(when(NOON, release("ada", "job"))).await), usage);
    let report = restore("ada", "job", "gpu_error", NOON);
    assert_eq!(refusal(credits.restore_credits(when(NOON, report)).await), usage);
    assert_eq!(
        refusal(credits.deliver_credits(when(NOON, delivery("ada", "pay-9", 1, NOON))).await),
        not_found("PURCHASE_NOT_FOUND")
    );
    let query =
        v1::GetRefundRequestRequest { account_id: "ada".to_owned(), refund_request_id: UNKNOWN.to_owned() };
    assert_eq!(
        refusal(refunds.get_refund_request(when(NOON, query)).await),
        not_found("REFUND_REQUEST_NOT_FOUND")
    );
    let result = refund_result("ada", UNKNOWN, v1::RefundResult::Succeeded, NOON);
    assert_eq!(
        refusal(refunds.record_refund_result(when(NOON, result)).await),
        not_found("REFUND_NOT_FOUND")
    );
    assert_eq!(written(&service).await, before);
    service.stop().await;
}

#[tokio::test]
async fn attempts_that_cannot_be_are_refused_by_their_reason() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.used("ada", "done", 10, NOON).await;
    let mut credits = service.credits();
    credits.hold_credits(when(NOON, hold("ada", "open", 10))).await.unwrap();
    let rows = service.rows().await;
    assert_eq!(
        refusal(credits.hold_credits(when(NOON, hold("ada", "big", 81))).await),
        precondition("INSUFFICIENT_CREDITS")
    );
    assert_eq!(
        refusal(credits.hold_credits(when(NOON, hold("ada", "open", 11))).await),
        exists("USAGE_ALREADY_EXISTS")
    );
    assert_eq!(
        refusal(credits.release_credits(when(NOON, release("ada", "done"))).await),
        precondition("USAGE_NOT_HELD")
    );
    let too_many = v1::CaptureCreditsRequest { delivered_outputs: Some(2), ..capture("ada", "open") };
    assert_eq!(fields(credits.capture_credits(when(NOON, too_many)).await), ["delivered_outputs"]);
    assert_eq!(service.rows().await, rows);
    assert_eq!(service.balance("ada", NOON).await, (80, 10, 0));
    service.stop().await;
}

#[tokio::test]
async fn a_restricted_account_is_refused_by_the_reason_of_its_restriction() {
    for (kind, spends, receives) in [
        ("terminated", precondition("ACCOUNT_TERMINATED"), precondition("ACCOUNT_TERMINATED")),
        ("purchase_blocked", (Code::Ok, String::new()), precondition("PURCHASES_BLOCKED")),
    ] {
        let service = Service::start().await;
        service.bought("ada", "pay-1", NOON).await;
        service.restricted("ada", kind, NOON).await;
        // The money was taken, so the payment is recorded; its credits are another matter.
        service.purchase("ada", "pay-2", NOON).await;
        let mut credits = service.credits();
        let delivered = credits.deliver_credits(when(NOON, delivery("ada", "pay-2", 100, NOON))).await;
        assert_eq!(refusal(delivered), receives, "{kind}");
        let held = credits.hold_credits(when(NOON, hold("ada", "job", 1))).await;
        let held = if held.is_ok() { (Code::Ok, String::new()) } else { refusal(held) };
        assert_eq!(held, spends, "{kind}");
        service.stop().await;
    }
}

#[tokio::test]
async fn purchases_and_deliveries_told_otherwise_are_refused_by_their_reason() {
    let service = Service::start().await;
    service.purchase("ada", "pay-1", NOON).await;
    service.deliver("ada", "pay-1", 60, NOON).await;
    let rows = service.rows().await;
    let mut credits = service.credits();
    let dearer = v1::RecordPurchaseRequest { price: usd(1_000), ..purchase("ada", "pay-1", NOON) };
    let mismatch = exists("PURCHASE_MISMATCH");
    assert_eq!(refusal(credits.record_purchase(when(NOON, dearer)).await), mismatch);
    assert_eq!(
        refusal(credits.deliver_credits(when(NOON, delivery("ada", "pay-1", 41, NOON))).await),
        precondition("DELIVERY_EXCEEDS_PURCHASE")
    );
    let other = v1::DeliverCreditsRequest {
        delivery_id: "delivery-pay-1-60".to_owned(),
        ..delivery("ada", "pay-1", 40, NOON)
    };
    assert_eq!(refusal(credits.deliver_credits(when(NOON, other)).await), exists("DELIVERY_CONFLICT"));
    assert_eq!(service.rows().await, rows);
    assert_eq!(service.balance("ada", NOON).await, (60, 0, 0));
    service.bought("bea", "pay-2", NOON).await;
    let stolen =
        v1::DeliverCreditsRequest { purchase: by_payment("pay-1"), ..delivery("bea", "pay-1", 40, NOON) };
    assert_eq!(
        refusal(credits.deliver_credits(when(NOON, stolen)).await),
        not_found("PURCHASE_NOT_FOUND"),
        "a stranger's purchase is none"
    );
    let claimed = purchase("bea", "pay-1", NOON);
    assert_eq!(refusal(credits.record_purchase(when(NOON, claimed)).await), mismatch);
    service.stop().await;
}

#[tokio::test]
async fn a_disputed_or_refunded_purchase_is_refused_by_its_reason() {
    let service = Service::start().await;
    service.purchase("ada", "pay-1", NOON).await;
    service.deliver("ada", "pay-1", 60, NOON).await;
    service.dispute("pay-1", "dp-1", Event::Opened, NOON).await;
    let (mut credits, mut refunds) = (service.credits(), service.refunds());
    assert_eq!(
        refusal(credits.hold_credits(when(NOON, hold("ada", "job", 1))).await),
        precondition("ACCOUNT_SUSPENDED")
    );
    let other = chargeback("pay-2", "dp-1", Event::Updated, NOON);
    assert_eq!(
        refusal(refunds.record_chargeback(when(NOON, other)).await),
        (Code::InvalidArgument, "CHARGEBACK_MISMATCH".to_owned())
    );
    service.dispute("pay-1", "dp-1", Event::Lost, NOON).await;
    let rows = service.rows().await;
    assert_eq!(
        refusal(credits.deliver_credits(when(NOON, delivery("ada", "pay-1", 40, NOON))).await),
        precondition("PURCHASE_REFUNDED")
    );
    assert_eq!(service.rows().await, rows);
    service.stop().await;
}

#[tokio::test]
async fn a_request_id_belongs_to_one_body() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let request_id = request_id();
    let mut credits = service.credits();
    let first = v1::HoldCreditsRequest { request_id: request_id.clone(), ..hold("ada", "job-1", 10) };
    credits.hold_credits(when(NOON, first)).await.unwrap();
    let before = written(&service).await;
    let second = v1::HoldCreditsRequest { request_id, ..hold("ada", "job-2", 10) };
    assert_eq!(
        refusal(credits.hold_credits(when(NOON, second)).await),
        precondition("IDEMPOTENCY_KEY_REUSED")
    );
    assert_eq!(written(&service).await, before);
    service.stop().await;
}
