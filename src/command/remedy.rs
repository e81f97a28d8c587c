//! Remedies: moves exactly the credits and the money that a decision gives (§2, §7.1).

use super::session::Session;
use super::{Error, delivery, dispute};
use crate::domain::book::Book;
use crate::domain::credits::{Credits, OutOfRange};
use crate::domain::entry::EntryCause;
use crate::domain::ids::{DeliveryId, LotId, RefundId};
use crate::domain::lot::{NewLot, Source};
use crate::domain::money::Money;
use crate::domain::purchase::Purchase;
use crate::domain::refund::{Refund, RefundLife, RefundMethod};
use crate::domain::request::RefundRequest;
use crate::domain::usage::Usage;
use crate::policy::{Grant, RemedyKind};

/// What the decision and the ledger must agree on, or nothing is written.
const DISAGREE: Error = Error::Broken("the decision and the ledger disagree about the credits that move");

/// Gives remedies, in their order; those that pay set refunds going, paid by this method.
pub(super) async fn give(
    session: &mut Session<'_>,
    request: &RefundRequest,
    mut purchase: Option<Purchase>,
    grants: &[Grant],
    method: RefundMethod,
) -> Result<(), Error> {
    for grant in grants {
        let purchase = purchase.as_mut();
        match (grant.kind, purchase) {
            (RemedyKind::RestoreFailed, _) => restore_failed(session, request, grant).await?,
            (RemedyKind::RestoreAttempt, _) => restore_attempt(session, request, grant).await?,
            (RemedyKind::Compensate, _) => compensate(session, request, grant).await?,
            (RemedyKind::RestoreUndelivered, Some(purchase)) => {
                restore_undelivered(session, request, purchase, grant).await?;
            }
            (RemedyKind::RefundUnused | RemedyKind::RefundFull | RemedyKind::RefundFixed, Some(purchase)) => {
                refund(session, request, purchase, grant, method).await?;
            }
            (_, None) => return Err(Error::Broken("a remedy for a purchase that is not known")),
        }
    }
    Ok(())
}

/// Credits that failures of ours took go back to their lots, attempt by attempt, the latest first (§2.2).
async fn restore_failed(
    session: &mut Session<'_>,
    request: &RefundRequest,
    grant: &Grant,
) -> Result<(), Error> {
    let account_id = session.account_id;
    let cause = EntryCause::RefundRequest(request.refund_request_id);
    let mut restored = Credits::ZERO;
    loop {
        // Those given back are not listed again.
        let attempts = session.tx.list_failed_attempts(account_id).await?;
        if attempts.is_empty() {
            break;
        }
        let mut usages = session.list_usages(&attempts).await?;
        let mut book = session.book(&lots_of(&usages)).await?;
        for usage in &mut usages {
            restored = restored.plus(book.restore(usage, &cause)?)?;
        }
        session.record(book.close()).await?;
        session.keep_usages(&usages).await?;
    }
    if restored != grant.credits {
        return Err(DISAGREE);
    }
    Ok(())
}

/// What the attempt that the claim names was charged goes back to its lots.
async fn restore_attempt(
    session: &mut Session<'_>,
    request: &RefundRequest,
    grant: &Grant,
) -> Result<(), Error> {
    let attempt = request.attempt.as_slice();
    let mut usages = session.list_usages(attempt).await?;
    let mut book = session.book(&lots_of(&usages)).await?;
    let cause = EntryCause::RefundRequest(request.refund_request_id);
    let mut restored = Credits::ZERO;
    for usage in &mut usages {
        restored = restored.plus(book.restore(usage, &cause)?)?;
    }
    if restored != grant.credits {
        return Err(DISAGREE);
    }
    session.record(book.close()).await?;
    session.keep_usages(&usages).await
}

/// The lots that attempts took from.
pub(super) fn lots_of(usages: &[Usage]) -> Vec<LotId> {
    usages.iter().flat_map(|usage| &usage.allocations).map(|allocation| allocation.lot_id).collect()
}

/// What was bought and never arrived is delivered now (§2.3).
async fn restore_undelivered(
    session: &mut Session<'_>,
    request: &RefundRequest,
    purchase: &mut Purchase,
    grant: &Grant,
) -> Result<(), Error> {
    if grant.credits != purchase.undelivered() {
        return Err(DISAGREE);
    }
    let delivery_id = DeliveryId::parse(format!("refund_request:{}", request.refund_request_id))
        .map_err(|_| Error::Broken("a delivery has no name"))?;
    let mut book = session.book(&[]).await?;
    let now = session.now;
    delivery::fill(session, &mut book, purchase, grant.credits, &delivery_id, now).await?;
    session.record(book.close()).await
}

/// Free credits, for trouble.
async fn compensate(session: &mut Session<'_>, request: &RefundRequest, grant: &Grant) -> Result<(), Error> {
    let mut book = session.book(&[]).await?;
    let new = NewLot {
        lot_id: LotId(session.new_id()),
        source: Source::Compensation,
        purchase_id: None,
        order_id: None,
        priority: Source::Compensation.default_priority(),
        granted_at: session.now,
        expires_at: None,
    };
    book.grant(new, grant.credits, false, &EntryCause::RefundRequest(request.refund_request_id))?;
    session.record(book.close()).await
}

/// Money goes on its way, and the credits it is paid for are given up in the same moment (§7.1).
async fn refund(
    session: &mut Session<'_>,
    request: &RefundRequest,
    purchase: &mut Purchase,
    grant: &Grant,
    method: RefundMethod,
) -> Result<(), Error> {
    let refund = new_refund(session, request, purchase, grant, method)?;
    let mut book = dispute::book_of(session, purchase.purchase_id).await?;
    if grant.kind != RemedyKind::RefundFixed {
        give_up(&mut book, purchase, grant, &EntryCause::Refund(refund.refund_id))?;
    }
    if grant.pays_for_spent {
        book.repay_spent(purchase.purchase_id, refund.refund_id)?;
    }
    purchase.refunded_credits = purchase.refunded_credits.plus(grant.credits)?;
    purchase.pending_minor =
        purchase.pending_minor.checked_add(refund.amount.minor_units).ok_or(OutOfRange)?;
    session.record(book.close()).await?;
    let account_id = session.account_id;
    let tx = session.writing();
    tx.update_purchase(account_id, purchase).await?;
    Ok(tx.insert_refund(account_id, &refund).await?)
}

fn give_up(book: &mut Book, purchase: &Purchase, grant: &Grant, cause: &EntryCause) -> Result<(), Error> {
    let refunded = book.refund(purchase.purchase_id, cause)?;
    if refunded.paid.plus(grant.undelivered)? != grant.credits {
        return Err(DISAGREE);
    }
    Ok(())
}

fn new_refund(
    session: &Session<'_>,
    request: &RefundRequest,
    purchase: &Purchase,
    grant: &Grant,
    method: RefundMethod,
) -> Result<Refund, Error> {
    let amount: Money = grant.money.ok_or(Error::Broken("a refund without money"))?;
    let refund_id = RefundId(session.new_id());
    Ok(Refund {
        refund_id,
        refund_request_id: request.refund_request_id,
        purchase_id: purchase.purchase_id,
        amount,
        credits: grant.credits,
        life: RefundLife::Pending,
        provider: purchase.provider.clone(),
        payment_id: purchase.payment_id.clone(),
        provider_refund_id: None,
        idempotency_key: format!("makegood-refund-{refund_id}"),
        created_at: session.now,
        method,
    })
}
