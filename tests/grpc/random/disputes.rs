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
    frozen: i64,
    /// By lot: what was revoked at once, what was owed, and what of that had been spent.
    losses: Vec<(usize, i64, i64, i64)>,
    closed_at: Option<i64>,
    last_at: i64,
    heard: Vec<(Event, i64, i64)>,
    suspends: bool,
}

impl Auditor {
    pub(crate) fn is_suspended(&self) -> bool {
        self.disputes.values().any(|dispute| dispute.suspends)
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
        let dispute = self.disputes.entry(told.dispute_id.clone()).or_insert_with(|| Dispute {
            payment_id: told.payment_id.clone(),
            stage: end.unwrap_or(Stage::Open),
            amount: news.2,
            frozen: 0,
            losses: Vec::new(),
            closed_at: end.map(|_| at),
            last_at: at,
            heard: Vec::new(),
            suspends: false,
        });
        let mut canceled = 0;
        if !dispute.heard.contains(&news) {
            dispute.heard.push(news);
            dispute.hear(news, end, before);
            let after = dispute.stage;
            if before != Some(after) && self.sales.contains_key(&told.payment_id) {
                canceled = self.enter(&told.dispute_id, before, after);
            }
        }
        let dispute = &self.disputes[&told.dispute_id];
        let revoked: i64 = dispute.losses.iter().map(|(_, revoked, _, _)| revoked).sum();
        let shortfall = dispute.losses.iter().map(|(_, _, _, shortfall)| shortfall).sum();
        let is_open = dispute.stage == Stage::Open;
        let kept = if is_open { dispute.frozen } else { 0 };
        let let_go = if is_open { 0 } else { (dispute.frozen - revoked).max(0) };
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
        let begins = matches!(after, Stage::Open | Stage::Lost) && before != Some(Stage::Open);
        let frozen = if begins { Some(self.freeze(payment_id)) } else { None };
        let mut dispute = self.disputes.remove(dispute_id).unwrap();
        dispute.frozen = frozen.unwrap_or(dispute.frozen);
        let returned = &mut self.sales.get_mut(payment_id).unwrap().returned;
        let lets_go = match (before, after) {
            (_, Stage::Lost) => {
                *returned += dispute.amount;
                dispute.losses = self.lose(payment_id, dispute.amount);
                !another_open
            }
            (Some(Stage::Lost), Stage::Won | Stage::Withdrawn) => {
                *returned -= dispute.amount;
                self.reinstate(&std::mem::take(&mut dispute.losses));
                false
            }
            // An end in our favour that is the first news of a dispute has nothing to let go.
            (Some(_), Stage::Won | Stage::Withdrawn) => !another_open,
            _ => false,
        };
        if lets_go {
            self.unfreeze(payment_id);
        }
        self.disputes.insert(dispute_id.to_owned(), dispute);
    }

    /// What a dispute that was won after all had taken; what is still owed is forgiven first.
    fn reinstate(&mut self, losses: &[(usize, i64, i64, i64)]) {
        for (lot, revoked, owed, _) in losses {
            let forgiven = self.lots.all[*lot].owed.min(revoked + owed);
            self.lots.all[*lot].owed -= forgiven;
            self.lots.give_back(*lot, Bucket::Revoked, revoked + owed - forgiven);
        }
    }

    fn unfreeze(&mut self, payment_id: &str) {
        for lot in self.lots.sold_with(payment_id) {
            self.lots.all[lot].disputed = false;
            let credits = self.lots.all[lot].has(Bucket::Frozen);
            self.lots.give_back(lot, Bucket::Frozen, credits);
        }
    }

    fn freeze(&mut self, payment_id: &str) -> i64 {
        let mut frozen = 0;
        for lot in self.lots.sold_with(payment_id) {
            let credits = self.lots.all[lot].has(Bucket::Available);
            let is_over = self.lots.is_over(lot);
            let to = if is_over { Bucket::Expired } else { Bucket::Frozen };
            self.lots.carry(lot, Bucket::Available, to, credits);
            self.lots.all[lot].disputed = true;
            frozen += if is_over { 0 } else { credits };
        }
        frozen
    }

    /// Revokes in proportion to what the bank returned of the price; what is out of reach is owed.
    fn lose(&mut self, payment_id: &str, amount: i64) -> Vec<(usize, i64, i64, i64)> {
        let price = self.sales[payment_id].price;
        let mut losses = Vec::new();
        for lot in self.lots.sold_with(payment_id) {
            let pot = &self.lots.all[lot];
            let share = pot.granted() * amount.min(price) / price;
            let gone = pot.has(Bucket::Expired) + pot.has(Bucket::Revoked);
            let due = share.min((pot.granted() - gone - pot.owed).max(0));
            let spent = pot.has(Bucket::Held) + pot.has(Bucket::Consumed) - pot.owed;
            let now = due.min(pot.has(Bucket::Frozen));
            let shortfall = (due - now).min(spent.max(0));
            self.lots.carry(lot, Bucket::Frozen, Bucket::Revoked, now);
            self.lots.all[lot].owed += due - now;
            losses.push((lot, now, due - now, shortfall));
        }
        losses
    }
}
