//! Purchases and their deliveries.

use super::read::{Place, to_json};
use super::{Error, Tx};
use crate::domain::credits::Credits;
use crate::domain::ids::{AccountId, DeliveryId, OrderId, PaymentId, Provider, PurchaseId};
use crate::domain::purchase::{DisputeState, Purchase, PurchaseKind};
use crate::domain::redacted::FreeText;
use chrono::{DateTime, Utc};
use uuid::Uuid;

struct Row {
    purchase_id: Uuid,
    provider: String,
    payment_id: String,
    order_id: String,
    package_id: String,
    kind: String,
    renewal: bool,
    plan: String,
    currency: String,
    price_minor: i64,
    list_price_minor: Option<i64>,
    credits: i64,
    bonus_credits: i64,
    paid_at: DateTime<Utc>,
    credits_expire_at: Option<DateTime<Utc>>,
    delivered_credits: i64,
    last_delivered_at: Option<DateTime<Utc>>,
    undeliverable_reason: Option<String>,
    refunded_credits: i64,
    refunded_minor: i64,
    pending_minor: i64,
    returned_minor: i64,
    dispute: String,
    policy_version: String,
    attributes: serde_json::Value,
}

impl Row {
    fn purchase(self) -> Result<Purchase, Error> {
        let key = self.purchase_id;
        let place = Place { table: "purchase", key: &key };
        let money = |column, minor| place.money(column, &self.currency, minor);
        Ok(Purchase {
            purchase_id: PurchaseId(self.purchase_id),
            price: money("price_minor", self.price_minor)?,
            list_price: self.list_price_minor.map(|minor| money("list_price_minor", minor)).transpose()?,
            provider: place.id("provider", self.provider)?,
            payment_id: place.id("payment_id", self.payment_id)?,
            order_id: place.id("order_id", self.order_id)?,
            package_id: place.id("package_id", self.package_id)?,
            kind: place.word("kind", &self.kind, PurchaseKind::parse)?,
            renewal: self.renewal,
            plan: self.plan,
            credits: place.credits("credits", self.credits)?,
            bonus_credits: place.credits("bonus_credits", self.bonus_credits)?,
            paid_at: self.paid_at,
            credits_expire_at: self.credits_expire_at,
            delivered_credits: place.credits("delivered_credits", self.delivered_credits)?,
            last_delivered_at: self.last_delivered_at,
            undeliverable_reason: self.undeliverable_reason.map(FreeText::from),
            refunded_credits: place.credits("refunded_credits", self.refunded_credits)?,
            refunded_minor: self.refunded_minor,
            pending_minor: self.pending_minor,
            returned_minor: self.returned_minor,
            dispute: place.word("dispute", &self.dispute, DisputeState::parse)?,
            policy_version: self.policy_version,
            attributes: place.json("attributes", self.attributes)?,
        })
    }
}

/// A purchase by one condition: the same columns each time.
macro_rules! find_purchase {
    ($tx:expr, $condition:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Row,
            "SELECT purchase_id, provider, payment_id, order_id, package_id, kind, renewal, plan, currency,
                price_minor, list_price_minor, credits, bonus_credits, paid_at, credits_expire_at,
                delivered_credits, last_delivered_at, undeliverable_reason, refunded_credits, refunded_minor,
                pending_minor, returned_minor, dispute, policy_version, attributes
             FROM purchase WHERE " + $condition,
            $($argument),+
        )
        .fetch_optional($tx.connection())
        .await?
        .map(Row::purchase)
        .transpose()
    };
}

impl Tx {
    /// A purchase of the account by our id.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_purchase(
        &mut self,
        account_id: &AccountId,
        purchase_id: PurchaseId,
    ) -> Result<Option<Purchase>, Error> {
        find_purchase!(self, "account_id = $1 AND purchase_id = $2", account_id.as_str(), purchase_id.0)
    }

    /// A purchase of the account by its payment.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_purchase_by_payment(
        &mut self,
        account_id: &AccountId,
        provider: &Provider,
        payment_id: &PaymentId,
    ) -> Result<Option<Purchase>, Error> {
        find_purchase!(
            self,
            "account_id = $1 AND provider = $2 AND payment_id = $3",
            account_id.as_str(),
            provider.as_str(),
            payment_id.as_str()
        )
    }

    /// The latest payment of an order: when an order was paid twice, the second payment is the duplicate.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_purchase_by_order(
        &mut self,
        account_id: &AccountId,
        order_id: &OrderId,
    ) -> Result<Option<Purchase>, Error> {
        find_purchase!(
            self,
            "account_id = $1 AND order_id = $2 ORDER BY paid_at DESC, purchase_id DESC LIMIT 1",
            account_id.as_str(),
            order_id.as_str()
        )
    }

    /// Records a purchase.
    ///
    /// # Errors
    /// [`Error::Refused`] when the payment is known; a failure of the database.
    pub async fn insert_purchase(
        &mut self,
        account_id: &AccountId,
        purchase: &Purchase,
        at: DateTime<Utc>,
    ) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO purchase (account_id, purchase_id, provider, payment_id, order_id, package_id, kind,
                renewal, plan, currency, price_minor, list_price_minor, credits, bonus_credits, paid_at,
                credits_expire_at, recorded_at, policy_version, attributes)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
            account_id.as_str(),
            purchase.purchase_id.0,
            purchase.provider.as_str(),
            purchase.payment_id.as_str(),
            purchase.order_id.as_str(),
            purchase.package_id.as_str(),
            purchase.kind.name(),
            purchase.renewal,
            purchase.plan,
            purchase.price.currency.code(),
            purchase.price.minor_units,
            purchase.list_price.map(|price| price.minor_units),
            purchase.credits.get(),
            purchase.bonus_credits.get(),
            purchase.paid_at,
            purchase.credits_expire_at,
            at,
            purchase.policy_version,
            to_json(&purchase.attributes),
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Writes back what changes in a purchase's life.
    ///
    /// # Errors
    /// [`Error::Refused`] when more would be delivered or refunded than there was; a failure of the database.
    pub async fn update_purchase(
        &mut self,
        account_id: &AccountId,
        purchase: &Purchase,
    ) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE purchase SET delivered_credits = $3, last_delivered_at = $4, undeliverable_reason = $5,
                refunded_credits = $6, refunded_minor = $7, pending_minor = $8, returned_minor = $9, dispute = $10
             WHERE account_id = $1 AND purchase_id = $2",
            account_id.as_str(),
            purchase.purchase_id.0,
            purchase.delivered_credits.get(),
            purchase.last_delivered_at,
            purchase.undeliverable_reason.as_ref().map(FreeText::expose),
            purchase.refunded_credits.get(),
            purchase.refunded_minor,
            purchase.pending_minor,
            purchase.returned_minor,
            purchase.dispute.name(),
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// How many bought credits a delivery brought, when it was recorded before.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_delivery(
        &mut self,
        account_id: &AccountId,
        purchase_id: PurchaseId,
        delivery_id: &DeliveryId,
    ) -> Result<Option<Credits>, Error> {
        let credits = sqlx::query_scalar!(
            "SELECT credits FROM delivery WHERE account_id = $1 AND purchase_id = $2 AND delivery_id = $3",
            account_id.as_str(),
            purchase_id.0,
            delivery_id.as_str(),
        )
        .fetch_optional(self.connection())
        .await?;
        let place = Place { table: "delivery", key: delivery_id };
        credits.map(|credits| place.credits("credits", credits)).transpose()
    }

    /// Records a delivery.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is known; a failure of the database.
    pub async fn insert_delivery(
        &mut self,
        account_id: &AccountId,
        purchase_id: PurchaseId,
        delivery_id: &DeliveryId,
        (credits, bonus_credits): (Credits, Credits),
        (delivered_at, recorded_at): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO delivery
                (account_id, purchase_id, delivery_id, credits, bonus_credits, delivered_at, recorded_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            account_id.as_str(),
            purchase_id.0,
            delivery_id.as_str(),
            credits.get(),
            bonus_credits.get(),
            delivered_at,
            recorded_at,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
