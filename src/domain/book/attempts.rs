//! Attempts: hold, capture, release, and restore after a failure.

use super::{Book, BookError};
use crate::domain::credits::Credits;
use crate::domain::entry::EntryCause;
use crate::domain::fault::Fault;
use crate::domain::ids::Attempt;
use crate::domain::lot::Bucket;
use crate::domain::names::names;
use crate::domain::usage::{Allocation, Failure, Usage, UsageStage};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A worker's wish to reserve credits for one attempt.
#[derive(Debug, Clone)]
pub struct HoldOrder {
    /// The attempt.
    pub attempt: Attempt,
    /// Credits that all outputs cost.
    pub cost: Credits,
    /// Outputs asked for, 1 or more.
    pub outputs: i32,
    /// When the reservation runs out.
    pub expires_at: DateTime<Utc>,
    /// The worker's trace.
    pub trace_id: Option<String>,
}

/// What a reported failure came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreOutcome {
    /// Charged credits went back to their lots (§2.2).
    Restored,
    /// Reserved credits went back to their lots; nothing had been charged.
    Released,
    /// An earlier report had them back already.
    AlreadyRestored,
    /// Nothing goes back, and why.
    NotRestorable(NotRestorable),
}

impl RestoreOutcome {
    /// Every outcome.
    pub const ALL: [Self; 6] = [
        Self::Restored,
        Self::Released,
        Self::AlreadyRestored,
        Self::NotRestorable(NotRestorable::NothingCharged),
        Self::NotRestorable(NotRestorable::CustomerFault),
        Self::NotRestorable(NotRestorable::FaultUndetermined),
    ];

    /// The name by which a policy document knows it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Restored => "restored",
            Self::Released => "released",
            Self::AlreadyRestored => "already_restored",
            Self::NotRestorable(reason) => reason.name(),
        }
    }
}

/// Why a reported failure gives nothing back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotRestorable {
    /// The attempt charged nothing.
    NothingCharged,
    /// The failure was the customer's (§3.1).
    CustomerFault,
    /// The cause does not say whose fault it was; the failure is on record for a person or an incident.
    FaultUndetermined,
}

names!(NotRestorable {
    NothingCharged => "nothing_charged", CustomerFault => "customer_fault", FaultUndetermined => "fault_undetermined",
});

/// What a failure report changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// What it came to.
    pub outcome: RestoreOutcome,
    /// Credits that left charged or reserved.
    pub credits: Credits,
}

impl Book {
    /// Reserves credits in burn order; check and debit are one.
    ///
    /// # Errors
    /// [`BookError::InsufficientCredits`]; the book is then unchanged.
    pub fn hold(&mut self, order: HoldOrder) -> Result<Usage, BookError> {
        let HoldOrder { attempt, cost, outputs, expires_at, trace_id } = order;
        let available = self.balance()?.available;
        if available < cost {
            return Err(BookError::InsufficientCredits { needed: cost, available });
        }
        let cause = EntryCause::Usage(attempt.clone());
        let mut allocations = Vec::new();
        let mut needed = cost;
        let spendable: Vec<_> = self.lots.iter().map(|lot| (lot.lot_id, lot.spendable(self.now))).collect();
        for (lot_id, spendable) in spendable {
            let taken = spendable.min(needed);
            if taken.is_zero() {
                continue;
            }
            needed = needed.minus(taken)?;
            self.shift(lot_id, Bucket::Available, Bucket::Held, taken, &cause)?;
            allocations.push(Allocation {
                lot_id,
                taken,
                captured: Credits::ZERO,
                released: Credits::ZERO,
                restored: Credits::ZERO,
            });
        }
        Ok(Usage {
            attempt,
            stage: UsageStage::Held,
            cost,
            outputs,
            delivered_outputs: None,
            allocations,
            held_at: self.now,
            hold_expires_at: expires_at,
            ended_at: None,
            failure: None,
            trace_id,
        })
    }

    /// Charges `floor(cost × delivered / outputs)` in burn order and gives the rest back.
    ///
    /// # Errors
    /// [`BookError::NotHeld`] when nothing is reserved any more, [`BookError::TooManyOutputs`].
    pub fn capture(&mut self, usage: &mut Usage, delivered: i32) -> Result<(), BookError> {
        expect_held(usage)?;
        if delivered > usage.outputs {
            return Err(BookError::TooManyOutputs { delivered, asked: usage.outputs });
        }
        let cause = EntryCause::Usage(usage.attempt.clone());
        let mut charge = usage.cost.share(i64::from(delivered), i64::from(usage.outputs))?;
        for allocation in &mut usage.allocations {
            let captured = allocation.taken.min(charge);
            charge = charge.minus(captured)?;
            allocation.captured = captured;
            self.shift(allocation.lot_id, Bucket::Held, Bucket::Consumed, captured, &cause)?;
        }
        self.release_rest(usage, &cause)?;
        usage.delivered_outputs = Some(delivered);
        self.end(usage, UsageStage::Captured);
        Ok(())
    }

    /// Gives everything reserved back.
    ///
    /// # Errors
    /// [`BookError::NotHeld`] when nothing is reserved any more.
    pub fn release(&mut self, usage: &mut Usage) -> Result<(), BookError> {
        expect_held(usage)?;
        let cause = EntryCause::Usage(usage.attempt.clone());
        self.release_rest(usage, &cause)?;
        self.end(usage, UsageStage::Released);
        Ok(())
    }

    /// Takes a worker's report that the attempt failed, and gives back what the fault allows (§2.2).
    ///
    /// A report never takes anything: a fault once found ours or the customer's stays, an undetermined one may
    /// be settled by a later report.
    ///
    /// # Errors
    /// Only [`BookError::OutOfRange`] and [`BookError::UnknownLot`], which no stored usage can cause.
    pub fn report_failure(&mut self, usage: &mut Usage, failure: Failure) -> Result<Report, BookError> {
        let settled = usage.failure.as_ref().is_some_and(|known| known.fault != Fault::Undetermined);
        if !settled {
            usage.failure = Some(failure);
        }
        let fault = usage.failure.as_ref().map_or(Fault::Undetermined, |known| known.fault);
        let cause = EntryCause::Usage(usage.attempt.clone());
        let nothing =
            |reason| Report { outcome: RestoreOutcome::NotRestorable(reason), credits: Credits::ZERO };
        let charged = usage.charged()?;
        match (usage.stage, fault) {
            (UsageStage::Held, _) => {
                let credits = usage.held()?;
                self.release_rest(usage, &cause)?;
                self.end(usage, UsageStage::Failed);
                Ok(Report { outcome: RestoreOutcome::Released, credits })
            }
            (UsageStage::Failed, _) => {
                Ok(Report { outcome: RestoreOutcome::AlreadyRestored, credits: Credits::ZERO })
            }
            (UsageStage::Captured, _) if charged.is_zero() => Ok(nothing(NotRestorable::NothingCharged)),
            (UsageStage::Released | UsageStage::Expired, _) => Ok(nothing(NotRestorable::NothingCharged)),
            (UsageStage::Captured, Fault::Customer) => Ok(nothing(NotRestorable::CustomerFault)),
            (UsageStage::Captured, Fault::Undetermined) => Ok(nothing(NotRestorable::FaultUndetermined)),
            (UsageStage::Captured, Fault::Platform) => {
                self.restore(usage, &cause)?;
                Ok(Report { outcome: RestoreOutcome::Restored, credits: charged })
            }
        }
    }

    /// Gives everything charged back to its lots, last burnt first.
    ///
    /// # Errors
    /// Only [`BookError::OutOfRange`] and [`BookError::UnknownLot`], which no stored usage can cause.
    pub fn restore(&mut self, usage: &mut Usage, cause: &EntryCause) -> Result<Credits, BookError> {
        let charged = usage.charged()?;
        for allocation in usage.allocations.iter_mut().rev() {
            let credits = allocation.charged();
            allocation.restored = allocation.captured;
            self.give_back(allocation.lot_id, Bucket::Consumed, credits, cause)?;
        }
        self.end(usage, UsageStage::Failed);
        Ok(charged)
    }

    pub(super) fn release_rest(&mut self, usage: &mut Usage, cause: &EntryCause) -> Result<(), BookError> {
        for allocation in usage.allocations.iter_mut().rev() {
            let rest = allocation.held();
            allocation.released = allocation.released.plus(rest)?;
            self.give_back(allocation.lot_id, Bucket::Held, rest, cause)?;
        }
        Ok(())
    }

    pub(super) fn end(&self, usage: &mut Usage, stage: UsageStage) {
        usage.stage = stage;
        usage.ended_at = usage.ended_at.or(Some(self.now));
    }
}

fn expect_held(usage: &Usage) -> Result<(), BookError> {
    match usage.stage {
        UsageStage::Held => Ok(()),
        other => Err(BookError::NotHeld(other)),
    }
}
