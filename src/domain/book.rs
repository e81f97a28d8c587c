//! The book: an account's lots that may still change, and the pure operations on them.
//!
//! Every operation is a story of [`Movement`]s through the one private door `shift`, so that the ledger's
//! entries and the lots' buckets cannot disagree. An operation that fails leaves the book to be thrown away:
//! callers keep nothing of it.

mod attempts;
mod disputes;
mod expiry;
mod refunds;
mod revocations;

use super::credits::{Credits, OutOfRange};
use super::entry::{EntryCause, Movement};
use super::ids::LotId;
use super::lot::{Bucket, Lot, NewLot};
use super::usage::UsageStage;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

pub use attempts::{HoldOrder, NotRestorable, Report, RestoreOutcome};
pub use disputes::{Loss, Returned};
pub use refunds::RefundedCredits;
pub use revocations::Reach;

/// Why an operation on the book was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// The lots have fewer spendable credits than asked.
    #[error("the account has {available} credits available and {needed} are needed")]
    InsufficientCredits {
        /// Credits asked for.
        needed: Credits,
        /// Credits that may be spent.
        available: Credits,
    },
    /// The usage holds nothing any more.
    #[error("the attempt is {}, not held", .0.name())]
    NotHeld(UsageStage),
    /// More outputs delivered than asked for.
    #[error("{delivered} outputs were delivered of {asked} asked for")]
    TooManyOutputs {
        /// Outputs delivered.
        delivered: i32,
        /// Outputs asked for.
        asked: i32,
    },
    /// Fewer credits within reach can be revoked than were asked for.
    #[error("{asked} credits are to be revoked and {available} of them are available")]
    RevocationExceedsAvailable {
        /// Credits asked for.
        asked: Credits,
        /// Credits within reach that may be spent.
        available: Credits,
    },
    /// A lot that must be there was not loaded.
    #[error("a lot of the operation is missing from the book")]
    UnknownLot(LotId),
    /// A sum left its range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
}

/// What an account has, over its lots that may still change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Balance {
    /// May be spent now.
    pub available: Credits,
    /// Reserved by running attempts.
    pub held: Credits,
    /// Kept from use while a bank decides.
    pub frozen: Credits,
}

/// What an operation changed: the write set.
#[derive(Debug)]
pub struct Changes {
    /// Lots that were not in the database, as they are now.
    pub new_lots: Vec<Lot>,
    /// Lots that were, as they are now.
    pub changed_lots: Vec<Lot>,
    /// The movements, in order.
    pub movements: Vec<Movement>,
}

/// An account's lots in burn order, and what happened to them since they were loaded.
#[derive(Debug)]
pub struct Book {
    lots: Vec<Lot>,
    /// Where each lot is in `lots`: an attempt may have taken from very many.
    places: HashMap<LotId, usize>,
    created: BTreeSet<LotId>,
    touched: BTreeSet<LotId>,
    movements: Vec<Movement>,
    now: DateTime<Utc>,
    grace: TimeDelta,
}

impl Book {
    /// Opens the book at an instant. `grace` is how long credits given back to an expired lot may still be
    /// spent (a policy parameter).
    #[must_use]
    pub fn open(mut lots: Vec<Lot>, now: DateTime<Utc>, grace: TimeDelta) -> Self {
        lots.sort_by(Lot::burn_order);
        let places = places(&lots);
        let (created, touched, movements) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        Self { lots, places, created, touched, movements, now, grace }
    }

    /// The lots in burn order.
    #[must_use]
    pub fn lots(&self) -> &[Lot] {
        &self.lots
    }

    /// One lot.
    #[must_use]
    pub fn lot(&self, lot_id: LotId) -> Option<&Lot> {
        self.places.get(&lot_id).and_then(|place| self.lots.get(*place))
    }

    /// How many lots still have credits to move.
    #[must_use]
    pub fn open_lots(&self) -> usize {
        self.lots.iter().filter(|lot| lot.is_open()).count()
    }

    /// What may be spent at an instant.
    ///
    /// # Errors
    /// [`BookError::OutOfRange`] on overflow.
    pub fn spendable(&self, now: DateTime<Utc>) -> Result<Credits, BookError> {
        Ok(Credits::sum(self.lots.iter().map(|lot| lot.spendable(now)))?)
    }

    /// What the account has now.
    ///
    /// # Errors
    /// [`BookError::OutOfRange`] on overflow.
    pub fn balance(&self) -> Result<Balance, BookError> {
        let sum = |of: &dyn Fn(&Lot) -> Credits| Credits::sum(self.lots.iter().map(of));
        Ok(Balance {
            available: self.spendable(self.now)?,
            held: sum(&|lot| lot.held)?,
            frozen: sum(&|lot| lot.frozen)?,
        })
    }

    /// Grants credits in a new lot. While its purchase is disputed they are frozen at once (§6).
    ///
    /// # Errors
    /// [`BookError::OutOfRange`] on overflow.
    pub fn grant(
        &mut self,
        new: NewLot,
        credits: Credits,
        disputed: bool,
        cause: &EntryCause,
    ) -> Result<(), BookError> {
        let mut lot = Lot::empty(new);
        lot.disputed = disputed;
        let lot_id = lot.lot_id;
        self.lots.push(lot);
        self.reorder();
        self.created.insert(lot_id);
        self.shift(lot_id, Bucket::Granted, Bucket::Available, credits, cause)?;
        if disputed {
            self.shift(lot_id, Bucket::Available, Bucket::Frozen, credits, cause)?;
        }
        Ok(())
    }

    /// Turns to the next operation, at its instant and with the grace in force then.
    pub fn turn_to(&mut self, now: DateTime<Utc>, grace: TimeDelta) {
        self.now = now;
        self.grace = grace;
    }

    /// Adds lots that an operation needs and that were not loaded with the others.
    pub fn add(&mut self, lots: Vec<Lot>) {
        if !lots.is_empty() {
            self.lots.extend(lots.into_iter().filter(|lot| !self.places.contains_key(&lot.lot_id)));
            self.reorder();
        }
    }

    fn reorder(&mut self) {
        self.lots.sort_by(Lot::burn_order);
        self.places = places(&self.lots);
    }

    /// The movements written down since they were last taken.
    #[must_use]
    pub fn movements(&self) -> &[Movement] {
        &self.movements
    }

    /// Takes the movements written down so far.
    pub fn take_movements(&mut self) -> Vec<Movement> {
        std::mem::take(&mut self.movements)
    }

    /// Closes the book and hands out what must be written.
    #[must_use]
    pub fn close(mut self) -> Changes {
        self.take_changes()
    }

    /// Hands out what must be written, and goes on as if it were.
    #[must_use]
    pub fn take_changes(&mut self) -> Changes {
        let (created, touched) = (std::mem::take(&mut self.created), std::mem::take(&mut self.touched));
        let changed = self.lots.iter().filter(|lot| touched.contains(&lot.lot_id)).cloned();
        let (new_lots, changed_lots) = changed.partition(|lot| created.contains(&lot.lot_id));
        Changes { new_lots, changed_lots, movements: self.take_movements() }
    }

    /// Forgets the lots in which nothing can move by itself any more.
    pub fn forget_closed_lots(&mut self) {
        self.lots.retain(Lot::is_open);
        self.reorder();
    }

    fn lot_mut(&mut self, lot_id: LotId) -> Result<&mut Lot, BookError> {
        self.touched.insert(lot_id);
        let place = self.places.get(&lot_id).copied();
        place.and_then(|place| self.lots.get_mut(place)).ok_or(BookError::UnknownLot(lot_id))
    }

    /// The one door: moves credits within a lot and writes the movement down. Nothing moves for zero.
    fn shift(
        &mut self,
        lot_id: LotId,
        from: Bucket,
        to: Bucket,
        credits: Credits,
        cause: &EntryCause,
    ) -> Result<(), BookError> {
        if credits.is_zero() {
            return Ok(());
        }
        self.lot_mut(lot_id)?.shift(from, to, credits)?;
        self.movements.push(Movement { lot_id, from, to, credits, cause: cause.clone() });
        Ok(())
    }

    /// Gives credits back to a lot and lets them settle where the lot's state sends them: first to revoked, up
    /// to what lost disputes are owed; then to refunded, when a refund paid for all; then to frozen while a dispute
    /// is open; else to available, with grace if the lot ran out meanwhile.
    fn give_back(
        &mut self,
        lot_id: LotId,
        from: Bucket,
        credits: Credits,
        cause: &EntryCause,
    ) -> Result<(), BookError> {
        let rest = self.pay_owed(lot_id, from, credits, cause)?;
        if let Some(repaid) = &mut self.lot_mut(lot_id)?.repaid {
            repaid.credits = repaid.credits.plus(rest)?;
            return self.shift(lot_id, from, Bucket::Refunded, rest, cause);
        }
        self.set_free(lot_id, from, rest, cause)
    }

    /// Gives credits back whose price was not paid back after all, whatever other refunds of the lot paid for.
    fn give_back_unpaid(
        &mut self,
        lot_id: LotId,
        from: Bucket,
        credits: Credits,
        cause: &EntryCause,
    ) -> Result<(), BookError> {
        let rest = self.pay_owed(lot_id, from, credits, cause)?;
        self.set_free(lot_id, from, rest, cause)
    }

    /// Revokes what lost disputes are owed of credits that come back, and says what is left of them.
    fn pay_owed(
        &mut self,
        lot_id: LotId,
        from: Bucket,
        credits: Credits,
        cause: &EntryCause,
    ) -> Result<Credits, BookError> {
        let lot = self.lot_mut(lot_id)?;
        let owed = lot.owed.min(credits);
        lot.owed = lot.owed.minus(owed)?;
        self.shift(lot_id, from, Bucket::Revoked, owed, cause)?;
        Ok(credits.minus(owed)?)
    }

    fn set_free(
        &mut self,
        lot_id: LotId,
        from: Bucket,
        credits: Credits,
        cause: &EntryCause,
    ) -> Result<(), BookError> {
        if credits.is_zero() {
            return Ok(());
        }
        if self.lot_mut(lot_id)?.disputed {
            return self.shift(lot_id, from, Bucket::Frozen, credits, cause);
        }
        self.renew(lot_id)?;
        self.shift(lot_id, from, Bucket::Available, credits, cause)
    }

    /// Before credits come back to a lot that ran out: what still lay in it expires, and the lot lives on for
    /// the grace period.
    fn renew(&mut self, lot_id: LotId) -> Result<(), BookError> {
        let (now, grace) = (self.now, self.grace);
        let lot = self.lot_mut(lot_id)?;
        if !lot.is_expired(now) {
            return Ok(());
        }
        let leftover = lot.available;
        self.shift(lot_id, Bucket::Available, Bucket::Expired, leftover, &EntryCause::Expiry)?;
        self.lot_mut(lot_id)?.expires_at = now.checked_add_signed(grace);
        // The next operation on this book burns by the new expiry.
        self.reorder();
        Ok(())
    }
}

fn places(lots: &[Lot]) -> HashMap<LotId, usize> {
    lots.iter().enumerate().map(|(place, lot)| (lot.lot_id, place)).collect()
}
