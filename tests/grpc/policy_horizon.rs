//! Several servers, and versions that are published while they decide: no instant is ever decided by two versions.

use crate::policy_versions::{NOON, publish, two_weeks, version};
use crate::service::{Service, instant, later, reason, when};
use chrono::{DateTime, TimeDelta, Utc};
use makegood::command::{Desk, Policies};
use makegood::policy::SHIPPED;
use makegood::proto::makegood::v1;
use makegood::store::{Limits, Store};
use tonic::Code;
use tonic_types::StatusExt;
use v1::Claim;

impl Service {
    /// Another replica's desk over the same database, with connections of its own.
    pub(crate) async fn desk(&self) -> Desk {
        let limits = Limits { max_connections: 4, ..Limits::default() };
        let store = Store::connect(&self.url, limits).await.unwrap();
        Desk::new(store, Policies::parse(SHIPPED).unwrap())
    }
}

/// The version that decides a claim at an instant.
async fn decides(service: &Service, account_id: &str, at: &str) -> String {
    // Denied at once, so that the same customer can ask again and again.
    let answer = service.claim(account_id, &format!("pay-{account_id}"), Claim::ChangeOfMind, at).await;
    let version = answer.decision.unwrap().policy_version;
    assert_eq!(answer.refund_request.unwrap().policy_version, version);
    version
}

/// Requests that were decided by another version than the one in force when they were received.
async fn misjudged(service: &Service) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM refund_request r WHERE policy_version <> (
            SELECT version FROM policy_version v WHERE v.effective_from <= r.received_at
            ORDER BY v.effective_from DESC LIMIT 1)",
    )
    .fetch_one(&mut service.database().await)
    .await
    .unwrap()
}

fn seconds(seconds: i64) -> TimeDelta {
    TimeDelta::seconds(seconds)
}

#[tokio::test]
async fn the_version_in_force_at_receipt_decides_on_every_running_server() {
    let one = Service::start().await;
    let other = one.replica().await;
    for account_id in ["ada", "bob"] {
        one.bought(account_id, &format!("pay-{account_id}"), NOON).await;
    }
    assert_eq!(decides(&other, "bob", NOON).await, "2024-12-19");
    let start = later(NOON, TimeDelta::days(8));
    one.published(NOON, publish(&two_weeks("two-weeks"), Some(&start))).await;
    let before = later(&start, TimeDelta::microseconds(-1));
    for (server, account_id) in [(&one, "ada"), (&other, "bob")] {
        assert_eq!(decides(server, account_id, &before).await, "2024-12-19");
        assert_eq!(decides(server, account_id, &start).await, "two-weeks");
    }
    assert_eq!(misjudged(&one).await, 0);
    other.stop().await;
    one.audited().await;
}

#[tokio::test]
async fn no_version_begins_before_an_instant_that_some_server_may_decide_for() {
    let one = Service::start().await;
    let other = one.replica().await;
    one.bought("bob", "pay-bob", NOON).await;
    // From now on this server decides for the next ten seconds without asking again.
    assert_eq!(decides(&other, "bob", NOON).await, "2024-12-19");
    let too_early = publish(&two_weeks("v2"), Some(&later(NOON, seconds(10) - TimeDelta::microseconds(1))));
    let status = one.policies().publish_policy(when(NOON, too_early)).await.unwrap_err();
    let info = status.get_details_error_info().unwrap();
    assert_eq!((status.code(), info.reason.as_str()), (Code::InvalidArgument, "INVALID_FIELD"));
    let earliest = later(NOON, seconds(10));
    assert_eq!(instant(&info.metadata["earliest"]), instant(&earliest));
    one.published(NOON, publish(&two_weeks("v2"), Some(&earliest))).await;
    let before = later(&earliest, TimeDelta::microseconds(-1));
    assert_eq!(decides(&other, "bob", &before).await, "2024-12-19");
    assert_eq!(decides(&other, "bob", &earliest).await, "v2");
    other.stop().await;
    one.audited().await;
}

#[tokio::test]
async fn servers_that_decide_while_versions_are_published_never_differ() {
    let one = Service::start().await;
    let other = one.replica().await;
    for customer in 0..4 {
        one.bought(&format!("c{customer}"), &format!("pay-c{customer}"), NOON).await;
    }
    let at = |step: i64| later(NOON, TimeDelta::milliseconds(step * 700));
    let deciding = async |server: &Service, customer: usize| {
        let mut versions = std::collections::BTreeSet::new();
        for step in 0..60 {
            versions.insert(decides(server, &format!("c{customer}"), &at(step)).await);
        }
        versions.len()
    };
    let publishing = async {
        for step in 0..12 {
            let at = at(step * 5);
            one.published(&at, publish(&two_weeks(&format!("v{step}")), None)).await;
        }
    };
    let (met, ..) = tokio::join!(
        deciding(&one, 0),
        deciding(&other, 1),
        deciding(&one, 2),
        deciding(&other, 3),
        publishing
    );
    assert!(met > 1, "no version began while decisions were made");
    assert_eq!(misjudged(&one).await, 0);
    other.stop().await;
    one.audited().await;
}

#[tokio::test]
async fn a_workers_report_is_judged_by_the_causes_of_the_version_in_force() {
    let service = Service::start().await;
    service.bought("ada", "pay-ada", NOON).await;
    let strict = version("strict", r#"worker_crash = "platform""#, r#"worker_crash = "customer""#);
    let start = later(NOON, TimeDelta::hours(1));
    service.published(NOON, publish(&strict, Some(&start))).await;
    for (job_id, at, outcome) in [
        ("job-1", NOON, v1::RestoreOutcome::Restored),
        ("job-2", start.as_str(), v1::RestoreOutcome::NotRestorable),
    ] {
        service.used("ada", job_id, 10, at).await;
        let answer = service.failed("ada", job_id, "worker_crash", at).await;
        assert_eq!(answer.outcome(), outcome, "{at}");
    }
    service.audited().await;
}

#[tokio::test]
async fn an_account_that_is_ahead_of_the_clock_is_decided_by_the_version_of_its_own_time() {
    let one = Service::start().await;
    let other = one.replica().await;
    let start = later(NOON, TimeDelta::days(1));
    one.published(NOON, publish(&two_weeks("v2"), Some(&start))).await;
    one.bought("ada", "pay-ada", &later(&start, seconds(60))).await;
    // Time in an account never runs backwards, so this claim is received a day after the clock of its call.
    assert_eq!(decides(&other, "ada", NOON).await, "v2");
    other.stop().await;
    one.audited().await;
}

#[tokio::test]
async fn a_version_that_a_server_cannot_read_stops_it_no_sooner_than_the_version_begins() {
    let service = Service::start().await;
    service.bought("ada", "pay-ada", NOON).await;
    let start = instant(NOON) + seconds(15);
    sqlx::query(
        "INSERT INTO policy_version (version, effective_from, document, document_sha256, published_at)
         VALUES ('later', $1, 'for = \"a later program\"', repeat('0', 64), $1)",
    )
    .bind::<DateTime<Utc>>(start)
    .execute(&mut service.database().await)
    .await
    .unwrap();
    let before = later(NOON, seconds(15) - TimeDelta::microseconds(1));
    assert_eq!(decides(&service, "ada", &before).await, "2024-12-19");
    let request = crate::service::evaluate("ada", "pay-ada", Claim::ChangeOfMind);
    let refused = service.refunds().evaluate_request(when(&start.to_rfc3339(), request)).await;
    assert_eq!(reason(refused), (Code::Unavailable, "UNAVAILABLE".to_owned()));
    service.stop().await;
}
