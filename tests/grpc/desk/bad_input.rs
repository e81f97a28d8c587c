//! Bad input: every wrong field is named, nothing changes, and nobody learns of what is not theirs.

use super::*;
use crate::service::{fields, reason, usd};
use tonic::Code;
use v1::ListRefundRequestsRequest as Query;

/// No request of anybody.
const NO_ONES: &str = "0195aaaa-0000-7000-8000-000000000000";

#[tokio::test]
async fn information_that_cannot_be_read_names_every_field() {
    let service = Service::start().await;
    let request = asked(&service).await;
    let rows = service.rows().await;
    let empty = v1::ProvideInformationRequest::default();
    let refused = provide(&service, TUESDAY, empty).await;
    assert_eq!(fields(refused), ["request_id", "account_id", "refund_request_id", "details"]);
    let wrong = v1::ProvideInformationRequest {
        refund_request_id: "first".to_owned(),
        purchase: Some(v1::PurchaseReference { reference: None }),
        details: Some(v1::RequestDetails {
            explanation: "x".repeat(4_001),
            amount_paid: Some(v1::Money { currency_code: "usd".to_owned(), minor_units: -1 }),
            ..Default::default()
        }),
        evidence: vec![v1::Evidence { sha256: vec![1; 31], ..Default::default() }],
        ..information(&request, "")
    };
    assert_eq!(
        fields(provide(&service, TUESDAY, wrong).await),
        [
            "refund_request_id",
            "purchase",
            "details.amount_paid.currency_code",
            "details.amount_paid.minor_units",
            "details.explanation",
            "evidence[0].kind",
            "evidence[0].uri",
            "evidence[0].sha256",
            "evidence[0].size_bytes",
        ]
    );
    assert_eq!(service.rows().await, rows);
    service.audited().await;
}

#[tokio::test]
async fn a_withdrawal_that_cannot_be_read_names_every_field() {
    let service = Service::start().await;
    let request = asked(&service).await;
    let refused = withdraw(&service, TUESDAY, v1::WithdrawRefundRequestRequest::default()).await;
    assert_eq!(fields(refused), ["request_id", "account_id", "refund_request_id"]);
    let long = v1::WithdrawRefundRequestRequest { reason: "x".repeat(1_001), ..withdrawal(&request) };
    assert_eq!(fields(withdraw(&service, TUESDAY, long).await), ["reason"]);
    service.audited().await;
}

#[tokio::test]
async fn a_resolution_that_cannot_be_read_names_every_field() {
    let service = Service::start().await;
    let request = in_review(&service).await;
    let rows = service.rows().await;
    let of = |one: resolve::Resolution| resolution(&request, one);
    let remedy = |kind: i32, credits: i64, amount: Option<v1::Money>| v1::Remedy { kind, credits, amount };
    let approve = |remedies: Vec<v1::Remedy>| {
        of(resolve::Resolution::Approve(resolve::Approve {
            remedies,
            method: 9,
            sentence: "x".repeat(1_001),
        }))
    };
    let (deny, ask) = (resolve::Deny::default(), resolve::Ask::default());
    let many = resolve::Deny { clauses: vec!["5.3".to_owned(); 11], sentence: " ".to_owned() };
    let unclear =
        resolve::Deny { clauses: vec!["5.3".to_owned(), "§5".to_owned()], sentence: "No.".to_owned() };
    let unknown = resolve::Ask { requested_details: vec!["passport".to_owned()], sentence: "?".to_owned() };
    for (wrong, named) in [
        (
            v1::ResolveRefundRequestRequest { note: "x".repeat(4_001), ..Default::default() },
            vec!["request_id", "account_id", "refund_request_id", "etag", "reason", "resolution", "note"],
        ),
        (
            approve(vec![remedy(0, -1, Some(v1::Money::default())), remedy(8, 0, None)]),
            vec![
                "approve.remedies[0].kind",
                "approve.remedies[0].credits",
                "approve.remedies[0].amount.currency_code",
                "approve.remedies[1].kind",
                "approve.method",
                "approve.sentence",
            ],
        ),
        (
            approve(vec![remedy(3, 0, None); 7]),
            vec!["approve.remedies", "approve.method", "approve.sentence"],
        ),
        (of(resolve::Resolution::Deny(deny)), vec!["deny.clauses", "deny.sentence"]),
        (of(resolve::Resolution::Deny(many)), vec!["deny.clauses", "deny.sentence"]),
        (of(resolve::Resolution::Deny(unclear)), vec!["deny.clauses[1]"]),
        (of(resolve::Resolution::Ask(ask)), vec!["ask.requested_details", "ask.sentence"]),
        (of(resolve::Resolution::Ask(unknown)), vec!["ask.requested_details[0]"]),
    ] {
        assert_eq!(fields(resolve_by(&service, MARIA, TUESDAY, wrong.clone()).await), named, "{wrong:?}");
    }
    // What only the ledger can tell is told in the same form.
    for (remedies, named) in [
        (vec![], "approve.remedies"),
        (vec![remedy(5, 0, None)], "approve.remedies[0].amount"),
        (vec![remedy(3, 0, None), remedy(6, 0, None)], "approve.remedies[1].credits"),
    ] {
        let yes = of(resolve::Resolution::Approve(resolve::Approve { remedies, ..Default::default() }));
        assert_eq!(fields(resolve_by(&service, MARIA, TUESDAY, yes).await), [named]);
    }
    assert_eq!(service.rows().await, rows);
    service.audited().await;
}

#[tokio::test]
async fn a_list_that_cannot_be_read_names_every_field() {
    let service = Service::start().await;
    let wrong = Query {
        page_size: -1,
        account_id: "x".repeat(129),
        stages: vec![99],
        due_within: Some(prost_types::Duration { seconds: 2_592_001, nanos: 0 }),
        claim: 99,
        row: "x".repeat(17),
        assignee: "x".repeat(257),
        purchase_id: "first".to_owned(),
        received_window: Some(v1::TimeWindow {
            start_time: Some(crate::service::timestamp(TUESDAY)),
            end_time: Some(crate::service::timestamp(NOON)),
        }),
        ..Query::default()
    };
    let refused = service.refunds().list_refund_requests(by(KIM, TUESDAY, wrong)).await;
    assert_eq!(
        fields(refused),
        [
            "page_size",
            "account_id",
            "stages",
            "due_within",
            "claim",
            "row",
            "assignee",
            "purchase_id",
            "received_window.end_time",
        ]
    );
    let torn = Query { assignee: KIM.to_owned(), unassigned_only: true, ..Query::default() };
    let refused = service.refunds().list_refund_requests(by(KIM, TUESDAY, torn)).await;
    assert_eq!(fields(refused), ["unassigned_only"]);
    let refused = service.refunds().list_refund_requests(by(SHOP, TUESDAY, Query::default())).await;
    assert_eq!(fields(refused), ["account_id"], "a shop sees one customer's requests at a time");
    service.stop().await;
}

#[tokio::test]
async fn a_strangers_request_is_not_there() {
    let service = Service::start().await;
    let request = in_review(&service).await;
    service.bought("bea", "pay-2", NOON).await;
    let not_found = (Code::NotFound, "REFUND_REQUEST_NOT_FOUND".to_owned());
    for (account_id, id) in [("bea", request.refund_request_id.as_str()), ("ada", NO_ONES)] {
        let (account_id, refund_request_id) = (account_id.to_owned(), id.to_owned());
        let told = v1::ProvideInformationRequest {
            account_id: account_id.clone(),
            refund_request_id: refund_request_id.clone(),
            ..information(&request, "mine")
        };
        assert_eq!(reason(provide(&service, TUESDAY, told).await), not_found);
        let back = v1::WithdrawRefundRequestRequest {
            account_id: account_id.clone(),
            refund_request_id: refund_request_id.clone(),
            ..withdrawal(&request)
        };
        assert_eq!(reason(withdraw(&service, TUESDAY, back).await), not_found);
        let no = v1::ResolveRefundRequestRequest {
            account_id,
            refund_request_id,
            ..resolution(&request, denial())
        };
        assert_eq!(reason(resolve_by(&service, MARIA, TUESDAY, no).await), not_found);
    }
    service.audited().await;
}

#[tokio::test]
async fn a_request_takes_so_many_papers_and_no_more() {
    let service = Service::start().await;
    let request = in_review(&service).await;
    let papers = |from: u8, count: u8| {
        (from..from + count)
            .map(|byte| v1::Evidence {
                kind: v1::EvidenceKind::Log.into(),
                uri: format!("evidence://papers/{byte}"),
                sha256: vec![byte; 32],
                size_bytes: 1,
            })
            .collect::<Vec<_>>()
    };
    let told = v1::ProvideInformationRequest { evidence: papers(0, 20), ..information(&request, "") };
    both(provide(&service, NOON, told).await);
    let more = v1::ProvideInformationRequest { evidence: papers(20, 1), ..information(&request, "") };
    let refused = provide(&service, NOON, more).await;
    assert_eq!(reason(refused), (Code::ResourceExhausted, "LIMIT_EXCEEDED".to_owned()));
    let cheap = resolve::Approve {
        remedies: vec![v1::Remedy { kind: v1::RemedyKind::RefundFixed.into(), credits: 0, amount: usd(1) }],
        ..Default::default()
    };
    let read = case(&service, &request.refund_request_id).await;
    resolve_by(&service, MARIA, NOON, resolution(&read, resolve::Resolution::Approve(cheap))).await.unwrap();
    service.audited().await;
}
