//! Purchases: recorded when paid.

use super::dispute;
use super::run::Mutation;
use super::session::Session;
use super::{Error, Reason, Refusal};
use crate::domain::credits::Credits;
use crate::domain::ids::{AccountId, OrderId, PackageId, PaymentId, Provider, PurchaseId};
use crate::domain::money::Money;
use crate::domain::purchase::{DisputeState, Purchase, PurchaseKind};
use crate::store::ExternalKind;
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::BTreeMap;

/// A payment was taken.
#[derive(Debug, Serialize)]
pub struct RecordPurchase {
    /// The processor.
    pub provider: Provider,
    /// The processor's id of the payment.
    pub payment_id: PaymentId,
    /// The platform's order.
    pub order_id: OrderId,
    /// The package.
    pub package_id: PackageId,
    /// One-time or subscription.
    pub kind: PurchaseKind,
    /// Whether it is a renewal charge.
    pub renewal: bool,
    /// The plan, or empty.
    pub plan: String,
    /// What was paid.
    pub price: Money,
    /// What it costs without a reduction.
    pub list_price: Option<Money>,
    /// Credits bought.
    pub credits: Credits,
    /// Free credits with it.
    pub bonus_credits: Credits,
    /// When it was paid.
    pub paid_at: DateTime<Utc>,
    /// When its credits expire.
    pub credits_expire_at: Option<DateTime<Utc>>,
    /// Whatever else the caller knows.
    pub attributes: BTreeMap<String, String>,
}

impl Mutation for RecordPurchase {
    const METHOD: &'static str = "RecordPurchase";
    const OPENS_ACCOUNT: bool = true;
    type Answer = Purchase;

    async fn apply(&self, session: &mut Session<'_>) -> Result<Purchase, Error> {
        let account_id = session.account_id;
        let known = session.tx.find_purchase_by_payment(account_id, &self.provider, &self.payment_id).await?;
        if let Some(known) = known {
            return self.repeated(known);
        }
        let owner = self.find_owner(session).await?;
        let purchase = self.purchase(PurchaseId(session.new_id()), session.policy().version());
        let now = session.now;
        session.writing().insert_purchase(account_id, &purchase, now).await?;
        match owner {
            Some(waiting_at) => dispute::adopt(session, &waiting_at, purchase).await,
            None => {
                let provider = self.provider.as_str();
                let payment_id = self.payment_id.as_str();
                session.tx.insert_owner(ExternalKind::Payment, provider, payment_id, account_id).await?;
                Ok(purchase)
            }
        }
    }
}

impl RecordPurchase {
    /// Where disputes over the payment wait for it, if any do. A payment of another account is refused. The
    /// account's standing is not asked: the money was taken, and what was taken is recorded.
    async fn find_owner(&self, session: &mut Session<'_>) -> Result<Option<AccountId>, Error> {
        let owner = session
            .tx
            .find_owner(ExternalKind::Payment, self.provider.as_str(), self.payment_id.as_str())
            .await?;
        if owner.as_ref().is_some_and(|owner| !owner.is_unmatched() && owner != session.account_id) {
            return Err(Refusal::new(
                Reason::PurchaseMismatch,
                "this payment is recorded for another account",
            )
            .with("fields", &"account_id")
            .into());
        }
        Ok(owner)
    }

    /// The same payment, told under another request id: the same facts are the same purchase.
    fn repeated(&self, known: Purchase) -> Result<Purchase, Error> {
        let told = self.purchase(known.purchase_id, &known.policy_version);
        let differs = |name, differs: bool| differs.then_some(name);
        let fields: Vec<&str> = [
            differs("order_id", told.order_id != known.order_id),
            differs("package_id", told.package_id != known.package_id),
            differs("kind", told.kind != known.kind),
            differs("renewal", told.renewal != known.renewal),
            differs("plan", told.plan != known.plan),
            differs("price", told.price != known.price),
            differs("list_price", told.list_price != known.list_price),
            differs("credits", told.credits != known.credits),
            differs("bonus_credits", told.bonus_credits != known.bonus_credits),
            differs("paid_at", told.paid_at != known.paid_at),
            differs("credits_expire_at", told.credits_expire_at != known.credits_expire_at),
            differs("attributes", told.attributes != known.attributes),
        ]
        .into_iter()
        .flatten()
        .collect();
        if fields.is_empty() {
            return Ok(known);
        }
        Err(Refusal::new(Reason::PurchaseMismatch, "this payment is recorded with other facts")
            .with("fields", &fields.join(","))
            .with("purchase_id", &known.purchase_id)
            .into())
    }

    fn purchase(&self, purchase_id: PurchaseId, policy_version: &str) -> Purchase {
        Purchase {
            purchase_id,
            provider: self.provider.clone(),
            payment_id: self.payment_id.clone(),
            order_id: self.order_id.clone(),
            package_id: self.package_id.clone(),
            kind: self.kind,
            renewal: self.renewal,
            plan: self.plan.clone(),
            price: self.price,
            list_price: self.list_price,
            credits: self.credits,
            bonus_credits: self.bonus_credits,
            paid_at: self.paid_at,
            credits_expire_at: self.credits_expire_at,
            delivered_credits: Credits::ZERO,
            last_delivered_at: None,
            undeliverable_reason: None,
            refunded_credits: Credits::ZERO,
            refunded_minor: 0,
            pending_minor: 0,
            returned_minor: 0,
            dispute: DisputeState::None,
            policy_version: policy_version.to_owned(),
            attributes: self.attributes.clone(),
        }
    }
}
