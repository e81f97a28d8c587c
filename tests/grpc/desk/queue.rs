//! `ListRefundRequests`: the queue by urgency, its filters, and pages that stay whole while others write.

use super::*;
use crate::canary::words;
use crate::service::{reason, timestamp};
use std::collections::BTreeSet;
use tokio::task::JoinSet;
use tonic::Code;
use v1::ListRefundRequestsRequest as Query;

async fn listed(service: &Service, at: &str, query: Query) -> Vec<v1::RefundRequest> {
    let answer = service.refunds().list_refund_requests(by(KIM, at, query)).await.unwrap().into_inner();
    assert_eq!(answer.next_page_token, "");
    answer.refund_requests
}

async fn ids(service: &Service, at: &str, query: Query) -> Vec<String> {
    let listed = listed(service, at, query).await;
    listed.into_iter().map(|request| request.refund_request_id).collect()
}

/// A request of an account about its own payment, received at an instant.
async fn of(service: &Service, account_id: &str, claim: Claim, at: &str) -> v1::RefundRequest {
    let payment_id = format!("pay-{account_id}");
    service.bought(account_id, &payment_id, at).await;
    opened_as(service, evaluate(account_id, &payment_id, claim), at).await
}

#[tokio::test]
async fn the_queue_is_ordered_by_urgency_and_filtered_by_what_is_set() {
    let service = Service::start().await;
    let wednesday = days(2);
    let late = of(&service, "cyd", Claim::Other, &wednesday).await;
    let early = of(&service, "ada", Claim::Other, NOON).await;
    let asked = of(&service, "bea", Claim::DuplicatePurchase, TUESDAY).await;
    let denied = of(&service, "dan", Claim::ChangeOfMind, NOON).await;
    let id = |request: &v1::RefundRequest| request.refund_request_id.clone();
    let all = [id(&early), id(&denied), id(&asked), id(&late)];
    let listed_all = ids(&service, &wednesday, Query::default()).await;
    assert_eq!(listed_all.iter().collect::<BTreeSet<_>>(), all.iter().collect::<BTreeSet<_>>());
    assert_eq!(listed_all[2..], all[2..]);
    let stages = vec![Stage::InReview.into()];
    let open = Query { stages, ..Query::default() };
    assert_eq!(ids(&service, &wednesday, open.clone()).await, [id(&early), id(&late)]);
    for (query, expected) in [
        (Query { account_id: "bea".to_owned(), ..Query::default() }, vec![id(&asked)]),
        (Query { claim: Claim::ChangeOfMind.into(), ..Query::default() }, vec![id(&denied)]),
        (Query { row: "17".to_owned(), ..Query::default() }, vec![id(&asked)]),
        (Query { purchase_id: late.purchase_id.clone(), ..Query::default() }, vec![id(&late)]),
        (Query { account_id: "eve".to_owned(), ..Query::default() }, vec![]),
        (
            Query {
                received_window: Some(v1::TimeWindow {
                    start_time: Some(timestamp(TUESDAY)),
                    end_time: Some(timestamp(&wednesday)),
                }),
                ..Query::default()
            },
            vec![id(&asked)],
        ),
    ] {
        assert_eq!(ids(&service, &wednesday, query.clone()).await, expected, "{query:?}");
    }
    // A question has been an answer: only who waits for us can be overdue, from the first instant after the deadline.
    let overdue = Query { overdue_only: true, ..Query::default() };
    assert!(ids(&service, "2025-03-06T12:00:00Z", overdue.clone()).await.is_empty());
    assert_eq!(ids(&service, "2025-03-06T12:00:00.000001Z", overdue).await, [id(&early)]);
    let within = |seconds: i64, nanos: i32| Query {
        due_within: Some(prost_types::Duration { seconds, nanos }),
        ..Query::default()
    };
    assert!(ids(&service, "2025-03-06T11:00:00Z", within(3_599, 999_999_000)).await.is_empty());
    assert_eq!(ids(&service, "2025-03-06T11:00:00Z", within(3_600, 0)).await, [id(&early)]);
    assert_eq!(ids(&service, "2025-03-07T11:00:00Z", within(0, 0)).await, [id(&early)]);
    service.audited().await;
}

#[tokio::test]
async fn the_queue_knows_who_works_on_what() {
    let service = Service::start().await;
    let one = of(&service, "ada", Claim::Other, NOON).await;
    let two = of(&service, "bea", Claim::Other, TUESDAY).await;
    let mine = v1::ResolveRefundRequestRequest { assignee: Some(KIM.to_owned()), ..resolution(&one, keep()) };
    resolve_by(&service, MARIA, TUESDAY, mine).await.unwrap();
    let kims = Query { assignee: KIM.to_owned(), ..Query::default() };
    assert_eq!(ids(&service, TUESDAY, kims).await, [one.refund_request_id]);
    let free = Query { unassigned_only: true, ..Query::default() };
    assert_eq!(ids(&service, TUESDAY, free).await, [two.refund_request_id]);
    service.audited().await;
}

#[tokio::test]
async fn each_request_shows_its_last_decision_briefly() {
    let service = Service::start().await;
    let request = in_review(&service).await;
    resolve_by(&service, MARIA, TUESDAY, resolution(&request, denial())).await.unwrap();
    let listed = listed(&service, TUESDAY, Query::default()).await;
    assert_eq!(listed.len(), 1);
    let decisions = &listed[0].decisions;
    assert_eq!((decisions.len(), decisions[0].decided_by.as_str()), (1, MARIA));
    assert_eq!(
        (decisions[0].outcome(), decisions[0].reason.as_str()),
        (Outcome::Deny, words("looked at it").as_str())
    );
    assert!(decisions[0].rows.is_empty() && decisions[0].facts.is_empty());
    assert_eq!((listed[0].account_id.as_str(), listed[0].etag.as_str()), ("ada", "2"));
    let theirs = Query { account_id: "ada".to_owned(), ..Query::default() };
    let theirs =
        service.refunds().list_refund_requests(by(SHOP, TUESDAY, theirs)).await.unwrap().into_inner();
    assert_eq!(theirs.refund_requests[0].decisions[0].reason, "");
    service.audited().await;
}

#[tokio::test]
async fn pages_are_whole_while_others_write() {
    let service = Service::start().await;
    let mut opened = BTreeSet::new();
    for index in 0..23 {
        // Several have the same deadline.
        let at = later(NOON, TimeDelta::minutes(index / 5));
        opened.insert(of(&service, &format!("account-{index}"), Claim::Other, &at).await.refund_request_id);
    }
    let mut writers = JoinSet::new();
    let mut seen = Vec::new();
    let mut query = Query { page_size: 4, ..Query::default() };
    for page in 0.. {
        let account_id = format!("newcomer-{page}");
        let payment_id = format!("pay-{account_id}");
        service.bought(&account_id, &payment_id, NOON).await;
        let mut client = service.refunds();
        let newcomer = evaluate(&account_id, &payment_id, Claim::Other);
        // Before, on and behind the place where the pages are by now.
        let at = later(NOON, TimeDelta::minutes(page % 6));
        writers.spawn(async move { client.evaluate_request(by(SHOP, &at, newcomer)).await.unwrap() });
        let answer = service.refunds().list_refund_requests(by(KIM, TUESDAY, query.clone())).await.unwrap();
        let answer = answer.into_inner();
        seen.extend(answer.refund_requests);
        if answer.next_page_token.is_empty() {
            break;
        }
        query.page_token = answer.next_page_token;
        assert!(page < 30, "the pages do not end");
    }
    writers.join_all().await;
    let places: Vec<_> = seen
        .iter()
        .map(|request| (request.respond_by.unwrap().seconds, request.refund_request_id.clone()))
        .collect();
    assert!(places.is_sorted(), "{places:?}");
    let ids: Vec<_> = seen.into_iter().map(|request| request.refund_request_id).collect();
    let unique: BTreeSet<_> = ids.iter().cloned().collect();
    assert_eq!(unique.len(), ids.len(), "nobody is seen twice");
    assert!(opened.is_subset(&unique), "nobody is left out");
    service.audited().await;
}

#[tokio::test]
async fn a_page_token_goes_with_the_arguments_that_it_was_made_for() {
    let service = Service::start().await;
    for account_id in ["ada", "bea"] {
        of(&service, account_id, Claim::Other, NOON).await;
    }
    let first = Query { page_size: 1, ..Query::default() };
    let answer = service.refunds().list_refund_requests(by(KIM, TUESDAY, first)).await.unwrap().into_inner();
    let token = answer.next_page_token;
    for query in [
        Query { page_token: "x".to_owned(), ..Query::default() },
        Query { page_token: format!("{token}00"), ..Query::default() },
        Query { page_token: token.clone(), claim: Claim::Other.into(), ..Query::default() },
        Query { page_token: token.clone(), overdue_only: true, ..Query::default() },
    ] {
        let refused = service.refunds().list_refund_requests(by(KIM, TUESDAY, query)).await;
        assert_eq!(reason(refused), (Code::InvalidArgument, "INVALID_PAGE_TOKEN".to_owned()));
    }
    // The page's size may change.
    let rest = Query { page_token: token, page_size: 7, ..Query::default() };
    assert_eq!(listed(&service, TUESDAY, rest).await.len(), 1);
    service.audited().await;
}
