//! How fast one caller may call.

use super::NOON;
use crate::service::{Service, when};
use makegood::proto::makegood::v1;
use makegood::server::Limits;
use std::num::NonZeroU32;
use tonic::{Code, Request};
use tonic_types::StatusExt;

fn balance(caller: &str) -> Request<v1::GetBalanceRequest> {
    let mut request = when(NOON, v1::GetBalanceRequest { account_id: "ada".to_owned() });
    request.metadata_mut().insert("makegood-test-caller", caller.parse().unwrap());
    request
}

#[tokio::test]
async fn who_calls_too_fast_is_told_when_to_call_again_and_others_are_served() {
    let limits = Limits { calls_per_second: NonZeroU32::new(3), ..Limits::default() };
    let service = Service::bounded(limits, 8).await;
    service.purchase("ada", "pay-1", NOON).await;
    let mut credits = service.credits();
    let mut refused = None;
    for _ in 0..50 {
        if let Err(status) = credits.get_balance(balance("worker:7")).await {
            refused = Some(status);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(refused.get_details_error_info().unwrap().reason, "RATE_LIMITED");
    let wait = refused.get_details_retry_info().unwrap().retry_delay.unwrap();
    assert!(!wait.is_zero() && wait.as_secs() < 1, "{wait:?}");
    credits.get_balance(balance("worker:8")).await.unwrap();
    tokio::time::sleep_until(tokio::time::Instant::now() + wait).await;
    credits.get_balance(balance("worker:7")).await.unwrap();
    service.stop().await;
}
