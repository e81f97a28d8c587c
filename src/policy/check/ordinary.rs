//! The ordinary case: what examples are told against.

use crate::domain::case_file::{AccountFile, CaseFile, PurchaseFile};
use crate::domain::credits::Credits;
use crate::domain::ids::{OrderId, PackageId, PaymentId, Provider, PurchaseId};
use crate::domain::money::{Currency, Money};
use crate::domain::purchase::{DisputeState, Purchase, PurchaseKind};
use crate::domain::request::{Claim, Details};
use crate::policy::document::Document;
use crate::policy::facts::Facts;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// Credits bought in the ordinary case, and its price in minor units where the document lets a machine approve it.
const BOUGHT: i64 = 100;
const PRICE: i64 = 1_000;

/// A request an hour after a payment for credits that all arrived and were not used, by an account with nothing
/// against it. It is computed as any other case is, so it is one that can occur.
pub(super) fn case(document: &Document) -> Facts {
    let received_at = document.effective_from().checked_add_signed(TimeDelta::days(30));
    let received_at = received_at.unwrap_or(document.effective_from());
    match file(document, received_at) {
        Some(file) => Facts::observe(&file, document.parameters()),
        // Not met: the names below are names.
        None => Facts::new(Claim::Other, received_at),
    }
}

fn file(document: &Document, received_at: DateTime<Utc>) -> Option<CaseFile> {
    Some(CaseFile {
        received_at,
        waiting_since: None,
        decided_at: received_at,
        claim: Claim::Other,
        names_purchase: true,
        details: Details::default(),
        asked: BTreeSet::new(),
        evidence: BTreeSet::new(),
        evidence_reused: false,
        account: AccountFile { available_credits: Credits::new(BOUGHT)?, ..AccountFile::default() },
        purchase: Some(PurchaseFile {
            purchase: purchase(document, received_at.checked_sub_signed(TimeDelta::hours(1))?)?,
            first_purchase: true,
            unused: Credits::new(BOUGHT)?,
            used: Credits::ZERO,
            held: Credits::ZERO,
            failed: Credits::ZERO,
        }),
        twins: Vec::new(),
        attempts: Vec::new(),
        failed_credits: Credits::ZERO,
        attempt: None,
        incidents: Vec::new(),
    })
}

fn purchase(document: &Document, paid_at: DateTime<Utc>) -> Option<Purchase> {
    Some(Purchase {
        purchase_id: PurchaseId(uuid::Uuid::nil()),
        provider: Provider::parse("provider").ok()?,
        payment_id: PaymentId::parse("payment").ok()?,
        order_id: OrderId::parse("order").ok()?,
        package_id: PackageId::parse("package").ok()?,
        kind: PurchaseKind::OneTime,
        renewal: false,
        plan: String::new(),
        price: price(document)?,
        list_price: None,
        credits: Credits::new(BOUGHT)?,
        bonus_credits: Credits::ZERO,
        paid_at,
        credits_expire_at: None,
        delivered_credits: Credits::new(BOUGHT)?,
        last_delivered_at: Some(paid_at),
        undeliverable_reason: None,
        refunded_credits: Credits::ZERO,
        refunded_minor: 0,
        pending_minor: 0,
        returned_minor: 0,
        dispute: DisputeState::None,
        policy_version: document.version().to_owned(),
        attributes: BTreeMap::new(),
    })
}

/// In a currency in which a machine may approve most, dollars where it may.
fn price(document: &Document) -> Option<Money> {
    let limits = &document.parameters().limits().approve_at_most;
    let dollars = Currency::parse("USD").ok()?;
    let most = limits.iter().max_by_key(|(_, most)| **most).map(|(currency, _)| *currency);
    let enough = |currency: &Currency| limits.get(currency).is_some_and(|most| *most >= PRICE);
    let currency = if enough(&dollars) { dollars } else { most.unwrap_or(dollars) };
    let price = limits.get(&currency).copied().filter(|most| *most > 0).map_or(PRICE, |most| most.min(PRICE));
    Money::new(currency, price)
}
