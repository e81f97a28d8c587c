//! The till: counts one customer's credits and money from the answers alone, so that the day's end can be compared
//! with what the service says.

use crate::proto::makegood::v1::{self, Bucket, RemedyKind};
use anyhow::{Context, bail};
use std::collections::BTreeMap;

/// What one order still has to come, and what was given with it.
#[derive(Debug, Default)]
struct Order {
    undelivered: i64,
    bonus: i64,
}

/// One customer's running totals.
#[derive(Debug)]
pub(super) struct Till {
    /// The customer.
    pub(super) name: &'static str,
    /// Their account.
    pub(super) account_id: String,
    /// The currency they pay in.
    pub(super) currency: String,
    /// Credits bought, with what came on top.
    pub(super) bought: i64,
    /// Credits given back, or delivered by a decision.
    pub(super) restored: i64,
    /// Of these, credits that a decision delivered: they had not been in a lot before.
    pub(super) delivered_late: i64,
    /// Credits charged, whether given back later or not.
    pub(super) used: i64,
    /// Money paid, in minor units.
    pub(super) paid: i64,
    /// Money paid back or on its way, in minor units.
    pub(super) paid_back: i64,
    orders: BTreeMap<String, Order>,
    buckets: BTreeMap<Bucket, i64>,
}

impl Till {
    pub(super) fn new(name: &'static str, account_id: String) -> Self {
        Self {
            name,
            account_id,
            currency: String::new(),
            bought: 0,
            restored: 0,
            delivered_late: 0,
            used: 0,
            paid: 0,
            paid_back: 0,
            orders: BTreeMap::new(),
            buckets: BTreeMap::new(),
        }
    }

    /// What is counted in a bucket now.
    pub(super) fn count(&self, bucket: Bucket) -> i64 {
        self.buckets.get(&bucket).copied().unwrap_or(0)
    }

    /// A purchase was paid.
    pub(super) fn bought(&mut self, purchase: &v1::Purchase) -> anyhow::Result<()> {
        add(&mut self.bought, purchase.credits)?;
        add(&mut self.bought, purchase.bonus_credits)?;
        let price = purchase.price.as_ref().context("a purchase came back without its price")?;
        self.currency.clone_from(&price.currency_code);
        add(&mut self.paid, price.minor_units)?;
        let order = Order { undelivered: purchase.credits, bonus: purchase.bonus_credits };
        self.orders.insert(purchase.order_id.clone(), order);
        Ok(())
    }

    /// Lots arrived.
    pub(super) fn delivered(&mut self, order_id: &str, lots: &[v1::Lot]) -> anyhow::Result<()> {
        for lot in lots {
            self.move_credits(Bucket::Granted, Bucket::Available, lot.granted)?;
            if lot.source() == v1::LotSource::Purchase {
                subtract(&mut self.order(order_id).undelivered, lot.granted)?;
            }
        }
        Ok(())
    }

    /// An attempt reserved its cost.
    pub(super) fn held(&mut self, usage: &v1::Usage) -> anyhow::Result<()> {
        self.move_credits(Bucket::Available, Bucket::Held, usage.held)
    }

    /// An attempt was charged for what it delivered, and let go of the rest.
    pub(super) fn captured(&mut self, usage: &v1::Usage) -> anyhow::Result<()> {
        add(&mut self.used, usage.captured)?;
        self.move_credits(Bucket::Held, Bucket::Consumed, usage.captured)?;
        self.move_credits(Bucket::Held, Bucket::Available, usage.released)
    }

    /// A failure was reported.
    pub(super) fn restored(&mut self, answer: &v1::RestoreCreditsResponse) -> anyhow::Result<()> {
        add(&mut self.restored, answer.credits_restored)?;
        self.moved(&answer.movements)
    }

    /// Credits moved from bucket to bucket.
    pub(super) fn moved(&mut self, movements: &[v1::LotMovement]) -> anyhow::Result<()> {
        movements
            .iter()
            .try_for_each(|moved| self.move_credits(moved.from_bucket(), moved.to_bucket(), moved.credits))
    }

    /// An approval's remedies were done. A refunded order gives up its bonus whole, which is answered: no scene spends
    /// the bonus of an order that it is refunded for.
    pub(super) fn approved(
        &mut self,
        order_id: &str,
        answer: &v1::EvaluateRequestResponse,
    ) -> anyhow::Result<i64> {
        let mut bonus = 0;
        let remedies = answer.decision.as_ref().map_or(&[][..], |decision| &decision.remedies);
        for remedy in remedies {
            match remedy.kind() {
                RemedyKind::RestoreUndelivered => {
                    add(&mut self.restored, remedy.credits)?;
                    add(&mut self.delivered_late, remedy.credits)?;
                    self.order(order_id).undelivered = 0;
                    self.move_credits(Bucket::Granted, Bucket::Available, remedy.credits)?;
                }
                RemedyKind::RestoreFailed => {
                    add(&mut self.restored, remedy.credits)?;
                    self.move_credits(Bucket::Consumed, Bucket::Available, remedy.credits)?;
                }
                RemedyKind::RefundUnused | RemedyKind::RefundFull => {
                    let money = remedy.amount.as_ref().context("a refund came without money")?;
                    add(&mut self.paid_back, money.minor_units)?;
                    let order = std::mem::take(self.order(order_id));
                    let mut given_up = remedy.credits;
                    subtract(&mut given_up, order.undelivered)?;
                    add(&mut given_up, order.bonus)?;
                    add(&mut bonus, order.bonus)?;
                    self.move_credits(Bucket::Available, Bucket::Refunded, given_up)?;
                }
                kind => bail!("the till cannot count the remedy {}", kind.as_str_name()),
            }
        }
        Ok(bonus)
    }

    /// Compares a balance with what was counted: what differs, or `None`.
    pub(super) fn difference(&self, balance: &v1::Balance) -> Option<String> {
        let expected = [Bucket::Available, Bucket::Held, Bucket::Frozen].map(|bucket| self.count(bucket));
        let told = [balance.available, balance.held, balance.frozen];
        let spell = |[available, held, frozen]: [i64; 3]| {
            format!("{available} available, {held} held and {frozen} frozen")
        };
        (expected != told).then(|| {
            format!("{}'s answers come to {}, GetBalance says {}", self.name, spell(expected), spell(told))
        })
    }

    fn order(&mut self, order_id: &str) -> &mut Order {
        self.orders.entry(order_id.to_owned()).or_default()
    }

    fn move_credits(&mut self, from: Bucket, to: Bucket, credits: i64) -> anyhow::Result<()> {
        subtract(self.buckets.entry(from).or_default(), credits)?;
        add(self.buckets.entry(to).or_default(), credits)
    }
}

fn add(total: &mut i64, number: i64) -> anyhow::Result<()> {
    *total = total.checked_add(number).context("a total is too large to be counted")?;
    Ok(())
}

fn subtract(total: &mut i64, number: i64) -> anyhow::Result<()> {
    *total = total.checked_sub(number).context("a total is too small to be counted")?;
    Ok(())
}

#[cfg(test)]
mod tests;
