//! Revocations: a person takes credits, for a violation (§3.3) or to correct a mistake.

use super::attempt::Moved;
use super::case::PurchaseReference;
use super::run::Mutation;
use super::session::Session;
use super::{BalanceAt, Error, Reason, Refusal};
use crate::domain::book::{Book, Reach};
use crate::domain::credits::Credits;
use crate::domain::entry::EntryCause;
use crate::domain::ids::LotId;
use crate::domain::note::OperatorNote;
use crate::domain::redacted::FreeText;
use serde::{Deserialize, Serialize};

/// Whose credits a revocation takes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationTarget {
    /// One lot's.
    Lot(LotId),
    /// Those of one purchase's lots.
    Purchase(PurchaseReference),
    /// All of the account's (§3.3: "revoke remaining credits").
    Everything,
}

/// A person takes credits that could be spent. The account's standing is not asked: a closed account loses them
/// too.
#[derive(Debug, Serialize)]
pub struct RevokeCredits {
    /// Whose.
    pub target: RevocationTarget,
    /// How many; `None` for all that are available.
    pub credits: Option<Credits>,
    /// The clause it rests on, such as `3.3`.
    pub clause: String,
    /// Why, in the person's words.
    pub reason: FreeText,
}

/// What a revocation took.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RevocationAnswer {
    /// Each lot's part, last to burn first.
    pub moved: Vec<Moved>,
    /// All of them.
    pub credits: Credits,
    /// What the account has after it.
    pub balance: BalanceAt,
}

impl Mutation for RevokeCredits {
    const METHOD: &'static str = "RevokeCredits";
    type Answer = RevocationAnswer;

    async fn apply(&self, session: &mut Session<'_>) -> Result<RevocationAnswer, Error> {
        let (mut book, reach) = self.reach(session).await?;
        let credits = book.revoke(reach, self.credits, &EntryCause::Person(None))?;
        let balance = book.balance()?;
        let changes = book.close();
        let moved: Vec<Moved> = changes.movements.iter().map(Moved::from).collect();
        if moved.is_empty() {
            return Ok(RevocationAnswer { moved, credits, balance: session.at(balance) });
        }
        session.record(changes).await?;
        let balance = session.at(balance);
        let note = OperatorNote { clause: Some(self.clause.clone()), reason: self.reason.clone() };
        session.tx.insert_operator_notes(&[(session.account_id, balance.last_seq, &note)]).await?;
        Ok(RevocationAnswer { moved, credits, balance })
    }
}

impl RevokeCredits {
    /// The book with the lots meant in it.
    async fn reach(&self, session: &mut Session<'_>) -> Result<(Book, Reach), Error> {
        match &self.target {
            RevocationTarget::Everything => Ok((session.book(&[]).await?, Reach::Everything)),
            RevocationTarget::Purchase(reference) => {
                let purchase = reference.load(session.tx, session.account_id).await?;
                Ok((session.book(&[]).await?, Reach::Purchase(purchase.purchase_id)))
            }
            RevocationTarget::Lot(lot_id) => {
                let book = session.book(&[*lot_id]).await?;
                if book.lots().iter().any(|lot| lot.lot_id == *lot_id) {
                    return Ok((book, Reach::Lot(*lot_id)));
                }
                Err(Refusal::new(Reason::LotNotFound, "the account has no such lot").into())
            }
        }
    }
}
