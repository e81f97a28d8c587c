//! The example policies in force: decisions of other kinds, through the API and down to the ledger.

use crate::audit::found_at;
use crate::canary::words;
use crate::incidents::{incident, resolution};
use crate::service::{Service, evaluate, later, purchase, reason, refund_result, request_id, usd, when};
use chrono::TimeDelta;
use makegood::proto::makegood::v1;
use v1::resolve_refund_request_request as resolve;
use v1::{Claim, Outcome, RemedyKind, ReviewReason};

const NO_REFUNDS: &str = include_str!("../../policies/examples/no-refunds.toml");
const FOURTEEN_DAYS: &str = include_str!("../../policies/examples/14-days.toml");
const OUTAGE_CREDITS: &str = include_str!("../../policies/examples/outage-credits.toml");

/// A Wednesday in summer.
const NOON: &str = "2025-06-04T12:00:00Z";

fn hours(hours: i64) -> String {
    later(NOON, TimeDelta::hours(hours))
}

/// Row, outcome and remedies as kind, credits and minor units.
type Answer = (String, Outcome, Vec<(RemedyKind, i64, Option<i64>)>);

fn answer(decision: &v1::Decision) -> Answer {
    let figure = |remedy: &v1::Remedy| {
        (remedy.kind(), remedy.credits, remedy.amount.as_ref().map(|amount| amount.minor_units))
    };
    (decision.row.clone(), decision.outcome(), decision.remedies.iter().map(figure).collect())
}

fn is(row: &str, outcome: Outcome, remedies: &[(RemedyKind, i64, Option<i64>)]) -> Answer {
    (row.to_owned(), outcome, remedies.to_vec())
}

/// Buys and delivers 100 credits in Germany for 9.99 USD, which cost 19.99 USD without a reduction.
async fn bought_in_germany(service: &Service, payment_id: &str) {
    let told = v1::RecordPurchaseRequest {
        list_price: usd(1999),
        attributes: [("country".to_owned(), "DE".to_owned())].into(),
        ..purchase("ada", payment_id, NOON)
    };
    service.credits().record_purchase(when(NOON, told)).await.unwrap();
    service.deliver("ada", payment_id, 100, NOON).await;
}

#[tokio::test]
async fn final_sales_are_delivered_and_not_refunded() {
    let service = Service::start_with(NO_REFUNDS).await;
    service.purchase("ada", "pay-1", NOON).await;
    let given = service.claim("ada", "pay-1", Claim::CreditsNotDelivered, &hours(1)).await;
    let restored = [(RemedyKind::RestoreUndelivered, 100, None)];
    assert_eq!(answer(&given.decision.unwrap()), is("5", Outcome::Approve, &restored));
    let denied = service.claim("ada", "pay-1", Claim::ChangeOfMind, &hours(2)).await;
    let decision = denied.decision.unwrap();
    assert_eq!(answer(&decision), is("11", Outcome::Deny, &[]));
    assert_eq!(decision.policy_version, "example-no-refunds");
    assert_eq!(service.balance("ada", &hours(2)).await, (100, 0, 0));
    assert_eq!(found_at(&service, None, &hours(3)).await, []);
    service.stop().await;
}

#[tokio::test]
async fn within_fourteen_days_what_was_used_is_charged_at_its_list_price() {
    let service = Service::start_with(FOURTEEN_DAYS).await;
    bought_in_germany(&service, "pay-1").await;
    service.used("ada", "job-1", 10, &hours(1)).await;
    let given = service.claim("ada", "pay-1", Claim::ChangeOfMind, &hours(2)).await;
    // 9.99 less ten credits at 19.99 a hundred; 90 credits leave at once.
    let paid = [(RemedyKind::RefundFull, 90, Some(800))];
    assert_eq!(answer(&given.decision.unwrap()), is("12", Outcome::Approve, &paid));
    assert_eq!(service.balance("ada", &hours(2)).await, (0, 0, 0));
    let again = service.claim("ada", "pay-1", Claim::ChangeOfMind, &hours(3)).await.decision.unwrap();
    assert_eq!(answer(&again), is("12", Outcome::Review, &[]));
    assert_eq!(again.review_reason(), ReviewReason::NothingToGive);
    // The customer has paid for what failed, so it comes back to be spent.
    service.failed("ada", "job-1", "gpu_error", &hours(1)).await;
    assert_eq!(service.balance("ada", &hours(4)).await, (10, 0, 0));
    assert_eq!(found_at(&service, None, &hours(4)).await, []);
    service.stop().await;
}

#[tokio::test]
async fn what_the_whole_price_was_paid_for_cannot_be_spent_when_it_comes_back() {
    let less_a_fee = FOURTEEN_DAYS.replacen(
        "{ refund_full = { used_at_list_price = true } }",
        "{ refund_full = { fee = { USD = 100 } } }",
        1,
    );
    assert_ne!(less_a_fee, FOURTEEN_DAYS);
    let service = Service::start_with(&less_a_fee).await;
    bought_in_germany(&service, "pay-1").await;
    service.used("ada", "job-1", 10, &hours(1)).await;
    let given = service.claim("ada", "pay-1", Claim::ChangeOfMind, &hours(2)).await;
    let paid = [(RemedyKind::RefundFull, 90, Some(899))];
    assert_eq!(answer(&given.decision.unwrap()), is("12", Outcome::Approve, &paid));
    let refund = given.refund_request.unwrap().refunds.remove(0);
    service.failed("ada", "job-1", "gpu_error", &hours(1)).await;
    assert_eq!(service.balance("ada", &hours(3)).await, (0, 0, 0));
    assert_eq!(found_at(&service, None, &hours(3)).await, []);
    let again = service.claim("ada", "pay-1", Claim::ChangeOfMind, &hours(3)).await.decision.unwrap();
    assert_eq!((again.outcome(), again.remedies.len()), (Outcome::Review, 0), "the fee is not paid back");
    // The processor cannot send the money, so everything is as it was, the failed attempt made good.
    let result = refund_result("ada", &refund.refund_id, v1::RefundResult::Failed, &hours(4));
    service.refunds().record_refund_result(when(&hours(4), result)).await.unwrap();
    assert_eq!(service.balance("ada", &hours(4)).await, (100, 0, 0));
    assert_eq!(found_at(&service, None, &hours(4)).await, []);
    service.stop().await;
}

#[tokio::test]
async fn what_a_person_approves_is_less_the_fee_that_the_policy_takes() {
    let less_a_fee = FOURTEEN_DAYS.replacen(
        "{ refund_full = { used_at_list_price = true } }",
        "{ refund_full = { fee = { USD = 100 } } }",
        1,
    );
    assert_ne!(less_a_fee, FOURTEEN_DAYS);
    let service = Service::start_with(&less_a_fee).await;
    bought_in_germany(&service, "pay-1").await;
    service.used("ada", "job-1", 10, &hours(1)).await;
    let given = service.claim("ada", "pay-1", Claim::ChangeOfMind, &hours(1)).await.refund_request.unwrap();
    assert_eq!(given.refunds[0].amount, usd(899));
    let failed = refund_result("ada", &given.refunds[0].refund_id, v1::RefundResult::Failed, &hours(2));
    let failed = service.refunds().record_refund_result(when(&hours(2), failed)).await.unwrap().into_inner();
    let reopened = failed.refund_request.unwrap();
    let approve = async |remedies: Vec<v1::Remedy>| {
        let yes = v1::ResolveRefundRequestRequest {
            request_id: request_id(),
            account_id: "ada".to_owned(),
            refund_request_id: reopened.refund_request_id.clone(),
            etag: reopened.etag.clone(),
            reason: words("by bank transfer"),
            resolution: Some(resolve::Resolution::Approve(resolve::Approve {
                remedies,
                ..Default::default()
            })),
            ..Default::default()
        };
        let mut yes = when(&hours(3), yes);
        yes.metadata_mut().insert("makegood-test-caller", "agent:kim".parse().unwrap());
        service.refunds().resolve_refund_request(yes).await
    };
    let whole = v1::Remedy { kind: RemedyKind::RefundFull.into(), credits: 0, amount: usd(999) };
    assert_eq!(reason(approve(vec![whole]).await).1, "REMEDY_NOT_POSSIBLE");
    // What was given in vain is given again.
    let decision = approve(Vec::new()).await.unwrap().into_inner().decision.unwrap();
    assert_eq!(answer(&decision).2, [(RemedyKind::RefundFull, 90, Some(899))]);
    assert_eq!(found_at(&service, None, &hours(3)).await, []);
    service.stop().await;
}

#[tokio::test]
async fn an_outage_is_made_good_with_credits_once() {
    let service = Service::start_with(OUTAGE_CREDITS).await;
    let declared = service.declared(incident(None)).await;
    service.bought("ada", "pay-1", "2025-03-05T12:00:00Z").await;
    let end = resolution(&declared.incident_id, "2025-03-06T00:00:00.000001Z");
    service.incidents().resolve_incident(when("2025-03-06T01:00:00Z", end)).await.unwrap();
    let at = "2025-03-06T02:00:00Z";
    let given = service.claim("ada", "pay-1", Claim::TechnicalIssue, at).await.decision.unwrap();
    assert_eq!(answer(&given), is("5", Outcome::Approve, &[(RemedyKind::Compensate, 25, None)]));
    assert_eq!(service.balance("ada", at).await, (125, 0, 0));
    let again = service.claim("ada", "pay-1", Claim::TechnicalIssue, "2025-03-06T03:00:00Z").await;
    assert_eq!(answer(&again.decision.unwrap()), is("8", Outcome::Deny, &[]));
    assert_eq!(service.balance("ada", "2025-03-06T03:00:00Z").await, (125, 0, 0));
    assert_eq!(found_at(&service, None, "2025-03-06T04:00:00Z").await, []);
    service.stop().await;
}

#[tokio::test]
async fn one_broken_picture_is_given_back_once() {
    let service = Service::start_with(OUTAGE_CREDITS).await;
    service.bought("ada", "pay-1", NOON).await;
    service.used("ada", "job-1", 25, NOON).await;
    let claim = |job: &str| {
        let attempt = v1::AttemptReference { job_id: job.to_owned(), attempt: 1 };
        v1::EvaluateRequestRequest {
            request_id: request_id(),
            details: Some(v1::RequestDetails { attempt: Some(attempt), ..Default::default() }),
            ..evaluate("ada", "pay-1", Claim::DefectiveOutput)
        }
    };
    let ask = async |job: &str, at: &str| {
        let answered = service.refunds().evaluate_request(when(at, claim(job))).await.unwrap();
        answer(&answered.into_inner().decision.unwrap())
    };
    let given = [(RemedyKind::RestoreAttempt, 25, None)];
    assert_eq!(ask("job-1", &hours(24)).await, is("12", Outcome::Approve, &given));
    assert_eq!(service.balance("ada", &hours(24)).await, (100, 0, 0));
    assert_eq!(ask("job-1", &hours(24)).await, is("13", Outcome::Deny, &[]));
    // An attempt that we do not know is for a person; one that is not named is asked for.
    let unknown =
        v1::EvaluateRequestRequest { request_id: String::new(), validate_only: true, ..claim("of-another") };
    let unknown = service.refunds().evaluate_request(when(&hours(24), unknown)).await.unwrap().into_inner();
    assert_eq!(answer(&unknown.decision.unwrap()), is("17", Outcome::Review, &[]));
    let nameless = service.claim("ada", "pay-1", Claim::DefectiveOutput, &hours(24)).await.decision.unwrap();
    assert_eq!(answer(&nameless), is("14", Outcome::RequestInformation, &[]));
    assert_eq!(nameless.requested_details, ["attempt"]);
    assert_eq!(service.balance("ada", &hours(24)).await, (100, 0, 0));
    // The worker's own report finds it made good.
    let report = service.failed("ada", "job-1", "gpu_error", &hours(24)).await;
    assert_eq!(report.outcome(), v1::RestoreOutcome::AlreadyRestored);
    assert_eq!(found_at(&service, None, &hours(25)).await, []);
    service.stop().await;
}
