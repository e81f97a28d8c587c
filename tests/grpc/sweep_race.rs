//! The sweep against workers and against itself: whoever locks the account first decides, and nothing is done twice.

use crate::service::{Service, capture, hold, instant, when};
use makegood::clock::Clock;
use makegood::command::Desk;
use makegood::proto::makegood::v1;
use std::collections::BTreeMap;
use tokio::task::JoinSet;
use tonic::Code;
use tonic_types::StatusExt;

const NOON: &str = "2025-03-03T12:00:00Z";
/// When every hold of these tests has run out.
const OVER: &str = "2025-03-03T13:00:00Z";
/// Accounts, each with as many attempts that hold one credit each.
const ACCOUNTS: usize = 4;
const ATTEMPTS: usize = 50;

fn account(index: usize) -> String {
    format!("account-{index}")
}

fn job(account: usize, attempt: usize) -> String {
    format!("job-{account}-{attempt}")
}

/// 200 holds that have run out at [`OVER`], in four accounts of 100 credits.
async fn with_holds() -> Service {
    let service = Service::start().await;
    for index in 0..ACCOUNTS {
        service.bought(&account(index), &format!("pay-{index}"), NOON).await;
        for attempt in 0..ATTEMPTS {
            let ttl = Some(prost_types::Duration { seconds: 60, nanos: 0 });
            let request = v1::HoldCreditsRequest { ttl, ..hold(&account(index), &job(index, attempt), 1) };
            service.credits().hold_credits(when(NOON, request)).await.unwrap();
        }
    }
    service
}

/// Sweeps, one transaction at a time, until nothing is due; says how many holds this desk gave back.
async fn sweep_all(desk: Desk) -> usize {
    let mut holds = 0;
    loop {
        let swept = desk.sweep(Clock::fixed(instant(OVER)), 1).await.unwrap();
        assert!(swept.failed.is_empty(), "{swept:?}");
        holds += swept.holds;
        if swept.is_complete {
            return holds;
        }
    }
}

/// How every attempt ended, by job.
async fn stages(service: &Service) -> BTreeMap<String, String> {
    let mut database = service.database().await;
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT job_id, stage FROM usage").fetch_all(&mut database).await.unwrap();
    rows.into_iter().collect()
}

/// Fails unless every account's lots, attempts and entries tell one story.
async fn adds_up(service: &Service) {
    let mut database = service.database().await;
    let lies: Vec<String> = sqlx::query_scalar(
        "SELECT account_id FROM account a JOIN lot l USING (account_id)
         WHERE (granted, available + consumed, held, expired, revoked) <> (100, 100, 0, 0, 0)
            OR consumed <> (SELECT count(*) FROM usage u WHERE u.account_id = a.account_id AND stage = 'captured')
            OR last_seq <> (SELECT count(*) FROM entry e WHERE e.account_id = a.account_id)
            OR last_seq <> (SELECT max(seq) FROM entry e WHERE e.account_id = a.account_id)
            OR available <> (
                SELECT coalesce(sum(credits) FILTER (WHERE to_bucket = 'available'), 0)
                    - coalesce(sum(credits) FILTER (WHERE from_bucket = 'available'), 0)
                FROM entry e WHERE e.account_id = a.account_id)",
    )
    .fetch_all(&mut database)
    .await
    .unwrap();
    assert!(lies.is_empty(), "{lies:?}");
    let open: i64 = sqlx::query_scalar("SELECT count(*) FROM allocation WHERE taken <> captured + released")
        .fetch_one(&mut database)
        .await
        .unwrap();
    assert_eq!(open, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attempt_of_two_hundred_is_captured_or_expired_and_never_both() {
    let service = with_holds().await;
    let mut captures = JoinSet::new();
    let sweepers =
        [tokio::spawn(sweep_all(service.desk().await)), tokio::spawn(sweep_all(service.desk().await))];
    for attempt in 0..ATTEMPTS {
        for index in 0..ACCOUNTS {
            let (mut credits, job_id) = (service.credits(), job(index, attempt));
            captures.spawn(async move {
                let request = when(OVER, capture(&account(index), &job_id));
                let refused = credits.capture_credits(request).await.err();
                if let Some(status) = &refused {
                    let info = status.get_details_error_info().unwrap();
                    assert_eq!(
                        (status.code(), info.reason.as_str()),
                        (Code::FailedPrecondition, "HOLD_EXPIRED")
                    );
                }
                (job_id, if refused.is_none() { "captured" } else { "expired" }.to_owned())
            });
        }
    }
    let told: BTreeMap<String, String> = captures.join_all().await.into_iter().collect();
    let mut given_back = 0;
    for sweeper in sweepers {
        given_back += sweeper.await.unwrap();
    }
    assert_eq!(told.len(), ACCOUNTS * ATTEMPTS);
    assert_eq!(stages(&service).await, told);
    assert_eq!(told.values().filter(|stage| *stage == "expired").count(), given_back);
    adds_up(&service).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_that_sweep_at_once_give_every_hold_back_once() {
    let service = with_holds().await;
    let (one, other) = (service.desk().await, service.desk().await);
    let clock = Clock::fixed(instant(OVER));
    let (one, other) = tokio::join!(one.sweep(clock, 1_000), other.sweep(clock, 1_000));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(one.failed.is_empty() && other.failed.is_empty(), "{one:?} {other:?}");
    assert_eq!(one.holds + other.holds, ACCOUNTS * ATTEMPTS);
    assert!(stages(&service).await.values().all(|stage| stage == "expired"));
    adds_up(&service).await;
    service.stop().await;
}
