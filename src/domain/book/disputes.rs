//! Disputes: freeze, unfreeze, revoke and reinstate the credits of one purchase (§6).

use super::{Book, BookError};
use crate::domain::credits::Credits;
use crate::domain::entry::EntryCause;
use crate::domain::ids::{LotId, PurchaseId};
use crate::domain::lot::{Bucket, Lot};
use crate::domain::money::Money;
use serde::{Deserialize, Serialize};

/// What a lost dispute took from one lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// The lot.
    pub lot_id: LotId,
    /// Credits revoked when it was lost.
    pub revoked: Credits,
    /// Credits that should have been and were out of reach: revoked if they come back.
    pub owed: Credits,
    /// Of `owed`: what was spent or held; the rest had been refunded.
    pub shortfall: Credits,
}

impl Book {
    /// Freezes what is available of a purchase's lots, and marks them so that returning credits freeze too.
    ///
    /// # Errors
    /// [`BookError::OutOfRange`] on overflow.
    pub fn freeze(&mut self, purchase_id: PurchaseId, cause: &EntryCause) -> Result<Credits, BookError> {
        let mut frozen = Credits::ZERO;
        for lot in self.lots_of(purchase_id) {
            // Credits that ran out unseen expire: frozen credits do not, and a dispute must not revive them.
            if lot.is_expired(self.now) {
                self.shift(
                    lot.lot_id,
                    Bucket::Available,
                    Bucket::Expired,
                    lot.available,
                    &EntryCause::Expiry,
                )?;
            } else {
                frozen = frozen.plus(lot.available)?;
                self.shift(lot.lot_id, Bucket::Available, Bucket::Frozen, lot.available, cause)?;
            }
            self.lot_mut(lot.lot_id)?.disputed = true;
        }
        Ok(frozen)
    }

    /// Gives a purchase's frozen credits back: no dispute on it is open any more.
    ///
    /// # Errors
    /// [`BookError::OutOfRange`] on overflow.
    pub fn unfreeze(&mut self, purchase_id: PurchaseId, cause: &EntryCause) -> Result<Credits, BookError> {
        let mut unfrozen = Credits::ZERO;
        for lot in self.lots_of(purchase_id) {
            self.lot_mut(lot.lot_id)?.disputed = false;
            unfrozen = unfrozen.plus(lot.frozen)?;
            self.give_back(lot.lot_id, Bucket::Frozen, lot.frozen, cause)?;
        }
        Ok(unfrozen)
    }

    /// Revokes frozen credits of a purchase in proportion to what the bank returned of its price. What was
    /// spent or is held is owed: it is revoked when it comes back.
    ///
    /// # Errors
    /// [`BookError::OutOfRange`] on overflow.
    pub fn revoke_lost(
        &mut self,
        purchase_id: PurchaseId,
        returned: Money,
        price: Money,
        cause: &EntryCause,
    ) -> Result<Vec<Loss>, BookError> {
        let part = returned.minor_units.min(price.minor_units);
        let mut losses = Vec::new();
        for lot in self.lots_of(purchase_id) {
            // A free purchase has nothing to return, so a dispute over it takes all.
            let share =
                if price.is_zero() { lot.granted } else { lot.granted.share(part, price.minor_units)? };
            let within = Credits::sum([lot.available, lot.held, lot.frozen, lot.consumed, lot.refunded])?;
            let target = share.min(within.minus_at_most(lot.owed));
            let revoked = target.min(lot.frozen);
            let owed = target.minus(revoked)?;
            let shortfall = owed.min(lot.held.plus(lot.consumed)?.minus_at_most(lot.owed));
            self.shift(lot.lot_id, Bucket::Frozen, Bucket::Revoked, revoked, cause)?;
            let kept = self.lot_mut(lot.lot_id)?;
            kept.owed = kept.owed.plus(owed)?;
            losses.push(Loss { lot_id: lot.lot_id, revoked, owed, shortfall });
        }
        Ok(losses)
    }

    /// Undoes a lost dispute that was won after all. What is still owed is forgiven first, whichever dispute it was
    /// for: what is left is then what the other disputes alone would have left. The rest had been revoked, then or
    /// since, and comes back.
    ///
    /// # Errors
    /// [`BookError::OutOfRange`] when the losses are not this book's.
    pub fn reinstate(&mut self, losses: &[Loss], cause: &EntryCause) -> Result<Credits, BookError> {
        let mut reinstated = Credits::ZERO;
        for loss in losses {
            let target = loss.revoked.plus(loss.owed)?;
            let lot = self.lot_mut(loss.lot_id)?;
            let forgiven = lot.owed.min(target);
            lot.owed = lot.owed.minus(forgiven)?;
            // INVARIANT: nothing is owed any more when anything is given back.
            let credits = target.minus(forgiven)?;
            self.give_back(loss.lot_id, Bucket::Revoked, credits, cause)?;
            reinstated = reinstated.plus(credits)?;
        }
        Ok(reinstated)
    }

    pub(super) fn lots_of(&self, purchase_id: PurchaseId) -> Vec<Lot> {
        self.lots.iter().filter(|lot| lot.purchase_id == Some(purchase_id)).cloned().collect()
    }
}
