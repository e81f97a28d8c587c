//! Disputes: freeze, unfreeze, revoke and reinstate the credits of one purchase (§6).

use super::{Book, BookError};
use crate::domain::credits::{Credits, OutOfRange};
use crate::domain::entry::EntryCause;
use crate::domain::ids::{LotId, PurchaseId};
use crate::domain::lot::{Bucket, Lot};
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

/// What the bank has returned of a purchase's price, over all its lost disputes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Returned {
    /// In minor units; may exceed the price.
    pub minor_units: i64,
    /// The price, in minor units.
    pub price_minor: i64,
    /// Whether any dispute is lost: one over a free purchase returns nothing and takes all.
    pub is_lost: bool,
}

impl Returned {
    /// The part of a lot's credits that the bank has returned the price of, rounded down.
    fn share_of(self, lot: &Lot) -> Result<Credits, OutOfRange> {
        match (self.is_lost, self.price_minor) {
            (false, _) => Ok(Credits::ZERO),
            (true, 0) => Ok(lot.granted),
            (true, price) => lot.granted.share(self.minor_units.min(price), price),
        }
    }
}

impl Loss {
    fn total(&self) -> Result<Credits, OutOfRange> {
        self.revoked.plus(self.owed)
    }

    /// What losses took from one lot.
    fn total_of<'a>(losses: impl Iterator<Item = &'a Self>, lot_id: LotId) -> Result<Credits, OutOfRange> {
        losses
            .filter(|loss| loss.lot_id == lot_id)
            .try_fold(Credits::ZERO, |sum, loss| sum.plus(loss.total()?))
    }

    /// Two parts of it: at most `credits`, those revoked at once first, and the rest.
    fn split(&self, credits: Credits) -> Result<(Self, Self), OutOfRange> {
        let revoked = credits.min(self.revoked);
        let owed = credits.minus(revoked)?.min(self.owed);
        let shortfall = owed.min(self.shortfall);
        let part = Self { lot_id: self.lot_id, revoked, owed, shortfall };
        let rest = Self {
            lot_id: self.lot_id,
            revoked: self.revoked.minus(revoked)?,
            owed: self.owed.minus(owed)?,
            shortfall: self.shortfall.minus(shortfall)?,
        };
        Ok((part, rest))
    }
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

    /// Credits of a purchase that are frozen now.
    ///
    /// # Errors
    /// [`BookError::OutOfRange`] on overflow.
    pub fn frozen_of(&self, purchase_id: PurchaseId) -> Result<Credits, BookError> {
        let lots = self.lots.iter().filter(|lot| lot.purchase_id == Some(purchase_id));
        Ok(Credits::sum(lots.map(|lot| lot.frozen))?)
    }

    /// Revokes frozen credits of a purchase until all its lost disputes together took its lots' share of what the bank
    /// has returned of its price, by running total: two halves take the whole. What was spent or is held is owed: it is
    /// revoked when it comes back. `others` is what its other lost disputes took.
    ///
    /// # Errors
    /// [`BookError::OutOfRange`] on overflow.
    pub fn revoke_lost(
        &mut self,
        purchase_id: PurchaseId,
        others: &[Vec<Loss>],
        returned: Returned,
        cause: &EntryCause,
    ) -> Result<Vec<Loss>, BookError> {
        let mut losses = Vec::new();
        for lot in self.lots_of(purchase_id) {
            let share =
                returned.share_of(&lot)?.minus_at_most(Loss::total_of(others.iter().flatten(), lot.lot_id)?);
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

    /// Undoes a lost dispute that was won after all, down to the share of what the bank has still returned: `others` are
    /// the purchase's disputes that stay lost, which keep what is theirs of it. What is still owed is forgiven first,
    /// whichever dispute it was for; the rest had been revoked, then or since, and comes back.
    ///
    /// # Errors
    /// [`BookError::OutOfRange`] when the losses are not this book's.
    pub fn reinstate(
        &mut self,
        losses: &[Loss],
        others: &mut [Vec<Loss>],
        returned: Returned,
        cause: &EntryCause,
    ) -> Result<Credits, BookError> {
        let mut reinstated = Credits::ZERO;
        for loss in losses {
            let lot = self.lot_mut(loss.lot_id)?;
            let share = returned.share_of(lot)?;
            let told = Loss::total_of(others.iter().flatten(), loss.lot_id)?;
            let (kept, freed) = loss.split(share.minus_at_most(told))?;
            let mut target = freed.total()?;
            if let Some(heir) = others.first_mut().filter(|_| !kept.total().is_ok_and(Credits::is_zero)) {
                heir.push(kept);
            }
            // The others' shares were rounded beside this one; alone they may take a credit less.
            let mut excess = told.minus_at_most(share);
            for other in others.iter_mut().flatten().filter(|other| other.lot_id == loss.lot_id) {
                let (less, rest) = other.split(other.total()?.minus_at_most(excess))?;
                excess = excess.minus(rest.total()?)?;
                target = target.plus(rest.total()?)?;
                *other = less;
            }
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
