//! Deliveries: bought credits arrive, or are known never to (§2.3).

use super::case::PurchaseReference;
use super::run::Mutation;
use super::session::Session;
use super::{BalanceAt, Error, Reason, Refusal};
use crate::domain::book::Book;
use crate::domain::credits::Credits;
use crate::domain::entry::EntryCause;
use crate::domain::ids::{DeliveryId, LotId};
use crate::domain::lot::{Lot, NewLot, Source};
use crate::domain::purchase::{DisputeState, Purchase};
use crate::domain::redacted::FreeText;
use crate::domain::restriction::{RestrictionKind, Standing};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What became of a delivery.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivered {
    /// So many of the bought credits arrived.
    Credits(Credits),
    /// What is missing can never be delivered, for this reason.
    Never(FreeText),
}

/// A purchase's credits are delivered.
#[derive(Debug, Serialize)]
pub struct DeliverCredits {
    /// The purchase.
    pub purchase: PurchaseReference,
    /// The platform's id of this delivery.
    pub delivery_id: DeliveryId,
    /// What became of it.
    pub outcome: Delivered,
    /// When.
    pub delivered_at: DateTime<Utc>,
}

/// What a delivery came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeliveryAnswer {
    /// The purchase.
    pub purchase: Purchase,
    /// The lots that it filled.
    pub lots: Vec<Lot>,
    /// What the account has after it.
    pub balance: BalanceAt,
}

impl Mutation for DeliverCredits {
    const METHOD: &'static str = "DeliverCredits";
    type Answer = DeliveryAnswer;

    async fn apply(&self, session: &mut Session<'_>) -> Result<DeliveryAnswer, Error> {
        let purchase = self.purchase.load(session.tx, session.account_id).await?;
        match &self.outcome {
            Delivered::Never(reason) => self.give_up(session, purchase, reason).await,
            Delivered::Credits(credits) => self.deliver(session, purchase, *credits).await,
        }
    }
}

impl DeliverCredits {
    async fn give_up(
        &self,
        session: &mut Session<'_>,
        mut purchase: Purchase,
        reason: &FreeText,
    ) -> Result<DeliveryAnswer, Error> {
        if purchase.undelivered().is_zero() {
            return Err(
                Refusal::new(Reason::DeliveryConflict, "every credit of the purchase has arrived").into()
            );
        }
        let balance = session.balance().await?;
        purchase.undeliverable_reason = Some(reason.clone());
        let account_id = session.account_id;
        session.writing().update_purchase(account_id, &purchase).await?;
        Ok(DeliveryAnswer { purchase, lots: Vec::new(), balance })
    }

    async fn deliver(
        &self,
        session: &mut Session<'_>,
        mut purchase: Purchase,
        credits: Credits,
    ) -> Result<DeliveryAnswer, Error> {
        let known =
            session.tx.find_delivery(session.account_id, purchase.purchase_id, &self.delivery_id).await?;
        match known {
            Some(known) if known == credits => {
                let balance = session.balance().await?;
                return Ok(DeliveryAnswer { purchase, lots: Vec::new(), balance });
            }
            Some(known) => {
                return Err(Refusal::new(Reason::DeliveryConflict, "this delivery brought other credits")
                    .with("credits", &known)
                    .into());
            }
            None => may_deliver(&purchase, credits, &session.standing().await?)?,
        }
        let mut book = session.book(&[]).await?;
        let when = self.delivered_at;
        let lots = fill(session, &mut book, &mut purchase, credits, &self.delivery_id, when).await?;
        let balance = book.balance()?;
        session.record(book.close()).await?;
        Ok(DeliveryAnswer { purchase, lots, balance: session.at(balance) })
    }
}

/// Puts bought credits into a new lot, and with the first ones the bonus lot sold with the purchase. Writes the
/// purchase and the delivery; the book is the caller's to record.
pub(super) async fn fill(
    session: &mut Session<'_>,
    book: &mut Book,
    purchase: &mut Purchase,
    credits: Credits,
    delivery_id: &DeliveryId,
    delivered_at: DateTime<Utc>,
) -> Result<Vec<Lot>, Error> {
    let cause = EntryCause::Purchase(purchase.purchase_id);
    let bonus = if purchase.delivered_credits.is_zero() { purchase.bonus_credits } else { Credits::ZERO };
    let disputed = purchase.dispute == DisputeState::Open;
    let mut lot_ids = Vec::new();
    for (source, credits) in [(Source::Purchase, credits), (Source::Bonus, bonus)] {
        if credits.is_zero() {
            continue;
        }
        let new = NewLot {
            lot_id: LotId(session.new_id()),
            source,
            purchase_id: Some(purchase.purchase_id),
            order_id: Some(purchase.order_id.clone()),
            priority: source.default_priority(),
            granted_at: session.now,
            expires_at: purchase.credits_expire_at,
        };
        lot_ids.push(new.lot_id);
        book.grant(new, credits, disputed, &cause)?;
    }
    purchase.delivered_credits = purchase.delivered_credits.plus(credits)?;
    purchase.last_delivered_at = purchase.last_delivered_at.max(Some(delivered_at));
    let (account_id, now) = (session.account_id, session.now);
    let tx = session.writing();
    tx.update_purchase(account_id, purchase).await?;
    let (bought, times) = ((credits, bonus), (delivered_at, now));
    tx.insert_delivery(account_id, purchase.purchase_id, delivery_id, bought, times).await?;
    Ok(book.lots().iter().filter(|lot| lot_ids.contains(&lot.lot_id)).cloned().collect())
}

fn may_deliver(purchase: &Purchase, credits: Credits, standing: &Standing) -> Result<(), Error> {
    if standing.has(RestrictionKind::Terminated) {
        return Err(Refusal::new(Reason::AccountTerminated, "the account is closed (§3.3)").into());
    }
    if standing.has(RestrictionKind::PurchaseBlocked) {
        let message = "the account may not be given credits for a purchase (§3.3)";
        return Err(Refusal::new(Reason::PurchasesBlocked, message).into());
    }
    let refunded = purchase.refunded_minor > 0 || purchase.pending_minor > 0;
    if refunded || !purchase.refunded_credits.is_zero() || purchase.dispute == DisputeState::Lost {
        tracing::warn!(purchase_id = %purchase.purchase_id, "a delivery arrived after its purchase was refunded");
        let message =
            "the purchase was refunded or returned by the bank, so nothing of it is delivered any more";
        return Err(Refusal::new(Reason::PurchaseRefunded, message).into());
    }
    let undelivered = purchase.undelivered();
    if credits > undelivered {
        return Err(Refusal::new(Reason::DeliveryExceedsPurchase, "more would be delivered than was bought")
            .with("undelivered", &undelivered)
            .into());
    }
    Ok(())
}
