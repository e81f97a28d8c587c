//! Time: holds that outlived theirs, credits that ran out, and the time that a suspension may not take.

use super::{Book, BookError};
use crate::domain::credits::Credits;
use crate::domain::entry::EntryCause;
use crate::domain::ids::LotId;
use crate::domain::lot::{Bucket, Lot};
use crate::domain::usage::{Usage, UsageStage};

impl Book {
    /// Gives back what an attempt holds beyond its time, to where its lots' states send it. An attempt that ended,
    /// or that has time left, is left alone: says whether it was not.
    ///
    /// # Errors
    /// Only [`BookError::OutOfRange`] and [`BookError::UnknownLot`], which no stored usage can cause.
    pub fn expire_hold(&mut self, usage: &mut Usage) -> Result<bool, BookError> {
        // The instant itself is too late, as it is for lots.
        if usage.stage != UsageStage::Held || usage.hold_expires_at > self.now {
            return Ok(false);
        }
        let cause = EntryCause::Usage(usage.attempt.clone());
        self.release_rest(usage, &cause)?;
        self.end(usage, UsageStage::Expired);
        Ok(true)
    }

    /// Expires what is available in lots that ran out, and says in how many. Held and frozen credits do not
    /// expire, and what lost disputes are owed stays owed.
    ///
    /// # Errors
    /// [`BookError::OutOfRange`] on overflow.
    pub fn expire(&mut self) -> Result<usize, BookError> {
        let run_out = self.run_out();
        for (lot_id, credits) in &run_out {
            self.shift(*lot_id, Bucket::Available, Bucket::Expired, *credits, &EntryCause::Expiry)?;
        }
        Ok(run_out.len())
    }

    /// Lets lots that ran out live on for the grace period, and says how many: a suspension kept their credits from
    /// being spent, and freezes value without destroying it.
    ///
    /// # Errors
    /// Only [`BookError::UnknownLot`], which no book can cause.
    pub fn extend(&mut self) -> Result<usize, BookError> {
        let run_out = self.run_out();
        for (lot_id, _) in &run_out {
            let lives_until = self.now.checked_add_signed(self.grace);
            self.lot_mut(*lot_id)?.expires_at = lives_until;
        }
        self.reorder();
        Ok(run_out.len())
    }

    /// Lots that ran out with credits still available.
    fn run_out(&self) -> Vec<(LotId, Credits)> {
        let has_run_out = |lot: &&Lot| lot.is_expired(self.now) && !lot.available.is_zero();
        self.lots.iter().filter(has_run_out).map(|lot| (lot.lot_id, lot.available)).collect()
    }
}
