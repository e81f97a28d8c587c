//! Grants: credits that nobody paid for, given by a person.

use super::batch::Hot;
use super::page::{Page, Turn};
use super::{BalanceAt, Error, Reason, Refusal};
use crate::clock::new_id;
use crate::domain::credits::Credits;
use crate::domain::entry::EntryCause;
use crate::domain::ids::{Attempt, LotId, Reference};
use crate::domain::lot::{Lot, NewLot, Source};
use crate::domain::note::OperatorNote;
use crate::domain::redacted::FreeText;
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
    pub reason: FreeText,
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

impl Hot for GrantCredits {
    const METHOD: &'static str = "GrantCredits";
    const OPENS_ACCOUNT: bool = true;
    type Answer = GrantAnswer;

    fn attempt(&self) -> Option<&Attempt> {
        None
    }

    fn apply(&self, page: &mut Page, turn: &Turn<'_>) -> Result<GrantAnswer, Error> {
        // Asked here and not while decoding: a repeated call whose lot ran out has its old answer.
        if self.expires_at.is_some_and(|expires_at| expires_at <= turn.now) {
            let message = "`expires_at` must be later than now";
            return Err(Refusal::new(Reason::InvalidField, message).with("field", &"expires_at").into());
        }
        if page.standing.has(RestrictionKind::Terminated) {
            return Err(Refusal::new(Reason::AccountTerminated, "the account is closed (§3.3)").into());
        }
        if page.book.open_lots() >= MAX_OPEN_LOTS {
            let message = format!("the account has {MAX_OPEN_LOTS} lots that still have credits to move");
            return Err(Refusal::new(Reason::LimitExceeded, message).with("limit", &"open lots").into());
        }
        let lot_id = LotId(new_id(turn.now));
        let new = NewLot {
            lot_id,
            source: self.source,
            purchase_id: None,
            order_id: None,
            priority: self.priority.unwrap_or(self.source.default_priority()),
            granted_at: turn.now,
            expires_at: self.expires_at,
        };
        page.book.grant(new, self.credits, false, &EntryCause::Person(self.reference.clone()))?;
        let lot = page.book.lot(lot_id).cloned().ok_or(Error::Broken("a granted lot is not in its book"))?;
        page.keep_note(OperatorNote { clause: None, reason: self.reason.clone() });
        Ok(GrantAnswer { lot, balance: page.balance(turn.now)? })
    }
}
