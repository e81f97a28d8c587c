//! Refusals: what a caller did that cannot be done, in words for that caller.

use crate::domain::book::BookError;
use crate::domain::credits::OutOfRange;
use crate::domain::names::names;
use crate::domain::refund::RefundConflict;
use crate::domain::request::StageConflict;
use crate::policy::resolution::NotPossible;
use crate::store;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why a call was refused, for programs. The wire shows the name in capitals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No such account.
    AccountNotFound,
    /// The account has no such purchase.
    PurchaseNotFound,
    /// The account has no such attempt.
    UsageNotFound,
    /// The account has no such lot.
    LotNotFound,
    /// The account has no such refund request.
    RefundRequestNotFound,
    /// The account has no such refund.
    RefundNotFound,
    /// No such dispute, or not of this account, or its payment is not recorded.
    ChargebackNotFound,
    /// The account has no such restriction.
    RestrictionNotFound,
    /// No such incident.
    IncidentNotFound,
    /// Fewer credits are available than needed.
    InsufficientCredits,
    /// The account may not spend now (§6).
    AccountSuspended,
    /// The account is closed (§3.3).
    AccountTerminated,
    /// The account may not be given credits for a purchase (§3.3).
    PurchasesBlocked,
    /// The attempt holds nothing any more.
    UsageNotHeld,
    /// The attempt exists with other credits or outputs.
    UsageAlreadyExists,
    /// The hold ran out.
    HoldExpired,
    /// The same payment was recorded with other facts.
    PurchaseMismatch,
    /// The purchase was refunded or returned by the bank.
    PurchaseRefunded,
    /// More would be delivered than was bought.
    DeliveryExceedsPurchase,
    /// The delivery id was used with another outcome.
    DeliveryConflict,
    /// Fewer credits can be revoked than were asked for.
    RevocationExceedsAvailable,
    /// The purchase has an open refund request already.
    OpenRequestExists,
    /// The refund request is in a stage where this cannot be done.
    RequestStageConflict,
    /// Somebody else changed the refund request meanwhile.
    EtagMismatch,
    /// Who opened or approved it before cannot approve it now.
    SameApprover,
    /// The ledger or a guardrail does not allow the remedy.
    RemedyNotPossible,
    /// No such policy version, or none in force at that time.
    PolicyNotFound,
    /// The account has no such decision.
    DecisionNotFound,
    /// The policy document cannot be read.
    PolicyMalformed,
    /// The policy document breaks a guardrail or is not total.
    PolicyUnsound,
    /// The version is published with another text or beginning (§8).
    PolicyVersionExists,
    /// The result contradicts the refund's stage.
    RefundStageConflict,
    /// The restriction was lifted before.
    RestrictionAlreadyLifted,
    /// The incident is in a stage where this cannot be done.
    IncidentStageConflict,
    /// Something of the account is under way, so that it cannot be erased.
    AccountHasOpenMatters,
    /// The dispute is known for another payment.
    ChargebackMismatch,
    /// A field does not fit what is on record.
    InvalidField,
    /// The request id was used for another body.
    IdempotencyKeyReused,
    /// A bound on how much there may be was reached.
    LimitExceeded,
}

names!(Reason {
    AccountNotFound => "ACCOUNT_NOT_FOUND",
    PurchaseNotFound => "PURCHASE_NOT_FOUND",
    UsageNotFound => "USAGE_NOT_FOUND",
    LotNotFound => "LOT_NOT_FOUND",
    RefundRequestNotFound => "REFUND_REQUEST_NOT_FOUND",
    RefundNotFound => "REFUND_NOT_FOUND",
    ChargebackNotFound => "CHARGEBACK_NOT_FOUND",
    RestrictionNotFound => "RESTRICTION_NOT_FOUND",
    IncidentNotFound => "INCIDENT_NOT_FOUND",
    InsufficientCredits => "INSUFFICIENT_CREDITS",
    AccountSuspended => "ACCOUNT_SUSPENDED",
    AccountTerminated => "ACCOUNT_TERMINATED",
    PurchasesBlocked => "PURCHASES_BLOCKED",
    UsageNotHeld => "USAGE_NOT_HELD",
    UsageAlreadyExists => "USAGE_ALREADY_EXISTS",
    HoldExpired => "HOLD_EXPIRED",
    PurchaseMismatch => "PURCHASE_MISMATCH",
    PurchaseRefunded => "PURCHASE_REFUNDED",
    DeliveryExceedsPurchase => "DELIVERY_EXCEEDS_PURCHASE",
    DeliveryConflict => "DELIVERY_CONFLICT",
    RevocationExceedsAvailable => "REVOCATION_EXCEEDS_AVAILABLE",
    OpenRequestExists => "OPEN_REQUEST_EXISTS",
    RequestStageConflict => "REQUEST_STAGE_CONFLICT",
    EtagMismatch => "ETAG_MISMATCH",
    SameApprover => "SAME_APPROVER",
    RemedyNotPossible => "REMEDY_NOT_POSSIBLE",
    PolicyNotFound => "POLICY_NOT_FOUND",
    DecisionNotFound => "DECISION_NOT_FOUND",
    PolicyMalformed => "POLICY_MALFORMED",
    PolicyUnsound => "POLICY_UNSOUND",
    PolicyVersionExists => "POLICY_VERSION_EXISTS",
    RefundStageConflict => "REFUND_STAGE_CONFLICT",
    RestrictionAlreadyLifted => "RESTRICTION_ALREADY_LIFTED",
    IncidentStageConflict => "INCIDENT_STAGE_CONFLICT",
    AccountHasOpenMatters => "ACCOUNT_HAS_OPEN_MATTERS",
    ChargebackMismatch => "CHARGEBACK_MISMATCH",
    InvalidField => "INVALID_FIELD",
    IdempotencyKeyReused => "IDEMPOTENCY_KEY_REUSED",
    LimitExceeded => "LIMIT_EXCEEDED",
});

impl Reason {
    /// Whether the thing was simply not there. Such an answer is not kept: the thing may arrive, and a message
    /// that overtook it can then be sent again as it is.
    #[must_use]
    pub const fn is_not_found(self) -> bool {
        matches!(
            self,
            Self::AccountNotFound
                | Self::PurchaseNotFound
                | Self::UsageNotFound
                | Self::LotNotFound
                | Self::RefundRequestNotFound
                | Self::RefundNotFound
                | Self::ChargebackNotFound
                | Self::RestrictionNotFound
                | Self::IncidentNotFound
                | Self::PolicyNotFound
                | Self::DecisionNotFound
        )
    }
}

/// A refused call. Nothing was written, and the same call is refused the same way again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why, for programs.
    pub reason: Reason,
    /// Why, for people: a lower-case sentence without a full stop.
    pub message: String,
    /// The figures of the message, by name.
    pub metadata: BTreeMap<String, String>,
}

impl Refusal {
    /// A refusal without figures.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), metadata: BTreeMap::new() }
    }

    /// Adds a figure.
    #[must_use]
    pub fn with(mut self, name: &str, value: &impl ToString) -> Self {
        self.metadata.insert(name.to_owned(), value.to_string());
        self
    }
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The call was refused.
    #[error("{}", .refusal.message)]
    Refused {
        /// Why.
        refusal: Refusal,
        /// Whether an earlier call with the same request id was refused, and this repeats its answer.
        replayed: bool,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A policy version that this server does not know might be in force at this instant; nothing was written.
    #[error("the policies in force at {0} are not known yet")]
    Unforeseen(DateTime<Utc>),
    /// The store failed for many calls at once; it was reported once.
    #[error("the store failed for a whole batch")]
    Failed(StoreFailure),
    /// The lane has no place left; nothing was begun.
    #[error("more is asked than can be done now")]
    Overloaded,
    /// Our own rules contradict each other; nothing was written.
    #[error("{0}")]
    Broken(&'static str),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { refusal, replayed: false }
    }
}

impl store::Fault for Error {
    fn store_error(&self) -> Option<&store::Error> {
        match self {
            Self::Store(error) => Some(error),
            Self::Refused { .. }
            | Self::Failed(_)
            | Self::Broken(_)
            | Self::Overloaded
            | Self::Unforeseen(_) => None,
        }
    }

    fn is_answer(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

impl From<OutOfRange> for Error {
    fn from(_: OutOfRange) -> Self {
        Refusal::new(Reason::LimitExceeded, "the account's credits or money would leave their range")
            .with("limit", &"64-bit amounts")
            .into()
    }
}

impl From<StageConflict> for Error {
    fn from(conflict: StageConflict) -> Self {
        Refusal::new(Reason::RequestStageConflict, conflict.to_string())
            .with("stage", &conflict.stage.name().to_uppercase())
            .into()
    }
}

impl From<RefundConflict> for Error {
    fn from(conflict: RefundConflict) -> Self {
        let message = format!("{conflict}; a person must look at it");
        Refusal::new(Reason::RefundStageConflict, message)
            .with("stage", &conflict.stage.name().to_uppercase())
            .into()
    }
}

impl From<NotPossible> for Error {
    fn from(error: NotPossible) -> Self {
        Refusal::new(Reason::RemedyNotPossible, error.to_string()).into()
    }
}

impl From<BookError> for Error {
    fn from(error: BookError) -> Self {
        let message = error.to_string();
        match error {
            BookError::InsufficientCredits { needed, available } => {
                Refusal::new(Reason::InsufficientCredits, message)
                    .with("needed", &needed)
                    .with("available", &available)
                    .into()
            }
            BookError::RevocationExceedsAvailable { asked, available } => {
                Refusal::new(Reason::RevocationExceedsAvailable, message)
                    .with("asked", &asked)
                    .with("available", &available)
                    .into()
            }
            BookError::NotHeld(stage) => {
                Refusal::new(Reason::UsageNotHeld, message).with("stage", &stage.name()).into()
            }
            BookError::TooManyOutputs { delivered, asked } => Refusal::new(Reason::InvalidField, message)
                .with("field", &"delivered_outputs")
                .with("delivered", &delivered)
                .with("asked", &asked)
                .into(),
            BookError::UnknownLot(_) => Self::Broken("a lot of the operation is missing from the book"),
            BookError::OutOfRange(error) => error.into(),
        }
    }
}

/// What a failure of the store means to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFailure {
    /// Somebody else holds the account; nothing was written.
    Busy,
    /// The caller's time ran out; nothing was written.
    Late,
    /// Too many wait for a connection; nothing was begun.
    Overloaded,
    /// The database cannot be reached, or takes no writes; nothing was written.
    Unavailable,
    /// A commit was under way when the connection broke.
    OutcomeUnknown,
    /// A fault of ours.
    Internal,
}

impl StoreFailure {
    /// What this failure means.
    #[must_use]
    pub const fn of(error: &store::Error) -> Self {
        match error {
            store::Error::TooSlow(_) | store::Error::RunAgain(_) | store::Error::Changed => Self::Busy,
            store::Error::Late => Self::Late,
            store::Error::Crowded => Self::Overloaded,
            store::Error::Unreachable(_) | store::Error::NoWrites(_) => Self::Unavailable,
            store::Error::CommitInDoubt(_) | store::Error::TaskLost => Self::OutcomeUnknown,
            store::Error::Refused(_)
            | store::Error::CorruptRow { .. }
            | store::Error::Migration(_)
            | store::Error::NoRole(_)
            | store::Error::NotMember(_)
            | store::Error::Database(_) => Self::Internal,
        }
    }
}
