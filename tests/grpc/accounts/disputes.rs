//! The restriction that a dispute opens, beside those of persons.

use super::*;
use v1::ChargebackEventKind as Event;

/// Ada's account with an open dispute, and the dispute's id.
async fn disputed(service: &Service) -> String {
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-2", NOON).await;
    service.dispute("pay-1", "dp-1", Event::Opened, NOON).await.chargeback.unwrap().chargeback_id
}

#[tokio::test]
async fn a_person_lifts_what_a_dispute_opened_and_its_later_win_changes_nothing_of_that() {
    let service = Service::start().await;
    let chargeback_id = disputed(&service).await;
    let opened = service.account("ada").await.restrictions.remove(0);
    assert_eq!((opened.kind(), opened.cause()), (Kind::SpendSuspended, Cause::Chargeback));
    assert_eq!((opened.imposed_by.as_str(), opened.clause.as_str()), ("system", "6"));
    assert_eq!(opened.chargeback_id, chargeback_id);
    assert!(service.lifted(&opened, "ada", ONE).await.may_spend);
    service.used("ada", "job-1", 10, ONE).await;
    assert_eq!(service.balance("ada", ONE).await, (90, 0, 100), "the disputed credits stay frozen");
    let won = service.dispute("pay-1", "dp-1", Event::Won, TWO).await;
    assert!(won.account.unwrap().may_spend);
    let account = service.account("ada").await;
    let [known] = account.restrictions.as_slice() else { panic!("{account:?}") };
    assert_eq!((known.lifted_by.as_str(), &known.lifted_at), (LEE, &Some(timestamp(ONE))));
    assert_eq!(service.balance("ada", TWO).await, (190, 0, 0));
    service.audited().await;
}

#[tokio::test]
async fn a_loss_after_a_person_lifted_the_suspension_does_not_bring_it_back_and_a_loss_after_a_win_does() {
    let service = Service::start().await;
    disputed(&service).await;
    let opened = service.account("ada").await.restrictions.remove(0);
    service.lifted(&opened, "ada", NOON).await;
    assert!(service.dispute("pay-1", "dp-1", Event::Lost, ONE).await.account.unwrap().may_spend);
    service.dispute("pay-1", "dp-1", Event::Won, "2025-03-03T13:30:00Z").await;
    assert!(!service.dispute("pay-1", "dp-1", Event::Lost, TWO).await.account.unwrap().may_spend);
    service.audited().await;
}

#[tokio::test]
async fn what_a_person_imposes_for_an_investigation_ends_with_it_and_nothing_else_does() {
    let service = Service::start().await;
    let chargeback_id = disputed(&service).await;
    for (kind, cause) in
        [(Kind::PurchaseBlocked, Cause::Chargeback), (Kind::ViolationSuspected, Cause::RefundAbuse)]
    {
        let imposed = v1::ImposeRestrictionRequest {
            cause: cause.into(),
            chargeback_id: chargeback_id.clone(),
            ..restriction("ada", kind)
        };
        service.accounts().impose_restriction(by(KIM, NOON, imposed)).await.unwrap();
    }
    let before = service.account("ada").await;
    assert_eq!(standing(&before), [Kind::SpendSuspended, Kind::PurchaseBlocked, Kind::ViolationSuspected]);
    service.dispute("pay-1", "dp-1", Event::Withdrawn, ONE).await;
    let after = service.account("ada").await;
    assert_eq!(standing(&after), [Kind::ViolationSuspected]);
    let ended: Vec<(&str, &str)> =
        after.restrictions[1..].iter().map(|one| (one.imposed_by.as_str(), one.lifted_by.as_str())).collect();
    assert_eq!(ended.len(), 2);
    assert!(ended.contains(&(KIM, "system")) && ended.contains(&("system", "system")), "{ended:?}");
    let late = v1::ImposeRestrictionRequest {
        cause: Cause::Chargeback.into(),
        chargeback_id,
        ..restriction("ada", Kind::SpendSuspended)
    };
    let late = service.accounts().impose_restriction(by(KIM, TWO, late)).await;
    assert_eq!(crate::service::fields(late), ["chargeback_id"], "it would never end");
    service.audited().await;
}
