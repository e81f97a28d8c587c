//! Attempts, what they took and how they ended, and outages.

use super::{NOON, Seen, facts, hours};
use crate::by_hand::grant;
use crate::canary::words;
use crate::service::{Service, capture, evaluate, hold, later, request_id, timestamp, when};
use chrono::TimeDelta;
use makegood::proto::makegood::v1;
use v1::Claim;

/// Use, holds, failures and the attempt that a claim names.
pub(super) async fn attempts(service: &Service, seen: &mut Seen) {
    let named = |job: &str| {
        let attempt = v1::AttemptReference { job_id: job.to_owned(), attempt: 1 };
        let details = v1::RequestDetails { attempt: Some(attempt), ..Default::default() };
        v1::EvaluateRequestRequest {
            details: Some(details),
            ..evaluate("worker", "pay-worker", Claim::DefectiveOutput)
        }
    };
    service.bought("worker", "pay-worker", NOON).await;
    let idle = facts(service, named("never-ran"), &hours(1)).await;
    let expected = [
        ("attempt_known", "false"),
        ("attempt_result", ""),
        ("attempt_credits", ""),
        ("attempt_age", ""),
        ("used", "0"),
        ("used_share", "0%"),
        ("held", "0"),
        ("failed_credits", "0"),
        ("failed_of_purchase", "0"),
        ("platform_failures", "0"),
        ("account_used_credits", "0"),
        ("account_available", "100"),
        ("outage", "none"),
        ("outage_lasted", ""),
        ("outage_ended_ago", ""),
        ("outage_compensated", ""),
    ];
    seen.take(&idle, &expected);

    service.used("worker", "good", 10, &hours(1)).await;
    let found = facts(service, named("good"), &hours(3)).await;
    let expected = [
        ("attempt_known", "true"),
        ("attempt_result", "success"),
        ("attempt_credits", "10"),
        ("attempt_age", "2h"),
        ("used", "10"),
        ("used_share", "10%"),
        ("unused", "90"),
        ("untouched", "false"),
        ("account_used_credits", "10"),
        ("account_available", "90"),
    ];
    seen.take(&found, &expected);

    service.credits().hold_credits(when(&hours(3), hold("worker", "running", 90))).await.unwrap();
    let found = facts(service, named("running"), &hours(3)).await;
    let expected = [
        ("attempt_result", "running"),
        ("attempt_credits", "0"),
        ("attempt_age", ""),
        ("held", "90"),
        ("unused", "0"),
        ("account_available", "0"),
    ];
    seen.take(&found, &expected);
    service.credits().capture_credits(when(&hours(3), capture("worker", "running"))).await.unwrap();
    service.failed("worker", "running", "gpu_error", &hours(3)).await;
    let found = facts(service, named("running"), &hours(4)).await;
    let expected =
        [("attempt_result", "platform_failure"), ("attempt_credits", "0"), ("platform_failures", "1")];
    seen.take(&found, &expected);

    service.used("worker", "blocked", 5, &hours(4)).await;
    service.failed("worker", "blocked", "content_blocked", &hours(4)).await;
    let found = facts(service, named("blocked"), &hours(4)).await;
    seen.take(&found, &[("attempt_result", "other_failure"), ("attempt_credits", "5"), ("used", "15")]);

    // Nobody knew whose fault it was, until an incident covered it.
    service.used("worker", "unclear", 7, &hours(5)).await;
    service.failed("worker", "unclear", "unknown", &hours(5)).await;
    outages(service, seen, named("unclear")).await;
}

/// An incident that is open, over, and made good.
async fn outages(service: &Service, seen: &mut Seen, request: v1::EvaluateRequestRequest) {
    let incident = v1::DeclareIncidentRequest {
        request_id: request_id(),
        title: words("render farm down"),
        start_time: Some(timestamp(&later(NOON, TimeDelta::minutes(270)))),
        end_time: None,
        scope: None,
        reason: words("power cut"),
    };
    let declared =
        service.incidents().declare_incident(when(&hours(6), incident)).await.unwrap().into_inner();
    let found = facts(service, request.clone(), &hours(6)).await;
    let expected = [
        ("outage", "open"),
        ("outage_lasted", "1h30m"),
        ("outage_ended_ago", ""),
        ("outage_compensated", "false"),
        ("failed_credits", "7"),
        ("failed_of_purchase", "7"),
        ("platform_failures", "2"),
        ("attempt_result", "platform_failure"),
        ("attempt_credits", "7"),
        ("recent_compensations", "0"),
    ];
    seen.take(&found, &expected);
    let resolution = v1::ResolveIncidentRequest {
        request_id: request_id(),
        incident_id: declared.incident.unwrap().incident_id,
        end_time: Some(timestamp(&hours(6))),
        reason: words("power is back"),
    };
    service.incidents().resolve_incident(when(&hours(7), resolution)).await.unwrap();
    let found = facts(service, request.clone(), &hours(8)).await;
    seen.take(&found, &[("outage", "over"), ("outage_lasted", "1h30m"), ("outage_ended_ago", "2h")]);
    let gift = grant("worker", v1::LotSource::Compensation, 20);
    service.credits().grant_credits(when(&hours(8), gift)).await.unwrap();
    let found = facts(service, request, &hours(9)).await;
    seen.take(&found, &[("outage_compensated", "true"), ("recent_compensations", "1")]);
}
