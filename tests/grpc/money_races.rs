//! Money and credits that may go two ways at once, decided at two replicas: whoever comes first, the customer has as
//! much, and never more than was paid.

use crate::replicas::{audited, both};
use crate::service::{Service, capture, chargeback, evaluate, hold, reason, release, restore, usd, when};
use makegood::proto::makegood::v1;
use tokio::task::JoinSet;
use v1::{ChargebackEventKind as Event, Claim};

const NOON: &str = "2025-03-03T12:00:00Z";
const ONE: &str = "2025-03-03T13:00:00Z";
const ROUNDS: usize = 20;

/// What was paid for a payment, and what of it was paid back, is on its way, and was returned by the bank.
async fn money(service: &Service, payment_id: &str) -> (i64, i64, i64, i64) {
    sqlx::query_as(
        "SELECT price_minor, refunded_minor, pending_minor, returned_minor FROM purchase WHERE payment_id = $1",
    )
    .bind(payment_id)
    .fetch_one(&mut service.database().await)
    .await
    .unwrap()
}

/// Tells of news about a part of a payment, at one of the replicas.
async fn news(service: &Service, payment_id: &str, dispute: usize, event: Event, minor: i64) {
    let dispute_id = format!("dp-{payment_id}-{dispute}");
    let request =
        v1::RecordChargebackRequest { amount: usd(minor), ..chargeback(payment_id, &dispute_id, event, ONE) };
    service.refunds().record_chargeback(when(ONE, request)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_payments_for_the_same_thing_each_is_refunded_once_and_one_stands() {
    let both = both().await;
    for round in 0..5 {
        let account_id = format!("account-{round}");
        let payments: Vec<String> = (0..3).map(|number| format!("pay-{round}-{number}")).collect();
        for payment_id in &payments {
            both[0].bought(&account_id, payment_id, NOON).await;
        }
        let claims: JoinSet<_> = (0..24)
            .map(|number| {
                let mut client = both[number % 2].refunds();
                let request = evaluate(&account_id, &payments[number % 3], Claim::DuplicatePurchase);
                async move { client.evaluate_request(when(ONE, request)).await }
            })
            .collect();
        let refunds: Vec<v1::Refund> = claims
            .join_all()
            .await
            .into_iter()
            // A request that meets an open one about the same payment may be refused.
            .filter_map(Result::ok)
            .flat_map(|answer| answer.into_inner().refund_request.unwrap().refunds)
            .collect();
        assert_eq!(refunds.len(), 2, "of three payments for the same thing two are too many");
        let mut sums = [0; 3];
        for (payment_id, sum) in payments.iter().zip(&mut sums) {
            let (price, refunded, pending, _) = money(&both[0], payment_id).await;
            assert!(refunded + pending <= price, "more than was paid for {payment_id}");
            *sum = pending;
        }
        sums.sort_unstable();
        assert_eq!(sums, [0, 999, 999]);
        assert_eq!(both[0].balance(&account_id, ONE).await, (100, 0, 0));
    }
    audited(both).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_and_lost_disputes_over_parts_never_give_back_more_than_was_paid() {
    let both = both().await;
    for round in 0..ROUNDS {
        let account_id = format!("account-{round}");
        let payment_id = format!("pay-{round}-2");
        both[0].bought(&account_id, &format!("pay-{round}-1"), NOON).await;
        both[0].bought(&account_id, &payment_id, NOON).await;
        let [here, there] = [&both[round % 2], &both[(round + 1) % 2]];
        let mut desk = here.refunds();
        let claim = evaluate(&account_id, &payment_id, Claim::DuplicatePurchase);
        let asked = desk.evaluate_request(when(ONE, claim));
        let first = news(there, &payment_id, 1, Event::Lost, 400);
        let second = news(here, &payment_id, 2, Event::Lost, 300);
        let (asked, (), ()) = tokio::join!(asked, first, second);
        let refunds = asked.unwrap().into_inner().refund_request.unwrap().refunds;
        assert!(refunds.len() <= 1);
        let (price, refunded, pending, returned) = money(here, &payment_id).await;
        assert_eq!((refunded, pending, returned), (0, 0, 700), "what had not left is stopped");
        assert!(refunded + pending + returned <= price);
        // 40 and 30 of 100 credits were revoked; the rest is the customer's, once nothing is disputed.
        assert_eq!(here.line(&payment_id, "purchase").await, [30, 0, 0, 0, 0, 70, 0]);
    }
    audited(both).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_and_a_lost_dispute_at_once_come_to_the_same_in_either_order() {
    let both = both().await;
    for round in 0..ROUNDS {
        let (account_id, payment_id) = (format!("account-{round}"), format!("pay-{round}"));
        both[0].bought(&account_id, &payment_id, NOON).await;
        both[0].credits().hold_credits(when(NOON, hold(&account_id, "job-1", 40))).await.unwrap();
        let [here, there] = [&both[round % 2], &both[(round + 1) % 2]];
        let mut worker = here.credits();
        let charged = worker.capture_credits(when(ONE, capture(&account_id, "job-1")));
        let lost = news(there, &payment_id, 1, Event::Lost, 999);
        let (charged, ()) = tokio::join!(charged, lost);
        assert_eq!(charged.unwrap().into_inner().usage.unwrap().captured, 40);
        assert_eq!(here.line(&payment_id, "purchase").await, [0, 0, 0, 40, 0, 60, 0]);
        // The bank returned their price, so that they are not given back a second time.
        let report = restore(&account_id, "job-1", "worker_crash", ONE);
        let mut worker = here.credits();
        let restored = worker.restore_credits(when(ONE, report));
        let won = news(there, &payment_id, 1, Event::Updated, 999);
        let (restored, ()) = tokio::join!(restored, won);
        assert_eq!(restored.unwrap().into_inner().credits_restored, 40);
        assert_eq!(here.line(&payment_id, "purchase").await, [0, 0, 0, 0, 0, 100, 0]);
    }
    audited(both).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_and_a_lost_dispute_at_once_leave_nothing_to_spend() {
    let both = both().await;
    for round in 0..ROUNDS {
        let (account_id, payment_id) = (format!("account-{round}"), format!("pay-{round}"));
        both[0].bought(&account_id, &payment_id, NOON).await;
        both[0].used(&account_id, "job-1", 40, NOON).await;
        let [here, there] = [&both[round % 2], &both[(round + 1) % 2]];
        let mut worker = here.credits();
        let failed = worker.restore_credits(when(ONE, restore(&account_id, "job-1", "gpu_error", ONE)));
        let lost = news(there, &payment_id, 1, Event::Lost, 999);
        let (failed, ()) = tokio::join!(failed, lost);
        assert_eq!(failed.unwrap().into_inner().credits_restored, 40);
        assert_eq!(here.line(&payment_id, "purchase").await, [0, 0, 0, 0, 0, 100, 0]);
    }
    audited(both).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_of_many_workers_and_a_suspension_share_the_credits_without_a_rest() {
    let both = both().await;
    both[0].bought("ada", "pay-1", NOON).await;
    let workers: JoinSet<_> = (0..40)
        .map(|worker| {
            let mut credits = both[worker % 2].credits();
            async move {
                let job_id = format!("job-{worker}");
                let held = credits.hold_credits(when(ONE, hold("ada", &job_id, 2))).await;
                if held.is_err() {
                    return reason(held).1;
                }
                // What was reserved before may be charged or let go after.
                if worker % 4 < 2 {
                    credits.capture_credits(when(ONE, capture("ada", &job_id))).await.unwrap();
                    "charged".to_owned()
                } else {
                    credits.release_credits(when(ONE, release("ada", &job_id))).await.unwrap();
                    "released".to_owned()
                }
            }
        })
        .collect();
    let ((), ended) = tokio::join!(news(&both[1], "pay-1", 1, Event::Opened, 999), workers.join_all());
    let count = |word: &str| i64::try_from(ended.iter().filter(|end| *end == word).count()).unwrap();
    let (charged, released) = (count("charged"), count("released"));
    assert_eq!(charged + released + count("ACCOUNT_SUSPENDED"), 40, "{ended:?}");
    let left = 100 - 2 * charged;
    assert_eq!(both[0].line("pay-1", "purchase").await, [0, 0, left, 2 * charged, 0, 0, 0]);
    audited(both).await;
}
