//! Disputes: what is frozen, revoked and given back, in whatever order the bank's news arrive (§6).

use crate::service::{
    Service, capture, chargeback, delivery, hold, purchase, reason, release, request_id, usd, when,
};
use makegood::proto::makegood::v1;
use tonic::Code;
use v1::{ChargebackEventKind as Event, ChargebackStage as Stage};

const NOON: &str = "2025-03-03T12:00:00Z";
const DAY_1: &str = "2025-03-04T12:00:00Z";
const DAY_2: &str = "2025-03-05T12:00:00Z";
const DAY_3: &str = "2025-03-06T12:00:00Z";
const DAY_9: &str = "2025-03-12T12:00:00Z";

/// Whether the account may spend one credit; nothing stays held.
async fn may_spend(service: &Service, job_id: &str, at: &str) -> Result<(), String> {
    match service.credits().hold_credits(when(at, hold("ada", job_id, 1))).await {
        Ok(_) => {
            service.credits().release_credits(when(at, release("ada", job_id))).await.unwrap();
            Ok(())
        }
        refused => Err(reason(refused).1),
    }
}

#[tokio::test]
async fn a_hold_open_when_the_dispute_opens_goes_back_to_frozen() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.used("ada", "job-0", 10, NOON).await;
    for job_id in ["job-1", "job-2", "job-3"] {
        service.credits().hold_credits(when(NOON, hold("ada", job_id, 20))).await.unwrap();
    }
    let opened = service.dispute("pay-1", "dp-1", Event::Opened, DAY_1).await;
    assert_eq!(opened.chargeback.unwrap().frozen_credits, 30);
    service.credits().release_credits(when(DAY_1, release("ada", "job-1"))).await.unwrap();
    assert_eq!(service.line("pay-1", "purchase").await, [0, 40, 50, 10, 0, 0, 0]);
    service.credits().capture_credits(when(DAY_1, capture("ada", "job-2"))).await.unwrap();
    let failed = service.failed("ada", "job-2", "worker_crash", DAY_1).await;
    assert_eq!(failed.movements[0].to_bucket(), v1::Bucket::Frozen);
    let lost = service.dispute("pay-1", "dp-1", Event::Lost, DAY_2).await.chargeback.unwrap();
    assert_eq!((lost.revoked_credits, lost.shortfall_credits), (70, 30));
    assert_eq!(service.line("pay-1", "purchase").await, [0, 20, 0, 10, 0, 70, 0]);
    service.credits().release_credits(when(DAY_2, release("ada", "job-3"))).await.unwrap();
    service.failed("ada", "job-0", "worker_crash", DAY_2).await;
    assert_eq!(service.line("pay-1", "purchase").await, [0, 0, 0, 0, 0, 100, 0]);
    service.dispute("pay-1", "dp-1", Event::Won, DAY_9).await;
    assert_eq!(service.line("pay-1", "purchase").await, [100, 0, 0, 0, 0, 0, 0]);
    service.audited().await;
}

#[tokio::test]
async fn a_dispute_suspends_the_account_and_its_end_in_our_favour_lifts_that_by_itself() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-2", NOON).await;
    service.credits().hold_credits(when(NOON, hold("ada", "job-1", 10))).await.unwrap();
    let opened = service.dispute("pay-1", "dp-1", Event::Opened, DAY_1).await;
    let account = opened.account.unwrap();
    assert_eq!(account.standing, [i32::from(v1::RestrictionKind::SpendSuspended)]);
    assert!(!account.may_spend);
    let (available, ..) = service.balance("ada", DAY_1).await;
    assert!(available >= 90, "the other purchase's credits are not touched");
    assert_eq!(may_spend(&service, "job-2", DAY_1).await, Err("ACCOUNT_SUSPENDED".to_owned()));
    service.credits().capture_credits(when(DAY_1, capture("ada", "job-1"))).await.unwrap();
    for (event, at) in [(Event::Won, DAY_2), (Event::Lost, DAY_3), (Event::Withdrawn, DAY_9)] {
        let account = service.dispute("pay-1", "dp-1", event, at).await.account.unwrap();
        assert_eq!(account.may_spend, event != Event::Lost, "after {event:?}");
    }
    assert_eq!(may_spend(&service, "job-3", DAY_9).await, Ok(()));
    service.audited().await;
}

#[tokio::test]
async fn one_dispute_won_does_not_lift_what_another_imposed() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-2", NOON).await;
    service.dispute("pay-1", "dp-1", Event::Opened, DAY_1).await;
    service.dispute("pay-2", "dp-2", Event::Opened, DAY_1).await;
    service.dispute("pay-1", "dp-1", Event::Won, DAY_2).await;
    assert_eq!(service.balance("ada", DAY_2).await, (100, 0, 100));
    assert_eq!(may_spend(&service, "job-1", DAY_2).await, Err("ACCOUNT_SUSPENDED".to_owned()));
    service.dispute("pay-2", "dp-2", Event::Won, DAY_3).await;
    assert_eq!(may_spend(&service, "job-2", DAY_3).await, Ok(()));
    service.audited().await;
}

#[tokio::test]
async fn a_dispute_over_part_of_the_price_freezes_all_and_revokes_its_share() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let half = |event, at| v1::RecordChargebackRequest {
        amount: usd(499),
        ..chargeback("pay-1", "dp-1", event, at)
    };
    service.refunds().record_chargeback(when(DAY_1, half(Event::Opened, DAY_1))).await.unwrap();
    assert_eq!(service.balance("ada", DAY_1).await, (0, 0, 100));
    let lost = service
        .refunds()
        .record_chargeback(when(DAY_2, half(Event::Lost, DAY_2)))
        .await
        .unwrap()
        .into_inner();
    let lost = lost.chargeback.unwrap();
    assert_eq!((lost.revoked_credits, lost.unfrozen_credits, lost.shortfall_credits), (49, 51, 0));
    assert_eq!(service.line("pay-1", "purchase").await, [51, 0, 0, 0, 0, 49, 0]);
    service.audited().await;
}

/// Frozen, revoked, let go and short credits of a dispute, as the answer to an event over part of the price tells them.
async fn figures(service: &Service, dispute_id: &str, minor: i64, event: Event, at: &str) -> [i64; 4] {
    let request =
        v1::RecordChargebackRequest { amount: usd(minor), ..chargeback("pay-1", dispute_id, event, at) };
    let answer = service.refunds().record_chargeback(when(at, request)).await.unwrap().into_inner();
    let v1::Chargeback { frozen_credits, revoked_credits, unfrozen_credits, shortfall_credits, .. } =
        answer.chargeback.unwrap();
    [frozen_credits, revoked_credits, unfrozen_credits, shortfall_credits]
}

#[tokio::test]
async fn two_halves_of_the_price_take_every_credit_and_one_that_is_won_leaves_the_other_its_share() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    assert_eq!(figures(&service, "dp-1", 499, Event::Opened, DAY_1).await, [100, 0, 0, 0]);
    assert_eq!(
        figures(&service, "dp-2", 500, Event::Opened, DAY_1).await,
        [100, 0, 0, 0],
        "both keep all of it"
    );
    assert_eq!(
        figures(&service, "dp-1", 499, Event::Lost, DAY_2).await,
        [0, 49, 0, 0],
        "the other keeps the rest"
    );
    assert_eq!(figures(&service, "dp-2", 500, Event::Lost, DAY_2).await, [0, 51, 0, 0]);
    assert_eq!(service.line("pay-1", "purchase").await, [0, 0, 0, 0, 0, 100, 0]);
    assert_eq!(figures(&service, "dp-1", 499, Event::Won, DAY_3).await, [0, 0, 50, 0]);
    assert_eq!(service.line("pay-1", "purchase").await, [50, 0, 0, 0, 0, 50, 0]);
    assert_eq!(figures(&service, "dp-2", 500, Event::Won, DAY_9).await, [0, 0, 51, 0]);
    assert_eq!(service.line("pay-1", "purchase").await, [100, 0, 0, 0, 0, 0, 0]);
    service.audited().await;
}

#[tokio::test]
async fn a_dispute_that_is_won_gives_nothing_back_while_another_lost_one_returned_the_whole_price() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    for dispute_id in ["dp-1", "dp-2"] {
        service.dispute("pay-1", dispute_id, Event::Lost, DAY_1).await;
    }
    let won = service.dispute("pay-1", "dp-1", Event::Won, DAY_2).await;
    assert!(won.movements.is_empty(), "{:?}", won.movements);
    assert_eq!(service.line("pay-1", "purchase").await, [0, 0, 0, 0, 0, 100, 0]);
    service.dispute("pay-1", "dp-2", Event::Won, DAY_3).await;
    assert_eq!(service.line("pay-1", "purchase").await, [100, 0, 0, 0, 0, 0, 0]);
    service.audited().await;
}

#[tokio::test]
async fn a_loss_that_is_heard_late_takes_what_it_told_and_not_what_was_told_since() {
    let mut ends = Vec::new();
    let (opened, updated, lost) =
        ((999, Event::Opened, DAY_1), (100, Event::Updated, DAY_3), (499, Event::Lost, DAY_2));
    for order in [[opened, lost, updated], [opened, updated, lost], [updated, lost, opened]] {
        let service = Service::start().await;
        service.bought("ada", "pay-1", NOON).await;
        for (minor, event, happened) in order {
            let request = v1::RecordChargebackRequest {
                amount: usd(minor),
                ..chargeback("pay-1", "dp-1", event, happened)
            };
            service.refunds().record_chargeback(when(DAY_9, request)).await.unwrap();
        }
        ends.push(service.line("pay-1", "purchase").await);
        service.audited().await;
    }
    assert_eq!(ends, [[51, 0, 0, 0, 0, 49, 0]; 3]);
}

#[tokio::test]
async fn a_second_open_dispute_keeps_credits_frozen_when_the_first_is_won() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.dispute("pay-1", "dp-1", Event::Opened, DAY_1).await;
    service.dispute("pay-1", "dp-2", Event::Opened, DAY_1).await;
    service.dispute("pay-1", "dp-1", Event::Won, DAY_2).await;
    assert_eq!(service.balance("ada", DAY_2).await, (0, 0, 100));
    assert_eq!(may_spend(&service, "job-1", DAY_2).await, Err("ACCOUNT_SUSPENDED".to_owned()));
    service.dispute("pay-1", "dp-2", Event::Lost, DAY_3).await;
    assert_eq!(service.line("pay-1", "purchase").await, [0, 0, 0, 0, 0, 100, 0]);
    service.dispute("pay-1", "dp-1", Event::Lost, DAY_3).await;
    service.dispute("pay-1", "dp-2", Event::Won, DAY_9).await;
    service.dispute("pay-1", "dp-1", Event::Won, DAY_9).await;
    assert_eq!(service.balance("ada", DAY_9).await, (100, 0, 0));
    service.audited().await;
}

#[tokio::test]
async fn what_happened_last_counts_and_not_what_was_heard_last() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let lost = service.dispute("pay-1", "dp-1", Event::Lost, DAY_3).await.chargeback.unwrap();
    assert_eq!((lost.stage(), lost.revoked_credits), (Stage::Lost, 100));
    let opened = service.dispute("pay-1", "dp-1", Event::Opened, DAY_1).await;
    assert!(opened.movements.is_empty(), "{:?}", opened.movements);
    let opened = opened.chargeback.unwrap();
    assert_eq!((opened.stage(), opened.opened_at.unwrap().seconds), (Stage::Lost, 1_741_089_600));
    let older = service.dispute("pay-1", "dp-1", Event::Won, DAY_2).await;
    assert_eq!(older.chargeback.unwrap().stage(), Stage::Lost, "an older victory");
    assert_eq!(service.balance("ada", DAY_3).await, (0, 0, 0));
    let newer = service.dispute("pay-1", "dp-1", Event::Won, DAY_9).await;
    assert_eq!(newer.chargeback.unwrap().stage(), Stage::Won);
    assert_eq!(service.balance("ada", DAY_9).await, (100, 0, 0));
    service.audited().await;
}

#[tokio::test]
async fn an_event_told_again_moves_nothing() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.used("ada", "job-1", 30, NOON).await;
    for (event, at) in
        [(Event::Opened, DAY_1), (Event::Lost, DAY_2), (Event::Won, DAY_3), (Event::Lost, DAY_9)]
    {
        service.dispute("pay-1", "dp-1", event, at).await;
        let line = service.line("pay-1", "purchase").await;
        let again = service.dispute("pay-1", "dp-1", event, at).await;
        assert!(again.movements.is_empty(), "{event:?} moved {:?}", again.movements);
        assert_eq!(service.line("pay-1", "purchase").await, line);
    }
    let updated = service.dispute("pay-1", "dp-1", Event::Updated, DAY_9).await;
    assert!(updated.movements.is_empty());
    assert_eq!(updated.account.unwrap().restrictions.len(), 1);
    service.audited().await;
}

#[tokio::test]
async fn a_dispute_over_another_payment_or_currency_is_told_apart() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-2", NOON).await;
    service.dispute("pay-1", "dp-1", Event::Opened, DAY_1).await;
    let other = chargeback("pay-2", "dp-1", Event::Lost, DAY_2);
    let refused = service.refunds().record_chargeback(when(DAY_2, other)).await;
    assert_eq!(reason(refused), (Code::InvalidArgument, "CHARGEBACK_MISMATCH".to_owned()));
    let euros = Some(v1::Money { currency_code: "EUR".to_owned(), minor_units: 999 });
    let other =
        v1::RecordChargebackRequest { amount: euros, ..chargeback("pay-2", "dp-2", Event::Opened, DAY_2) };
    let refused = service.refunds().record_chargeback(when(DAY_2, other)).await;
    assert_eq!(reason(refused).1, "INVALID_FIELD");
    assert_eq!(service.balance("ada", DAY_2).await, (100, 0, 100));
    service.audited().await;
}

#[tokio::test]
async fn what_is_delivered_while_a_dispute_is_open_is_frozen() {
    let service = Service::start().await;
    let request = v1::RecordPurchaseRequest { bonus_credits: 10, ..purchase("ada", "pay-1", NOON) };
    service.credits().record_purchase(when(NOON, request)).await.unwrap();
    service.dispute("pay-1", "dp-1", Event::Opened, DAY_1).await;
    service.deliver("ada", "pay-1", 60, DAY_1).await;
    assert_eq!(service.balance("ada", DAY_1).await, (0, 0, 70));
    service.dispute("pay-1", "dp-1", Event::Lost, DAY_2).await;
    assert_eq!(service.line("pay-1", "bonus").await, [0, 0, 0, 0, 0, 10, 0]);
    assert_eq!(service.line("pay-1", "purchase").await, [0, 0, 0, 0, 0, 60, 0]);
    let rest = service.credits().deliver_credits(when(DAY_3, delivery("ada", "pay-1", 40, DAY_3))).await;
    assert_eq!(reason(rest), (Code::FailedPrecondition, "PURCHASE_REFUNDED".to_owned()));
    service.dispute("pay-1", "dp-1", Event::Won, DAY_9).await;
    service.deliver("ada", "pay-1", 40, DAY_9).await;
    assert_eq!(service.balance("ada", DAY_9).await, (110, 0, 0));
    service.audited().await;
}

#[tokio::test]
async fn an_event_told_again_has_no_effect_although_another_of_the_same_instant_came_between() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    for named in [true, false] {
        let (dispute_id, event_id) = if named { ("dp-1", "evt-1") } else { ("dp-2", "") };
        let lost = v1::RecordChargebackRequest {
            provider_event_id: event_id.to_owned(),
            ..chargeback("pay-1", dispute_id, Event::Lost, DAY_1)
        };
        service.refunds().record_chargeback(when(DAY_1, lost.clone())).await.unwrap();
        service.dispute("pay-1", dispute_id, Event::Won, DAY_1).await;
        let again = v1::RecordChargebackRequest { request_id: request_id(), ..lost };
        let again = service.refunds().record_chargeback(when(DAY_1, again)).await.unwrap().into_inner();
        assert_eq!(again.chargeback.unwrap().stage(), Stage::Won, "{dispute_id}");
        assert_eq!(service.balance("ada", DAY_1).await, (100, 0, 0));
    }
    service.audited().await;
}
