//! The test clock of development mode.

use crate::service::{Service, fields, hold, purchase, reason, request_id, when};
use makegood::command::{Desk, Policies};
use makegood::grpc::Api;
use makegood::policy::SHIPPED;
use makegood::proto::makegood::v1;
use makegood::store::{Limits, Store};
use tonic::{Code, Request};
use v1::Claim;

const NOON: &str = "2025-03-03T12:00:00Z";

#[tokio::test]
async fn eight_days_later_is_a_matter_of_saying_so() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("bea", "pay-2", NOON).await;
    let early = service.claim("ada", "pay-1", Claim::Other, "2025-03-04T12:00:00Z").await;
    assert_eq!(early.decision.unwrap().row, "30");
    // Any offset of RFC 3339 will do.
    let late = service.claim("bea", "pay-2", Claim::Other, "2025-03-11T21:00:00.000001+09:00").await;
    assert_eq!(late.decision.unwrap().row, "27b");
    service.stop().await;
}

#[tokio::test]
async fn a_clock_that_cannot_be_read_is_refused_by_its_key() {
    let service = Service::start().await;
    let wrong = [
        "",
        "noon",
        "2025-03-03",
        "2025-03-03T12:00:00",
        "2025-02-30T12:00:00Z",
        "1741003200",
        "2019-12-31T23:59:59Z",
        "2100-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ];
    let rows = service.rows().await;
    for at in wrong {
        let recorded = service.credits().record_purchase(when(at, purchase("ada", "pay-1", NOON))).await;
        assert_eq!(fields(recorded), ["makegood-test-clock"], "{at}");
        let query = v1::GetBalanceRequest { account_id: "ada".to_owned() };
        assert_eq!(fields(service.credits().get_balance(when(at, query)).await), ["makegood-test-clock"]);
    }
    assert_eq!(service.rows().await, rows);
    service.stop().await;
}

#[tokio::test]
async fn without_a_test_clock_the_machines_own_counts() {
    let service = Service::start().await;
    // The machine's time is long after this day, whenever the test runs.
    let request = v1::RecordPurchaseRequest { request_id: request_id(), ..purchase("ada", "pay-1", NOON) };
    service.credits().record_purchase(Request::new(request)).await.unwrap();
    let preview = v1::EvaluateRequestRequest {
        validate_only: true,
        ..crate::service::evaluate("ada", "pay-1", Claim::Other)
    };
    let answer = service.refunds().evaluate_request(Request::new(preview)).await.unwrap().into_inner();
    assert_eq!(answer.decision.unwrap().row, "27b");
    service.stop().await;
}

#[tokio::test]
async fn time_never_runs_backwards_within_an_account() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", "2025-03-10T12:00:00Z").await;
    let mut credits = service.credits();
    for (job, at) in [("job-1", "2025-03-05T12:00:00Z"), ("job-2", "2025-03-11T12:00:00Z"), ("job-3", NOON)] {
        credits.hold_credits(when(at, hold("ada", job, 10))).await.unwrap();
    }
    let mut database = service.database().await;
    let entries: Vec<(i64, chrono::DateTime<chrono::Utc>)> =
        sqlx::query_as("SELECT seq, at FROM entry WHERE account_id = 'ada' ORDER BY seq")
            .fetch_all(&mut database)
            .await
            .unwrap();
    assert_eq!(entries.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(entries.is_sorted_by_key(|(_, at)| *at), "{entries:?}");
    let last = entries.last().unwrap().1;
    assert_eq!(last, "2025-03-11T12:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap());
    // Another account has its own time.
    service.bought("bea", "pay-2", NOON).await;
    service.stop().await;
}

#[tokio::test]
async fn outside_development_nobody_is_served_without_authentication() {
    use v1::credit_service_server::CreditService;
    let service = Service::start().await;
    let store = Store::connect(&service.url, Limits::default()).await.unwrap();
    let desk = Desk::new(store.clone(), Policies::parse(SHIPPED).unwrap());
    let api = Api::new(desk, false);
    let rows = service.rows().await;
    // Nobody can be recognised yet, and who is not recognised is not told about clocks either.
    for request in [when(NOON, purchase("ada", "pay-1", NOON)), Request::new(purchase("ada", "pay-1", NOON))]
    {
        let refused = api.record_purchase(request).await;
        assert_eq!(reason(refused), (Code::Unauthenticated, "UNAUTHENTICATED".to_owned()));
    }
    assert_eq!(service.rows().await, rows);
    store.close().await;
    service.stop().await;
}
