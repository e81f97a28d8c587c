//! Every decision that calls can bring about: what is answered, what moves, and what stays.

mod amounts;
mod delivery;
mod duplicates;
mod preview;
mod refusals;
mod results;
mod technical;
mod time_limits;

use crate::canary::words;
use crate::service::{Service, by_payment, evaluate, instant, later, purchase, request_id, timestamp, when};
use chrono::{DateTime, Datelike, Days, NaiveTime, TimeDelta, Utc, Weekday};
use makegood::proto::makegood::v1;
use sha2::{Digest, Sha256};
use v1::{Claim, Outcome, RefundRequestStage, RemedyKind, RowMatch};

/// A Monday.
const NOON: &str = "2025-03-03T12:00:00Z";

/// The shipped table's rows, in their order.
const ROWS: [&str; 32] = [
    "1", "2", "3", "4a", "4b", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18",
    "19", "20", "21", "22", "23", "24", "25", "26", "27a", "27b", "28", "29", "30",
];

/// What a decision must say; all that holds for every decision is checked besides.
struct Expected<'a> {
    row: &'a str,
    outcome: Outcome,
    clauses: &'a [&'a str],
}

const fn approve<'a>(row: &'a str, clauses: &'a [&'a str]) -> Expected<'a> {
    Expected { row, outcome: Outcome::Approve, clauses }
}

const fn deny<'a>(row: &'a str, clauses: &'a [&'a str]) -> Expected<'a> {
    Expected { row, outcome: Outcome::Deny, clauses }
}

const fn ask<'a>(row: &'a str, clauses: &'a [&'a str]) -> Expected<'a> {
    Expected { row, outcome: Outcome::RequestInformation, clauses }
}

const fn review<'a>(row: &'a str, clauses: &'a [&'a str]) -> Expected<'a> {
    Expected { row, outcome: Outcome::Review, clauses }
}

impl Expected<'_> {
    /// Checks an answer given at an instant, and hands its two parts over.
    fn check(&self, answer: v1::EvaluateRequestResponse, at: &str) -> (v1::RefundRequest, v1::Decision) {
        let (request, decision) = (answer.refund_request.unwrap(), answer.decision.unwrap());
        self.check_decision(&decision, at);
        assert_eq!(request.stage(), self.stage(&decision), "{request:?}");
        assert!(request.decisions.is_empty(), "the decision stands beside its request");
        assert_eq!(request.respond_by, decision.respond_by);
        assert_eq!(request.received_at, Some(timestamp(at)));
        let answered = self.outcome != Outcome::Review;
        assert_eq!(request.first_responded_at.is_some(), answered, "a review is not yet an answer");
        let first = if answered { self.outcome } else { Outcome::Unspecified };
        assert_eq!(request.first_response(), first);
        (request, decision)
    }

    fn check_decision(&self, decision: &v1::Decision, at: &str) {
        assert_eq!(decision.row, self.row, "{decision:#?}");
        assert_eq!(decision.outcome(), self.outcome, "{decision:#?}");
        assert_eq!(decision.clauses, self.clauses);
        for clause in self.clauses {
            assert!(decision.sentence.contains(&format!("§{clause}")), "{}", decision.sentence);
        }
        assert!(!decision.sentence.contains(['{', '}']), "{}", decision.sentence);
        assert_eq!(decision.remedies.is_empty(), self.outcome != Outcome::Approve);
        let asks = self.outcome == Outcome::RequestInformation;
        assert_eq!(decision.requested_details.is_empty(), !asks, "{:?}", decision.requested_details);
        let names: Vec<&str> = decision.rows.iter().map(|row| row.row.as_str()).collect();
        assert_eq!(names, ROWS);
        let hit = decision.rows.iter().find(|row| row.result() == RowMatch::Hit).unwrap();
        assert_eq!(hit.row, self.row, "the first row that hits decides");
        for row in &decision.rows {
            assert_ne!(row.result(), RowMatch::Unspecified);
            let explains = row.result() == RowMatch::NoHit;
            assert_eq!(row.failed_conditions.is_empty(), !explains, "{row:?}");
        }
        assert_eq!(decision.decision_sha256, hex::encode(Sha256::digest(&decision.canonical)));
        assert_eq!(decision.policy_version, "2024-12-19");
        assert_eq!(decision.decided_at, Some(timestamp(at)));
        assert_eq!(
            decision.respond_by,
            Some(timestamp(&three_business_days_after(instant(at)).to_rfc3339()))
        );
        assert!(!decision.facts.is_empty());
    }

    fn stage(&self, decision: &v1::Decision) -> RefundRequestStage {
        match self.outcome {
            Outcome::Approve if decision.remedies.iter().any(|remedy| remedy.amount.is_some()) => {
                RefundRequestStage::Approved
            }
            Outcome::Approve => RefundRequestStage::Settled,
            Outcome::Deny => RefundRequestStage::Denied,
            Outcome::RequestInformation => RefundRequestStage::AwaitingInformation,
            Outcome::Review | Outcome::Unspecified => RefundRequestStage::InReview,
        }
    }
}

/// §4.1, computed in another way than the service does.
fn three_business_days_after(at: DateTime<Utc>) -> DateTime<Utc> {
    let free = |day: Weekday| matches!(day, Weekday::Sat | Weekday::Sun);
    let mut due = at;
    while free(due.weekday()) {
        due = (due.date_naive() + Days::new(1)).and_time(NaiveTime::MIN).and_utc();
    }
    let mut left = 3;
    while left > 0 {
        due += TimeDelta::days(1);
        left -= i32::from(!free(due.weekday()));
    }
    due
}

/// Remedies as kind, credits and minor units; `None` where no money is paid.
fn figures(remedies: &[v1::Remedy]) -> Vec<(RemedyKind, i64, Option<i64>)> {
    let figure = |remedy: &v1::Remedy| {
        (remedy.kind(), remedy.credits, remedy.amount.as_ref().map(|amount| amount.minor_units))
    };
    remedies.iter().map(figure).collect()
}

/// What would be done if a person agreed.
fn recommended(decision: &v1::Decision) -> Vec<(RemedyKind, i64, Option<i64>)> {
    let recommendation = decision.recommendation.as_ref().unwrap();
    assert_eq!(recommendation.outcome(), Outcome::Approve);
    figures(&recommendation.remedies)
}

/// Asserts that a request led to no refund and that the account has what it had.
async fn nothing_moved(
    service: &Service,
    account_id: &str,
    request: &v1::RefundRequest,
    balance: (i64, i64, i64),
    at: &str,
) {
    assert!(request.refunds.is_empty(), "{request:?}");
    assert_eq!(request.restored_credits, 0);
    assert_eq!(service.balance(account_id, at).await, balance);
}

/// The purchase as it is now: the same payment told again changes nothing.
async fn reread(service: &Service, told: &v1::RecordPurchaseRequest, at: &str) -> v1::Purchase {
    let request = v1::RecordPurchaseRequest { request_id: request_id(), ..told.clone() };
    service.credits().record_purchase(when(at, request)).await.unwrap().into_inner().purchase.unwrap()
}

/// Asks with more than the claim and the payment.
async fn asked(
    service: &Service,
    request: v1::EvaluateRequestRequest,
    at: &str,
) -> v1::EvaluateRequestResponse {
    service.refunds().evaluate_request(when(at, request)).await.unwrap().into_inner()
}

/// Takes a request back: a purchase has one open request at most.
async fn taken_back(service: &Service, request: &v1::RefundRequest, at: &str) {
    let back = v1::WithdrawRefundRequestRequest {
        request_id: request_id(),
        account_id: request.account_id.clone(),
        refund_request_id: request.refund_request_id.clone(),
        reason: String::new(),
    };
    service.refunds().withdraw_refund_request(when(at, back)).await.unwrap();
}

fn with_evidence(account: &str, payment: &str, claim: Claim, byte: u8) -> v1::EvaluateRequestRequest {
    let paper = v1::Evidence {
        kind: v1::EvidenceKind::Statement.into(),
        uri: format!("evidence://papers/{byte}"),
        sha256: vec![byte; 32],
        size_bytes: 1_000,
    };
    v1::EvaluateRequestRequest { evidence: vec![paper], ..evaluate(account, payment, claim) }
}

/// Records and delivers a purchase that is told in full.
async fn bought_as(service: &Service, told: &v1::RecordPurchaseRequest, at: &str) {
    service.credits().record_purchase(when(at, told.clone())).await.unwrap();
    service.deliver(&told.account_id, &told.payment_id, told.credits, at).await;
}

/// A purchase of 100 credits at another price.
fn priced(payment_id: &str, currency: &str, minor_units: i64, at: &str) -> v1::RecordPurchaseRequest {
    let price = v1::Money { currency_code: currency.to_owned(), minor_units };
    v1::RecordPurchaseRequest { price: Some(price), ..purchase("ada", payment_id, at) }
}

/// Says that what is undelivered of a payment cannot be delivered any more.
async fn undeliverable(service: &Service, payment_id: &str, at: &str) {
    let never = v1::Undeliverable { reason: words("the package was withdrawn") };
    let request = v1::DeliverCreditsRequest {
        request_id: request_id(),
        account_id: "ada".to_owned(),
        purchase: by_payment(payment_id),
        delivery_id: format!("never-{payment_id}"),
        outcome: Some(v1::deliver_credits_request::Outcome::Undeliverable(never)),
        delivered_at: Some(timestamp(at)),
    };
    service.credits().deliver_credits(when(at, request)).await.unwrap();
}

/// An instant some hours after noon.
fn hours(hours: i64) -> String {
    later(NOON, TimeDelta::hours(hours))
}

/// An instant some days after noon.
fn days(days: i64) -> String {
    later(NOON, TimeDelta::days(days))
}
