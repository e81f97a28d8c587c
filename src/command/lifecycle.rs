//! What happens to refund requests besides decisions: they are found, run out, are taken up again.

use super::session::Session;
use super::{Error, Reason, Refusal};
use crate::domain::ids::{AccountId, PurchaseId, RefundRequestId};
use crate::domain::request::{RefundRequest, Step};
use crate::policy::calendar::respond_by;
use crate::store::Tx;
use chrono::{DateTime, Utc};

/// A request of the session's account.
pub(super) async fn load(
    session: &mut Session<'_>,
    refund_request_id: RefundRequestId,
) -> Result<RefundRequest, Error> {
    let found = session.tx.find_request(session.account_id, refund_request_id).await?;
    found.ok_or_else(not_found)
}

/// The same error for every request that the account has not.
pub(super) fn not_found() -> Error {
    Refusal::new(Reason::RefundRequestNotFound, "the account has no such refund request").into()
}

/// The open requests about a purchase, besides one, that nobody answered in time.
///
/// # Errors
/// [`Reason::OpenRequestExists`] when one is open and has time left: a purchase has one open request at most.
pub(super) async fn list_run_out(
    tx: &mut Tx,
    account_id: &AccountId,
    purchase_id: PurchaseId,
    besides: Option<RefundRequestId>,
    now: DateTime<Utc>,
) -> Result<Vec<RefundRequest>, Error> {
    let open = tx.list_open_requests(account_id, purchase_id, besides).await?;
    match open.iter().find(|request| !request.life.has_run_out(now)) {
        None => Ok(open),
        Some(request) => {
            Err(Refusal::new(Reason::OpenRequestExists, "the purchase has an open refund request already")
                .with("refund_request_id", &request.refund_request_id)
                .into())
        }
    }
}

/// Makes room for an open request about its purchase, or refuses it.
pub(super) async fn make_room(session: &mut Session<'_>, request: &RefundRequest) -> Result<(), Error> {
    let Some(purchase_id) = request.purchase_id else { return Ok(()) };
    let (account_id, own, now) = (session.account_id, request.refund_request_id, session.now);
    for run_out in list_run_out(session.tx, account_id, purchase_id, Some(own), now).await? {
        expire(session, run_out).await?;
    }
    Ok(())
}

/// Ends a request whose question nobody answered.
pub(super) async fn expire(session: &mut Session<'_>, request: RefundRequest) -> Result<(), Error> {
    let (account_id, now) = (session.account_id, session.now);
    let expired = request.after(Step::Expire, now)?;
    Ok(session.writing().update_request(account_id, &expired).await?)
}

/// Gives a request to a person, because its money did not arrive or was stopped. The customer, who had an answer,
/// waits again from now on. A request that was taken back or has run out stays so.
pub(super) async fn reopen(
    session: &mut Session<'_>,
    refund_request_id: RefundRequestId,
) -> Result<(), Error> {
    let (account_id, now) = (session.account_id, session.now);
    let request = load_answered(session, refund_request_id).await?;
    let was_waiting = request.stage().awaits_us();
    let was_open = request.stage().is_open();
    let Ok(mut request) = request.after(Step::Reopen, now) else { return Ok(()) };
    if !was_waiting {
        let policy = session.policy_at(request.received_at)?;
        request.clock = request.clock.restarted(now, respond_by(now, policy.calendar()));
    }
    if let (Some(purchase_id), false) = (request.purchase_id, was_open) {
        let others = session.tx.list_open_requests(account_id, purchase_id, Some(refund_request_id)).await?;
        if !others.is_empty() {
            session.writing().update_request_shares_purchase(account_id, refund_request_id).await?;
        }
    }
    Ok(session.writing().update_request(account_id, &request).await?)
}

/// Settles an approved request once all of its money has arrived. A case that went to a person meanwhile stays with
/// that person.
pub(super) async fn settle(
    session: &mut Session<'_>,
    refund_request_id: RefundRequestId,
) -> Result<(), Error> {
    let (account_id, now) = (session.account_id, session.now);
    let request = load_answered(session, refund_request_id).await?;
    match request.after(Step::Settle, now) {
        Ok(settled) => Ok(session.writing().update_request(account_id, &settled).await?),
        Err(_) => Ok(()),
    }
}

/// The request that a refund answers.
async fn load_answered(
    session: &mut Session<'_>,
    refund_request_id: RefundRequestId,
) -> Result<RefundRequest, Error> {
    let request = session.tx.find_request(session.account_id, refund_request_id).await?;
    request.ok_or(Error::Broken("a refund answers no request"))
}
