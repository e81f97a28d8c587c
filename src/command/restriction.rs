//! Persons restrict accounts and lift that again (§3.3, §6).

use super::account::{AccountView, MAX_RESTRICTIONS};
use super::attempt::Moved;
use super::run::Mutation;
use super::session::Session;
use super::{BalanceAt, Error, Reason, Refusal};
use crate::domain::book::{Book, Reach};
use crate::domain::chargeback::ChargebackStage;
use crate::domain::credits::Credits;
use crate::domain::entry::EntryCause;
use crate::domain::ids::{ChargebackId, RestrictionId};
use crate::domain::lot::Bucket;
use crate::domain::note::{AccountNote, OperatorNote};
use crate::domain::redacted::FreeText;
use crate::domain::restriction::{Lifting, Restriction, RestrictionCause, RestrictionKind, Standing};
use crate::store::NewRestriction;
use serde::{Deserialize, Serialize};

/// A person restricts an account.
#[derive(Debug, Serialize)]
pub struct ImposeRestriction {
    /// What it takes away.
    pub kind: RestrictionKind,
    /// Why, for programs; never [`RestrictionCause::ChargebackDetermined`], which comes with a determination.
    pub cause: RestrictionCause,
    /// The clause it rests on, such as `3.3`.
    pub clause: String,
    /// Why, in the person's words.
    pub reason: FreeText,
    /// The dispute that it comes from; needed where a dispute is the cause.
    pub chargeback_id: Option<ChargebackId>,
    /// Whether all that is available is revoked as well (§3.3: "revoke remaining credits").
    pub revoke_credits: bool,
}

/// A restriction in force.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImposedAnswer {
    /// The restriction.
    pub restriction: Restriction,
    /// The account after it.
    pub account: AccountView,
    /// What the account has after it.
    pub balance: BalanceAt,
}

/// A person lifts a restriction, and no other.
#[derive(Debug, Serialize)]
pub struct LiftRestriction {
    /// The restriction.
    pub restriction_id: RestrictionId,
    /// Why, in the person's words.
    pub reason: FreeText,
}

/// A restriction that is over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LiftedAnswer {
    /// The restriction.
    pub restriction: Restriction,
    /// The account after it.
    pub account: AccountView,
}

impl Mutation for ImposeRestriction {
    const METHOD: &'static str = "ImposeRestriction";
    const OPENS_ACCOUNT: bool = true;
    type Answer = ImposedAnswer;

    async fn apply(&self, session: &mut Session<'_>) -> Result<ImposedAnswer, Error> {
        self.check_dispute(session).await?;
        let account_id = session.account_id;
        let in_force = session.tx.list_restrictions(account_id).await?;
        if in_force.len() >= MAX_RESTRICTIONS {
            let message =
                format!("the account has {MAX_RESTRICTIONS} restrictions in force; lift some first");
            return Err(Refusal::new(Reason::LimitExceeded, message).with("limit", &"restrictions").into());
        }
        let before = Standing::of(&in_force);
        let change = Change {
            was_suspended: before.has(RestrictionKind::Suspended),
            is_suspended: before.has(RestrictionKind::Suspended) || self.kind == RestrictionKind::Suspended,
            revoke_credits: self.revoke_credits,
        };
        let effect = change.apply(session).await?;
        let reason_note = note(session, &self.reason).await?;
        let restriction = Restriction {
            restriction_id: RestrictionId(session.new_id()),
            kind: self.kind,
            cause: self.cause,
            chargeback_id: self.chargeback_id,
            clause: self.clause.clone(),
            imposed_by: session.context.caller.clone(),
            since: session.now,
            reason_note: Some(reason_note),
            lifting: None,
        };
        impose(session, &restriction, None).await?;
        effect.record(session, &self.clause, &self.reason).await?;
        let balance = session.balance().await?;
        let account = AccountView::load(session.tx, account_id, balance.last_seq).await?;
        Ok(ImposedAnswer { restriction, account, balance })
    }
}

impl ImposeRestriction {
    /// What an investigation imposes ends with its dispute, so that the dispute must be one that can still end.
    async fn check_dispute(&self, session: &mut Session<'_>) -> Result<(), Error> {
        let Some(chargeback_id) = self.chargeback_id else { return Ok(()) };
        let chargeback = session.tx.find_chargeback_of_account(session.account_id, chargeback_id).await?;
        let chargeback = chargeback
            .ok_or_else(|| Refusal::new(Reason::ChargebackNotFound, "the account has no such chargeback"))?;
        let is_over = matches!(chargeback.stage, ChargebackStage::Won | ChargebackStage::Withdrawn);
        if is_over && self.cause == RestrictionCause::Chargeback {
            let message = "the chargeback is over, so that its investigation restricts nothing any more";
            return Err(Refusal::new(Reason::InvalidField, message).with("field", &"chargeback_id").into());
        }
        Ok(())
    }
}

impl Mutation for LiftRestriction {
    const METHOD: &'static str = "LiftRestriction";
    type Answer = LiftedAnswer;

    async fn apply(&self, session: &mut Session<'_>) -> Result<LiftedAnswer, Error> {
        let account_id = session.account_id;
        let known = session.tx.find_restriction(account_id, self.restriction_id).await?;
        let mut restriction = known.ok_or_else(|| {
            Refusal::new(Reason::RestrictionNotFound, "the account has no such restriction")
        })?;
        if let Some(lifting) = &restriction.lifting {
            let message = "the restriction was lifted before";
            return Err(Refusal::new(Reason::RestrictionAlreadyLifted, message)
                .with("lifted_by", &lifting.by)
                .with("lifted_at", &lifting.at.to_rfc3339())
                .into());
        }
        let in_force = session.tx.list_restrictions(account_id).await?;
        let left = in_force.iter().filter(|other| other.restriction_id != self.restriction_id);
        let change = Change {
            was_suspended: Standing::of(&in_force).has(RestrictionKind::Suspended),
            is_suspended: Standing::of(left).has(RestrictionKind::Suspended),
            revoke_credits: false,
        };
        let effect = change.apply(session).await?;
        let reason_note = note(session, &self.reason).await?;
        let lifting = lifting(session, reason_note);
        session.writing().update_restriction_lifted(account_id, self.restriction_id, &lifting).await?;
        restriction.lifting = Some(lifting);
        effect.record(session, &restriction.clause, &self.reason).await?;
        let last_seq = session.last_seq();
        let account = AccountView::load(session.tx, account_id, last_seq).await?;
        Ok(LiftedAnswer { restriction, account })
    }
}

/// What a person's act on the restrictions of an account means to its credits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub(super) was_suspended: bool,
    pub(super) is_suspended: bool,
    /// Whether all that is available is revoked.
    pub(super) revoke_credits: bool,
}

/// What moved, still to be recorded.
#[derive(Debug)]
pub(super) struct Effect {
    book: Book,
    pub(super) revoked: Credits,
}

impl Change {
    /// A suspension freezes value and never destroys it: what ran out under it lives on when it ends, or is among
    /// what is left to be revoked; what had run out before it began is over.
    pub(super) async fn apply(self, session: &mut Session<'_>) -> Result<Effect, Error> {
        let mut book = session.book(&[]).await?;
        if self.was_suspended && (self.revoke_credits || !self.is_suspended) {
            book.extend()?;
        }
        if self.is_suspended && !self.was_suspended {
            book.expire()?;
        }
        let revoked = if self.revoke_credits {
            book.revoke(Reach::Everything, None, &EntryCause::Person(None))?
        } else {
            Credits::ZERO
        };
        Ok(Effect { book, revoked })
    }
}

impl Effect {
    /// Writes what moved, and under it why credits were revoked, if any were. Answers those.
    pub(super) async fn record(
        self,
        session: &mut Session<'_>,
        clause: &str,
        reason: &FreeText,
    ) -> Result<Vec<Moved>, Error> {
        let changes = self.book.close();
        let revoked: Vec<Moved> =
            changes.movements.iter().map(Moved::from).filter(|moved| moved.to == Bucket::Revoked).collect();
        session.record(changes).await?;
        if !revoked.is_empty() {
            let account_id = session.account_id;
            let seq = session.last_seq();
            let note = OperatorNote { clause: Some(clause.to_owned()), reason: reason.clone() };
            session.writing().insert_operator_notes(&[(account_id, seq, &note)]).await?;
        }
        Ok(revoked)
    }
}

/// Keeps a person's reason, and returns its number.
pub(super) async fn note(session: &mut Session<'_>, reason: &FreeText) -> Result<i32, Error> {
    let account_id = session.account_id;
    let note = AccountNote { text: reason.clone() };
    Ok(session.writing().insert_account_note(account_id, &note).await?)
}

/// A person's lifting of now, for the reason of this number.
pub(super) fn lifting(session: &Session<'_>, reason_note: i32) -> Lifting {
    Lifting { at: session.now, by: session.context.caller.clone(), reason_note: Some(reason_note) }
}

/// Puts a person's restriction in force.
pub(super) async fn impose(
    session: &mut Session<'_>,
    restriction: &Restriction,
    determination: Option<i32>,
) -> Result<(), Error> {
    let account_id = session.account_id;
    let imposed_by = restriction.imposed_by.clone();
    let new = NewRestriction { restriction: restriction.clone(), imposed_by, determination };
    Ok(session.writing().insert_restriction(account_id, &new).await?)
}
