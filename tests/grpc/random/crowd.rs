//! Many calls of one account at once, so that they share batches: each is answered as if one came after the other, in
//! the order of their entries.

use super::NEW_YEAR;
use super::auditor::Said;
use super::calls::Call;
use super::lots::DAY;
use super::teller::Teller;
use crate::canary::words;
use crate::service::{Service, capture, hold, instant, release, request_id, restore};
use makegood::proto::makegood::v1;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Attempts that are charged before the crowd comes, that still hold credits then, and that it makes.
const CHARGED: usize = 24;
const HELD: usize = 16;
const NEW: usize = 40;

fn grant(account_id: &str, credits: i64, days: Option<i64>) -> Call {
    let expires_at = days.map(|days| {
        let at = instant(NEW_YEAR) + chrono::TimeDelta::milliseconds(days * DAY);
        crate::service::timestamp(&at.to_rfc3339())
    });
    Call::Grant(v1::GrantCreditsRequest {
        request_id: request_id(),
        account_id: account_id.to_owned(),
        source: v1::LotSource::Promotion.into(),
        credits,
        expires_at,
        reason: words("a gift"),
        ..Default::default()
    })
}

fn new_hold(account_id: &str, job: usize) -> Call {
    let credits = i64::try_from(3 + job % 5).unwrap();
    let ttl = Some(prost_types::Duration { seconds: 86_400, nanos: 0 });
    Call::Hold(v1::HoldCreditsRequest {
        outputs: Some(3),
        ttl,
        ..hold(account_id, &format!("job-{job}"), credits)
    })
}

fn charge(account_id: &str, job: usize) -> Call {
    let delivered_outputs = Some(i32::try_from(1 + job % 3).unwrap());
    Call::Capture(v1::CaptureCreditsRequest {
        delivered_outputs,
        ..capture(account_id, &format!("job-{job}"))
    })
}

/// Everything that the crowd does, mixed: nothing of it is refused, whatever comes first.
fn crowd(account_id: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    for job in 0..NEW {
        calls.push(new_hold(account_id, CHARGED + HELD + job));
        let job_id = format!("job-{job}");
        if job < CHARGED {
            calls.push(Call::Fail(restore(account_id, &job_id, "worker_crash", NEW_YEAR)));
        } else if job % 2 == 0 {
            calls.push(Call::Release(release(account_id, &job_id)));
        } else {
            calls.push(charge(account_id, job));
        }
    }
    calls
}

/// An account whose first lots will have run out when the crowd comes, with attempts that took from them.
async fn prepared(service: &Service, account_id: &str) -> Teller {
    let mut teller = Teller::new(service, account_id.to_owned());
    teller.auditor.lots.now = instant(NEW_YEAR).timestamp_millis();
    let lots = [(30, Some(1)), (30, Some(2)), (40, Some(3)), (90, Some(3)), (60, Some(20)), (900, None)];
    let grants = lots.into_iter().map(|(credits, days)| grant(account_id, credits, days));
    let holds = (0..CHARGED + HELD).map(|job| new_hold(account_id, job));
    let charges = (0..CHARGED).map(|job| charge(account_id, job));
    for call in grants.chain(holds).chain(charges) {
        teller.auditor.lots.now += 1;
        teller.makes(&call).await.unwrap();
    }
    teller.auditor.lots.now += 4 * DAY;
    teller
}

/// The place of an answer in the account's history.
fn place(said: &Said) -> i64 {
    said.as_ref().unwrap().balance.unwrap()[3]
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_one_account_at_once_are_answered_as_if_one_came_after_the_other() {
    let service = Arc::new(Service::start().await);
    let replica = service.replica().await;
    for round in 0..3 {
        let account_id = format!("account-{round}");
        let mut teller = prepared(&service, &account_id).await;
        let elsewhere = Teller::at(&replica, teller.auditor.clone());
        let calls: JoinSet<(Call, Said)> = crowd(&account_id)
            .into_iter()
            .enumerate()
            .map(|(number, call)| {
                // The first round has no other replica, so that its batches are large.
                let mut teller =
                    if number % 2 == 0 || round == 0 { teller.clone() } else { elsewhere.clone() };
                async move {
                    let (said, _) = teller.tell(&call).await;
                    (call, said)
                }
            })
            .collect();
        let mut answers = calls.join_all().await;
        answers.sort_by_key(|(_, said)| place(said));
        for (call, said) in &answers {
            assert_eq!(*said, teller.auditor.hear(call).0, "{call:?}");
        }
        teller.settles_up().await.unwrap();
    }
    replica.stop().await;
    Arc::into_inner(service).unwrap().audited().await;
}
