//! Identifiers. Ids that callers chose are checked text; ids that we chose are `UUIDv7`.

use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// Why a piece of text is no identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// The text has no characters.
    #[error("must not be empty")]
    Empty,
    /// The text is longer than the bound, in bytes.
    #[error("must be at most {0} bytes long")]
    TooLong(usize),
    /// The text has a control character, a NUL byte among them.
    #[error("must not contain control characters")]
    ControlCharacter,
    /// The text is no UUID.
    #[error("must be a UUID such as `018f2b1c-5f0e-7c3a-9d53-2b6f6a0f1c11`")]
    NotUuid,
}

/// Checks text that a caller chose: 1 to `max_bytes` bytes, no control characters.
///
/// # Errors
/// [`InvalidId`] saying which bound was broken.
pub fn check_text(text: &str, max_bytes: usize) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty);
    }
    if text.len() > max_bytes {
        return Err(InvalidId::TooLong(max_bytes));
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidId::ControlCharacter);
    }
    Ok(())
}

macro_rules! outside_id {
    ($($(#[$doc:meta])* $name:ident <= $max:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Longest accepted text, in bytes: long enough for every processor's ids, short enough to index.
            pub const MAX_BYTES: usize = $max;

            /// Checks and keeps the text.
            ///
            /// # Errors
            /// [`InvalidId`] when the text is empty, over long or has control characters.
            pub fn parse(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                check_text(&text, Self::MAX_BYTES)?;
                Ok(Self(text))
            }

            /// The text as the caller wrote it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )*};
}

outside_id! {
    /// The platform's own id of a customer's account.
    AccountId <= 128;
    /// The payment processor that took the money, as the platform names it.
    Provider <= 64;
    /// The processor's id of a payment; unique per provider for ever.
    PaymentId <= 128;
    /// The platform's id of an order, as customers know it (§5.2).
    OrderId <= 128;
    /// The credit package that was bought.
    PackageId <= 128;
    /// The platform's id of one delivery of credits.
    DeliveryId <= 128;
    /// A generation job; each attempt at it is a usage of its own.
    JobId <= 128;
    /// The processor's id of a dispute; unique per provider for ever.
    DisputeId <= 128;
    /// The processor's id of one event.
    ProviderEventId <= 128;
    /// The processor's id of a refund; unique per provider for ever.
    ProviderRefundId <= 128;
    /// A failure cause as workers report it: a key of the policy's cause map.
    Cause <= 64;
    /// The platform's id of the occasion for which a person gave credits, such as a campaign.
    Reference <= 128;
    /// Whoever acted: a role and a subject.
    Actor <= 256;
}

impl AccountId {
    /// Where disputes over unknown payments wait for their purchase: no account, since no caller can name it.
    #[must_use]
    pub const fn unmatched() -> Self {
        Self(String::new())
    }

    /// Whether this is [`AccountId::unmatched`].
    #[must_use]
    pub const fn is_unmatched(&self) -> bool {
        self.0.is_empty()
    }
}

impl Actor {
    /// Nobody: what follows from something else by itself.
    #[must_use]
    pub fn system() -> Self {
        Self("system".to_owned())
    }

    /// What the actor is, such as `agent` of `agent:maria`.
    #[must_use]
    pub fn role(&self) -> &str {
        self.0.split_once(':').map_or(self.0.as_str(), |(role, _)| role)
    }
}

macro_rules! own_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Reads the usual hyphenated form.
            ///
            /// # Errors
            /// [`InvalidId::NotUuid`].
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                Uuid::parse_str(text).map(Self).map_err(|_| InvalidId::NotUuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

own_id! {
    /// A recorded purchase.
    PurchaseId;
    /// A lot of credits.
    LotId;
    /// A refund request: the customer's case.
    RefundRequestId;
    /// One decision on a refund request.
    DecisionId;
    /// Money on its way back to a customer.
    RefundId;
    /// A bank's dispute as we keep it.
    ChargebackId;
    /// One reason why an account may not spend, buy or be refunded.
    RestrictionId;
    /// A declared error of ours.
    IncidentId;
    /// One run over everything that failed in an incident.
    RestorationId;
    /// The caller's idempotency key of one mutation.
    RequestId;
}

/// One attempt at a job: a retry has the same job and the next attempt number, and is charged again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attempt {
    /// The job.
    pub job_id: JobId,
    /// 1 for the first attempt, at most [`Attempt::MAX_NUMBER`].
    pub number: i32,
}

impl Attempt {
    /// Highest attempt number: a job that failed a thousand times is not helped by another.
    pub const MAX_NUMBER: i32 = 1_000;
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.job_id, self.number)
    }
}
