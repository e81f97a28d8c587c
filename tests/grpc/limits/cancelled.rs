//! Callers that go away at any moment: what they began is done whole or not at all.

use super::{Duration, NOON, provide};
use crate::service::{Service, capture, evaluate, hold, purchase, restore, when};
use makegood::proto::makegood::v1;
use std::sync::Arc;
use tokio::task::JoinSet;

/// One for each turn of each caller; ten thousand take a minute in a debug build.
const CALLERS: u64 = 20;
const TURNS: u64 = 150;

/// Longest that a caller waits before it goes; a call alone takes about a tenth of it.
const MOST_MICROS: u64 = 12_000;

/// Numbers that look like chance and are the same each time.
fn mixed(seed: u64) -> u64 {
    let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// What a caller does, again and again, seldom waiting for the answer. Gives how often it left.
async fn caller(service: Arc<Service>, caller: u64) -> u64 {
    let account_id = format!("customer-{}", caller % 5);
    let mut left = 0;
    for turn in 0..TURNS {
        let chance = mixed(caller * TURNS + turn);
        let (mut credits, mut refunds) = (service.credits(), service.refunds());
        let job_id = format!("job-{caller}-{}", turn / 3);
        let payment_id = format!("pay-{account_id}-{}", turn % 7);
        let call = async {
            match chance % 6 {
                0 | 1 => drop(credits.hold_credits(when(NOON, hold(&account_id, &job_id, 3))).await),
                2 => drop(credits.capture_credits(when(NOON, capture(&account_id, &job_id))).await),
                3 => {
                    let request = restore(&account_id, &job_id, "worker_crash", NOON);
                    drop(credits.restore_credits(when(NOON, request)).await);
                }
                4 => {
                    drop(credits.record_purchase(when(NOON, purchase(&account_id, &payment_id, NOON))).await);
                }
                _ => {
                    let request = evaluate(&account_id, &payment_id, v1::Claim::DuplicatePurchase);
                    drop(refunds.evaluate_request(when(NOON, request)).await);
                }
            }
        };
        let patience = Duration::from_micros(mixed(chance) % MOST_MICROS);
        left += u64::from(tokio::time::timeout(patience, call).await.is_err());
    }
    left
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_leave_at_any_moment_leave_nothing_half_done() {
    let service = Arc::new(Service::start().await);
    for customer in 0..5 {
        provide(&service, &format!("customer-{customer}")).await;
    }
    let callers: JoinSet<u64> = (0..CALLERS).map(|number| caller(service.clone(), number)).collect();
    let left: u64 = callers.join_all().await.into_iter().sum();
    let all = CALLERS * TURNS;
    assert!(left > all / 10 && left < all, "{left} of {all} left: too many or too few to prove anything");
    Arc::into_inner(service).unwrap().audited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_left_and_is_made_again_has_one_effect() {
    let service = Service::start().await;
    provide(&service, "ada").await;
    for number in 0..300 {
        let request = hold("ada", &format!("job-{number}"), 1);
        let mut client = service.credits();
        let left = client.hold_credits(when(NOON, request.clone()));
        drop(tokio::time::timeout(Duration::from_micros(mixed(number) % 6_000), left).await);
        service.credits().hold_credits(when(NOON, request)).await.unwrap();
    }
    assert_eq!(service.balance("ada", NOON).await, (99_700, 300, 0));
    service.audited().await;
}
