//! Requests for money or credits back, and refunds on their way (§2.1, §2.3, §4.2, §7.1).

use super::auditor::{Answer, Auditor, Said};
use super::lots::DAY;
use super::sales::payment_of;
use makegood::proto::makegood::v1;
use v1::{Bucket, Claim, LotSource, Outcome, PurchaseDispute, RefundResult, RefundStage};

#[derive(Debug, Clone)]
pub(crate) struct Refund {
    /// What the service calls it; empty until an answer told.
    pub(crate) id: String,
    pub(crate) payment_id: String,
    pub(crate) amount: i64,
    pub(crate) credits: i64,
    pub(crate) stage: RefundStage,
    /// When the news that made its stage happened, in microseconds.
    pub(crate) told_at: i64,
    pub(crate) taken: Vec<(usize, i64)>,
    pub(crate) made_at: i64,
}

/// What a request comes to.
struct Decided {
    outcome: Outcome,
    /// Money in minor units, and bought credits given up for it.
    pays: Option<(i64, i64)>,
}

impl Decided {
    const fn plain(outcome: Outcome) -> Self {
        Self { outcome, pays: None }
    }
}

impl Auditor {
    pub(crate) fn ask(&mut self, request: &v1::EvaluateRequestRequest) -> Answer {
        let payment_id = payment_of(request.purchase.as_ref());
        let decided = self.decide(&payment_id, request.claim());
        let mut figures = Vec::new();
        if let Some((amount, credits)) = decided.pays {
            figures.extend([amount, credits]);
            self.refund(&payment_id, amount, credits);
        } else if decided.outcome == Outcome::Approve {
            let sale = &self.sales[&payment_id];
            self.fill(&payment_id, sale.credits - sale.delivered);
        }
        let is_closed = decided.outcome == Outcome::Deny
            || (decided.outcome == Outcome::Approve && decided.pays.is_none());
        if let Some(sale) = self.sales.get_mut(&payment_id) {
            sale.in_case |= !is_closed;
        }
        Answer { words: vec![decided.outcome.as_str_name()], figures, ..Answer::default() }
    }

    /// The policy's answer, from its text: who is out, what waits, and what is owed.
    fn decide(&self, payment_id: &str, claim: Claim) -> Decided {
        let deny = Decided::plain(Outcome::Deny);
        let review = Decided::plain(Outcome::Review);
        let Some(sale) = self.sales.get(payment_id) else {
            let answered = claim == Claim::ChangeOfMind;
            return if answered { deny } else { Decided::plain(Outcome::RequestInformation) };
        };
        let side = self.side(payment_id);
        let paid_back = sale.refunded + sale.pending;
        let is_all_back = paid_back >= sale.price || sale.refunded_credits >= sale.credits;
        let mut twins = self.sales.iter().filter(|(id, other)| *id != payment_id && other.is_twin_of(sale));
        let twin_disputed = twins.clone().any(|(id, _)| self.side(id) == PurchaseDispute::Open);
        if side == PurchaseDispute::Lost || is_all_back || claim == Claim::ChangeOfMind {
            return deny;
        }
        if side == PurchaseDispute::Open || twin_disputed || self.is_suspended() {
            return review;
        }
        let stands = |id: &str| matches!(self.side(id), PurchaseDispute::None | PurchaseDispute::Won);
        let is_doubled = twins.any(|(id, twin)| !twin.is_refunded() && stands(id));
        match (claim, is_doubled) {
            (Claim::CreditsNotDelivered, _) => self.undelivered(payment_id),
            (_, false) => Decided::plain(Outcome::RequestInformation),
            (_, true) => self.doubled(payment_id),
        }
    }

    /// Bought credits of a payment in its paid lots: unused, used and held.
    fn unused_used_held(&self, payment_id: &str) -> [i64; 3] {
        let lots = self.lots.sold_with(payment_id).into_iter();
        let paid: Vec<usize> = lots.filter(|lot| self.lots.all[*lot].source == LotSource::Purchase).collect();
        let sum = |bucket| paid.iter().map(|lot| self.lots.all[*lot].has(bucket)).sum();
        let unused = paid.iter().map(|lot| self.lots.spendable(*lot)).sum();
        [unused, sum(Bucket::Consumed), sum(Bucket::Held)]
    }

    fn missing(&self, payment_id: &str) -> i64 {
        let sale = &self.sales[payment_id];
        let [unused, used, held] = self.unused_used_held(payment_id);
        let unexplained = sale.credits - unused - used - held - sale.refunded_credits;
        (sale.credits - sale.delivered).min(unexplained.max(0))
    }

    /// §2.3: what did not arrive is delivered, or paid back where it never can be.
    fn undelivered(&self, payment_id: &str) -> Decided {
        let sale = &self.sales[payment_id];
        let missing = self.missing(payment_id);
        let age = self.lots.now - sale.paid_at;
        match (missing, sale.is_lost) {
            (0, _) => Decided::plain(Outcome::Deny),
            (_, false) => Decided::plain(Outcome::Approve),
            (_, true) if age > DAY && age <= 7 * DAY => {
                let [unused, ..] = self.unused_used_held(payment_id);
                let credits = missing + unused;
                let so_far = sale.refunded_credits + credits;
                let total = i128::from(sale.price) * i128::from(so_far) / i128::from(sale.credits);
                let due = i64::try_from(total).unwrap() - sale.refunded - sale.pending;
                self.paying(payment_id, due, credits)
            }
            (_, true) => Decided::plain(Outcome::Review),
        }
    }

    /// §2.1: a second payment for the same is paid back whole while it is untouched and in time.
    fn doubled(&self, payment_id: &str) -> Decided {
        let sale = &self.sales[payment_id];
        let [unused, used, held] = self.unused_used_held(payment_id);
        let missing = self.missing(payment_id);
        let is_untouched = unused + missing == sale.credits && !sale.is_refunded();
        if is_untouched && self.lots.now - sale.paid_at <= 7 * DAY {
            return self.paying(payment_id, sale.price, unused + missing);
        }
        let is_used_up = unused + missing + held == 0 && used > 0;
        Decided::plain(if is_used_up { Outcome::Deny } else { Outcome::Review })
    }

    /// Money within what is left of the price; a person decides where there is none, and for whom there was much.
    fn paying(&self, payment_id: &str, due: i64, credits: i64) -> Decided {
        let sale = &self.sales[payment_id];
        let left = (sale.price - sale.refunded - sale.pending - sale.returned).max(0);
        let amount = due.clamp(0, left);
        let counts = |refund: &&Refund| {
            !matches!(refund.stage, RefundStage::Failed | RefundStage::Canceled)
                && self.lots.now - refund.made_at <= 90 * DAY
        };
        if amount == 0 || self.refunds.iter().filter(counts).count() > 2 {
            return Decided::plain(Outcome::Review);
        }
        Decided { outcome: Outcome::Approve, pays: Some((amount, credits)) }
    }

    /// Money goes on its way, and everything that can be spent of the purchase leaves.
    fn refund(&mut self, payment_id: &str, amount: i64, credits: i64) {
        let lots = self.lots.sold_with(payment_id);
        let taken = self.lots.take(&lots, Bucket::Refunded, None).unwrap();
        let sale = self.sales.get_mut(payment_id).unwrap();
        sale.refunded_credits += credits;
        sale.pending += amount;
        self.refunds.push(Refund {
            id: String::new(),
            payment_id: payment_id.to_owned(),
            amount,
            credits,
            stage: RefundStage::Pending,
            told_at: i64::MIN,
            taken,
            made_at: self.lots.now,
        });
    }

    pub(crate) fn settle(&mut self, request: &v1::RecordRefundResultRequest) -> Said {
        let at = self.refunds.iter().position(|refund| refund.id == request.refund_id);
        let at = at.ok_or("REFUND_NOT_FOUND")?;
        let refund = &mut self.refunds[at];
        let told_at =
            request.occurred_at.map(|at| at.seconds * 1_000_000 + i64::from(at.nanos) / 1_000).unwrap();
        let (result, stage, known_at) = (request.result(), refund.stage, refund.told_at);
        let is_open = matches!(stage, RefundStage::Pending | RefundStage::Submitted | RefundStage::Unknown);
        let is_given_up =
            stage == RefundStage::Canceled || (stage == RefundStage::Failed && told_at > known_at);
        let was_paid_since = stage == RefundStage::Succeeded && told_at < known_at;
        match result {
            // Money may have left that nobody owes any more, or was said not to have left that did.
            RefundResult::Submitted | RefundResult::Unknown | RefundResult::Succeeded if is_given_up => {
                return Err("REFUND_STAGE_CONFLICT".to_owned());
            }
            RefundResult::Failed if was_paid_since => return Err("REFUND_STAGE_CONFLICT".to_owned()),
            // The last call counts, and of two at once the one without an answer.
            RefundResult::Submitted if is_open && told_at > known_at => {
                (refund.stage, refund.told_at) = (RefundStage::Submitted, told_at);
            }
            RefundResult::Unknown if is_open && told_at >= known_at => {
                (refund.stage, refund.told_at) = (RefundStage::Unknown, told_at);
            }
            RefundResult::Succeeded if is_open => {
                (refund.stage, refund.told_at) = (RefundStage::Succeeded, told_at);
                let (payment_id, amount) = (refund.payment_id.clone(), refund.amount);
                let sale = self.sales.get_mut(&payment_id).unwrap();
                sale.pending -= amount;
                sale.refunded += amount;
            }
            // A processor may take a success back.
            RefundResult::Failed if is_open || stage == RefundStage::Succeeded => {
                refund.told_at = told_at;
                self.give_up(at, RefundStage::Failed);
            }
            _ => {}
        }
        let refund = &self.refunds[at];
        Ok(Answer {
            words: vec![refund.stage.as_str_name()],
            figures: vec![refund.amount, refund.credits],
            balance: Some(self.lots.balance()),
            ..Answer::default()
        })
    }

    /// A refund that is not paid gives its credits back.
    fn give_up(&mut self, at: usize, stage: RefundStage) {
        let refund = &mut self.refunds[at];
        let sale = self.sales.get_mut(&refund.payment_id).unwrap();
        let counted =
            if refund.stage == RefundStage::Succeeded { &mut sale.refunded } else { &mut sale.pending };
        *counted -= refund.amount;
        sale.refunded_credits -= refund.credits;
        refund.stage = stage;
        let mut taken = std::mem::take(&mut refund.taken);
        taken.sort_by_key(|(lot, _)| self.lots.all[*lot].id.clone());
        for (lot, credits) in taken {
            self.lots.give_back(lot, Bucket::Refunded, credits);
        }
    }

    /// Stops refunds of a payment that have not left, and says how many.
    pub(crate) fn stop_refunds(&mut self, payment_id: &str) -> i64 {
        let mut stopped = 0;
        for at in 0..self.refunds.len() {
            let refund = &self.refunds[at];
            if refund.payment_id == payment_id && refund.stage == RefundStage::Pending {
                self.give_up(at, RefundStage::Canceled);
                stopped += 1;
            }
        }
        stopped
    }
}
