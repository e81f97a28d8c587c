//! The same call sent again: one effect, and the same answer.

use crate::service::{
    Service, capture, chargeback, delivery, evaluate, hold, is_replayed, purchase, reason, refund_result,
    release, request_id, restore, when,
};
use makegood::proto::makegood::v1;
use prost::Message;
use tonic::{Code, Response, Status};
use v1::{ChargebackEventKind as Event, Claim, RefundResult};

const NOON: &str = "2025-03-03T12:00:00Z";
const LATER: &str = "2025-03-04T08:00:00Z";

/// Holds a first answer, the answer to the same call later, and the refusal of another body with its id against
/// each other; nothing is written after the first.
async fn hold_against<T: Message + PartialEq + std::fmt::Debug>(
    service: &Service,
    method: &str,
    rows: i64,
    first: &Response<T>,
    again: Result<Response<T>, Status>,
    other: Result<Response<T>, Status>,
) {
    let again = again.unwrap();
    assert!(!is_replayed(first) && is_replayed(&again), "{method}");
    assert_eq!(first.get_ref(), again.get_ref(), "{method}");
    assert_eq!(first.get_ref().encode_to_vec(), again.get_ref().encode_to_vec(), "{method}");
    let reused = (Code::FailedPrecondition, "IDEMPOTENCY_KEY_REUSED".to_owned());
    assert_eq!(reason(other), reused, "{method}");
    assert_eq!(service.rows().await, rows, "{method} wrote again");
}

/// Sends a call, the same one later, and another body under its id; and gives its answer.
macro_rules! sent_again {
    ($service:expr, $client:ident, $method:ident, $request:expr, $field:ident = $other:expr) => {{
        let request = $request;
        let mut other = request.clone();
        other.$field = $other;
        let first = $service.$client().$method(when(NOON, request.clone())).await.unwrap();
        let rows = $service.rows().await;
        let again = $service.$client().$method(when(LATER, request)).await;
        let other = $service.$client().$method(when(LATER, other)).await;
        hold_against(&$service, stringify!($method), rows, &first, again, other).await;
        first.into_inner()
    }};
}

#[tokio::test]
async fn every_mutation_answers_the_same_again_and_refuses_another_body() {
    let service = Service::start().await;
    let two = Some(v1::deliver_credits_request::Outcome::Credits(2));
    let other_cause = "gpu_error".to_owned();
    for payment_id in ["pay-1", "pay-2"] {
        let request = purchase("ada", payment_id, NOON);
        sent_again!(service, credits, record_purchase, request, credits = 99);
        let request = delivery("ada", payment_id, 100, NOON);
        sent_again!(service, credits, deliver_credits, request, outcome = two.clone());
    }
    sent_again!(service, credits, hold_credits, hold("ada", "job-1", 10), credits = 11);
    let charged =
        sent_again!(service, credits, capture_credits, capture("ada", "job-1"), delivered_outputs = Some(0));
    assert_eq!(charged.usage.unwrap().captured, 10);
    let request = restore("ada", "job-1", "worker_crash", NOON);
    sent_again!(service, credits, restore_credits, request, cause = other_cause.clone());
    sent_again!(service, credits, hold_credits, hold("ada", "job-2", 10), attempt = 2);
    sent_again!(service, credits, release_credits, release("ada", "job-2"), attempt = 2);
    let request = evaluate("ada", "pay-2", Claim::DuplicatePurchase);
    let other = i32::from(Claim::Other);
    let mut opened =
        sent_again!(service, refunds, evaluate_request, request, claim = other).refund_request.unwrap();
    let refund_id = opened.refunds.remove(0).refund_id;
    let request = refund_result("ada", &refund_id, RefundResult::Submitted, NOON);
    let other = i32::from(RefundResult::Unknown);
    sent_again!(service, refunds, record_refund_result, request, result = other);
    let request = chargeback("pay-1", "dp-1", Event::Opened, NOON);
    sent_again!(service, refunds, record_chargeback, request, event = Event::Lost.into());
    let request = chargeback("pay-9", "dp-9", Event::Opened, NOON);
    sent_again!(service, refunds, record_chargeback, request, event = Event::Lost.into());
    service.audited().await;
}

#[tokio::test]
async fn a_refusal_is_told_again_even_when_the_call_would_succeed_now() {
    let service = Service::start().await;
    service.purchase("ada", "pay-1", NOON).await;
    service.deliver("ada", "pay-1", 40, NOON).await;
    let request = hold("ada", "job-1", 50);
    let first = service.credits().hold_credits(when(NOON, request.clone())).await.unwrap_err();
    assert!(first.metadata().get("idempotency-replayed").is_none());
    service.deliver("ada", "pay-1", 60, NOON).await;
    let again = service.credits().hold_credits(when(LATER, request.clone())).await.unwrap_err();
    assert_eq!((first.code(), first.message()), (again.code(), again.message()));
    assert_eq!(reason::<()>(Err(first)), reason::<()>(Err(again.clone())));
    assert_eq!(again.metadata().get("idempotency-replayed").unwrap(), "true");
    let anew = v1::HoldCreditsRequest { request_id: request_id(), ..request };
    service.credits().hold_credits(when(LATER, anew)).await.unwrap();
    assert_eq!(service.balance("ada", LATER).await, (50, 50, 0));
    service.audited().await;
}

#[tokio::test]
async fn what_was_not_found_may_arrive_and_is_then_found_under_the_same_id() {
    let service = Service::start().await;
    let (deliver, taken) = (delivery("ada", "pay-1", 100, NOON), capture("ada", "job-1"));
    let early = service.credits().deliver_credits(when(NOON, deliver.clone())).await;
    assert_eq!(reason(early).1, "ACCOUNT_NOT_FOUND");
    service.purchase("ada", "pay-1", NOON).await;
    service.credits().deliver_credits(when(NOON, deliver)).await.unwrap();
    let early = service.credits().capture_credits(when(NOON, taken.clone())).await;
    assert_eq!(reason(early).1, "USAGE_NOT_FOUND");
    service.credits().hold_credits(when(NOON, hold("ada", "job-1", 10))).await.unwrap();
    let charged = service.credits().capture_credits(when(NOON, taken)).await.unwrap();
    assert!(!is_replayed(&charged));
    assert_eq!(service.balance("ada", NOON).await, (90, 0, 0));
    service.audited().await;
}

#[tokio::test]
async fn ids_of_different_methods_and_accounts_never_meet() {
    let service = Service::start().await;
    let id = request_id();
    for (account_id, payment_id) in [("ada", "pay-1"), ("bob", "pay-2")] {
        let request_id = id.clone();
        let request = v1::RecordPurchaseRequest { request_id, ..purchase(account_id, payment_id, NOON) };
        service.credits().record_purchase(when(NOON, request)).await.unwrap();
        let request_id = id.clone();
        let request = v1::DeliverCreditsRequest { request_id, ..delivery(account_id, payment_id, 100, NOON) };
        service.credits().deliver_credits(when(NOON, request)).await.unwrap();
        assert_eq!(service.balance(account_id, NOON).await, (100, 0, 0));
    }
    service.audited().await;
}

/// One day of calls whose order matters, each sent as it stands.
struct Day {
    purchases: Vec<v1::RecordPurchaseRequest>,
    deliveries: Vec<v1::DeliverCreditsRequest>,
    holds: Vec<v1::HoldCreditsRequest>,
    capture: v1::CaptureCreditsRequest,
    release: v1::ReleaseCreditsRequest,
    failure: v1::RestoreCreditsRequest,
    claim: v1::EvaluateRequestRequest,
    news: Vec<v1::RecordChargebackRequest>,
}

impl Day {
    fn plan() -> Self {
        let payments = ["pay-1", "pay-2", "pay-3"];
        Self {
            purchases: payments.map(|payment_id| purchase("ada", payment_id, NOON)).to_vec(),
            deliveries: payments.map(|payment_id| delivery("ada", payment_id, 100, NOON)).to_vec(),
            holds: ["job-1", "job-2"].map(|job_id| hold("ada", job_id, 10)).to_vec(),
            capture: capture("ada", "job-1"),
            release: release("ada", "job-2"),
            failure: restore("ada", "job-1", "worker_crash", NOON),
            claim: evaluate("ada", "pay-2", Claim::DuplicatePurchase),
            news: vec![
                chargeback("pay-3", "dp-1", Event::Opened, NOON),
                chargeback("pay-3", "dp-1", Event::Lost, NOON),
                chargeback("pay-3", "dp-1", Event::Won, NOON),
            ],
        }
    }

    /// Sends everything; refusals are answers too.
    async fn send(&self, service: &Service) {
        for request in &self.purchases {
            service.credits().record_purchase(when(NOON, request.clone())).await.unwrap();
        }
        for request in &self.deliveries {
            drop(service.credits().deliver_credits(when(NOON, request.clone())).await);
        }
        for request in &self.holds {
            drop(service.credits().hold_credits(when(NOON, request.clone())).await);
        }
        drop(service.credits().capture_credits(when(NOON, self.capture.clone())).await);
        drop(service.credits().release_credits(when(NOON, self.release.clone())).await);
        drop(service.credits().restore_credits(when(NOON, self.failure.clone())).await);
        drop(service.refunds().evaluate_request(when(LATER, self.claim.clone())).await);
        for request in &self.news {
            service.refunds().record_chargeback(when(LATER, request.clone())).await.unwrap();
        }
    }
}

#[tokio::test]
async fn everything_sent_again_has_no_second_effect_when_the_keys_are_gone() {
    let service = Service::start().await;
    let day = Day::plan();
    day.send(&service).await;
    let effects = async || {
        let mut database = service.database().await;
        let sums: (i64, i64, i64, i64, i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM entry), (SELECT count(*) FROM lot), (SELECT count(*) FROM refund),
                (SELECT count(*) FROM usage), (SELECT count(*) FROM delivery), (SELECT count(*) FROM restriction),
                (SELECT count(*) FROM chargeback_event)",
        )
        .fetch_one(&mut database)
        .await
        .unwrap();
        (sums, service.balance("ada", LATER).await)
    };
    let before = effects().await;
    assert_eq!((before.0.2, before.0.6, before.1), (1, 3, (200, 0, 0)));
    sqlx::query("DELETE FROM idempotency_key").execute(&mut service.database().await).await.unwrap();
    day.send(&service).await;
    assert_eq!(effects().await, before);
    service.audited().await;
}
