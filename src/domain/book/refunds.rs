//! Refunds: credits given up for money, and given back when the money could not be sent (§4.2, §7.1).

use super::{Book, BookError};
use crate::domain::credits::Credits;
use crate::domain::entry::EntryCause;
use crate::domain::ids::{LotId, PurchaseId, RefundId};
use crate::domain::lot::{Bucket, Repaid, Source};

/// What a refund took from the lots of its purchase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefundedCredits {
    /// From paid lots: these have a money value.
    pub paid: Credits,
    /// From the bonus lots sold with them: these leave with the purchase.
    pub bonus: Credits,
}

impl Book {
    /// Moves everything available of a purchase's lots to refunded, so that nothing refunded can be spent.
    /// Held credits stay with their attempts.
    ///
    /// # Errors
    /// [`BookError::OutOfRange`] on overflow.
    pub fn refund(
        &mut self,
        purchase_id: PurchaseId,
        cause: &EntryCause,
    ) -> Result<RefundedCredits, BookError> {
        let mut refunded = RefundedCredits { paid: Credits::ZERO, bonus: Credits::ZERO };
        let lots: Vec<_> =
            self.lots.iter().filter(|lot| lot.purchase_id == Some(purchase_id)).cloned().collect();
        for lot in lots {
            let credits = lot.spendable(self.now);
            let sum = if lot.source == Source::Purchase { &mut refunded.paid } else { &mut refunded.bonus };
            *sum = sum.plus(credits)?;
            self.shift(lot.lot_id, Bucket::Available, Bucket::Refunded, credits, cause)?;
        }
        Ok(refunded)
    }

    /// Marks the lots of a purchase whose whole price is paid back: what was spent or is held is paid for as well, so
    /// that it is given up when it comes back.
    ///
    /// # Errors
    /// [`BookError::UnknownLot`], which no lot of this book causes.
    pub fn repay_spent(&mut self, purchase_id: PurchaseId, refund_id: RefundId) -> Result<(), BookError> {
        for lot in self.lots_of(purchase_id) {
            let kept = self.lot_mut(lot.lot_id)?;
            kept.repaid = kept.repaid.or(Some(Repaid { refund_id, credits: Credits::ZERO }));
        }
        Ok(())
    }

    /// Undoes [`Self::repay_spent`], and gives back what came back meanwhile: the refund failed or was cancelled.
    ///
    /// # Errors
    /// [`BookError::OutOfRange`] when a lot has fewer refunded credits.
    pub fn undo_repay_spent(&mut self, refund_id: RefundId, cause: &EntryCause) -> Result<(), BookError> {
        for lot in self.lots.clone() {
            if let Some(repaid) = lot.repaid.filter(|repaid| repaid.refund_id == refund_id) {
                self.lot_mut(lot.lot_id)?.repaid = None;
                self.give_back_unpaid(lot.lot_id, Bucket::Refunded, repaid.credits, cause)?;
            }
        }
        Ok(())
    }

    /// Gives back what a refund took, lot by lot: the refund failed or was cancelled.
    ///
    /// # Errors
    /// [`BookError::OutOfRange`] when a lot has fewer refunded credits.
    pub fn undo_refund(&mut self, taken: &[(LotId, Credits)], cause: &EntryCause) -> Result<(), BookError> {
        taken.iter().try_for_each(|(lot_id, credits)| {
            self.give_back_unpaid(*lot_id, Bucket::Refunded, *credits, cause)
        })
    }
}
