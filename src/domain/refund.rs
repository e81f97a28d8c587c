//! Refunds: money on its way back to a customer (§4.2).

mod life;

pub use life::{ExpectedWindow, News, RefundConflict, RefundLife, RefundResult, RefundStage};

use super::credits::Credits;
use super::ids::{PaymentId, Provider, ProviderRefundId, PurchaseId, RefundId, RefundRequestId};
use super::money::Money;
use super::names::names;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// How the money goes back (§4.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundMethod {
    /// To the original payment method, whenever possible.
    #[default]
    OriginalPayment,
    /// Another way, found by a person.
    Other,
}

names!(RefundMethod { OriginalPayment => "original_payment", Other => "other" });

/// Money on its way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Our id.
    pub refund_id: RefundId,
    /// The request that it answers.
    pub refund_request_id: RefundRequestId,
    /// The purchase that it gives money back for.
    pub purchase_id: PurchaseId,
    /// How much.
    pub amount: Money,
    /// Bought credits given up for it, the undelivered ones among them.
    pub credits: Credits,
    /// Where it is in its life.
    #[serde(flatten)]
    pub life: RefundLife,
    /// The processor that took the payment: refunds go back the way the money came (§4.2).
    pub provider: Provider,
    /// The processor's id of the payment that the money came with.
    pub payment_id: PaymentId,
    /// The processor's id of the refund, once known.
    pub provider_refund_id: Option<ProviderRefundId>,
    /// The key for the call to the processor, so that a repeated call pays once.
    pub idempotency_key: String,
    /// When it was decided.
    pub created_at: DateTime<Utc>,
    /// How it is paid.
    #[serde(default)]
    pub method: RefundMethod,
}

impl Refund {
    /// The name of its stage.
    #[must_use]
    pub const fn stage(&self) -> RefundStage {
        self.life.stage()
    }
}
