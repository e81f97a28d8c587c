//! The life of a refund request: its stages, each with what is known in it, and the steps between them.
//!
//! `docs/lifecycles.md` draws it; a test compares the drawing with [`Life::after`], stage by stage and step by step.

use super::Response;
use crate::domain::ids::Actor;
use crate::domain::names::names;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The name of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestStage {
    /// Received and not decided; passed through within one call.
    Submitted,
    /// The customer was asked for more.
    AwaitingInformation,
    /// A person decides.
    InReview,
    /// Approved; money is on its way.
    Approved,
    /// Denied.
    Denied,
    /// The customer took it back.
    Withdrawn,
    /// The customer never answered.
    Expired,
    /// Approved, and everything promised has arrived.
    Settled,
}

names!(RequestStage {
    Submitted => "submitted", AwaitingInformation => "awaiting_information", InReview => "in_review",
    Approved => "approved", Denied => "denied", Withdrawn => "withdrawn", Expired => "expired",
    Settled => "settled",
});

impl RequestStage {
    /// Whether the request still waits for its decision. A purchase has one open request at most.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Submitted | Self::AwaitingInformation | Self::InReview)
    }

    /// Whether the customer waits for our answer: the clock of §4.1 runs.
    #[must_use]
    pub const fn awaits_us(self) -> bool {
        matches!(self, Self::Submitted | Self::InReview)
    }
}

/// One person's yes, where more than one must agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub approver: Actor,
    /// When.
    pub approved_at: DateTime<Utc>,
    /// To what, in canonical form: only those who approved the same count together.
    pub proposal: String,
}

/// Where a request is in its life, with what that stage knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Life {
    /// [`RequestStage::Submitted`].
    Submitted,
    /// [`RequestStage::AwaitingInformation`].
    AwaitingInformation {
        /// When the unanswered question ends the request; `None` under a policy that lets it wait for ever.
        #[serde(default)]
        expires_at: Option<DateTime<Utc>>,
    },
    /// [`RequestStage::InReview`].
    InReview {
        /// How many different people must approve it.
        #[serde(default)]
        approvals_required: i32,
        /// Those who did, all the same.
        #[serde(default)]
        approvals: Vec<Approval>,
    },
    /// [`RequestStage::Approved`].
    Approved,
    /// [`RequestStage::Denied`].
    Denied {
        /// When.
        closed_at: DateTime<Utc>,
    },
    /// [`RequestStage::Withdrawn`].
    Withdrawn {
        /// When.
        closed_at: DateTime<Utc>,
    },
    /// [`RequestStage::Expired`].
    Expired {
        /// When.
        closed_at: DateTime<Utc>,
    },
    /// [`RequestStage::Settled`].
    Settled {
        /// When.
        closed_at: DateTime<Utc>,
    },
}

/// What a decision comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Approved with money, which must travel.
    Pay,
    /// Approved with credits, which have arrived.
    Give,
    /// Denied.
    Deny,
    /// The customer is asked.
    Ask {
        /// When the question ends the request.
        expires_at: Option<DateTime<Utc>>,
    },
    /// A person decides.
    Refer {
        /// How many different people must approve.
        approvals_required: i32,
    },
}

/// Something that happens to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The policy decides what was submitted.
    Decide(Verdict),
    /// The customer tells more, and the policy decides again.
    Inform(Verdict),
    /// A person decides; who refers it to a person again has not decided.
    Resolve(Verdict),
    /// A person approves, and another one must yet approve the same.
    Endorse {
        /// How many different people must approve.
        approvals_required: i32,
        /// Those who did.
        approvals: Vec<Approval>,
    },
    /// A person keeps it where it is, with a note or for somebody else.
    Keep,
    /// The customer takes it back.
    Withdraw,
    /// Nobody answered in time.
    Expire,
    /// The money has arrived.
    Settle,
    /// The money did not arrive, or was stopped: a person must find another way (§4.2, §6).
    Reopen,
}

/// A step that cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the refund request is {stage}, where this cannot be done")]
pub struct StageConflict {
    /// Where the request is.
    pub stage: RequestStage,
}

impl Verdict {
    const fn response(&self) -> Option<Response> {
        match self {
            Self::Pay | Self::Give => Some(Response::Approval),
            Self::Deny => Some(Response::Denial),
            Self::Ask { .. } => Some(Response::Question),
            Self::Refer { .. } => None,
        }
    }

    fn life(self, now: DateTime<Utc>) -> Life {
        match self {
            Self::Pay => Life::Approved,
            Self::Give => Life::Settled { closed_at: now },
            Self::Deny => Life::Denied { closed_at: now },
            Self::Ask { expires_at } => Life::AwaitingInformation { expires_at },
            Self::Refer { approvals_required } => Life::in_review(approvals_required),
        }
    }
}

impl Step {
    /// The answer that the customer has by this step (§4.1).
    #[must_use]
    pub const fn response(&self) -> Option<Response> {
        match self {
            Self::Decide(verdict) | Self::Inform(verdict) | Self::Resolve(verdict) => verdict.response(),
            _ => None,
        }
    }
}

impl Life {
    /// In review, approved by nobody yet.
    #[must_use]
    pub const fn in_review(approvals_required: i32) -> Self {
        Self::InReview { approvals_required, approvals: Vec::new() }
    }

    /// The name of the stage.
    #[must_use]
    pub const fn stage(&self) -> RequestStage {
        match self {
            Self::Submitted => RequestStage::Submitted,
            Self::AwaitingInformation { .. } => RequestStage::AwaitingInformation,
            Self::InReview { .. } => RequestStage::InReview,
            Self::Approved => RequestStage::Approved,
            Self::Denied { .. } => RequestStage::Denied,
            Self::Withdrawn { .. } => RequestStage::Withdrawn,
            Self::Expired { .. } => RequestStage::Expired,
            Self::Settled { .. } => RequestStage::Settled,
        }
    }

    /// When it was closed.
    #[must_use]
    pub const fn closed_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Denied { closed_at }
            | Self::Withdrawn { closed_at }
            | Self::Expired { closed_at }
            | Self::Settled { closed_at } => Some(*closed_at),
            Self::Submitted | Self::AwaitingInformation { .. } | Self::InReview { .. } | Self::Approved => {
                None
            }
        }
    }

    /// When an unanswered question ends it.
    #[must_use]
    pub const fn expires_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::AwaitingInformation { expires_at } => *expires_at,
            _ => None,
        }
    }

    /// Whether its time to be answered by the customer is over, swept or not.
    #[must_use]
    pub fn has_run_out(&self, now: DateTime<Utc>) -> bool {
        self.expires_at().is_some_and(|expires_at| expires_at <= now)
    }

    /// Goes one step on.
    ///
    /// # Errors
    /// [`StageConflict`] where the step cannot be taken.
    pub fn after(self, step: Step, now: DateTime<Utc>) -> Result<Self, StageConflict> {
        use Life::{Approved, AwaitingInformation, Denied, InReview, Settled, Submitted};
        if self.has_run_out(now) {
            // Whether the sweep came by already must not decide what a caller is told.
            return match step {
                Step::Expire => Ok(Self::Expired { closed_at: now }),
                Step::Reopen => Ok(Self::in_review(1)),
                _ => Err(StageConflict { stage: RequestStage::Expired }),
            };
        }
        match (self, step) {
            (Submitted, Step::Decide(verdict))
            | (AwaitingInformation { .. } | InReview { .. }, Step::Inform(verdict)) => Ok(verdict.life(now)),
            (InReview { .. }, Step::Resolve(verdict)) if !matches!(verdict, Verdict::Refer { .. }) => {
                Ok(verdict.life(now))
            }
            (InReview { .. }, Step::Endorse { approvals_required, approvals }) => {
                Ok(InReview { approvals_required, approvals })
            }
            (life @ (AwaitingInformation { .. } | InReview { .. }), Step::Keep)
            // What a person has in hand already stays in hand as it is.
            | (life @ InReview { .. }, Step::Reopen) => Ok(life),
            (AwaitingInformation { .. } | InReview { .. }, Step::Withdraw) => {
                Ok(Self::Withdrawn { closed_at: now })
            }
            (Approved, Step::Settle) => Ok(Settled { closed_at: now }),
            (Approved | Settled { .. } | Denied { .. } | AwaitingInformation { .. }, Step::Reopen) => {
                Ok(Self::in_review(1))
            }
            (life, _) => Err(StageConflict { stage: life.stage() }),
        }
    }
}
