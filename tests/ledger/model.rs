//! What an account should have, told in plain numbers. Written from the rules, not from the book.

use std::collections::BTreeMap;

/// The price of every purchase, in minor units.
pub(crate) const PRICE: i64 = 1_000;
/// Days that credits given back to an expired lot live on.
pub(crate) const GRACE: i64 = 30;

/// A lot: its place in the burn order and what lies in which bucket.
#[derive(Debug, Clone)]
pub(crate) struct Pot {
    pub(crate) id: u128,
    pub(crate) priority: i32,
    pub(crate) granted_on: i64,
    pub(crate) expires_on: Option<i64>,
    pub(crate) purchase: Option<u8>,
    pub(crate) granted: i64,
    pub(crate) debt: i64,
    pub(crate) disputed: bool,
    pub(crate) buckets: BTreeMap<&'static str, i64>,
}

/// A share of an attempt in one lot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) id: u128,
    pub(crate) held: i64,
    pub(crate) charged: i64,
}

/// What lost disputes cost one lot, all together.
type Costs = BTreeMap<u128, i64>;

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) today: i64,
    pub(crate) pots: BTreeMap<u128, Pot>,
    pub(crate) attempts: Vec<(i64, Vec<Part>)>,
    pub(crate) costs: Costs,
    pub(crate) refunds: Vec<Vec<(u128, i64)>>,
}

impl Pot {
    pub(crate) fn has(&self, bucket: &'static str) -> i64 {
        self.buckets.get(bucket).copied().unwrap_or(0)
    }

    fn carry(&mut self, from: &'static str, to: &'static str, credits: i64) {
        *self.buckets.entry(from).or_default() -= credits;
        *self.buckets.entry(to).or_default() += credits;
    }

    fn is_over(&self, today: i64) -> bool {
        self.expires_on.is_some_and(|day| day <= today)
    }

    fn spendable(&self, today: i64) -> i64 {
        if self.is_over(today) { 0 } else { self.has("available") }
    }

    /// Credits come back: what lost disputes are owed first, then frozen or free.
    fn take_back(&mut self, from: &'static str, credits: i64, today: i64) {
        let paid_off = credits.min(self.debt);
        self.debt -= paid_off;
        self.carry(from, "revoked", paid_off);
        let rest = credits - paid_off;
        if self.disputed {
            self.carry(from, "frozen", rest);
        } else if rest > 0 {
            if self.is_over(today) {
                let left = self.has("available");
                self.carry("available", "expired", left);
                self.expires_on = Some(today + GRACE);
            }
            self.carry(from, "available", rest);
        }
    }
}

impl Model {
    pub(crate) fn grant(&mut self, mut pot: Pot, credits: i64, disputed: bool) {
        pot.granted = credits;
        pot.disputed = disputed;
        pot.buckets.insert(if disputed { "frozen" } else { "available" }, credits);
        self.pots.insert(pot.id, pot);
    }

    /// Every lot in burn order.
    fn burn(&self) -> Vec<u128> {
        let mut pots: Vec<&Pot> = self.pots.values().collect();
        pots.sort_by_key(|pot| (pot.priority, pot.expires_on.unwrap_or(i64::MAX), pot.granted_on, pot.id));
        pots.into_iter().map(|pot| pot.id).collect()
    }

    pub(crate) fn spendable(&self) -> i64 {
        self.pots.values().map(|pot| pot.spendable(self.today)).sum()
    }

    /// What each lot gives to an attempt, in order; nothing when all together have too little.
    pub(crate) fn hold(&mut self, cost: i64) -> Option<Vec<(u128, i64)>> {
        if self.spendable() < cost {
            return None;
        }
        let (mut open, mut taken) = (cost, Vec::new());
        for id in self.burn() {
            let today = self.today;
            let pot = self.pots.get_mut(&id).unwrap();
            let part = pot.spendable(today).min(open);
            if part > 0 {
                pot.carry("available", "held", part);
                taken.push((id, part));
                open -= part;
            }
        }
        let parts = taken.iter().map(|(id, held)| Part { id: *id, held: *held, charged: 0 }).collect();
        self.attempts.push((cost, parts));
        Some(taken)
    }

    /// Charges `delivered` of `outputs` and lets the rest go, last taken first.
    pub(crate) fn capture(&mut self, attempt: usize, delivered: i64, outputs: i64) {
        let (cost, mut parts) = self.attempts[attempt].clone();
        let mut charge = cost * delivered / outputs;
        for part in &mut parts {
            part.charged = charge.min(part.held);
            charge -= part.charged;
            part.held -= part.charged;
            self.pots.get_mut(&part.id).unwrap().carry("held", "consumed", part.charged);
        }
        self.attempts[attempt].1 = parts;
        self.release(attempt);
    }

    pub(crate) fn release(&mut self, attempt: usize) {
        let today = self.today;
        for part in self.attempts[attempt].1.iter_mut().rev() {
            let credits = std::mem::take(&mut part.held);
            self.pots.get_mut(&part.id).unwrap().take_back("held", credits, today);
        }
    }

    pub(crate) fn restore(&mut self, attempt: usize) {
        let today = self.today;
        for part in self.attempts[attempt].1.iter_mut().rev() {
            let credits = std::mem::take(&mut part.charged);
            self.pots.get_mut(&part.id).unwrap().take_back("consumed", credits, today);
        }
    }

    fn sold_with(&mut self, purchase: u8) -> impl Iterator<Item = &mut Pot> {
        self.pots.values_mut().filter(move |pot| pot.purchase == Some(purchase))
    }

    pub(crate) fn freeze(&mut self, purchase: u8) {
        let today = self.today;
        for pot in self.sold_with(purchase) {
            let to = if pot.is_over(today) { "expired" } else { "frozen" };
            let credits = pot.has("available");
            pot.carry("available", to, credits);
            pot.disputed = true;
        }
    }

    pub(crate) fn unfreeze(&mut self, purchase: u8) {
        let today = self.today;
        for pot in self.sold_with(purchase) {
            pot.disputed = false;
            let credits = pot.has("frozen");
            pot.take_back("frozen", credits, today);
        }
    }

    /// `returned` is what the bank has returned of the price so far, by all lost disputes.
    pub(crate) fn lose(&mut self, purchase: u8, returned: i64) {
        let mut costs = std::mem::take(&mut self.costs);
        for pot in self.sold_with(purchase) {
            let cost = costs.entry(pot.id).or_default();
            let share = pot.granted * returned.min(PRICE) / PRICE;
            let gone = pot.has("expired") + pot.has("revoked");
            let due = (share - *cost).max(0).min((pot.granted - gone - pot.debt).max(0));
            let now = due.min(pot.has("frozen"));
            pot.carry("frozen", "revoked", now);
            pot.debt += due - now;
            *cost += due;
        }
        self.costs = costs;
    }

    /// `returned` is what the bank has still returned of the price.
    pub(crate) fn reinstate(&mut self, purchase: u8, returned: i64) {
        let today = self.today;
        let mut costs = std::mem::take(&mut self.costs);
        for pot in self.sold_with(purchase) {
            let cost = costs.entry(pot.id).or_default();
            let too_much = (*cost - pot.granted * returned.min(PRICE) / PRICE).max(0);
            *cost -= too_much;
            let forgiven = pot.debt.min(too_much);
            pot.debt -= forgiven;
            pot.take_back("revoked", too_much - forgiven, today);
        }
        self.costs = costs;
    }

    pub(crate) fn refund(&mut self, purchase: u8) {
        let today = self.today;
        let mut taken = Vec::new();
        for pot in self.sold_with(purchase) {
            let credits = pot.spendable(today);
            pot.carry("available", "refunded", credits);
            if credits > 0 {
                taken.push((pot.id, credits));
            }
        }
        self.refunds.push(taken);
    }

    pub(crate) fn undo_refund(&mut self, refund: usize) {
        let today = self.today;
        for (id, credits) in std::mem::take(&mut self.refunds[refund]) {
            self.pots.get_mut(&id).unwrap().take_back("refunded", credits, today);
        }
    }
}
