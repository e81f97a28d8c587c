//! The banks' disputes: what they freeze, take and give back, and whom they suspend (§6).

use super::auditor::{Answer, Auditor};
use super::sales::{millis, minor};
use makegood::proto::makegood::v1;
use v1::{Bucket, ChargebackEventKind as Event, ChargebackStage as Stage, PurchaseDispute};

#[derive(Debug, Clone)]
pub(crate) struct Dispute {
    payment_id: String,
    stage: Stage,
    amount: i64,
    /// While it is open, what it keeps; then, what its end took or let go.
    frozen: i64,
    losses: Vec<Loss>,
    /// When it was first heard to have happened, and how many were known then.
    opened: (i64, usize),
    closed_at: Option<i64>,
    last_at: i64,
    heard: Vec<(Event, i64, i64)>,
    suspends: bool,
}

/// What a lost dispute took from a lot.
#[derive(Debug, Clone, Copy)]
struct Loss {
    lot: usize,
    /// At once.
    revoked: i64,
    /// Out of reach: taken if it comes back.
    owed: i64,
    /// Of that, what had been spent.
    spent: i64,
}

impl Loss {
    fn cost(&self) -> i64 {
        self.revoked + self.owed
    }

    /// Takes at most so many credits out of it, those revoked at once first.
    fn part(&mut self, credits: i64) -> Self {
        let revoked = credits.min(self.revoked);
        let owed = (credits - revoked).min(self.owed);
        let part = Self { lot: self.lot, revoked, owed, spent: owed.min(self.spent) };
        *self = Self {
            lot: self.lot,
            revoked: self.revoked - part.revoked,
            owed: self.owed - part.owed,
            spent: self.spent - part.spent,
        };
        part
    }
}

impl Auditor {
    pub(crate) fn is_suspended(&self) -> bool {
        self.is_suspended_by_hand() || self.disputes.values().any(|dispute| dispute.suspends)
    }

    /// The bank's side of a payment: the gravest of its disputes counts.
    pub(crate) fn side(&self, payment_id: &str) -> PurchaseDispute {
        let of = |stage| {
            self.disputes.values().any(|dispute| dispute.payment_id == payment_id && dispute.stage == stage)
        };
        match (of(Stage::Lost), of(Stage::Open), of(Stage::Won)) {
            (true, _, _) => PurchaseDispute::Lost,
            (_, true, _) => PurchaseDispute::Open,
            (_, _, true) => PurchaseDispute::Won,
            _ => PurchaseDispute::None,
        }
    }

    pub(crate) fn dispute(&mut self, told: &v1::RecordChargebackRequest, begun: usize) -> Answer {
        let at = millis(told.occurred_at.as_ref()).unwrap();
        let news = (told.event(), at, minor(told.amount.as_ref()));
        let end = match told.event() {
            Event::Won => Some(Stage::Won),
            Event::Lost => Some(Stage::Lost),
            Event::Withdrawn => Some(Stage::Withdrawn),
            _ => None,
        };
        let before = self.disputes.get(&told.dispute_id).map(|known| known.stage);
        let opened = (at, self.disputes.len());
        let dispute = self.disputes.entry(told.dispute_id.clone()).or_insert_with(|| Dispute {
            payment_id: told.payment_id.clone(),
            stage: end.unwrap_or(Stage::Open),
            amount: news.2,
            frozen: 0,
            losses: Vec::new(),
            opened,
            closed_at: end.map(|_| at),
            last_at: at,
            heard: Vec::new(),
            suspends: false,
        });
        let mut canceled = 0;
        if !dispute.heard.contains(&news) {
            dispute.heard.push(news);
            dispute.opened.0 = dispute.opened.0.min(at);
            dispute.hear(news, end, before);
            let after = dispute.stage;
            if before != Some(after) && self.sales.contains_key(&told.payment_id) {
                canceled = self.enter(&told.dispute_id, before, after);
            }
        }
        let dispute = &self.disputes[&told.dispute_id];
        let revoked: i64 = dispute.losses.iter().map(|loss| loss.revoked).sum();
        let shortfall = dispute.losses.iter().map(|loss| loss.spent).sum();
        let (kept, let_go) = match dispute.stage {
            Stage::Open => (self.frozen_of(&told.payment_id), 0),
            Stage::Lost => (0, (dispute.frozen - revoked).max(0)),
            _ => (0, dispute.frozen),
        };
        let is_placed = self.sales.contains_key(&told.payment_id);
        Answer {
            words: vec![dispute.stage.as_str_name()],
            figures: vec![dispute.amount, kept, revoked, let_go, shortfall, canceled],
            moves: self.lots.journal[begun..].to_vec(),
            balance: is_placed.then(|| self.lots.balance()),
        }
    }
}

impl Dispute {
    /// Takes news in: what happened last counts, not what was heard last.
    fn hear(&mut self, (_, at, amount): (Event, i64, i64), end: Option<Stage>, before: Option<Stage>) {
        if let Some(end) = end {
            if self.closed_at.is_none_or(|closed_at| at >= closed_at) {
                self.stage = end;
            }
            if self.stage == end {
                self.closed_at = self.closed_at.max(Some(at));
            }
        }
        if at >= self.last_at {
            self.last_at = at;
            // What the bank returned stays what it returned.
            if before != Some(Stage::Lost) {
                self.amount = amount;
            }
        } else if self.stage == Stage::Lost && before != Some(Stage::Lost) {
            // However late the loss is heard, it tells what was returned.
            self.amount = amount;
        }
    }
}

impl Auditor {
    /// Disputes that were heard of before their payment take their effect.
    pub(crate) fn adopt(&mut self, payment_id: &str) {
        let of_it = |(id, dispute): (&String, &Dispute)| {
            (dispute.payment_id == payment_id).then(|| (id.clone(), dispute.stage))
        };
        let waiting: Vec<_> = self.disputes.iter().filter_map(of_it).collect();
        for (dispute_id, stage) in waiting {
            self.enter(&dispute_id, None, stage);
        }
    }

    /// A dispute over a known payment enters a stage, with all that follows; says how many refunds it stopped.
    fn enter(&mut self, dispute_id: &str, before: Option<Stage>, after: Stage) -> i64 {
        let payment_id = self.disputes[dispute_id].payment_id.clone();
        let was_suspended = self.is_suspended();
        let begins = matches!(after, Stage::Open | Stage::Lost) && before != Some(Stage::Open);
        let mut canceled = 0;
        if was_suspended {
            self.lots.extend();
        } else if begins {
            self.lots.expire();
        }
        if begins {
            canceled = self.stop_refunds(&payment_id);
            self.disputes.get_mut(dispute_id).unwrap().suspends = true;
        }
        self.settle_dispute(dispute_id, &payment_id, before, after);
        if matches!(after, Stage::Won | Stage::Withdrawn) {
            self.disputes.get_mut(dispute_id).unwrap().suspends = false;
        }
        canceled
    }

    fn settle_dispute(&mut self, dispute_id: &str, payment_id: &str, before: Option<Stage>, after: Stage) {
        let another_open = self.disputes.iter().any(|(id, other)| {
            id != dispute_id && other.payment_id == payment_id && other.stage == Stage::Open
        });
        let mut dispute = self.disputes.remove(dispute_id).unwrap();
        let others = self.lost_over(payment_id);
        dispute.frozen = match (before, after) {
            (_, Stage::Open) => {
                self.freeze(payment_id);
                self.frozen_of(payment_id)
            }
            (before, Stage::Lost) => {
                if before != Some(Stage::Open) {
                    self.freeze(payment_id);
                }
                self.sales.get_mut(payment_id).unwrap().returned += dispute.amount;
                dispute.losses = self.lose(payment_id, &others);
                let revoked: i64 = dispute.losses.iter().map(|loss| loss.revoked).sum();
                revoked + if another_open { 0 } else { self.unfreeze(payment_id) }
            }
            (Some(Stage::Lost), _) => {
                let revoked: i64 = dispute.losses.iter().map(|loss| loss.revoked).sum();
                let let_go = (dispute.frozen - revoked).max(0);
                self.sales.get_mut(payment_id).unwrap().returned -= dispute.amount;
                let losses = std::mem::take(&mut dispute.losses);
                let_go + self.reinstate(payment_id, &losses, &others)
            }
            (Some(_), _) if !another_open => self.unfreeze(payment_id),
            // Another keeps them; or it was never heard to be open, and has nothing to let go.
            _ => 0,
        };
        self.disputes.insert(dispute_id.to_owned(), dispute);
    }

    /// The lost disputes over a payment, oldest first.
    fn lost_over(&self, payment_id: &str) -> Vec<String> {
        let lost = |dispute: &Dispute| dispute.payment_id == payment_id && dispute.stage == Stage::Lost;
        let mut lost: Vec<_> = self.disputes.iter().filter(|(_, dispute)| lost(dispute)).collect();
        lost.sort_by_key(|(_, dispute)| dispute.opened);
        lost.into_iter().map(|(id, _)| id.clone()).collect()
    }

    /// What the bank has returned the price of, of a lot's credits.
    fn share(&self, payment_id: &str, lot: usize) -> i64 {
        let sale = &self.sales[payment_id];
        self.lots.all[lot].granted() * sale.returned.min(sale.price) / sale.price
    }

    /// What lost disputes took from a lot together.
    fn told(&self, disputes: &[String], lot: usize) -> i64 {
        let losses = disputes.iter().flat_map(|id| &self.disputes[id].losses);
        losses.filter(|loss| loss.lot == lot).map(Loss::cost).sum()
    }

    /// A dispute that was won after all gives back what all together took beyond the share of what the bank has still
    /// returned; the rest of what it took is the oldest other's. What is owed is forgiven first.
    fn reinstate(&mut self, payment_id: &str, losses: &[Loss], others: &[String]) -> i64 {
        let mut given_back = 0;
        for loss in losses {
            let lot = loss.lot;
            let (share, told) = (self.share(payment_id, lot), self.told(others, lot));
            let share = if others.is_empty() { 0 } else { share };
            let mut freed = *loss;
            let kept = freed.part((share - told).max(0));
            if kept.cost() > 0 {
                self.disputes.get_mut(&others[0]).unwrap().losses.push(kept);
            }
            let mut target = freed.cost();
            let mut excess = (told - share).max(0);
            for id in others {
                for other in self.disputes.get_mut(id).unwrap().losses.iter_mut().filter(|of| of.lot == lot) {
                    let less = other.part((other.cost() - excess).max(0));
                    excess -= other.cost();
                    target += other.cost();
                    *other = less;
                }
            }
            let forgiven = self.lots.all[lot].owed.min(target);
            self.lots.all[lot].owed -= forgiven;
            self.lots.give_back(lot, Bucket::Revoked, target - forgiven);
            given_back += target - forgiven;
        }
        given_back
    }

    fn frozen_of(&self, payment_id: &str) -> i64 {
        let lots = self.lots.sold_with(payment_id);
        lots.into_iter().map(|lot| self.lots.all[lot].has(Bucket::Frozen)).sum()
    }

    fn unfreeze(&mut self, payment_id: &str) -> i64 {
        let mut unfrozen = 0;
        for lot in self.lots.sold_with(payment_id) {
            self.lots.all[lot].disputed = false;
            let credits = self.lots.all[lot].has(Bucket::Frozen);
            self.lots.give_back(lot, Bucket::Frozen, credits);
            unfrozen += credits;
        }
        unfrozen
    }

    fn freeze(&mut self, payment_id: &str) {
        for lot in self.lots.sold_with(payment_id) {
            let credits = self.lots.all[lot].has(Bucket::Available);
            let to = if self.lots.is_over(lot) { Bucket::Expired } else { Bucket::Frozen };
            self.lots.carry(lot, Bucket::Available, to, credits);
            self.lots.all[lot].disputed = true;
        }
    }

    /// Revokes until all lost disputes together took the share of what the bank returned of the price; what is out of
    /// reach is owed.
    fn lose(&mut self, payment_id: &str, others: &[String]) -> Vec<Loss> {
        let mut losses = Vec::new();
        for lot in self.lots.sold_with(payment_id) {
            let share = (self.share(payment_id, lot) - self.told(others, lot)).max(0);
            let pot = &self.lots.all[lot];
            let gone = pot.has(Bucket::Expired) + pot.has(Bucket::Revoked);
            let due = share.min((pot.granted() - gone - pot.owed).max(0));
            let spent = pot.has(Bucket::Held) + pot.has(Bucket::Consumed) - pot.owed;
            let revoked = due.min(pot.has(Bucket::Frozen));
            let owed = due - revoked;
            self.lots.carry(lot, Bucket::Frozen, Bucket::Revoked, revoked);
            self.lots.all[lot].owed += owed;
            losses.push(Loss { lot, revoked, owed, spent: owed.min(spent.max(0)) });
        }
        losses
    }
}
