//! Reading refunds and disputes.

use super::*;
use v1::{ChargebackEventKind as Event, Claim};

/// A service with a refund and a dispute of Ada's.
async fn with_both() -> (Service, v1::Refund, v1::Chargeback) {
    let service = Service::start().await;
    for payment_id in ["pay-1", "pay-2"] {
        service.bought("ada", payment_id, NOON).await;
    }
    let answer = service.claim("ada", "pay-2", Claim::DuplicatePurchase, NOON).await;
    let refund = answer.refund_request.unwrap().refunds.remove(0);
    let disputed = service.dispute("pay-1", "dp-1", Event::Opened, NOON).await;
    (service, refund, disputed.chargeback.unwrap())
}

#[tokio::test]
async fn a_question_about_a_refund_is_refused_by_the_name_of_its_wrong_field() {
    let (service, refund, _) = with_both().await;
    let mut cases = Cases::<v1::GetRefundRequest>::new();
    cases.required_id("account_id", 128, |m| &mut m.account_id);
    cases.own_id("refund_id", |m| &mut m.refund_id);
    let good = v1::GetRefundRequest { account_id: "ada".to_owned(), refund_id: refund.refund_id.clone() };
    let call = async |request| service.refunds().get_refund(request).await;
    cases.refused(&service, good, call).await;

    let mut cases = Cases::<v1::ListRefundsRequest>::new();
    cases.wrong("page_size", "negative", |m| m.page_size = -1);
    cases.text("account_id", 128, |m| &mut m.account_id);
    cases.text("provider", 64, |m| &mut m.provider);
    for number in [0, 99, -1] {
        cases.wrong("stages", "no stage", move |m| m.stages = vec![1, number]);
    }
    cases.wrong("stages", "too many", |m| m.stages = vec![1; 7]);
    cases.wrong("purchase_id", "no id", |m| "first".clone_into(&mut m.purchase_id));
    cases.wrong("refund_request_id", "no id", |m| "first".clone_into(&mut m.refund_request_id));
    cases.wrong("created_window.end_time", "before its start", |m| m.created_window = Some(backwards()));
    let call = async |request| service.refunds().list_refunds(request).await;
    cases.refused(&service, v1::ListRefundsRequest::default(), call).await;
    service.stop().await;
}

/// A span of time that ends before it begins.
fn backwards() -> v1::TimeWindow {
    v1::TimeWindow {
        start_time: Some(Timestamp { seconds: 1_741_000_000, nanos: 0 }),
        end_time: Some(Timestamp { seconds: 1_740_000_000, nanos: 0 }),
    }
}

#[tokio::test]
async fn a_question_about_a_dispute_is_refused_by_the_name_of_its_wrong_field() {
    use v1::get_chargeback_request::Reference;
    let (service, _, dispute) = with_both().await;
    let chargeback_id = dispute.chargeback_id;
    let mut cases = Cases::<v1::GetChargebackRequest>::new();
    cases.wrong("reference", "missing", |m| m.reference = None);
    cases.wrong("chargeback_id", "no id", |m| m.reference = Some(Reference::ChargebackId("x".to_owned())));
    for (field, provider, dispute_id) in [
        ("dispute.provider", "", "dp-1"),
        ("dispute.dispute_id", "stripe", ""),
        ("dispute.dispute_id", "stripe", "\0"),
    ] {
        let named = v1::Dispute { provider: provider.to_owned(), dispute_id: dispute_id.to_owned() };
        cases.wrong(field, "wrong", move |m| m.reference = Some(Reference::Dispute(named.clone())));
    }
    cases.text("account_id", 128, |m| &mut m.account_id);
    let good = v1::GetChargebackRequest {
        account_id: String::new(),
        reference: Some(Reference::ChargebackId(chargeback_id.clone())),
    };
    let call = async |request| service.refunds().get_chargeback(request).await;
    cases.refused(&service, good, call).await;

    let mut cases = Cases::<v1::CompileChargebackEvidenceRequest>::new();
    cases.own_id("chargeback_id", |m| &mut m.chargeback_id);
    cases.text("account_id", 128, |m| &mut m.account_id);
    let good = v1::CompileChargebackEvidenceRequest { chargeback_id, account_id: String::new() };
    let call = async |request| service.refunds().compile_chargeback_evidence(request).await;
    cases.refused(&service, good, call).await;

    let mut cases = Cases::<v1::ListChargebacksRequest>::new();
    cases.wrong("page_size", "negative", |m| m.page_size = -1);
    cases.text("account_id", 128, |m| &mut m.account_id);
    for number in [0, 99, -1] {
        cases.wrong("stages", "no stage", move |m| m.stages = vec![1, number]);
    }
    cases.wrong("stages", "too many", |m| m.stages = vec![1; 5]);
    cases.wrong("purchase_id", "no id", |m| "first".clone_into(&mut m.purchase_id));
    cases
        .wrong("last_event_window.end_time", "before its start", |m| m.last_event_window = Some(backwards()));
    let call = async |request| service.refunds().list_chargebacks(request).await;
    cases.refused(&service, v1::ListChargebacksRequest::default(), call).await;
    service.stop().await;
}
