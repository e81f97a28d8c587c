//! Several at once: whoever comes second finds what the first did.

use super::*;
use crate::service::reason;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tonic::Code;
use v1::RemedyKind;

/// Most rounds of a race, and the time after which no further round begins.
const ROUNDS: usize = 200;
const PATIENCE: Duration = Duration::from_secs(12);

/// Rounds with a payment of their own each.
fn rounds() -> impl Iterator<Item = String> {
    let begun = Instant::now();
    (1..=ROUNDS).map(|round| format!("pay-{round}")).take_while(move |_| begun.elapsed() < PATIENCE)
}

async fn opened_for(service: &Service, payment_id: &str) -> v1::RefundRequest {
    service.bought("ada", payment_id, NOON).await;
    opened(service, payment_id, Claim::Other, NOON).await
}

#[tokio::test]
async fn an_approval_and_a_withdrawal_never_both_happen() {
    let service = Service::start().await;
    let (mut approved, mut withdrawn) = (0, 0);
    for payment_id in rounds() {
        let request = opened_for(&service, &payment_id).await;
        let yes =
            resolve_by(&service, MARIA, NOON, resolution(&request, approval(&[RemedyKind::RefundUnused])));
        let back = withdraw(&service, NOON, withdrawal(&request));
        // Who is asked first changes from round to round.
        let (yes, back) = if approved % 2 == 0 {
            tokio::join!(yes, back)
        } else {
            let (back, yes) = tokio::join!(back, yes);
            (yes, back)
        };
        assert!(yes.is_ok() != back.is_ok(), "{payment_id}: {yes:?} {back:?}");
        if yes.is_ok() {
            approved += 1;
            assert_eq!(reason(back), (Code::FailedPrecondition, "REQUEST_STAGE_CONFLICT".to_owned()));
        } else {
            withdrawn += 1;
            assert_eq!(reason(yes), (Code::Aborted, "ETAG_MISMATCH".to_owned()));
        }
    }
    assert!(approved + withdrawn >= 20, "{approved} and {withdrawn}");
    assert_eq!(service.balance("ada", NOON).await, (100 * withdrawn, 0, 0));
    service.audited().await;
}

#[tokio::test]
async fn two_reviewers_cannot_overwrite_each_other() {
    let service = Service::start().await;
    let mut rounds_run = 0;
    for payment_id in rounds() {
        let request = opened_for(&service, &payment_id).await;
        let yes =
            resolve_by(&service, MARIA, NOON, resolution(&request, approval(&[RemedyKind::RefundUnused])));
        let no = resolve_by(&service, KIM, NOON, resolution(&request, denial()));
        let (yes, no) = tokio::join!(yes, no);
        assert!(yes.is_ok() != no.is_ok(), "{payment_id}: {yes:?} {no:?}");
        let stage = if yes.is_ok() { Stage::Approved } else { Stage::Denied };
        let second = if yes.is_ok() { no } else { yes };
        assert_eq!(reason(second), (Code::Aborted, "ETAG_MISMATCH".to_owned()));
        let after = case(&service, &request.refund_request_id).await;
        assert_eq!((after.stage(), after.decisions.len(), after.etag.as_str()), (stage, 2, "2"));
        rounds_run += 1;
    }
    assert!(rounds_run >= 20, "{rounds_run}");
    service.audited().await;
}

#[tokio::test]
async fn of_two_requests_for_one_purchase_in_the_same_instant_one_is_opened() {
    let service = Service::start().await;
    let mut opened = BTreeSet::new();
    for payment_id in rounds() {
        service.bought("ada", &payment_id, NOON).await;
        let ask = |caller: &'static str| {
            let mut client = service.refunds();
            let request = evaluate("ada", &payment_id, Claim::Other);
            async move { client.evaluate_request(by(caller, NOON, request)).await }
        };
        let (one, two) = tokio::join!(ask(SHOP), ask(KIM));
        let (first, second) = if one.is_ok() { (one, two) } else { (two, one) };
        opened.insert(first.unwrap().into_inner().refund_request.unwrap().refund_request_id);
        assert_eq!(reason(second), (Code::AlreadyExists, "OPEN_REQUEST_EXISTS".to_owned()));
    }
    assert!(opened.len() >= 20, "{}", opened.len());
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM refund_request")
        .fetch_one(&mut service.database().await)
        .await
        .unwrap();
    assert_eq!(usize::try_from(kept).unwrap(), opened.len());
    service.audited().await;
}
