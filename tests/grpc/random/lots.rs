//! An account's lots in plain numbers, written from the rules of the ledger and not from its code.

use makegood::proto::makegood::v1;
use std::collections::BTreeMap;
use v1::{Bucket, LotSource};

/// A day of the auditor's time, which is in milliseconds.
pub(crate) const DAY: i64 = 86_400_000;
/// How long credits live on that come back to a lot that ran out: `expired_credits_grace`.
const GRACE: i64 = 30 * DAY;

/// Credits that went from one bucket of a lot to another; lots are counted from 0 as they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) lot: usize,
    pub(crate) from: Bucket,
    pub(crate) to: Bucket,
    pub(crate) credits: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct Pot {
    /// What the service calls it; empty until an answer told.
    pub(crate) id: String,
    pub(crate) source: LotSource,
    /// The payment that it was sold with.
    pub(crate) payment: Option<String>,
    pub(crate) priority: i32,
    pub(crate) granted_at: i64,
    pub(crate) expires_at: Option<i64>,
    pub(crate) owed: i64,
    pub(crate) disputed: bool,
    has: BTreeMap<Bucket, i64>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Lots {
    pub(crate) now: i64,
    pub(crate) all: Vec<Pot>,
    pub(crate) journal: Vec<Move>,
}

impl Pot {
    pub(crate) fn has(&self, bucket: Bucket) -> i64 {
        self.has.get(&bucket).copied().unwrap_or(0)
    }

    pub(crate) fn granted(&self) -> i64 {
        -self.has(Bucket::Granted)
    }

    fn is_open(&self) -> bool {
        [Bucket::Available, Bucket::Held, Bucket::Frozen].iter().any(|bucket| self.has(*bucket) > 0)
    }
}

impl Lots {
    /// A new lot of the payment or of nobody, frozen at once while its purchase is disputed.
    pub(crate) fn grant(
        &mut self,
        (source, priority): (LotSource, i32),
        payment: Option<&str>,
        credits: i64,
        expires_at: Option<i64>,
        disputed: bool,
    ) {
        let lot = self.all.len();
        self.all.push(Pot {
            id: String::new(),
            source,
            payment: payment.map(str::to_owned),
            priority,
            granted_at: self.now,
            expires_at,
            owed: 0,
            disputed,
            has: BTreeMap::new(),
        });
        self.carry(lot, Bucket::Granted, Bucket::Available, credits);
        if disputed {
            self.carry(lot, Bucket::Available, Bucket::Frozen, credits);
        }
    }

    pub(crate) fn carry(&mut self, lot: usize, from: Bucket, to: Bucket, credits: i64) {
        if credits == 0 {
            return;
        }
        let has = &mut self.all[lot].has;
        *has.entry(from).or_default() -= credits;
        *has.entry(to).or_default() += credits;
        assert!(credits > 0 && (from == Bucket::Granted || has[&from] >= 0), "the auditor errs: {has:?}");
        self.journal.push(Move { lot, from, to, credits });
    }

    pub(crate) fn is_over(&self, lot: usize) -> bool {
        self.all[lot].expires_at.is_some_and(|expires_at| expires_at <= self.now)
    }

    pub(crate) fn spendable(&self, lot: usize) -> i64 {
        if self.is_over(lot) { 0 } else { self.all[lot].has(Bucket::Available) }
    }

    /// Available, held, frozen, and the account's last entry.
    pub(crate) fn balance(&self) -> [i64; 4] {
        let sum = |bucket| self.all.iter().map(|pot| pot.has(bucket)).sum();
        let available = (0..self.all.len()).map(|lot| self.spendable(lot)).sum();
        let entries = i64::try_from(self.journal.len()).unwrap();
        [available, sum(Bucket::Held), sum(Bucket::Frozen), entries]
    }

    /// All lots in burn order.
    pub(crate) fn burn(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.all.len()).collect();
        order.sort_by_key(|lot| {
            let pot = &self.all[*lot];
            (pot.priority, pot.expires_at.unwrap_or(i64::MAX), pot.granted_at, *lot)
        });
        order
    }

    /// The lots sold with a payment, in burn order.
    pub(crate) fn sold_with(&self, payment: &str) -> Vec<usize> {
        self.burn().into_iter().filter(|lot| self.all[*lot].payment.as_deref() == Some(payment)).collect()
    }

    /// Credits come back: what lost disputes are owed goes first; then they are frozen while a dispute is open, or
    /// free, and a lot that ran out lives on.
    pub(crate) fn give_back(&mut self, lot: usize, from: Bucket, credits: i64) {
        let owed = credits.min(self.all[lot].owed);
        self.all[lot].owed -= owed;
        self.carry(lot, from, Bucket::Revoked, owed);
        let rest = credits - owed;
        if rest > 0 && !self.all[lot].disputed && self.is_over(lot) {
            let leftover = self.all[lot].has(Bucket::Available);
            self.carry(lot, Bucket::Available, Bucket::Expired, leftover);
            self.all[lot].expires_at = Some(self.now + GRACE);
        }
        let to = if self.all[lot].disputed { Bucket::Frozen } else { Bucket::Available };
        self.carry(lot, from, to, rest);
    }

    fn run_out(&self) -> Vec<usize> {
        let has_run_out = |lot: &usize| self.is_over(*lot) && self.all[*lot].has(Bucket::Available) > 0;
        self.burn().into_iter().filter(has_run_out).collect()
    }

    /// What is available of lots that ran out expires.
    pub(crate) fn expire(&mut self) {
        for lot in self.run_out() {
            let credits = self.all[lot].has(Bucket::Available);
            self.carry(lot, Bucket::Available, Bucket::Expired, credits);
        }
    }

    /// Lots that ran out while they could not be spent live on.
    pub(crate) fn extend(&mut self) {
        for lot in self.run_out() {
            self.all[lot].expires_at = Some(self.now + GRACE);
        }
    }

    /// Takes spendable credits out of lots, in the order given, and says how many of each; `None` when all together
    /// have too few.
    pub(crate) fn take(
        &mut self,
        order: &[usize],
        to: Bucket,
        credits: Option<i64>,
    ) -> Option<Vec<(usize, i64)>> {
        let reach = order.iter().map(|lot| self.spendable(*lot)).sum();
        let mut open = credits.unwrap_or(reach);
        if open > reach {
            return None;
        }
        let mut taken = Vec::new();
        for lot in order {
            let part = self.spendable(*lot).min(open);
            open -= part;
            self.carry(*lot, Bucket::Available, to, part);
            if part > 0 {
                taken.push((*lot, part));
            }
        }
        Some(taken)
    }

    /// Learns what the service calls lots that it tells of for the first time.
    pub(crate) fn learn(&mut self, told: &[v1::Lot]) {
        for lot in told {
            let is_new = self.all.iter().all(|pot| pot.id != lot.lot_id);
            let fits = |pot: &&mut Pot| {
                pot.id.is_empty() && pot.source == lot.source() && pot.granted() == lot.granted
            };
            if let (true, Some(pot)) = (is_new, self.all.iter_mut().find(fits)) {
                pot.id.clone_from(&lot.lot_id);
            }
        }
    }

    /// The place of a lot that the service names; one past the last for a lot that should not be.
    pub(crate) fn place(&self, lot_id: &str) -> usize {
        self.all.iter().position(|pot| pot.id == lot_id).unwrap_or(self.all.len())
    }

    /// Everything about a lot that the service shows, in the order of [`Lots::told`].
    pub(crate) fn line(&self, lot: usize) -> Vec<i64> {
        let pot = &self.all[lot];
        let mut line = vec![
            i64::try_from(lot).unwrap(),
            i64::from(i32::from(pot.source)),
            i64::from(pot.priority),
            pot.expires_at.unwrap_or(-1),
            pot.granted_at,
            pot.granted(),
            pot.owed,
            i64::from(pot.disputed),
        ];
        line.extend(BUCKETS.map(|bucket| pot.has(bucket)));
        line
    }

    /// What the service shows of a lot.
    pub(crate) fn told(&self, lot: &v1::Lot) -> Vec<i64> {
        let millis = |at: &prost_types::Timestamp| at.seconds * 1_000 + i64::from(at.nanos) / 1_000_000;
        vec![
            i64::try_from(self.place(&lot.lot_id)).unwrap(),
            i64::from(lot.source),
            i64::from(lot.priority),
            lot.expires_at.as_ref().map_or(-1, millis),
            lot.granted_at.as_ref().map_or(-1, millis),
            lot.granted,
            lot.owed_credits,
            i64::from(lot.disputed),
            lot.available,
            lot.held,
            lot.frozen,
            lot.consumed,
            lot.expired,
            lot.revoked,
            lot.refunded,
        ]
    }

    /// The lots with credits to move, in burn order.
    pub(crate) fn open_lines(&self) -> Vec<Vec<i64>> {
        let open = self.burn().into_iter().filter(|lot| self.all[*lot].is_open());
        open.map(|lot| self.line(lot)).collect()
    }
}

/// The buckets in the order in which a lot shows them.
const BUCKETS: [Bucket; 7] = [
    Bucket::Available,
    Bucket::Held,
    Bucket::Frozen,
    Bucket::Consumed,
    Bucket::Expired,
    Bucket::Revoked,
    Bucket::Refunded,
];
