//! §5.3, §7.2: late requests, subscriptions, and everything that no other row settles.

use super::*;
use crate::service::Service;

async fn renewed(service: &Service) {
    let told = v1::RecordPurchaseRequest {
        kind: v1::PurchaseKind::Subscription.into(),
        renewal: true,
        plan: "pro".to_owned(),
        ..purchase("ada", "pay-1", NOON)
    };
    bought_as(service, &told, NOON).await;
}

#[tokio::test]
async fn eight_days_later_a_request_is_late_and_a_person_decides() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.used("ada", "job-1", 49, NOON).await;
    let answer = service.claim("ada", "pay-1", Claim::UnauthorisedPayment, &days(8)).await;
    let (request, decision) = review("27b", &["5.3"]).check(answer, &days(8));
    assert!(decision.recommendation.is_none());
    nothing_moved(&service, "ada", &request, (51, 0, 0), &days(8)).await;
    service.stop().await;
}

#[tokio::test]
async fn late_and_half_used_leans_to_a_denial() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.used("ada", "job-1", 50, NOON).await;
    let answer = service.claim("ada", "pay-1", Claim::UnauthorisedPayment, &days(8)).await;
    let (request, decision) = review("27a", &["5.3"]).check(answer, &days(8));
    assert_eq!(decision.recommendation.unwrap().outcome(), Outcome::Deny);
    nothing_moved(&service, "ada", &request, (50, 0, 0), &days(8)).await;
    service.stop().await;
}

#[tokio::test]
async fn exactly_seven_days_are_not_late() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let answer = service.claim("ada", "pay-1", Claim::Other, &days(7)).await;
    let (request, _) = review("30", &["5.3"]).check(answer, &days(7));
    taken_back(&service, &request, &days(7)).await;
    let late = later(&days(7), TimeDelta::microseconds(1));
    let answer = service.claim("ada", "pay-1", Claim::Other, &late).await;
    review("27b", &["5.3"]).check(answer, &late);
    service.stop().await;
}

#[tokio::test]
async fn a_renewal_told_within_48_hours_is_considered_by_a_person() {
    let service = Service::start().await;
    renewed(&service).await;
    service.used("ada", "job-1", 10, NOON).await;
    let answer = service.claim("ada", "pay-1", Claim::UnintendedRenewal, &hours(48)).await;
    let (request, decision) = review("28", &["7.2"]).check(answer, &hours(48));
    assert_eq!(recommended(&decision), [(RemedyKind::RefundUnused, 90, Some(899))]);
    nothing_moved(&service, "ada", &request, (90, 0, 0), &hours(48)).await;
    service.stop().await;
}

#[tokio::test]
async fn a_renewal_told_a_microsecond_later_is_denied() {
    let service = Service::start().await;
    renewed(&service).await;
    let late = later(&hours(48), TimeDelta::microseconds(1));
    let answer = service.claim("ada", "pay-1", Claim::UnintendedRenewal, &late).await;
    let (request, _) = deny("29", &["7.2"]).check(answer, &late);
    nothing_moved(&service, "ada", &request, (100, 0, 0), &late).await;
    service.stop().await;
}

#[tokio::test]
async fn a_request_on_a_weekend_is_counted_from_monday() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    // Saturday: three business days after Monday's first moment is Thursday's.
    let saturday = "2025-03-08T15:00:00Z";
    let answer = service.claim("ada", "pay-1", Claim::Other, saturday).await;
    let (request, _) = review("30", &["5.3"]).check(answer, saturday);
    assert_eq!(request.respond_by, Some(timestamp("2025-03-13T00:00:00Z")));
    service.stop().await;
}
