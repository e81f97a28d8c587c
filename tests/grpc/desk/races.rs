//! Two at once, a thousand times: whoever comes second finds what the first did, and both come first now and then.

use super::*;
use crate::at_once::at_once;
use crate::service::{chargeback, reason, refund_result};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tonic::Code;
use v1::{ChargebackEventKind as Event, RefundResult, RemedyKind};

/// Rounds of a race, and how many of them are run side by side. Each has an account of its own.
const ROUNDS: usize = 1_000;
const SIDE_BY_SIDE: usize = 16;

/// A thousand races that were run, and who came first in how many of them.
struct Raced {
    service: Service,
    won: BTreeMap<&'static str, i64>,
}

/// Runs a race a thousand times, and sees both come first.
async fn races<F>(race: impl Fn(Arc<Service>, String, Begin) -> F) -> Raced
where
    F: Future<Output = &'static str> + Send + 'static,
{
    let service = Arc::new(Service::start().await);
    let rounds = (0..ROUNDS).map(|round| (format!("account-{round}"), begin(round)));
    let winners =
        at_once(SIDE_BY_SIDE, rounds, |(account_id, begin)| race(service.clone(), account_id, begin));
    let mut won = BTreeMap::new();
    for winner in winners.await {
        *won.entry(winner).or_default() += 1;
    }
    println!("{won:?}");
    assert_eq!(won.values().sum::<i64>(), i64::try_from(ROUNDS).unwrap());
    let certain = i64::try_from(ROUNDS / 10).unwrap();
    assert!(won.len() == 2 && won.values().all(|times| *times >= certain), "{won:?}");
    Raced { service: Arc::into_inner(service).unwrap(), won }
}

impl Raced {
    /// How many purchases count so much as paid back, on its way, and returned by the bank.
    async fn money(&self) -> BTreeMap<(i64, i64, i64), i64> {
        let rows: Vec<(i64, i64, i64, i64)> = sqlx::query_as(
            "SELECT refunded_minor, pending_minor, returned_minor, count(*) FROM purchase GROUP BY 1, 2, 3",
        )
        .fetch_all(&mut self.service.database().await)
        .await
        .unwrap();
        rows.into_iter().map(|(back, going, returned, count)| ((back, going, returned), count)).collect()
    }

    /// What all accounts together have to spend.
    async fn available(&self) -> i64 {
        sqlx::query_scalar("SELECT sum(available)::bigint FROM lot")
            .fetch_one(&mut self.service.database().await)
            .await
            .unwrap()
    }

    /// Nothing was lost, and no purchase cost us more than was paid for it.
    async fn audited(self) {
        for ((back, going, returned), count) in self.money().await {
            assert!(back + going + returned <= 999, "{back} + {going} + {returned}, {count} times");
        }
        self.service.audited().await;
    }
}

/// How two begin: one of them first, and the other so much later.
#[derive(Clone, Copy)]
struct Begin {
    other_first: bool,
    head_start: HeadStart,
}

/// How long the second waits.
#[derive(Clone, Copy)]
enum HeadStart {
    /// For so many looks at the balance.
    Looks(usize),
    /// For the first one's answer: no race, but the order that luck may not give on every machine.
    Answer,
}

/// Who is asked first, and how long before, changes from round to round; who comes first is for the service to say.
const fn begin(round: usize) -> Begin {
    use HeadStart::{Answer, Looks};
    Begin {
        other_first: round % 2 == 1,
        head_start: [Looks(0), Looks(1), Looks(3), Looks(6), Answer][round % 5],
    }
}

impl Begin {
    fn both<'a, A: Send + 'a, B: Send + 'a>(
        self,
        by: (&'a Service, &'a str),
        one: impl Future<Output = A> + Send + 'a,
        other: impl Future<Output = B> + Send + 'a,
    ) -> Pin<Box<dyn Future<Output = (A, B)> + Send + 'a>> {
        Box::pin(async move {
            if self.other_first {
                let (other, one) = self.head_start.then(by, other, one).await;
                (one, other)
            } else {
                self.head_start.then(by, one, other).await
            }
        })
    }
}

impl HeadStart {
    async fn then<A, B>(
        self,
        (service, account_id): (&Service, &str),
        first: impl Future<Output = A> + Send,
        second: impl Future<Output = B> + Send,
    ) -> (A, B) {
        match self {
            Self::Answer => (first.await, second.await),
            Self::Looks(times) => tokio::join!(first, async {
                look(service, account_id, times).await;
                second.await
            }),
        }
    }
}

/// Looks at the balance so many times.
async fn look(service: &Service, account_id: &str, times: usize) {
    for _ in 0..times {
        service.balance(account_id, NOON).await;
    }
}

/// A request for a person, about 100 credits for 9.99 USD.
async fn for_a_person(service: &Service, account_id: &str) -> v1::RefundRequest {
    tables::for_a_person(service, account_id, NOON).await
}

fn stage_conflict() -> (Code, String) {
    (Code::FailedPrecondition, "REQUEST_STAGE_CONFLICT".to_owned())
}

fn changed_meanwhile() -> (Code, String) {
    (Code::Aborted, "ETAG_MISMATCH".to_owned())
}

/// The request with everything that became of it.
async fn now(service: &Service, request: &v1::RefundRequest) -> v1::RefundRequest {
    let query = v1::GetRefundRequestRequest {
        account_id: request.account_id.clone(),
        refund_request_id: request.refund_request_id.clone(),
    };
    let answer = service.refunds().get_refund_request(by("auditor:ann", NOON, query)).await.unwrap();
    answer.into_inner().refund_request.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_and_a_withdrawal_never_both_happen() {
    let raced = races(|service, account_id, begin| async move {
        let request = for_a_person(&service, &account_id).await;
        let approve = resolution(&request, approval(&[RemedyKind::RefundUnused]));
        let yes = resolve_by(&service, MARIA, NOON, approve);
        let back = withdraw(&service, NOON, withdrawal(&request));
        let (yes, back) = begin.both((&service, &account_id), yes, back).await;
        assert!(yes.is_ok() != back.is_ok(), "{account_id}: {yes:?} {back:?}");
        if yes.is_ok() {
            assert_eq!(reason(back), stage_conflict());
            "approval"
        } else {
            assert_eq!(reason(yes), changed_meanwhile());
            "withdrawal"
        }
    })
    .await;
    assert_eq!(raced.available().await, 100 * raced.won["withdrawal"]);
    let money = [((0, 0, 0), raced.won["withdrawal"]), ((0, 999, 0), raced.won["approval"])];
    assert_eq!(raced.money().await, money.into());
    raced.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_reviewers_cannot_overwrite_each_other() {
    let raced = races(|service, account_id, begin| async move {
        let request = for_a_person(&service, &account_id).await;
        let approve = resolution(&request, approval(&[RemedyKind::RefundUnused]));
        let yes = resolve_by(&service, MARIA, NOON, approve);
        let no = resolve_by(&service, KIM, NOON, resolution(&request, denial()));
        let (yes, no) = begin.both((&service, &account_id), yes, no).await;
        assert!(yes.is_ok() != no.is_ok(), "{account_id}: {yes:?} {no:?}");
        let (winner, stage) =
            if yes.is_ok() { ("approval", Stage::Approved) } else { ("denial", Stage::Denied) };
        let second = if yes.is_ok() { no } else { yes };
        assert_eq!(reason(second), changed_meanwhile());
        let after = now(&service, &request).await;
        assert_eq!((after.stage(), after.decisions.len(), after.etag.as_str()), (stage, 2, "2"));
        winner
    })
    .await;
    assert_eq!(raced.available().await, 100 * raced.won["denial"]);
    raced.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_requests_for_one_purchase_in_the_same_instant_one_is_opened() {
    let raced = races(|service, account_id, begin| async move {
        service.bought(&account_id, &account_id, NOON).await;
        let ask = |caller: &'static str| {
            let mut client = service.refunds();
            let request = evaluate(&account_id, &account_id, Claim::Other);
            async move { client.evaluate_request(by(caller, NOON, request)).await }
        };
        let (shop, kim) = begin.both((&service, &account_id), ask(SHOP), ask(KIM)).await;
        let winner = if shop.is_ok() { "shop" } else { "kim" };
        let (first, second) = if shop.is_ok() { (shop, kim) } else { (kim, shop) };
        assert_eq!(reason(second), (Code::AlreadyExists, "OPEN_REQUEST_EXISTS".to_owned()));
        let opened = first.unwrap().into_inner().refund_request.unwrap();
        let query = v1::ListRefundRequestsRequest { account_id, ..Default::default() };
        let listed = service.refunds().list_refund_requests(by(KIM, NOON, query)).await.unwrap();
        let listed = listed.into_inner().refund_requests;
        assert_eq!((listed.len(), &listed[0].refund_request_id), (1, &opened.refund_request_id));
        winner
    })
    .await;
    raced.audited().await;
}

/// News of a dispute over the whole price.
async fn bank(service: &Service, account_id: &str, event: Event) -> v1::RecordChargebackResponse {
    let (payment_id, dispute_id) = (format!("pay-{account_id}"), format!("dp-{account_id}"));
    let news = chargeback(&payment_id, &dispute_id, event, NOON);
    service.refunds().record_chargeback(by("payments:hook", NOON, news)).await.unwrap().into_inner()
}

async fn tell(
    service: &Service,
    refund: &v1::Refund,
    result: RefundResult,
) -> Answer<v1::RecordRefundResultResponse> {
    let told = refund_result(&refund.account_id, &refund.refund_id, result, NOON);
    service.refunds().record_refund_result(by("payments:hook", NOON, told)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_and_a_dispute_that_is_lost_never_both_pay() {
    let raced = races(|service, account_id, begin| async move {
        let request = for_a_person(&service, &account_id).await;
        let approve = resolution(&request, approval(&[RemedyKind::RefundUnused]));
        let yes = resolve_by(&service, MARIA, NOON, approve);
        let (yes, lost) =
            begin.both((&service, &account_id), yes, bank(&service, &account_id, Event::Lost)).await;
        let after = now(&service, &request).await;
        assert_eq!(after.stage(), Stage::InReview);
        let stopped: Vec<_> = after.refunds.iter().map(|refund| refund.refund_id.clone()).collect();
        assert_eq!(stopped, lost.canceled_refund_ids);
        if yes.is_ok() {
            assert_eq!(after.refunds[0].stage(), v1::RefundStage::Canceled);
            "approval"
        } else {
            assert_eq!(reason(yes), (Code::FailedPrecondition, "REMEDY_NOT_POSSIBLE".to_owned()));
            assert!(after.refunds.is_empty());
            "dispute"
        }
    })
    .await;
    // Whoever came first, the bank has paid and we have not.
    assert_eq!((raced.available().await, raced.money().await), (0, [((0, 0, 999), 1_000)].into()));
    raced.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_that_leaves_and_a_dispute_that_stops_it_never_both_come_first() {
    let raced = races(|service, account_id, begin| async move {
        let request = for_a_person(&service, &account_id).await;
        let approve = resolution(&request, approval(&[RemedyKind::RefundUnused]));
        let answer = resolve_by(&service, MARIA, NOON, approve).await.unwrap().into_inner();
        let refund = answer.refund_request.unwrap().refunds.remove(0);
        let leaves = tell(&service, &refund, RefundResult::Submitted);
        let (left, opened) =
            begin.both((&service, &account_id), leaves, bank(&service, &account_id, Event::Opened)).await;
        let after = now(&service, &request).await;
        assert_eq!(after.stage(), Stage::InReview, "either way a person must look");
        if left.is_ok() {
            assert!(opened.canceled_refund_ids.is_empty());
            // The money arrives, and the bank, which is shown that it did, returns nothing.
            tell(&service, &refund, RefundResult::Succeeded).await.unwrap();
            bank(&service, &account_id, Event::Won).await;
            "refund"
        } else {
            let contradiction = (Code::FailedPrecondition, "REFUND_STAGE_CONFLICT".to_owned());
            assert_eq!(reason(left), contradiction);
            assert_eq!(opened.canceled_refund_ids, std::slice::from_ref(&refund.refund_id));
            assert_eq!(reason(tell(&service, &refund, RefundResult::Succeeded).await), contradiction);
            bank(&service, &account_id, Event::Lost).await;
            "dispute"
        }
    })
    .await;
    let money = [((999, 0, 0), raced.won["refund"]), ((0, 0, 999), raced.won["dispute"])];
    assert_eq!(raced.money().await, money.into());
    raced.audited().await;
}
