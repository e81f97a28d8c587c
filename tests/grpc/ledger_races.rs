//! Many writers on one account, and money that goes back by two ways at once.

use crate::service::{Service, capture, chargeback, evaluate, hold, reason, refund_result, release, when};
use makegood::proto::makegood::v1;
use std::sync::Arc;
use tokio::task::JoinSet;
use v1::{ChargebackEventKind as Event, Claim, RefundResult};

const NOON: &str = "2025-03-03T12:00:00Z";
const ONE: &str = "2025-03-03T13:00:00Z";

#[tokio::test]
async fn sixty_four_writers_on_one_account_lose_nothing() {
    let service = Arc::new(Service::start().await);
    for payment_id in ["pay-1", "pay-2", "pay-3"] {
        service.bought("ada", payment_id, NOON).await;
    }
    let writers: JoinSet<i64> = (0..64)
        .map(|writer| {
            let service = service.clone();
            async move {
                let mut charged = 0;
                for turn in 0..3 {
                    let job_id = format!("job-{writer}-{turn}");
                    let held = service.credits().hold_credits(when(NOON, hold("ada", &job_id, 2))).await;
                    if let Err(refused) = held {
                        assert_eq!(reason::<()>(Err(refused)).1, "INSUFFICIENT_CREDITS");
                        continue;
                    }
                    if (writer + turn) % 2 == 0 {
                        service.credits().capture_credits(when(NOON, capture("ada", &job_id))).await.unwrap();
                        charged += 2;
                    } else {
                        service.credits().release_credits(when(NOON, release("ada", &job_id))).await.unwrap();
                    }
                }
                charged
            }
        })
        .collect();
    let charged: i64 = writers.join_all().await.into_iter().sum();
    assert!(charged > 0);
    assert_eq!(service.balance("ada", NOON).await, (300 - charged, 0, 0));
    Arc::into_inner(service).unwrap().audited().await;
}

#[tokio::test]
async fn the_last_credits_are_spent_once() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let holds: JoinSet<_> = (0..30)
        .map(|writer| {
            let mut client = service.credits();
            async move { client.hold_credits(when(NOON, hold("ada", &format!("job-{writer}"), 9))).await }
        })
        .collect();
    let (held, refused): (Vec<_>, Vec<_>) = holds.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!((held.len(), refused.len()), (11, 19));
    for refused in refused {
        assert_eq!(reason(refused).1, "INSUFFICIENT_CREDITS");
    }
    assert_eq!(service.balance("ada", NOON).await, (1, 99, 0));
    service.audited().await;
}

/// What a purchase counts: refunded, pending and returned money, and refunds that were stopped.
async fn money(service: &Service, payment_id: &str) -> (i64, i64, i64, i64) {
    sqlx::query_as(
        "SELECT refunded_minor, pending_minor, returned_minor,
            (SELECT count(*) FROM refund WHERE refund.account_id = purchase.account_id
                AND refund.purchase_id = purchase.purchase_id AND stage = 'canceled')
         FROM purchase WHERE payment_id = $1",
    )
    .bind(payment_id)
    .fetch_one(&mut service.database().await)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_refund_and_a_dispute_at_once_never_pay_twice() {
    let service = Service::start().await;
    for round in 0..50 {
        let account_id = format!("account-{round}");
        let (first, second) = (format!("pay-{round}-1"), format!("pay-{round}-2"));
        service.bought(&account_id, &first, NOON).await;
        service.bought(&account_id, &second, NOON).await;
        let (mut desk, mut bank) = (service.refunds(), service.refunds());
        let claimed = when(ONE, evaluate(&account_id, &second, Claim::DuplicatePurchase));
        let news = if round % 3 == 0 { Event::Lost } else { Event::Opened };
        let told = when(ONE, chargeback(&second, &format!("dp-{round}"), news, ONE));
        // Either may be sent first.
        let (answer, heard) = if round % 2 == 0 {
            tokio::join!(desk.evaluate_request(claimed), bank.record_chargeback(told))
        } else {
            let (heard, answer) = tokio::join!(bank.record_chargeback(told), desk.evaluate_request(claimed));
            (answer, heard)
        };
        let (refunds, heard) =
            (answer.unwrap().into_inner().refund_request.unwrap().refunds, heard.unwrap().into_inner());
        assert_eq!(
            refunds.len(),
            heard.canceled_refund_ids.len(),
            "a refund that had not left was not stopped"
        );
        service.dispute(&second, &format!("dp-{round}"), Event::Lost, "2025-03-04T12:00:00Z").await;
        let (refunded, pending, returned, canceled) = money(&service, &second).await;
        assert_eq!((refunded, pending, returned), (0, 0, 999), "the bank alone pays");
        assert_eq!(usize::try_from(canceled).unwrap(), refunds.len());
        assert_eq!(service.line(&second, "purchase").await, [0, 0, 0, 0, 0, 100, 0]);
    }
    service.audited().await;
}

#[tokio::test]
async fn a_refund_that_leaves_while_a_dispute_opens_has_left_or_is_stopped() {
    let service = Service::start().await;
    for round in 0..25 {
        let account_id = format!("account-{round}");
        let (first, second) = (format!("pay-{round}-1"), format!("pay-{round}-2"));
        service.bought(&account_id, &first, NOON).await;
        service.bought(&account_id, &second, NOON).await;
        let answer = service.claim(&account_id, &second, Claim::DuplicatePurchase, ONE).await;
        let refund = answer.refund_request.unwrap().refunds.remove(0);
        let (mut desk, mut bank) = (service.refunds(), service.refunds());
        let left = when(ONE, refund_result(&account_id, &refund.refund_id, RefundResult::Submitted, ONE));
        let told = when(ONE, chargeback(&second, &format!("dp-{round}"), Event::Opened, ONE));
        let (left, heard) = if round % 2 == 0 {
            tokio::join!(desk.record_refund_result(left), bank.record_chargeback(told))
        } else {
            let (heard, left) = tokio::join!(bank.record_chargeback(told), desk.record_refund_result(left));
            (left, heard)
        };
        let stopped = !heard.unwrap().into_inner().canceled_refund_ids.is_empty();
        let (refunded, pending, _, canceled) = money(&service, &second).await;
        if stopped {
            assert_eq!(reason(left).1, "REFUND_STAGE_CONFLICT", "the caller is told before it pays");
            assert_eq!((refunded, pending, canceled), (0, 0, 1));
            assert_eq!(service.line(&second, "purchase").await, [0, 0, 100, 0, 0, 0, 0]);
        } else {
            left.unwrap();
            assert_eq!((refunded, pending, canceled), (0, 999, 0));
            assert_eq!(service.line(&second, "purchase").await, [0, 0, 0, 0, 0, 0, 100]);
        }
    }
    service.audited().await;
}

#[tokio::test]
async fn a_hold_and_a_dispute_at_once_leave_nothing_to_spend() {
    let service = Service::start().await;
    for round in 0..20 {
        let (account_id, payment_id) = (format!("account-{round}"), format!("pay-{round}"));
        service.bought(&account_id, &payment_id, NOON).await;
        let (mut worker, mut bank) = (service.credits(), service.refunds());
        let held = worker.hold_credits(when(ONE, hold(&account_id, "job-1", 40)));
        let request = chargeback(&payment_id, &format!("dp-{round}"), Event::Opened, ONE);
        let (held, told) = tokio::join!(held, bank.record_chargeback(when(ONE, request)));
        told.unwrap();
        match held {
            Ok(_) => {
                assert_eq!(service.balance(&account_id, ONE).await, (0, 40, 60));
                service.credits().release_credits(when(ONE, release(&account_id, "job-1"))).await.unwrap();
            }
            refused => assert_eq!(reason(refused).1, "ACCOUNT_SUSPENDED"),
        }
        assert_eq!(service.balance(&account_id, ONE).await, (0, 0, 100));
    }
    service.audited().await;
}
