//! The same thing told many times at once.

use crate::service::{
    Service, capture, chargeback, delivery, hold, is_replayed, purchase, reason, refund_result, request_id,
    restore, when,
};
use makegood::proto::makegood::v1;
use std::future::Future;
use tokio::task::JoinSet;
use v1::{ChargebackEventKind as Event, Claim, RefundResult};

const NOON: &str = "2025-03-03T12:00:00Z";
/// How many tell the same thing at once.
const CROWD: usize = 50;

/// Makes calls at once and gathers what came of them.
async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    calls: impl IntoIterator<Item = F>,
) -> Vec<T> {
    let mut running: JoinSet<T> = calls.into_iter().collect();
    let mut answers = Vec::new();
    while let Some(answer) = running.join_next().await {
        answers.push(answer.unwrap());
    }
    answers
}

/// Makes one call many times at once, each time under an id of its own, and gathers the answers.
macro_rules! crowd {
    ($service:expr, $client:ident, $method:ident, $request:expr) => {{
        let request = $request;
        at_once((0..CROWD).map(|_| {
            let (mut client, mut request) = ($service.$client(), request.clone());
            request.request_id = request_id();
            async move { client.$method(when(NOON, request)).await }
        }))
        .await
    }};
}

#[tokio::test]
async fn identical_calls_at_once_have_one_effect_and_one_answer() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let request = hold("ada", "job-1", 10);
    let answers = at_once((0..CROWD).map(|_| {
        let (mut client, request) = (service.credits(), request.clone());
        async move { client.hold_credits(when(NOON, request)).await.unwrap() }
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| !is_replayed(answer)).count(), 1);
    assert!(answers.windows(2).all(|pair| pair[0].get_ref() == pair[1].get_ref()));
    assert_eq!(service.balance("ada", NOON).await, (90, 10, 0));
    service.audited().await;
}

#[tokio::test]
async fn a_payment_and_its_delivery_told_by_a_crowd_count_once() {
    let service = Service::start().await;
    let recorded = crowd!(service, credits, record_purchase, purchase("ada", "pay-1", NOON));
    let mut ids: Vec<_> = recorded
        .into_iter()
        .map(|answer| answer.unwrap().into_inner().purchase.unwrap().purchase_id)
        .collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "one payment is one purchase");
    for answer in crowd!(service, credits, deliver_credits, delivery("ada", "pay-1", 100, NOON)) {
        answer.unwrap();
    }
    assert_eq!(service.balance("ada", NOON).await, (100, 0, 0));
    service.audited().await;
}

#[tokio::test]
async fn an_attempt_its_charge_and_its_failure_told_by_a_crowd_count_once() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    for answer in crowd!(service, credits, hold_credits, hold("ada", "job-1", 30)) {
        answer.unwrap();
    }
    assert_eq!(service.balance("ada", NOON).await, (70, 30, 0));
    for answer in crowd!(service, credits, capture_credits, capture("ada", "job-1")) {
        answer.unwrap();
    }
    assert_eq!(service.balance("ada", NOON).await, (70, 0, 0));
    let failed = crowd!(service, credits, restore_credits, restore("ada", "job-1", "worker_crash", NOON));
    let restored: i64 = failed.into_iter().map(|answer| answer.unwrap().into_inner().credits_restored).sum();
    assert_eq!(restored, 30);
    assert_eq!(service.balance("ada", NOON).await, (100, 0, 0));
    service.audited().await;
}

#[tokio::test]
async fn a_dispute_told_by_a_crowd_counts_once_known_payment_or_not() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    for payment_id in ["pay-1", "pay-unknown"] {
        for event in [Event::Opened, Event::Lost] {
            let request = chargeback(payment_id, &format!("dp-{payment_id}"), event, NOON);
            for answer in crowd!(service, refunds, record_chargeback, request) {
                answer.unwrap();
            }
        }
    }
    let mut database = service.database().await;
    let heard: (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM chargeback), (SELECT count(*) FROM chargeback_event),
            (SELECT count(*) FROM restriction)",
    )
    .fetch_one(&mut database)
    .await
    .unwrap();
    assert_eq!(heard, (2, 4, 1));
    assert_eq!(service.line("pay-1", "purchase").await, [0, 0, 0, 0, 0, 100, 0]);
    service.audited().await;
}

#[tokio::test]
async fn a_refund_told_by_a_crowd_is_paid_once() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-2", NOON).await;
    let request = crate::service::evaluate("ada", "pay-2", Claim::DuplicatePurchase);
    let answers = crowd!(service, refunds, evaluate_request, request);
    let refunds: Vec<_> = answers
        .into_iter()
        .flat_map(|answer| answer.unwrap().into_inner().refund_request.unwrap().refunds)
        .collect();
    assert_eq!(refunds.len(), 1, "fifty requests, one refund");
    let request = refund_result("ada", &refunds[0].refund_id, RefundResult::Failed, NOON);
    for answer in crowd!(service, refunds, record_refund_result, request) {
        answer.unwrap();
    }
    assert_eq!(service.balance("ada", NOON).await, (200, 0, 0), "its credits come back once");
    service.audited().await;
}

#[tokio::test]
async fn one_payment_told_for_two_accounts_at_once_belongs_to_one() {
    let service = Service::start().await;
    for round in 0..20 {
        let payment_id = format!("pay-{round}");
        let answers = at_once(["ada", "bob"].map(|account_id| {
            let (mut client, request) = (service.credits(), purchase(account_id, &payment_id, NOON));
            async move { client.record_purchase(when(NOON, request)).await }
        }))
        .await;
        let (recorded, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!(recorded.len(), 1, "{refused:?}");
        for answer in refused {
            assert_eq!(reason(answer).1, "PURCHASE_MISMATCH");
        }
    }
    service.audited().await;
}

#[tokio::test]
async fn a_dispute_and_its_purchase_told_at_once_always_meet() {
    let service = Service::start().await;
    for round in 0..30 {
        let payment_id = format!("pay-{round}");
        let (mut credits, mut refunds) = (service.credits(), service.refunds());
        let (mut more_news, same_dispute) = (service.refunds(), format!("dp-{round}"));
        let bought = when(NOON, purchase("ada", &payment_id, NOON));
        let opened = when(NOON, chargeback(&payment_id, &same_dispute, Event::Opened, NOON));
        let updated = when(NOON, chargeback(&payment_id, &same_dispute, Event::Updated, NOON));
        let (bought, opened, updated) = tokio::join!(
            credits.record_purchase(bought),
            refunds.record_chargeback(opened),
            more_news.record_chargeback(updated),
        );
        bought.unwrap();
        opened.unwrap();
        updated.unwrap();
    }
    let mut database = service.database().await;
    let met: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM purchase JOIN chargeback USING (account_id, purchase_id) WHERE dispute = 'open'",
    )
    .fetch_one(&mut database)
    .await
    .unwrap();
    assert_eq!(met, 30);
    service.audited().await;
}
