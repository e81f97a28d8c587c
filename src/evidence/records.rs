//! What evidence is made from.

use crate::domain::chargeback::{Chargeback, ReportedEvent};
use crate::domain::credits::Credits;
use crate::domain::ids::{AccountId, OrderId, PaymentId};
use crate::domain::lot::Lot;
use crate::domain::purchase::{Delivery, Purchase};
use crate::domain::refund::Refund;
use crate::domain::request::RefundRequest;
use crate::domain::usage::Usage;
use crate::policy::{Document, Outcome};
use chrono::{DateTime, Utc};

/// Everything our records say about a disputed payment. What support wrote, and what customers wrote, is not in it.
#[derive(Debug, Clone)]
pub struct Records {
    /// The account that was charged.
    pub account_id: AccountId,
    /// The dispute.
    pub chargeback: Chargeback,
    /// What the processor told of it, in the order in which it happened.
    pub events: Vec<ReportedEvent>,
    /// The purchase in dispute.
    pub purchase: Purchase,
    /// When the purchase was recorded.
    pub recorded_at: DateTime<Utc>,
    /// How its credits were delivered, oldest first.
    pub deliveries: Vec<Delivery>,
    /// How many deliveries there are.
    pub deliveries_in_all: usize,
    /// Its lots, the bonus that came with it among them.
    pub lots: Vec<Lot>,
    /// The attempts that were charged to those lots, oldest first, each with what it took from them only.
    pub attempts: Vec<Usage>,
    /// How many such attempts there are.
    pub attempts_in_all: usize,
    /// The refund requests about it, oldest first.
    pub requests: Vec<Request>,
    /// The refunds of it, oldest first.
    pub refunds: Vec<Refund>,
    /// The policy in force when it was paid (§8).
    pub policy: Policy,
    /// The account's nearest other payment for the same package and price, if there is one.
    pub twin: Option<Twin>,
}

/// A refund request with the answers that were given.
#[derive(Debug, Clone)]
pub struct Request {
    /// The request.
    pub request: RefundRequest,
    /// Its answers, first to last.
    pub answers: Vec<Answer>,
}

/// What a customer was answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// When.
    pub at: DateTime<Utc>,
    /// What it came to.
    pub outcome: Outcome,
    /// The clauses that it rests on.
    pub clauses: Vec<String>,
    /// The sentence.
    pub sentence: String,
}

/// A published policy version.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Its name.
    pub version: String,
    /// From when on it decided.
    pub effective_from: DateTime<Utc>,
    /// When the next version took over.
    pub effective_until: Option<DateTime<Utc>>,
    /// SHA-256 of its text, in hex.
    pub sha256: String,
    /// Its text as it was published.
    pub text: String,
    /// Its text understood; `None` for one that was written for a later program.
    pub document: Option<Document>,
}

/// Another payment of the account for the same.
#[derive(Debug, Clone)]
pub struct Twin {
    /// The processor's id of it.
    pub payment_id: PaymentId,
    /// Its order.
    pub order_id: OrderId,
    /// When it was paid.
    pub paid_at: DateTime<Utc>,
    /// Bought credits of it that were used.
    pub used: Credits,
    /// Whether any of it has been paid back.
    pub refunded: bool,
}

/// Credits of a purchase by what became of them, its bonus included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fate {
    pub(super) used: Credits,
    pub(super) left: Credits,
    pub(super) refunded: Credits,
    pub(super) revoked: Credits,
    pub(super) expired: Credits,
}

impl Records {
    /// What became of the delivered credits.
    pub(super) fn fate(&self) -> Fate {
        // INVARIANT: a lot's credits were bounded one by one, so that their sums are far from where they overflow.
        let sum = |of: fn(&Lot) -> Credits| Credits::sum(self.lots.iter().map(of)).unwrap_or_default();
        let left = [sum(|lot| lot.available), sum(|lot| lot.held), sum(|lot| lot.frozen)];
        Fate {
            used: sum(|lot| lot.consumed),
            left: Credits::sum(left).unwrap_or_default(),
            refunded: sum(|lot| lot.refunded),
            revoked: sum(|lot| lot.revoked),
            expired: sum(|lot| lot.expired),
        }
    }
}
