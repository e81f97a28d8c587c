//! `CompileChargebackEvidence`: what our records say about a disputed payment, and nothing else (§6).

use crate::canary::words;
use crate::service::{
    Service, capture, chargeback, evaluate, hold, later, purchase, reason, refund_result, request_id,
    timestamp, when,
};
use chrono::TimeDelta;
use makegood::proto::makegood::v1;
use tonic::{Code, Request, Response, Status};
use v1::resolve_refund_request_request as resolve;
use v1::{ChargebackEventKind as Event, Claim, Outcome, RefundResult, UsageStage};

const NOON: &str = "2025-03-03T12:00:00Z";

fn hours(hours: i64) -> String {
    later(NOON, TimeDelta::hours(hours))
}

fn days(days: i64) -> String {
    later(NOON, TimeDelta::days(days))
}

async fn ask(
    service: &Service,
    account_id: &str,
    chargeback_id: &str,
) -> Result<Response<v1::CompileChargebackEvidenceResponse>, Status> {
    let query = v1::CompileChargebackEvidenceRequest {
        chargeback_id: chargeback_id.to_owned(),
        account_id: account_id.to_owned(),
    };
    service.refunds().compile_chargeback_evidence(when(&days(20), query)).await
}

async fn pack(service: &Service, dispute: &v1::Chargeback) -> v1::ChargebackEvidence {
    ask(service, "", &dispute.chargeback_id).await.unwrap().into_inner().evidence.unwrap()
}

fn by<T>(caller: &str, at: &str, message: T) -> Request<T> {
    let mut request = when(at, message);
    request.metadata_mut().insert("makegood-test-caller", caller.parse().unwrap());
    request
}

/// 100 credits and 10 free ones with them, delivered in two parts.
async fn sold(service: &Service, account_id: &str, payment_id: &str, at: &str) -> v1::Purchase {
    let request = v1::RecordPurchaseRequest { bonus_credits: 10, ..purchase(account_id, payment_id, at) };
    service.credits().record_purchase(when(at, request)).await.unwrap();
    service.deliver(account_id, payment_id, 60, at).await;
    service.deliver(account_id, payment_id, 40, &later(at, TimeDelta::hours(1))).await
}

/// Ada's month: two purchases, work over both of them, a failure, a denied request that support looked at.
async fn month(service: &Service) -> v1::Chargeback {
    sold(service, "ada", "pay-1", NOON).await;
    service.used("ada", "job-1", 30, &hours(2)).await;
    let part = v1::HoldCreditsRequest { outputs: Some(4), ..hold("ada", "job-2", 40) };
    service.credits().hold_credits(when(&hours(3), part)).await.unwrap();
    let three = v1::CaptureCreditsRequest { delivered_outputs: Some(3), ..capture("ada", "job-2") };
    service.credits().capture_credits(when(&hours(4), three)).await.unwrap();
    service.used("ada", "job-3", 15, &hours(5)).await;
    service.failed("ada", "job-3", "gpu_error", &hours(6)).await;
    let mut other = purchase("ada", "pay-2", &days(2));
    "pack-other".clone_into(&mut other.package_id);
    service.credits().record_purchase(when(&days(2), other)).await.unwrap();
    service.deliver("ada", "pay-2", 100, &days(2)).await;
    // Takes what is left of the first purchase and some of the second.
    service.used("ada", "job-4", 80, &days(3)).await;
    let details = v1::RequestDetails {
        account_email: words("ada@example.com"),
        explanation: words("secret words of hers"),
        ..Default::default()
    };
    let request =
        v1::EvaluateRequestRequest { details: Some(details), ..evaluate("ada", "pay-1", Claim::Other) };
    let opened = service.refunds().evaluate_request(by("frontend:shop", &days(4), request)).await.unwrap();
    let opened = opened.into_inner().refund_request.unwrap();
    let deny = resolve::Deny {
        clauses: vec!["3.1".to_owned()],
        sentence: "Used credits are not refunded <b>at all</b> (§3.1).".to_owned(),
    };
    let resolution = v1::ResolveRefundRequestRequest {
        request_id: request_id(),
        account_id: "ada".to_owned(),
        refund_request_id: opened.refund_request_id,
        etag: opened.etag,
        reason: words("she smells of fraud"),
        note: words("watch this one"),
        assignee: Some("agent:kim".to_owned()),
        resolution: Some(resolve::Resolution::Deny(deny)),
    };
    service.refunds().resolve_refund_request(by("agent:maria", &days(5), resolution)).await.unwrap();
    let event = v1::RecordChargebackRequest {
        reason_code: "fraudulent".to_owned(),
        provider_status: "needs_response".to_owned(),
        ..chargeback("pay-1", "dp-1", Event::Opened, &days(9))
    };
    service.refunds().record_chargeback(when(&days(9), event)).await.unwrap().into_inner().chargeback.unwrap()
}

async fn usage(service: &Service, job_id: &str) -> v1::Usage {
    let query = v1::GetUsageRequest { account_id: "ada".to_owned(), job_id: job_id.to_owned(), attempt: 1 };
    service.credits().get_usage(when(&days(20), query)).await.unwrap().into_inner().usage.unwrap()
}

async fn lots(service: &Service) -> Vec<v1::Lot> {
    let query = v1::ListLotsRequest { account_id: "ada".to_owned(), ..Default::default() };
    service.credits().list_lots(when(&days(20), query)).await.unwrap().into_inner().lots
}

#[tokio::test]
async fn every_figure_is_what_the_other_reads_say() {
    let service = Service::start().await;
    let dispute = month(&service).await;
    let pack = pack(&service, &dispute).await;
    let purchase = pack.purchase.as_ref().unwrap();
    let lots: Vec<_> =
        lots(&service).await.into_iter().filter(|lot| lot.purchase_id == purchase.purchase_id).collect();
    assert_eq!(lots.len(), 3);
    let lot_ids: Vec<_> = lots.iter().map(|lot| lot.lot_id.clone()).collect();
    let delivered: i64 =
        pack.deliveries.iter().map(|delivery| delivery.credits + delivery.bonus_credits).sum();
    assert_eq!(delivered, lots.iter().map(|lot| lot.granted).sum::<i64>());
    assert_eq!(
        purchase.delivered_credits,
        pack.deliveries.iter().map(|delivery| delivery.credits).sum::<i64>()
    );
    assert_eq!(purchase.first_delivered_at, Some(timestamp(NOON)));
    assert_eq!(purchase.last_delivered_at, pack.deliveries[1].delivered_at);
    assert_eq!(purchase.recorded_at, Some(timestamp(NOON)));

    // Each attempt is the one that GetUsage tells of, with what it took from exactly these lots.
    let jobs: Vec<_> = pack.usages.iter().map(|usage| usage.job_id.as_str()).collect();
    assert_eq!(jobs, ["job-1", "job-2", "job-3", "job-4"]);
    for listed in &pack.usages {
        let mut whole = usage(&service, &listed.job_id).await;
        whole.allocations.retain(|part| lot_ids.contains(&part.lot_id));
        let parts = |of: fn(&v1::Allocation) -> i64| listed.allocations.iter().map(of).sum::<i64>();
        let same: Vec<_> =
            whole.allocations.iter().map(|part| (&part.lot_id, part.captured, part.restored)).collect();
        let shown: Vec<_> =
            listed.allocations.iter().map(|part| (&part.lot_id, part.captured, part.restored)).collect();
        assert_eq!(shown, same, "{}", listed.job_id);
        assert_eq!(
            (listed.captured, listed.restored),
            (parts(|part| part.captured), parts(|part| part.restored))
        );
        assert_eq!(
            (listed.ended_at, listed.stage(), listed.cost),
            (whole.ended_at, whole.stage(), whole.cost)
        );
    }
    assert_eq!(pack.usages[2].stage(), UsageStage::Failed);
    let charged: i64 = pack.usages.iter().map(|usage| usage.captured - usage.restored).sum();
    let consumed: i64 = lots.iter().map(|lot| lot.consumed).sum();
    assert_eq!((charged, consumed), (110, 110), "everything was used");
    assert_eq!(usage(&service, "job-4").await.captured, 80, "of which a part was this purchase's");
    assert!(pack.usages[3].captured < 80 && !pack.usages_truncated);

    // And so do the words.
    assert_eq!(
        pack.service_documentation,
        "60 credits and 10 bonus credits were delivered to the account on 2025-03-03 12:00:00 UTC.\n\
         40 credits were delivered to the account on 2025-03-03 13:00:00 UTC.\n\
         110 credits of this purchase were used; 4 attempts were charged between 2025-03-03 14:00:00 UTC and \
         2025-03-06 12:00:00 UTC, and 15 credits given back after failures."
    );
    let log: Vec<_> = pack.access_activity_log.lines().collect();
    for (line, usage) in log.iter().zip(&pack.usages) {
        assert!(line.contains(&format!("job {}, attempt 1:", usage.job_id)), "{line}");
        assert!(line.contains(&format!("{} credits charged", usage.captured)), "{line}");
    }
    assert_eq!((log.len(), pack.service_date.as_str()), (4, "2025-03-03"));
    assert_eq!(pack.customer_reference, "ada");
    service.audited().await;
}

#[tokio::test]
async fn the_pack_has_the_sentences_given_and_the_policy_in_force_and_nothing_that_was_meant_for_the_desk() {
    let service = Service::start().await;
    let dispute = month(&service).await;
    let pack = pack(&service, &dispute).await;
    let [request] = pack.refund_requests.as_slice() else { panic!("one request is about it") };
    let outcomes: Vec<_> = request.decisions.iter().map(v1::Decision::outcome).collect();
    assert_eq!(outcomes, [Outcome::Review, Outcome::Deny]);
    assert_eq!(request.decisions[1].sentence, "Used credits are not refunded <b>at all</b> (§3.1).");
    assert_eq!(
        pack.refund_refusal_explanation,
        "2025-03-08 12:00:00 UTC (§3.1): Used credits are not refunded <b>at all</b> (§3.1)."
    );
    let policy = pack.policy.as_ref().unwrap();
    assert_eq!(
        (policy.version.as_str(), policy.document.as_str()),
        ("2024-12-19", makegood::policy::SHIPPED)
    );
    assert!(pack.refund_policy.contains("Version 2024-12-19"));
    assert_eq!(pack.chargeback.as_ref().unwrap().events.len(), 1);
    assert_eq!(pack.compiled_at, Some(timestamp(&days(20))));

    let html = String::from_utf8(pack.html.clone()).unwrap();
    assert!(html.contains("Used credits are not refunded &lt;b&gt;at all&lt;/b&gt; (§3.1)."));
    let whole = format!("{pack:?}{html}");
    for secret in [
        "secret words",
        "example.com",
        "smells of fraud",
        "watch this one",
        "agent:",
        "frontend:",
        "pay-2",
        "system",
    ] {
        assert!(!whole.contains(secret), "{secret}");
    }
    service.audited().await;
}

#[tokio::test]
async fn the_same_records_give_the_same_page_whenever_it_is_compiled_and_nothing_is_written() {
    use sha2::{Digest, Sha256};
    let service = Service::start().await;
    let dispute = month(&service).await;
    let rows = service.rows().await;
    let first = pack(&service, &dispute).await;
    let query = v1::CompileChargebackEvidenceRequest {
        chargeback_id: dispute.chargeback_id.clone(),
        account_id: "ada".to_owned(),
    };
    let later = service.refunds().compile_chargeback_evidence(when(&days(25), query)).await.unwrap();
    let later = later.into_inner().evidence.unwrap();
    assert_eq!(later.html, first.html);
    assert_eq!(first.html_sha256, hex::encode(Sha256::digest(&first.html)));
    assert_ne!(later.compiled_at, first.compiled_at);
    assert_eq!(service.rows().await, rows);
    service.dispute("pay-1", "dp-1", Event::Won, &days(26)).await;
    assert_ne!(pack(&service, &dispute).await.html_sha256, first.html_sha256);
    service.audited().await;
}

#[tokio::test]
async fn money_that_was_paid_back_and_a_payment_that_is_no_duplicate_are_told() {
    let service = Service::start().await;
    for (payment_id, at) in [("pay-1", NOON), ("pay-2", NOON), ("pay-3", &days(5))] {
        service.bought("ada", payment_id, at).await;
    }
    let answer = service.claim("ada", "pay-2", Claim::DuplicatePurchase, &hours(1)).await;
    let refund = answer.refund_request.unwrap().refunds.remove(0);
    let first = service.dispute("pay-1", "dp-1", Event::Opened, &hours(2)).await.chargeback.unwrap();
    assert_eq!(pack(&service, &first).await.duplicate_charge_id, "", "its money has not left yet");
    let paid = refund_result("ada", &refund.refund_id, RefundResult::Succeeded, &days(1));
    service.refunds().record_refund_result(when(&days(1), paid)).await.unwrap();
    let second = service.dispute("pay-2", "dp-2", Event::Opened, &days(6)).await.chargeback.unwrap();
    let second = pack(&service, &second).await;
    assert_eq!(
        second.uncategorized_text,
        format!(
            "Of 9.99 USD paid, 9.99 USD were paid back, 0.00 USD are on their way back, and 0.00 USD were returned by \
             banks.\n9.99 USD were paid back by stripe as re-{} on 2025-03-04 12:00:00 UTC.\n1 refund request was \
             received before the dispute was opened on 2025-03-09 12:00:00 UTC.",
            refund.refund_id
        )
    );
    // It was paid twice within minutes: nobody says that it was not.
    assert_eq!((second.duplicate_charge_id.as_str(), second.duplicate_charge_explanation.as_str()), ("", ""));
    let first = pack(&service, &first).await;
    assert_eq!(first.duplicate_charge_id, "pay-2");
    assert!(first.duplicate_charge_explanation.ends_with("the other one was paid back."));
    let third = service.dispute("pay-3", "dp-3", Event::Opened, &days(6)).await.chargeback.unwrap();
    let third = pack(&service, &third).await;
    assert!(third.duplicate_charge_explanation.contains("it was paid 120 hours apart"));
    service.audited().await;
}

#[tokio::test]
async fn a_dispute_without_its_purchase_or_of_somebody_else_has_no_pack() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("bea", "pay-2", NOON).await;
    let dispute = service.dispute("pay-1", "dp-1", Event::Opened, NOON).await.chargeback.unwrap();
    let waiting = service.dispute("pay-9", "dp-9", Event::Opened, NOON).await.chargeback.unwrap();
    let no_ones = "0195aaaa-0000-7000-8000-000000000000";
    for (account_id, chargeback_id, expected) in [
        ("", no_ones, "CHARGEBACK_NOT_FOUND"),
        ("bea", dispute.chargeback_id.as_str(), "CHARGEBACK_NOT_FOUND"),
        ("", waiting.chargeback_id.as_str(), "PURCHASE_NOT_FOUND"),
    ] {
        let refused = ask(&service, account_id, chargeback_id).await;
        assert_eq!(reason(refused), (Code::NotFound, expected.to_owned()));
    }
    ask(&service, "ada", &dispute.chargeback_id).await.unwrap();
    service.audited().await;
}
