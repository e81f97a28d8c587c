//! `GetRefund` and `ListRefunds`, and what a refund knows on its way (§4.2).

use crate::service::{Service, fields, later, purchase, reason, refund_result, timestamp, when};
use chrono::TimeDelta;
use makegood::proto::makegood::v1;
use std::collections::BTreeSet;
use tonic::{Code, Request};
use v1::{ChargebackEventKind as Event, Claim, ListRefundsRequest as Query, RefundResult, RefundStage};

/// A Monday.
const NOON: &str = "2025-03-03T12:00:00Z";
const ONE: &str = "2025-03-03T13:00:00Z";

fn hours(hours: i64) -> String {
    later(NOON, TimeDelta::hours(hours))
}

fn days(days: i64) -> String {
    later(NOON, TimeDelta::days(days))
}

fn by<T>(caller: &str, at: &str, message: T) -> Request<T> {
    let mut request = when(at, message);
    request.metadata_mut().insert("makegood-test-caller", caller.parse().unwrap());
    request
}

/// The refund of a double click, decided at an instant.
async fn doubled(service: &Service, account_id: &str, at: &str) -> v1::Refund {
    for number in 1..=2 {
        service.bought(account_id, &format!("pay-{account_id}-{number}"), at).await;
    }
    let answer =
        service.claim(account_id, &format!("pay-{account_id}-2"), Claim::DuplicatePurchase, at).await;
    answer.refund_request.unwrap().refunds.remove(0)
}

async fn told(
    service: &Service,
    refund: &v1::Refund,
    result: RefundResult,
    at: &str,
) -> Result<v1::Refund, (Code, String)> {
    let request = refund_result(&refund.account_id, &refund.refund_id, result, at);
    // Heard of at the end of the month, whenever it happened.
    match service.refunds().record_refund_result(when(&days(28), request)).await {
        Ok(answer) => Ok(answer.into_inner().refund.unwrap()),
        refused => Err(reason(refused)),
    }
}

async fn got(service: &Service, refund: &v1::Refund) -> v1::Refund {
    let query =
        v1::GetRefundRequest { account_id: refund.account_id.clone(), refund_id: refund.refund_id.clone() };
    service.refunds().get_refund(when(&days(28), query)).await.unwrap().into_inner().refund.unwrap()
}

async fn listed(service: &Service, query: Query) -> Vec<v1::Refund> {
    let answer = service.refunds().list_refunds(when(&days(28), query)).await.unwrap().into_inner();
    assert_eq!(answer.next_page_token, "");
    answer.refunds
}

fn ids(refunds: &[v1::Refund]) -> Vec<String> {
    refunds.iter().map(|refund| refund.refund_id.clone()).collect()
}

#[tokio::test]
async fn a_refund_is_read_as_it_was_told() {
    let service = Service::start().await;
    let refund = doubled(&service, "ada", NOON).await;
    assert_eq!(refund.idempotency_key, format!("makegood-refund-{}", refund.refund_id));
    assert_eq!((&refund.submitted_at, &refund.settled_at, &refund.expected_window), (&None, &None, &None));
    assert_eq!(got(&service, &refund).await, refund);
    for (result, at) in [(RefundResult::Submitted, ONE), (RefundResult::Succeeded, "2025-03-04T09:00:00Z")] {
        let answered = told(&service, &refund, result, at).await.unwrap();
        assert_eq!(got(&service, &refund).await, answered);
        assert_eq!(answered.idempotency_key, refund.idempotency_key, "it never changes");
    }
    service.audited().await;
}

#[tokio::test]
async fn money_that_left_is_expected_three_to_ten_business_days_later() {
    let service = Service::start().await;
    let refund = doubled(&service, "ada", NOON).await;
    let window = |from: &str, until: &str| {
        Some(v1::TimeWindow { start_time: Some(timestamp(from)), end_time: Some(timestamp(until)) })
    };
    let submitted = told(&service, &refund, RefundResult::Submitted, ONE).await.unwrap();
    let expected = window("2025-03-06T13:00:00Z", "2025-03-17T13:00:00Z");
    assert_eq!((submitted.submitted_at, submitted.expected_window), (Some(timestamp(ONE)), expected));
    // Whatever follows, the customer's bank had it since then.
    for (result, at) in [(RefundResult::Unknown, &hours(2)), (RefundResult::Succeeded, &days(2))] {
        let now = told(&service, &refund, result, at).await.unwrap();
        assert_eq!((now.submitted_at, now.expected_window), (Some(timestamp(ONE)), expected), "{result:?}");
    }
    let bounced = told(&service, &refund, RefundResult::Failed, &days(5)).await.unwrap();
    assert_eq!(bounced.expected_window, None, "no money is coming any more");
    // Without a word before, it left by then.
    let silent = doubled(&service, "bea", NOON).await;
    let paid = told(&service, &silent, RefundResult::Succeeded, "2025-03-08T09:00:00Z").await.unwrap();
    assert_eq!(paid.submitted_at, Some(timestamp("2025-03-08T09:00:00Z")));
    assert_eq!(paid.expected_window, window("2025-03-13T00:00:00Z", "2025-03-24T00:00:00Z"));
    service.audited().await;
}

#[tokio::test]
async fn news_count_by_when_they_happened_and_contradictions_change_nothing() {
    use RefundResult::{Failed, Submitted, Succeeded, Unknown};
    let conflict = Err((Code::FailedPrecondition, "REFUND_STAGE_CONFLICT".to_owned()));
    for (number, (story, end)) in [
        // In order, and the other way around.
        (vec![(Submitted, 1), (Unknown, 2), (Submitted, 3)], Ok(RefundStage::Submitted)),
        (vec![(Submitted, 3), (Unknown, 2), (Submitted, 1)], Ok(RefundStage::Submitted)),
        (vec![(Succeeded, 2), (Failed, 3)], Ok(RefundStage::Failed)),
        (vec![(Failed, 3), (Succeeded, 2), (Submitted, 1)], Ok(RefundStage::Failed)),
        (vec![(Succeeded, 3), (Unknown, 2), (Submitted, 1)], Ok(RefundStage::Succeeded)),
        (vec![(Unknown, 1), (Unknown, 1), (Succeeded, 4), (Succeeded, 5)], Ok(RefundStage::Succeeded)),
        // Contradictions.
        (vec![(Failed, 2), (Succeeded, 3)], conflict.clone()),
        (vec![(Failed, 2), (Submitted, 3)], conflict.clone()),
        (vec![(Failed, 2), (Unknown, 3)], conflict.clone()),
        (vec![(Succeeded, 3), (Failed, 2)], conflict.clone()),
    ]
    .into_iter()
    .enumerate()
    {
        let service = Service::start().await;
        let refund = doubled(&service, "ada", NOON).await;
        let (last, first) = story.split_last().unwrap();
        for (result, hour) in first {
            told(&service, &refund, *result, &hours(*hour)).await.unwrap();
        }
        let before = got(&service, &refund).await;
        let after = told(&service, &refund, last.0, &hours(last.1)).await;
        assert_eq!(after.clone().map(|refund| refund.stage()), end, "story {number}");
        if after.is_err() {
            assert_eq!(got(&service, &refund).await, before, "story {number}");
        }
        service.audited().await;
    }
}

#[tokio::test]
async fn a_stopped_refund_is_a_go_ahead_for_nobody() {
    let service = Service::start().await;
    let refund = doubled(&service, "ada", NOON).await;
    service.dispute("pay-ada-2", "dp-1", Event::Opened, &hours(2)).await;
    let stopped = got(&service, &refund).await;
    assert_eq!((stopped.stage(), stopped.settled_at), (RefundStage::Canceled, Some(timestamp(&hours(2)))));
    // Whenever the processor is said to have been called.
    for result in [RefundResult::Submitted, RefundResult::Unknown, RefundResult::Succeeded] {
        for hour in [1, 3] {
            let refused = told(&service, &refund, result, &hours(hour)).await.unwrap_err();
            assert_eq!(refused.1, "REFUND_STAGE_CONFLICT", "{result:?}");
        }
    }
    assert_eq!(told(&service, &refund, RefundResult::Failed, &hours(3)).await.unwrap(), stopped);
    service.audited().await;
}

#[tokio::test]
async fn the_processors_id_is_kept_when_it_is_first_told() {
    let service = Service::start().await;
    let refund = doubled(&service, "ada", NOON).await;
    let mut request = refund_result("ada", &refund.refund_id, RefundResult::Submitted, ONE);
    service.refunds().record_refund_result(when(ONE, request.clone())).await.unwrap();
    assert_eq!(got(&service, &refund).await.provider_refund_id, "");
    // The same news, with the id that the processor gave.
    request.request_id = crate::service::request_id();
    request.provider_refund_id = "re-1".to_owned();
    service.refunds().record_refund_result(when(ONE, request.clone())).await.unwrap();
    assert_eq!(got(&service, &refund).await.provider_refund_id, "re-1");
    request.request_id = crate::service::request_id();
    request.provider_refund_id = "re-2".to_owned();
    let refused = service.refunds().record_refund_result(when(ONE, request)).await;
    assert_eq!(fields(refused), ["provider_refund_id"]);
    service.audited().await;
}

#[tokio::test]
async fn a_strangers_refund_is_not_there() {
    let service = Service::start().await;
    let refund = doubled(&service, "ada", NOON).await;
    service.purchase("bea", "pay-9", NOON).await;
    let ask = |account_id: &str, refund_id: &str| v1::GetRefundRequest {
        account_id: account_id.to_owned(),
        refund_id: refund_id.to_owned(),
    };
    let no_ones = "0195aaaa-0000-7000-8000-000000000000";
    for (query, expected) in [
        (ask("bea", &refund.refund_id), "REFUND_NOT_FOUND"),
        (ask("ada", no_ones), "REFUND_NOT_FOUND"),
        (ask("eve", &refund.refund_id), "ACCOUNT_NOT_FOUND"),
    ] {
        let refused = service.refunds().get_refund(when(ONE, query)).await;
        assert_eq!(reason(refused), (Code::NotFound, expected.to_owned()));
    }
    // Who acts for a customer must say for whom, and sees nothing else.
    let all = service.refunds().list_refunds(by("frontend:shop", ONE, Query::default())).await;
    assert_eq!(fields(all), ["account_id"]);
    let theirs = Query { account_id: "bea".to_owned(), ..Query::default() };
    let theirs = service.refunds().list_refunds(by("frontend:shop", ONE, theirs)).await.unwrap();
    assert_eq!(theirs.into_inner().refunds, []);
    service.audited().await;
}

#[tokio::test]
async fn refunds_are_listed_oldest_first_and_filtered_by_what_is_set() {
    let service = Service::start().await;
    let late = doubled(&service, "cyd", &hours(2)).await;
    let early = doubled(&service, "ada", NOON).await;
    let paid = doubled(&service, "bea", &hours(1)).await;
    told(&service, &paid, RefundResult::Succeeded, &hours(2)).await.unwrap();
    told(&service, &late, RefundResult::Unknown, &hours(3)).await.unwrap();
    let all = listed(&service, Query::default()).await;
    assert_eq!(ids(&all), ids(&[early.clone(), paid.clone(), late.clone()]));
    assert_eq!(all[0], early);
    assert_eq!(all[1], got(&service, &paid).await);
    let stages = |stages: &[RefundStage]| stages.iter().map(|stage| (*stage).into()).collect();
    for (query, expected) in [
        (
            Query { stages: stages(&[RefundStage::Pending, RefundStage::Unknown]), ..Query::default() },
            vec![&early, &late],
        ),
        (Query { stages: stages(&[RefundStage::Succeeded]), ..Query::default() }, vec![&paid]),
        (Query { stages: stages(&[RefundStage::Canceled]), ..Query::default() }, vec![]),
        (Query { account_id: "bea".to_owned(), ..Query::default() }, vec![&paid]),
        (Query { provider: "stripe".to_owned(), ..Query::default() }, vec![&early, &paid, &late]),
        (Query { provider: "adyen".to_owned(), ..Query::default() }, vec![]),
        (Query { purchase_id: early.purchase_id.clone(), ..Query::default() }, vec![&early]),
        (Query { refund_request_id: late.refund_request_id.clone(), ..Query::default() }, vec![&late]),
        (
            Query {
                refund_request_id: late.refund_request_id.clone(),
                account_id: "ada".to_owned(),
                ..Query::default()
            },
            vec![],
        ),
        (
            Query {
                created_window: Some(v1::TimeWindow {
                    start_time: Some(timestamp(&hours(1))),
                    end_time: Some(timestamp(&hours(2))),
                }),
                ..Query::default()
            },
            vec![&paid],
        ),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|refund| refund.refund_id.clone()).collect();
        assert_eq!(ids(&listed(&service, query.clone()).await), expected, "{query:?}");
    }
    service.audited().await;
}

#[tokio::test]
async fn pages_are_whole_while_others_write() {
    let service = Service::start().await;
    let mut there = BTreeSet::new();
    for index in 0..9 {
        // Several were decided at the same instant.
        let at = later(NOON, TimeDelta::minutes(index / 3));
        there.insert(doubled(&service, &format!("account-{index}"), &at).await.refund_id);
    }
    let mut query = Query { page_size: 2, ..Query::default() };
    let mut seen = Vec::new();
    for page in 0.. {
        let answer =
            service.refunds().list_refunds(when(&days(1), query.clone())).await.unwrap().into_inner();
        seen.extend(answer.refunds);
        if answer.next_page_token.is_empty() {
            break;
        }
        query.page_token = answer.next_page_token;
        // Before, on and behind the place where the pages are by now.
        let at = later(NOON, TimeDelta::minutes(page % 4));
        let newcomer = doubled(&service, &format!("newcomer-{page}"), &at).await;
        told(&service, &newcomer, RefundResult::Submitted, &hours(1)).await.unwrap();
        assert!(page < 30, "the pages do not end");
    }
    let places: Vec<_> =
        seen.iter().map(|refund| (refund.created_at.unwrap().seconds, refund.refund_id.clone())).collect();
    assert!(places.is_sorted(), "{places:?}");
    let unique: BTreeSet<_> = seen.iter().map(|refund| refund.refund_id.clone()).collect();
    assert_eq!(unique.len(), seen.len(), "none is seen twice");
    assert!(there.is_subset(&unique), "none is left out");
    let other = Query { account_id: "account-1".to_owned(), ..query };
    let refused = service.refunds().list_refunds(when(&days(1), other)).await;
    assert_eq!(reason(refused), (Code::InvalidArgument, "INVALID_PAGE_TOKEN".to_owned()));
    service.audited().await;
}

#[tokio::test]
async fn a_refund_of_nothing_is_none() {
    let service = Service::start().await;
    service.credits().record_purchase(when(NOON, purchase("ada", "pay-1", NOON))).await.unwrap();
    assert_eq!(listed(&service, Query::default()).await, []);
    service.audited().await;
}
