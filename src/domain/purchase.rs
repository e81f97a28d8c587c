//! Purchases: what was paid, what was bought, what came of it.

use super::credits::Credits;
use super::ids::{DeliveryId, OrderId, PackageId, PaymentId, Provider, PurchaseId};
use super::money::Money;
use super::names::names;
use super::redacted::FreeText;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What kind of thing was bought (§7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PurchaseKind {
    /// A package of credits (§7.1).
    OneTime,
    /// A subscription period (§7.2).
    Subscription,
}

names!(PurchaseKind { OneTime => "one_time", Subscription => "subscription" });

/// The bank's side of a purchase: the gravest of its disputes, in rising order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeState {
    /// Never disputed, or every dispute withdrawn.
    #[default]
    None,
    /// All disputes ended in our favour.
    Won,
    /// At least one dispute is undecided.
    Open,
    /// The bank has returned money for this purchase.
    Lost,
}

names!(DisputeState { None => "none", Won => "won", Open => "open", Lost => "lost" });

/// A recorded purchase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purchase {
    /// Our id.
    pub purchase_id: PurchaseId,
    /// The processor.
    pub provider: Provider,
    /// The processor's id of the payment.
    pub payment_id: PaymentId,
    /// The platform's id of the order.
    pub order_id: OrderId,
    /// The package.
    pub package_id: PackageId,
    /// One-time or subscription.
    pub kind: PurchaseKind,
    /// Whether this is a renewal charge of a subscription (§7.2).
    pub renewal: bool,
    /// The plan's name, empty when there is none.
    pub plan: String,
    /// What was paid.
    pub price: Money,
    /// What it costs without a reduction, when the caller said.
    pub list_price: Option<Money>,
    /// Credits bought.
    pub credits: Credits,
    /// Credits that came free with them: no money value.
    pub bonus_credits: Credits,
    /// When the money was taken.
    pub paid_at: DateTime<Utc>,
    /// When its credits expire, if ever.
    pub credits_expire_at: Option<DateTime<Utc>>,
    /// Bought credits delivered so far.
    pub delivered_credits: Credits,
    /// When credits were last delivered.
    pub last_delivered_at: Option<DateTime<Utc>>,
    /// Why the missing credits can never be delivered, when that is so (§2.3); empty words once erased.
    pub undeliverable_reason: Option<FreeText>,
    /// Bought credits given up for refunds that have not failed.
    pub refunded_credits: Credits,
    /// Minor units refunded and settled.
    pub refunded_minor: i64,
    /// Minor units of refunds on their way.
    pub pending_minor: i64,
    /// Minor units that the bank has returned.
    pub returned_minor: i64,
    /// The bank's side.
    pub dispute: DisputeState,
    /// The policy version in force when it was bought (§8).
    pub policy_version: String,
    /// Whatever the caller recorded: country, customer kind.
    pub attributes: BTreeMap<String, String>,
}

/// Credits of a purchase that arrived in the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The platform's id of it.
    pub delivery_id: DeliveryId,
    /// Bought credits that arrived.
    pub credits: Credits,
    /// Bonus credits that arrived with them.
    pub bonus_credits: Credits,
    /// When they arrived, as the platform says.
    pub delivered_at: DateTime<Utc>,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
}

impl Purchase {
    /// Bought credits that never arrived.
    #[must_use]
    pub fn undelivered(&self) -> Credits {
        self.credits.minus_at_most(self.delivered_credits)
    }
}
