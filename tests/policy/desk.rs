//! What the tests of this room share: the shipped document, and an ordinary case file.

use chrono::{DateTime, TimeDelta, Utc};
use makegood::domain::case_file::{AccountFile, CaseFile, PurchaseFile};
use makegood::domain::credits::Credits;
use makegood::domain::ids::{OrderId, PackageId, PaymentId, Provider, PurchaseId};
use makegood::domain::money::{Currency, Money};
use makegood::domain::purchase::{DisputeState, Purchase, PurchaseKind};
use makegood::domain::request::{Claim, Details};
use makegood::policy::span::Span;
use makegood::policy::{Document, FactName, Facts, SHIPPED};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// The shipped document, read once for all tests.
pub(super) fn shipped() -> &'static Document {
    static DOCUMENT: LazyLock<Document> = LazyLock::new(|| Document::parse(SHIPPED).unwrap());
    &DOCUMENT
}

pub(super) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// When the ordinary request was received: a Friday.
pub(super) fn received_at() -> DateTime<Utc> {
    at("2025-03-14T10:00:00Z")
}

/// So long before the ordinary request.
pub(super) fn before(span: &str) -> DateTime<Utc> {
    let micros = Span::parse(span).unwrap().micros();
    received_at().checked_sub_signed(TimeDelta::microseconds(micros)).unwrap()
}

pub(super) fn credits(number: i64) -> Credits {
    Credits::new(number).unwrap()
}

pub(super) fn usd(minor_units: i64) -> Money {
    Money::new(Currency::parse("USD").unwrap(), minor_units).unwrap()
}

/// 100 credits for 19.99 USD, bought two days before the request, 40 of them used.
pub(super) fn purchase() -> PurchaseFile {
    PurchaseFile {
        purchase: Purchase {
            purchase_id: PurchaseId::parse("018f2b1c-5f0e-7c3a-9d53-2b6f6a0f1c11").unwrap(),
            provider: Provider::parse("stripe").unwrap(),
            payment_id: PaymentId::parse("pay-1").unwrap(),
            order_id: OrderId::parse("order-1").unwrap(),
            package_id: PackageId::parse("starter-100").unwrap(),
            kind: PurchaseKind::OneTime,
            renewal: false,
            plan: String::new(),
            price: usd(1999),
            list_price: None,
            credits: credits(100),
            bonus_credits: Credits::ZERO,
            paid_at: before("2d"),
            credits_expire_at: None,
            delivered_credits: credits(100),
            last_delivered_at: Some(before("2d")),
            undeliverable_reason: None,
            refunded_credits: Credits::ZERO,
            refunded_minor: 0,
            pending_minor: 0,
            returned_minor: 0,
            dispute: DisputeState::None,
            policy_version: "2024-12-19".to_owned(),
            attributes: BTreeMap::new(),
        },
        first_purchase: true,
        unused: credits(60),
        used: credits(40),
        held: Credits::ZERO,
        failed: Credits::ZERO,
    }
}

pub(super) fn case_file(claim: Claim) -> CaseFile {
    CaseFile {
        received_at: received_at(),
        waiting_since: None,
        decided_at: received_at(),
        claim,
        names_purchase: true,
        details: Details::default(),
        asked: BTreeSet::new(),
        evidence: BTreeSet::new(),
        evidence_reused: false,
        account: AccountFile::default(),
        purchase: Some(purchase()),
        twins: Vec::new(),
        attempts: Vec::new(),
        failed_credits: Credits::ZERO,
        attempt: None,
        incidents: Vec::new(),
    }
}

pub(super) fn observe(file: &CaseFile) -> Facts {
    Facts::observe(file, shipped().parameters())
}

/// A fact as documents write it; empty when it is absent.
pub(super) fn shown(facts: &Facts, fact: FactName) -> String {
    facts.get(fact).map(ToString::to_string).unwrap_or_default()
}
