//! Bounds: what asks for too much, or for ever, is refused or ended, and good callers hardly notice.

mod advice;
mod cancelled;
mod deadlines;
mod drain;
mod floods;
mod pools;
mod rates;
mod silence;
mod wire;

use crate::canary::words;
use crate::service::{Service, hold, request_id, when};
use makegood::proto::makegood::v1;
use std::future::Future;
use std::time::{Duration, Instant};
use v1::credit_service_client::CreditServiceClient;

const NOON: &str = "2025-03-03T12:00:00Z";

/// How long a good caller waits at most while others misbehave. It is met by far; the machine may be busy.
const BEARABLE: Duration = Duration::from_secs(3);

/// Credits for a good caller.
async fn provide(service: &Service, account_id: &str) {
    let request = v1::GrantCreditsRequest {
        request_id: request_id(),
        account_id: account_id.to_owned(),
        source: v1::LotSource::Promotion.into(),
        credits: 100_000,
        reason: words("welcome"),
        ..Default::default()
    };
    service.credits().grant_credits(when(NOON, request)).await.unwrap();
}

/// A good caller: holds a credit again and again, over a connection that it had and over a new one each time, until the
/// others are done. Fails when it is refused or waits too long.
async fn undisturbed<T>(service: &Service, others: impl Future<Output = T>) -> T {
    let good = async {
        for number in 0.. {
            let begun = Instant::now();
            let request = |way: &str| hold("good", &format!("job-{way}-{number}"), 1);
            service.credits().hold_credits(when(NOON, request("old"))).await.unwrap();
            let mut newcomer = CreditServiceClient::connect(service.endpoint().to_owned()).await.unwrap();
            newcomer.hold_credits(when(NOON, request("new"))).await.unwrap();
            assert!(begun.elapsed() < BEARABLE, "{:?}", begun.elapsed());
        }
    };
    provide(service, "good").await;
    tokio::select! {
        () = good => unreachable!(),
        done = others => done,
    }
}
