//! More than can be done: what finds no place is refused at once, before anything of it was begun.

use crate::by_hand::grant;
use crate::service::{Service, hold, when};
use makegood::proto::makegood::v1::LotSource;
use makegood::proto::makegood::v1::credit_service_client::CreditServiceClient;
use sqlx::Executor;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;

const NOON: &str = "2025-03-03T12:00:00Z";

/// More than a lane works on at once and keeps in its queue, together.
const CALLS: usize = 1_500;

/// A server takes two hundred calls of one connection at a time.
const CONNECTIONS: usize = 10;

fn is_overload(status: &Status) -> bool {
    let info = status.get_details_error_info();
    (status.code(), info.map(|info| info.reason)) == (Code::ResourceExhausted, Some("OVERLOADED".to_owned()))
}

#[tokio::test]
async fn a_full_lane_refuses_at_once_and_what_it_took_is_done_once() {
    let service = Service::start().await;
    service.credits().grant_credits(when(NOON, grant("ada", LotSource::Promotion, 10_000))).await.unwrap();
    let mut channels = Vec::new();
    for _ in 0..CONNECTIONS {
        channels.push(Channel::from_shared(service.endpoint().to_owned()).unwrap().connect().await.unwrap());
    }
    // Somebody else has the account, so that nothing moves on.
    let mut superuser = service.database().await;
    superuser.execute("BEGIN; SELECT FROM account WHERE account_id = 'ada' FOR UPDATE").await.unwrap();
    let first_refusal = Arc::new(Notify::new());
    let calls: JoinSet<_> = (0..CALLS)
        .map(|number| {
            let mut client = CreditServiceClient::new(channels[number % CONNECTIONS].clone());
            let first_refusal = Arc::clone(&first_refusal);
            let request = hold("ada", &format!("job-{number}"), 1);
            async move {
                let answer = client.hold_credits(when(NOON, request.clone())).await;
                if answer.is_err() {
                    first_refusal.notify_one();
                }
                answer.map(drop).map_err(|status| (request, status))
            }
        })
        .collect();
    first_refusal.notified().await;
    superuser.execute("COMMIT").await.unwrap();
    let answers = calls.join_all().await;
    let taken = answers.iter().filter(|answer| answer.is_ok()).count();
    let held = i64::try_from(taken).unwrap();
    assert_eq!(service.balance("ada", NOON).await, (10_000 - held, held, 0));
    let refused: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    assert!(!refused.is_empty() && taken > 1_000, "{taken} of {CALLS} were taken");
    for (request, status) in refused {
        assert!(is_overload(&status), "{status:?}");
        let retry = status.get_details_retry_info().unwrap();
        assert!(retry.retry_delay.is_some_and(|delay| !delay.is_zero()));
        // The same call is good as soon as there is room.
        service.credits().hold_credits(when(NOON, request)).await.unwrap();
    }
    let all = i64::try_from(CALLS).unwrap();
    assert_eq!(service.balance("ada", NOON).await, (10_000 - all, all, 0));
    service.audited().await;
}
