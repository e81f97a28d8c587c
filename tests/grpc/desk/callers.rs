//! The test caller of development mode.

use super::*;
use crate::service::fields;

#[tokio::test]
async fn a_call_is_made_by_whom_it_says_and_by_development_otherwise() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let by_nobody = evaluate("ada", "pay-1", Claim::ChangeOfMind);
    let answer = service.refunds().evaluate_request(when(NOON, by_nobody.clone())).await.unwrap();
    assert_eq!(answer.into_inner().refund_request.unwrap().opened_by, "development");
    // A request id is its caller's: the same one of another caller is another call.
    let answer = service.refunds().evaluate_request(by(KIM, NOON, by_nobody)).await.unwrap();
    assert!(!crate::service::is_replayed(&answer));
    assert_eq!(answer.into_inner().refund_request.unwrap().opened_by, KIM);
    service.audited().await;
}

#[tokio::test]
async fn a_caller_that_cannot_be_read_is_refused_by_its_key() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let rows = service.rows().await;
    for caller in ["", "maria", "agent", "agent:", ":maria", "boss:maria", "Agent:maria", "system:sweeper"] {
        let asked = evaluate("ada", "pay-1", Claim::ChangeOfMind);
        let refused = service.refunds().evaluate_request(by(caller, NOON, asked)).await;
        assert_eq!(fields(refused), ["makegood-test-caller"], "{caller}");
    }
    assert_eq!(service.rows().await, rows);
    service.stop().await;
}
