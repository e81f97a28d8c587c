//! The life of a refund: its stages, each with what is known in it, and what a processor's news make of them.
//!
//! `docs/lifecycles.md` draws it; a test compares the drawing with [`RefundLife::after`], stage by stage and news by news.

use crate::domain::names::names;
use crate::domain::redacted::FreeText;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The name of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundStage {
    /// Decided; nobody has called the processor.
    Pending,
    /// The processor was called.
    Submitted,
    /// The processor has sent the money.
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
}

/// What the payments backend tells about a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundResult {
    /// The processor is about to be called, or has taken the refund on.
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

/// When a customer can expect the money (§4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedWindow {
    /// Not before this, typically.
    pub from: DateTime<Utc>,
    /// By then, typically.
    pub until: DateTime<Utc>,
}

/// Where a refund is in its life, with what that stage knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum RefundLife {
    /// [`RefundStage::Pending`].
    Pending,
    /// [`RefundStage::Submitted`].
    Submitted {
        /// When the processor was first called, as far as we were told.
        submitted_at: DateTime<Utc>,
        /// When it was last called or said to be at it.
        since: DateTime<Utc>,
        /// When the money can be expected; `None` under a policy that does not say.
        expected: Option<ExpectedWindow>,
    },
    /// [`RefundStage::Unknown`].
    Unknown {
        /// When the processor was first called, as far as we were told.
        submitted_at: DateTime<Utc>,
        /// Since when its answer is missing.
        since: DateTime<Utc>,
        /// When the money can be expected, if it left.
        expected: Option<ExpectedWindow>,
    },
    /// [`RefundStage::Succeeded`].
    Succeeded {
        /// When the processor was called, as far as we were told.
        submitted_at: DateTime<Utc>,
        /// When it sent the money.
        settled_at: DateTime<Utc>,
        /// When the money can be expected: the customer's bank takes its time, too.
        expected: Option<ExpectedWindow>,
    },
    /// [`RefundStage::Failed`].
    Failed {
        /// When the processor was called, as far as we were told.
        submitted_at: DateTime<Utc>,
        /// When it failed, or when the money came back.
        settled_at: DateTime<Utc>,
        /// Why, as the processor says; empty once erased.
        failure_reason: FreeText,
    },
    /// [`RefundStage::Canceled`].
    Canceled {
        /// When.
        settled_at: DateTime<Utc>,
    },
}

/// What a processor is said to have done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// What.
    pub result: RefundResult,
    /// When it happened; it may be heard of much later.
    pub occurred_at: DateTime<Utc>,
    /// Why it failed, as the processor says; empty for other results.
    pub failure_reason: FreeText,
    /// When the money can be expected if the processor was called then.
    pub expected: Option<ExpectedWindow>,
}

/// News that contradict the stage: a person must look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the refund is {stage}, which contradicts that it {}", verb(*.result))]
pub struct RefundConflict {
    /// Where the refund is.
    pub stage: RefundStage,
    /// What was told.
    pub result: RefundResult,
}

const fn verb(result: RefundResult) -> &'static str {
    match result {
        RefundResult::Submitted => "was submitted then",
        RefundResult::Succeeded => "succeeded then",
        RefundResult::Failed => "failed then",
        RefundResult::Unknown => "was called for then without an answer",
    }
}

impl RefundLife {
    /// The name of the stage.
    #[must_use]
    pub const fn stage(&self) -> RefundStage {
        match self {
            Self::Pending => RefundStage::Pending,
            Self::Submitted { .. } => RefundStage::Submitted,
            Self::Unknown { .. } => RefundStage::Unknown,
            Self::Succeeded { .. } => RefundStage::Succeeded,
            Self::Failed { .. } => RefundStage::Failed,
            Self::Canceled { .. } => RefundStage::Canceled,
        }
    }

    /// When the processor was called, if it was.
    #[must_use]
    pub const fn submitted_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Pending | Self::Canceled { .. } => None,
            Self::Submitted { submitted_at, .. }
            | Self::Unknown { submitted_at, .. }
            | Self::Succeeded { submitted_at, .. }
            | Self::Failed { submitted_at, .. } => Some(*submitted_at),
        }
    }

    /// When it succeeded, failed or was stopped.
    #[must_use]
    pub const fn settled_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Pending | Self::Submitted { .. } | Self::Unknown { .. } => None,
            Self::Succeeded { settled_at, .. }
            | Self::Failed { settled_at, .. }
            | Self::Canceled { settled_at } => Some(*settled_at),
        }
    }

    /// Since when nothing newer is known of one that is on its way.
    #[must_use]
    pub const fn since(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Submitted { since, .. } | Self::Unknown { since, .. } => Some(*since),
            Self::Pending | Self::Succeeded { .. } | Self::Failed { .. } | Self::Canceled { .. } => None,
        }
    }

    /// When the customer can expect the money, where any is coming.
    #[must_use]
    pub const fn expected(&self) -> Option<ExpectedWindow> {
        match self {
            Self::Submitted { expected, .. }
            | Self::Unknown { expected, .. }
            | Self::Succeeded { expected, .. } => *expected,
            Self::Pending | Self::Failed { .. } | Self::Canceled { .. } => None,
        }
    }

    /// Why it failed, if it did; empty words once erased.
    #[must_use]
    pub const fn failure_reason(&self) -> Option<&FreeText> {
        match self {
            Self::Failed { failure_reason, .. } => Some(failure_reason),
            _ => None,
        }
    }

    /// What becomes of it by these news; the same where they are known or overtaken by later ones.
    ///
    /// News count by when they happened: unless they contradict each other, the order in which they are heard does not
    /// change the stage. A processor may take a success back (the customer's bank refused the money days later), so a failure after a success counts.
    /// After a failure or a cancellation the credits are back with the customer: whoever calls the processor then, or
    /// was paid by it then, would be paid for nothing.
    ///
    /// # Errors
    /// [`RefundConflict`] where the news contradict the stage.
    pub fn after(self, news: News) -> Result<Self, RefundConflict> {
        use RefundResult as Told;
        let at = news.occurred_at;
        let conflict = RefundConflict { stage: self.stage(), result: news.result };
        match (self, news.result) {
            (Self::Pending, _) => Ok(Self::called(news)),
            // The last call counts: asked again, the processor may know of it, or be silent once more.
            (
                Self::Submitted { submitted_at, since, expected }
                | Self::Unknown { submitted_at, since, expected },
                Told::Submitted,
            ) if at > since => Ok(Self::Submitted { submitted_at, since: at, expected }),
            (
                Self::Submitted { submitted_at, since, expected }
                | Self::Unknown { submitted_at, since, expected },
                Told::Unknown,
            ) if at >= since => Ok(Self::Unknown { submitted_at, since: at, expected }),
            (
                Self::Submitted { submitted_at, expected, .. } | Self::Unknown { submitted_at, expected, .. },
                Told::Succeeded,
            ) => Ok(Self::Succeeded { submitted_at, settled_at: at, expected }),
            (Self::Succeeded { settled_at, .. }, Told::Failed) if at < settled_at => Err(conflict),
            (
                Self::Submitted { submitted_at, .. }
                | Self::Unknown { submitted_at, .. }
                | Self::Succeeded { submitted_at, .. },
                Told::Failed,
            ) => Ok(Self::Failed { submitted_at, settled_at: at, failure_reason: news.failure_reason }),
            (Self::Failed { settled_at, .. }, Told::Submitted | Told::Succeeded | Told::Unknown)
                if at > settled_at =>
            {
                Err(conflict)
            }
            (Self::Canceled { .. }, Told::Submitted | Told::Succeeded | Told::Unknown) => Err(conflict),
            (life, _) => Ok(life),
        }
    }

    /// The first news of a refund that was pending: whatever they are, the processor was called by then.
    fn called(news: News) -> Self {
        let News { result, occurred_at: at, failure_reason, expected } = news;
        match result {
            RefundResult::Submitted => Self::Submitted { submitted_at: at, since: at, expected },
            RefundResult::Unknown => Self::Unknown { submitted_at: at, since: at, expected },
            RefundResult::Succeeded => Self::Succeeded { submitted_at: at, settled_at: at, expected },
            RefundResult::Failed => Self::Failed { submitted_at: at, settled_at: at, failure_reason },
        }
    }

    /// Stops it, so that bank and platform never both pay (§6); as it was once it has left.
    #[must_use]
    pub fn stopped(self, now: DateTime<Utc>) -> Self {
        match self {
            Self::Pending => Self::Canceled { settled_at: now },
            life => life,
        }
    }
}
