//! What a dispute does to an account: freeze, revoke, give back, suspend (§6).

use super::attempt::Moved;
use super::session::Session;
use super::{Error, lifecycle};
use crate::domain::book::{Book, Returned};
use crate::domain::chargeback::{Chargeback, ChargebackStage, dispute_state};
use crate::domain::credits::{Credits, OutOfRange};
use crate::domain::entry::EntryCause;
use crate::domain::ids::{AccountId, Actor, LotId, PurchaseId, RefundId, RestrictionId};
use crate::domain::lot::Bucket;
use crate::domain::money::Money;
use crate::domain::purchase::Purchase;
use crate::domain::refund::{Refund, RefundStage};
use crate::domain::restriction::{Restriction, RestrictionCause, RestrictionKind};
use crate::store::NewRestriction;

/// The clause that lets an account be suspended while a bank investigates.
const SUSPENSION_CLAUSE: &str = "6";

/// What a change of stage did besides moving the dispute.
#[derive(Debug, Default)]
pub(super) struct Consequences {
    /// Credits that moved.
    pub(super) moved: Vec<Moved>,
    /// Refunds that were stopped before they left.
    pub(super) canceled_refunds: Vec<RefundId>,
}

/// Moves a dispute over a known purchase to a stage, with everything that follows. `before` is the stage that it
/// leaves, `None` when it is new.
pub(super) async fn enter(
    session: &mut Session<'_>,
    chargeback: &mut Chargeback,
    purchase: &mut Purchase,
    before: Option<ChargebackStage>,
    after: ChargebackStage,
) -> Result<Consequences, Error> {
    chargeback.purchase_id = Some(purchase.purchase_id);
    chargeback.stage = after;
    if before == Some(after) {
        let account_id = session.account_id;
        session.writing().upsert_chargeback(account_id, chargeback).await?;
        return Ok(Consequences::default());
    }
    let mut siblings = siblings(session, chargeback).await?;
    let known = siblings.clone();
    let mut book = book_of(session, purchase.purchase_id).await?;
    let was_suspended = session.standing().await?.has(RestrictionKind::Suspended);
    if was_suspended {
        // What ran out while it could not be spent lives on; the suspension may be about to end.
        book.extend()?;
    }
    let mut canceled_refunds = Vec::new();
    if matches!(after, ChargebackStage::Open | ChargebackStage::Lost) && before != Some(ChargebackStage::Open)
    {
        if !was_suspended {
            // What had run out before is over: the suspension that begins must not keep it.
            book.expire()?;
        }
        canceled_refunds = stop_refunds(session, &mut book, purchase).await?;
        // The restriction points to its dispute, so a new one is written first.
        let account_id = session.account_id;
        session.writing().upsert_chargeback(account_id, chargeback).await?;
        suspend(session, chargeback).await?;
    }
    settle(&mut book, chargeback, purchase, before, &mut siblings)?;
    if matches!(after, ChargebackStage::Won | ChargebackStage::Withdrawn) {
        let (account_id, now) = (session.account_id, session.now);
        let caller = session.context.caller.clone();
        session
            .writing()
            .update_restrictions_lifted(account_id, chargeback.chargeback_id, &caller, now)
            .await?;
    }
    let changes = book.close();
    let moved = changes.movements.iter().map(Moved::from).collect();
    session.record(changes).await?;
    purchase.dispute = dispute_state(siblings.iter().map(|sibling| sibling.stage).chain([after]));
    let account_id = session.account_id;
    let tx = session.writing();
    tx.update_purchase(account_id, purchase).await?;
    tx.upsert_chargeback(account_id, chargeback).await?;
    for (sibling, _) in siblings.iter().zip(&known).filter(|(now, then)| now != then) {
        tx.upsert_chargeback(account_id, sibling).await?;
    }
    Ok(Consequences { moved, canceled_refunds })
}

/// What the change of stage does to the purchase's credits and to the money that the bank returned. What the other
/// disputes took may change with it.
fn settle(
    book: &mut Book,
    chargeback: &mut Chargeback,
    purchase: &mut Purchase,
    before: Option<ChargebackStage>,
    siblings: &mut [Chargeback],
) -> Result<(), Error> {
    let cause = EntryCause::Chargeback(chargeback.chargeback_id);
    let purchase_id = purchase.purchase_id;
    let is_last = siblings.iter().all(|sibling| sibling.stage != ChargebackStage::Open);
    let lost: Vec<_> = siblings.iter_mut().filter(|sibling| sibling.stage == ChargebackStage::Lost).collect();
    let mut others: Vec<_> = lost.iter().map(|sibling| sibling.losses.clone()).collect();
    let unfreeze = |book: &mut Book| {
        if is_last { book.unfreeze(purchase_id, &cause) } else { Ok(Credits::ZERO) }
    };
    chargeback.frozen_credits = match (chargeback.stage, before) {
        (ChargebackStage::Open, _) => {
            book.freeze(purchase_id, &cause)?;
            book.frozen_of(purchase_id)?
        }
        (ChargebackStage::Lost, before) => {
            if before != Some(ChargebackStage::Open) {
                book.freeze(purchase_id, &cause)?;
            }
            purchase.returned_minor = add(purchase.returned_minor, chargeback.amount)?;
            chargeback.losses = book.revoke_lost(purchase_id, &others, returned(purchase, true), &cause)?;
            chargeback.revoked_credits().plus(unfreeze(book)?)?
        }
        (ChargebackStage::Won | ChargebackStage::Withdrawn, Some(ChargebackStage::Lost)) => {
            let let_go = chargeback.frozen_credits.minus_at_most(chargeback.revoked_credits());
            let losses = std::mem::take(&mut chargeback.losses);
            purchase.returned_minor = subtract(purchase.returned_minor, chargeback.amount)?;
            let returned = returned(purchase, !others.is_empty());
            let_go.plus(book.reinstate(&losses, &mut others, returned, &cause)?)?
        }
        (ChargebackStage::Won | ChargebackStage::Withdrawn, Some(_)) => unfreeze(book)?,
        (ChargebackStage::Won | ChargebackStage::Withdrawn, None) => Credits::ZERO,
    };
    for (sibling, losses) in lost.into_iter().zip(others) {
        sibling.losses = losses;
    }
    Ok(())
}

/// What the bank has returned of the price so far.
const fn returned(purchase: &Purchase, is_lost: bool) -> Returned {
    Returned { minor_units: purchase.returned_minor, price_minor: purchase.price.minor_units, is_lost }
}

/// Stops refunds of the purchase that have not left, so that the customer is not paid twice. One that has left
/// stands, and its case goes to a person.
async fn stop_refunds(
    session: &mut Session<'_>,
    book: &mut Book,
    purchase: &mut Purchase,
) -> Result<Vec<RefundId>, Error> {
    let account_id = session.account_id;
    let mut canceled = Vec::new();
    for mut refund in session.tx.list_refunds_on_their_way(account_id, purchase.purchase_id).await? {
        let stopped = refund.life.clone().stopped(session.now);
        if stopped != refund.life {
            give_up_refund(session, book, purchase, &refund).await?;
            refund.life = stopped;
            session.writing().update_refund(account_id, &refund).await?;
            canceled.push(refund.refund_id);
        }
        lifecycle::reopen(session, refund.refund_request_id).await?;
    }
    Ok(canceled)
}

/// Takes a refund that will not be paid off the purchase, and gives its credits back.
pub(super) async fn give_up_refund(
    session: &mut Session<'_>,
    book: &mut Book,
    purchase: &mut Purchase,
    refund: &Refund,
) -> Result<(), Error> {
    let cause = EntryCause::Refund(refund.refund_id);
    let taken = session.tx.list_credits_moved(session.account_id, &cause, Bucket::Refunded).await?;
    book.undo_repay_spent(refund.refund_id, &EntryCause::RefundRequest(refund.refund_request_id))?;
    book.undo_refund(&taken, &cause)?;
    purchase.refunded_credits = purchase.refunded_credits.minus(refund.credits)?;
    let counter = match refund.stage() {
        RefundStage::Succeeded => &mut purchase.refunded_minor,
        _ => &mut purchase.pending_minor,
    };
    *counter = subtract(*counter, refund.amount)?;
    Ok(())
}

/// Suspends the account while the bank investigates (§6); the restriction belongs to this dispute.
async fn suspend(session: &mut Session<'_>, chargeback: &Chargeback) -> Result<(), Error> {
    let (account_id, now) = (session.account_id, session.now);
    let restriction = Restriction {
        restriction_id: RestrictionId(session.new_id()),
        kind: RestrictionKind::Suspended,
        cause: RestrictionCause::Chargeback,
        chargeback_id: Some(chargeback.chargeback_id),
        clause: SUSPENSION_CLAUSE.to_owned(),
        imposed_by: Actor::system(),
        since: now,
        reason_note: None,
        lifting: None,
    };
    let imposed_by = session.context.caller.clone();
    let new = NewRestriction { restriction, imposed_by, determination: None };
    Ok(session.writing().insert_restriction(account_id, &new).await?)
}

/// The purchase's other disputes.
async fn siblings(session: &mut Session<'_>, chargeback: &Chargeback) -> Result<Vec<Chargeback>, Error> {
    let Chargeback { chargeback_id, provider, payment_id, .. } = chargeback;
    let mut all = session.tx.list_chargebacks_of_payment(session.account_id, provider, payment_id).await?;
    all.retain(|other| other.chargeback_id != *chargeback_id);
    Ok(all)
}

/// The account's book with every lot of the purchase in it.
pub(super) async fn book_of(session: &mut Session<'_>, purchase_id: PurchaseId) -> Result<Book, Error> {
    let lots = session.tx.list_lots_of_purchase(session.account_id, purchase_id).await?;
    let lot_ids: Vec<LotId> = lots.into_iter().map(|(_, lot)| lot.lot_id).collect();
    session.book(&lot_ids).await
}

/// Disputes that arrived before their purchase come to its account, and take their effect.
pub(super) async fn adopt(
    session: &mut Session<'_>,
    waiting_at: &AccountId,
    mut purchase: Purchase,
) -> Result<Purchase, Error> {
    let account_id = session.account_id;
    if waiting_at.is_unmatched() {
        // INVARIANT: whoever locks the unmatched account locks nothing after it, so nobody waits in a circle.
        session.tx.lock_account(waiting_at).await?;
    }
    let waiting =
        session.tx.list_chargebacks_of_payment(waiting_at, &purchase.provider, &purchase.payment_id).await?;
    if waiting_at.is_unmatched() {
        let tx = session.writing();
        tx.update_payment_owner(account_id, &purchase.provider, &purchase.payment_id).await?;
        for chargeback in &waiting {
            tx.update_chargeback_account(waiting_at, account_id, chargeback).await?;
        }
    }
    for mut chargeback in waiting {
        if chargeback.amount.currency != purchase.price.currency {
            tracing::error!(chargeback_id = %chargeback.chargeback_id, "a dispute and its purchase differ in currency");
            continue;
        }
        let stage = chargeback.stage;
        enter(session, &mut chargeback, &mut purchase, None, stage).await?;
    }
    Ok(purchase)
}

fn add(sum: i64, amount: Money) -> Result<i64, OutOfRange> {
    sum.checked_add(amount.minor_units).ok_or(OutOfRange)
}

fn subtract(sum: i64, amount: Money) -> Result<i64, Error> {
    let rest = sum.checked_sub(amount.minor_units).filter(|rest| *rest >= 0);
    rest.ok_or(Error::Broken("a purchase counts less money than one of its refunds or disputes"))
}
