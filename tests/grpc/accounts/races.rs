//! Restrictions against what they forbid, at two replicas at once.

use super::*;
use crate::replicas::{audited, both};
use tokio::task::JoinSet;
use v1::ChargebackEventKind as Event;

const ROUNDS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn no_hold_comes_after_the_restriction_that_forbids_it() {
    let both = both().await;
    let (mut held, mut refused) = (0, 0);
    for round in 0..ROUNDS {
        let (account_id, payment_id) = (format!("account-{round}"), format!("pay-{round}"));
        both[0].bought(&account_id, &payment_id, NOON).await;
        // Both replicas keep the account in memory.
        for service in &both {
            service.used(&account_id, &format!("job-{}", request_id()), 1, NOON).await;
        }
        let holds: JoinSet<_> = (0..10)
            .map(|number| {
                let mut client = both[number % 2].credits();
                let request = hold(&account_id, &format!("job-{number}"), 1);
                async move { client.hold_credits(when(ONE, request)).await }
            })
            .collect();
        let kind = if round % 2 == 0 { "suspended" } else { "terminated" };
        both[round % 2].restricted(&account_id, kind, ONE).await;
        for service in &both {
            let late = service.credits().hold_credits(when(ONE, hold(&account_id, "late", 1))).await;
            assert_eq!(reason(late).0, Code::FailedPrecondition);
        }
        let answers = holds.join_all().await;
        let in_time = answers.iter().filter(|answer| answer.is_ok()).count();
        held += in_time;
        refused += answers.len() - in_time;
        let in_time = i64::try_from(in_time).unwrap();
        assert_eq!(both[1].balance(&account_id, ONE).await, (98 - in_time, in_time, 0));
    }
    assert_eq!(held + refused, 10 * ROUNDS);
    audited(both).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credits_are_revoked_or_held_and_never_both() {
    let both = both().await;
    for round in 0..ROUNDS {
        let (account_id, payment_id) = (format!("account-{round}"), format!("pay-{round}"));
        both[0].bought(&account_id, &payment_id, NOON).await;
        let closed = v1::ImposeRestrictionRequest {
            revoke_credits: true,
            ..restriction(&account_id, Kind::Terminated)
        };
        let (mut accounts, mut credits) = (both[0].accounts(), both[1].credits());
        let (closed, held) = tokio::join!(
            accounts.impose_restriction(when(ONE, closed)),
            credits.hold_credits(when(ONE, hold(&account_id, "job-1", 60)))
        );
        closed.unwrap();
        let line = both[0].line(&payment_id, "purchase").await;
        let expected = if held.is_ok() { [0, 60, 0, 0, 0, 40, 0] } else { [0, 0, 0, 0, 0, 100, 0] };
        assert_eq!(line, expected);
    }
    audited(both).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_that_is_lifted_and_won_at_once_ends_once() {
    let both = both().await;
    for round in 0..ROUNDS {
        let (account_id, payment_id) = (format!("account-{round}"), format!("pay-{round}"));
        both[0].bought(&account_id, &payment_id, NOON).await;
        let dispute_id = format!("dp-{round}");
        both[0].dispute(&payment_id, &dispute_id, Event::Opened, NOON).await;
        let opened = both[0].account(&account_id).await.restrictions.remove(0);
        let mut accounts = both[0].accounts();
        let lifted = accounts.lift_restriction(by(LEE, ONE, lift(&account_id, &opened.restriction_id)));
        let won = both[1].dispute(&payment_id, &dispute_id, Event::Won, ONE);
        let (lifted, won) = tokio::join!(lifted, won);
        assert!(won.account.unwrap().may_spend);
        let account = both[1].account(&account_id).await;
        let by = if lifted.is_ok() { LEE } else { "system" };
        assert_eq!(account.restrictions[0].lifted_by, by);
        if lifted.is_err() {
            assert_eq!(reason(lifted).1, "RESTRICTION_ALREADY_LIFTED");
        }
        assert!(account.may_spend && account.restrictions.len() == 1);
        assert_eq!(both[0].balance(&account_id, ONE).await, (100, 0, 0));
    }
    audited(both).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_restriction_sent_to_both_is_imposed_once() {
    let both = both().await;
    let request = restriction("ada", Kind::Terminated);
    let sent: JoinSet<_> = (0..8)
        .map(|number| {
            let mut client = both[number % 2].accounts();
            let request = request.clone();
            async move { client.impose_restriction(by(LEE, NOON, request)).await.unwrap().into_inner() }
        })
        .collect();
    let answers = sent.join_all().await;
    assert!(answers.iter().all(|answer| answer.restriction == answers[0].restriction));
    assert_eq!(both[1].account("ada").await.restrictions.len(), 1);
    audited(both).await;
}
