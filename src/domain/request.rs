//! The refund request: what a customer claims and tells us (§5).

mod clock;
mod life;

pub use clock::{FirstResponse, Response, ResponseClock};
pub use life::{Approval, Life, RequestStage, StageConflict, Step, Verdict};

use super::credits::Credits;
use super::ids::{Actor, Attempt, PurchaseId, RefundRequestId};
use super::money::Money;
use super::names::names;
use super::redacted::FreeText;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What the customer says went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// The same purchase was made more than once (§2.1).
    DuplicatePurchase,
    /// A technical error on our side prevents use (§2.2).
    TechnicalIssue,
    /// Bought credits never arrived (§2.3).
    CreditsNotDelivered,
    /// A subscription renewed against the customer's wish (§7.2).
    UnintendedRenewal,
    /// The images do not please (§3.1).
    Dissatisfied,
    /// The customer changed their mind (§3.2).
    ChangeOfMind,
    /// Somebody else paid with the customer's means.
    UnauthorisedPayment,
    /// One output is defective.
    DefectiveOutput,
    /// Anything else.
    Other,
}

names!(Claim {
    DuplicatePurchase => "duplicate_purchase", TechnicalIssue => "technical_issue",
    CreditsNotDelivered => "credits_not_delivered", UnintendedRenewal => "unintended_renewal",
    Dissatisfied => "dissatisfied", ChangeOfMind => "change_of_mind",
    UnauthorisedPayment => "unauthorised_payment", DefectiveOutput => "defective_output", Other => "other",
});

/// A detail that a policy may require (§5.2, §2.1, §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// The order, payment or purchase that the claim is about.
    OrderId,
    /// The email address of the account.
    AccountEmail,
    /// When the purchase was made.
    PurchasedAt,
    /// Amount and currency paid.
    AmountPaid,
    /// A brief explanation.
    Explanation,
    /// When attempts failed (§2.2).
    AttemptedAt,
    /// The attempt that the claim is about.
    Attempt,
    /// A bank or card statement (§2.1).
    Statement,
    /// Error screenshots or logs (§2.2).
    Logs,
}

names!(Detail {
    OrderId => "order_id", AccountEmail => "account_email", PurchasedAt => "purchased_at",
    AmountPaid => "amount_paid", Explanation => "explanation", AttemptedAt => "attempted_at",
    Attempt => "attempt", Statement => "statement", Logs => "logs",
});

/// What kind of paper a piece of evidence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// A bank or card statement.
    Statement,
    /// A screenshot.
    Screenshot,
    /// A log.
    Log,
    /// A list of order ids.
    OrderIds,
    /// Anything else.
    Other,
}

names!(EvidenceKind {
    Statement => "statement", Screenshot => "screenshot", Log => "log", OrderIds => "order_ids", Other => "other",
});

/// A reference to evidence; the paper itself is never fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What it is.
    pub kind: EvidenceKind,
    /// Where the platform keeps it; empty once erased.
    pub uri: FreeText,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
    /// Its size in bytes.
    pub size_bytes: i64,
}

/// What the customer told us besides the claim (§5.2). Free text: never logged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// The account's email address.
    pub account_email: Option<FreeText>,
    /// When the customer says the purchase was made.
    pub purchased_at: Option<DateTime<Utc>>,
    /// What the customer says was paid.
    pub amount_paid: Option<Money>,
    /// The customer's explanation.
    pub explanation: Option<FreeText>,
    /// When the customer says attempts failed.
    pub attempted_at: Option<DateTime<Utc>>,
    /// The attempt that the claim is about.
    pub attempt: Option<Attempt>,
}

/// A customer's case, without its free text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundRequest {
    /// Our id.
    pub refund_request_id: RefundRequestId,
    /// The purchase that it is about, when known.
    pub purchase_id: Option<PurchaseId>,
    /// What is claimed.
    pub claim: Claim,
    /// Where it is in its life.
    #[serde(flatten)]
    pub life: Life,
    /// When it was received; the customer's time limits are measured here (§5.3).
    pub received_at: DateTime<Utc>,
    /// Until when it must be answered, and what the first answer was (§4.1).
    #[serde(flatten)]
    pub clock: ResponseClock,
    /// The policy version in force at receipt (§8).
    pub policy_version: String,
    /// Who opened it.
    pub opened_by: Actor,
    /// Who works on it.
    pub assignee: Option<Actor>,
    /// The attempt that the claim is about.
    pub attempt: Option<Attempt>,
    /// When the customer says the purchase was made.
    pub purchased_at: Option<DateTime<Utc>>,
    /// What the customer says was paid.
    pub amount_paid: Option<Money>,
    /// When the customer says attempts failed.
    pub attempted_at: Option<DateTime<Utc>>,
    /// Evidence given.
    pub evidence: Vec<Evidence>,
    /// What the customer was asked for so far.
    pub asked: BTreeSet<Detail>,
    /// How many decisions were made on it.
    pub decisions: i32,
    /// The row of the last decision; empty when a person made it.
    pub last_row: String,
    /// Credits that it gave the customer, restored or as a compensation.
    pub restored_credits: Credits,
    /// Grows with every change.
    pub revision: i64,
}

impl RefundRequest {
    /// The name of its stage.
    #[must_use]
    pub const fn stage(&self) -> RequestStage {
        self.life.stage()
    }

    /// Goes one step on. A step that answers the customer stops the clock, one that reopens a settled matter starts
    /// it anew, and every step is a revision.
    ///
    /// # Errors
    /// [`StageConflict`] where the step cannot be taken; nothing is changed then.
    pub fn after(mut self, step: Step, now: DateTime<Utc>) -> Result<Self, StageConflict> {
        let response = step.response();
        self.life = self.life.after(step, now)?;
        if let Some(response) = response {
            self.clock = self.clock.answered(response, now);
        }
        Ok(Self { revision: self.revision.saturating_add(1), ..self })
    }

    /// Since when the customer waits once a reply has come: a reply to our question starts a new wait, what comes
    /// unasked does not (§4.1).
    #[must_use]
    pub const fn waiting_after_reply(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self.life {
            Life::AwaitingInformation { .. } => Some(now),
            _ => self.clock.waiting_since,
        }
    }

    /// Whether the customer waits for an answer that is overdue (§4.1).
    #[must_use]
    pub fn is_overdue(&self, now: DateTime<Utc>) -> bool {
        self.stage().awaits_us() && self.clock.respond_by < now
    }
}
