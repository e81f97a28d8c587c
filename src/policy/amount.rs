//! What a remedy gives: credits back, or money for credits given up (§2.2, §2.3, §7.1).
//!
//! Money follows a running total: after every refund the customer has got back `floor(paid × credits given up so
//! far / credits bought)`, so many small refunds pay exactly what one large refund would.

use super::facts::{FactName, Facts};
use super::table::{Compensation, Deductions, Remedy};
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
    /// Give the credits that one attempt was charged back to their lots, whoever is to blame.
    RestoreAttempt,
    /// Pay for the credits that were not used, and take them back (§7.1).
    RefundUnused,
    /// Pay the whole price less what the policy deducts, and take all that is left of the purchase back (§2.1).
    RefundFull,
    /// Pay a fixed amount; no credits move.
    RefundFixed,
    /// Give free credits.
    Compensate,
}

names!(RemedyKind {
    RestoreUndelivered => "restore_undelivered",
    RestoreFailed => "restore_failed",
    RestoreAttempt => "restore_attempt",
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

    /// Whether the remedy gives credits that were the customer's before.
    #[must_use]
    pub const fn restores(self) -> bool {
        matches!(self, Self::RestoreUndelivered | Self::RestoreFailed | Self::RestoreAttempt)
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
    /// Whether the money pays for credits that were spent or are held as well, so that they are given up when they
    /// come back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pays_for_spent: bool,
}

/// Left out of a decision's bytes where it says nothing, so that decisions read as they did before it was there.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
const fn is_false(truth: &bool) -> bool {
    !*truth
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
pub(super) const READS: [FactName; 17] = [
    FactName::Currency,
    FactName::PriceMinor,
    FactName::ListPriceMinor,
    FactName::Bought,
    FactName::Used,
    FactName::Held,
    FactName::AttemptCredits,
    FactName::CreditsRefunded,
    FactName::RefundedMinor,
    FactName::PendingMinor,
    FactName::ReturnedMinor,
    FactName::Unused,
    FactName::Undelivered,
    FactName::Untouched,
    FactName::RestorationPossible,
    FactName::FailedCredits,
    FactName::FailedOfPurchase,
];

/// The figures of remedies applied one after the other; facts that are absent count as nothing.
#[must_use]
pub fn grants(remedies: &[Remedy], facts: &Facts) -> Vec<Grant> {
    let mut books = Books::open(facts);
    remedies.iter().map(|remedy| books.apply(remedy, facts)).collect()
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
    /// What all credits cost without a reduction; the price when nobody said.
    list_price: i64,
    unused: i64,
    /// Credits that stay with the customer: used or held. Those lost to our failures count until they are restored.
    kept: i64,
    undelivered: i64,
    restorable: bool,
    failed: i64,
    failed_of_purchase: i64,
    of_attempt: i64,
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
            list_price: facts.number(FactName::ListPriceMinor).unwrap_or(price),
            unused: number(FactName::Unused),
            kept: number(FactName::Used).saturating_add(number(FactName::Held)),
            undelivered: number(FactName::Undelivered),
            restorable: facts.is_true(FactName::RestorationPossible),
            failed: number(FactName::FailedCredits),
            failed_of_purchase: number(FactName::FailedOfPurchase),
            of_attempt: number(FactName::AttemptCredits),
        }
    }

    fn apply(&mut self, remedy: &Remedy, facts: &Facts) -> Grant {
        match remedy {
            Remedy::RestoreUndelivered => self.restore_undelivered(),
            Remedy::RestoreFailed => self.restore_failed(),
            Remedy::RestoreAttempt => give(RemedyKind::RestoreAttempt, std::mem::take(&mut self.of_attempt)),
            Remedy::RefundUnused(less) => self.refund(RemedyKind::RefundUnused, less),
            Remedy::RefundFull(less) => self.refund(RemedyKind::RefundFull, less),
            Remedy::RefundFixed(amounts) => {
                let amount = self.currency.and_then(|currency| amounts.get(&currency)).copied().unwrap_or(0);
                let money = self.pay(amount);
                Grant {
                    kind: RemedyKind::RefundFixed,
                    credits: Credits::ZERO,
                    undelivered: Credits::ZERO,
                    money,
                    pays_for_spent: false,
                }
            }
            Remedy::Compensate(Compensation::Credits(credits)) => give(RemedyKind::Compensate, credits.get()),
            Remedy::Compensate(Compensation::Share { share, of, at_most }) => {
                let part = share.part_of(facts.number(*of).unwrap_or(0));
                give(RemedyKind::Compensate, at_most.map_or(part, |most| part.min(most.get())))
            }
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
        self.of_attempt = 0;
        self.kept = self.kept.saturating_sub(of_purchase).max(0);
        self.unused = self.unused.saturating_add(of_purchase);
        give(RemedyKind::RestoreFailed, credits)
    }

    /// Takes all that is left of the purchase back, and pays for it: its part of the price, or all of it, less what
    /// is deducted. What was paid back before counts, so that a fee is taken once and no part is paid twice.
    fn refund(&mut self, kind: RemedyKind, less: &Deductions) -> Grant {
        let left = self.bought.saturating_sub(self.given_up).max(0);
        let undelivered = std::mem::take(&mut self.undelivered).min(left);
        let unused = std::mem::take(&mut self.unused).min(left.saturating_sub(undelivered));
        let credits = undelivered.saturating_add(unused);
        self.given_up = self.given_up.saturating_add(credits);
        let whole_price = kind == RemedyKind::RefundFull;
        let due = if whole_price {
            self.price
        } else if credits == 0 {
            0
        } else {
            running_total(self.price, self.given_up, self.bought)
        };
        // Without a fee for this currency the policy does not say what is left, so that nothing is paid.
        let due = self.deductions(due, less).map_or(0, |deducted| due.saturating_sub(deducted));
        let money = self.pay(due.saturating_sub(self.paid_back));
        let [credits, undelivered] = [credits, undelivered].map(whole);
        let pays_for_spent = whole_price && !less.used_at_list_price && self.kept > 0;
        Grant { kind, credits, undelivered, money, pays_for_spent }
    }

    /// What is taken off, in minor units; `None` when the fee has no amount in this currency.
    fn deductions(&self, due: i64, less: &Deductions) -> Option<i64> {
        let fee = match self.currency {
            Some(currency) if !less.fee.is_empty() => *less.fee.get(&currency)?,
            _ => 0,
        };
        let kept =
            if less.used_at_list_price { running_total(self.list_price, self.kept, self.bought) } else { 0 };
        Some(fee.saturating_add(less.fee_share.part_of(due)).saturating_add(kept))
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
    Grant { kind, credits: whole(credits), undelivered: Credits::ZERO, money: None, pays_for_spent: false }
}

fn whole(credits: i64) -> Credits {
    Credits::new(credits).unwrap_or_default()
}
