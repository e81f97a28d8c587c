//! Storms: a hundred times the same call at once, at two replicas over one database.

use crate::canary::words;
use crate::replicas::{audited, both};
use crate::service::{
    Service, by_payment, capture, chargeback, delivery, evaluate, hold, is_replayed, purchase, reason,
    refund_result, release, request_id, restore, when,
};
use makegood::proto::makegood::v1;
use tokio::task::JoinSet;
use tonic::{Code, Response, Status};
use v1::{ChargebackEventKind as Event, Claim, RefundResult};

const NOON: &str = "2025-03-03T12:00:00Z";
/// How many tell the same thing at once.
const STORM: usize = 100;

/// Makes one call a hundred times at once, every other one at the replica. `$change` may change each copy.
macro_rules! storm {
    ($both:expr, $client:ident, $method:ident, $request:expr, $change:expr) => {{
        let (first, change) = ($request, $change);
        let calls: JoinSet<_> = (0..STORM)
            .map(|number| {
                let mut client = $both[number % 2].$client();
                let mut request = first.clone();
                change(&mut request, number);
                async move { client.$method(when(NOON, request)).await }
            })
            .collect();
        calls.join_all().await
    }};
    ($both:expr, $client:ident, $method:ident, $request:expr) => {
        one_answer(stringify!($method), storm!($both, $client, $method, $request, |_: &mut _, _| {}))
    };
}

/// Fails unless all had the same answer, and one of them for the first time.
fn one_answer<T: PartialEq + std::fmt::Debug>(method: &str, answers: Vec<Result<Response<T>, Status>>) -> T {
    let answers: Vec<Response<T>> = answers.into_iter().map(Result::unwrap).collect();
    let first = answers.iter().filter(|answer| !is_replayed(answer)).count();
    assert_eq!((first, answers.len()), (1, STORM), "{method}");
    assert!(answers.windows(2).all(|pair| pair[0].get_ref() == pair[1].get_ref()), "{method}");
    answers.into_iter().next().unwrap().into_inner()
}

fn grant(account_id: &str, credits: i64) -> v1::GrantCreditsRequest {
    v1::GrantCreditsRequest {
        request_id: request_id(),
        account_id: account_id.to_owned(),
        source: v1::LotSource::Promotion.into(),
        credits,
        reason: words("welcome"),
        ..Default::default()
    }
}

fn revoke(account_id: &str, payment_id: &str) -> v1::RevokeCreditsRequest {
    v1::RevokeCreditsRequest {
        request_id: request_id(),
        account_id: account_id.to_owned(),
        target: Some(v1::revoke_credits_request::Target::Purchase(by_payment(payment_id).unwrap())),
        credits: Some(5),
        clause: "3.3".to_owned(),
        reason: words("a mistake"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_identical_calls_at_two_replicas_have_one_effect_and_one_answer() {
    let both = both().await;
    for payment_id in ["pay-1", "pay-2"] {
        storm!(both, credits, record_purchase, purchase("ada", payment_id, NOON));
        storm!(both, credits, deliver_credits, delivery("ada", payment_id, 100, NOON));
    }
    // Enough for every attempt, so that the purchases stay untouched.
    storm!(both, credits, grant_credits, grant("ada", 50));
    storm!(both, credits, hold_credits, hold("ada", "job-1", 30));
    storm!(both, credits, capture_credits, capture("ada", "job-1"));
    storm!(both, credits, hold_credits, hold("ada", "job-2", 7));
    storm!(both, credits, release_credits, release("ada", "job-2"));
    storm!(both, credits, hold_credits, hold("ada", "job-3", 8));
    let failed = storm!(both, credits, restore_credits, restore("ada", "job-1", "worker_crash", NOON));
    assert_eq!(failed.credits_restored, 30);
    assert_eq!(both[0].balance("ada", NOON).await, (242, 8, 0));
    let answer = storm!(both, refunds, evaluate_request, evaluate("ada", "pay-2", Claim::DuplicatePurchase));
    let refund = answer.refund_request.unwrap().refunds.remove(0);
    let settled = refund_result("ada", &refund.refund_id, RefundResult::Failed, NOON);
    storm!(both, refunds, record_refund_result, settled);
    let revoked = storm!(both, credits, revoke_credits, revoke("ada", "pay-2"));
    assert_eq!(revoked.credits_revoked, 5);
    storm!(both, refunds, record_chargeback, chargeback("pay-1", "dp-1", Event::Opened, NOON));
    storm!(both, refunds, record_chargeback, chargeback("pay-9", "dp-9", Event::Opened, NOON));
    assert_eq!(both[0].line("pay-2", "purchase").await, [95, 0, 0, 0, 0, 5, 0]);
    audited(both).await;
}

/// Fails unless one call was done and all others were told that their id was used for another body.
fn one_body<T: std::fmt::Debug>(method: &str, answers: Vec<Result<Response<T>, Status>>) {
    let (done, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((done.len(), refused.len()), (1, STORM - 1), "{method}");
    let other_body = (Code::FailedPrecondition, "IDEMPOTENCY_KEY_REUSED".to_owned());
    for answer in refused {
        assert_eq!(reason(answer), other_body, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_bodies_under_one_id_have_the_effect_of_one() {
    let both = both().await;
    let numbered = |number: usize| i64::try_from(number).unwrap();
    let request = purchase("ada", "pay-1", NOON);
    one_body(
        "record_purchase",
        storm!(both, credits, record_purchase, request, |request: &mut v1::RecordPurchaseRequest, number| {
            request.payment_id = format!("pay-{number}");
        }),
    );
    one_body(
        "grant_credits",
        storm!(
            both,
            credits,
            grant_credits,
            grant("ada", 1_000),
            |request: &mut v1::GrantCreditsRequest, number| { request.credits += numbered(number) }
        ),
    );
    one_body(
        "hold_credits",
        storm!(
            both,
            credits,
            hold_credits,
            hold("ada", "job-1", 1),
            |request: &mut v1::HoldCreditsRequest, number| { request.credits += numbered(number) }
        ),
    );
    one_body(
        "restore_credits",
        storm!(
            both,
            credits,
            restore_credits,
            restore("ada", "job-1", "worker_crash", NOON),
            |request: &mut v1::RestoreCreditsRequest, number| request.cause = format!("cause-{number}")
        ),
    );
    let request = chargeback("pay-of-nobody", "dp-1", Event::Opened, NOON);
    one_body(
        "record_chargeback",
        storm!(
            both,
            refunds,
            record_chargeback,
            request,
            |request: &mut v1::RecordChargebackRequest, number| {
                request.amount.as_mut().unwrap().minor_units += numbered(number);
            }
        ),
    );
    audited(both).await;
}

/// Calls that are protected for ever by what they name.
struct Named {
    deliveries: [v1::DeliverCreditsRequest; 2],
    purchases: Vec<v1::RecordPurchaseRequest>,
    holds: Vec<v1::HoldCreditsRequest>,
    capture: v1::CaptureCreditsRequest,
    release: v1::ReleaseCreditsRequest,
    failure: v1::RestoreCreditsRequest,
    news: Vec<v1::RecordChargebackRequest>,
}

impl Named {
    fn plan() -> Self {
        let payments = ["pay-1", "pay-2"];
        Self {
            purchases: payments.map(|payment_id| purchase("ada", payment_id, NOON)).to_vec(),
            deliveries: payments.map(|payment_id| delivery("ada", payment_id, 100, NOON)),
            holds: ["job-1", "job-2", "job-3"].map(|job_id| hold("ada", job_id, 10)).to_vec(),
            capture: capture("ada", "job-1"),
            release: release("ada", "job-2"),
            failure: restore("ada", "job-1", "worker_crash", NOON),
            news: [Event::Opened, Event::Lost].map(|event| chargeback("pay-2", "dp-1", event, NOON)).to_vec(),
        }
    }

    /// Sends every call a hundred times at once; what is refused has no effect.
    async fn storm(&self, both: &[Service; 2]) {
        for request in &self.purchases {
            storm!(both, credits, record_purchase, request.clone(), |_: &mut _, _| {});
        }
        // The attempts take from the first purchase: the second comes when they have.
        let [first, second] = &self.deliveries;
        storm!(both, credits, deliver_credits, first.clone(), |_: &mut _, _| {});
        for request in &self.holds {
            storm!(both, credits, hold_credits, request.clone(), |_: &mut _, _| {});
        }
        storm!(both, credits, capture_credits, self.capture.clone(), |_: &mut _, _| {});
        storm!(both, credits, release_credits, self.release.clone(), |_: &mut _, _| {});
        storm!(both, credits, restore_credits, self.failure.clone(), |_: &mut _, _| {});
        storm!(both, credits, deliver_credits, second.clone(), |_: &mut _, _| {});
        for request in &self.news {
            storm!(both, refunds, record_chargeback, request.clone(), |_: &mut _, _| {});
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_everything_has_no_second_effect_when_the_keys_are_gone() {
    let both = both().await;
    let named = Named::plan();
    named.storm(&both).await;
    let rows = both[0].rows().await;
    let balance = both[0].balance("ada", NOON).await;
    assert_eq!(balance, (90, 10, 0), "one attempt still holds, and the disputed purchase is revoked");
    let mut database = both[0].database().await;
    sqlx::query("DELETE FROM idempotency_key").execute(&mut database).await.unwrap();
    drop(database);
    named.storm(&both).await;
    assert_eq!((both[0].rows().await, both[0].balance("ada", NOON).await), (rows, balance));
    audited(both).await;
}
