//! Refunds: money on its way back to a customer (§4.2).

use super::credits::Credits;
use super::ids::{PaymentId, Provider, ProviderRefundId, PurchaseId, RefundId, RefundRequestId};
use super::money::Money;
use super::names::names;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Where a refund is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundStage {
    /// Decided; nobody has called the processor.
    Pending,
    /// The processor was called.
    Submitted,
    /// The money is back with the customer.
    Succeeded,
    /// The processor could not send it; the credits are back with the customer.
    Failed,
    /// Stopped before it left.
    Canceled,
    /// Nobody knows whether it left.
    Unknown,
}

names!(RefundStage {
    Pending => "pending", Submitted => "submitted", Succeeded => "succeeded", Failed => "failed",
    Canceled => "canceled", Unknown => "unknown",
});

/// What the payments backend tells about a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundResult {
    /// The processor is about to be called.
    Submitted,
    /// The processor sent the money.
    Succeeded,
    /// The processor could not send it.
    Failed,
    /// The call to the processor had no answer.
    Unknown,
}

names!(RefundResult {
    Submitted => "submitted", Succeeded => "succeeded", Failed => "failed", Unknown => "unknown",
});

/// What a result does to a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundStep {
    /// The refund enters this stage.
    Enter(RefundStage),
    /// Known already, or overtaken by later news: nothing changes.
    Nothing,
    /// The result contradicts the stage: a person must look.
    Conflict,
}

impl RefundStage {
    /// Whether its money counts as gone or going.
    #[must_use]
    pub const fn counts(self) -> bool {
        !matches!(self, Self::Failed | Self::Canceled)
    }

    /// Whether its money may still arrive or fail.
    #[must_use]
    pub const fn is_on_its_way(self) -> bool {
        matches!(self, Self::Pending | Self::Submitted | Self::Unknown)
    }

    /// What a result does in this stage.
    ///
    /// A processor may take a success back (the customer's bank refused the money days later), so a failure
    /// after success counts. A success after a failure or a cancellation would pay for credits that were given
    /// back, so it is a conflict.
    #[must_use]
    pub const fn after(self, result: RefundResult) -> RefundStep {
        match (self, result) {
            (Self::Pending, RefundResult::Submitted) => RefundStep::Enter(Self::Submitted),
            (Self::Pending | Self::Submitted, RefundResult::Unknown) => RefundStep::Enter(Self::Unknown),
            (Self::Pending | Self::Submitted | Self::Unknown, RefundResult::Succeeded) => {
                RefundStep::Enter(Self::Succeeded)
            }
            (Self::Pending | Self::Submitted | Self::Unknown | Self::Succeeded, RefundResult::Failed) => {
                RefundStep::Enter(Self::Failed)
            }
            (Self::Failed | Self::Canceled, RefundResult::Succeeded)
            | (Self::Canceled, RefundResult::Submitted) => RefundStep::Conflict,
            _ => RefundStep::Nothing,
        }
    }
}

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
    /// Where it is.
    pub stage: RefundStage,
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
    /// When the processor was called.
    pub submitted_at: Option<DateTime<Utc>>,
    /// When it succeeded, failed or was cancelled.
    pub settled_at: Option<DateTime<Utc>>,
    /// Why it failed, as the processor says.
    pub failure_reason: String,
    /// How it is paid.
    #[serde(default)]
    pub method: RefundMethod,
}
