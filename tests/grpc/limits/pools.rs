//! Connections to the database are few: what finds none is refused, and what browses takes none from what works.

use super::{Duration, NOON, undisturbed};
use crate::service::{Service, delivery, when};
use makegood::proto::makegood::v1;
use makegood::server::Limits;
use sqlx::Executor;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};
use tonic_types::StatusExt;
use v1::credit_service_client::CreditServiceClient;
use v1::refund_service_client::RefundServiceClient;

/// More than may wait for the connections of a small pool.
const CALLS: usize = 400;

async fn channels(service: &Service) -> Vec<Channel> {
    let mut channels = Vec::new();
    for _ in 0..4 {
        channels.push(Channel::from_shared(service.endpoint().to_owned()).unwrap().connect().await.unwrap());
    }
    channels
}

fn is_crowded<T>(answer: &Result<Response<T>, Status>) -> bool {
    let Err(status) = answer else { return false };
    let details = status.get_error_details();
    let overloaded = details.error_info().is_some_and(|info| info.reason == "OVERLOADED");
    overloaded && status.code() == Code::ResourceExhausted && details.retry_info().is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_review_queue_keeps_no_worker_and_no_customer_waiting() {
    let service = Service::bounded(Limits::default(), 4).await;
    service.purchase("ada", "pay-1", NOON).await;
    let mut superuser = service.database().await;
    superuser.execute("BEGIN; LOCK TABLE refund_request IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let channels = channels(&service).await;
    let first_refusal = Arc::new(Notify::new());
    let lists: JoinSet<_> = (0..CALLS)
        .map(|number| {
            let mut client = RefundServiceClient::new(channels[number % channels.len()].clone());
            let first_refusal = Arc::clone(&first_refusal);
            async move {
                let listed =
                    client.list_refund_requests(when(NOON, v1::ListRefundRequestsRequest::default()));
                let listed = listed.await;
                if listed.is_err() {
                    first_refusal.notify_one();
                }
                listed
            }
        })
        .collect();
    first_refusal.notified().await;
    // The whole queue stands still, and others do not.
    undisturbed(&service, async {
        for number in 0..10 {
            let request = crate::service::purchase("bob", &format!("pay-bob-{number}"), NOON);
            service.credits().record_purchase(when(NOON, request)).await.unwrap();
            service.balance("bob", NOON).await;
        }
    })
    .await;
    superuser.execute("COMMIT").await.unwrap();
    let answers = lists.join_all().await;
    assert!(answers.iter().any(is_crowded) && answers.iter().any(Result::is_ok));
    assert!(answers.iter().all(|answer| answer.is_ok() || is_crowded(answer)));
    service.audited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_finds_no_connection_is_refused_and_good_again_as_soon_as_there_is_one() {
    let service = Service::bounded(Limits::default(), 4).await;
    service.purchase("ada", "pay-1", NOON).await;
    let mut superuser = service.database().await;
    superuser.execute("BEGIN; SELECT FROM account WHERE account_id = 'ada' FOR UPDATE").await.unwrap();
    let channels = channels(&service).await;
    let first_refusal = Arc::new(Notify::new());
    let request = delivery("ada", "pay-1", 100, NOON);
    let calls: JoinSet<_> = (0..CALLS)
        .map(|number| {
            let mut client = CreditServiceClient::new(channels[number % channels.len()].clone());
            let (first_refusal, request) = (Arc::clone(&first_refusal), request.clone());
            async move {
                let done = client.deliver_credits(when(NOON, request)).await;
                if done.is_err() {
                    first_refusal.notify_one();
                }
                done
            }
        })
        .collect();
    first_refusal.notified().await;
    superuser.execute("COMMIT").await.unwrap();
    let answers = calls.join_all().await;
    assert!(answers.iter().any(is_crowded) && answers.iter().any(Result::is_ok));
    assert!(answers.iter().all(|answer| answer.is_ok() || is_crowded(answer)));
    let again = service.credits().deliver_credits(when(NOON, request)).await.unwrap();
    assert!(crate::service::is_replayed(&again));
    assert_eq!(service.balance("ada", NOON).await, (100, 0, 0));
    service.audited().await;
}

/// Transactions whose callers leave at every moment, that of `begin` among them, while there is hardly a connection: what
/// is acknowledged afterwards on the same connections is kept.
#[tokio::test(flavor = "multi_thread")]
async fn callers_that_leave_while_a_transaction_begins_cost_nobody_a_write() {
    let service = Service::bounded(Limits::default(), 2).await;
    for round in 0..20 {
        let left: JoinSet<_> = (0..30_u64)
            .map(|number| {
                let mut client = service.credits();
                let payment_id = format!("pay-left-{round}-{number}");
                async move {
                    let call = client
                        .record_purchase(when(NOON, crate::service::purchase("eve", &payment_id, NOON)));
                    drop(tokio::time::timeout(Duration::from_micros(number * 150), call).await);
                }
            })
            .collect();
        left.join_all().await;
        service.purchase("ada", &format!("pay-{round}"), NOON).await;
    }
    let mut database = service.database().await;
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM purchase WHERE account_id = 'ada'")
        .fetch_one(&mut database)
        .await
        .unwrap();
    assert_eq!(kept, 20);
    drop(database);
    service.audited().await;
}
