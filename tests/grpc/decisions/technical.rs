//! §2.2: errors of ours.

use super::*;
use crate::service::{Service, capture, hold, release};

/// Three attempts that fail through our fault at one instant; what they held is let go.
async fn outage(service: &Service, at: &str) {
    for job in ["out-1", "out-2", "out-3"] {
        service.credits().hold_credits(when(at, hold("ada", job, 1))).await.unwrap();
        let report = service.failed("ada", job, "gpu_error", at).await;
        assert_eq!(report.outcome(), v1::RestoreOutcome::Released);
    }
}

/// A charged attempt whose failure a worker could not explain and that was found to be ours since.
async fn lost(service: &Service, job_id: &str, credits: i64, at: &str) {
    service.used("ada", job_id, credits, at).await;
    let report = service.failed("ada", job_id, "unknown", at).await;
    assert_eq!(report.not_restorable_reason(), v1::NotRestorableReason::FaultUndetermined);
    let mut database = service.database().await;
    let found = sqlx::query("UPDATE usage SET fault = 'platform' WHERE job_id = $1")
        .bind(job_id)
        .execute(&mut database)
        .await
        .unwrap();
    assert_eq!(found.rows_affected(), 1);
}

#[tokio::test]
async fn a_purchase_that_was_used_up_is_denied() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.used("ada", "job-1", 100, NOON).await;
    let answer = service.claim("ada", "pay-1", Claim::TechnicalIssue, &hours(1)).await;
    let (request, _) = deny("20", &["7.1"]).check(answer, &hours(1));
    nothing_moved(&service, "ada", &request, (0, 0, 0), &hours(1)).await;
    service.stop().await;
}

#[tokio::test]
async fn three_failures_in_a_row_are_an_outage_that_we_are_on() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    outage(&service, &hours(1)).await;
    // Exactly the reasonable time of 24 hours.
    let answer = service.claim("ada", "pay-1", Claim::TechnicalIssue, &hours(25)).await;
    let (request, _) = review("23", &["2.2"]).check(answer, &hours(25));
    nothing_moved(&service, "ada", &request, (100, 0, 0), &hours(25)).await;
    service.stop().await;
}

#[tokio::test]
async fn two_failures_are_no_outage() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    for job in ["job-1", "job-2"] {
        service.credits().hold_credits(when(NOON, hold("ada", job, 1))).await.unwrap();
        service.failed("ada", job, "gpu_error", NOON).await;
    }
    let answer = service.claim("ada", "pay-1", Claim::TechnicalIssue, &hours(1)).await;
    let (request, decision) = ask("26", &["2.2"]).check(answer, &hours(1));
    assert_eq!(decision.requested_details, ["attempted_at", "logs"]);
    nothing_moved(&service, "ada", &request, (100, 0, 0), &hours(1)).await;
    service.stop().await;
}

#[tokio::test]
async fn an_outage_beyond_the_reasonable_time_pays_for_what_is_unused() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.used("ada", "job-1", 30, NOON).await;
    outage(&service, &hours(1)).await;
    let at = later(&hours(25), TimeDelta::microseconds(1));
    let answer = service.claim("ada", "pay-1", Claim::TechnicalIssue, &at).await;
    let (request, decision) = approve("21", &["2.2"]).check(answer, &at);
    // No attempt took credits that are still gone, so there is nothing to give back first.
    assert_eq!(figures(&decision.remedies), [(RemedyKind::RefundUnused, 70, Some(699))]);
    assert_eq!(request.refunds.len(), 1);
    assert_eq!(service.balance("ada", &at).await, (0, 0, 0));
    service.stop().await;
}

#[tokio::test]
async fn in_a_long_outage_lost_credits_count_as_unused_and_are_paid_for() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.used("ada", "job-1", 30, NOON).await;
    lost(&service, "job-2", 20, &hours(1)).await;
    outage(&service, &hours(1)).await;
    let at = hours(26);
    let answer = service.claim("ada", "pay-1", Claim::TechnicalIssue, &at).await;
    let (request, decision) = approve("21", &["2.2"]).check(answer, &at);
    assert_eq!(
        figures(&decision.remedies),
        [(RemedyKind::RestoreFailed, 20, None), (RemedyKind::RefundUnused, 70, Some(699))]
    );
    assert_eq!(request.restored_credits, 20);
    assert_eq!(service.balance("ada", &at).await, (0, 0, 0));
    service.stop().await;
}

#[tokio::test]
async fn credits_lost_to_our_failures_go_back_to_their_lots() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    lost(&service, "job-1", 30, NOON).await;
    assert_eq!(service.balance("ada", NOON).await, (70, 0, 0));
    let answer = service.claim("ada", "pay-1", Claim::DefectiveOutput, &days(30)).await;
    let (request, decision) = approve("22", &["2.2"]).check(answer, &days(30));
    assert_eq!(figures(&decision.remedies), [(RemedyKind::RestoreFailed, 30, None)]);
    assert!(request.refunds.is_empty());
    assert_eq!(service.balance("ada", &days(30)).await, (100, 0, 0));
    let report = service.failed("ada", "job-1", "gpu_error", &days(30)).await;
    assert_eq!(report.outcome(), v1::RestoreOutcome::AlreadyRestored, "nothing is given back twice");
    service.stop().await;
}

#[tokio::test]
async fn a_long_outage_that_is_over_goes_to_a_person_with_the_unused_part() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    outage(&service, &hours(1)).await;
    service.used("ada", "job-1", 10, &hours(26)).await;
    let answer = service.claim("ada", "pay-1", Claim::TechnicalIssue, &hours(27)).await;
    let (request, decision) = review("24", &["2.2"]).check(answer, &hours(27));
    assert_eq!(recommended(&decision), [(RemedyKind::RefundUnused, 90, Some(899))]);
    nothing_moved(&service, "ada", &request, (90, 0, 0), &hours(27)).await;
    service.stop().await;
}

#[tokio::test]
async fn an_outage_that_ended_in_time_and_took_nothing_is_denied() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    outage(&service, &hours(1)).await;
    service.used("ada", "job-1", 10, &hours(25)).await;
    let answer = service.claim("ada", "pay-1", Claim::TechnicalIssue, &hours(26)).await;
    let (request, _) = deny("25", &["2.2"]).check(answer, &hours(26));
    nothing_moved(&service, "ada", &request, (90, 0, 0), &hours(26)).await;
    service.stop().await;
}

#[tokio::test]
async fn failures_of_the_customer_make_no_outage() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    for job in ["job-1", "job-2", "job-3"] {
        service.credits().hold_credits(when(NOON, hold("ada", job, 1))).await.unwrap();
        service.credits().capture_credits(when(NOON, capture("ada", job))).await.unwrap();
        let report = service.failed("ada", job, "content_blocked", NOON).await;
        assert_eq!(report.not_restorable_reason(), v1::NotRestorableReason::CustomerFault);
    }
    let answer = service.claim("ada", "pay-1", Claim::TechnicalIssue, &hours(48)).await;
    ask("26", &["2.2"]).check(answer, &hours(48));
    service.stop().await;
}

#[tokio::test]
async fn held_credits_stay_out_of_a_refund_and_two_refunds_pay_the_whole_price() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    outage(&service, &hours(1)).await;
    service.credits().hold_credits(when(&hours(26), hold("ada", "slow", 67))).await.unwrap();
    let answer = service.claim("ada", "pay-1", Claim::TechnicalIssue, &hours(26)).await;
    let (first, _) = approve("21", &["2.2"]).check(answer, &hours(26));
    let paid = |request: &v1::RefundRequest| request.refunds.first().unwrap().amount.clone().unwrap();
    // floor(999 × 33 / 100)
    assert_eq!(paid(&first).minor_units, 329);
    assert_eq!(service.balance("ada", &hours(26)).await, (0, 67, 0));
    service.credits().release_credits(when(&hours(26), release("ada", "slow"))).await.unwrap();
    let answer = service.claim("ada", "pay-1", Claim::TechnicalIssue, &hours(27)).await;
    let (second, _) = approve("21", &["2.2"]).check(answer, &hours(27));
    // By itself this part is floor(999 × 67 / 100) = 669: the running total loses no cent.
    assert_eq!(paid(&second).minor_units, 670);
    let answer = service.claim("ada", "pay-1", Claim::TechnicalIssue, &hours(28)).await;
    let (third, _) = deny("3", &["7.1"]).check(answer, &hours(28));
    nothing_moved(&service, "ada", &third, (0, 0, 0), &hours(28)).await;
    service.stop().await;
}
