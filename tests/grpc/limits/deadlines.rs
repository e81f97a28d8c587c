//! Deadlines of callers: the database waits no longer than they do.

use super::{Duration, Instant, NOON};
use crate::service::{Service, delivery, reason, when};
use makegood::proto::makegood::v1;
use sqlx::{Executor, PgConnection};
use tonic::{Code, Request};

/// A call whose caller waits for a while.
fn patient<T>(message: T, timeout: &str) -> Request<T> {
    let mut request = when(NOON, message);
    request.metadata_mut().insert("grpc-timeout", timeout.parse().unwrap());
    request
}

/// How many of the service's transactions wait for a lock.
async fn waiting(superuser: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity
         WHERE application_name = 'makegood' AND datname = current_database() AND wait_event_type = 'Lock'",
    )
    .fetch_one(superuser)
    .await
    .unwrap()
}

fn late() -> (Code, String) {
    (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".to_owned())
}

#[tokio::test]
async fn a_lock_is_waited_for_no_longer_than_the_caller_waits_and_nothing_was_changed() {
    let service = Service::start().await;
    service.purchase("ada", "pay-1", NOON).await;
    let mut superuser = service.database().await;
    superuser.execute("BEGIN; SELECT FROM account WHERE account_id = 'ada' FOR UPDATE").await.unwrap();
    let begun = Instant::now();
    let request = delivery("ada", "pay-1", 100, NOON);
    let refused = service.credits().deliver_credits(patient(request.clone(), "800m")).await;
    assert_eq!(reason(refused), late());
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    // The pool's own bound is five seconds: who still waited would be seen.
    assert_eq!(waiting(&mut superuser).await, 0);
    superuser.execute("COMMIT").await.unwrap();
    let answer = service.credits().deliver_credits(when(NOON, request)).await.unwrap();
    assert_eq!(answer.into_inner().purchase.unwrap().delivered_credits, 100);
    service.audited().await;
}

#[tokio::test]
async fn a_read_that_takes_too_long_is_ended_with_its_callers_deadline() {
    let service = Service::start().await;
    service.purchase("ada", "pay-1", NOON).await;
    let mut superuser = service.database().await;
    superuser.execute("BEGIN; LOCK TABLE lot IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let request = v1::ListLotsRequest { account_id: "ada".to_owned(), ..Default::default() };
    let refused = service.credits().list_lots(patient(request, "500m")).await;
    assert_eq!(reason(refused), late());
    assert_eq!(waiting(&mut superuser).await, 0);
    superuser.execute("COMMIT").await.unwrap();
    service.stop().await;
}
