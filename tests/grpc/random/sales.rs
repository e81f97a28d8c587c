//! What an auditor knows of purchases: paid, delivered, given and taken by hand (§2.1, §2.3).

use super::auditor::{Answer, Auditor, Said};
use super::lots::DAY;
use makegood::proto::makegood::v1;
use std::collections::BTreeMap;
use v1::{Bucket, LotSource, PurchaseDispute};
use v1::{deliver_credits_request::Outcome, purchase_reference::Reference, revoke_credits_request::Target};

/// A payment, and what became of it.
#[derive(Debug, Clone)]
pub(crate) struct Sale {
    facts: v1::RecordPurchaseRequest,
    pub(crate) paid_at: i64,
    pub(crate) price: i64,
    pub(crate) credits: i64,
    expires_at: Option<i64>,
    pub(crate) delivered: i64,
    deliveries: BTreeMap<String, i64>,
    pub(crate) is_lost: bool,
    pub(crate) refunded_credits: i64,
    pub(crate) refunded: i64,
    pub(crate) pending: i64,
    pub(crate) returned: i64,
    /// Whether a request about it may still be open.
    pub(crate) in_case: bool,
}

/// An instant in milliseconds.
pub(crate) fn millis(at: Option<&prost_types::Timestamp>) -> Option<i64> {
    at.map(|at| at.seconds * 1_000 + i64::from(at.nanos) / 1_000_000)
}

pub(crate) fn minor(money: Option<&v1::Money>) -> i64 {
    money.map_or(0, |money| money.minor_units)
}

/// The payment that a request names; every wish names purchases by their payments.
pub(crate) fn payment_of(reference: Option<&v1::PurchaseReference>) -> String {
    match reference.and_then(|of| of.reference.as_ref()) {
        Some(Reference::Payment(payment)) => payment.payment_id.clone(),
        _ => String::new(),
    }
}

impl Sale {
    fn new(facts: &v1::RecordPurchaseRequest) -> Self {
        let facts = v1::RecordPurchaseRequest { request_id: String::new(), ..facts.clone() };
        Self {
            paid_at: millis(facts.paid_at.as_ref()).unwrap(),
            price: minor(facts.price.as_ref()),
            credits: facts.credits,
            expires_at: millis(facts.credits_expire_at.as_ref()),
            delivered: 0,
            deliveries: BTreeMap::new(),
            is_lost: false,
            refunded_credits: 0,
            refunded: 0,
            pending: 0,
            returned: 0,
            in_case: false,
            facts,
        }
    }

    pub(crate) fn is_twin_of(&self, other: &Self) -> bool {
        self.facts.package_id == other.facts.package_id
            && self.price == other.price
            && (self.paid_at - other.paid_at).abs() <= DAY
    }

    pub(crate) fn is_refunded(&self) -> bool {
        self.refunded + self.pending > 0 || self.refunded_credits > 0
    }
}

impl Auditor {
    pub(crate) fn buy(&mut self, request: &v1::RecordPurchaseRequest) -> Said {
        let told = Sale::new(request);
        let payment_id = request.payment_id.clone();
        if payment_id == super::STRANGERS_PAYMENT {
            return Err("PURCHASE_MISMATCH".to_owned());
        }
        match self.sales.get(&payment_id) {
            Some(known) if known.facts != told.facts => return Err("PURCHASE_MISMATCH".to_owned()),
            Some(_) => {}
            None => {
                self.sales.insert(payment_id.clone(), told);
                self.adopt(&payment_id);
            }
        }
        Ok(self.sale_shown(&payment_id))
    }

    /// A purchase as an answer shows it.
    fn sale_shown(&self, payment_id: &str) -> Answer {
        let sale = &self.sales[payment_id];
        let figures = vec![
            sale.credits,
            sale.delivered,
            sale.refunded_credits,
            sale.refunded,
            sale.pending,
            sale.returned,
        ];
        Answer { words: vec![self.side(payment_id).as_str_name()], figures, ..Answer::default() }
    }

    pub(crate) fn deliver(&mut self, request: &v1::DeliverCreditsRequest) -> Said {
        let payment_id = payment_of(request.purchase.as_ref());
        let side = self.side(&payment_id);
        let sale = self.sales.get_mut(&payment_id).ok_or("PURCHASE_NOT_FOUND")?;
        let first = self.lots.all.len();
        match request.outcome.as_ref().unwrap() {
            Outcome::Undeliverable(_) if sale.delivered == sale.credits => {
                return Err("DELIVERY_CONFLICT".to_owned());
            }
            Outcome::Undeliverable(_) => sale.is_lost = true,
            Outcome::Credits(credits) => match sale.deliveries.get(&request.delivery_id) {
                Some(known) if known == credits => {}
                Some(_) => return Err("DELIVERY_CONFLICT".to_owned()),
                None if sale.is_refunded() || side == PurchaseDispute::Lost => {
                    return Err("PURCHASE_REFUNDED".to_owned());
                }
                None if *credits > sale.credits - sale.delivered => {
                    return Err("DELIVERY_EXCEEDS_PURCHASE".to_owned());
                }
                None => {
                    sale.deliveries.insert(request.delivery_id.clone(), *credits);
                    self.fill(&payment_id, *credits);
                }
            },
        }
        let mut answer = self.sale_shown(&payment_id);
        answer.balance = Some(self.lots.balance());
        // Lots in the order in which they burn.
        let new: Vec<usize> = self.lots.burn().into_iter().filter(|lot| *lot >= first).collect();
        answer.figures.extend(new.into_iter().flat_map(|lot| self.lots.line(lot)));
        Ok(answer)
    }

    /// Bought credits arrive, and with the first ones the bonus.
    pub(crate) fn fill(&mut self, payment_id: &str, credits: i64) {
        let disputed = self.side(payment_id) == PurchaseDispute::Open;
        let sale = self.sales.get_mut(payment_id).unwrap();
        let bonus = if sale.delivered == 0 { sale.facts.bonus_credits } else { 0 };
        sale.delivered += credits;
        for (source, priority, credits) in
            [(LotSource::Purchase, 1_000, credits), (LotSource::Bonus, 200, bonus)]
        {
            if credits > 0 {
                let expires_at = sale.expires_at;
                self.lots.grant((source, priority), Some(payment_id), credits, expires_at, disputed);
            }
        }
    }

    pub(crate) fn grant(&mut self, request: &v1::GrantCreditsRequest) -> Said {
        let expires_at = millis(request.expires_at.as_ref());
        if expires_at.is_some_and(|expires_at| expires_at <= self.lots.now) {
            return Err("INVALID_FIELD".to_owned());
        }
        let usual = match request.source() {
            LotSource::Promotion => 100,
            LotSource::Bonus => 200,
            _ => 300,
        };
        let kind = (request.source(), request.priority.unwrap_or(usual));
        self.lots.grant(kind, None, request.credits, expires_at, false);
        let figures = self.lots.line(self.lots.all.len() - 1);
        Ok(Answer { figures, balance: Some(self.lots.balance()), ..Answer::default() })
    }

    pub(crate) fn revoke(&mut self, request: &v1::RevokeCreditsRequest, begun: usize) -> Said {
        let mut reach = self.lots.burn();
        match request.target.as_ref().unwrap() {
            Target::Everything(_) => {}
            Target::LotId(lot_id) => reach.retain(|lot| self.lots.all[*lot].id == *lot_id),
            Target::Purchase(reference) => {
                let payment_id = payment_of(Some(reference));
                if !self.sales.contains_key(&payment_id) {
                    return Err("PURCHASE_NOT_FOUND".to_owned());
                }
                reach = self.lots.sold_with(&payment_id);
            }
        }
        reach.reverse();
        let taken = self.lots.take(&reach, Bucket::Revoked, request.credits);
        let taken = taken.ok_or("REVOCATION_EXCEEDS_AVAILABLE")?;
        Ok(Answer {
            figures: vec![taken.into_iter().map(|(_, credits)| credits).sum()],
            moves: self.lots.journal[begun..].to_vec(),
            balance: Some(self.lots.balance()),
            ..Answer::default()
        })
    }
}
