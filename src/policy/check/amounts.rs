//! The amounts of a row's remedies at every combination of boundary figures: never more than was paid, and never for
//! credits that were refunded, revoked or used.
//!
//! Amounts depend on figures and not on cells, so this is no proof for every figure; the property tests of the amounts
//! draw the rest. What is tried here are the figures at which a sum, a cap or a rounding changes.

use super::report::{Example, Finding, FindingKind};
use super::space::Space;
use crate::policy::amount::{Grant, RemedyKind, grants};
use crate::policy::decision::decide;
use crate::policy::document::Document;
use crate::policy::facts::{FactName, Facts, Value};
use crate::policy::table::{Remedy, Row};

/// A large figure, whose products need 128 bits.
const MANY: i64 = 1_000_000_000_000;

/// The figures of one purchase. Credits and minor units.
#[derive(Debug, Clone, Copy)]
struct Figures {
    price: i64,
    bought: i64,
    given_up: i64,
    settled: i64,
    pending: i64,
    returned: i64,
    unused: i64,
    undelivered: i64,
    failed: i64,
    restorable: bool,
}

impl Figures {
    /// Every combination of boundary figures.
    fn all() -> impl Iterator<Item = Self> {
        let some = [999, MANY].into_iter().flat_map(|price| [3, MANY].map(|bought| (price, bought)));
        some.flat_map(|(price, bought)| {
            let thirds = price.checked_div(3).unwrap_or(0);
            let given_up = [0, 1, bought];
            let settled = [0, thirds, price];
            given_up.into_iter().flat_map(move |given_up| {
                settled.into_iter().flat_map(move |settled| {
                    let rest = [0, 1]
                        .into_iter()
                        .flat_map(move |pending| [0, thirds, price].map(|back| (pending, back)));
                    rest.flat_map(move |(pending, returned)| {
                        let figures = Self {
                            price,
                            bought,
                            given_up,
                            settled,
                            pending,
                            returned,
                            unused: 0,
                            undelivered: 0,
                            failed: 0,
                            restorable: false,
                        };
                        figures.with_credits()
                    })
                })
            })
        })
    }

    fn with_credits(self) -> impl Iterator<Item = Self> {
        let bought = self.bought;
        let unused = [0, 1, bought].into_iter().map(move |unused| Self { unused, ..self });
        let undelivered =
            unused.flat_map(move |figures| [0, bought].map(|undelivered| Self { undelivered, ..figures }));
        let failed =
            undelivered.flat_map(move |figures| [0, bought].map(|failed| Self { failed, ..figures }));
        failed.flat_map(|figures| [false, true].map(|restorable| Self { restorable, ..figures }))
    }

    fn fill(self, facts: &mut Facts) {
        for (name, number) in [
            (FactName::PriceMinor, self.price),
            (FactName::Bought, self.bought),
            (FactName::CreditsRefunded, self.given_up),
            (FactName::RefundedMinor, self.settled),
            (FactName::PendingMinor, self.pending),
            (FactName::ReturnedMinor, self.returned),
            (FactName::Unused, self.unused),
            (FactName::Undelivered, self.undelivered),
            (FactName::FailedOfPurchase, self.failed),
            (FactName::FailedCredits, self.failed),
        ] {
            facts.put(name, Value::Number(number));
        }
        facts.put(FactName::RestorationPossible, Value::Bool(self.restorable));
    }

    /// The guardrail that these grants break, if any.
    fn broken_by(self, grants: &[Grant]) -> Option<(&'static str, &'static str)> {
        let gone = self.settled.saturating_add(self.pending);
        let payable = self.price.saturating_sub(gone).saturating_sub(self.returned).max(0);
        let mut paid = 0_i64;
        let mut given_up = self.given_up;
        for grant in grants.iter().filter(|grant| grant.kind.pays()) {
            let money = grant.money.map_or(0, |money| money.minor_units);
            given_up = given_up.saturating_add(grant.credits.get());
            let fair = share_of(self.price, given_up, self.bought).saturating_sub(gone).saturating_sub(paid);
            paid = paid.saturating_add(money);
            let there = self.unused.saturating_add(self.undelivered).saturating_add(self.failed);
            let given = given_up.saturating_sub(self.given_up);
            if given > there || given > self.bought.saturating_sub(self.given_up).max(0) {
                return Some(("pay_for_refunded_credits", "pays for credits that are not there any more"));
            }
            if grant.kind == RemedyKind::RefundUnused && money > fair.max(0) {
                return Some(("pay_for_refunded_credits", "pays more than the credits given up are worth"));
            }
        }
        (paid > payable).then_some(("pay_more_than_paid", "pays more than was paid"))
    }
}

/// `floor(price × part / whole)`.
fn share_of(price: i64, part: i64, whole: i64) -> i64 {
    let product = i128::from(price).saturating_mul(i128::from(part));
    product.checked_div(i128::from(whole)).and_then(|share| i64::try_from(share).ok()).unwrap_or(0)
}

/// The first boundary figures at which the remedies break a guardrail, with what they do.
fn first_broken(
    remedies: &[Remedy],
    facts: &Facts,
    given: impl Fn(&[Remedy], &Facts) -> Vec<Grant>,
) -> Option<(Facts, &'static str, &'static str)> {
    let mut facts = facts.clone();
    Figures::all().find_map(|figures| {
        figures.fill(&mut facts);
        let (guardrail, does) = figures.broken_by(&given(remedies, &facts))?;
        Some((facts.clone(), guardrail, does))
    })
}

/// What the amounts of a row break.
pub(super) fn broken(document: &Document, row: &Row, space: &Space) -> Option<Finding> {
    if !row.remedies.iter().any(|remedy| remedy.kind().pays()) {
        return None;
    }
    let (facts, guardrail, does) = first_broken(&row.remedies, &space.ordinary, grants)?;
    let differs = |(name, value): &(FactName, &Value)| space.ordinary.get(*name) != Some(value);
    let telling = facts.iter().filter(differs).map(|(name, value)| (name, value.to_string())).collect();
    let decision = decide(document, &facts);
    Some(Finding {
        kind: FindingKind::EngineGuardrail,
        message: format!("row {} {does} (§7.1)", row.id),
        rows: vec![row.id.clone()],
        guardrail: Some(guardrail.to_owned()),
        example: Some(Example { facts, telling, decision }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::credits::Credits;
    use crate::domain::money::{Currency, Money};
    use crate::policy::SHIPPED;
    use crate::policy::share::Share;
    use crate::policy::table::Deductions;
    use std::collections::BTreeMap;

    fn ordinary() -> Facts {
        super::super::ordinary::case(&Document::parse(SHIPPED).unwrap())
    }

    #[test]
    fn the_amounts_of_every_remedy_stay_within_what_was_paid() {
        let amounts: BTreeMap<_, _> = [(Currency::parse("USD").unwrap(), 500)].into();
        let less = Deductions {
            fee: amounts.clone(),
            fee_share: Share::parse("5%").unwrap(),
            used_at_list_price: true,
        };
        let all = [
            Remedy::RestoreUndelivered,
            Remedy::RestoreFailed,
            Remedy::RestoreAttempt,
            Remedy::RefundUnused(Deductions::default()),
            Remedy::RefundUnused(less.clone()),
            Remedy::RefundFull(Deductions::default()),
            Remedy::RefundFull(less),
            Remedy::RefundFixed(amounts),
        ];
        for one in &all {
            for other in &all {
                let pair = [one.clone(), other.clone()];
                let broken = first_broken(&pair, &ordinary(), grants);
                assert_eq!(broken.map(|(_, guardrail, does)| (guardrail, does)), None, "{pair:?}");
            }
        }
    }

    #[test]
    fn amounts_that_forget_a_cap_are_found() {
        let pays = |credits: fn(&Facts) -> i64, minor: fn(&Facts) -> i64| {
            let given = move |_: &[Remedy], facts: &Facts| {
                let currency = Currency::parse("USD").unwrap();
                let credits = Credits::new(credits(facts)).unwrap();
                let money = Money::new(currency, minor(facts));
                vec![Grant {
                    kind: RemedyKind::RefundUnused,
                    credits,
                    undelivered: Credits::ZERO,
                    money,
                    pays_for_spent: false,
                }]
            };
            first_broken(&[Remedy::RefundUnused(Deductions::default())], &ordinary(), given)
                .map(|(_, guardrail, does)| (guardrail, does))
        };
        let price = |facts: &Facts| facts.number(FactName::PriceMinor).unwrap();
        let none = |_: &Facts| 0;
        let bought = |facts: &Facts| facts.number(FactName::Bought).unwrap();
        assert_eq!(pays(none, none), None);
        assert_eq!(
            pays(none, price),
            Some(("pay_for_refunded_credits", "pays more than the credits given up are worth"))
        );
        assert_eq!(
            pays(bought, none),
            Some(("pay_for_refunded_credits", "pays for credits that are not there any more"))
        );
    }
}
