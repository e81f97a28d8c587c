//! Lots: credits granted by one event, with their own remainder.

use super::credits::{Credits, OutOfRange};
use super::ids::{LotId, OrderId, PurchaseId, RefundId};
use super::names::names;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// Where a lot's credits came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Paid for.
    Purchase,
    /// Free with a purchase, or a gift: no money value.
    Bonus,
    /// A promotion or a free tier.
    Promotion,
    /// Given to make good.
    Compensation,
}

names!(Source { Purchase => "purchase", Bonus => "bonus", Promotion => "promotion", Compensation => "compensation" });

impl Source {
    /// Burn priority when nobody named one: free credits go before paid ones, so that paid credits stay
    /// refundable longest.
    #[must_use]
    pub const fn default_priority(self) -> i32 {
        match self {
            Self::Promotion => 100,
            Self::Bonus => 200,
            Self::Compensation => 300,
            Self::Purchase => 1_000,
        }
    }
}

/// The places that credits of a lot can be in, and the outside where they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// Outside: where granted credits come from.
    Granted,
    /// May be spent.
    Available,
    /// Reserved by a running attempt.
    Held,
    /// Kept from use while a bank decides (§6).
    Frozen,
    /// Spent (§3.1).
    Consumed,
    /// Ran out of time.
    Expired,
    /// Taken (§3.3, §6).
    Revoked,
    /// Given up for money back.
    Refunded,
}

names!(Bucket {
    Granted => "granted", Available => "available", Held => "held", Frozen => "frozen", Consumed => "consumed",
    Expired => "expired", Revoked => "revoked", Refunded => "refunded",
});

/// A lot. INVARIANT: `granted = available + held + frozen + consumed + expired + revoked + refunded`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lot {
    /// Its id.
    pub lot_id: LotId,
    /// Where its credits came from.
    pub source: Source,
    /// The purchase that paid for it or that it came free with.
    pub purchase_id: Option<PurchaseId>,
    /// That purchase's order.
    pub order_id: Option<OrderId>,
    /// Lower burns first.
    pub priority: i32,
    /// When it was granted.
    pub granted_at: DateTime<Utc>,
    /// When its available credits run out, if ever.
    pub expires_at: Option<DateTime<Utc>>,
    /// All credits it ever had.
    pub granted: Credits,
    /// May be spent.
    pub available: Credits,
    /// Reserved.
    pub held: Credits,
    /// Frozen.
    pub frozen: Credits,
    /// Spent.
    pub consumed: Credits,
    /// Ran out.
    pub expired: Credits,
    /// Taken.
    pub revoked: Credits,
    /// Given up for money back.
    pub refunded: Credits,
    /// Credits that lost disputes should have revoked and that were spent or held: returning ones are revoked
    /// up to this (the bank returned their price).
    pub owed: Credits,
    /// Whether a dispute on its purchase is undecided: returning credits are frozen.
    pub disputed: bool,
    /// Set when a refund paid for all of its credits, those spent or held included: returning ones are given up, too.
    pub repaid: Option<Repaid>,
}

/// A refund that paid for credits out of its reach, and what it got of them since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repaid {
    /// The refund.
    pub refund_id: RefundId,
    /// Credits that came back and were given up. INVARIANT: at most `refunded`.
    pub credits: Credits,
}

/// What a new lot is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLot {
    /// Its id.
    pub lot_id: LotId,
    /// Where its credits came from.
    pub source: Source,
    /// The purchase that it belongs to.
    pub purchase_id: Option<PurchaseId>,
    /// That purchase's order.
    pub order_id: Option<OrderId>,
    /// Lower burns first.
    pub priority: i32,
    /// The instant of the grant.
    pub granted_at: DateTime<Utc>,
    /// When its available credits run out, if ever.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Lot {
    /// An empty lot; credits come in by a movement from [`Bucket::Granted`].
    #[must_use]
    pub fn empty(new: NewLot) -> Self {
        let NewLot { lot_id, source, purchase_id, order_id, priority, granted_at, expires_at } = new;
        let none = Credits::ZERO;
        Self {
            lot_id,
            source,
            purchase_id,
            order_id,
            priority,
            granted_at,
            expires_at,
            granted: none,
            available: none,
            held: none,
            frozen: none,
            consumed: none,
            expired: none,
            revoked: none,
            refunded: none,
            owed: none,
            disputed: false,
            repaid: None,
        }
    }

    /// Whether any of its credits can still move by themselves.
    #[must_use]
    pub fn is_open(&self) -> bool {
        [self.available, self.held, self.frozen].iter().any(|credits| !credits.is_zero())
    }

    /// Whether its available credits have run out at `now`: the instant itself is too late.
    #[must_use]
    pub fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    /// Credits that may be spent at `now`.
    #[must_use]
    pub fn spendable(&self, now: DateTime<Utc>) -> Credits {
        if self.is_expired(now) { Credits::ZERO } else { self.available }
    }

    /// Burn order: priority, then soonest to expire, then oldest, then by id.
    #[must_use]
    pub fn burn_order(&self, other: &Self) -> Ordering {
        let never_last = |lot: &Self| (lot.expires_at.is_none(), lot.expires_at);
        self.priority
            .cmp(&other.priority)
            .then_with(|| never_last(self).cmp(&never_last(other)))
            .then_with(|| self.granted_at.cmp(&other.granted_at))
            .then_with(|| self.lot_id.cmp(&other.lot_id))
    }

    /// Moves credits from one bucket to another and keeps the lot's sum.
    ///
    /// # Errors
    /// [`OutOfRange`] when `from` has fewer credits, or `to` would overflow; the lot is then unchanged.
    pub fn shift(&mut self, from: Bucket, to: Bucket, credits: Credits) -> Result<(), OutOfRange> {
        let mut moved = self.clone();
        if from == Bucket::Granted {
            moved.granted = moved.granted.plus(credits)?;
        } else {
            let bucket = moved.bucket_mut(from).ok_or(OutOfRange)?;
            *bucket = bucket.minus(credits)?;
        }
        let bucket = moved.bucket_mut(to).ok_or(OutOfRange)?;
        *bucket = bucket.plus(credits)?;
        *self = moved;
        Ok(())
    }

    /// What lies in the buckets together; equals `granted` by the invariant.
    ///
    /// # Errors
    /// [`OutOfRange`] on overflow.
    pub fn total(&self) -> Result<Credits, OutOfRange> {
        Credits::sum([
            self.available,
            self.held,
            self.frozen,
            self.consumed,
            self.expired,
            self.revoked,
            self.refunded,
        ])
    }

    /// Credits in a bucket; nothing is ever in the outside.
    #[must_use]
    pub fn bucket(&self, bucket: Bucket) -> Credits {
        match bucket {
            Bucket::Granted => Credits::ZERO,
            Bucket::Available => self.available,
            Bucket::Held => self.held,
            Bucket::Frozen => self.frozen,
            Bucket::Consumed => self.consumed,
            Bucket::Expired => self.expired,
            Bucket::Revoked => self.revoked,
            Bucket::Refunded => self.refunded,
        }
    }

    fn bucket_mut(&mut self, bucket: Bucket) -> Option<&mut Credits> {
        match bucket {
            Bucket::Granted => None,
            Bucket::Available => Some(&mut self.available),
            Bucket::Held => Some(&mut self.held),
            Bucket::Frozen => Some(&mut self.frozen),
            Bucket::Consumed => Some(&mut self.consumed),
            Bucket::Expired => Some(&mut self.expired),
            Bucket::Revoked => Some(&mut self.revoked),
            Bucket::Refunded => Some(&mut self.refunded),
        }
    }
}
