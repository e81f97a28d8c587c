//! What a remedy gives: credits back, or money for credits given up (§2.2, §2.3, §7.1).
//!
//! Money follows a running total: after every refund the customer has got back `floor(paid × credits given up so
//! far / credits bought)`, so many small refunds pay exactly what one large refund would.

use super::facts::{FactName, Facts};
use super::table::Remedy;
use crate::domain::credits::Credits;
use crate::domain::money::{Currency, Money};
use crate::domain::names::names;
use serde::{Deserialize, Serialize};

/// What is done for the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemedyKind {
    /// Deliver the bought credits that never arrived (§2.3).
    RestoreUndelivered,
    /// Give credits taken by our failures back to their lots (§2.2).
    RestoreFailed,
    /// Pay for the credits that were not used, and take them back (§7.1).
    RefundUnused,
    /// Pay the whole price, and take all that is left of the purchase back (§2.1).
    RefundFull,
    /// Pay a fixed amount; no credits move.
    RefundFixed,
    /// Give free credits.
    Compensate,
}

names!(RemedyKind {
    RestoreUndelivered => "restore_undelivered",
    RestoreFailed => "restore_failed",
    RefundUnused => "refund_unused",
    RefundFull => "refund_full",
    RefundFixed => "refund_fixed",
    Compensate => "compensate",
});

impl RemedyKind {
    /// Whether the remedy pays money.
    #[must_use]
    pub const fn pays(self) -> bool {
        matches!(self, Self::RefundUnused | Self::RefundFull | Self::RefundFixed)
    }
}

/// One remedy with its figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The remedy.
    pub kind: RemedyKind,
    /// Credits given to the customer by a restoration or compensation; credits of the purchase that the customer
    /// gives up by a refund.
    pub credits: Credits,
    /// Of the credits given up, those that never arrived: no lot has them.
    pub undelivered: Credits,
    /// Money paid, in the purchase's currency; `None` when the remedy pays none.
    pub money: Option<Money>,
}

impl Grant {
    /// Whether it gives the customer nothing: a refund that pays nothing, a restoration of no credits.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        if self.kind.pays() { self.money.is_none_or(Money::is_zero) } else { self.credits.is_zero() }
    }
}

/// The money that remedies pay; `None` when they pay none.
pub(super) fn money(remedies: &[Grant]) -> Option<Money> {
    let mut sums = remedies.iter().filter_map(|grant| grant.money);
    let first = sums.next()?;
    sums.try_fold(first, |sum, money| sum.plus(money).ok())
}

/// The credits that remedies give to the customer.
pub(super) fn credits_given(remedies: &[Grant]) -> Credits {
    let given = remedies.iter().filter(|grant| !grant.kind.pays()).map(|grant| grant.credits);
    Credits::sum(given).unwrap_or_default()
}

/// The facts that figures are computed from.
pub(super) const READS: [FactName; 12] = [
    FactName::Currency,
    FactName::PriceMinor,
    FactName::Bought,
    FactName::CreditsRefunded,
    FactName::RefundedMinor,
    FactName::PendingMinor,
    FactName::ReturnedMinor,
    FactName::Unused,
    FactName::Undelivered,
    FactName::RestorationPossible,
    FactName::FailedCredits,
    FactName::FailedOfPurchase,
];

/// The figures of remedies applied one after the other; facts that are absent count as nothing.
#[must_use]
pub fn grants(remedies: &[Remedy], facts: &Facts) -> Vec<Grant> {
    let mut books = Books::open(facts);
    remedies.iter().map(|remedy| books.apply(remedy)).collect()
}

/// What is left of the purchase while remedies are applied. Credits and minor units, never negative.
struct Books {
    currency: Option<Currency>,
    price: i64,
    bought: i64,
    /// Credits given up for refunds, this decision's included.
    given_up: i64,
    /// Paid back or on its way, this decision's included.
    paid_back: i64,
    /// Most that may still be paid: what the bank returned is gone too (§6).
    payable: i64,
    unused: i64,
    undelivered: i64,
    restorable: bool,
    failed: i64,
    failed_of_purchase: i64,
}

impl Books {
    fn open(facts: &Facts) -> Self {
        let number = |name| facts.number(name).unwrap_or(0);
        let price = number(FactName::PriceMinor);
        let paid_back = number(FactName::RefundedMinor).saturating_add(number(FactName::PendingMinor));
        let gone = paid_back.saturating_add(number(FactName::ReturnedMinor));
        Self {
            currency: facts.text(FactName::Currency).and_then(|code| Currency::parse(code).ok()),
            price,
            bought: number(FactName::Bought),
            given_up: number(FactName::CreditsRefunded),
            paid_back,
            payable: price.saturating_sub(gone).max(0),
            unused: number(FactName::Unused),
            undelivered: number(FactName::Undelivered),
            restorable: facts.is_true(FactName::RestorationPossible),
            failed: number(FactName::FailedCredits),
            failed_of_purchase: number(FactName::FailedOfPurchase),
        }
    }

    fn apply(&mut self, remedy: &Remedy) -> Grant {
        match remedy {
            Remedy::RestoreUndelivered => self.restore_undelivered(),
            Remedy::RestoreFailed => self.restore_failed(),
            Remedy::RefundUnused => self.refund(RemedyKind::RefundUnused),
            Remedy::RefundFull => self.refund(RemedyKind::RefundFull),
            Remedy::RefundFixed(amounts) => {
                let amount = self.currency.and_then(|currency| amounts.get(&currency)).copied().unwrap_or(0);
                let money = self.pay(amount);
                Grant {
                    kind: RemedyKind::RefundFixed,
                    credits: Credits::ZERO,
                    undelivered: Credits::ZERO,
                    money,
                }
            }
            Remedy::Compensate(credits) => give(RemedyKind::Compensate, credits.get()),
        }
    }

    fn restore_undelivered(&mut self) -> Grant {
        if !self.restorable {
            return give(RemedyKind::RestoreUndelivered, 0);
        }
        let credits = std::mem::take(&mut self.undelivered);
        self.unused = self.unused.saturating_add(credits);
        give(RemedyKind::RestoreUndelivered, credits)
    }

    /// The credits go back to every lot they came from; those of this purchase are unused from now on.
    fn restore_failed(&mut self) -> Grant {
        let credits = std::mem::take(&mut self.failed);
        let of_purchase = std::mem::take(&mut self.failed_of_purchase).min(credits);
        self.unused = self.unused.saturating_add(of_purchase);
        give(RemedyKind::RestoreFailed, credits)
    }

    /// Takes all that is left of the purchase back, and pays for it: its part of the price, or all of it.
    fn refund(&mut self, kind: RemedyKind) -> Grant {
        let left = self.bought.saturating_sub(self.given_up).max(0);
        let undelivered = std::mem::take(&mut self.undelivered).min(left);
        let unused = std::mem::take(&mut self.unused).min(left.saturating_sub(undelivered));
        let credits = undelivered.saturating_add(unused);
        self.given_up = self.given_up.saturating_add(credits);
        let due = match kind {
            RemedyKind::RefundFull => self.payable,
            _ if credits == 0 => 0,
            _ => running_total(self.price, self.given_up, self.bought).saturating_sub(self.paid_back),
        };
        let money = self.pay(due);
        let [credits, undelivered] = [credits, undelivered].map(whole);
        Grant { kind, credits, undelivered, money }
    }

    /// Pays what may still be paid of the amount; `None` without a currency to pay in.
    fn pay(&mut self, amount: i64) -> Option<Money> {
        let minor_units = amount.clamp(0, self.payable);
        let money = Money::new(self.currency?, minor_units)?;
        self.payable = self.payable.saturating_sub(minor_units);
        self.paid_back = self.paid_back.saturating_add(minor_units);
        Some(money)
    }
}

/// `floor(price × credits given up / credits bought)`; nothing when nothing was bought.
fn running_total(price: i64, given_up: i64, bought: i64) -> i64 {
    i128::from(price)
        .checked_mul(i128::from(given_up))
        .and_then(|product| product.checked_div(i128::from(bought)))
        .and_then(|total| i64::try_from(total).ok())
        .unwrap_or(0)
}

fn give(kind: RemedyKind, credits: i64) -> Grant {
    Grant { kind, credits: whole(credits), undelivered: Credits::ZERO, money: None }
}

fn whole(credits: i64) -> Credits {
    Credits::new(credits).unwrap_or_default()
}
