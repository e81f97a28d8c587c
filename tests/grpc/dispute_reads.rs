//! `GetChargeback` and `ListChargebacks` (§6).

use crate::service::{Service, chargeback, later, reason, timestamp, usd, when};
use chrono::TimeDelta;
use makegood::proto::makegood::v1;
use std::collections::BTreeSet;
use tonic::{Code, Response, Status};
use v1::get_chargeback_request::Reference;
use v1::{ChargebackEventKind as Event, ChargebackPhase as Phase, ChargebackStage as Stage};
use v1::{GetChargebackRequest, ListChargebacksRequest as Query};

const NOON: &str = "2025-03-03T12:00:00Z";

fn days(days: i64) -> String {
    later(NOON, TimeDelta::days(days))
}

fn by_id(chargeback_id: &str) -> Reference {
    Reference::ChargebackId(chargeback_id.to_owned())
}

fn by_dispute(dispute_id: &str) -> Reference {
    let (provider, dispute_id) = ("stripe".to_owned(), dispute_id.to_owned());
    Reference::Dispute(v1::Dispute { provider, dispute_id })
}

async fn ask(
    service: &Service,
    account_id: &str,
    reference: Reference,
) -> Result<Response<v1::GetChargebackResponse>, Status> {
    let query = GetChargebackRequest { account_id: account_id.to_owned(), reference: Some(reference) };
    service.refunds().get_chargeback(when(&days(9), query)).await
}

async fn got(service: &Service, reference: Reference) -> v1::Chargeback {
    ask(service, "", reference).await.unwrap().into_inner().chargeback.unwrap()
}

async fn listed(service: &Service, query: Query) -> Vec<v1::Chargeback> {
    let answer = service.refunds().list_chargebacks(when(&days(9), query)).await.unwrap().into_inner();
    assert_eq!(answer.next_page_token, "");
    answer.chargebacks
}

#[tokio::test]
async fn a_dispute_is_read_with_its_events_in_the_order_in_which_they_happened() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let told = |event, phase: Phase, status: &str, minor_units, at: &str| v1::RecordChargebackRequest {
        phase: phase.into(),
        provider_status: status.to_owned(),
        reason_code: "fraudulent".to_owned(),
        amount: usd(minor_units),
        provider_event_id: format!("evt-{status}"),
        ..chargeback("pay-1", "dp-1", event, at)
    };
    // The end is heard first.
    for event in [
        told(Event::Lost, Phase::Arbitration, "lost", 999, &days(5)),
        told(Event::Opened, Phase::Inquiry, "warning", 500, &days(1)),
        told(Event::Updated, Phase::Chargeback, "needs_response", 999, &days(3)),
    ] {
        service.refunds().record_chargeback(when(&days(6), event)).await.unwrap();
    }
    let dispute = got(&service, by_dispute("dp-1")).await;
    assert_eq!(
        (dispute.stage(), dispute.phase(), dispute.account_id.as_str()),
        (Stage::Lost, Phase::Arbitration, "ada")
    );
    assert_eq!((dispute.provider_status.as_str(), dispute.reason_code.as_str()), ("lost", "fraudulent"));
    assert_eq!(dispute.opened_at, Some(timestamp(&days(1))));
    assert_eq!(
        (dispute.closed_at, dispute.last_event_at),
        (Some(timestamp(&days(5))), Some(timestamp(&days(5))))
    );
    assert_eq!((dispute.revoked_credits, dispute.shortfall_credits), (100, 0));
    let events: Vec<_> = dispute
        .events
        .iter()
        .map(|event| {
            (event.event(), event.phase(), event.provider_status.as_str(), event.amount.clone().unwrap())
        })
        .collect();
    assert_eq!(
        events,
        [
            (Event::Opened, Phase::Inquiry, "warning", usd(500).unwrap()),
            (Event::Updated, Phase::Chargeback, "needs_response", usd(999).unwrap()),
            (Event::Lost, Phase::Arbitration, "lost", usd(999).unwrap()),
        ]
    );
    let first = &dispute.events[0];
    assert_eq!(
        (first.occurred_at, first.recorded_at),
        (Some(timestamp(&days(1))), Some(timestamp(&days(6))))
    );
    assert_eq!(first.provider_event_id, "evt-warning");
    assert_eq!(got(&service, by_id(&dispute.chargeback_id)).await, dispute);
    service.audited().await;
}

#[tokio::test]
async fn a_dispute_that_waits_for_its_purchase_is_read_and_shows_no_account() {
    let service = Service::start().await;
    let early = v1::RecordChargebackRequest {
        account_id: "ada".to_owned(),
        ..chargeback("pay-1", "dp-1", Event::Opened, NOON)
    };
    service.refunds().record_chargeback(when(NOON, early)).await.unwrap();
    let waiting = got(&service, by_dispute("dp-1")).await;
    assert_eq!((waiting.account_id.as_str(), waiting.purchase_id.as_str()), ("", ""));
    assert_eq!((waiting.stage(), waiting.events.len()), (Stage::Open, 1));
    assert_eq!(got(&service, by_id(&waiting.chargeback_id)).await, waiting);
    let unmatched = Query { unmatched_only: true, ..Query::default() };
    assert_eq!(listed(&service, unmatched.clone()).await.len(), 1);
    // Whom its caller named is nobody's account.
    service.bought("ada", "pay-2", NOON).await;
    let theirs = ask(&service, "ada", by_dispute("dp-1")).await;
    assert_eq!(reason(theirs), (Code::NotFound, "CHARGEBACK_NOT_FOUND".to_owned()));
    assert_eq!(listed(&service, Query { account_id: "ada".to_owned(), ..Query::default() }).await, []);

    let purchase = service.bought("bea", "pay-1", &days(1)).await;
    let matched = got(&service, by_dispute("dp-1")).await;
    assert_eq!((matched.account_id.as_str(), &matched.purchase_id), ("bea", &purchase.purchase_id));
    assert_eq!((matched.chargeback_id, matched.frozen_credits), (waiting.chargeback_id, 100));
    assert_eq!(matched.events, waiting.events);
    assert_eq!(listed(&service, unmatched).await, []);
    service.audited().await;
}

#[tokio::test]
async fn what_is_not_there_or_not_theirs_is_not_found() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("bea", "pay-2", NOON).await;
    let dispute = service.dispute("pay-1", "dp-1", Event::Opened, NOON).await.chargeback.unwrap();
    let no_ones = "0195aaaa-0000-7000-8000-000000000000";
    let other = v1::Dispute { provider: "adyen".to_owned(), dispute_id: "dp-1".to_owned() };
    for (account_id, reference) in [
        ("", by_id(no_ones)),
        ("", by_dispute("dp-2")),
        ("", Reference::Dispute(other)),
        ("bea", by_id(&dispute.chargeback_id)),
        ("bea", by_dispute("dp-1")),
        ("eve", by_dispute("dp-1")),
    ] {
        let refused = ask(&service, account_id, reference.clone()).await;
        assert_eq!(reason(refused), (Code::NotFound, "CHARGEBACK_NOT_FOUND".to_owned()), "{reference:?}");
    }
    let theirs = ask(&service, "ada", by_id(&dispute.chargeback_id)).await.unwrap().into_inner();
    assert_eq!(theirs.chargeback.unwrap().chargeback_id, dispute.chargeback_id);
    service.audited().await;
}

#[tokio::test]
async fn disputes_are_listed_with_the_latest_news_first_and_filtered_by_what_is_set() {
    let service = Service::start().await;
    let mut purchases = Vec::new();
    for (account_id, payment_id) in [("ada", "pay-1"), ("ada", "pay-2"), ("bea", "pay-3")] {
        purchases.push(service.bought(account_id, payment_id, NOON).await.purchase_id);
    }
    service.dispute("pay-1", "dp-1", Event::Opened, NOON).await;
    service.dispute("pay-2", "dp-2", Event::Opened, &days(1)).await;
    service.dispute("pay-3", "dp-3", Event::Lost, &days(2)).await;
    service.dispute("pay-9", "dp-9", Event::Opened, &days(3)).await;
    // Heard of again, the oldest is the first.
    service.dispute("pay-1", "dp-1", Event::Won, &days(4)).await;
    let names = |all: Vec<v1::Chargeback>| all.into_iter().map(|one| one.dispute_id).collect::<Vec<_>>();
    let all = listed(&service, Query::default()).await;
    assert!(all.iter().all(|one| one.events.is_empty()));
    assert_eq!(names(all), ["dp-1", "dp-9", "dp-3", "dp-2"]);
    let stages = |stages: &[Stage]| stages.iter().map(|stage| (*stage).into()).collect();
    for (query, expected) in [
        (Query { stages: stages(&[Stage::Open]), ..Query::default() }, vec!["dp-9", "dp-2"]),
        (Query { stages: stages(&[Stage::Won, Stage::Lost]), ..Query::default() }, vec!["dp-1", "dp-3"]),
        (Query { account_id: "ada".to_owned(), ..Query::default() }, vec!["dp-1", "dp-2"]),
        (Query { account_id: "eve".to_owned(), ..Query::default() }, vec![]),
        (Query { purchase_id: purchases[2].clone(), ..Query::default() }, vec!["dp-3"]),
        (Query { unmatched_only: true, ..Query::default() }, vec!["dp-9"]),
        (Query { unmatched_only: true, account_id: "ada".to_owned(), ..Query::default() }, vec![]),
        (Query { undetermined_only: true, ..Query::default() }, vec!["dp-1", "dp-9", "dp-3", "dp-2"]),
        (
            Query {
                last_event_window: Some(v1::TimeWindow {
                    start_time: Some(timestamp(&days(1))),
                    end_time: Some(timestamp(&days(3))),
                }),
                ..Query::default()
            },
            vec!["dp-3", "dp-2"],
        ),
    ] {
        assert_eq!(names(listed(&service, query.clone()).await), expected, "{query:?}");
    }
    service.audited().await;
}

#[tokio::test]
async fn pages_are_whole_while_others_write() {
    let service = Service::start().await;
    let mut there = BTreeSet::new();
    for index in 0..11 {
        let dispute_id = format!("dp-{index}");
        // Several had their last news at the same instant.
        let at = later(NOON, TimeDelta::minutes(index / 4));
        service.dispute(&format!("pay-{index}"), &dispute_id, Event::Opened, &at).await;
        there.insert(dispute_id);
    }
    let mut query = Query { page_size: 3, ..Query::default() };
    let mut seen = Vec::new();
    for page in 0.. {
        let answer =
            service.refunds().list_chargebacks(when(&days(1), query.clone())).await.unwrap().into_inner();
        seen.extend(answer.chargebacks);
        if answer.next_page_token.is_empty() {
            break;
        }
        query.page_token = answer.next_page_token;
        let at = later(NOON, TimeDelta::minutes(page % 4));
        service.dispute(&format!("pay-new-{page}"), &format!("dp-new-{page}"), Event::Opened, &at).await;
        assert!(page < 30, "the pages do not end");
    }
    let places: Vec<_> = seen
        .iter()
        .map(|one| (std::cmp::Reverse(one.last_event_at.unwrap().seconds), one.chargeback_id.clone()))
        .collect();
    assert!(places.is_sorted(), "{places:?}");
    let unique: BTreeSet<_> = seen.iter().map(|one| one.dispute_id.clone()).collect();
    assert_eq!(unique.len(), seen.len(), "none is seen twice");
    assert!(there.is_subset(&unique), "none is left out");
    let other = Query { unmatched_only: true, ..query };
    let refused = service.refunds().list_chargebacks(when(&days(1), other)).await;
    assert_eq!(reason(refused), (Code::InvalidArgument, "INVALID_PAGE_TOKEN".to_owned()));
    service.audited().await;
}
