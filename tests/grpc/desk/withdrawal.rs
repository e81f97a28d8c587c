//! `WithdrawRefundRequest`, and the rule of one open request for each purchase.

use super::*;
use crate::canary::words;
use crate::service::{reason, timestamp};
use tonic::Code;
use tonic_types::StatusExt;

#[tokio::test]
async fn a_request_can_be_taken_back_until_it_is_decided() {
    let service = Service::start().await;
    let request = in_review(&service).await;
    let told = v1::WithdrawRefundRequestRequest { reason: words("I found a use."), ..withdrawal(&request) };
    let answer = withdraw(&service, TUESDAY, told).await.unwrap().into_inner().refund_request.unwrap();
    assert_eq!((answer.stage(), answer.closed_at), (Stage::Withdrawn, Some(timestamp(TUESDAY))));
    let again = withdraw(&service, TUESDAY, withdrawal(&request)).await;
    assert_eq!(reason(again), (Code::FailedPrecondition, "REQUEST_STAGE_CONFLICT".to_owned()));
    let noted = case(&service, &request.refund_request_id).await.notes;
    let noted: Vec<_> = noted.into_iter().map(|note| (note.author, note.text)).collect();
    assert_eq!(noted, [(SHOP.to_owned(), words("I found a use."))]);
    // What customers said of support is not for customers, nor what support said.
    assert!(case_for(&service, SHOP, &request.refund_request_id).await.notes.is_empty());
    service.audited().await;
}

#[tokio::test]
async fn what_is_decided_cannot_be_taken_back() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-2", NOON).await;
    let approved = opened(&service, "pay-2", Claim::DuplicatePurchase, NOON).await;
    let denied = opened(&service, "pay-1", Claim::ChangeOfMind, NOON).await;
    assert_eq!((approved.stage(), denied.stage()), (Stage::Approved, Stage::Denied));
    for request in [approved, denied] {
        let status = withdraw(&service, TUESDAY, withdrawal(&request)).await.unwrap_err();
        let info = status.get_details_error_info().unwrap();
        assert_eq!(info.reason, "REQUEST_STAGE_CONFLICT");
        let stage = Stage::from_str_name(&format!("REFUND_REQUEST_STAGE_{}", info.metadata["stage"]));
        assert_eq!(stage, Some(request.stage()));
    }
    service.audited().await;
}

#[tokio::test]
async fn a_purchase_has_one_open_request_and_a_second_one_names_it() {
    let service = Service::start().await;
    let first = in_review(&service).await;
    let rows = service.rows().await;
    for (validate_only, claim) in [(false, Claim::Other), (true, Claim::Other), (false, Claim::ChangeOfMind)]
    {
        let second = v1::EvaluateRequestRequest { validate_only, ..evaluate("ada", "pay-1", claim) };
        let status = service.refunds().evaluate_request(by(SHOP, TUESDAY, second)).await.unwrap_err();
        let info = status.get_details_error_info().unwrap();
        assert_eq!((status.code(), info.reason.as_str()), (Code::AlreadyExists, "OPEN_REQUEST_EXISTS"));
        assert_eq!(info.metadata["refund_request_id"], first.refund_request_id);
    }
    assert_eq!(service.rows().await, rows);
    // Another purchase has its own, and once the first is closed there is room.
    service.bought("ada", "pay-2", TUESDAY).await;
    opened(&service, "pay-2", Claim::Other, TUESDAY).await;
    withdraw(&service, TUESDAY, withdrawal(&first)).await.unwrap();
    opened(&service, "pay-1", Claim::Other, TUESDAY).await;
    service.audited().await;
}

#[tokio::test]
async fn a_purchase_named_late_must_have_no_open_request_either() {
    let service = Service::start().await;
    let first = in_review(&service).await;
    let nameless = v1::EvaluateRequestRequest { purchase: None, ..evaluate("ada", "", Claim::Other) };
    let second = opened_as(&service, nameless, NOON).await;
    let told =
        v1::ProvideInformationRequest { purchase: by_payment("pay-1"), ..information(&second, "this") };
    let status = provide(&service, TUESDAY, told).await.unwrap_err();
    let info = status.get_details_error_info().unwrap();
    assert_eq!((status.code(), info.reason.as_str()), (Code::AlreadyExists, "OPEN_REQUEST_EXISTS"));
    assert_eq!(info.metadata["refund_request_id"], first.refund_request_id);
    assert_eq!(case(&service, &second.refund_request_id).await.decisions.len(), 1);
    service.audited().await;
}

#[tokio::test]
async fn the_database_itself_refuses_a_second_open_request() {
    let service = Service::start().await;
    in_review(&service).await;
    let mut database = service.database().await;
    let refused = sqlx::query(
        "INSERT INTO refund_request (account_id, refund_request_id, purchase_id, names_purchase, claim, stage,
             received_at, respond_by, policy_version, revision, opened_by)
         SELECT account_id, gen_random_uuid(), purchase_id, names_purchase, claim, 'awaiting_information',
             received_at, respond_by, policy_version, revision, opened_by FROM refund_request",
    )
    .execute(&mut database)
    .await
    .unwrap_err();
    let constraint = refused.as_database_error().unwrap().constraint().map(str::to_owned);
    assert_eq!(constraint.as_deref(), Some("refund_request_one_open"));
    drop(database);
    service.audited().await;
}
