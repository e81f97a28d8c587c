//! Several wrong fields, messages that are too large, and bounds that are still good.

use super::{MOST, NOON, violated, written};
use crate::service::{Service, evaluate, purchase, request_id, timestamp, when};
use makegood::proto::makegood::v1;
use tonic::Code;
use tonic_types::StatusExt;
use v1::Claim;

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let service = Service::start().await;
    let empty = v1::RecordPurchaseRequest::default();
    let status = service.credits().record_purchase(when(NOON, empty)).await.unwrap_err();
    assert_eq!(
        violated(&status),
        [
            "request_id",
            "account_id",
            "provider",
            "payment_id",
            "order_id",
            "package_id",
            "kind",
            "price",
            "credits",
            "paid_at"
        ]
    );
    let status = service
        .refunds()
        .record_chargeback(when(NOON, v1::RecordChargebackRequest::default()))
        .await
        .unwrap_err();
    assert_eq!(
        violated(&status),
        ["request_id", "provider", "dispute_id", "payment_id", "event", "amount", "occurred_at"]
    );
    let wrong = v1::EvaluateRequestRequest {
        details: Some(v1::RequestDetails {
            explanation: "x".repeat(4_001),
            amount_paid: Some(v1::Money { currency_code: "?".to_owned(), minor_units: -1 }),
            ..Default::default()
        }),
        evidence: vec![v1::Evidence::default()],
        ..Default::default()
    };
    let status = service.refunds().evaluate_request(when(NOON, wrong)).await.unwrap_err();
    assert_eq!(
        violated(&status),
        [
            "request_id",
            "account_id",
            "claim",
            "details.amount_paid.currency_code",
            "details.amount_paid.minor_units",
            "details.explanation",
            "evidence[0].kind",
            "evidence[0].uri",
            "evidence[0].sha256",
            "evidence[0].size_bytes"
        ]
    );
    assert_eq!(written(&service).await.1, 0);
    service.stop().await;
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_unread() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let before = written(&service).await;
    let mut large = evaluate("ada", "pay-1", Claim::Other);
    large.details.get_or_insert_default().explanation = "x".repeat(makegood::grpc::MAX_REQUEST_BYTES);
    let status = service.refunds().evaluate_request(when(NOON, large)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, "LIMIT_EXCEEDED");
    assert!(details.retry_info().is_none(), "it is as large the next time");
    assert_eq!(written(&service).await, before);
    service.stop().await;
}

#[tokio::test]
async fn the_largest_and_smallest_good_values_are_taken() {
    let service = Service::start().await;
    let text = "ü".repeat(64);
    let largest = v1::RecordPurchaseRequest {
        account_id: text.clone(),
        provider: "p".repeat(64),
        payment_id: text.clone(),
        order_id: text.clone(),
        package_id: text.clone(),
        plan: text.clone(),
        price: Some(v1::Money { currency_code: "USD".to_owned(), minor_units: MOST }),
        credits: MOST,
        bonus_credits: MOST,
        // Five minutes ahead of us, to the microsecond.
        paid_at: Some(timestamp("2025-03-03T12:05:00Z")),
        attributes: (0..32).map(|number| (format!("{number:064}"), "v".repeat(256))).collect(),
        ..purchase("", "", NOON)
    };
    let answer = service.credits().record_purchase(when(NOON, largest)).await.unwrap().into_inner();
    assert_eq!(answer.purchase.unwrap().attributes.len(), 32);
    let smallest = v1::RecordPurchaseRequest {
        account_id: "a".to_owned(),
        provider: "p".to_owned(),
        payment_id: "1".to_owned(),
        order_id: "o".to_owned(),
        package_id: "k".to_owned(),
        price: Some(v1::Money { currency_code: "USD".to_owned(), minor_units: 0 }),
        credits: 1,
        paid_at: Some(timestamp("2020-01-01T00:00:00Z")),
        ..purchase("", "", NOON)
    };
    service.credits().record_purchase(when(NOON, smallest)).await.unwrap();
    let paper = |byte| v1::Evidence {
        kind: v1::EvidenceKind::Other.into(),
        uri: "u".repeat(1_000),
        sha256: vec![byte; 32],
        size_bytes: 1_000_000_000,
    };
    let full = v1::EvaluateRequestRequest {
        details: Some(v1::RequestDetails {
            account_email: "e".repeat(254),
            explanation: "line\n\tline\r\n".repeat(300),
            ..Default::default()
        }),
        evidence: (0..20).map(paper).collect(),
        ..evaluate("a", "1", Claim::Other)
    };
    let full = v1::EvaluateRequestRequest { purchase: None, ..full };
    service.refunds().evaluate_request(when(NOON, full)).await.unwrap();
    let upper = request_id().to_uppercase();
    let shouted = v1::RecordPurchaseRequest { request_id: upper, ..purchase("a", "2", NOON) };
    service.credits().record_purchase(when(NOON, shouted)).await.unwrap();
    service.stop().await;
}
