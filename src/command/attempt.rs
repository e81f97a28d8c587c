//! Attempts: hold, capture, release, and the report of a failed one (§2.2, §3.1).

use super::batch::Hot;
use super::page::{Page, Turn};
use super::{BalanceAt, Error, Reason, Refusal};
use crate::domain::book::{HoldOrder, RestoreOutcome};
use crate::domain::credits::Credits;
use crate::domain::entry::Movement;
use crate::domain::fault::Fault;
use crate::domain::ids::{Attempt, Cause, LotId};
use crate::domain::lot::Bucket;
use crate::domain::redacted::FreeText;
use crate::domain::restriction::{RestrictionKind, Standing};
use crate::domain::usage::{Failure, Usage, UsageStage};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// A usage and what the account has after it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UsageAnswer {
    /// The usage.
    pub usage: Usage,
    /// What the account has after it.
    pub balance: BalanceAt,
}

/// Reserves credits for an attempt.
#[derive(Debug, Serialize)]
pub struct HoldCredits {
    /// The attempt.
    pub attempt: Attempt,
    /// Credits that all outputs cost.
    pub cost: Credits,
    /// Outputs asked for.
    pub outputs: i32,
    /// How long the reservation lasts, in seconds.
    pub ttl_seconds: i64,
}

impl Hot for HoldCredits {
    const METHOD: &'static str = "HoldCredits";
    type Answer = UsageAnswer;

    fn attempt(&self) -> Option<&Attempt> {
        Some(&self.attempt)
    }

    fn makes_attempt(&self, page: &Page, now: DateTime<Utc>) -> bool {
        may_spend(&page.standing).is_ok()
            && page.book.spendable(now).is_ok_and(|available| available >= self.cost)
    }

    fn apply(&self, page: &mut Page, turn: &Turn<'_>) -> Result<UsageAnswer, Error> {
        if let Some(usage) = page.usage(&self.attempt) {
            let usage = usage.clone();
            return self.repeated(usage, page.balance(turn.now)?);
        }
        may_spend(&page.standing)?;
        let expires_at = turn.now.checked_add_signed(TimeDelta::seconds(self.ttl_seconds));
        let usage = page.book.hold(HoldOrder {
            attempt: self.attempt.clone(),
            cost: self.cost,
            outputs: self.outputs,
            expires_at: expires_at.unwrap_or(turn.now),
            trace_id: turn.context.trace_id.clone(),
        })?;
        page.keep(&usage);
        Ok(UsageAnswer { usage, balance: page.balance(turn.now)? })
    }
}

impl HoldCredits {
    /// The same attempt, asked for under another request id: the answer is its present state, and nothing is
    /// taken twice.
    fn repeated(&self, usage: Usage, balance: BalanceAt) -> Result<UsageAnswer, Error> {
        if usage.cost != self.cost || usage.outputs != self.outputs {
            return Err(Refusal::new(
                Reason::UsageAlreadyExists,
                "this attempt was made for other credits or outputs; a retry needs the next attempt number",
            )
            .with("credits", &usage.cost)
            .with("outputs", &usage.outputs)
            .into());
        }
        Ok(UsageAnswer { usage, balance })
    }
}

/// Charges an attempt for what it delivered.
#[derive(Debug, Serialize)]
pub struct CaptureCredits {
    /// The attempt.
    pub attempt: Attempt,
    /// Outputs delivered; `None` for all that were asked for.
    pub delivered_outputs: Option<i32>,
}

impl Hot for CaptureCredits {
    const METHOD: &'static str = "CaptureCredits";
    type Answer = UsageAnswer;

    fn attempt(&self) -> Option<&Attempt> {
        Some(&self.attempt)
    }

    fn apply(&self, page: &mut Page, turn: &Turn<'_>) -> Result<UsageAnswer, Error> {
        let mut usage = load_usage(page, &self.attempt)?;
        let delivered = self.delivered_outputs.unwrap_or(usage.outputs);
        if usage.stage == UsageStage::Captured && usage.delivered_outputs == Some(delivered) {
            return Ok(UsageAnswer { usage, balance: page.balance(turn.now)? });
        }
        if usage.stage == UsageStage::Expired {
            return Err(Refusal::new(
                Reason::HoldExpired,
                "the hold ran out and its credits were given back",
            )
            .with("hold_expires_at", &usage.hold_expires_at.to_rfc3339())
            .into());
        }
        page.book.capture(&mut usage, delivered)?;
        page.keep(&usage);
        Ok(UsageAnswer { usage, balance: page.balance(turn.now)? })
    }
}

/// Gives an attempt's reserved credits back without a charge.
#[derive(Debug, Serialize)]
pub struct ReleaseCredits {
    /// The attempt.
    pub attempt: Attempt,
}

impl Hot for ReleaseCredits {
    const METHOD: &'static str = "ReleaseCredits";
    type Answer = UsageAnswer;

    fn attempt(&self) -> Option<&Attempt> {
        Some(&self.attempt)
    }

    fn apply(&self, page: &mut Page, turn: &Turn<'_>) -> Result<UsageAnswer, Error> {
        let mut usage = load_usage(page, &self.attempt)?;
        if !matches!(usage.stage, UsageStage::Released | UsageStage::Expired) {
            page.book.release(&mut usage)?;
            page.keep(&usage);
        }
        Ok(UsageAnswer { usage, balance: page.balance(turn.now)? })
    }
}

/// A worker reports a failed attempt.
#[derive(Debug, Serialize)]
pub struct RestoreCredits {
    /// The attempt.
    pub attempt: Attempt,
    /// The cause, a key of the policy's cause map.
    pub cause: Cause,
    /// When it failed.
    pub failed_at: DateTime<Utc>,
    /// What the worker saw, or empty; never logged.
    pub error_message: FreeText,
}

/// What a reported failure came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RestoreAnswer {
    /// What it came to.
    pub outcome: RestoreOutcome,
    /// Whose fault it is on record.
    pub fault: Fault,
    /// Credits that left charged or reserved.
    pub credits: Credits,
    /// Where they went, lot by lot.
    pub moved: Vec<Moved>,
    /// The usage.
    pub usage: Usage,
    /// What the account has after it.
    pub balance: BalanceAt,
    /// The clause that it rests on.
    pub clause: String,
    /// For the customer.
    pub sentence: String,
}

/// Credits that moved within a lot.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Moved {
    /// The lot.
    pub lot_id: LotId,
    /// How many.
    pub credits: Credits,
    /// From where.
    pub from: Bucket,
    /// To where.
    pub to: Bucket,
}

impl From<&Movement> for Moved {
    fn from(movement: &Movement) -> Self {
        let Movement { lot_id, from, to, credits, cause: _ } = movement;
        Self { lot_id: *lot_id, credits: *credits, from: *from, to: *to }
    }
}

impl Hot for RestoreCredits {
    const METHOD: &'static str = "RestoreCredits";
    type Answer = RestoreAnswer;

    fn attempt(&self) -> Option<&Attempt> {
        Some(&self.attempt)
    }

    fn apply(&self, page: &mut Page, turn: &Turn<'_>) -> Result<RestoreAnswer, Error> {
        let mut usage = load_usage(page, &self.attempt)?;
        let failure = Failure {
            cause: self.cause.clone(),
            fault: turn.policy.fault_of(&self.cause),
            // A worker's clock may be behind ours: an attempt cannot have failed before it began.
            failed_at: self.failed_at.max(usage.held_at),
            reported_at: turn.now,
            trace_id: turn.context.trace_id.clone(),
        };
        let report = page.book.report_failure(&mut usage, failure)?;
        page.keep(&usage);
        if !self.error_message.is_empty() {
            page.keep_failure_text(&self.attempt, &self.error_message);
        }
        let fault = usage.failure.as_ref().map_or(Fault::Undetermined, |failure| failure.fault);
        let rule = turn.policy.report_rule(report.outcome);
        Ok(RestoreAnswer {
            outcome: report.outcome,
            fault,
            credits: report.credits,
            moved: page.book.movements().iter().map(Moved::from).collect(),
            usage,
            balance: page.balance(turn.now)?,
            clause: rule.map(|rule| rule.clause.clone()).unwrap_or_default(),
            sentence: rule.map(|rule| rule.sentence.clone()).unwrap_or_default(),
        })
    }
}

fn may_spend(standing: &Standing) -> Result<(), Error> {
    if standing.has(RestrictionKind::Terminated) {
        return Err(Refusal::new(Reason::AccountTerminated, "the account is closed (§3.3)").into());
    }
    if standing.has(RestrictionKind::Suspended) {
        return Err(Refusal::new(Reason::AccountSuspended, "the account is suspended (§6)").into());
    }
    Ok(())
}

fn load_usage(page: &Page, attempt: &Attempt) -> Result<Usage, Error> {
    let usage = page.usage(attempt).cloned();
    usage.ok_or_else(|| Refusal::new(Reason::UsageNotFound, "the account has no such attempt").into())
}
