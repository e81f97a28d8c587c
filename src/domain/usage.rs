//! Usages: one attempt at a job, what it took from which lots, and how it ended.

use super::credits::{Credits, OutOfRange};
use super::fault::Fault;
use super::ids::{Attempt, Cause, LotId};
use super::names::names;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Where a usage is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageStage {
    /// Credits are reserved; the attempt runs.
    Held,
    /// What was delivered is charged; the rest was given back.
    Captured,
    /// Everything was given back without a charge.
    Released,
    /// The hold outlived its time and was given back.
    Expired,
    /// The attempt was reported failed and whatever it held or had been charged is back.
    Failed,
}

names!(UsageStage {
    Held => "held", Captured => "captured", Released => "released", Expired => "expired", Failed => "failed",
});

/// What a usage took from one lot, in burn order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    /// The lot.
    pub lot_id: LotId,
    /// Credits reserved at the start. INVARIANT: while not held, `taken = captured + released`.
    pub taken: Credits,
    /// Credits charged.
    pub captured: Credits,
    /// Reserved credits given back without a charge.
    pub released: Credits,
    /// Of `captured`: given back after a failure of ours.
    pub restored: Credits,
}

impl Allocation {
    /// Credits still reserved.
    #[must_use]
    pub fn held(&self) -> Credits {
        self.taken.minus_at_most(self.captured).minus_at_most(self.released)
    }

    /// Credits charged and not given back.
    #[must_use]
    pub fn charged(&self) -> Credits {
        self.captured.minus_at_most(self.restored)
    }
}

/// A worker's report that an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The cause as reported.
    pub cause: Cause,
    /// Whose fault that is by the policy.
    pub fault: Fault,
    /// When it failed, as the worker says.
    pub failed_at: DateTime<Utc>,
    /// When we were told.
    pub reported_at: DateTime<Utc>,
    /// The worker's trace, so that support can walk to it.
    pub trace_id: Option<String>,
}

/// One attempt at a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The attempt.
    pub attempt: Attempt,
    /// Where it is in its life.
    pub stage: UsageStage,
    /// Credits that all outputs cost.
    pub cost: Credits,
    /// Outputs asked for.
    pub outputs: i32,
    /// Outputs delivered, once captured.
    pub delivered_outputs: Option<i32>,
    /// What it took, in burn order.
    pub allocations: Vec<Allocation>,
    /// When credits were reserved.
    pub held_at: DateTime<Utc>,
    /// When the reservation runs out.
    pub hold_expires_at: DateTime<Utc>,
    /// When it was captured, released, expired or failed.
    pub ended_at: Option<DateTime<Utc>>,
    /// The report of its failure.
    pub failure: Option<Failure>,
    /// The trace that reserved its credits.
    pub trace_id: Option<String>,
}

impl Usage {
    /// Most outputs one attempt may ask for.
    pub const MAX_OUTPUTS: i32 = 1_000;

    /// Credits still reserved.
    ///
    /// # Errors
    /// [`OutOfRange`] on overflow.
    pub fn held(&self) -> Result<Credits, OutOfRange> {
        Credits::sum(self.allocations.iter().map(Allocation::held))
    }

    /// Credits charged and not given back.
    ///
    /// # Errors
    /// [`OutOfRange`] on overflow.
    pub fn charged(&self) -> Result<Credits, OutOfRange> {
        Credits::sum(self.allocations.iter().map(Allocation::charged))
    }

    /// Credits charged at the capture, those given back since included.
    ///
    /// # Errors
    /// [`OutOfRange`] on overflow.
    pub fn captured(&self) -> Result<Credits, OutOfRange> {
        Credits::sum(self.allocations.iter().map(|allocation| allocation.captured))
    }

    /// Reserved credits given back without a charge.
    ///
    /// # Errors
    /// [`OutOfRange`] on overflow.
    pub fn released(&self) -> Result<Credits, OutOfRange> {
        Credits::sum(self.allocations.iter().map(|allocation| allocation.released))
    }

    /// Charged credits given back after a failure of ours (§2.2).
    ///
    /// # Errors
    /// [`OutOfRange`] on overflow.
    pub fn restored(&self) -> Result<Credits, OutOfRange> {
        Credits::sum(self.allocations.iter().map(|allocation| allocation.restored))
    }
}
