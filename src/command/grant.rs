//! Grants: credits that nobody paid for, given by a person.

use super::run::Mutation;
use super::session::Session;
use super::{BalanceAt, Error, Reason, Refusal};
use crate::domain::credits::Credits;
use crate::domain::entry::EntryCause;
use crate::domain::ids::{LotId, Reference};
use crate::domain::lot::{Lot, NewLot, Source};
use crate::domain::note::OperatorNote;
use crate::domain::restriction::RestrictionKind;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Most lots with credits to move that an account may have when it is given another one: every operation reads
/// them all. What was paid for is delivered beyond it.
const MAX_OPEN_LOTS: usize = 1_000;

/// A person gives credits.
#[derive(Debug, Serialize)]
pub struct GrantCredits {
    /// What they are; not [`Source::Purchase`], which is paid for.
    pub source: Source,
    /// How many.
    pub credits: Credits,
    /// When they run out, if ever.
    pub expires_at: Option<DateTime<Utc>>,
    /// Place in the burn order, lowest first; `None` for the source's own.
    pub priority: Option<i32>,
    /// Why, in the person's words.
    pub reason: String,
    /// The platform's id of the occasion.
    pub reference: Option<Reference>,
}

/// What a grant made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GrantAnswer {
    /// The lot.
    pub lot: Lot,
    /// What the account has after it.
    pub balance: BalanceAt,
}

impl Mutation for GrantCredits {
    const METHOD: &'static str = "GrantCredits";
    const OPENS_ACCOUNT: bool = true;
    type Answer = GrantAnswer;

    async fn apply(&self, session: &mut Session<'_>) -> Result<GrantAnswer, Error> {
        // Asked under the lock and not while decoding: a repeated call whose lot ran out has its old answer.
        if self.expires_at.is_some_and(|expires_at| expires_at <= session.now) {
            let message = "`expires_at` must be later than now";
            return Err(Refusal::new(Reason::InvalidField, message).with("field", &"expires_at").into());
        }
        if session.standing().await?.has(RestrictionKind::Terminated) {
            return Err(Refusal::new(Reason::AccountTerminated, "the account is closed (§3.3)").into());
        }
        let mut book = session.book(&[]).await?;
        if book.lots().len() >= MAX_OPEN_LOTS {
            let message = format!("the account has {MAX_OPEN_LOTS} lots that still have credits to move");
            return Err(Refusal::new(Reason::LimitExceeded, message).with("limit", &"open lots").into());
        }
        let lot_id = LotId(session.new_id());
        let new = NewLot {
            lot_id,
            source: self.source,
            purchase_id: None,
            order_id: None,
            priority: self.priority.unwrap_or(self.source.default_priority()),
            granted_at: session.now,
            expires_at: self.expires_at,
        };
        book.grant(new, self.credits, false, &EntryCause::Person(self.reference.clone()))?;
        let lot = book.lots().iter().find(|lot| lot.lot_id == lot_id).cloned();
        let lot = lot.ok_or(Error::Broken("a granted lot is not in its book"))?;
        let balance = book.balance()?;
        session.record(book.close()).await?;
        let balance = session.at(balance);
        let note = OperatorNote { clause: None, reason: self.reason.clone() };
        session.tx.insert_operator_note(session.account_id, balance.last_seq, &note).await?;
        Ok(GrantAnswer { lot, balance })
    }
}
