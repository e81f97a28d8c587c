//! What happened in an account: one attempt, and the entries by what made them.

use crate::by_hand::grant;
use crate::incidents::incident;
use crate::service::{Service, fields, hold, reason, refund_result, request_id, timestamp, when};
use makegood::proto::makegood::v1;
use sha2::{Digest, Sha256};
use tonic::Code;
use v1::entry_cause::Cause;
use v1::list_entries_request::Cause as Asked;
use v1::{ChargebackEventKind as Event, Claim, LotSource};

const NOON: &str = "2025-03-03T12:00:00Z";

/// All entries of an account that a question asks for, page by page.
pub(crate) async fn entries(service: &Service, question: v1::ListEntriesRequest) -> Vec<v1::Entry> {
    let mut question = question;
    let mut all = Vec::new();
    loop {
        let page = service.credits().list_entries(question.clone()).await.unwrap().into_inner();
        all.extend(page.entries);
        if page.next_page_token.is_empty() {
            return all;
        }
        question.page_token = page.next_page_token;
    }
}

fn everything(account_id: &str) -> v1::ListEntriesRequest {
    v1::ListEntriesRequest { account_id: account_id.to_owned(), ..Default::default() }
}

fn attempt(job_id: &str) -> v1::AttemptReference {
    v1::AttemptReference { job_id: job_id.to_owned(), attempt: 1 }
}

fn seqs(entries: &[v1::Entry]) -> Vec<i64> {
    entries.iter().map(|entry| entry.seq).collect()
}

/// A day with every cause that calls can bring about, at hourly instants.
async fn busy_day(service: &Service) {
    service.bought("ada", "pay-1", "2025-03-03T01:00:00Z").await;
    service.bought("ada", "pay-2", "2025-03-03T01:00:04Z").await;
    let lasting = grant("ada", LotSource::Promotion, 20);
    service.credits().grant_credits(when("2025-03-03T02:00:00Z", lasting)).await.unwrap();
    let expiring = v1::GrantCreditsRequest {
        expires_at: Some(timestamp("2025-03-03T04:00:00Z")),
        ..grant("ada", LotSource::Bonus, 25)
    };
    service.credits().grant_credits(when("2025-03-03T02:00:00Z", expiring)).await.unwrap();
    service.used("ada", "job#1", 30, "2025-03-03T03:00:00Z").await;
    service.credits().hold_credits(when("2025-03-03T03:00:00Z", hold("ada", "job#2", 5))).await.unwrap();
    service.failed("ada", "job#1", "worker_crash", "2025-03-03T05:00:00Z").await;
    let asked = service.claim("ada", "pay-2", Claim::DuplicatePurchase, "2025-03-03T06:00:00Z").await;
    let refund = asked.refund_request.unwrap().refunds.remove(0);
    let bounced = refund_result("ada", &refund.refund_id, v1::RefundResult::Failed, "2025-03-03T07:00:00Z");
    service.refunds().record_refund_result(when("2025-03-03T07:00:00Z", bounced)).await.unwrap();
    service.used("ada", "job#3", 7, "2025-03-03T08:00:00Z").await;
    service.failed("ada", "job#3", "alien_invasion", "2025-03-03T08:00:00Z").await;
    service.dispute("pay-1", "dp-1", Event::Opened, "2025-03-03T09:00:00Z").await;
    service.dispute("pay-1", "dp-1", Event::Lost, "2025-03-03T10:00:00Z").await;
}

#[tokio::test]
async fn a_usage_shows_what_it_took_and_how_it_failed() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.credits().grant_credits(when(NOON, grant("ada", LotSource::Promotion, 20))).await.unwrap();
    let used = service.used("ada", "job-1", 30, NOON).await;
    let question =
        v1::GetUsageRequest { account_id: "ada".to_owned(), job_id: "job-1".to_owned(), attempt: 1 };
    let read = service.credits().get_usage(question.clone()).await.unwrap().into_inner().usage.unwrap();
    assert_eq!(read, used);
    let parts: Vec<(i32, i64)> = read.allocations.iter().map(|part| (part.position, part.captured)).collect();
    assert_eq!(parts, [(0, 20), (1, 10)]);
    let failed = service.failed("ada", "job-1", "worker_crash", "2025-03-03T13:00:00Z").await;
    let read = service.credits().get_usage(question).await.unwrap().into_inner().usage.unwrap();
    assert_eq!(Some(&read), failed.usage.as_ref());
    let failure = read.failure.unwrap();
    assert_eq!((failure.cause.as_str(), failure.fault()), ("worker_crash", v1::Fault::Platform));
    assert_eq!(failure.failed_at, Some(timestamp("2025-03-03T13:00:00Z")));
    assert_eq!((read.captured, read.restored), (30, 30));
    service.audited().await;
}

#[tokio::test]
async fn an_attempt_that_is_not_the_accounts_is_not_found() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("bob", "pay-2", NOON).await;
    service.used("ada", "job-1", 30, NOON).await;
    let question = |account: &str, attempt| v1::GetUsageRequest {
        account_id: account.to_owned(),
        job_id: "job-1".to_owned(),
        attempt,
    };
    for (account, attempt) in [("ada", 2), ("bob", 1)] {
        let refused = service.credits().get_usage(question(account, attempt)).await;
        assert_eq!(reason(refused), (Code::NotFound, "USAGE_NOT_FOUND".to_owned()));
    }
    let refused = service.credits().get_usage(question("eve", 1)).await;
    assert_eq!(reason(refused), (Code::NotFound, "ACCOUNT_NOT_FOUND".to_owned()));
    assert_eq!(fields(service.credits().get_usage(question("ada", 0)).await), ["attempt"]);
    service.audited().await;
}

#[tokio::test]
async fn entries_are_dense_chained_and_name_their_cause() {
    let service = Service::start().await;
    busy_day(&service).await;
    let all = entries(&service, everything("ada")).await;
    assert_eq!(seqs(&all), (1..).take(all.len()).collect::<Vec<i64>>());
    let mut last = vec![0; 32];
    let mut kinds = std::collections::BTreeSet::new();
    for entry in &all {
        assert_eq!(entry.prev_hash, last, "entry {}", entry.seq);
        last.clone_from(&entry.hash);
        kinds.insert(match entry.cause.clone().unwrap().cause.unwrap() {
            Cause::Usage(_) => "usage",
            Cause::PurchaseId(_) => "purchase",
            Cause::RefundRequestId(_) => "refund request",
            Cause::RefundId(_) => "refund",
            Cause::ChargebackId(_) => "chargeback",
            Cause::IncidentId(_) => "incident",
            Cause::Expiry(_) => "expiry",
            Cause::Person(_) => "person",
        });
    }
    let met: Vec<&str> = kinds.into_iter().collect();
    assert_eq!(met, ["chargeback", "expiry", "person", "purchase", "refund", "usage"]);
    // What is shown suffices to prove the chain: the first entry's hash, made by hand.
    let first = &all[0];
    let Some(Cause::PurchaseId(purchase_id)) = first.cause.clone().unwrap().cause else {
        panic!("{first:?}")
    };
    let body = format!(
        "{{\"account_id\":\"ada\",\"seq\":1,\"lot_id\":\"{}\",\"from\":\"granted\",\"to\":\"available\",\
         \"credits\":100,\"cause_kind\":\"purchase\",\"cause_id\":\"{purchase_id}\",\"actor\":\"development\",\
         \"trace_id\":null,\"at_micros\":{}}}",
        first.lot_id,
        first.at.unwrap().seconds * 1_000_000,
    );
    let hash = Sha256::new().chain_update([0; 32]).chain_update(body).finalize().to_vec();
    assert_eq!((first.hash.clone(), first.trace_id.as_str()), (hash, ""));
    service.audited().await;
}

#[tokio::test]
async fn each_filter_shows_exactly_the_entries_with_its_cause() {
    let service = Service::start().await;
    busy_day(&service).await;
    let all = entries(&service, everything("ada")).await;
    let mut asked = Vec::new();
    for entry in &all {
        asked.push(match entry.cause.clone().unwrap().cause.unwrap() {
            Cause::Usage(attempt) => Asked::Usage(attempt),
            Cause::PurchaseId(id) => Asked::PurchaseId(id),
            Cause::RefundId(id) => Asked::RefundId(id),
            Cause::ChargebackId(id) => Asked::ChargebackId(id),
            _ => continue,
        });
    }
    for cause in asked {
        let shown =
            entries(&service, v1::ListEntriesRequest { cause: Some(cause.clone()), ..everything("ada") });
        let expected: Vec<i64> =
            all.iter().filter(|entry| is_of(entry, &cause)).map(|entry| entry.seq).collect();
        assert_eq!(seqs(&shown.await), expected, "{cause:?}");
        assert!(!expected.is_empty() && expected.len() < all.len());
    }
    let nothing = "01930000-0000-7000-8000-000000000000".to_owned();
    for cause in [
        Asked::IncidentId(nothing.clone()),
        Asked::RefundRequestId(nothing),
        Asked::Usage(attempt("job#9")),
        Asked::Usage(v1::AttemptReference { attempt: 2, ..attempt("job#1") }),
    ] {
        let question = v1::ListEntriesRequest { cause: Some(cause), ..everything("ada") };
        assert_eq!(entries(&service, question).await, []);
    }
    service.audited().await;
}

fn is_of(entry: &v1::Entry, asked: &Asked) -> bool {
    match (entry.cause.as_ref().and_then(|cause| cause.cause.as_ref()).unwrap(), asked) {
        (Cause::Usage(made), Asked::Usage(asked)) => made == asked,
        (Cause::PurchaseId(made), Asked::PurchaseId(asked))
        | (Cause::RefundId(made), Asked::RefundId(asked))
        | (Cause::ChargebackId(made), Asked::ChargebackId(asked)) => made == asked,
        _ => false,
    }
}

#[tokio::test]
async fn credits_that_a_decision_delivers_are_found_by_their_purchase() {
    let service = Service::start().await;
    let purchase = service.purchase("ada", "pay-1", NOON).await;
    let asked = service.claim("ada", "pay-1", Claim::CreditsNotDelivered, NOON).await;
    let all = entries(&service, everything("ada")).await;
    assert_eq!(all.iter().map(|entry| entry.credits).collect::<Vec<i64>>(), [100]);
    let cause = Some(Asked::PurchaseId(purchase.purchase_id));
    assert_eq!(entries(&service, v1::ListEntriesRequest { cause, ..everything("ada") }).await, all);
    let cause = Some(Asked::RefundRequestId(asked.refund_request.unwrap().refund_request_id));
    assert_eq!(entries(&service, v1::ListEntriesRequest { cause, ..everything("ada") }).await, []);
    service.audited().await;
}

#[tokio::test]
async fn credits_restored_are_found_by_the_request_or_the_incident_that_gave_them() {
    let service = Service::start().await;
    let (noon, one, evening) = ("2025-03-05T12:00:00Z", "2025-03-05T13:00:00Z", "2025-03-05T20:00:00Z");
    for account in ["ada", "bob"] {
        service.bought(account, &format!("pay-{account}"), noon).await;
        service.used(account, "job-1", 10, noon).await;
        service.failed(account, "job-1", "mystery", one).await;
    }
    let declared = service.declared(incident(Some("2025-03-05T14:00:00Z"))).await;
    let asked = service.claim("ada", "pay-ada", Claim::TechnicalIssue, evening).await;
    let request = v1::RestoreIncidentRequest {
        request_id: request_id(),
        incident_id: declared.incident_id.clone(),
        resume_token: String::new(),
    };
    let mut progress =
        service.incidents().restore_incident(when(evening, request)).await.unwrap().into_inner();
    while progress.message().await.unwrap().is_some() {}
    let id = asked.refund_request.unwrap().refund_request_id;
    for (account, cause) in
        [("ada", Asked::RefundRequestId(id)), ("bob", Asked::IncidentId(declared.incident_id))]
    {
        let question = v1::ListEntriesRequest { cause: Some(cause), ..everything(account) };
        let shown = entries(&service, question).await;
        let moved: Vec<_> = shown.iter().map(|entry| (entry.from_bucket(), entry.credits)).collect();
        assert_eq!(moved, [(v1::Bucket::Consumed, 10)], "{account}");
    }
    service.audited().await;
}

#[tokio::test]
async fn a_window_has_its_start_and_not_its_end() {
    let service = Service::start().await;
    busy_day(&service).await;
    let all = entries(&service, everything("ada")).await;
    let hours: Vec<i64> =
        (0..=11).map(|hour| timestamp("2025-03-03T00:00:00Z").seconds + hour * 3_600).collect();
    let mut bounds = vec![None];
    for hour in hours {
        bounds.extend([(hour, 0), (hour, 1_000), (hour - 1, 999_999_000)].map(Some));
    }
    let ends = bounds.iter().step_by(5);
    for (start, end) in bounds.iter().flat_map(|start| ends.clone().map(move |end| (start, end))) {
        if start.is_some_and(|start| end.is_some_and(|end| end < start)) {
            continue;
        }
        let time = |bound: &Option<(i64, i32)>| {
            bound.map(|(seconds, nanos)| prost_types::Timestamp { seconds, nanos })
        };
        let window = v1::TimeWindow { start_time: time(start), end_time: time(end) };
        let within = |entry: &&v1::Entry| {
            let at = entry.at.map(|at| (at.seconds, at.nanos)).unwrap();
            start.is_none_or(|start| start <= at) && end.is_none_or(|end| at < end)
        };
        let expected: Vec<i64> = all.iter().filter(within).map(|entry| entry.seq).collect();
        let question = v1::ListEntriesRequest { window: Some(window), ..everything("ada") };
        assert_eq!(seqs(&entries(&service, question).await), expected, "{start:?} {end:?}");
    }
    service.audited().await;
}

#[tokio::test]
async fn filters_that_are_set_must_all_hold() {
    let service = Service::start().await;
    busy_day(&service).await;
    let all = entries(&service, everything("ada")).await;
    let job = Asked::Usage(attempt("job#1"));
    let window = Some(v1::TimeWindow {
        start_time: Some(timestamp("2025-03-03T03:00:00Z")),
        end_time: Some(timestamp("2025-03-03T04:00:00Z")),
    });
    let lots: std::collections::BTreeSet<&str> = all.iter().map(|entry| entry.lot_id.as_str()).collect();
    assert_eq!(lots.len(), 4);
    let mut met = 0;
    for lot_id in lots {
        let of_lot = |entry: &&v1::Entry| entry.lot_id == lot_id;
        let question = v1::ListEntriesRequest { lot_id: lot_id.to_owned(), ..everything("ada") };
        let expected: Vec<i64> = all.iter().filter(of_lot).map(|entry| entry.seq).collect();
        assert_eq!(seqs(&entries(&service, question.clone()).await), expected);
        let question = v1::ListEntriesRequest { window, cause: Some(job.clone()), ..question };
        let of_the_hour = |entry: &&v1::Entry| entry.at == Some(timestamp("2025-03-03T03:00:00Z"));
        let of_job = |entry: &&v1::Entry| is_of(entry, &job);
        let all_three = all.iter().filter(of_lot).filter(of_job).filter(of_the_hour);
        let expected: Vec<i64> = all_three.map(|entry| entry.seq).collect();
        met += expected.len();
        assert_eq!(seqs(&entries(&service, question).await), expected);
    }
    assert_eq!(met, 4, "held and captured, of two lots");
    service.audited().await;
}

#[tokio::test]
async fn what_a_question_may_not_say_is_named_field_by_field() {
    let service = Service::start().await;
    let wrong = v1::ListEntriesRequest {
        account_id: String::new(),
        window: Some(v1::TimeWindow {
            start_time: Some(timestamp(NOON)),
            end_time: Some(timestamp("2025-03-03T11:59:59Z")),
        }),
        lot_id: "lot".to_owned(),
        cause: Some(Asked::Usage(v1::AttemptReference { job_id: String::new(), attempt: 1_001 })),
        ..Default::default()
    };
    let named = fields(service.credits().list_entries(wrong).await);
    assert_eq!(named, ["account_id", "window.end_time", "lot_id", "usage.job_id", "usage.attempt"]);
    let refused = service.credits().list_entries(everything("eve")).await;
    assert_eq!(reason(refused), (Code::NotFound, "ACCOUNT_NOT_FOUND".to_owned()));
    service.audited().await;
}
