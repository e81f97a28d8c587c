//! Why a person restricted an account: for support, kept apart, and erasable.

use super::*;
use crate::audit::found_at;
use crate::canary::words;
use sqlx::Executor;

const SHOP: &str = "frontend:shop";

/// The reasons that a caller reads of Ada's only restriction.
async fn reasons(service: &Service, caller: &str) -> (String, String) {
    let asked = v1::GetAccountRequest { account_id: "ada".to_owned() };
    let account = service.accounts().get_account(by(caller, NOON, asked)).await.unwrap().into_inner().account;
    let restriction = account.unwrap().restrictions.remove(0);
    (restriction.reason, restriction.lift_reason)
}

#[tokio::test]
async fn reasons_are_read_by_support_and_by_no_customer() {
    let service = Service::start().await;
    let imposed = restriction("ada", Kind::ViolationSuspected);
    let answer =
        service.accounts().impose_restriction(by(KIM, NOON, imposed.clone())).await.unwrap().into_inner();
    let known = answer.restriction.unwrap();
    assert_eq!((known.kind(), known.cause()), (Kind::ViolationSuspected, Cause::PromotionAbuse));
    assert_eq!((&known.reason, &known.clause), (&imposed.reason, &imposed.clause));
    assert_eq!((known.imposed_by.as_str(), known.since), (KIM, Some(timestamp(NOON))));
    let shown = std::slice::from_ref(&known);
    assert_eq!(answer.account.unwrap().restrictions, shown);
    assert_eq!(service.account("ada").await.restrictions, shown);
    let lifted = lift("ada", &known.restriction_id);
    let why = (imposed.reason.clone(), lifted.reason.clone());
    service.accounts().lift_restriction(by(LEE, ONE, lifted)).await.unwrap();
    for (caller, read) in [(KIM, why.clone()), ("auditor:ann", why), (SHOP, Default::default())] {
        assert_eq!(reasons(&service, caller).await, read, "{caller}");
    }
    service.audited().await;
}

#[tokio::test]
async fn reasons_lie_in_one_place_and_can_be_erased_without_breaking_a_promise() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let known = service.restricted("ada", "suspended", NOON).await;
    service.lifted(&known, "ada", ONE).await;
    let mut database = service.database().await;
    let kept: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM idempotency_key WHERE answer LIKE '%forty%' OR answer LIKE '%family%'",
    )
    .fetch_one(&mut database)
    .await
    .unwrap();
    assert_eq!(kept, 0, "answers are kept without words");
    let erasure = v1::EraseAccountRequest {
        request_id: request_id(),
        account_id: "ada".to_owned(),
        reason: words("by ticket 4711"),
    };
    service.accounts().erase_account(by(LEE, TWO, erasure)).await.unwrap();
    assert_eq!(reasons(&service, KIM).await, Default::default());
    assert_eq!(found_at(&service, None, TWO).await, []);
    database.execute("SET ROLE makegood_auditor").await.unwrap();
    assert!(database.execute("SELECT text FROM account_note").await.is_err(), "an auditor reads no words");
    database.execute("SELECT text_sha256 FROM account_note").await.unwrap();
    service.audited().await;
}
