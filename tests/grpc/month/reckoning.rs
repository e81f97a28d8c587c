//! The end of the month: every promise kept, every customer answered or listed, and every minor unit of money found, by
//! the books of who knows nothing of the service and by the service's own answers and tables.

use super::books::Sums;
use super::desk::due;
use super::life::Life;
use crate::audit::found_at;
use crate::service::{Service, instant, when};
use makegood::audit::Check;
use makegood::proto::makegood::v1;
use std::collections::{BTreeMap, BTreeSet};
use v1::{ListRefundRequestsRequest as Query, RefundRequestStage as Stage, RefundStage};

type Ids = BTreeSet<(String, String)>;

/// All requests of a filter, page by page.
async fn listed(service: &Service, at: &str, query: Query) -> Vec<v1::RefundRequest> {
    let mut query = Query { page_size: 500, ..query };
    let mut listed = Vec::new();
    loop {
        let request = when(at, query.clone());
        let answer = service.refunds().list_refund_requests(request).await.unwrap().into_inner();
        listed.extend(answer.refund_requests);
        if answer.next_page_token.is_empty() {
            return listed;
        }
        query.page_token = answer.next_page_token;
    }
}

fn ids<'a>(requests: impl IntoIterator<Item = &'a v1::RefundRequest>) -> Ids {
    let id = |request: &v1::RefundRequest| (request.account_id.clone(), request.refund_request_id.clone());
    requests.into_iter().map(id).collect()
}

/// Every request is where its customer knows it to be; it was answered, or taken back, or is listed as overdue.
pub(crate) async fn everybody_is_answered_or_listed(service: &Service, lives: &[Life], end: &str) {
    let all = listed(service, end, Query::default()).await;
    let cases = || lives.iter().flat_map(|life| life.cases.iter().map(move |case| (life, case)));
    let known: BTreeMap<_, _> =
        cases().map(|(life, case)| ((life.account_id.clone(), case.id.clone()), case.stage)).collect();
    assert_eq!(ids(&all), known.keys().cloned().collect());
    for request in &all {
        let key = (request.account_id.clone(), request.refund_request_id.clone());
        assert_eq!(request.stage(), known[&key], "{key:?}");
    }
    let waiting = cases().filter(|(_, case)| case.waits_since.is_some_and(|since| due(since) < instant(end)));
    let waiting: Ids = waiting.map(|(life, case)| (life.account_id.clone(), case.id.clone())).collect();
    let overdue = listed(service, end, Query { overdue_only: true, ..Query::default() }).await;
    assert_eq!(ids(&overdue), waiting);
    for (life, case) in cases() {
        let is_listed = waiting.contains(&(life.account_id.clone(), case.id.clone()));
        let is_closed = case.stage == Stage::Withdrawn;
        assert!(case.is_answered || is_closed || is_listed, "{}: {case:?}", life.account_id);
        assert_eq!(is_listed, case.stage == Stage::InReview, "{}: {case:?}", life.account_id);
    }
    // The auditor finds that, and nothing else.
    let found = found_at(service, None, end).await;
    let others: Vec<_> = found.iter().filter(|found| found.check != Check::RequestOverdue).collect();
    assert!(others.is_empty(), "{others:#?}");
    let named: BTreeSet<String> = found.into_iter().map(|found| found.key).collect();
    assert_eq!(named, waiting.into_iter().map(|(account_id, id)| format!("{account_id}/{id}")).collect());
}

/// Money in = kept + refunded + charged back, to the minor unit of each currency, whoever counts.
pub(crate) async fn every_minor_unit_is_found(service: &Service, lives: &[Life], end: &str) {
    let mut books: BTreeMap<&str, Sums> = BTreeMap::new();
    for life in lives {
        *books.entry(life.currency).or_default() += life.books.sums();
    }
    println!("{books:#?}");
    for (currency, sums) in &books {
        let Sums { paid, kept, refunded, charged_back } = *sums;
        assert_eq!(paid, kept + refunded + charged_back, "{currency}");
        assert!(kept > 0 && refunded > 0 && charged_back > 0, "{currency} saw too little: {sums:?}");
    }
    // What each purchase counts for itself.
    let mut database = service.database().await;
    let purchases: Vec<(String, i64, i64, i64, i64)> = sqlx::query_as(
        "SELECT currency, sum(price_minor)::bigint, sum(refunded_minor)::bigint, sum(returned_minor)::bigint,
             sum(pending_minor)::bigint
         FROM purchase GROUP BY currency",
    )
    .fetch_all(&mut database)
    .await
    .unwrap();
    assert_eq!(purchases.len(), books.len());
    for (currency, paid, refunded, charged_back, pending) in &purchases {
        let kept = paid - refunded - charged_back - pending;
        let (paid, refunded, charged_back) = (*paid, *refunded, *charged_back);
        let counted = (Sums { paid, kept, refunded, charged_back }, *pending);
        assert_eq!(counted, (books[currency.as_str()], 0), "{currency}");
    }
    drop(database);
    let of_each = |sum: fn(&Sums) -> i64| -> BTreeMap<String, i64> {
        books.iter().map(|(currency, sums)| ((*currency).to_owned(), sum(sums))).collect()
    };
    // What whoever asks is told.
    assert_eq!(lost(service, end).await, of_each(|sums| sums.charged_back));
    assert_eq!(paid_back(service, end).await, of_each(|sums| sums.refunded));
}

/// What the lost disputes come to, by currency.
async fn lost(service: &Service, end: &str) -> BTreeMap<String, i64> {
    let stages = vec![v1::ChargebackStage::Lost.into()];
    let mut query = v1::ListChargebacksRequest { page_size: 500, stages, ..Default::default() };
    let mut sums = BTreeMap::new();
    loop {
        let answer = service.refunds().list_chargebacks(when(end, query.clone())).await.unwrap().into_inner();
        for amount in answer.chargebacks.into_iter().filter_map(|dispute| dispute.amount) {
            *sums.entry(amount.currency_code).or_default() += amount.minor_units;
        }
        if answer.next_page_token.is_empty() {
            return sums;
        }
        query.page_token = answer.next_page_token;
    }
}

/// What the refunds that arrived come to, by currency.
async fn paid_back(service: &Service, end: &str) -> BTreeMap<String, i64> {
    let stages = vec![RefundStage::Succeeded.into()];
    let mut query = v1::ListRefundsRequest { page_size: 100, stages, ..Default::default() };
    let mut sums = BTreeMap::new();
    loop {
        let answer = service.refunds().list_refunds(when(end, query.clone())).await.unwrap().into_inner();
        for amount in answer.refunds.into_iter().filter_map(|refund| refund.amount) {
            *sums.entry(amount.currency_code).or_default() += amount.minor_units;
        }
        if answer.next_page_token.is_empty() {
            return sums;
        }
        query.page_token = answer.next_page_token;
    }
}
