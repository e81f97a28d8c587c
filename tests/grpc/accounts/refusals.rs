//! What cannot be restricted or lifted.

use super::*;
use crate::canary::words;
use v1::ChargebackEventKind as Event;

const NOBODYS: &str = "01950000-0000-7000-8000-000000000001";

fn not_found(what: &str) -> (Code, String) {
    (Code::NotFound, format!("{what}_NOT_FOUND"))
}

#[tokio::test]
async fn what_is_not_there_is_not_found_and_found_when_it_comes() {
    let service = Service::start().await;
    let unknown = v1::GetAccountRequest { account_id: "ada".to_owned() };
    assert_eq!(reason(service.accounts().get_account(when(NOON, unknown)).await), not_found("ACCOUNT"));
    let nothing = lift("ada", NOBODYS);
    let refused = service.accounts().lift_restriction(when(NOON, nothing.clone())).await;
    assert_eq!(reason(refused), not_found("ACCOUNT"));
    service.bought("ada", "pay-1", NOON).await;
    service.bought("bob", "pay-2", NOON).await;
    let refused = service.accounts().lift_restriction(when(NOON, nothing)).await;
    assert_eq!(reason(refused), not_found("RESTRICTION"));
    let of_bob = service.restricted("bob", "suspended", NOON).await;
    let refused = service.accounts().lift_restriction(when(NOON, lift("ada", &of_bob.restriction_id))).await;
    assert_eq!(reason(refused), not_found("RESTRICTION"), "another account's");
    let of_bob = service.dispute("pay-2", "dp-2", Event::Opened, NOON).await.chargeback.unwrap();
    for (account_id, chargeback_id) in [("ada", &of_bob.chargeback_id), ("new", &of_bob.chargeback_id)] {
        let imposed = v1::ImposeRestrictionRequest {
            chargeback_id: chargeback_id.clone(),
            ..restriction(account_id, Kind::RefundBlocked)
        };
        let refused = service.accounts().impose_restriction(when(NOON, imposed)).await;
        assert_eq!(reason(refused), not_found("CHARGEBACK"), "{account_id}");
    }
    let unknown = v1::GetAccountRequest { account_id: "new".to_owned() };
    let unknown = service.accounts().get_account(when(NOON, unknown)).await;
    assert_eq!(reason(unknown), not_found("ACCOUNT"), "a refusal opens no account");
    assert!(service.account("ada").await.restrictions.is_empty());
    service.audited().await;
}

#[tokio::test]
async fn support_alone_neither_closes_an_account_nor_confirms_a_violation() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    for kind in [Kind::Terminated, Kind::ViolationConfirmed] {
        let imposed = restriction("ada", kind);
        let refused = service.accounts().impose_restriction(by(KIM, NOON, imposed.clone())).await;
        assert_eq!(reason(refused), (Code::PermissionDenied, "PERMISSION_DENIED".to_owned()));
        assert!(service.account("ada").await.standing.is_empty(), "{kind:?} by an agent");
        service.accounts().impose_restriction(by(LEE, ONE, imposed)).await.unwrap();
        assert_eq!(standing(&service.account("ada").await), [kind]);
        let lift = lift("ada", &service.account("ada").await.restrictions[0].restriction_id);
        service.accounts().lift_restriction(by(LEE, TWO, lift)).await.unwrap();
    }
    service.audited().await;
}

#[tokio::test]
async fn what_was_lifted_is_not_lifted_again() {
    let service = Service::start().await;
    let imposed = service.restricted("ada", "suspended", NOON).await;
    let first = lift("ada", &imposed.restriction_id);
    let answer = service.accounts().lift_restriction(by(LEE, ONE, first.clone())).await.unwrap().into_inner();
    let second = lift("ada", &imposed.restriction_id);
    let refused = service.accounts().lift_restriction(by("admin:max", TWO, second)).await;
    assert_eq!(reason(refused), (Code::FailedPrecondition, "RESTRICTION_ALREADY_LIFTED".to_owned()));
    let again = service.accounts().lift_restriction(by(LEE, TWO, first.clone())).await.unwrap();
    assert!(is_replayed(&again));
    assert_eq!(again.into_inner(), answer);
    let other = v1::LiftRestrictionRequest { reason: words("another"), ..first };
    let refused = service.accounts().lift_restriction(by(LEE, TWO, other)).await;
    assert_eq!(reason(refused).1, "IDEMPOTENCY_KEY_REUSED");
    let lifted = service.account("ada").await.restrictions.remove(0);
    assert_eq!((lifted.lifted_by.as_str(), lifted.lifted_at), (LEE, Some(timestamp(ONE))));
    service.audited().await;
}

#[tokio::test]
async fn an_account_bears_a_hundred_restrictions_and_shows_as_many() {
    let service = Service::start().await;
    let mut last = v1::Restriction::default();
    for _ in 0..100 {
        last = service.restricted("ada", "violation_suspected", NOON).await;
    }
    let refused =
        service.accounts().impose_restriction(when(ONE, restriction("ada", Kind::Terminated))).await;
    assert_eq!(reason(refused), (Code::ResourceExhausted, "LIMIT_EXCEEDED".to_owned()));
    service.lifted(&last, "ada", ONE).await;
    let closed = service.restricted("ada", "terminated", TWO).await;
    let account = service.account("ada").await;
    assert_eq!(account.restrictions.len(), 100);
    assert_eq!(account.restrictions[0].restriction_id, closed.restriction_id, "the latest first");
    assert_eq!(standing(&account), [Kind::Terminated, Kind::ViolationSuspected]);
    service.audited().await;
}
