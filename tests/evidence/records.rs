//! One disputed purchase of Ada's with everything that can be about it.

use chrono::{DateTime, Utc};
use makegood::domain::chargeback::{
    Chargeback, ChargebackEvent, ChargebackPhase, ChargebackStage, ReportedEvent,
};
use makegood::domain::credits::Credits;
use makegood::domain::fault::Fault;
use makegood::domain::ids::{
    AccountId, Actor, Attempt, Cause, ChargebackId, DeliveryId, DisputeId, JobId, LotId, OrderId, PackageId,
    PaymentId, Provider, PurchaseId, RefundRequestId,
};
use makegood::domain::lot::{Bucket, Lot, NewLot, Source};
use makegood::domain::money::{Currency, Money};
use makegood::domain::purchase::{Delivery, DisputeState, Purchase, PurchaseKind};
use makegood::domain::request::{Claim, FirstResponse, Life, RefundRequest, Response, ResponseClock};
use makegood::domain::usage::{Allocation, Failure, Usage, UsageStage};
use makegood::evidence::{Answer, Policy, Records, Request, Twin};
use makegood::policy::{Document, Outcome, SHIPPED};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(crate) fn credits(credits: i64) -> Credits {
    Credits::new(credits).unwrap()
}

pub(crate) fn usd(minor_units: i64) -> Money {
    Money { currency: Currency::parse("USD").unwrap(), minor_units }
}

fn purchase() -> Purchase {
    Purchase {
        purchase_id: PurchaseId(Uuid::from_u128(1)),
        provider: Provider::parse("stripe").unwrap(),
        payment_id: PaymentId::parse("pi_1").unwrap(),
        order_id: OrderId::parse("A-1001").unwrap(),
        package_id: PackageId::parse("credits-100").unwrap(),
        kind: PurchaseKind::OneTime,
        renewal: false,
        plan: String::new(),
        price: usd(999),
        list_price: Some(usd(1_200)),
        credits: credits(100),
        bonus_credits: credits(10),
        paid_at: at("2025-03-03T12:00:00Z"),
        credits_expire_at: None,
        delivered_credits: credits(100),
        last_delivered_at: Some(at("2025-03-03T12:00:05Z")),
        undeliverable_reason: None,
        refunded_credits: Credits::ZERO,
        refunded_minor: 0,
        pending_minor: 0,
        returned_minor: 0,
        dispute: DisputeState::Open,
        policy_version: "2024-12-19".to_owned(),
        attributes: BTreeMap::from([
            ("country".to_owned(), "DE".to_owned()),
            ("refund_policy_shown_at".to_owned(), "2025-03-03T11:59:40Z at checkout".to_owned()),
        ]),
    }
}

fn dispute() -> Chargeback {
    Chargeback {
        chargeback_id: ChargebackId(Uuid::from_u128(2)),
        purchase_id: Some(PurchaseId(Uuid::from_u128(1))),
        provider: Provider::parse("stripe").unwrap(),
        dispute_id: DisputeId::parse("dp_1").unwrap(),
        payment_id: PaymentId::parse("pi_1").unwrap(),
        stage: ChargebackStage::Open,
        phase: ChargebackPhase::PreArbitration,
        provider_status: "needs_response".to_owned(),
        reason_code: "fraudulent".to_owned(),
        amount: usd(999),
        losses: Vec::new(),
        frozen_credits: credits(55),
        opened_at: at("2025-03-10T08:00:00Z"),
        closed_at: None,
        last_event_at: at("2025-03-12T08:00:00Z"),
        determined: None,
    }
}

fn event(event: ChargebackEvent, phase: ChargebackPhase, status: &str, when: &str) -> ReportedEvent {
    ReportedEvent {
        event,
        phase,
        provider_status: status.to_owned(),
        provider_event_id: None,
        amount: usd(999),
        occurred_at: at(when),
        recorded_at: at(when),
    }
}

/// A lot of the purchase: granted, of which some are consumed and the rest is frozen.
fn lot(id: u128, source: Source, granted: i64, consumed: i64) -> Lot {
    let mut lot = Lot::empty(NewLot {
        lot_id: LotId(Uuid::from_u128(id)),
        source,
        purchase_id: Some(PurchaseId(Uuid::from_u128(1))),
        order_id: None,
        priority: source.default_priority(),
        granted_at: at("2025-03-03T12:00:05Z"),
        expires_at: None,
    });
    lot.shift(Bucket::Granted, Bucket::Frozen, credits(granted)).unwrap();
    lot.shift(Bucket::Frozen, Bucket::Consumed, credits(consumed)).unwrap();
    lot
}

/// An attempt that took so many credits of a lot, and had so many of them back.
pub(crate) fn attempt(job_id: &str, lot_id: u128, taken: i64, restored: i64, ended: &str) -> Usage {
    let failure = (restored > 0).then(|| Failure {
        cause: Cause::parse("gpu_error").unwrap(),
        fault: Fault::Platform,
        failed_at: at(ended),
        reported_at: at(ended),
        trace_id: None,
    });
    Usage {
        attempt: Attempt { job_id: JobId::parse(job_id).unwrap(), number: 1 },
        stage: if restored > 0 { UsageStage::Failed } else { UsageStage::Captured },
        cost: credits(taken),
        outputs: 3,
        delivered_outputs: Some(3),
        allocations: vec![Allocation {
            lot_id: LotId(Uuid::from_u128(lot_id)),
            taken: credits(taken),
            captured: credits(taken),
            released: Credits::ZERO,
            restored: credits(restored),
        }],
        held_at: at(ended),
        hold_expires_at: at(ended),
        ended_at: Some(at(ended)),
        failure,
        trace_id: None,
    }
}

pub(crate) fn request(claim: Claim, received: &str, answers: Vec<Answer>) -> Request {
    let received_at = at(received);
    let first = FirstResponse { at: received_at, kind: Response::Denial };
    Request {
        request: RefundRequest {
            refund_request_id: RefundRequestId(Uuid::from_u128(5)),
            purchase_id: Some(PurchaseId(Uuid::from_u128(1))),
            claim,
            life: Life::Denied { closed_at: received_at },
            received_at,
            clock: ResponseClock {
                respond_by: received_at,
                waiting_since: None,
                first_response: Some(first),
            },
            policy_version: "2024-12-19".to_owned(),
            opened_by: Actor::parse("frontend:shop").unwrap(),
            assignee: Some(Actor::parse("agent:kim").unwrap()),
            attempt: None,
            purchased_at: None,
            amount_paid: None,
            attempted_at: None,
            evidence: Vec::new(),
            asked: BTreeSet::new(),
            decisions: 1,
            last_row: "5".to_owned(),
            restored_credits: Credits::ZERO,
            revision: 1,
        },
        answers,
    }
}

pub(crate) fn denial(when: &str, sentence: &str) -> Answer {
    Answer {
        at: at(when),
        outcome: Outcome::Deny,
        clauses: vec!["3.2".to_owned()],
        sentence: sentence.to_owned(),
    }
}

pub(crate) fn policy() -> Policy {
    let document = Document::parse(SHIPPED).unwrap();
    Policy {
        version: document.version().to_owned(),
        effective_from: document.effective_from(),
        effective_until: None,
        // The document's digest would make the golden page depend on every letter of it.
        sha256: "0123456789abcdef".repeat(4),
        text: SHIPPED.to_owned(),
        document: Some(document),
    }
}

pub(crate) fn records() -> Records {
    let sentence = "We cannot refund a change of mind; your credits stay available (§3.2).";
    Records {
        account_id: AccountId::parse("ada").unwrap(),
        chargeback: dispute(),
        events: vec![
            event(
                ChargebackEvent::Opened,
                ChargebackPhase::Chargeback,
                "needs_response",
                "2025-03-10T08:00:00Z",
            ),
            event(
                ChargebackEvent::Updated,
                ChargebackPhase::PreArbitration,
                "under_review",
                "2025-03-12T08:00:00Z",
            ),
        ],
        purchase: purchase(),
        recorded_at: at("2025-03-03T12:00:01Z"),
        deliveries: vec![Delivery {
            delivery_id: DeliveryId::parse("d-1").unwrap(),
            credits: credits(100),
            bonus_credits: credits(10),
            delivered_at: at("2025-03-03T12:00:05Z"),
            recorded_at: at("2025-03-03T12:00:06Z"),
        }],
        deliveries_in_all: 1,
        lots: vec![lot(3, Source::Purchase, 100, 45), lot(4, Source::Bonus, 10, 10)],
        attempts: vec![
            attempt("job-1", 4, 10, 0, "2025-03-04T09:00:00Z"),
            attempt("job-2", 3, 45, 0, "2025-03-05T10:30:00Z"),
            attempt("job-3", 3, 12, 12, "2025-03-06T11:00:00Z"),
        ],
        attempts_in_all: 3,
        requests: vec![request(
            Claim::ChangeOfMind,
            "2025-03-07T12:00:00Z",
            vec![denial("2025-03-07T12:00:00Z", sentence)],
        )],
        refunds: Vec::new(),
        policy: policy(),
        twin: Some(Twin {
            payment_id: PaymentId::parse("pi_0").unwrap(),
            order_id: OrderId::parse("A-0907").unwrap(),
            paid_at: at("2025-02-01T12:00:00Z"),
            used: credits(80),
            refunded: false,
        }),
    }
}
